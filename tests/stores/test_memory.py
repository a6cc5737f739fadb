"""The memory store with each policy: the contract, the bound in bytes, and what becomes of expired entries."""

import asyncio
import gc
import math
import sys
import time
from collections.abc import Callable, Hashable
from random import Random
from types import FrameType
from typing import Any
from weakref import ref

import pytest

from cachelab.clock import Clock
from cachelab.entry import MISS, Entry
from cachelab.eviction import LRU, SIEVE, Policy, WTinyLFU, count_hits
from cachelab.lab.sim.simulation import run
from cachelab.stores import expiry_heap, memory
from cachelab.stores.expiry_heap import ExpiryHeap
from cachelab.stores.memory import MemoryStore, _Tables
from tests.support.contract import BoundedContract, StoreContract
from tests.support.fakes import in_virtual_time
from tests.support.policy_contract import POLICIES, reproducible

FOREVER = math.inf
EVERY_POLICY = pytest.mark.parametrize("policy", POLICIES)


class TestMemoryStore(BoundedContract):
    """The store with its usual policy, LRU."""

    def make(self, max_entries: int = 100, clock: Clock | None = None) -> MemoryStore[object]:
        return MemoryStore(max_entries, clock=clock)

    @in_virtual_time
    async def test_evicted_counts_live_entries_that_had_to_make_room(self) -> None:
        """An eviction for lack of room is counted, and nothing else is."""
        store = self.make(2)
        for key in (1, 2, 3, 4):
            await store.set(key, Entry(key, FOREVER))
        await store.delete(4)
        store.clear()
        assert (store.evicted, store.expired) == (2, 0)

    @in_virtual_time
    async def test_expired_counts_entries_that_are_found_expired(self) -> None:
        """A reader finds one and a write finds the other; each is counted once."""
        store = self.make(2)
        await store.set(1, Entry(1, 10.0))
        await store.set(2, Entry(2, 10.0))
        await asyncio.sleep(10.0)
        assert await store.get(2) is MISS
        assert await store.get(2) is MISS
        await store.set(3, Entry(3, FOREVER))
        await store.set(4, Entry(4, FOREVER))
        assert (store.evicted, store.expired) == (0, 2)

    @in_virtual_time
    async def test_expired_entries_keep_their_place_while_there_are_no_writes(self) -> None:
        """An expired entry that is not read again still counts in `len`, as the module says."""
        store = self.make(2)
        await store.set(1, Entry(1, 10.0))
        await asyncio.sleep(10.0)
        assert len(store) == 1

    def test_a_store_takes_the_clock_of_the_loop_that_uses_it_first(self) -> None:
        """The clock is bound at the first use, so the store may be built before the loop runs."""
        store = self.make()

        async def scenario() -> None:
            await store.set(1, Entry("value", 10.0))
            assert await store.get(1) is not MISS
            await asyncio.sleep(10.0)
            assert await store.get(1) is MISS

        run(scenario)

    def test_a_store_of_an_ended_simulation_refuses_to_answer(self) -> None:
        """Its moments mean nothing on any other clock."""
        store = self.make()

        async def scenario() -> None:
            await store.set(1, Entry("value", FOREVER))
            await store.get(1)

        run(scenario)
        verbs: list[Callable[[], object]] = [lambda: store.peek(1), lambda: store.find(1)]
        verbs += [lambda: store.put(1, Entry("value", FOREVER))]
        for verb in verbs:
            with pytest.raises(RuntimeError, match="This simulation has ended"):
                verb()

    @in_virtual_time
    async def test_repr_says_how_full_it_is(self) -> None:
        """A store in a notebook cell shows how many entries it has, and no address."""
        store = self.make(10)
        await store.set(1, Entry(1, FOREVER))
        assert repr(store) == "MemoryStore(1 of 10 entries)"


class TestWithSIEVE(StoreContract):
    """What every store promises, with another policy than the usual one."""

    def make(self, max_entries: int = 100, clock: Clock | None = None) -> MemoryStore[object]:
        return MemoryStore(max_entries, policy=SIEVE, clock=clock)


