"""Traces: those made by rule, those read from a file, the log to try it on, and the bar that shows how far it is."""

import gzip
import hashlib
import io
import math
import os
import re
import sys
import tracemalloc
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread

import pytest
from hypothesis import given, strategies as st
from nbclient import NotebookClient
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_notebook

from cachelab import lab
from cachelab.eviction import LRU, count_hits, lru_curve
from cachelab.lab import progress_bar as bar
from tests.support.fakes import PROPERTY

# Traces made by rule


@pytest.mark.parametrize(
    ("make", "digest"),
    [
        (lambda: lab.zipf_trace(20_000, 1_000), "4cc1111a8a566102"),
        (lambda: lab.zipf_trace(20_000, 1_000, 0.8, seed=2), "ee347f6b3ee85401"),
        (lambda: lab.scan_trace(20_000, 1_000), "482867632bbcee8c"),
        (lambda: lab.loop_trace(20_000, 120), "71a6040cf4ec2daf"),
        (lambda: lab.shifting_trace(20_000, 1_000, moves=3), "b4de3c0b728f366c"),
    ],
    ids=["zipf", "zipf 0.8", "scan", "loop", "shifting"],
)
def test_a_made_trace_is_the_same_everywhere(make: Callable[[], list[int]], digest: str) -> None:
    """Its digest is the one written here, whichever Python runs it."""
    assert hashlib.sha256(repr(make()).encode()).hexdigest()[:16] == digest


def test_a_zipf_trace_asks_by_popularity() -> None:
    """Each key has its share of the requests, within five standard deviations."""
    counts = Counter(lab.zipf_trace(20_000, 50, 0.9))
    for key, probability in enumerate(lab.zipf_popularity(50, 0.9), start=1):
        assert abs(counts[key] - 20_000 * probability) < 5 * math.sqrt(20_000 * probability)


def test_a_scan_asks_for_each_of_its_keys_once() -> None:
    """A quarter of the requests are for keys above the popular ones, and no such key comes twice."""
    scanned = [key for key in lab.scan_trace(20_000, 1_000) if key > 1_000]
    assert (len(scanned), len(set(scanned))) == (5_000, 5_000)


def test_a_loop_goes_round() -> None:
    """Every key in order, then again from the first."""
    assert lab.loop_trace(7, 3) == [1, 2, 3, 1, 2, 3, 1]


def test_a_hot_set_moves() -> None:
    """The most popular key of each part stands a quarter of the keys above that of the part before."""
    keys = lab.shifting_trace(20_000, 1_000, moves=3)
    hottest = [Counter(keys[start : start + 5_000]).most_common(1)[0][0] for start in range(0, 20_000, 5_000)]
    assert hottest == [1, 251, 501, 751]


@pytest.mark.parametrize("make", [lab.zipf_trace, lab.scan_trace, lab.loop_trace, lab.shifting_trace])
@pytest.mark.parametrize("numbers", [(0, 5), (5, 0)])
def test_a_trace_of_nothing_is_refused(make: Callable[[int, int], list[int]], numbers: tuple[int, int]) -> None:
    """One sentence says what a trace needs."""
    with pytest.raises(ValueError, match="at least one request and one key, not"):
        make(*numbers)


