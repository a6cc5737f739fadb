"""Traces read from a log that names its fields, as IIS and CloudFront write it."""

import pytest

from cachelab import lab
from tests.support.key_files import Write

IIS = """\
#Software: Microsoft Internet Information Services 10.0
#Version: 1.0
#Date: 2024-03-01 00:00:03
#Fields: date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) sc-status time-taken
2024-03-01 00:00:03 10.0.0.4 GET /a x=1 443 - 192.0.2.7 Mozilla/5.0+(Windows+NT+10.0) 200 15
2024-03-01 00:00:04 10.0.0.4 POST /a - 443 - 192.0.2.7 Mozilla/5.0 200 15
2024-03-01 00:00:05 10.0.0.4 GET /a - 443 - 192.0.2.7 Mozilla/5.0 304 15
2024-03-01 00:00:06 10.0.0.4 GET /b - 443 - 192.0.2.7 Mozilla/5.0 404 15
2024-03-01 00:00:07 10.0.0.4 GE
"""
FIELDS = "date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status cs-uri-query x-host-header"
CLOUDFRONT = f"""\
#Version: 1.0
#Fields: {FIELDS}
2019-12-04\t21:02:31\tLAX1\t392\t192.0.2.100\tGET\td111.cloudfront.net\t/a\t200\t-\twww.example.com
2019-12-04\t21:02:33\tLAX1\t392\t192.0.2.100\tGET\td111.cloudfront.net\t/a\t200\tx=1\timg.example.com
2019-12-04\t21:02:32\tLAX1\t0\t192.0.2.100\tGET\td111.cloudfront.net\t/a\t000\t-\twww.example.com
"""


def test_the_log_of_iis_is_read(write: Write) -> None:
    """By its field names. It has no sizes and no host by default. What is no request is left out or malformed."""
    trace = lab.read_access_log(write(IIS))
    assert (trace.keys, trace.times_s, trace.sizes, trace.left_out) == (["/a", "/a"], [0.0, 2.0], None, 2)
    reason = "fields: 4 where #Fields: has 12"
    assert trace.examples == (lab.Malformed(9, "2024-03-01 00:00:07 10.0.0.4 GE", reason),)
    assert lab.read_access_log(write(IIS), query=True).keys == ["/a?x=1", "/a"]


def test_the_log_of_cloudfront_is_read(write: Write) -> None:
    """The host that the client asked for is part of the key, and not that of the distribution."""
    trace = lab.read_access_log(write(CLOUDFRONT))
    assert trace == lab.KeyTrace(["www.example.com/a", "img.example.com/a"], [0.0, 2.0], [392, 392], left_out=1)
    assert lab.read_access_log(write(CLOUDFRONT), query=True).keys[1] == "img.example.com/a?x=1"


def test_the_fields_may_change_within_the_file(write: Write) -> None:
    """As after a restart. A trace has sizes only if all of its lines have them."""
    fields = "#Fields: time date cs-uri-stem cs-method sc-status sc-bytes cs-host\n"
    trace = lab.read_access_log(write(f"{IIS}{fields}00:00:09 2024-03-01 /c GET 200 9 x.example\n"))
    assert (trace.keys, trace.times_s, trace.sizes) == (["/a", "/a", "x.example/c"], [0.0, 2.0, 6.0], None)


@pytest.mark.parametrize("field", ["s-sitename", "cs-host", "cs(Host)"])
def test_sites_in_one_file_are_kept_apart(field: str, write: Write) -> None:
    """By the host, or by the name of the site. Without date and time there are no times."""
    lines = f"#Fields: {field} cs-method cs-uri-stem sc-status\nW3SVC1 GET /a 200\nW3SVC2 GET /a 200\n- GET /a 200\n"
    assert lab.read_access_log(write(lines)) == lab.KeyTrace(["W3SVC1/a", "W3SVC2/a", "/a"])


def test_lines_before_the_names_of_the_fields_are_malformed(write: Write) -> None:
    """As in a file that begins in the middle of a line."""
    trace = lab.read_access_log(write("a 200 15\n" + IIS))
    assert (trace.keys, trace.malformed) == (["/a", "/a"], 2)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("2024-03-01 00:00:61 GET /b 200 5", "its date and time are not like 2000-10-10 and 20:55:36"),
        ("2024-03-01 00:00:01 GET /b 200 5.5", "its sc-bytes is not a whole number of bytes"),
        ("2024-03-01 00:00:01 GET /b 200 5 6", "fields: 7 where #Fields: has 6"),
        ("#2024-03-01 00:00:01 GET /b 200 5 6", "fields: 7 where #Fields: has 6"),
    ],
)
def test_a_malformed_line_is_counted_kept_and_skipped(line: str, reason: str, write: Write) -> None:
    """The lines before and after it are read."""
    good = "2024-03-01 00:00:00 GET /a 200 5\n"
    trace = lab.read_access_log(
        write(f"#Fields: date time cs-method cs-uri-stem sc-status sc-bytes\n{good}{line}\n{good}")
    )
    assert (trace.keys, trace.examples) == (["/a", "/a"], (lab.Malformed(3, line, reason),))


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("#Version: 1.0\n2024-03-01 GET /a 200\n", r"line 2 is '2024.*' \(no #Fields: before it\): .* like"),
        ("#Fields: cs-method cs-uri-stem\nGET /a\n", r"line 2 is 'GET /a' \(#Fields: has no sc-status\): .* like"),
        ("#Fields: cs-method cs-uri-stem sc-status\n", "x is empty: .* like"),
        ("#Fields: cs-method cs-uri-stem sc-status\nPUT /a 200\n", "x has no request that would reach a cache"),
    ],
    ids=["no names", "no status", "no lines", "no reads"],
)
def test_a_log_without_what_is_needed_is_refused(content: str, sentence: str, write: Write) -> None:
    """The error says what is missing."""
    with pytest.raises(ValueError, match=sentence):
        lab.read_access_log(write(content, "x"))


def test_such_a_log_is_no_csv_file(write: Write) -> None:
    """`read_trace` says which function reads it."""
    with pytest.raises(ValueError, match=r"looks like the access log of a web server: read it with"):
        lab.read_trace(write(IIS))
