"""The bulkhead: how many run, how many wait, who is next, and that no place is ever lost."""

import asyncio
import gc
import weakref
from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from cachelab import Bulkhead, Refused
from cachelab.lab.sim.simulation import run
from cachelab.lab.sim.virtual_loop import Deadlock
from tests.support.fakes import RemoteStore, in_virtual_time, now, other_tasks
from tests.support.guarding import Worker, ask, at_some_moment, start
from tests.support.tiers import tiers

LAST_FIRST = pytest.mark.parametrize("last_first", [False, True], ids=["first first", "last first"])


def second_each(_: object) -> tuple[float, str]:
    """Each call takes a second."""
    return 1.0, "value"


@in_virtual_time
async def test_few_run_few_wait_and_the_others_are_refused_at_once() -> None:
    """Seven callers, two places, three in line: two are refused, and each of the others runs in its turn."""
    worker = Worker(second_each)
    bulkhead = Bulkhead(worker, running=2, waiting=3)
    callers = [start(bulkhead, key) for key in range(7)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert [caller.done() and caller.result() for caller in callers] == [False] * 5 + [Refused] * 2
    await asyncio.wait(callers)
    assert (worker.calls, worker.most, now(), bulkhead.refused) == ([0, 1, 2, 3, 4], 2, 3.0, 2)


@in_virtual_time
async def test_the_last_to_come_may_be_the_first_to_be_served() -> None:
    """A full line then refuses the one that has waited longest."""
    worker = Worker(second_each)
    bulkhead = Bulkhead(worker, running=1, waiting=3, last_first=True)
    callers = [start(bulkhead, key) for key in range(6)]
    answers = await asyncio.gather(*callers)
    assert worker.calls == [0, 5, 4, 3]
    assert answers == ["value", Refused, Refused, "value", "value", "value"]


@LAST_FIRST
@in_virtual_time
async def test_without_a_line_whoever_finds_no_place_is_refused(last_first: bool) -> None:
    """Nobody else can be refused in its place: the others run already."""
    bulkhead = Bulkhead(Worker(second_each), running=1, last_first=last_first)
    assert await asyncio.gather(*(ask(bulkhead, key) for key in range(3))) == ["value", Refused, Refused]


@in_virtual_time
async def test_an_error_gives_the_place_back_as_an_answer_does() -> None:
    """Also one that is no `Exception`, and one that the loader raises before its first await."""
    errors = iter([OSError(), TypeError(), asyncio.CancelledError(), GeneratorExit()])

    async def load(key: int) -> str:
        raise next(errors, None) or StopAsyncIteration

    bulkhead = Bulkhead(load, running=1)
    for kind in (OSError, TypeError, asyncio.CancelledError, GeneratorExit):
        with pytest.raises(kind):
            await bulkhead(1)
    assert bulkhead._free == 1


@in_virtual_time
async def test_a_cancelled_caller_leaves_its_place_in_line_to_another() -> None:
    """The line is full, one leaves, and at once there is room for one, also before the other has heard of its end."""
    bulkhead = Bulkhead(Worker(second_each), running=1, waiting=2)
    running, first, second = (start(bulkhead, key) for key in range(3))
    await asyncio.sleep(0.5)
    first.cancel()
    third, fourth = start(bulkhead, 3), start(bulkhead, 4)
    answers = await asyncio.gather(running, second, third, fourth)
    assert [*answers] == ["value", "value", "value", Refused]


@LAST_FIRST
@pytest.mark.parametrize("turns", range(5))
@in_virtual_time
async def test_a_place_that_is_given_to_a_cancelled_caller_goes_on(turns: int, last_first: bool) -> None:
    """One call ends. So many turns of the loop later the next in line is cancelled. The one after it still runs."""
    gate: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def load(key: int) -> str:
        return await gate if key == 0 else "value"

    bulkhead = Bulkhead(load, running=1, waiting=2, last_first=last_first)
    _, *line = (start(bulkhead, key) for key in range(3))
    await asyncio.sleep(0.1)
    gate.set_result("value")
    for _ in range(turns):
        await asyncio.sleep(0)
    cancelled, other = reversed(line) if last_first else line
    cancelled.cancel()
    assert (await other, bulkhead._free, bulkhead._line) == ("value", 1, [])


@in_virtual_time
async def test_a_caller_that_is_thrown_away_in_line_gets_no_place() -> None:
    """Its coroutine is closed, as happens to one that nobody keeps. The place goes to the next."""
    bulkhead = Bulkhead(Worker(second_each), running=1, waiting=2)
    start(bulkhead, 0)
    await asyncio.sleep(0.1)
    thrown_away: Any = bulkhead(1)
    thrown_away.send(None)
    next_one = start(bulkhead, 2)
    await asyncio.sleep(0.1)
    thrown_away.close()
    assert (await next_one, now(), bulkhead._free) == ("value", 2.0, 1)


@in_virtual_time
async def test_a_load_that_refuses_to_be_cancelled_keeps_its_place_until_it_ends() -> None:
    """Its caller has left, but the origin still works for it. The next in line runs when that has ended."""
    began: list[float] = []

    async def load(key: int) -> None:
        began.append(now())
        try:
            await asyncio.sleep(5.0)
        except asyncio.CancelledError:
            await asyncio.sleep(1.0)

    bulkhead = Bulkhead(load, running=1, waiting=1)
    callers = [start(bulkhead, key) for key in range(2)]
    await asyncio.sleep(0.5)
    callers[0].cancel()
    await asyncio.wait(callers)
    assert (began, bulkhead._free) == ([0.0, 1.5], 1)


@in_virtual_time
async def test_a_refusal_is_freed_at_once() -> None:
    """The error does not refer to itself by way of its traceback: under load there are many of them."""

    async def refused() -> weakref.ref[Refused]:
        try:
            await bulkhead(1)
        except Refused as error:
            return weakref.ref(error)
        raise AssertionError

    bulkhead = Bulkhead(Worker(second_each), running=1)
    start(bulkhead, 0)
    await asyncio.sleep(0.1)
    gc.collect()
    gc.disable()
    try:
        assert (await refused())() is None
    finally:
        gc.enable()


@pytest.mark.parametrize("verb", ["get", "set"])
@in_virtual_time
async def test_the_verbs_of_a_store_share_the_places(verb: str) -> None:
    """One `get` runs, so the other call is refused. A `delete` is not."""
    bulkhead = Bulkhead(RemoteStore(latency_s=1.0), running=1)
    reading = start(bulkhead.get, 1)
    await asyncio.sleep(0.5)
    arguments = [1, 2][: 1 + (verb == "set")]
    assert await ask(getattr(bulkhead, verb), *arguments) is Refused
    await bulkhead.delete(1)
    assert (await ask(bulkhead.get, 1), now(), reading.done()) == (await reading, 2.5, True)


@pytest.mark.parametrize(
    ("numbers", "sentence"),
    [
        ({"running": 0}, "running must be a whole number of at least 1, not 0"),
        ({"running": 1, "waiting": -1}, "waiting must be a whole number of at least 0, not -1"),
        ({"running": 1, "waiting": 1.5}, "waiting must be a whole number of at least 0, not 1.5"),
    ],
)
def test_the_bounds_are_counts(numbers: dict[str, Any], sentence: str) -> None:
    """Without a place nothing could ever run; without a line one can do."""
    with pytest.raises(ValueError, match=sentence):
        Bulkhead(Worker(), **numbers)


def test_a_bulkhead_stays_on_its_event_loop() -> None:
    """Another loop could not wake those that wait here."""
    bulkhead = Bulkhead(Worker(), running=1)
    asyncio.run(bulkhead(1))
    with pytest.raises(RuntimeError, match="This bulkhead belongs to another event loop"):
        asyncio.run(bulkhead(1))


# Random schedules

MOMENTS = 6


async def play(seed: int, make: Callable[..., Bulkhead[Any, Any]] = Bulkhead) -> dict[str, int]:
    """Twelve callers at random, half of them cancelled at random. Returns what was seen, and what was wrong."""
    chance = Random(f"{seed}/bulkhead")
    running, waiting, last_first = chance.randint(1, 3), chance.randint(0, 3), chance.random() < 0.5
    worker = Worker(lambda _: (chance.randrange(3), chance.choice(["value", OSError()])))
    bulkhead = make(worker, running=running, waiting=waiting, last_first=last_first)
    wrong = 0

    async def call(key: int) -> Any:
        nonlocal wrong
        await at_some_moment(chance, MOMENTS)
        answer = await ask(bulkhead, key)
        if answer is Refused and not last_first:  # otherwise it learns of it later than it happens
            wrong += bulkhead._free > 0
        return answer

    async def watch() -> None:
        nonlocal wrong
        for _ in range(2 * MOMENTS):
            await asyncio.sleep(0.5)  # in the middle between two moments nothing is in motion
            if now() % 1:
                line = sum(not turn.done() for turn in bulkhead._line)
                wrong += line > waiting or (line > 0 and worker.at_once < running)

    callers = [asyncio.create_task(call(key)) for key in range(12)]
    cancels = [asyncio.create_task(cancel_at_some_moment(chance, caller)) for caller in callers[::2]]
    await asyncio.wait([*callers, *cancels, asyncio.create_task(watch())])
    wrong += worker.most > running
    left = len(bulkhead._line) + (bulkhead._free != running) + len(other_tasks())
    again = [start(bulkhead, key) for key in range(20)]  # all at once, and none is cancelled: the bounds are there
    worker.work = second_each
    refused = (await asyncio.gather(*again)).count(Refused)
    lost = refused != 20 - running - waiting
    answers = [None if caller.cancelled() else caller.result() for caller in callers]
    return {
        "wrong": wrong,
        "left": left,
        "lost": lost,
        "refused": answers.count(Refused),
        "cancelled": answers.count(None),
        "answered": answers.count("value"),
    }


async def cancel_at_some_moment(chance: Random, caller: asyncio.Task[Any]) -> None:
    """Cancel a caller before it comes, in line, while it runs, or after its end."""
    await at_some_moment(chance, MOMENTS + 2)
    caller.cancel()


def sums(seeds: range, make: Callable[..., Bulkhead[Any, Any]] = Bulkhead) -> dict[str, int]:
    """What was seen in so many schedules."""
    seen = [run(play, seed, make) for seed in seeds]
    return {what: sum(one[what] for one in seen) for what in seen[0]}


@pytest.mark.parametrize("count", tiers(100_000, quick=500, soak_timeout_s=3_600))
def test_no_random_schedule_loses_a_place(count: int) -> None:
    """Never too many run or wait, none is refused or waits beside a free place, and in the end all places are there."""
    seen = sums(range(count))
    assert {what: seen[what] for what in ("wrong", "left", "lost")} == {"wrong": 0, "left": 0, "lost": 0}
    assert min(seen["refused"], seen["cancelled"], seen["answered"]) > count / 2


class Forgetful(Bulkhead[Any, Any]):
    """Broken: a cancelled caller that has just been given a place keeps it."""

    async def _wait_in_line(self) -> None:
        turn = asyncio.get_running_loop().create_future()
        self._line.append(turn)
        if len(self._line) > self._waiting:
            self._line.pop().set_result(False)
        if not await turn:
            raise Refused


class Generous(Bulkhead[Any, Any]):
    """Broken: a place is free again before the next in line takes it."""

    def _pass_place_on(self) -> None:
        super()._pass_place_on()
        self._free = max(self._free, 1)


class Careless(Bulkhead[Any, Any]):
    """Broken: a load that fails keeps its place."""

    async def _call(self, verb: Any, *arguments: Any) -> Any:
        try:
            return await super()._call(verb, *arguments)
        except OSError:
            self._free = max(0, self._free - 1)
            raise


@pytest.mark.parametrize("broken", [Forgetful, Generous, Careless])
def test_a_broken_bulkhead_is_found(broken: type[Bulkhead[Any, Any]]) -> None:
    """The test above can fail."""
    assert any(goes_wrong(seed, broken) for seed in range(100))


def goes_wrong(seed: int, broken: type[Bulkhead[Any, Any]]) -> bool:
    """Whether one schedule finds something, be it that a caller waits for ever."""
    try:
        seen = run(play, seed, broken)
    except Deadlock:
        return True
    return seen["wrong"] + seen["left"] + seen["lost"] > 0
