"""The result of a replay: its summaries and its digest."""

from math import inf
from typing import Any

import pytest

from cachelab.lab.sim.database import Query
from cachelab.lab.traffic.replay_result import ReplayResult, Row

HIT = Row(0.0, 0, 1, "read", "", "hit", "value", 0.0, 0, 0.0, "")


def row(**fields: Any) -> Row:
    """A read that was a hit and took no time, with these fields changed."""
    return HIT._replace(**fields)


def result_of(*rows: Row, queries: list[Query] | None = None) -> ReplayResult:
    """The result of a workload of ten seconds."""
    return ReplayResult(list(rows), queries or [], seconds=10.0)


MIXED = result_of(
    row(outcome="hit", stale_s=3.0),
    row(outcome="stale", stale_s=1.0),
    row(outcome="miss", latency_s=0.4),
    row(outcome="collapsed", latency_s=0.2),
    row(outcome="miss", result="error", error="OriginError"),
    row(op="write", outcome="", latency_s=9.0),
    queries=[
        Query("read", 1, 0, 0.0, 0.5, 1.0),
        Query("write", 1, 0, 0.0, 0.6, 1.0),
        Query("read", 1, 0, 2.0, 2.0, 3.0),
    ],
)


@pytest.mark.parametrize(
    ("summary", "value"),
    [
        ("hit_ratio", 2 / 5),
        ("error_share", 1 / 6),
        ("stale_share", 2 / 5),
        ("max_stale_s", 3.0),
        ("mean_latency_s", 0.6 / 5),
        ("origin_load", 2 / 10),
    ],
)
def test_a_summary_is_over_the_reads(summary: str, value: float) -> None:
    """Only the share of errors counts writes as well."""
    assert getattr(MIXED, summary) == pytest.approx(value)


def test_a_share_may_be_of_several_outcomes() -> None:
    """The share of two outcomes is the sum of theirs."""
    assert MIXED.share("miss", "collapsed") == pytest.approx(3 / 5)


@pytest.mark.parametrize(
    ("percent", "latency"), [(0, 0.01), (1, 0.01), (50, 0.50), (99, 0.99), (99.5, 1.0), (100, 1.0)]
)
def test_a_percentile_is_the_nearest_rank(percent: float, latency: float) -> None:
    """It is the latency of one of the reads, and `percent` % of the reads had no longer one."""
    result = result_of(*(row(latency_s=n / 100) for n in range(100, 0, -1)))
    assert result.percentile_s(percent) == latency


def test_queries_per_second_counts_by_when_they_began() -> None:
    """Two began in the first second, none in the second, one in the third. The rates are per second for any bin."""
    assert (MIXED.queries_per_second(), MIXED.queries_per_second(0.5)) == ([2.0, 0.0, 1.0], [0.0, 4.0, 0.0, 0.0, 2.0])


def test_queries_per_second_may_count_by_when_they_were_asked() -> None:
    """Two were asked in the first second, none in the second, one in the third: waiting does not move them."""
    assert MIXED.queries_per_second(0.5, asked=True) == [4.0, 0.0, 0.0, 0.0, 2.0]


def test_queries_per_second_counts_from_the_start_of_the_replay() -> None:
    """The first query of a replay that began at second 100 counts in the first second."""
    assert ReplayResult(
        [row()], [Query("read", 1, 0, 100.2, 100.2, 101.0)], 10.0, start=100.0
    ).queries_per_second() == [1.0]


def test_the_frame_has_a_column_for_each_field() -> None:
    """The DataFrame has a row for each request and a column for each field."""
    assert (list(MIXED.frame.columns), len(MIXED.frame)) == (list(Row._fields), 6)


@pytest.mark.parametrize("field", Row._fields)
def test_the_digest_sees_every_field(field: str) -> None:
    """Two results that differ in one field of one row have different digests."""
    changed = row(**{field: "x" if isinstance(getattr(row(), field), str) else 0.5})
    assert result_of(row()).digest() != result_of(changed).digest()


@pytest.mark.parametrize("field", ["kind", "key", "asked", "began", "ended"])
def test_the_digest_sees_every_query(field: str) -> None:
    """Two results that differ in one field of one query have different digests."""
    fields: dict[str, Any] = {"kind": "read", "key": 1, "request": 0, "asked": 0.0, "began": 0.0, "ended": 1.0}
    changed = fields | {field: "write" if field == "kind" else 7}
    first, second = (result_of(row(), queries=[Query(**each)]) for each in (fields, changed))
    assert first.digest() != second.digest()


def test_the_digest_overlooks_what_is_below_a_nanosecond() -> None:
    """The last bits of a float are rounding errors."""
    assert result_of(row(latency_s=0.1 + 0.2)).digest() == result_of(row(latency_s=0.3)).digest()


def answered(*by_second: float) -> ReplayResult:
    """Ten users in each second, of whom this share is answered."""
    rows = [
        row(when=second + n / 10, result="value" if n < 10 * share else "error")
        for second, share in enumerate(by_second)
        for n in range(10)
    ]
    return ReplayResult(rows, [], float(len(by_second)))


def test_the_answered_share_is_of_the_reads_sent_in_a_time() -> None:
    """Half of those of the second second; all if nobody asked."""
    result = answered(1, 0.5, 1)
    assert [result.answered_share(*span) for span in [(0, 1), (1, 2), (0, 3), (7, 9)]] == [1, 0.5, 25 / 30, 1]


@pytest.mark.parametrize(
    ("by_second", "seconds"),
    [
        ([1, 1, 1, 1, 1, 1], 0),
        ([1, 0, 0, 1, 1, 1], 2),
        ([1, 0, 1, 1, 0, 1, 1], 4),
        ([1, 0, 1, 1, 1, 0], inf),
        ([1, 0, 0, 0, 0, 1], inf),
        ([1, 0, 0, 0, 1, 1], 3),
    ],
)
def test_a_service_is_back_if_it_stays(by_second: list[float], seconds: float) -> None:
    """It has to be seen for the whole of `over_s`, and what comes back only for a while has not come back."""
    assert answered(*by_second).back_after_s(1, over_s=2) == seconds


def test_how_many_must_be_answered_can_be_chosen() -> None:
    """Nine in ten are not enough for 99 %, and enough for 90 %."""
    result = answered(1, 0.5, 0.9, 0.9, 0.9)
    assert (result.back_after_s(1, over_s=1), result.back_after_s(1, 0.9, over_s=1)) == (inf, 1)
