"""Traces read from a web server's access log."""

from collections.abc import Callable

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


AT = "[10/Oct/2000:13:55:36 -0700]"


@pytest.mark.parametrize(
    ("line", "key"),
    [
        (f'192.0.2.7 - - {AT} "GET /a HTTP/1.1" 200 2326', "/a"),
        (f'192.0.2.7 - frank {AT} "GET /a HTTP/1.0" 200 2326 "http://www.example.com/start.html" "Mozilla/4.08"', "/a"),
        (f'192.0.2.7 - - {AT} "GET /a HTTP/2.0" 200 2326 "-" "curl/8.5.0" "203.0.113.9"', "/a"),
        (f'192.0.2.7 - - {AT} "GET /a HTTP/1.1" 200 2326 "-" "-" 1 "site@docker" "http://10.0.0.3:80" 3ms', "/a"),
        (f'192.0.2.7 - - {AT} "GET http://www.example.com/a HTTP/1.1" 200 23 "-" "curl/8"', "http://www.example.com/a"),
        (f'Oct 10 13:55:36 web1 nginx: 192.0.2.7 - - {AT} "GET /a HTTP/1.1" 200 2326 "-" "curl/8"', "/a"),
        (f'web_1  | 192.0.2.7 - - {AT} "GET /a HTTP/1.1" 200 2326 "-" "[FBAN/FBIOS] \\"x\\" [y]"', "/a"),
        (f'192.0.2.7 198.51.100.4 - - {AT} "GET /a HTTP/1.1" 200 2326', "/a"),
        (f'2001:db8::7 - frank smith {AT} "GET /a HTTP/1.1" 200 2326', "/a"),
    ],
    ids=["common", "combined", "nginx's main", "Traefik", "varnishncsa", "syslog", "compose", "two clients", "IPv6"],
)
def test_the_key_of_a_log_without_virtual_hosts_is_the_path(line: str, key: str, write: Write) -> None:
    """What else is in front of the client's address or behind the size does not matter."""
    trace = lab.read_access_log(write(f"{line}\n"))
    assert (trace.keys, trace.malformed) == ([key], 0)


@pytest.mark.parametrize(
    ("before", "host"),
    [
        ("www.example.com:443 192.0.2.7 - -", "www.example.com:443"),
        ("www.example.com:80 192.0.2.7 - frank smith", "www.example.com:80"),
        ("www.example.com 192.0.2.7 - -", "www.example.com"),
        ("www.example.com 2001:db8::7 - -", "www.example.com"),
        ("9gag.com 192.0.2.7 - -", "9gag.com"),
        ("127.0.1.1:80 192.0.2.7 - -", "127.0.1.1:80"),
        ("[2001:db8::1]:443 2001:db8::7 - -", "[2001:db8::1]:443"),
        ("www.example.com:443 client.example.net - -", "www.example.com:443"),
        ("Oct 10 13:55:36 web1 apache2: www.example.com:443 192.0.2.7 - -", "www.example.com:443"),
    ],
)
def test_the_virtual_host_is_part_of_the_key(before: str, host: str, write: Write) -> None:
    """Pages of different sites are different, also in a log with lines of both kinds."""
    lines = f'{before} {AT} "GET /a?x=1 HTTP/1.1" 200 5 "-" "-"\n192.0.2.7 - - {AT} "GET /a HTTP/1.1" 200 5\n'
    trace = lab.read_access_log(write(lines))
    assert (trace.keys, trace.malformed) == ([f"{host}/a", "/a"], 0)


RECORD = f'192.0.2.7 - - {AT} "GET /a HTTP/1.1" 200 2326 "http://x/" "Mozilla/5.0"'
VHOST = f"www.example.com:443 {RECORD}"


@pytest.mark.parametrize(
    "record",
    [RECORD, VHOST, RECORD.replace("- - [", "- frank ["), RECORD.replace("192.0.2.7", "192.0.2.7 2001:db8::7", 1)],
    ids=["combined", "virtual host", "user", "two clients"],
)
def test_a_torn_record_is_never_taken_for_part_of_the_next(record: str, write: Write) -> None:
    """Wherever a writer was stopped, the line with two records is malformed, and not one request.

    Of a record that was torn within the client's address nothing is left to tell it by.
    """
    for cut in range(record.index("192.0.2.7 ") + 11, len(record)):
        trace = lab.read_access_log(write(f"{record}\n{record[:cut]}{record}\n"))
        assert (len(trace), trace.malformed) == (1, 1), record[:cut]


