"""Traces read from a CSV file."""

import re
from typing import Any, cast

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
    """It may have commas, quotes, letters of any language, and bytes that are not UTF-8."""
    content = b'key\n"a,""b"""\n\xc3\xa9\n\xff\n42\n'
    assert lab.read_trace(write(content)).keys == ['a,"b"', "é", "\udcff", "42"]


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
        ("a;b\n1;2\n", r"no column 'key', only a, b: does its first line name the columns\? If not, .* with names="),
        ("a\tb\n1\t2\n", r"no column 'key', only a, b: does its first line name the columns\? If not,"),
        ("x,y\n1,2\n", r"no column 'key', only x, y: does its first line name the columns\? If not,"),
        ("key,n,key\na,1,b\n", "has more than one column 'key': give each a name of its own"),
        (",".join("abcdefghijklmnopqrstuvwxyz"), r"only a, b, .*, t, …: does"),
        ("", "trace.csv is empty: a CSV file begins with the names of its columns"),
        ("sep=;\n", "trace.csv is empty: a CSV file begins with the names of its columns"),
        ("key,n\n", "trace.csv has only names of columns, key, n, and no line below them"),
        ("key", "trace.csv has only names of columns, key, and no line below them"),
        ("\nkey\na\n", r"does not begin with the names of columns, but with '' \(empty\): unpack it, or export it"),
        (b"k\0e\0y\0\n\0", r"does not begin with the names of columns, but with 'k\\x00e\\x00y\\x00' \(has a NUL\)"),
        (
            b"\x89PNG\x03\x04\x14",
            r"not begin with the names of columns, but with '\\udc89PNG\\x03\\x04\\x14' \(not a text\): unpack it",
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
        lab.read_trace(write("key,used\na,1\n"), **cast(Any, {column: "user"}))


@pytest.mark.parametrize(
    "content",
    [
        "time, key\n1, a\n2, b\n",
        "key ; time\na ; 1\nb ; 2\n",
        "key;time\na;1\nb;2\n",
        "key\ttime\na\t1\nb\t2\n",
        'time|key\n1|a\n2|"b"\n',
        "sep=;\nkey;time\na;1\nb;2\n",
        '"sep=;"\r\nkey;time\r\na;1\r\nb;2\r\n',
        "sep=\t\nkey\ttime\na\t1\nb\t2\n",
        "sep=,\nkey,time\na,1\nb,2\n",
        'time, "key"\n1, "a"\n2, b\n',
    ],
    ids=[
        "spaces",
        "spaces too",
        "semicolons",
        "tabs",
        "bars",
        "Excel",
        "Excel's quotes",
        "Excel's tab",
        "comma",
        "quotes",
    ],
)
def test_columns_may_be_separated_in_many_ways(content: str, write: Write) -> None:
    """The names of the columns show how. Spaces around the names are no part of the fields either."""
    trace = lab.read_trace(write(content), time="time")
    assert (trace.keys, trace.times_s, trace.malformed) == (["a", "b"], [0.0, 1.0], 0)


def test_spaces_are_part_of_a_key_if_there_are_none_around_the_names(write: Write) -> None:
    """Different keys stay different."""
    assert lab.read_trace(write("key,n\n a,1\na,1\na ,1\n")).keys == [" a", "a", "a "]


CACHEBENCH = """key,op,size,op_count,key_size
1668674429,GET,82,2,45
1668674429,SET,82,1,45
3085863428,GET_LEASE,1104,1,36
1668674429,GET,82,0,45
1668674429,DELETE,0,1,45
"""


def test_a_trace_of_cachebench_is_read(write: Write) -> None:
    """Of its lines only some are reads, and a line may stand for several."""
    path = write(CACHEBENCH)
    trace = lab.read_trace(path, size="size", only={"op": ["GET", "GET_LEASE"]}, count="op_count")
    assert (trace.keys, trace.sizes) == (["1668674429", "1668674429", "3085863428"], [82, 82, 1104])
    assert (trace.left_out, trace.malformed) == (3, 0)
    assert len(lab.read_trace(path, only={"op": "GET"}, count="op_count")) == 2


TWEMCACHE = """0,q:q:1:8WTfjZU14ee,17,213,4,get,0
0,yDqF:3q:1AJrrJ1nnCJKKrnGx1A,27,27,5,get,0
1,q:q:1:8WTfjZU14ee,17,213,8,set,3600
2,q:q:1:8WTfjZU14ee,17,213,8,gets,0
"""
TWEMCACHE_NAMES = ["time", "key", "key size", "value size", "client", "operation", "TTL"]


def test_a_trace_of_twemcache_is_read(write: Write) -> None:
    """It has no line with the names of the columns."""
    only = {"operation": {"get", "gets"}}
    trace = lab.read_trace(write(TWEMCACHE), time="time", size="value size", names=TWEMCACHE_NAMES, only=only)
    assert trace == lab.KeyTrace(
        ["q:q:1:8WTfjZU14ee", "yDqF:3q:1AJrrJ1nnCJKKrnGx1A", "q:q:1:8WTfjZU14ee"],
        [0.0, 0.0, 2.0],
        [213, 27, 213],
        left_out=1,
    )


@pytest.mark.parametrize(
    ("content", "names", "words"),
    [
        (CACHEBENCH, None, r"""has a column 'op', so its lines may be writes: .* only=\{"op": "GET"\}"""),
        (CACHEBENCH, None, "has a column 'op_count', so its lines may stand for several requests: pass count="),
        (TWEMCACHE, TWEMCACHE_NAMES, "has a column 'operation', so its lines may be writes"),
        ('{"key": "a", "request": {"method": "PUT"}}', None, "has a column 'request.method', so its lines may be"),
    ],
)
def test_columns_that_are_not_asked_for_get_a_warning(
    content: str, names: list[str] | None, words: str, write: Write
) -> None:
    """Each line is read as a request, but the reader is told that it may be none."""
    with pytest.warns(UserWarning, match="so its lines may") as caught:
        trace = lab.read_trace(write(content), names=names)
    assert any(re.search(words, str(warning.message)) for warning in caught)
    assert {warning.filename for warning in caught} == {__file__}
    assert len(trace) == content.count("\n") - (names is None) or content.startswith("{")


def test_who_says_which_lines_are_read_gets_no_warning(write: Write) -> None:
    """A column that is mentioned is no surprise, and a function may look at it itself."""
    lab.read_trace(write(CACHEBENCH), only={"op": "GET"}, count="op_count")
    lab.read_trace(write(CACHEBENCH), key=lambda fields: fields["key"])


def test_counts_are_whole_numbers_and_bounded(write: Write) -> None:
    """A line with another count is malformed. A file that would fill the memory is refused."""
    trace = lab.read_trace(write("key,n\na,1\nb,-1\nc,x\n"), count="n")
    assert (trace.keys, [example.reason for example in trace.examples]) == (
        ["a"],
        2 * ["its count is not a whole number"],
    )
    with pytest.raises(
        ValueError, match=r"The counts of trace.csv add over 20,000,000 requests to its lines: read a part"
    ):
        lab.read_trace(write("key,n\na,1\nb,9999999999\n"), count="n")


@pytest.mark.parametrize(
    ("content", "options", "sentence"),
    [
        (
            CACHEBENCH,
            {"only": {"op": "get"}},
            "all lines .* left out; they have op = 'GET', op = 'SET', .* out: 5, mal",
        ),
        (CACHEBENCH, {"only": {"ops": "GET"}}, r"no column 'ops', only key, op, .*: did you mean 'op'\?"),
        (CACHEBENCH, {"count": "n"}, "no column 'n', only key, op"),
        (TWEMCACHE, {"names": ["time", "key"]}, r"line 1 is '0,q:.* \(fields: 7 where names= has 2\)"),
        (TWEMCACHE, {"names": "key"}, "names= has to be a list of texts"),
        ("key,n\na,1\n", {"names": ["key", "n"]}, "The first line of trace.csv names the columns: leave names= out"),
        ("", {"names": ["key", "n"]}, "trace.csv is empty"),
        ("key,n\na,1\n", {"key": lambda fields: fields["user"]}, r"line 2 is 'a,1' \(key= raised KeyError: 'user'\)"),
        ("key,n\na,1\n", {"key": lambda fields: 42}, r"\(key= returned int, and not a text or None\)"),
        ("key,n\na,1\n", {"key": lambda fields: None}, "has no request: all lines that can be read are left out. L"),
    ],
    ids=["value", "only", "count", "too few names", "one name", "names twice", "nothing", "KeyError", "int", "None"],
)
def test_a_request_that_the_file_does_not_answer_is_refused(
    content: str, options: dict[str, Any], sentence: str, write: Write
) -> None:
    """The sentence says what the file has."""
    with pytest.raises(ValueError, match=sentence):
        lab.read_trace(write(content), **options)


def test_the_key_may_be_found_by_a_function(write: Write) -> None:
    """It is given the fields of the line. With None the line is left out."""
    path = write("host,path,n\nx,/a,1\ny,/a,2\nx,/b,3\n")
    trace = lab.read_trace(
        path, lambda fields: fields["host"] + fields["path"] if fields["n"] != "3" else None, size="n"
    )
    assert (trace.keys, trace.sizes, trace.left_out) == (["x/a", "y/a"], [1, 2], 1)


def test_the_names_of_the_columns_are_no_request(write: Write) -> None:
    """They come again where files were put one after the other."""
    trace = lab.read_trace(write("key,n\na,1\nkey,n\nb,1\n"))
    assert (trace.keys, trace.examples) == (["a", "b"], (lab.Malformed(3, "key,n", "names the columns again"),))


def test_two_records_in_one_line_are_malformed(write: Write) -> None:
    """As a writer leaves them that was stopped in the middle of a line."""
    assert lab.read_trace(write("key,n\na,1\nb,2c,3\nd,4\n")).malformed == 1


CADDY = """\
{"level":"info","ts":1585597114.5,"logger":"http.log.access","msg":"handled request","request":{"method":"GET",\
"host":"example.com","uri":"/a?x=1","headers":{"User-Agent":["curl/7.64.1"]}},"duration":0.001,"size":2326,"status":200}
{"level":"info","ts":1585597115.5,"logger":"tls","msg":"certificate obtained"}
{"level":"info","ts":1585597116.5,"logger":"http.log.access","msg":"handled request","request":{"method":"POST",\
"host":"example.com","uri":"/a","headers":{}},"duration":0.001,"size":5,"status":200}
{"level":"info","ts":1585597117.0,"logger":"http.log.access","msg":"handled request","request":{"method":"HEAD",\
"host":"example.org","uri":"/a?x=1","headers":{}},"duration":0.001,"size":0,"status":304}
"""
NGINX = """\
{"time":"2000-10-10T13:55:36+00:00","host":"example.com","uri":"/a","status":200,"bytes":"2326","method":"GET"}
{"time":"2000-10-10T13:55:37+00:00","host":"example.com","uri":"/b","status":404,"bytes":"5","method":"GET"}
{"time":"2000-10-10T13:55:38+00:00","host":"example.com","uri":"/a","status":304,"bytes":"0","method":"GET"}
"""


def test_the_log_of_caddy_is_read(write: Write) -> None:
    """A field of a field is named with a dot. A line that is no request, or a write, is left out."""
    only = {"request.method": ["GET", "HEAD"], "status": [200, 206, 304]}
    trace = lab.read_trace(write(CADDY, "access.log"), "request.uri", time="ts", size="size", only=only)
    assert trace == lab.KeyTrace(["/a?x=1", "/a?x=1"], [0.0, 2.5], [2326, 0], left_out=2)


def test_json_lines_of_nginx_are_read(write: Write) -> None:
    """Its formats are the user's own. The times may be dates, and the sizes texts."""
    only = {"method": "GET", "status": {200, 304}}
    trace = lab.read_trace(write(NGINX), "uri", time="time", size="bytes", only=only)
    assert trace == lab.KeyTrace(["/a", "/a"], [0.0, 2.0], [2326, 0], left_out=1)


def test_a_function_of_the_fields_of_json_finds_the_key(write: Write) -> None:
    """It is given the object, in which numbers are numbers."""
    trace = lab.read_trace(
        write(NGINX), lambda fields: fields["host"] + fields["uri"] if fields["status"] < 400 else None
    )
    assert (trace.keys, trace.left_out) == (["example.com/a", "example.com/a"], 1)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("", "empty"),
        ("not an object", "not JSON"),
        ('{"key": "b"', "not JSON"),
        ('{"key": "b"}{"key": "c"}', "not JSON"),
        ('["b"]', "not a JSON object"),
        ("[" * 100_000, "not JSON"),
        ('{"uri": "b"}', "has no field 'key'"),
        ('{"key": null}', "has no field 'key'"),
        ('{"key": ["b"]}', "its field 'key' is neither a text nor a number"),
        ('{"key": ""}', "its key is empty"),
    ],
    ids=lambda text: text[:20],
)
def test_a_malformed_line_of_json_is_counted_kept_and_skipped(line: str, reason: str, write: Write) -> None:
    """The lines before and after it are read. A number is read as it is written, a field with a dot in its name too."""
    trace = lab.read_trace(write(f'{{"key": "a"}}\n{line}\n{{"key": 1.50}}\n'))
    assert (trace.keys, trace.examples) == (["a", "1.50"], (lab.Malformed(2, line[:200], reason),))
    assert lab.read_trace(write('{"a.b": "c"}'), "a.b").keys == ["c"]


def test_json_without_the_field_is_refused(write: Write) -> None:
    """The sentence names the fields of the first line."""
    with pytest.raises(
        ValueError, match=r"line 1 is .* \(has no field 'key'\): .* those of the first line are x, y.z\."
    ):
        lab.read_trace(write('{"x": 1, "y": {"z": 2}}\n'))
    with pytest.raises(ValueError, match=r"line 1 is '\{' \(not JSON\): each line needs a JSON object of its own with"):
        lab.read_trace(write('{\n  "key": "a"\n}\n'))
