"""The circuit breaker: when it opens, whom it lets through, and what closes it."""

import asyncio
from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from cachelab import Breaker, Entry, MemoryStore, Refused, TimeLimit, Undecodable
from cachelab.lab.sim.simulation import run
from tests.support.fakes import BrokenStore, in_virtual_time, now, other_tasks, until
from tests.support.guarding import Worker, ask, at_some_moment, start
from tests.support.tiers import tiers


def fails(_: object) -> tuple[float, Any]:
    """Each call fails at once."""
    return 0.0, ConnectionError()


def succeeds(_: object) -> tuple[float, Any]:
    """Each call succeeds at once."""
    return 0.0, "value"


async def opened_breaker(worker: Worker, **options: Any) -> Breaker[Any, Any]:
    """A breaker that has just opened, for a second unless `options` say otherwise."""
    breaker = Breaker(worker, **{"failures": 3, "open_s": 1.0} | options)
    worker.work = fails
    while breaker.state == "closed":
        await ask(breaker, "failure")
    worker.calls.clear()
    return breaker


@in_virtual_time
async def test_failures_in_a_row_open_it() -> None:
    """The third one does. From then on nothing reaches the loader."""
    worker = Worker(fails)
    breaker = Breaker(worker, failures=3, open_s=1.0)
    answers = [await ask(breaker, key) for key in range(5)]
    assert answers == [ConnectionError] * 3 + [Refused] * 2
    assert (worker.calls, breaker.state, breaker.opened, breaker.refused) == ([0, 1, 2], "open", 1, 2)


@in_virtual_time
async def test_a_success_in_between_counts_them_anew() -> None:
    """Two failures, a success, two failures: that is no row of three."""
    worker = Worker(lambda key: (0.0, "value" if key == 2 else ConnectionError()))
    breaker = Breaker(worker, failures=3)
    assert [await ask(breaker, key) for key in range(5)].count(ConnectionError) == 4
    assert breaker.state == "closed"


@pytest.mark.parametrize(("second", "state"), [(0.999, "open"), (1.0, "half open"), (50.0, "half open")])
@in_virtual_time
async def test_it_is_open_for_as_long_as_it_was_told(second: float, state: str) -> None:
    """Time is that of the running loop, so it passes in a simulation, too."""
    breaker = await opened_breaker(Worker())
    await until(second)
    assert breaker.state == state


@in_virtual_time
async def test_half_open_it_lets_one_of_twenty_through() -> None:
    """The others are refused while the trial is under way. When it has succeeded, all are let through."""
    worker = Worker()
    breaker = await opened_breaker(worker)
    worker.work = lambda _: (0.5, "value")
    await until(1.0)
    answers = await asyncio.gather(*(ask(breaker, key) for key in range(20)))
    assert (worker.calls, answers.count(Refused), breaker.state) == ([0], 19, "closed")
    assert await asyncio.gather(*(ask(breaker, key) for key in range(20))) == ["value"] * 20


@in_virtual_time
async def test_a_trial_that_fails_opens_it_for_as_long_again() -> None:
    """The time counts from the end of the trial, and one failure is enough."""
    worker = Worker()
    breaker = await opened_breaker(worker)
    worker.work = lambda _: (0.5, ConnectionError())
    await until(1.0)
    assert await ask(breaker, 1) is ConnectionError
    await until(2.499)
    assert (breaker.state, breaker.opened) == ("open", 2)
    await until(2.5)
    assert breaker.state == "half open"


@in_virtual_time
async def test_closed_again_it_counts_from_nothing() -> None:
    """Failures before the trial are forgotten."""
    worker = Worker()
    breaker = await opened_breaker(worker)
    await until(1.0)
    worker.work = succeeds
    await breaker(1)
    worker.work = fails
    assert [await ask(breaker, key) for key in range(4)] == [ConnectionError] * 3 + [Refused]


@in_virtual_time
async def test_a_cancelled_trial_leaves_its_place_to_the_next_caller() -> None:
    """It says nothing of the origin: the breaker stays half open."""
    worker = Worker()
    breaker = await opened_breaker(worker)
    await until(1.0)
    worker.work = lambda _: (0.5, "value")
    trial = start(breaker, 1)
    await asyncio.sleep(0.1)
    trial.cancel()
    await asyncio.wait([trial])
    assert breaker.state == "half open"
    assert (await ask(breaker, 2), breaker.state) == ("value", "closed")


