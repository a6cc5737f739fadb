"""Chapter 15: what its dashboard shows of three incidents, under random traffic."""

from typing import Any

from tests.claims.claim import Chapter

claim = Chapter("15")

DURING = (10, 20)
"""From the first numbers that are of the incident alone to its end, in seconds."""


def seen(watches: Any, incident: str, number: str) -> list[float]:
    """One of the numbers, while the incident lasts."""
    first, last = DURING
    return [getattr(now, number) for now in watches[incident].numbers if first <= now.when <= last]


@claim("any of the three: it stays near 70 %")
def the_memory_does_not_care(watches: Any) -> None:
    """Within 15 points."""
    for incident in watches:
        assert all(0.55 < share < 0.85 for share in seen(watches, incident, "memory_hits"))


@claim("No panel sees all three incidents")
def no_panel_sees_all(watches: Any) -> None:
    """Hits of Redis fall in two of them, errors come in one, and a load takes long in another."""
    assert min(seen(watches, "flush", "redis_hits")) < 0.5
    assert max(seen(watches, "Redis hangs", "redis_hits")) == 0
    assert min(seen(watches, "slow database", "redis_hits")) > 0.7
    assert min(seen(watches, "Redis hangs", "store_errors_per_s")) > 20
    assert max(seen(watches, "flush", "store_errors_per_s")) == 0
    assert max(seen(watches, "slow database", "store_errors_per_s")) == 0
    assert min(seen(watches, "slow database", "load_s")) > 0.5 > max(seen(watches, "flush", "load_s"))


@claim("the slow database: the load does *not* rise")
def the_load_does_not_rise(watches: Any) -> None:
    """It stays far below that of the other two."""
    most = max(seen(watches, "slow database", "loads_per_s"))
    assert most < 15
    assert max(seen(watches, "flush", "loads_per_s")) > 2 * most
    assert min(seen(watches, "Redis hangs", "loads_per_s")) > 1.5 * most


@claim("the slow database, and the hanging Redis (0.15 s)")
def what_p99_sees(watches: Any) -> None:
    """A time-out and a load are 0.15 s. After a flush the loads find a free connection, so no answer takes longer."""
    assert min(seen(watches, "slow database", "p99_s")) > 0.5
    assert min(seen(watches, "Redis hangs", "p99_s")) > 0.12
    assert max(seen(watches, "Redis hangs", "p99_s")) < 0.25
    assert max(seen(watches, "flush", "p99_s")) < 0.1


@claim("And no request failed: an alert on errors is silent in all three.")
def no_request_failed(watches: Any) -> None:
    """No answer has the status 500 or above."""
    assert not [visit for watch in watches.values() for visit in watch.visits if visit.answer.status >= 500]