def test_two_records_in_one_line_have_a_reason(write: Write) -> None:
    """The line is kept as an example."""
    trace = lab.read_access_log(write(f"{RECORD}\n{RECORD} {RECORD}\n"))
    assert trace.examples == (lab.Malformed(2, f"{RECORD} {RECORD}"[:200], "two records in one line"),)


HAPROXY = (
    "Feb  6 12:14:14 localhost haproxy[14389]: 10.0.1.2:33317 [06/Feb/2009:12:14:14.655] http-in static/srv1 "
    '10/0/30/69/109 200 2750 - - ---- 1/1/1/1/0 0/0 {1wt.eu} {} "GET /index.html HTTP/1.1"\n'
)
ALB = (
    "http 2018-07-02T22:23:00.186641Z app/my-loadbalancer/50dc6c495c0c9188 192.168.131.39:2817 10.0.0.1:80 0.000 0.001 "
    '0.000 200 200 34 366 "GET http://www.example.com:80/ HTTP/1.1" "curl/7.46.0" - -\n'
)
ENVOY = '[2016-04-15T20:17:00.310Z] "GET /api/v1/locations HTTP/2" 200 - 154 0 226 100 "10.0.35.28" "curl"\n'
MONITOR = '1339518083.107412 [0 127.0.0.1:60866] "GET" "user:42"\n1339518087.8 [0 127.0.0.1:60866] "SET" "x" "y"\n'
POSTGRES = "2024-05-01 10:00:00.123 UTC [4242] app@shop LOG:  execute get_user: SELECT * FROM users WHERE id = 42\n"


def quoted_path(line: str) -> str:
    """The path of the request in the first quotes of a line."""
    return line.split('"')[1].split()[1]


@pytest.mark.parametrize(
    ("content", "key", "found"),
    [
        (HAPROXY, quoted_path, "/index.html"),
        (ALB, quoted_path, "http://www.example.com:80/"),
        (ENVOY, quoted_path, "/api/v1/locations"),
        (MONITOR, lambda line: line.split('"')[3] if line.split('"')[1] == "GET" else None, "user:42"),
        (POSTGRES, lambda line: line.partition("WHERE ")[2] or None, "id = 42"),
    ],
    ids=["HAProxy", "AWS load balancer", "Envoy", "Redis MONITOR", "Postgres"],
)
def test_any_other_format_is_read_with_a_function(
    content: str, key: Callable[[str], str | None], found: str, write: Write
) -> None:
    """Without one, the error says so. With one, a line for which it returns None is left out."""
    path = write(content, "x.log")
    with pytest.raises(ValueError, match="for another format pass key=, a function that finds the key in a line"):
        lab.read_access_log(path)
    trace = lab.read_access_log(path, key=key)
    assert trace == lab.KeyTrace([found], left_out=content.count("\n") - 1)


def test_a_line_in_which_the_function_finds_nothing_is_malformed(write: Write) -> None:
    """What it raises for a line of another form is the reason. A mistake in its own code reaches the caller."""
    trace = lab.read_access_log(write(f"{ENVOY}x\n"), key=quoted_path)
    assert trace.examples == (lab.Malformed(2, "x", "key= raised IndexError: list index out of range"),)
    with pytest.raises(ZeroDivisionError):
        lab.read_access_log(write(ENVOY), key=lambda line: str(1 // 0))
    with pytest.raises(
        ValueError, match=r"x.log has no key: key= returned None for all lines that can be read: 1, mal"
    ):
        lab.read_access_log(write(ENVOY, "x.log"), key=lambda line: None)


def test_json_lines_are_refused(write: Write) -> None:
    """The error says which function reads them. One such line among others is malformed."""
    line = '{"level":"info","request":{"uri":"/"}}\n'
    with pytest.raises(ValueError, match=r'JSON lines are read with lab.read_trace, .* key="request.uri", and'):
        lab.read_access_log(write(line))
    trace = lab.read_access_log(write(f"{line}{RECORD}\n"))
    assert (trace.keys, trace.malformed) == (["/a"], 1)
