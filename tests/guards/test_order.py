"""The order of the guards: every other one fails an exam, and each swap of two neighbours fails one of its own."""

import asyncio
import itertools
from collections.abc import Callable
from typing import Any

import pytest

from cachelab import ABSENT, Breaker, Bulkhead, Entry, Guarded, Refused, TimeLimit
from cachelab.lab.sim.simulation import run
from tests.support.fakes import in_virtual_time, now, until
from tests.support.guarding import Worker, ask, start

KNOWN = range(100)
UNKNOWN = 999
GUARDS: dict[str, Callable[[Any], Any]] = {
    "Guarded": lambda load: Guarded(load, KNOWN),
    "Bulkhead": lambda load: Bulkhead(load, running=1, waiting=16),
    "Breaker": lambda load: Breaker(load, failures=3, open_s=60.0),
    "TimeLimit": lambda load: TimeLimit(load, 1.0),
}
"""From the outermost to the innermost."""
Order = tuple[str, ...]


def guarded(order: Order, load: Any) -> Any:
    """The load with these guards around it, the first outermost."""
    for name in reversed(order):
        load = GUARDS[name](load)
    return load


async def answers_unknown_keys_while_the_line_is_full(order: Order) -> bool:
    """One load runs and sixteen callers wait. The answer for a key that cannot exist comes at once all the same."""
    load = guarded(order, Worker(lambda _: (0.5, "value")))
    crowd = [start(load, 1) for _ in range(17)]
    await asyncio.sleep(0.1)
    answer, at = await ask(load, UNKNOWN), now()
    await asyncio.wait(crowd)
    return isinstance(answer, Entry) and answer.value is ABSENT and at < 0.2


async def spares_a_dead_origin_the_line(order: Order) -> bool:
    """After three failures the breaker is open, and the fourteen callers that wait in line do not reach the origin."""
    origin = Worker(lambda _: (0.5, ConnectionError()))
    load = guarded(order, origin)
    await asyncio.wait([start(load, 1) for _ in range(17)])
    return len(origin.calls) == 3


async def stops_asking_a_hanging_origin(order: Order) -> bool:
    """One caller after the other: three wait for the time limit, and the others are refused."""
    origin = Worker(lambda _: (1e6, "value"))
    load = guarded(order, origin)
    for _ in range(10):
        await ask(load, 1)
    return len(origin.calls) == 3


EXAMS = [answers_unknown_keys_while_the_line_is_full, spares_a_dead_origin_the_line, stops_asking_a_hanging_origin]


@pytest.mark.parametrize("order", [*itertools.permutations(GUARDS)], ids="-".join)
def test_only_one_order_passes_all_exams(order: Order) -> None:
    """And if two neighbours are swapped in it, exactly one exam finds that."""
    failed = [number for number, exam in enumerate(EXAMS) if not run(exam, order)]
    right = tuple(GUARDS)
    swaps: dict[Order, list[int]] = {right: []} | {
        (*right[:place], right[place + 1], right[place], *right[place + 2 :]): [place] for place in range(3)
    }
    assert failed == swaps[order] if order in swaps else failed != []


@in_virtual_time
async def test_an_unknown_key_closes_no_breaker() -> None:
    """The filter's answer says nothing of the origin, which is still down. With the breaker outside it would."""
    origin = Worker(lambda _: (0.0, ConnectionError()))
    breaker, wrong = Breaker(origin, failures=1), Breaker(Guarded(origin, KNOWN), failures=1)
    right = Guarded(breaker, KNOWN)
    for load in (right, wrong):
        await ask(load, 1)
    await until(6.0)
    for load in (right, wrong):
        await ask(load, UNKNOWN)
    assert (breaker.state, wrong.state) == ("half open", "closed")


@in_virtual_time
async def test_a_limit_around_the_bulkhead_ends_fast_loads() -> None:
    """Four callers, a load takes 0.4 seconds, and the limit of a second is for the load. Inside, all are answered."""

    def crowd(load: Any) -> Any:
        return asyncio.gather(*(ask(load, key) for key in range(4)))

    def quick(_: object) -> tuple[float, str]:
        return 0.4, "value"

    inside = Bulkhead(TimeLimit(Worker(quick), 1.0), running=1, waiting=9)
    around = TimeLimit(Bulkhead(Worker(quick), running=1, waiting=9), 1.0)
    assert await crowd(inside) == ["value"] * 4
    assert await crowd(around) == ["value"] * 2 + [TimeoutError] * 2


@in_virtual_time
async def test_the_refusals_of_a_full_bulkhead_open_no_breaker_around_it() -> None:
    """That order is wrong for another reason: a refusal is no failure, wherever it comes from."""
    breaker = Breaker(Bulkhead(Worker(lambda _: (1.0, "value")), running=1), failures=1)
    answers = await asyncio.gather(*(ask(breaker, key) for key in range(5)))
    assert (answers.count(Refused), breaker.state) == (4, "closed")
