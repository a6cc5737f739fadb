"""A store behind a lock: the contract of the store, and what threads may rely on."""

import asyncio
import sys
import threading
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import pytest

from cachelab.cache import Cache
from cachelab.clock import Clock
from cachelab.entry import MISS, Entry
from cachelab.eviction import LRU, Policy
from cachelab.stores.locked import Locked
from cachelab.stores.memory import MemoryStore
from tests.support.contract import BoundedContract
from tests.support.policy_contract import POLICIES

FOREVER = float("inf")


class TestLocked(BoundedContract):
    """The locked store promises all that the store itself does."""

    def make(self, max_entries: int = 100, clock: Clock | None = None) -> Locked[object]:
        return Locked(MemoryStore(max_entries, clock=clock))


def in_threads(work: Callable[[int], None], threads: int) -> list[BaseException]:
    """Run `work(number)` in so many threads at once, and return what they raised."""
    raised: list[BaseException] = []
    start = threading.Barrier(threads)

    def target(number: int) -> None:
        try:
            start.wait()
            work(number)
        except BaseException as error:
            raised.append(error)

    running = [threading.Thread(target=target, args=(number,)) for number in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    return raised


@pytest.fixture
def busy_switching() -> Iterator[None]:
    """The interpreter switches threads as often as it can."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(usual)


class _SlowLRU(LRU[Any]):
    """An eviction that takes as long as the test wants, so that another thread can call in the middle of it."""

    began = threading.Event()
    may_end = threading.Event()

    def evict(self) -> Any:
        self.began.set()
        self.may_end.wait(5.0)
        return super().evict()


@pytest.mark.parametrize("call", ["peek", "put", "remove", "clear"])
def test_a_call_waits_for_the_end_of_another(call: str) -> None:
    """While one thread is in the middle of an eviction, no other thread's call begins."""
    _SlowLRU.began.clear()
    _SlowLRU.may_end.clear()
    store: Locked[int] = Locked(MemoryStore(2, policy=_SlowLRU))
    store.put(1, Entry(1, FOREVER))
    store.put(2, Entry(2, FOREVER))
    calls: dict[str, Callable[[], object]] = {
        "peek": lambda: store.peek(2),
        "put": lambda: store.put(2, Entry(22, FOREVER)),
        "remove": lambda: store.remove(2),
        "clear": store.clear,
    }
    one = threading.Thread(target=store.put, args=(3, Entry(3, FOREVER)))
    other = threading.Thread(target=calls[call])
    one.start()
    assert _SlowLRU.began.wait(5.0)
    other.start()
    other.join(0.05)
    waits = other.is_alive()
    _SlowLRU.may_end.set()
    one.join(5.0)
    other.join(5.0)
    assert waits
    assert not other.is_alive()
    assert store.store.evicted == 1


@pytest.mark.usefixtures("busy_switching")
@pytest.mark.parametrize("policy", POLICIES)
def test_threads_leave_the_store_consistent(policy: Callable[[int], Policy[Any]]) -> None:
    """Six threads peek, put and remove at random: nothing raises, each answer is its key's, all tables agree."""
    store: Locked[tuple[int, int]] = Locked(
        MemoryStore(20, policy=policy, max_bytes=1_000, size_of=lambda value: 10 + value[1])
    )

    def work(number: int) -> None:
        chance = Random(number)
        for turn in range(1_500):
            key = chance.randrange(40)
            match chance.randrange(8):
                case 0:
                    store.remove(key)
                case 1 | 2 | 3:
                    store.put(key, Entry((key, turn % 60), FOREVER))
                case _:
                    found = store.peek(key)
                    assert found is MISS or found.value[0] == key
            assert len(store) <= 20

    assert in_threads(work, 6) == []
    inside = store.store
    assert set(inside._policy.resident) == set(inside._entries) == set(inside._sizes)
    assert inside.bytes == sum(10 + entry.value[1] for entry in inside._entries.values()) <= 1_000


def test_a_cache_in_each_thread_shares_what_the_others_loaded() -> None:
    """Each thread has an event loop and a cache of its own. A value that one has loaded is a hit for the others."""
    store: Locked[str] = Locked(MemoryStore(100))
    loads: list[int] = []

    async def load(key: int) -> str:
        loads.append(key)
        return f"user {key}"

    async def read() -> str:
        value = await Cache(store, load, ttl=60).get(42)
        assert isinstance(value, str)
        return value

    answers: list[str] = []
    for _ in range(3):
        assert in_threads(lambda _: answers.append(asyncio.run(read())), 1) == []
    assert (answers, loads) == (["user 42"] * 3, [42])


def test_a_finalizer_that_calls_again_does_not_wait_for_itself() -> None:
    """A value may call the store from its finalizer when it is evicted in the middle of a put."""
    store: Locked[Any] = Locked(MemoryStore(1))

    class Value:
        def __del__(self) -> None:
            store.peek("anything")

    def work() -> None:
        store.put(1, Entry(Value(), FOREVER))
        store.put(2, Entry(None, FOREVER))

    worker = threading.Thread(target=work, daemon=True)
    worker.start()
    worker.join(5.0)
    assert not worker.is_alive()