@pytest.mark.parametrize("caller_leaves", [False, True], ids=["time limit", "caller leaves"])
@in_virtual_time
async def test_a_trial_that_refuses_to_be_cancelled_is_alone_until_it_ends(caller_leaves: bool) -> None:
    """The origin is still at work for it, so nobody else may try. Its late answer closes the breaker all the same."""
    worker = Worker()
    breaker = await opened_breaker(worker)
    await until(1.0)

    async def load(_: object) -> str:
        worker.calls.append("trial")
        try:
            await asyncio.sleep(5.0)
        except asyncio.CancelledError:
            await asyncio.sleep(1.0)
        return "late"

    breaker._inside = TimeLimit(load, 1e6 if caller_leaves else 0.5)
    trial = start(breaker, 1)
    await asyncio.sleep(0.5)
    if caller_leaves:
        trial.cancel()
    await asyncio.sleep(0.9)
    assert await asyncio.gather(*(ask(breaker, key) for key in range(5))) == [Refused] * 5
    assert (await trial, now(), worker.calls, breaker.state) == ("late", 2.5, ["trial"], "closed")


@pytest.mark.parametrize("answer", ["value", ConnectionError()], ids=["succeeds", "fails"])
@pytest.mark.parametrize("second", [0.5, 1.5, 2.5], ids=["open", "half open", "closed again"])
@in_virtual_time
async def test_a_call_that_began_before_it_opened_says_nothing(answer: Any, second: float) -> None:
    """A straggler neither closes an open breaker nor opens a closed one, and it does not end the row of failures."""
    worker = Worker(lambda _: (second, answer))
    breaker = Breaker(worker, failures=1, open_s=1.0)
    straggler = start(breaker, "straggler")
    await asyncio.sleep(0)
    worker.work = fails
    await ask(breaker, "failure")
    await until(second - 0.1)
    if second == 2.5:
        worker.work = succeeds
        await breaker("trial")
    before = breaker.state, breaker.opened, breaker._opens_until
    await straggler
    assert (breaker.state, breaker.opened, breaker._opens_until) == before


@pytest.mark.parametrize(
    "error",
    [AttributeError(), TypeError(), KeyError(), ZeroDivisionError(), NameError(), AssertionError(), Refused()],
    ids=repr,
)
@in_virtual_time
async def test_a_mistake_in_the_program_opens_no_breaker(error: Exception) -> None:
    """It reaches each caller. A refusal of a guard inside is no failure of the origin either."""
    breaker = Breaker(Worker(lambda _: (0.0, error)), failures=1)
    assert [await ask(breaker, key) for key in range(9)] == [type(error)] * 9
    assert breaker.state == "closed"


@in_virtual_time
async def test_bytes_that_cannot_be_decoded_open_no_breaker() -> None:
    """The store has answered: what it holds is wrong, and it is not away."""
    breaker = Breaker(Worker(lambda _: (0.0, Undecodable("no entry"))), failures=1)
    await ask(breaker, 1)
    assert breaker.state == "closed"


@pytest.mark.parametrize(
    "error", [ConnectionError(), TimeoutError(), OSError(), ValueError(), RuntimeError(), Exception()], ids=repr
)
@in_virtual_time
async def test_what_a_client_raises_opens_it(error: Exception) -> None:
    """Clients of databases have no class of errors in common, so all others count."""
    breaker = Breaker(Worker(lambda _: (0.0, error)), failures=1)
    await ask(breaker, 1)
    assert breaker.state == "open"


@in_virtual_time
async def test_a_mistake_in_the_program_decides_no_trial() -> None:
    """The breaker is neither closed nor opened again, and the next caller makes the trial."""
    worker = Worker()
    breaker = await opened_breaker(worker)
    await until(1.0)
    worker.work = lambda _: (0.0, AttributeError())
    await ask(breaker, 1)
    assert (breaker.state, breaker.opened) == ("half open", 1)
    worker.work = succeeds
    assert (await ask(breaker, 2), breaker.state) == ("value", "closed")


@in_virtual_time
async def test_a_time_out_of_its_caller_is_no_failure_and_one_inside_is() -> None:
    """A call that is cancelled says nothing. So a time limit must be inside the breaker."""
    hangs = Worker(lambda _: (1e6, "value"))
    around, inside = Breaker(hangs, failures=1), Breaker(TimeLimit(hangs, 1.0), failures=1)
    await ask(TimeLimit(around, 1.0), 1)
    await ask(inside, 1)
    assert (around.state, inside.state) == ("closed", "open")


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, SystemExit, GeneratorExit, asyncio.CancelledError])
def test_an_interrupt_in_a_trial_leaves_its_place(interrupt: type[BaseException]) -> None:
    """It passes through, and the next caller makes the trial."""
    worker = Worker()

    async def scenario() -> None:
        breaker = await opened_breaker(worker)
        await until(1.0)
        answer: Any = interrupt()

        async def load(_: object) -> Any:
            raise answer

        inside, breaker._inside = breaker._inside, load
        with pytest.raises(interrupt):
            await breaker(1)
        breaker._inside, worker.work = inside, succeeds
        assert (await ask(breaker, 2), breaker.state) == ("value", "closed")

    run(scenario)


