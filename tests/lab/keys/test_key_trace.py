"""A trace of keys from a file: its keys, and its summary."""

import pytest

from cachelab import lab
from cachelab.eviction import LRU, count_hits, lru_curve
from tests.support.key_files import TABLE, Write, log


def test_equal_keys_are_one_object(write: Write) -> None:
    """A million requests for a thousand keys take the memory of a thousand texts."""
    keys = lab.read_trace(write(TABLE), "user").keys
    assert keys[0] is keys[2]


def test_a_trace_plugs_into_the_curves(write: Write) -> None:
    """`count_hits` and `lru_curve` take its keys. Its length is the number of requests."""
    trace = lab.read_trace(write(TABLE), "user")
    assert (count_hits(LRU(2), trace.keys), lru_curve(trace.keys, [1, 2])) == ((3, 1), [1.0, 2 / 3])
    assert len(trace) == 3


def test_the_summary_of_a_trace_is_exact(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    """It has the same few lines on every run."""
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


def test_the_summary_leaves_out_what_was_not_read(capsys: pytest.CaptureFixture[str]) -> None:
    """For a trace without times and sizes, and with no line left out, it has two lines."""
    lab.KeyTrace(["a"]).describe()
    assert capsys.readouterr().out == "1 request for 1 different key\n1 of the keys, 100.0%, asked for only once\n"
