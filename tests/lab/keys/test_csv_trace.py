"""Traces read from a CSV file."""

import pytest

from cachelab import lab
from tests.support.key_files import TABLE, Write


def test_a_csv_file_is_read_by_the_names_of_its_columns(write: Write) -> None:
    """Keys are texts, times count from the first request in the file, and sizes are bytes."""
    trace = lab.read_trace(write(TABLE), "user", time="when", size="bytes")
    assert trace == lab.KeyTrace(["ann", "bob", "ann"], [0.0, -1.0, 1.5], [10, 0, 30])


def test_time_and_size_may_be_left_out(write: Write) -> None:
    """Without their columns a trace has no times and no sizes."""
    assert lab.read_trace(write(TABLE), "user") == lab.KeyTrace(["ann", "bob", "ann"])


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
    """The file may be as spreadsheets and databases export it."""
    trace = lab.read_trace(write(content))
    assert (trace.keys, trace.malformed) == (["a", "b"], 0)


def test_a_key_may_be_any_text(write: Write) -> None:
    """It may have commas, quotes, and letters of any language. Bytes that are not UTF-8 are replaced."""
    content = b'key\n"a,""b"""\n\xc3\xa9\n\xff\n42\n'
    assert lab.read_trace(write(content)).keys == ['a,"b"', "é", "\ufffd", "42"]


def test_a_time_may_be_a_date(write: Write) -> None:
    """A date is read as in ISO 8601, and as UTC if it names no time zone."""
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
        ('"b,1,2', "a quote is not closed, or a field goes on after its closing quote"),
        ('"b"b,1,2', "a quote is not closed, or a field goes on after its closing quote"),
        ("b,late,2", "its time is neither a number of seconds nor a date like 2000-10-10T13:55:36Z"),
        ("b,nan,2", "its time is too large, or not a number"),
        ("b,-1e999,2", "its time is too large, or not a number"),
        ("b,1,2.5", "its size is not a whole number of bytes"),
        ("b,1,-2", "its size is not a whole number of bytes"),
        ("b,1," + "9" * 5_000, "its size is not a whole number of bytes"),
        ('"' + "b" * 200_000 + '",1,2', "a quote is not closed, or a field goes on after its closing quote"),
        ("b" * 300_000 + ",1,2", "too long"),
        ("é" * 3_000_000 + ",1,2", "too long"),
    ],
    ids=lambda text: text[:20],
)
def test_a_malformed_line_is_counted_kept_and_skipped(line: str, reason: str, write: Write) -> None:
    """The lines before and after it are read. Of a long line only the beginning is kept."""
    trace = lab.read_trace(write(f"key,time,size\na,0,5\n{line}\na,1,5\n"), time="time", size="size")
    assert (trace.keys, trace.times_s, trace.sizes) == (["a", "a"], [0.0, 1.0], [5, 5])
    assert (trace.malformed, trace.examples) == (1, (lab.Malformed(3, line[:200], reason),))


def test_a_quote_that_is_not_closed_affects_one_line(write: Write) -> None:
    """A record is one line, so the line after it is read as usual."""
    trace = lab.read_trace(write("key\n" + 1_000 * '"a\nb\n'))
    assert (trace.keys, trace.malformed) == (1_000 * ["b"], 1_000)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("kye,size\na,1\n", r"trace.csv has no column 'key', only kye, size: did you mean 'kye'\?"),
        ("a;b\n1;2\n", r"no column 'key', only a;b: are its columns separated by something other than commas\?"),
        ("a\tb\n1\t2\n", r"no column 'key', only a\\tb: are its columns separated by something other than commas\?"),
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
            r"not begin with the names of columns, but with 'PK\\x03\\x04\\x14' \(not a text\): unpack it",
        ),
        (
            '"key\na\n',
            r"""but with '"key' \(a quote is not closed, or a field goes on after its closing quote\): unp""",
        ),
        (b"\x1f\x8bnonsense", r"but with '' \(the gzip file is cut off or damaged here\)"),
        ("key,n\na\nb\n", r"No line of trace.csv can be read: line 2 is 'a' \(fields: 1 where the first line has 2\)"),
        (
            '192.0.2.7 - - [10/Oct/2000:13:55:36 -0700] "GET / HTTP/1.1" 200 5\n',
            "trace.csv looks like the access log of a web server: read it with lab.read_access_log",
        ),
    ],
    ids=lambda content: repr(content)[:24],
)
def test_a_file_that_is_no_such_csv_file_is_refused(content: bytes | str, sentence: str, write: Write) -> None:
    """The error says in a sentence what the file looks like and what to do."""
    with pytest.raises(ValueError, match=sentence):
        lab.read_trace(write(content))


@pytest.mark.parametrize("column", ["time", "size"])
def test_every_named_column_has_to_exist(column: str, write: Write) -> None:
    """The columns with the time and the size have to exist as well as that with the key."""
    with pytest.raises(ValueError, match=r"no column 'user', only key, used: did you mean 'used'\?"):
        lab.read_trace(write("key,used\na,1\n"), **{column: "user"})