# A CSV file


Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes bytes, or lines of text, into a file and returns its path."""

    def to(content: bytes | str, name: str = "trace.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return to


TABLE = "when,user,bytes\n100.5,ann,10\n99.5,bob,0\n102,ann,30\n"


def test_a_csv_file_is_read_by_the_names_of_its_columns(write: Write) -> None:
    """Keys are texts; times count from the first request, in the order of the file; sizes are bytes."""
    trace = lab.read_trace(write(TABLE), "user", time="when", size="bytes")
    assert trace == lab.KeyTrace(["ann", "bob", "ann"], [0.0, -1.0, 1.5], [10, 0, 30])


def test_time_and_size_may_be_left_out(write: Write) -> None:
    """Then there are none."""
    assert lab.read_trace(write(TABLE), "user") == lab.KeyTrace(["ann", "bob", "ann"])


def test_equal_keys_are_one_object(write: Write) -> None:
    """A million requests for a thousand keys hold a thousand texts."""
    keys = lab.read_trace(write(TABLE), "user").keys
    assert keys[0] is keys[2]


def test_a_trace_plugs_into_the_curves(write: Write) -> None:
    """Its keys are what `count_hits` and `lru_curve` take, and its length is the number of requests."""
    trace = lab.read_trace(write(TABLE), "user")
    assert (count_hits(LRU(2), trace.keys), lru_curve(trace.keys, [1, 2])) == ((3, 1), [1.0, 2 / 3])
    assert len(trace) == 3


@pytest.mark.parametrize("name", ["trace.csv", "trace.csv.gz"])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_gzip_is_known_by_its_first_bytes(pack: Callable[[bytes], bytes], name: str, write: Write) -> None:
    """Not by the name of the file."""
    assert lab.read_trace(write(pack(TABLE.encode()), name), "user").keys == ["ann", "bob", "ann"]


@pytest.mark.parametrize(
    "content",
    [
        "\ufeffkey,n\na,1\nb,2\n",
        "key,n\r\na,1\r\nb,2\r\n",
        "n, key \n1,a\n2,b",
        '"key","n"\n"a",1\nb,"2"\n',
        '"n, or m","key"\n"1,5",a\n"say ""x""","b"\n',
    ],
    ids=["byte order mark", "Windows", "spaces around names, no last line break", "quotes", "commas in quotes"],
)
def test_a_csv_file_may_be_written_in_many_ways(content: str, write: Write) -> None:
    """As spreadsheets and data bases export it."""
    trace = lab.read_trace(write(content))
    assert (trace.keys, trace.malformed) == (["a", "b"], 0)


def test_a_key_may_be_any_text(write: Write) -> None:
    """With commas, quotes, letters of any language; bytes that are no UTF-8 are replaced."""
    content = b'key\n"a,""b"""\n\xc3\xa9\n\xff\n42\n'
    assert lab.read_trace(write(content)).keys == ['a,"b"', "é", "\ufffd", "42"]


def test_a_time_may_be_a_date(write: Write) -> None:
    """As in ISO 8601, in UTC if it names no zone."""
    content = "key,time\na,2000-10-10T13:55:36Z\na,2000-10-10 15:55:37.5+02:00\na,2000-10-10T13:56:36\n"
    assert lab.read_trace(write(content), time="time").times_s == [0.0, 1.5, 60.0]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("", "empty"),
        ("b,1", "fields: 2 where the first line has 3"),
        ("b,1,2,3", "fields: 4 where the first line has 3"),
        (",1,2", "its key is empty"),
        ("b\0,1,2", "has a NUL"),
        ('"b,1,2', "its quotes do not close, or a field goes on after them"),
        ('"b"b,1,2', "its quotes do not close, or a field goes on after them"),
        ("b,late,2", "its time is no number of seconds, and no date like 2000-10-10T13:55:36Z"),
        ("b,nan,2", "its time is too large, or no number"),
        ("b,-1e999,2", "its time is too large, or no number"),
        ("b,1,2.5", "its size is no whole number of bytes"),
        ("b,1,-2", "its size is no whole number of bytes"),
        ("b,1," + "9" * 5_000, "its size is no whole number of bytes"),
        ('"' + "b" * 200_000 + '",1,2', "its quotes do not close, or a field goes on after them"),
        ("b" * 300_000 + ",1,2", "too long"),
        ("é" * 3_000_000 + ",1,2", "too long"),
    ],
    ids=lambda text: text[:20],
)
def test_a_malformed_line_is_counted_shown_and_skipped(line: str, reason: str, write: Write) -> None:
    """The lines before and after it are read, and of a long line only the beginning is kept."""
    trace = lab.read_trace(write(f"key,time,size\na,0,5\n{line}\na,1,5\n"), time="time", size="size")
    assert (trace.keys, trace.times_s, trace.sizes) == (["a", "a"], [0.0, 1.0], [5, 5])
    assert (trace.malformed, trace.examples) == (1, (lab.Malformed(3, line[:200], reason),))


