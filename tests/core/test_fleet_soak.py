"""Random schedules of a whole fleet in virtual time: nothing is older than its bound, and nothing is left."""

from typing import Any

import pytest

from cachelab import Bus, lease
from tests.support.fleet_schedules import WRONG, many_schedules
from tests.support.tiers import tiers


@pytest.mark.parametrize("faulty", [False, True], ids=["healthy", "Redis away for a while"])
@pytest.mark.parametrize("count", tiers(3_000, quick=15, soak_timeout_s=3_600))
def test_no_random_schedule_of_a_fleet_goes_wrong(count: int, faulty: bool) -> None:
    """No answer and no entry is older than the bound, and nothing is left in any table, in Redis, or as a task."""
    seen = many_schedules(range(count), faulty=faulty)
    assert {what: seen[what] for what in WRONG} == dict.fromkeys(WRONG, 0)
    assert min(seen["answers"], seen["kept"], seen["deletes again"], seen["refused"]) > 0


async def _deaf(_: Bus, message: bytes) -> None:
    """Hears nothing."""


BREAKS: dict[str, tuple[str, Any]] = {
    "no message is heard": ("cachelab.bus.Bus._invalidate", _deaf),
    "a fill needs no token": ("cachelab.lease.SETTLE", lease.SETTLE.replace("== ARGV[1]", "~= 0")),
}


@pytest.mark.parametrize("broken", BREAKS)
def test_without_one_of_its_parts_a_schedule_goes_wrong(broken: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests above can fail."""
    monkeypatch.setattr(*BREAKS[broken])
    some = (many_schedules(range(seed, seed + 1), faulty=False) for seed in range(60))
    assert any(seen["too old"] + seen["stale"] for seen in some)
