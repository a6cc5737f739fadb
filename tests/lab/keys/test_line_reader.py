"""The lines of any file: whole or damaged, however long, in whatever encoding."""

import bz2
import functools
import gzip
import itertools
import lzma
import os
import re
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, strategies as st

from cachelab import lab
from cachelab.lab.keys import unpacking
from tests.support.fakes import PROPERTY
from tests.support.key_files import Write, log

READERS = [lab.read_trace, lab.read_access_log]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["Unix", "Windows", "old Macintosh"])
def test_a_line_may_end_in_three_ways(end: str, write: Write) -> None:
    """As in Python's own text files. The last line needs no end."""
    text = log('"GET /a HTTP/1.1" 200 5', '"GET /b HTTP/1.1" 200 5')
    assert lab.read_access_log(write(text.replace("\n", end))).keys == ["/a", "/b"]
    trace = lab.read_trace(write(f"key,n{end}a,1{end}{end}b,2"))
    assert (trace.keys, trace.examples) == (["a", "b"], (lab.Malformed(3, "", "empty"),))


@pytest.mark.parametrize("size", [1, 2, 3, 5, 8])
def test_the_ends_of_blocks_do_not_matter(size: int, monkeypatch: pytest.MonkeyPatch, write: Write) -> None:
    """A line feed may be in another block than its carriage return."""
    monkeypatch.setattr(unpacking, "BLOCK", size)
    content = b"key\na\r\nb\rc\n\r\n\rdd\r\r\neee\n\nf\r"
    trace = lab.read_trace(write(content))
    assert (trace.keys, trace.malformed) == (["a", "b", "c", "dd", "eee", "f"], 4)


@pytest.mark.parametrize("size", [2**10, 2**20])
def test_the_line_after_a_very_long_one_is_read(size: int, monkeypatch: pytest.MonkeyPatch, write: Write) -> None:
    """Whatever ends the long line, and wherever a block ends."""
    monkeypatch.setattr(unpacking, "BLOCK", size)
    for end in (b"\n", b"\r", b"\r\n"):
        for length in (2**22 - 5, 2**22 - 4, 2**22 - 3, 2**22 + 7):
            trace = lab.read_trace(write(b"key\n" + b"x" * length + end + b"a" + end))
            assert (trace.keys, trace.malformed) == (["a"], 1)