class TestWithWTinyLFU(StoreContract):
    """The same with the policy that has the most parts."""

    def make(self, max_entries: int = 100, clock: Clock | None = None) -> MemoryStore[object]:
        return MemoryStore(max_entries, policy=WTinyLFU, clock=clock)


@EVERY_POLICY
@in_virtual_time
async def test_a_store_hits_as_often_as_its_policy_does_in_a_replay(policy: Callable[[int], Policy[Any]]) -> None:
    """If every miss is filled, the hits are those of `count_hits` on the same keys."""
    chance = Random("memory/policies")
    keys = [int(chance.paretovariate(0.6)) % 500 for _ in range(5_000)]
    store: MemoryStore[int] = MemoryStore(50, policy=reproducible(policy))
    hits = 0
    for key in keys:
        if store.peek(key) is MISS:
            await store.set(key, Entry(key, FOREVER))
        else:
            hits += 1
    assert hits == count_hits(policy(50), keys).hits


@EVERY_POLICY
@in_virtual_time
async def test_the_bounds_hold_whatever_happens(policy: Callable[[int], Policy[Any]]) -> None:
    """Entries, bytes and the policy's keys agree after each of 5,000 random steps, and no bound is exceeded."""
    chance = Random("memory/bounds")
    store: MemoryStore[bytes] = MemoryStore(20, policy=policy, max_bytes=1_000, size_of=len)
    for _ in range(5_000):
        key = chance.randrange(60)
        match chance.randrange(4):
            case 0:
                store.peek(key)
            case 1:
                await store.delete(key)
            case 2:
                await store.set(key, Entry(bytes(chance.randrange(150)), asyncio.get_running_loop().time() + 5.0))
            case 3:
                await asyncio.sleep(chance.random())
        sizes = sum(len(entry.value) for entry in store._entries.values())
        assert (store.bytes, set(store._policy.resident)) == (sizes, set(store._entries))
        assert len(store) <= 20
        assert store.bytes <= 1_000


@EVERY_POLICY
@in_virtual_time
async def test_clear_empties_the_bytes_and_the_policy(policy: Callable[[int], Policy[Any]]) -> None:
    """Nothing is counted as evicted or expired, the listener is not called, and the heap has no items left."""
    heard: list[object] = []
    store: MemoryStore[bytes] = MemoryStore(10, policy=policy, max_bytes=100, size_of=len, listen=heard.append)
    for key in range(10):
        await store.set(key, Entry(bytes(key), 5.0 + key))
    store._expiries._sort_notes()
    await store.set(9, Entry(bytes(9), 6.0))
    assert (len(store._expiries._heap), len(store._expiries._notes)) == (10, 1)
    store.clear()
    assert (len(store), store.bytes, len(store._policy), store._sizes) == (0, 0, 0, {})
    assert (store._expiries._heap, store._expiries._notes) == ([], {})
    assert (store.evicted, store.expired, heard) == (0, 0, [])
    await store.set(1, Entry(bytes(100), FOREVER))
    assert (len(store), store.bytes) == (1, 100)


@in_virtual_time
async def test_a_value_larger_than_the_bound_is_refused() -> None:
    """It is not kept, no entry is evicted for it, and the old value does not stay in its place."""
    store: MemoryStore[bytes] = MemoryStore(10, max_bytes=100, size_of=len)
    await store.set(1, Entry(bytes(60), FOREVER))
    await store.set(2, Entry(bytes(30), FOREVER))
    await store.set(1, Entry(bytes(101), FOREVER))
    assert (store.peek(1), len(store), store.bytes, store.refused, store.evicted) == (MISS, 1, 30, 1, 0)


@in_virtual_time
async def test_as_many_entries_are_evicted_as_a_large_value_needs() -> None:
    """Here the bound in bytes is reached, and not the number of entries."""
    store: MemoryStore[bytes] = MemoryStore(10, max_bytes=100, size_of=len)
    for key in range(5):
        await store.set(key, Entry(bytes(20), FOREVER))
    await store.set(9, Entry(bytes(50), FOREVER))
    assert (len(store), store.bytes, store.evicted) == (3, 90, 3)