# Around a store


@in_virtual_time
async def test_the_verbs_of_a_store_share_the_breaker() -> None:
    """A fill that fails counts as a read that fails, and a delete is tried in any state."""
    store = BrokenStore("get", "set")
    breaker = Breaker(store, failures=2, open_s=1.0)
    entry = Entry("value", 60.0)
    assert [await ask(breaker.get, 1), await ask(breaker.set, 1, entry)] == [ConnectionError] * 2
    assert [await ask(breaker.get, 1), await ask(breaker.set, 1, entry)] == [Refused] * 2
    store.entries[1] = entry
    await breaker.delete(1)
    assert (store.entries, breaker.state) == ({}, "open")


class Granting(BrokenStore):
    """A remote store whose claims take ten seconds, as that of a store does which waits for another process."""

    async def claim(self, key: Any, seen: Any) -> Any:
        self.may_raise("claim")
        await asyncio.sleep(10.0)
        self.may_raise("claim")
        return seen


@in_virtual_time
async def test_a_claim_may_wait_and_is_no_trial() -> None:
    """The limit does not end it. While the breaker is not closed it is refused, also when a trial is allowed."""
    store = Granting()
    breaker: Any = Breaker(TimeLimit(store, 1.0), failures=1, open_s=1.0)
    assert (await ask(breaker.claim, 1, "seen"), now()) == ("seen", 10.0)
    store.broken = {"get"}
    await ask(breaker.get, 1)
    assert await ask(breaker.claim, 1) is Refused
    await asyncio.sleep(1.0)
    assert (await ask(breaker.claim, 1), breaker.state) == (Refused, "half open")
    store.broken = set()
    await breaker.get(1)
    assert await ask(breaker.claim, 1, "seen") == "seen"


@in_virtual_time
async def test_a_claim_that_fails_is_a_failure() -> None:
    """Unless the breaker has opened since the claim began."""
    store = Granting("claim")
    breaker: Any = Breaker(store, failures=2, open_s=5.0)
    assert [await ask(breaker.claim, key) for key in range(3)] == [ConnectionError] * 2 + [Refused]
    await asyncio.sleep(5.0)
    await breaker.get(1)
    store.broken = set()
    straggler = start(breaker.claim, 1)
    await asyncio.sleep(0)
    store.broken = {"get", "claim"}
    await ask(breaker.get, 1)
    await ask(breaker.get, 1)
    assert (breaker.opened, await straggler, breaker.opened) == (2, ConnectionError, 2)


# Its arguments and its loop


@pytest.mark.parametrize(
    ("numbers", "sentence"),
    [
        ({"failures": 0}, "failures must be a whole number of at least 1, not 0"),
        ({"open_s": 0.0}, "open_s must be more than 0 seconds, not 0.0"),
        ({"open_s": float("nan")}, "open_s must be more than 0 seconds, not nan"),
    ],
)
def test_its_numbers_mean_something(numbers: dict[str, Any], sentence: str) -> None:
    """With others it would never open, or never stay open."""
    with pytest.raises(ValueError, match=sentence):
        Breaker(MemoryStore(1), **numbers)


def test_a_breaker_stays_on_its_event_loop() -> None:
    """The clock of another loop may tell another time."""
    breaker = Breaker(Worker())
    assert breaker.state == "closed"
    asyncio.run(breaker(1))
    with pytest.raises(RuntimeError, match="This breaker belongs to another event loop"):
        asyncio.run(breaker(1))


# Random schedules

MOMENTS, FAILURES, OPEN_S = 12, 2, 2.0


class Referee:
    """A slow and obvious breaker: it reads what happened, in order, and says what should have been let through."""

    def __init__(self) -> None:
        self.failed, self.open_until = 0, -1.0
        self.trial: object = None
        self.closed = True
        self.counts: set[object] = set()  # the calls whose end says something
        self.opened = 0

    def admits(self, call: object) -> bool:
        if not self.closed:
            if now() < self.open_until or self.trial is not None:
                return False
            self.trial = call
        self.counts.add(call)
        return True

    def ends(self, call: object, how: str) -> None:
        if call in self.counts and how == "value":
            self.failed, self.closed = 0, True
        elif call in self.counts and how == "failure":
            self.failed += 1
            if self.trial is call or self.failed == FAILURES:
                self.failed, self.closed, self.open_until = 0, False, now() + OPEN_S
                self.opened += 1
                self.counts.clear()
        if self.trial is call:
            self.trial = None


HOW = {"value": "value", ConnectionError: "failure", TimeoutError: "failure", AttributeError: "nothing"}


