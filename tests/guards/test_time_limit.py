"""The time limit: a call that takes too long is cancelled."""

import asyncio

import pytest

from cachelab import MemoryStore, TimeLimit
from tests.support.fakes import RemoteStore, in_virtual_time, now
from tests.support.guarding import Worker, ask, start


@pytest.mark.parametrize(("seconds", "answer", "ended"), [(0.9, "value", 0.9), (1.1, TimeoutError, 1.0)])
@in_virtual_time
async def test_a_load_ends_after_the_limit_at_the_latest(seconds: float, answer: object, ended: float) -> None:
    """What is in time is passed on; what is not is cancelled, and the caller gets a TimeoutError."""
    worker = Worker(lambda _: (seconds, "value"))
    assert (await ask(TimeLimit(worker, 1.0), 1), now(), worker.ended) == (answer, ended, [ended])


@pytest.mark.parametrize("verb", ["get", "set"])
@in_virtual_time
async def test_a_verb_of_a_store_ends_after_the_limit_at_the_latest(verb: str) -> None:
    """The two verbs that a read may wait for."""
    store = TimeLimit(RemoteStore(latency_s=5.0), 1.0)
    assert (await ask(getattr(store, verb), *[1, 2][: 1 + (verb == "set")]), now()) == (TimeoutError, 1.0)


@in_virtual_time
async def test_a_delete_has_no_limit() -> None:
    """It takes the time that it needs: a value that was not deleted would be stale."""
    await TimeLimit(RemoteStore(latency_s=5.0), 1.0).delete(1)
    assert now() == 5.0


@in_virtual_time
async def test_the_limit_of_each_call_is_its_own() -> None:
    """A call that begins later ends later."""
    limited = TimeLimit(Worker(lambda _: (5.0, "value")), 1.0)
    first = start(limited, 1)
    await asyncio.sleep(0.5)
    second = start(limited, 2)
    assert (await first, now(), await second, now()) == (TimeoutError, 1.0, TimeoutError, 1.5)


@in_virtual_time
async def test_a_load_that_refuses_to_be_cancelled_is_waited_for() -> None:
    """The limit cannot end it. What it answers is passed on."""

    async def load(key: int) -> str:
        try:
            await asyncio.sleep(5.0)
        except asyncio.CancelledError:
            await asyncio.sleep(1.0)
        return "late"

    assert (await ask(TimeLimit(load, 1.0), 1), now()) == ("late", 2.0)


@pytest.mark.parametrize("seconds", [0, -1.0, float("nan")])
def test_a_limit_is_longer_than_nothing(seconds: float) -> None:
    """With no time for it, no call could succeed."""
    with pytest.raises(ValueError, match=r"^seconds must be more than 0, not "):
        TimeLimit(MemoryStore(1), seconds)