@pytest.mark.parametrize("half", [{"max_bytes": 100}, {"size_of": len}], ids=str)
def test_a_bound_in_bytes_needs_a_measure(half: dict[str, Any]) -> None:
    """One without the other is refused in a sentence."""
    with pytest.raises(ValueError, match="A bound in bytes needs both"):
        MemoryStore(10, **half)


@pytest.mark.parametrize("read", ["peek", "find"])
def test_a_read_forgets_an_entry_at_the_instant_it_expires(read: str) -> None:
    """It is counted, and the listener hears of it before the read returns."""
    now, heard = 0.0, list[Any]()
    store: MemoryStore[int] = MemoryStore(3, listen=heard.append, clock=lambda: now)
    store.put(1, Entry(1, 10.0))
    now = 10.0
    assert getattr(store, read)(1) is MISS
    assert (len(store), store.expired, [(fact.key, fact.kind) for fact in heard]) == (0, 1, [(1, "expired")])


@EVERY_POLICY
def test_a_removed_key_leaves_nothing_behind(policy: Callable[[int], Policy[Any]]) -> None:
    """After 20,000 keys that were put, read and removed, every table is empty and the heap is small."""
    store: MemoryStore[bytes] = MemoryStore(100, policy=policy, max_bytes=900, size_of=len, clock=lambda: 0.0)
    for key in range(20_000):
        store.put(key, Entry(b"1", 10.0))
        store.peek(key)
        store.remove(key)
    tables = (store._entries, store._sizes, store._policy.resident, store._expiries._notes)
    assert [len(table) for table in tables] == [0] * 4
    assert (len(store._expiries._heap) <= 100, store.bytes) == (True, 0)


@in_virtual_time
async def test_writes_purge_expired_entries_that_are_never_read_again() -> None:
    """Writing other keys frees the memory of a thousand entries that have expired."""
    store: MemoryStore[int] = MemoryStore(10_000)
    for key in range(1_000):
        await store.set(key, Entry(key, 10.0))
    await asyncio.sleep(10.0)
    for key in range(1_000, 1_500):
        await store.set(key, Entry(key, FOREVER))
    assert (len(store), store.expired, store.evicted) == (500, 1_000, 0)


@pytest.mark.parametrize(
    ("key", "value", "expires"),
    [("new", b"1", 9.0), ("there", b"1", 9.0), ("new", b"1", 2.0), ("new", bytes(99), 9.0)],
    ids=["a new key", "an overwrite", "an expired entry", "a value too large"],
)
def test_every_write_purges_two_expired_entries(key: str, value: bytes, expires: float) -> None:
    """Whether the write keeps its entry or not. No live entry is evicted, although the store was full."""
    now = 1.0
    store: MemoryStore[bytes] = MemoryStore(4, max_bytes=90, size_of=len, clock=lambda: now)
    store.put("there", Entry(b"1", FOREVER))
    for number in range(3):
        store.put(number, Entry(b"1", 2.0))
    now = 2.0
    store.put(key, Entry(value, expires))
    assert (store.expired, store.evicted) == (2, 0)
    assert len([number for number in range(3) if number in store._entries]) == 1


@EVERY_POLICY
@in_virtual_time
async def test_memory_stays_bounded(policy: Callable[[int], Policy[Any]]) -> None:
    """After 20,000 different keys, each overwritten once, no table of the store has grown with their number."""
    store: MemoryStore[int] = MemoryStore(100, policy=policy)
    for key in range(20_000):
        await store.set(key, Entry(key, 1e9 + key))
        await store.set(key, Entry(key, 2e9 + key))
    assert (len(store), len(store._policy), len(store._sizes)) == (100, 100, 0)
    assert len(store._expiries._heap) + len(store._expiries._notes) <= 500