async def play(seed: int, make: Callable[..., Breaker[Any, Any]] = Breaker) -> Counter[str]:
    """Sixteen callers at random, a third of them cancelled at random, and an origin that fails now and then."""
    chance, seen, referee = Random(f"{seed}/breaker"), Counter[str](), Referee()
    bad = chance.randrange(MOMENTS)

    def work(_: object) -> tuple[float, Any]:
        usual, rare = ("value", ConnectionError()) if not bad <= now() < bad + 4 else (ConnectionError(), "value")
        luck = chance.random()
        answer = AttributeError() if luck < 0.1 else rare if luck < 0.25 else usual
        return chance.choice([0.0, 0.0, 1.0, 2.0, 9.0]), answer

    limited = TimeLimit(Worker(work), 3.0)

    async def load(call: int) -> Any:
        seen["reached"] += 1
        arrived.add(call)
        how = "nothing"  # it was cancelled
        try:
            answer = await limited(call)
            how = "value"
            return answer
        except Exception as error:
            how = HOW[type(error)]
            raise
        finally:
            referee.ends(call, how)
            seen[how] += 1

    arrived = set[int]()
    breaker = make(load, failures=FAILURES, open_s=OPEN_S)

    async def call(number: int) -> None:
        await at_some_moment(chance, MOMENTS)
        admitted = referee.admits(number)
        calling = ask(breaker, number)
        seen["refused"] += not admitted
        try:
            seen["wrong"] += (await calling is Refused) is admitted
        finally:
            seen["wrong"] += (number in arrived) is not admitted

    callers = [asyncio.create_task(call(number)) for number in range(16)]
    cancels = [asyncio.create_task(cancel_at_some_moment(chance, caller)) for caller in callers[::3]]
    await asyncio.wait([*callers, *cancels])
    seen["cancelled"] += sum(caller.cancelled() for caller in callers)
    seen["wrong"] += (breaker.opened, breaker.state == "closed") != (referee.opened, referee.closed)
    seen["left"] += len(other_tasks())
    await asyncio.sleep(OPEN_S)
    breaker._inside = Worker(succeeds)
    answers = await asyncio.gather(*(ask(breaker, number) for number in range(5)))
    seen["lost"] += answers.count("value") < 1 or breaker.state != "closed"
    seen["lost"] += [await ask(breaker, number) for number in range(5)] != ["value"] * 5
    return seen


async def cancel_at_some_moment(chance: Random, caller: asyncio.Task[Any]) -> None:
    """Cancel a caller before it comes, while it runs, or after its end."""
    await at_some_moment(chance, MOMENTS + 2)
    caller.cancel()


def sums(seeds: range, make: Callable[..., Breaker[Any, Any]] = Breaker) -> Counter[str]:
    """What was seen in so many schedules."""
    seen = Counter[str]()
    for seed in seeds:
        seen.update(run(play, seed, make))
    return seen


@pytest.mark.parametrize("count", tiers(100_000, quick=500, soak_timeout_s=3_600))
def test_no_random_schedule_fools_the_breaker(count: int) -> None:
    """It lets through what the referee lets through, and in the end one call is enough to close it."""
    seen = sums(range(count))
    assert (seen["wrong"], seen["left"], seen["lost"]) == (0, 0, 0)
    assert min(seen[what] for what in ("refused", "cancelled", "value", "failure", "nothing")) > count / 2


class LetsAllTry(Breaker[Any, Any]):
    """Broken: half open, it lets all through."""

    _is_trying = property(lambda _: False, lambda _, __: None)


class KeepsTheTrial(Breaker[Any, Any]):
    """Broken: a trial that is cancelled keeps its place."""

    async def _call(self, verb: Any, *arguments: Any) -> Any:
        try:
            return await super()._call(verb, *arguments)
        except asyncio.CancelledError:
            self._is_trying = self.state == "half open"
            raise


class HearsStragglers(Breaker[Any, Any]):
    """Broken: any success closes it."""

    async def _call(self, verb: Any, *arguments: Any) -> Any:
        answer = await super()._call(verb, *arguments)
        self._failed, self._opens_until = 0, None
        return answer


class CountsMistakes(Breaker[Any, Any]):
    """Broken: a mistake in the program is a failure."""

    def _note(self, error: Exception, opened: int) -> None:
        super()._note(ConnectionError(), opened)


@pytest.mark.parametrize("broken", [LetsAllTry, KeepsTheTrial, HearsStragglers, CountsMistakes])
def test_a_broken_breaker_is_found(broken: type[Breaker[Any, Any]]) -> None:
    """The test above can fail."""
    seen = sums(range(100), broken)
    assert seen["wrong"] + seen["left"] + seen["lost"] > 0