def test_the_first_three_malformed_lines_are_kept(write: Write) -> None:
    """And all are counted."""
    trace = lab.read_trace(write("key,n\na,1\n" + 5 * "b\n"))
    assert (trace.malformed, [example.line for example in trace.examples]) == (5, [3, 4, 5])


def test_quotes_that_never_close_take_one_line_each(write: Write) -> None:
    """A record is one line, so what follows is not swallowed."""
    trace = lab.read_trace(write("key\n" + 1_000 * '"a\nb\n'))
    assert (trace.keys, trace.malformed) == (1_000 * ["b"], 1_000)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("kye,size\na,1\n", r"trace.csv has no column 'key', only kye, size: did you mean 'kye'\?"),
        ("a;b\n1;2\n", r"no column 'key', only a;b: are its columns separated by something else than commas\?"),
        ("a\tb\n1\t2\n", r"no column 'key', only a\\tb: are its columns separated by something else than commas\?"),
        ("x,y\n1,2\n", r"no column 'key', only x, y: does its first line name the columns\?"),
        (",".join("abcdefghijklmnopqrstuvwxyz"), r"only a, b, .*, t, …: does"),
        ("", "trace.csv is empty: a CSV file begins with the names of its columns"),
        ("key\n", "trace.csv is empty: each line needs a field for each column"),
        ("\nkey\na\n", r"does not begin with the names of columns, but with '' \(empty\): unpack it, or export it"),
        (
            b"\xff\xfek\0e\0y\0\n\0",
            r"does not begin with the names of columns, but with '..k\\x00e\\x00y\\x00' \(has a",
        ),
        (
            b"PK\x03\x04\x14",
            r"not begin with the names of columns, but with 'PK\\x03\\x04\\x14' \(no text\): unpack it",
        ),
        ('"key\na\n', r"""but with '"key' \(its quotes do not close, or a field goes on after them\): unpack it"""),
        (b"\x1f\x8bnonsense", r"but with '' \(the gzip file is cut off or damaged here\)"),
        ("key,n\na\nb\n", r"No line of trace.csv can be read, line 2 is 'a' \(fields: 1 where the first line has 2\)"),
        (
            '192.0.2.7 - - [10/Oct/2000:13:55:36 -0700] "GET / HTTP/1.1" 200 5\n',
            "trace.csv looks like the access log of a web server: read it with lab.read_access_log",
        ),
    ],
    ids=lambda content: repr(content)[:24],
)
def test_a_file_that_is_no_such_csv_gets_a_sentence(content: bytes | str, sentence: str, write: Write) -> None:
    """It says what the file looks like, and what to do."""
    with pytest.raises(ValueError, match=sentence):
        lab.read_trace(write(content))


@pytest.mark.parametrize("column", ["time", "size"])
def test_every_column_that_is_asked_for_has_to_be_there(column: str, write: Write) -> None:
    """The time's and the size's as well as the key's."""
    with pytest.raises(ValueError, match=r"no column 'user', only key, used: did you mean 'used'\?"):
        lab.read_trace(write("key,used\na,1\n"), **{column: "user"})


@pytest.mark.parametrize("read", [lab.read_trace, lab.read_access_log])
def test_a_file_that_is_not_there_gets_a_sentence(read: Callable[[Path], lab.KeyTrace], tmp_path: Path) -> None:
    """As a folder does."""
    with pytest.raises(FileNotFoundError, match=r"There is no file .*none: check its name"):
        read(tmp_path / "none")
    with pytest.raises(IsADirectoryError, match="is a folder: name a file in it"):
        read(tmp_path)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no devices among its files")
def test_a_device_is_not_read() -> None:
    """A pipe or a device has no size, and may never end."""
    with pytest.raises(OSError, match="is no regular file: copy what it gives into one"):
        lab.read_trace(os.devnull)