@in_virtual_time
async def test_overwriting_a_key_is_a_use_of_it() -> None:
    """Under a bound in bytes too: SIEVE's mark saves the key from the next eviction."""
    store: MemoryStore[bytes] = MemoryStore(2, policy=SIEVE, max_bytes=100, size_of=len)
    for key in (1, 2, 1, 3):
        await store.set(key, Entry(bytes(10), FOREVER))
    assert [key for key in (1, 2, 3) if store.peek(key) is not MISS] == [1, 3]


@in_virtual_time
async def test_an_overwrite_that_grows_makes_room() -> None:
    """The bound in bytes holds when a key gets a larger value."""
    store: MemoryStore[bytes] = MemoryStore(10, max_bytes=100, size_of=len)
    for key, size in ((1, 40), (2, 40), (2, 90)):
        await store.set(key, Entry(bytes(size), FOREVER))
    assert ([key for key in (1, 2) if store.peek(key) is not MISS], store.bytes, store.evicted) == ([2], 90, 1)


@in_virtual_time
async def test_an_expired_entry_that_the_policy_names_counts_as_expired() -> None:
    """Three entries have expired: a write purges two of them, and the policy names the third to make room.

    The facts say so too, at the very moment at which the entries expire.
    """
    heard: list[Any] = []
    store: MemoryStore[bytes] = MemoryStore(10, max_bytes=90, size_of=len, listen=heard.append)
    for key in range(3):
        await store.set(key, Entry(bytes(30), 10.0))
    await asyncio.sleep(10.0)
    await store.set(9, Entry(bytes(90), FOREVER))
    assert (store.expired, store.evicted, len(store)) == (3, 0, 1)
    assert [fact.kind for fact in heard] == ["expired"] * 3


@in_virtual_time
async def test_a_listener_hears_why_each_entry_left() -> None:
    """A fact for each: evicted for lack of room, found expired by a reader or by a write, refused as too large."""
    heard: list[tuple[str, Hashable, str]] = []
    store: MemoryStore[bytes] = MemoryStore(
        2, max_bytes=100, size_of=len, name="L1", listen=lambda event: heard.append((event.cache, event.key, event[2]))
    )
    await store.set(1, Entry(bytes(10), FOREVER))
    await store.set(2, Entry(bytes(10), 5.0))
    await store.set(3, Entry(bytes(10), 5.0))
    await store.set(4, Entry(bytes(101), FOREVER))
    await asyncio.sleep(5.0)
    store.peek(2)
    await store.set(5, Entry(bytes(10), FOREVER))
    await store.delete(5)
    assert heard == [("L1", 1, "evicted"), ("L1", 4, "refused"), ("L1", 2, "expired"), ("L1", 3, "expired")]


@pytest.mark.filterwarnings("default")
def test_a_listener_that_raises_does_not_disturb_the_store(caplog: pytest.LogCaptureFixture) -> None:
    """If no event loop is running, the error goes to the log, and the store works on."""

    def bad(event: object) -> None:
        raise ValueError("listener")

    store: MemoryStore[int] = MemoryStore(1, listen=bad)
    store.put(1, Entry(1, FOREVER))
    store.put(2, Entry(2, FOREVER))
    assert store.peek(2) == Entry(2, FOREVER)
    assert "The listener of store raised" in caplog.text


def consistent(store: MemoryStore[Any]) -> bool:
    """Whether the tables have the same keys, the bytes are the sum of the sizes, and the bounds hold."""
    keys = set(store._entries)
    sized = store._size_of is None or set(store._sizes) == keys
    within = len(keys) <= store._max_entries and store.bytes <= store._max_bytes
    return sized and within and set(store._policy.resident) == keys and store.bytes == sum(store._sizes.values())


