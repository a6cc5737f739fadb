"""The listeners: one that files events by request, one that keeps them with their times."""

import asyncio

import pytest

from cachelab import Cache, Flight, MemoryStore
from cachelab.events import Fact, Record
from cachelab.lab.sim.listeners import EventLog, RequestEvents, current_request, listen
from tests.support.caches import SHARED
from tests.support.fakes import in_virtual_time


async def load(key: int) -> str:
    """An origin that takes a second."""
    await asyncio.sleep(1.0)
    return "answer"


@SHARED
@in_virtual_time
async def test_events_are_filed_with_the_current_request(shared: bool) -> None:
    """A request gets its records and its facts, also those of a load in a flight, and another one gets none of them."""
    flight = Flight() if shared else None
    cache: Cache[int, str] = Cache(MemoryStore(1), load, ttl=60.0, listen=listen, flight=flight)
    first, second = RequestEvents(0), RequestEvents(1)
    current_request.set(first)
    await cache.get(1)
    current_request.set(second)
    await cache.get(1)
    assert [[record.outcome for record in request.records] for request in (first, second)] == [["miss"], ["hit"]]
    assert [[fact.kind for fact in request.facts] for request in (first, second)] == [
        ["load", "loaded", "fill"],
        [],
    ]


@in_virtual_time
async def test_outside_a_replay_listen_ignores_what_it_hears(capsys: pytest.CaptureFixture[str]) -> None:
    """A cache with `listen=lab.listen` can be used by hand."""
    cache: Cache[int, str] = Cache(MemoryStore(1), load, ttl=60.0, listen=listen)
    assert (await cache.get(1), capsys.readouterr().err) == ("answer", "")


@in_virtual_time
async def test_an_empty_log_hears_the_first_event() -> None:
    """An empty log is false, as every list is, and a cache still calls it."""
    log = EventLog()
    cache: Cache[int, str] = Cache(MemoryStore(1), load, ttl=60.0, listen=log)
    assert not log
    await cache.get(1)
    assert [(when, event.kind if isinstance(event, Fact) else event.outcome) for when, event in log] == [
        (0.0, "load"),
        (1.0, "loaded"),
        (1.0, "fill"),
        (1.0, "miss"),
    ]
    assert isinstance(log[-1][1], Record)