def test_bytes_outside_utf_8_keep_keys_apart(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    """A log may have bytes of any encoding: 128 paths that differ in such a byte stay 128. The summary counts them."""
    paths = [b"/" + bytes([byte]) for byte in range(128, 256)]
    lines = [b'192.0.2.7 - - [10/Oct/2000:13:55:36 -0700] "GET %b HTTP/1.1" 200 5\n' % path for path in paths]
    trace = lab.read_access_log(write(b"".join(lines)))
    assert len(set(trace.keys)) == 128
    assert [key.encode(errors="surrogateescape") for key in trace.keys] == paths
    trace.describe()
    assert "128 of the keys with bytes that are not UTF-8, which are kept apart" in capsys.readouterr().out
    assert len(set(lab.read_trace(write(b"key\n" + b"\n".join(paths))).keys)) == 128


def test_the_first_three_malformed_lines_are_kept(write: Write) -> None:
    """All of them are counted."""
    trace = lab.read_trace(write("key,n\na,1\n" + 5 * "b\n"))
    assert (trace.malformed, [example.line for example in trace.examples]) == (5, [3, 4, 5])


@pytest.mark.parametrize("read", READERS)
def test_the_home_folder_may_be_written_as_a_tilde(
    read: Callable[[str], lab.KeyTrace], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a shell reads it. A user who does not exist has no file. The log maker writes to such a path as well."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    (tmp_path / "x.csv").write_text("key\na\n")
    lab.make_access_log("~/x.log", 1_000)
    assert len(read("~/x.csv" if read is lab.read_trace else "~/x.log")) > 0
    with pytest.raises(FileNotFoundError, match=r"There is no file .*nobody-of-this-name"):
        read("~nobody-of-this-name/x")


@pytest.mark.parametrize("read", READERS)
def test_a_path_without_a_file_is_refused(read: Callable[[Path], lab.KeyTrace], tmp_path: Path) -> None:
    """A missing file and a folder are each refused in a sentence that says what to do."""
    with pytest.raises(FileNotFoundError, match=r"There is no file .*none: check its name"):
        read(tmp_path / "none")
    with pytest.raises(IsADirectoryError, match="is a folder: name a file in it"):
        read(tmp_path)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no devices among its files")
def test_a_device_is_not_read() -> None:
    """A pipe or a device has no size, and may never end."""
    with pytest.raises(OSError, match="is not a regular file: copy its contents into one"):
        lab.read_trace(os.devnull)


def test_a_gzip_that_is_cut_off_is_read_up_to_the_cut(write: Write) -> None:
    """The lines before the cut are read. The line with the cut is counted, and kept in addition to the first three."""
    text = "key\n\n\n\n\n" + "".join(f"{key}\n" for key in lab.zipf_trace(50_000, 1_000))
    whole = gzip.compress(text.encode(), mtime=0)
    trace = lab.read_trace(write(whole[: len(whole) // 2]))
    assert 10_000 < len(trace) < 40_000
    assert trace.keys == text.split()[1 : len(trace) + 1]
    *first, last = trace.examples
    assert ([example.line for example in first], trace.malformed) == ([2, 3, 4], 5)
    assert (last.line, last.reason) == (len(trace) + 6, "the gzip file is cut off or damaged here")


def test_a_gzip_with_a_wrong_checksum_is_read_and_reported_as_damaged(write: Write) -> None:
    """All lines are read, and one more is counted as malformed."""
    packed = bytearray(gzip.compress(b"key\na\nb\n"))
    packed[-8] ^= 1
    trace = lab.read_trace(write(bytes(packed)))
    assert (trace.keys, trace.malformed, trace.examples[0].line) == (["a", "b"], 1, 4)


JUNK = st.binary(max_size=60) | st.text(max_size=60).map(str.encode)


LOG_LINE = st.sampled_from(
    [log(f'"{line}" 200 5').encode()[:-1] for line in ("GET /a HTTP/1.1", "POST /a", "-")]
    + [b"a.example:80 " + log('"GET /a HTTP/1.1" 200 5').encode()[:-1]]
    + [b"#Fields: date time cs-method cs-uri-stem sc-status", b"2000-10-10 13:55:36 GET /a 200", b"#Version: 1.0"]
)


CSV_LINE = st.sampled_from(
    [b"key,n", b"a,1", b'"a",1', b'"a"",1', b"a,1\r", b"a,1,2", b",", b'"a\r"', b"sep=;", b"a;1"]
)


JSON_LINE = st.sampled_from(
    [b'{"key":"a","n":1}', b'{"key":{"n":1}}', b"{}", b'{"key":1e999,"n":"x"}', b"[" * 50, b'{"']
)


FILES = st.lists(JUNK | LOG_LINE | CSV_LINE | JSON_LINE, max_size=12).map(b"\n".join)


PACKED = st.sampled_from([bytes, gzip.compress, bz2.compress, lzma.compress])


MARK = st.sampled_from(
    [b"", b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff", b"\x1f\x8b", b"BZh91AY&SY", b"\xfd7zXZ\0", b"(\xb5/\xfd"]
)


WAYS: list[Callable[[Path], lab.KeyTrace]] = [
    lab.read_trace,
    lab.read_access_log,
    functools.partial(lab.read_access_log, query=True),
    functools.partial(lab.read_access_log, key=lambda line: line.split("a")[1]),
    functools.partial(lab.read_trace, key="n", time="key", size="n", only={"n": [1, 2]}),
    functools.partial(lab.read_trace, names=["key", "n"], count="n"),
    functools.partial(lab.read_trace, key="key.n", size="key"),
    functools.partial(lab.read_trace, key=lambda fields: fields["key"] or None),
]


def read_bytes(read: Callable[[Path], lab.KeyTrace], content: bytes) -> lab.KeyTrace | str:
    """The trace that is read from a file with this content, or the text of the error."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "any"
        path.write_bytes(content)
        try:
            return read(path)
        except ValueError as error:
            return str(error)


def count_of_directives(lines: list[bytes]) -> int:
    """How many lines of a log say how it is written. They do if the first of them is above all requests."""
    marks = (b"#Fields:", b"#Version:")
    rest = list(itertools.dropwhile(lambda line: not line.startswith((*marks, b"192.0.2.7 ", b"a.example:80 ")), lines))
    return sum(line.startswith(marks) for line in rest) if rest and rest[0].startswith(marks) else 0


SENTENCE = re.compile(r"[^\n\r\0]+[.?]")


@PROPERTY
@given(content=FILES, pack=PACKED)
def test_any_file_is_read_or_refused_in_a_sentence(content: bytes, pack: Callable[[bytes], bytes]) -> None:
    """Every line is a request, malformed, left out, or tells the format. Otherwise one sentence says what is wrong."""
    for first, read in ((b"key,n\n", lab.read_trace), (b"", lab.read_trace), (b"", lab.read_access_log)):
        whole = first + content
        trace = read_bytes(read, pack(whole))
        if isinstance(trace, str):
            assert SENTENCE.fullmatch(trace)
            continue
        lines = re.split(rb"\r\n|\n|\r", whole)
        lines = lines if lines[-1] else lines[:-1]
        first_line = next(line for line in lines if line and b"\0" not in line)
        if read is lab.read_trace:
            header = 0 if first_line.startswith(b"{") else 2 if first_line == b"sep=;" else 1
        else:
            header = count_of_directives(lines)
        assert len(trace) + trace.malformed + trace.left_out + header == len(lines)


@PROPERTY
@given(content=FILES, mark=MARK, pack=PACKED, cut=st.integers(0, 30), way=st.integers(0, len(WAYS) - 1))
def test_any_bytes_end_in_a_trace_or_a_sentence(
    content: bytes, mark: bytes, pack: Callable[[bytes], bytes], cut: int, way: int
) -> None:
    """However they are asked for, and however damaged they are: never in another error."""
    packed = pack(mark + content)
    trace = read_bytes(WAYS[way], packed[: len(packed) - cut])
    assert SENTENCE.fullmatch(trace) if isinstance(trace, str) else len(trace) > 0


@PROPERTY
@given(content=FILES, cut=st.integers(1, 100))
def test_any_gzip_may_be_cut_off_anywhere(content: bytes, cut: int) -> None:
    """The keys are the first ones of the whole file. If there are none, one sentence says so."""
    packed = gzip.compress(b"key,n\n" + content)
    whole, part = (read_bytes(lab.read_trace, stored) for stored in (packed, packed[:-cut]))
    if isinstance(part, str):
        assert SENTENCE.fullmatch(part)
    else:
        assert isinstance(whole, lab.KeyTrace)
        assert part.keys == whole.keys[: len(part)]
        assert part.examples[-1].reason == "the gzip file is cut off or damaged here"


@pytest.mark.parametrize(
    "packed", [pytest.param(False, marks=pytest.mark.soak), pytest.param(True, marks=pytest.mark.long)]
)
def test_a_million_lines_take_less_memory_than_their_text(packed: bool, tmp_path: Path) -> None:
    """The text of the log has 170 MB. Reading it takes less than 110 MB, and every line is counted."""
    path = lab.make_access_log(tmp_path / ("x.gz" if packed else "x"), 1_000_000)
    tracemalloc.start()
    trace = lab.read_access_log(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(trace) + trace.left_out + trace.malformed == 1_000_000
    assert peak < 110e6