@EVERY_POLICY
def test_a_listener_may_call_the_store(policy: Callable[[int], Policy[Any]]) -> None:
    """It puts, removes and reads at random, from inside of its own calls too, and finds the store consistent."""
    chance, now, depth = Random("listener"), 0.0, 0

    def step() -> None:
        key = chance.randrange(30)
        match chance.randrange(5):
            case 0:
                store.remove(key)
            case 1:
                store.peek(key)
            case 2 if chance.random() < 0.02:
                store.clear()
            case _:
                store.put(key, Entry(bytes(chance.randrange(70)), now + chance.choice([1.0, 9.0, FOREVER])))

    def listen(event: object) -> None:
        nonlocal depth
        assert consistent(store)
        if depth < 3:
            depth += 1
            step()
            depth -= 1
        heard.append(event)

    heard: list[object] = []
    store: MemoryStore[bytes] = MemoryStore(
        10, policy=policy, max_bytes=300, size_of=len, listen=listen, clock=lambda: now
    )
    for _ in range(5_000):
        now += chance.random() / 5
        step()
        assert consistent(store)
    assert len(heard) == store.evicted + store.expired + store.refused


def test_a_listener_hears_of_a_write_when_it_is_complete() -> None:
    """The new entry is there, and the one that made room is not."""
    seen: list[tuple[list[Hashable], int]] = []
    store: MemoryStore[bytes] = MemoryStore(
        1, max_bytes=9, size_of=len, listen=lambda _: seen.append((list(store._entries), store.bytes))
    )
    for key in (1, 2):
        store.put(key, Entry(bytes(key), FOREVER))
    assert seen == [([2], 2)]


def test_size_of_may_call_the_store() -> None:
    """It is called before anything changes."""

    def size_of(value: bytes) -> int:
        if len(value) == 5:
            store.put("inner", Entry(b"123", FOREVER))
            store.remove(1)
        return len(value)

    store: MemoryStore[bytes] = MemoryStore(2, max_bytes=10, size_of=size_of)
    for key in (1, 2, 1, 3):
        store.put(key, Entry(bytes(5), FOREVER))
        assert consistent(store)
    assert store.bytes <= 10


class Calling(LRU[Hashable]):
    """A policy that calls the store it serves, or raises, in the middle of a change."""

    call: Callable[[], object] = staticmethod(lambda: None)

    def add(self, key: Hashable) -> None:
        """As LRU, and then the call."""
        super().add(key)
        self.call()

    def evict(self) -> Hashable:
        """As LRU, and then the call."""
        key = super().evict()
        self.call()
        return key

    def remove(self, key: Hashable) -> None:
        """As LRU, and then the call."""
        super().remove(key)
        self.call()


@pytest.mark.parametrize("verb", ["put", "remove", "clear"])
def test_a_policy_that_writes_in_the_middle_of_a_change_is_refused(verb: str) -> None:
    """RuntimeError says so, and the store stays consistent and works on."""
    policy = Calling(2)
    store: MemoryStore[bytes] = MemoryStore(2, policy=lambda bound: policy, max_bytes=20, size_of=len)
    calls = {"put": lambda: store.put(9, Entry(b"9", FOREVER)), "remove": lambda: store.remove(2), "clear": store.clear}
    for key in (1, 2):
        store.put(key, Entry(bytes(5), FOREVER))
    policy.call = calls[verb]
    steps: list[Callable[[], object]] = [lambda: store.put(3, Entry(bytes(5), FOREVER)), lambda: store.remove(2)]
    for step in steps:
        with pytest.raises(RuntimeError, match="a policy must not call the store it serves"):
            step()
        assert consistent(store)
        policy.call = lambda: None
        for key in (1, 2, 3):
            store.put(key, Entry(bytes(5), FOREVER))
        assert (len(store), store.bytes) == (2, 10)
        policy.call = calls[verb]


@pytest.mark.parametrize("error", [ValueError("policy"), KeyboardInterrupt()], ids=repr)
def test_a_policy_that_raises_leaves_a_consistent_store(error: BaseException) -> None:
    """Its error reaches the caller. What it had half done is forgotten."""
    policy = Calling(2)
    store: MemoryStore[bytes] = MemoryStore(2, policy=lambda bound: policy, max_bytes=20, size_of=len)

    def fail() -> None:
        policy.call = lambda: None
        raise error

    for key in range(20):
        policy.call = fail if key % 3 == 2 else lambda: None
        if key % 3 == 2:
            with pytest.raises(type(error)):
                store.put(key, Entry(bytes(5), FOREVER))
        else:
            store.put(key, Entry(bytes(5), FOREVER))
        assert consistent(store)


