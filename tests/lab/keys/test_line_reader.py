"""The lines of any file: plain or gzip, whole or damaged, however long."""

import gzip
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
from tests.support.fakes import PROPERTY
from tests.support.key_files import TABLE, Write, log


@pytest.mark.parametrize("name", ["trace.csv", "trace.csv.gz"])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_gzip_is_known_by_its_first_bytes(pack: Callable[[bytes], bytes], name: str, write: Write) -> None:
    """The name of the file does not matter."""
    assert lab.read_trace(write(pack(TABLE.encode()), name), "user").keys == ["ann", "bob", "ann"]


def test_the_first_three_malformed_lines_are_kept(write: Write) -> None:
    """All of them are counted."""
    trace = lab.read_trace(write("key,n\na,1\n" + 5 * "b\n"))
    assert (trace.malformed, [example.line for example in trace.examples]) == (5, [3, 4, 5])


@pytest.mark.parametrize("read", [lab.read_trace, lab.read_access_log])
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


LOG_LINE = st.sampled_from([log(f'"{line}" 200 5').encode()[:-1] for line in ("GET /a HTTP/1.1", "POST /a", "-")])


CSV_LINE = st.sampled_from([b"key,n", b"a,1", b'"a",1', b'"a"",1', b"a,1\r", b"a,1,2", b",", b'"a\r"'])


FILES = st.lists(JUNK | LOG_LINE | CSV_LINE, max_size=12).map(b"\n".join)


def read_bytes(read: Callable[[Path], lab.KeyTrace], content: bytes) -> lab.KeyTrace | str:
    """The trace that is read from a file with this content, or the text of the error."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "any"
        path.write_bytes(content)
        try:
            return read(path)
        except ValueError as error:
            return str(error)


@PROPERTY
@given(content=FILES, packed=st.booleans())
def test_any_file_is_read_or_refused_in_a_sentence(content: bytes, packed: bool) -> None:
    """Every line is a request, malformed, left out or the header. Otherwise one sentence says what is wrong."""
    for first, read in ((b"key,n\n", lab.read_trace), (b"", lab.read_trace), (b"", lab.read_access_log)):
        whole = first + content
        trace = read_bytes(read, gzip.compress(whole) if packed else whole)
        if isinstance(trace, str):
            assert re.fullmatch(r"[^\n\r\0]+[.?]", trace)
            continue
        header = 1 if read is lab.read_trace else 0
        lines = whole.count(b"\n") + (not whole.endswith(b"\n"))
        assert len(trace) + trace.malformed + trace.left_out + header == lines


@PROPERTY
@given(content=FILES, cut=st.integers(1, 100))
def test_any_gzip_may_be_cut_off_anywhere(content: bytes, cut: int) -> None:
    """The keys are the first ones of the whole file. If there are none, one sentence says so."""
    packed = gzip.compress(b"key,n\n" + content)
    whole, part = (read_bytes(lab.read_trace, stored) for stored in (packed, packed[:-cut]))
    if isinstance(part, str):
        assert re.fullmatch(r"[^\n\r\0]+[.?]", part)
    else:
        assert isinstance(whole, lab.KeyTrace)
        assert part.keys == whole.keys[: len(part)]
        assert part.examples[-1].reason == "the gzip file is cut off or damaged here"


@pytest.mark.long
@pytest.mark.parametrize("packed", [False, True])
def test_a_million_lines_take_less_memory_than_their_text(packed: bool, tmp_path: Path) -> None:
    """The text of the log has 170 MB. Reading it takes less than 110 MB, and every line is counted."""
    path = lab.make_access_log(tmp_path / ("x.gz" if packed else "x"), 1_000_000)
    tracemalloc.start()
    trace = lab.read_access_log(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(trace) + trace.left_out + trace.malformed == 1_000_000
    assert peak < 110e6


def test_a_line_that_never_ends_is_not_held(write: Write) -> None:
    """A gzip of 60 kB can hold a line of 64 MB. It is malformed, and takes a few megabytes of memory."""
    path = write(gzip.compress(b"key\na\n" + bytes(64_000_000)))
    tracemalloc.start()
    trace = lab.read_trace(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (trace.keys, trace.malformed) == (["a"], 1)
    assert peak < 16e6
