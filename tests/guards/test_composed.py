"""All parts together, under random schedules: guards around the origin and the store, leases, a filter, memory and bus.

On each of four nodes the loader is `Bulkhead(Breaker(TimeLimit(fetch)))`, under a cache on a `LeasedStore` behind
`Breaker` and `TimeLimit`, under a guard for unknown keys, under a cache in memory with a bus.
"""

from typing import Any

import pytest

from cachelab import Breaker, Bulkhead, Bus, Guarded, TimeLimit, lease
from cachelab.lab.sim.faults import Failing, Faulty
from tests.support.fleet import Node
from tests.support.fleet_schedules import KEYS, WRONG, Schedule, many_schedules
from tests.support.tiers import tiers

UNKNOWN, RUNNING, WAITING = 99, 1, 1


class Composed(Schedule):
    """A schedule with guards. For a second, most queries fail, so that breakers open."""

    keys = (*Schedule.keys, UNKNOWN)

    def __init__(self, seed: int, *, faulty: bool) -> None:
        self.bulkheads: list[Bulkhead[Any, Any]] = []
        self.breakers: list[Breaker[Any, Any]] = []
        super().__init__(seed, faulty=faulty)

    def node(self, number: int, load: Any = None, **guards: Any) -> Node:
        """Every part is in its place."""
        begin = 1.0 + 3.0 * self.chance.random()
        fetch = Faulty(self.rows.load, Failing(begin, begin + 1.0, share=0.9), seed=number)
        bulkhead = Bulkhead(
            self.breaker(TimeLimit(fetch, 0.6)), running=RUNNING, waiting=WAITING, last_first=number % 2 == 1
        )
        self.bulkheads.append(bulkhead)
        return super().node(
            number,
            bulkhead,
            wrap=lambda store: self.breaker(TimeLimit(store, 0.2)),
            above=lambda l2: Guarded(l2, KEYS),
        )

    def breaker(self, inside: Any) -> Breaker[Any, Any]:
        """One that opens soon, and not for long."""
        breaker: Breaker[Any, Any] = Breaker(inside, failures=3, open_s=0.2)
        self.breakers.append(breaker)
        return breaker

    def left(self) -> int:
        """The places of the guards, too."""
        self.seen["opened"] += sum(breaker.opened for breaker in self.breakers)
        self.seen["over the bound"] += sum(bulkhead.refused for bulkhead in self.bulkheads)
        lost = sum(len(bulkhead._line) + RUNNING - bulkhead._free for bulkhead in self.bulkheads)
        return super().left() + lost + sum(breaker._is_trying for breaker in self.breakers)


@pytest.mark.parametrize("faulty", [False, True], ids=["healthy", "Redis away for a while"])
@pytest.mark.parametrize("count", tiers(3_000, quick=15, soak_timeout_s=3_600))
def test_no_random_schedule_of_all_parts_goes_wrong(count: int, faulty: bool) -> None:
    """No answer and no entry is older than the bound, and nothing is left in any part, in Redis, or as a task."""
    seen = many_schedules(range(count), faulty=faulty, kind=Composed)
    assert {what: seen[what] for what in WRONG} == dict.fromkeys(WRONG, 0)
    assert min(seen[what] for what in ("answers", "kept", "deletes again", "refused", "opened", "over the bound")) > 0


async def _deaf(_: Bus, message: bytes) -> None:
    """Hears nothing."""


class KeepsPlaces(Bulkhead[Any, Any]):
    """Broken: a caller that is cancelled in line takes a place with it."""

    async def _wait_in_line(self) -> None:
        try:
            await super()._wait_in_line()
        except BaseException:
            self._free -= 1
            raise


class GuardsDeletes(TimeLimit[Any, Any]):
    """Broken: a delete is not tried."""

    def __init__(self, inside: Any, seconds: float) -> None:
        super().__init__(inside, seconds)
        if hasattr(inside, "claim"):
            vars(self)["delete"] = self._drop_it

    async def _drop_it(self, key: Any, /) -> None:
        pass


BREAKS: dict[str, tuple[str, Any]] = {
    "no message is heard": ("cachelab.bus.Bus._invalidate", _deaf),
    "a fill needs no token": ("cachelab.lease.SETTLE", lease.SETTLE.replace("== ARGV[1]", "~= 0")),
    "places are lost": ("tests.guards.test_composed.Bulkhead", KeepsPlaces),
    "deletes are lost": ("tests.guards.test_composed.TimeLimit", GuardsDeletes),
}


@pytest.mark.parametrize("broken", BREAKS)
def test_with_a_broken_part_a_schedule_goes_wrong(broken: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test above can fail."""
    monkeypatch.setattr(*BREAKS[broken])
    some = (many_schedules(range(seed, seed + 1), faulty=False, kind=Composed) for seed in range(100))
    assert any(sum(seen[what] for what in WRONG) for seen in some)