CHANGING = {*_Tables.__dict__, *ExpiryHeap.__dict__} - {"__init__", "_repair", "begin_anew"}


class Interrupt:
    """Raises KeyboardInterrupt before the line with this number that is run in the middle of a change."""

    def __init__(self, number: int) -> None:
        self.remaining = number

    def __call__(self, frame: FrameType, event: str, argument: object) -> Any:
        """A trace function: see sys.settrace."""
        if frame.f_code.co_name == "_repair":
            sys.settrace(None)  # a second interrupt in the middle of a repair is not promised to be harmless
            return None
        file = frame.f_code.co_filename
        if frame.f_code.co_name in CHANGING and file in (memory.__file__, expiry_heap.__file__):
            if event == "line":
                self.remaining -= 1
                if self.remaining < 0:
                    sys.settrace(None)
                    raise KeyboardInterrupt
            return self
        return None


def interrupted(change: Callable[[], object], number: int) -> bool:
    """Make the change, interrupted before that line. False if it has fewer lines."""
    before = sys.gettrace()
    sys.settrace(Interrupt(number))
    try:
        change()
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(before)
    return False


def survives_an_interrupt(policy: Callable[[int], Policy[Any]], verb: str, number: int) -> bool:
    """Interrupt one change of a full store, three of whose entries have expired, before that line, and check the store.

    False if the change has fewer lines.
    """
    now = 0.0
    store: MemoryStore[bytes] = MemoryStore(
        6, policy=policy, max_bytes=90, size_of=len, clock=lambda: now, listen=lambda fact: None
    )
    changes: dict[str, Callable[[], object]] = {
        "put": lambda: store.put("new", Entry(bytes(40), 9.0)),
        "overwrite": lambda: store.put(4, Entry(bytes(60), 9.0)),
        "put expired": lambda: store.put(4, Entry(b"", 1.0)),
        "remove": lambda: store.remove(4),
        "peek": lambda: store.peek(0),
        "clear": store.clear,
    }
    for key in range(6):
        store.put(key, Entry(bytes(10), 1.0 if key < 3 else 5.0))
    now = 2.0
    was_interrupted = interrupted(changes[verb], number)
    assert consistent(store)
    for key in range(10, 30):
        store.put(key, Entry(bytes(10), 20.0))
        assert consistent(store)
    now = 99.0
    for _ in range(4):
        store.put("last", Entry(b"", FOREVER))
    assert list(store._entries) == ["last"]
    return was_interrupted


@EVERY_POLICY
@pytest.mark.parametrize("verb", ["put", "overwrite", "put expired", "remove", "peek", "clear"])
def test_an_interrupt_in_the_middle_of_a_change_leaves_a_consistent_store(
    verb: str, policy: Callable[[int], Policy[Any]]
) -> None:
    """KeyboardInterrupt before each line in turn: the tables agree, and each entry is still purged when it expires."""
    number = 0
    while survives_an_interrupt(policy, verb, number):
        number += 1
    assert number > 3


class Loud(bytes):
    """A value whose size can't be told."""


def measured(value: bytes) -> Any:
    """The length; or what is no size, for a value that names it."""
    if isinstance(value, Loud):
        raise LookupError("no size")
    return {b"negative": -5, b"nan": math.nan, b"float": 3.5, b"text": "5", b"none": None, b"bool": True}.get(
        value, len(value)
    )