def test_a_gzip_that_is_cut_off_is_read_up_to_there(write: Write) -> None:
    """What stands before the cut is the trace; the line in which it ends is counted and shown as well as the first."""
    text = "key\n\n\n\n\n" + "".join(f"{key}\n" for key in lab.zipf_trace(50_000, 1_000))
    whole = gzip.compress(text.encode(), mtime=0)
    trace = lab.read_trace(write(whole[: len(whole) // 2]))
    assert 10_000 < len(trace) < 40_000
    assert trace.keys == text.split()[1 : len(trace) + 1]
    *first, last = trace.examples
    assert ([example.line for example in first], trace.malformed) == ([2, 3, 4], 5)
    assert (last.line, last.reason) == (len(trace) + 6, "the gzip file is cut off or damaged here")


def test_a_gzip_with_a_wrong_checksum_is_read_and_said_to_be_damaged(write: Write) -> None:
    """The lines are all there, and one is counted on top."""
    packed = bytearray(gzip.compress(b"key\na\nb\n"))
    packed[-8] ^= 1
    trace = lab.read_trace(write(bytes(packed)))
    assert (trace.keys, trace.malformed, trace.examples[0].line) == (["a", "b"], 1, 4)


# An access log


def log(*requests: str, when: str = "10/Oct/2000:13:55:36 -0700") -> str:
    """Lines of a log, each with this request, status and size."""
    return "".join(f"192.0.2.7 - - [{when}] {request}\n" for request in requests)


def test_an_access_log_is_read_in_both_formats(write: Write) -> None:
    """The key is the path; seconds from the first request, across time zones and months; the bytes that were sent."""
    path = write(
        '192.0.2.7 - - [31/Oct/2000:23:59:59 -0700] "GET /a HTTP/1.0" 200 2326\n'
        '192.0.2.7 - frank smith [01/Nov/2000:08:00:00 +0100] "GET /b HTTP/1.1" 200 5 "http://x/" "Agent \\"7\\" [x]"\n'
        '2001:db8::7 id - [01/Nov/2000:12:44:59 +0545] "GET /a HTTP/1.1" 304 - "-" "-"\n'
    )
    assert lab.read_access_log(path) == lab.KeyTrace(["/a", "/b", "/a"], [0.0, 1.0, 0.0], [2326, 5, 0])


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "get"])
@pytest.mark.parametrize("status", [200, 206, 304, 301, 404, 500])
def test_a_request_is_what_a_cache_would_be_asked(method: str, status: int, write: Write) -> None:
    """GET and HEAD, with an answer that is the page; all else is left out, and is not malformed."""
    trace = lab.read_access_log(write(log('"GET /a HTTP/1.1" 200 5', f'"{method} /b HTTP/1.1" {status} 5')))
    counts = method in {"GET", "HEAD"} and status in {200, 206, 304}
    assert (len(trace), trace.left_out, trace.malformed) == ((2, 0, 0) if counts else (1, 1, 0))


@pytest.mark.parametrize(
    ("request_line", "path", "full"),
    [
        ("GET /a?x=1&y=2 HTTP/1.1", "/a", "/a?x=1&y=2"),
        ("GET /a", "/a", "/a"),
        ("GET /a b HTTP/1.1", "/a b", "/a b"),
        (r"GET /a\"b\\ HTTP/1.1", r"/a\"b\\", r"/a\"b\\"),
        ("GET http://x/a HTTP/1.1", "http://x/a", "http://x/a"),
        ("GET /é HTTP/2.0", "/é", "/é"),
    ],
)
def test_the_query_string_is_kept_if_you_say_so(request_line: str, path: str, full: str, write: Write) -> None:
    """Without it, pages that differ only there are one key."""
    file = write(log(f'"{request_line}" 200 5'))
    assert [lab.read_access_log(file).keys, lab.read_access_log(file, query=True).keys] == [[path], [full]]


@pytest.mark.parametrize("request_line", ["-", "", "GET", "GET  HTTP/1.1", r"\x16\x03\x01", "GET ?x=1 HTTP/1.1"])
def test_a_request_that_is_none_is_left_out(request_line: str, write: Write) -> None:
    """The server wrote down, in order, that somebody talked nonsense."""
    trace = lab.read_access_log(write(log('"GET /a HTTP/1.1" 200 5', f'"{request_line}" 200 0')))
    assert (trace.keys, trace.left_out, trace.malformed) == (["/a"], 1, 0)


@pytest.mark.parametrize(
    "when",
    [
        "10/Okt/2000:13:55:36 -0700",
        "32/Oct/2000:13:55:36 -0700",
        "10/Oct/2000:24:55:36 -0700",
        "10/Oct/2000:13:55:61 -0700",
        "10/Oct/2000:13:55:36",
        "10/Oct/0000:13:55:36 -0700",
        "2000-10-10T13:55:36Z",
        "",
    ],
)
def test_a_time_that_is_none_is_malformed(when: str, write: Write) -> None:
    """And so is its line."""
    line = log('"GET /b HTTP/1.1" 200 5', when=when)
    trace = lab.read_access_log(write(log('"GET /a HTTP/1.1" 200 5') + line))
    assert trace.examples == (lab.Malformed(2, line[:-1], "its time is not like [10/Oct/2000:13:55:36 -0700]"),)


def test_a_leap_second_is_a_second(write: Write) -> None:
    """The sixtieth comes after the fifty-ninth."""
    lines = [log('"GET /a HTTP/1.1" 200 5', when=f"31/Dec/2016:23:59:{second} +0000") for second in (59, 60)]
    assert lab.read_access_log(write("".join(lines))).times_s == [0.0, 1.0]


@pytest.mark.parametrize(
    "line",
    ["key,time", "192.0.2.7 - - [10/Oct", log('"GET /b HTTP/1.1 200 5')[:-1], log('"GET /b HTTP/1.1" ok 5')[:-1]],
)
def test_a_line_in_another_format_is_malformed(line: str, write: Write) -> None:
    """It is counted, shown and skipped."""
    trace = lab.read_access_log(write(log('"GET /a HTTP/1.1" 200 5') + line))
    assert trace.examples == (lab.Malformed(2, line, "not in the Common or the Combined Log Format"),)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("", "x.log is empty: an access log has lines like"),
        ("key,n\na,1\n", r"No line of x.log can be read, line 1 is 'key,n' \(not in .*\): .*CSV file .*lab.read_trace"),
        (log('"POST /a HTTP/1.1" 200 5') + "x", "x.log has no request .*: 1 lines are of other methods .*, and 1 malf"),
    ],
    ids=["empty", "CSV", "left out"],
)
def test_a_file_that_is_no_log_gets_a_sentence(content: str, sentence: str, write: Write) -> None:
    """It says what the file looks like, and what to do."""
    with pytest.raises(ValueError, match=sentence):
        lab.read_access_log(write(content, "x.log"))


