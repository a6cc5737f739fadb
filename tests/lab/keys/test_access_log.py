"""Traces read from a web server's access log."""

import pytest

from cachelab import lab
from tests.support.key_files import Write, log


def test_an_access_log_is_read_in_both_formats(write: Write) -> None:
    """The keys are paths, the times are seconds from the first request in any time zone, the sizes are bytes sent."""
    path = write(
        '192.0.2.7 - - [31/Oct/2000:23:59:59 -0700] "GET /a HTTP/1.0" 200 2326\n'
        '192.0.2.7 - frank smith [01/Nov/2000:08:00:00 +0100] "GET /b HTTP/1.1" 200 5 "http://x/" "Agent \\"7\\" [x]"\n'
        '2001:db8::7 id - [01/Nov/2000:12:44:59 +0545] "GET /a HTTP/1.1" 304 - "-" "-"\n'
    )
    assert lab.read_access_log(path) == lab.KeyTrace(["/a", "/b", "/a"], [0.0, 1.0, 0.0], [2326, 5, 0])


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "get"])
@pytest.mark.parametrize("status", [200, 206, 304, 301, 404, 500])
def test_a_request_that_would_not_reach_a_cache_is_left_out(method: str, status: int, write: Write) -> None:
    """GET and HEAD with the page for an answer are requests. All others are left out, and are not malformed."""
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
def test_the_query_string_is_part_of_the_key_only_on_demand(
    request_line: str, path: str, full: str, write: Write
) -> None:
    """Without `query=True`, pages that differ only in their query string are one key."""
    file = write(log(f'"{request_line}" 200 5'))
    assert [lab.read_access_log(file).keys, lab.read_access_log(file, query=True).keys] == [[path], [full]]


@pytest.mark.parametrize("request_line", ["-", "", "GET", "GET  HTTP/1.1", r"\x16\x03\x01", "GET ?x=1 HTTP/1.1"])
def test_a_line_without_a_proper_request_is_left_out(request_line: str, write: Write) -> None:
    """The line is well formed: a client sent something that is no request, and the server logged it."""
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
def test_a_line_with_a_wrong_time_is_malformed(when: str, write: Write) -> None:
    """The line is counted, kept and skipped."""
    line = log('"GET /b HTTP/1.1" 200 5', when=when)
    trace = lab.read_access_log(write(log('"GET /a HTTP/1.1" 200 5') + line))
    assert trace.examples == (lab.Malformed(2, line[:-1], "its time is not like [10/Oct/2000:13:55:36 -0700]"),)


def test_a_leap_second_is_read(write: Write) -> None:
    """Second 60 comes one second after second 59."""
    lines = [log('"GET /a HTTP/1.1" 200 5', when=f"31/Dec/2016:23:59:{second} +0000") for second in (59, 60)]
    assert lab.read_access_log(write("".join(lines))).times_s == [0.0, 1.0]


@pytest.mark.parametrize(
    "line",
    ["key,time", "192.0.2.7 - - [10/Oct", log('"GET /b HTTP/1.1 200 5')[:-1], log('"GET /b HTTP/1.1" ok 5')[:-1]],
)
def test_a_line_in_another_format_is_malformed(line: str, write: Write) -> None:
    """The line is counted, kept and skipped."""
    trace = lab.read_access_log(write(log('"GET /a HTTP/1.1" 200 5') + line))
    assert trace.examples == (lab.Malformed(2, line, "not in the Common or the Combined Log Format"),)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("", "x.log is empty: an access log has lines like"),
        ("key,n\na,1\n", r"No line of x.log can be read: line 1 is 'key,n' \(not in .*\): .*CSV file .*lab.read_trace"),
        (
            log('"POST /a HTTP/1.1" 200 5') + "x",
            "x.log has no request .* Lines with other methods or statuses: 1, malformed: 1",
        ),
    ],
    ids=["empty", "CSV", "left out"],
)
def test_a_file_that_is_no_access_log_is_refused(content: str, sentence: str, write: Write) -> None:
    """The error says what the file looks like and what to do."""
    with pytest.raises(ValueError, match=sentence):
        lab.read_access_log(write(content, "x.log"))


@pytest.mark.parametrize(
    "line", ["[" * 250_000, "a " * 125_000, "a [" * 83_000, 'a [] "' + r"\a" * 120_000, "a " + "[] " * 83_000]
)
def test_a_line_is_matched_in_linear_time(line: str, write: Write) -> None:
    """The pattern never backtracks: with backtracking these lines would run into the time-out of the tests."""
    assert lab.read_access_log(write(log('"GET /a HTTP/1.1" 200 5') + 20 * f"{line}\n")).malformed == 20