@pytest.mark.parametrize(
    ("value", "error", "sentence"),
    [
        (Loud(b"x"), LookupError, "no size"),
        (b"negative", ValueError, "size_of must return 0 bytes or more, not -5."),
        (b"nan", TypeError, "size_of must return a whole number of bytes, not nan."),
        (b"float", TypeError, "size_of must return a whole number of bytes, not 3.5."),
        (b"text", TypeError, "size_of must return a whole number of bytes, not '5'."),
        (b"none", TypeError, "size_of must return a whole number of bytes, not None."),
        (b"bool", TypeError, "size_of must return a whole number of bytes, not True."),
    ],
)
def test_a_size_that_is_none_raises_and_changes_nothing(value: bytes, error: type[Exception], sentence: str) -> None:
    """In one sentence, in the caller's face. The old value stays, and expired entries too."""
    now = 0.0
    store: MemoryStore[bytes] = MemoryStore(3, max_bytes=10, size_of=measured, clock=lambda: now)
    store.put(1, Entry(b"old", FOREVER))
    store.put(2, Entry(b"expired", 1.0))
    before, now = dict(store._entries), 2.0
    for key in (1, 3):
        with pytest.raises(error) as raised:
            store.put(key, Entry(value, FOREVER))
        assert raised.value.args == (sentence,)
        assert (store._entries, store.bytes, store.expired, consistent(store)) == (before, 10, 0, True)


def test_a_size_may_be_a_whole_number_of_another_type() -> None:
    """Such as one of numpy's. The bytes are counted as a plain int."""

    class Number:
        def __index__(self) -> int:
            return 4

    def size_of(value: bytes) -> Any:
        return Number()

    store: MemoryStore[bytes] = MemoryStore(3, max_bytes=10, size_of=size_of)
    store.put(1, Entry(b"", FOREVER))
    assert (type(store.bytes), store.bytes) == (int, 4)


@pytest.mark.parametrize("max_bytes", [math.nan, math.inf, -1, 0, True, 1e6, "100"])
def test_a_bound_in_bytes_is_a_whole_number(max_bytes: Any) -> None:
    """Anything else is refused when the store is built."""
    with pytest.raises(ValueError, match="max_bytes must be a whole number of at least 1, not"):
        MemoryStore(10, max_bytes=max_bytes, size_of=len)


def test_a_key_that_is_not_hashable_raises_and_changes_nothing() -> None:
    """Every verb raises TypeError; expired entries stay as they are."""
    now = 0.0
    store: MemoryStore[int] = MemoryStore(3, clock=lambda: now)
    store.put(1, Entry(1, 1.0))
    now = 2.0
    bad: Any = [1]
    verbs: list[Callable[[], object]] = [lambda: store.put(bad, Entry(1, FOREVER)), lambda: store.remove(bad)]
    verbs += [lambda: store.peek(bad), lambda: store.find(bad)]
    for verb in verbs:
        with pytest.raises(TypeError, match="unhashable type: 'list'"):
            verb()
    assert (len(store), store.expired, consistent(store)) == (1, 0, True)


class Object:
    """A key or a value that can be referred to weakly."""


@EVERY_POLICY
def test_a_dropped_store_frees_its_keys_and_values_at_once(policy: Callable[[int], Policy[Any]]) -> None:
    """Without the garbage collector, after entries have been put, read, evicted, expired and removed."""
    gc.disable()
    try:
        store: MemoryStore[Object] = MemoryStore(3, policy=policy)
        keys, values = [Object() for _ in range(6)], [Object() for _ in range(6)]
        kept = [[ref(key) for key in keys], [ref(value) for value in values]]
        for number, (key, value) in enumerate(zip(keys, values, strict=True)):
            store.put(key, Entry(value, time.monotonic() + (-1.0 if number == 0 else 99.0)))
            store.peek(key)
        store.remove(next(iter(store._entries)))
        del key, value, keys, values
        assert [sum(one() is not None for one in ones) >= 2 for ones in kept] == [True, True]
        gone = ref(store)
        del store
        assert gone() is None
        assert [one() for ones in kept for one in ones] == [None] * 12
    finally:
        gc.enable()


class Quarrelsome:
    """A key with the hash of every other such key. Comparing two of them raises."""

    def __hash__(self) -> int:
        return 1

    def __eq__(self, other: object) -> bool:
        raise ArithmeticError("compared")