@pytest.mark.parametrize(
    "line", ["[" * 250_000, "a " * 125_000, "a [" * 83_000, 'a [] "' + r"\a" * 120_000, "a " + "[] " * 83_000]
)
def test_a_nasty_line_takes_no_time(line: str, write: Write) -> None:
    """The pattern never goes back, so even here the time-out of the tests is far away."""
    assert lab.read_access_log(write(log('"GET /a HTTP/1.1" 200 5') + 20 * f"{line}\n")).malformed == 20


# Any file

JUNK = st.binary(max_size=60) | st.text(max_size=60).map(str.encode)
LOG_LINE = st.sampled_from([log(f'"{line}" 200 5').encode()[:-1] for line in ("GET /a HTTP/1.1", "POST /a", "-")])
CSV_LINE = st.sampled_from([b"key,n", b"a,1", b'"a",1', b'"a"",1', b"a,1\r", b"a,1,2", b",", b'"a\r"'])
FILES = st.lists(JUNK | LOG_LINE | CSV_LINE, max_size=12).map(b"\n".join)


def asked_for(read: Callable[[Path], lab.KeyTrace], content: bytes) -> lab.KeyTrace | str:
    """The trace that a file of these bytes is, or the sentence that says why it is none."""
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
    """Every line is a request, malformed, left out or the header; or one sentence says why not."""
    for first, read in ((b"key,n\n", lab.read_trace), (b"", lab.read_trace), (b"", lab.read_access_log)):
        whole = first + content
        trace = asked_for(read, gzip.compress(whole) if packed else whole)
        if isinstance(trace, str):
            assert re.fullmatch(r"[^\n\r\0]+[.?]", trace)
            continue
        header = 1 if read is lab.read_trace else 0
        lines = whole.count(b"\n") + (not whole.endswith(b"\n"))
        assert len(trace) + trace.malformed + trace.left_out + header == lines