def test_a_key_whose_comparison_raises_leaves_the_store_as_it_was() -> None:
    """Every verb raises its error; the store stays consistent and works on."""
    store: MemoryStore[bytes] = MemoryStore(3, max_bytes=10, size_of=len, clock=lambda: 0.0)
    first, second = Quarrelsome(), Quarrelsome()
    store.put(first, Entry(b"1", FOREVER))
    store.put("other", Entry(b"12", FOREVER))
    verbs: list[Callable[[], object]] = [lambda: store.put(second, Entry(b"2", FOREVER)), lambda: store.remove(second)]
    verbs += [lambda: store.peek(second), lambda: store.find(second)]
    for verb in verbs:
        with pytest.raises(ArithmeticError, match="compared"):
            verb()
        assert (len(store), store.bytes, consistent(store)) == (2, 3, True)
    store.put(first, Entry(b"3", FOREVER))
    assert store.peek(first) == Entry(b"3", FOREVER)


def test_peek_alone_still_answers() -> None:
    """A function `peek` that outlives its store finds what is there, and nothing that has expired."""
    now = 0.0
    store: MemoryStore[int] = MemoryStore(3, clock=lambda: now)
    store.put(1, Entry(1, 1.0))
    peek = store.peek
    del store
    assert peek(1) == Entry(1, 1.0)
    now = 1.0
    assert peek(1) is MISS


@pytest.mark.long
@EVERY_POLICY
def test_memory_comes_back_after_a_million_distinct_keys(policy: Callable[[int], Policy[Any]]) -> None:
    """After a million keys with a TTL there are as many objects as after ten thousand, and no table has grown."""
    now = 0.0
    store: MemoryStore[int] = MemoryStore(1_000, policy=policy, clock=lambda: now)
    sizes = []
    for key in range(1_000_001):
        now = key / 100
        store.put(key, Entry(key, now + 60.0))
        if key in (10_000, 1_000_000):
            gc.collect()
            tables = (store._entries, store._expiries._notes, store._expiries._heap, store._policy.resident)
            sizes.append((sys.getallocatedblocks(), sum(map(sys.getsizeof, tables))))
    (blocks, bytes_), (blocks_after, bytes_after) = sizes
    assert len(store) == len(store._policy) == 1_000
    assert blocks_after < blocks + 5_000
    assert bytes_after < 1.5 * bytes_


@pytest.mark.long
@EVERY_POLICY
def test_no_entry_is_lost_in_100_000_steps(policy: Callable[[int], Policy[Any]]) -> None:
    """Every entry that was put is found, or was overwritten or removed, or a fact has said why it is gone."""
    now, gone = 0.0, set[Hashable]()
    store: MemoryStore[int] = MemoryStore(
        50,
        policy=policy,
        max_bytes=2_000,
        size_of=lambda value: value % 90,
        listen=lambda event: gone.add(event.key),
        clock=lambda: now,
    )
    chance = Random("steps")
    live: dict[Hashable, Entry[int]] = {}
    for step in range(100_000):
        now += chance.random() / 10
        key = min(int(chance.expovariate(0.05)), 120)
        match chance.randrange(10):
            case 0:
                store.remove(key)
                live.pop(key, None)
            case 1 | 2 | 3 | 4:
                live[key] = Entry(step, now + chance.choice([0.0, 1.0, 20.0, FOREVER]))
                store.put(key, live[key])
                if live[key].expires <= now:  # it was never stored, so no fact reports it
                    del live[key]
            case _:
                found = store.peek(key)
                assert found is (MISS if key in gone else live.get(key, MISS))
        for missing in gone - set(store._entries):  # one write can purge a key's old entry and store its new one
            live.pop(missing, None)
        gone.clear()
        assert len(store) <= 50
        assert store.bytes <= 2_000
    assert {key: store._entries[key] for key in store._entries} == live
    assert set(store._policy.resident) == set(live)