@PROPERTY
@given(content=FILES, cut=st.integers(1, 100))
def test_any_gzip_may_be_cut_off_anywhere(content: bytes, cut: int) -> None:
    """The keys are the first of those of the whole file, or one sentence says that there are none."""
    packed = gzip.compress(b"key,n\n" + content)
    whole, part = (asked_for(lab.read_trace, stored) for stored in (packed, packed[:-cut]))
    if isinstance(part, str):
        assert re.fullmatch(r"[^\n\r\0]+[.?]", part)
    else:
        assert isinstance(whole, lab.KeyTrace)
        assert part.keys == whole.keys[: len(part)]
        assert part.examples[-1].reason == "the gzip file is cut off or damaged here"


@pytest.mark.long
@pytest.mark.parametrize("packed", [False, True])
def test_a_million_lines_fit(packed: bool, tmp_path: Path) -> None:
    """The text of the log is 170 MB; reading it takes less than 110, and every line is accounted for."""
    path = lab.make_access_log(tmp_path / ("x.gz" if packed else "x"), 1_000_000)
    tracemalloc.start()
    trace = lab.read_access_log(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(trace) + trace.left_out + trace.malformed == 1_000_000
    assert peak < 110e6


def test_a_line_that_never_ends_is_not_held(write: Write) -> None:
    """A gzip of 60 kB can be a line of 64 MB: it is malformed, and takes a few megabytes."""
    path = write(gzip.compress(b"key\na\n" + bytes(64_000_000)))
    tracemalloc.start()
    trace = lab.read_trace(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (trace.keys, trace.malformed) == (["a"], 1)
    assert peak < 16e6


# What it prints


def test_a_trace_describes_itself(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    """A few lines that are the same on every run."""
    good = log('"GET /a HTTP/1.1" 200 3000', '"GET /b HTTP/1.1" 200 500', *3 * ['"POST /b HTTP/1.1" 200 5'])
    later = log('"GET /a HTTP/1.1" 304 -', when="10/Oct/2000:14:55:36 -0700")
    lab.read_access_log(write(good + later + "\x1b[31mred\n" + "x" * 150)).describe()
    assert capsys.readouterr().out.splitlines() == [
        "3 requests for 2 different keys",
        "1 of the keys, 50.0%, asked for only once",
        "3,600 seconds from the earliest request to the latest",
        "3,500 bytes, 1,167 a request",
        "3 lines left out: nothing that a cache would be asked",
        "2 malformed lines skipped:",
        "  line 7, not in the Common or the Combined Log Format:",
        r"    \x1b[31mred",
        "  line 8, not in the Common or the Combined Log Format:",
        "    " + "x" * 87 + "…",
    ]


def test_what_was_not_read_is_not_described(capsys: pytest.CaptureFixture[str]) -> None:
    """No times, no sizes, nothing left out: two lines are enough."""
    lab.KeyTrace(["a"]).describe()
    assert capsys.readouterr().out == "1 request for 1 different key\n1 of the keys, 100.0%, asked for only once\n"


# The log to try it on


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log of 20,000 lines."""
    return lab.make_access_log(tmp_path_factory.mktemp("log") / "access.log", 20_000)


def articles(keys: list[str]) -> list[int]:
    """The numbers of the articles among these keys."""
    return [int(key.rpartition("/")[2]) for key in keys if re.fullmatch(r"/articles/\d+", key)]


def test_a_made_log_is_the_same_everywhere(made: Path) -> None:
    """Its digest is the one written here, whichever Python runs it, and another seed gives another log."""
    assert hashlib.sha256(made.read_bytes()).hexdigest()[:16] == "589739aadd52d1a8"
    other = lab.make_access_log(made.with_name("other.log"), 20_000, seed=2)
    assert other.read_bytes() != made.read_bytes()


def test_a_made_log_is_gzip_if_its_name_says_so(made: Path) -> None:
    """With the same text, and with the same bytes each time: neither its name nor the time is in it."""
    first, second = (lab.make_access_log(made.with_name(name), 20_000).read_bytes() for name in ("a.gz", "b.gz"))
    assert (gzip.decompress(first), first) == (made.read_bytes(), second)
    assert first[3:8] == bytes(5)  # no flags, so no name, and no time


@pytest.mark.parametrize("requests", [1_000, 1_234, 20_000])
def test_a_made_log_has_as_many_lines_as_asked_for(requests: int, tmp_path: Path) -> None:
    """All are read but five, and a few that no cache would be asked."""
    trace = lab.read_access_log(lab.make_access_log(tmp_path / "x.log", requests))
    assert (len(trace) + trace.left_out + trace.malformed, trace.malformed) == (requests, 5)
    assert 0.02 < trace.left_out / requests < 0.10


def test_a_made_log_is_of_three_days_in_order(made: Path) -> None:
    """No request comes before the one above it."""
    times = lab.read_access_log(made).times_s
    assert times is not None
    assert times == sorted(times)
    assert 2.99 < times[-1] / 86_400 < 3.0


def test_a_made_log_names_nobody(made: Path) -> None:
    """Every address is one of those set aside for examples."""
    hosts = {line.split(" ")[0] for line in made.read_text().splitlines() if " - - " in line}
    networks = {host.rpartition(".")[0] for host in hosts}
    assert networks == {"192.0.2", "198.51.100", "203.0.113"}


def test_the_crawler_asks_for_each_old_article_once(made: Path) -> None:
    """At night, in order, and for more than a tenth of all requests."""
    lines = [line for line in made.read_text().splitlines() if "ExampleBot" in line]
    asked = [int(re.findall(r"/articles/(\d+) ", line)[0]) for line in lines]
    assert asked == sorted(set(asked))
    assert len(asked) > 2_000
    assert {re.findall(r"2025:(\d\d):", line)[0] for line in lines} == {"02", "03"}
    assert Counter(articles(lab.read_access_log(made).keys))[7] == 1


def test_the_hot_set_of_a_made_log_moves_every_day(made: Path) -> None:
    """The article that is read most is a newer one on each of the three days."""
    trace = lab.read_access_log(made)
    assert trace.times_s is not None
    days: list[list[str]] = [[], [], []]
    for key, time in zip(trace.keys, trace.times_s, strict=True):
        days[int(time / 86_400)].append(key)
    assert [Counter(articles(keys)).most_common(1)[0][0] for keys in days] == [4_200, 4_210, 4_220]


def test_a_page_of_a_made_log_has_one_size(made: Path) -> None:
    """Whenever it is sent as a whole."""
    trace = lab.read_access_log(made)
    assert trace.sizes is not None
    sizes: dict[str, set[int]] = {}
    for key, size in zip(trace.keys, trace.sizes, strict=True):
        if size:
            sizes.setdefault(key, set()).add(size)
    assert {len(of_one) for of_one in sizes.values()} == {1}


def test_a_log_of_a_few_lines_is_refused(tmp_path: Path) -> None:
    """Before the file is touched."""
    path = tmp_path / "x.log"
    with pytest.raises(ValueError, match="A log of three days needs at least 1,000 lines, not 999"):
        lab.make_access_log(path, 999)
    assert not path.exists()


# The bar


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What the bar takes for the time: the only element of this list."""
    time = [0.0]
    monkeypatch.setattr(bar, "monotonic", lambda: time[0])
    return time


class Terminal(io.StringIO):
    """A standard error that somebody reads."""

    def isatty(self) -> bool:
        return True


def work(clock: list[float], seconds: float) -> None:
    """So many seconds of work in steps of an eighth."""
    steps = round(8 * seconds)
    with bar.progress("Reading x", steps) as done:
        for step in range(steps):
            clock[0] += 0.125
            done(step)


@pytest.mark.parametrize(("seconds", "first"), [(0.875, None), (4.0, "\r\x1b[KReading x: 21%")])
def test_the_bar_shows_after_a_second(
    seconds: float, first: str | None, clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Shorter work shows nothing; longer work ends with an empty line."""
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    work(clock, seconds)
    assert terminal.getvalue().startswith(first or "")
    assert terminal.getvalue().endswith("%\r\x1b[K" if first else "")
    assert (terminal.getvalue() == "") == (first is None)


def test_the_bar_is_wiped_when_the_work_fails(clock: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the error stands alone."""
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)

    def interrupted() -> None:
        with bar.progress("Reading x", 10) as done:
            clock[0] = 2.0
            done(5)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert terminal.getvalue() == "\r\x1b[KReading x: 50%\r\x1b[K"


def test_no_terminal_no_bar(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    """A log file of a program has no use for it."""
    work(clock, 5.0)
    assert capsys.readouterr() == ("", "")


def test_another_thread_has_no_bar(clock: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    """Two bars at once would overwrite each other."""
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    thread = Thread(target=work, args=(clock, 5.0))
    thread.start()
    thread.join()
    assert (clock[0] > 4.9, terminal.getvalue()) == (True, "")


READ = """
from pathlib import Path
from tempfile import TemporaryDirectory
from cachelab import lab
from cachelab.lab import progress_bar
progress_bar.AFTER_S = progress_bar.EVERY_S = {wait}
print("before")
with TemporaryDirectory() as folder:
    trace = lab.read_access_log(lab.make_access_log(Path(folder) / "x.log", {lines}))
print("after")
"""


def outputs(source: str, *, somebody_there: bool) -> list[NotebookNode]:
    """What a notebook with this cell holds after it ran, before somebody who could answer `input()`, or nobody."""
    notebook = new_notebook(cells=[new_code_cell(source)])
    quiet = ["--IPKernelApp.log_level=ERROR"]  # a kernel on 127.0.0.1 warns about plain TCP at every start
    client = NotebookClient(notebook, kernel_name="python3", timeout=120, extra_arguments=quiet)
    with client.setup_kernel():
        assert client.kc is not None
        client.kc.allow_stdin = somebody_there
        client.execute_cell(notebook.cells[0], 0)
    found: list[NotebookNode] = notebook.cells[0].outputs
    return found


def test_a_stored_notebook_holds_no_bar() -> None:
    """Where nobody sits before it the bar never shows, not even on a machine on which everything takes long."""
    stored = outputs(READ.format(wait=0.0, lines=10_000), somebody_there=False)
    assert "".join(output.text for output in stored) == "before\nafter\n"


def test_in_a_notebook_the_bar_is_replaced_by_nothing() -> None:
    """Somebody who waits sees it; after it an output without contents is left, which shows nothing."""
    before, left, after = outputs(READ.format(wait=0.0, lines=10_000), somebody_there=True)
    assert (before.text, after.text) == ("before\n", "after\n")
    assert (left.output_type, left.data, left.metadata) == ("display_data", {}, {})


@pytest.mark.long
def test_a_million_lines_leave_no_bar_in_a_stored_notebook() -> None:
    """With the bar as it is: the work takes longer than its second."""
    stored = outputs(READ.format(wait=1.0, lines=1_000_000), somebody_there=False)
    assert "".join(output.text for output in stored) == "before\nafter\n"
