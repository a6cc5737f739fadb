"""The memory store in random operations, beside an obvious model: a dict, and the policy once more in plain lists.

The operations are reads, writes, removals, clears and the passing of time; the entries never expire, or soon, or all at
one moment; the values have all sizes, and some are too large. After each operation the store has the answer, the facts,
the counters and the bytes of the model.
"""

from collections.abc import Callable, Hashable
from math import inf
from random import Random
from typing import Any

import pytest

from cachelab.entry import MISS, Entry, Miss
from cachelab.eviction import FIFO, LFU, LRU, S3FIFO, SIEVE, Policy, WTinyLFU
from cachelab.stores.memory import MemoryStore
from tests.support.eviction_models import (
    FIFOModel,
    LFUModel,
    LRUModel,
    Model,
    S3FIFOModel,
    SIEVEModel,
    WTinyLFUModel,
)
from tests.support.policy_contract import POLICIES, reproducible
from tests.support.tiers import tiers

MODELS: dict[type[Policy[Any]], Callable[[int], Model]] = {
    FIFO: FIFOModel,
    LFU: LFUModel,
    LRU: LRUModel,
    S3FIFO: S3FIFOModel,
    SIEVE: SIEVEModel,
    WTinyLFU: WTinyLFUModel,
}
EVERY_POLICY = pytest.mark.parametrize("policy", POLICIES)
MAX_ENTRIES, MAX_BYTES, KEYS = 30, 1_500, 90
DAY_S = 50.0
"""Many entries expire together at the end of such a day."""

Facts = list[tuple[str, Hashable]]


def size_of(value: int) -> int:
    """From 0 to 96 bytes, and now and then far too many."""
    return 2_000 if value % 53 == 0 else value % 97


class StoreModel:
    """What the store should hold. `heard` is what the store has told of an operation."""

    def __init__(self, policy: Model) -> None:
        self.policy = policy
        self.entries: dict[Hashable, Entry[int]] = {}
        self.bytes = self.evicted = self.expired = self.refused = 0

    def read(self, key: Hashable, now: float, heard: Facts, *, peek: bool) -> Entry[int] | Miss:
        entry = self.entries.get(key)
        expected: Facts = []
        answer: Entry[int] | Miss = MISS
        if entry is not None and entry.expires <= now:
            self.remove(key)
            self.expired += 1
            expected = [("expired", key)]
        elif entry is not None and not (peek and entry.refresh_from <= now):
            self.policy.hit(key)
            answer = entry
        assert heard == expected
        return answer

    def put(self, key: Hashable, entry: Entry[int], now: float, heard: Facts) -> None:
        """Each write purges two expired entries, whichever, if there are so many. The rest follows from that."""
        has_expired = {key for key, entry in self.entries.items() if entry.expires <= now}
        count = min(2, len(has_expired))
        purged, others = heard[:count], heard[count:]
        assert len(purged) == count
        for kind, gone in purged:
            assert kind == "expired"
            assert gone in has_expired
            has_expired.remove(gone)
            self.remove(gone)
            self.expired += 1
        expected: Facts = []
        size = size_of(entry.value)
        if entry.expires <= now or size > MAX_BYTES:
            self.remove(key)
            if entry.expires > now:
                self.refused += 1
                expected = [("refused", key)]
        else:
            if key in self.entries:
                self.policy.hit(key)
                self.bytes -= size_of(self.entries[key].value)
            else:
                expected += self.make_room(now, 1, size)
                self.policy.add(key)
            self.entries[key] = entry
            self.bytes += size
            expected += self.make_room(now, 0, 0)
        assert others == expected

    def make_room(self, now: float, new_entries: int, new_bytes: int) -> Facts:
        facts: Facts = []
        while len(self.entries) + new_entries > MAX_ENTRIES or self.bytes + new_bytes > MAX_BYTES:
            victim = self.policy.evict()
            entry = self.entries.pop(victim)
            self.bytes -= size_of(entry.value)
            has_expired = entry.expires <= now
            self.expired += has_expired
            self.evicted += not has_expired
            facts.append(("expired" if has_expired else "evicted", victim))
        return facts

    def remove(self, key: Hashable) -> None:
        if key in self.entries:
            self.policy.remove(key)
            self.bytes -= size_of(self.entries.pop(key).value)

    def clear(self) -> None:
        for key in list(self.entries):
            self.remove(key)


def operate(policy: type[Policy[Any]], count: int) -> StoreModel:
    """So many operations on a store and on its model, which agree after each."""
    now, heard, chance = 0.0, Facts(), Random("memory/soak")
    store: MemoryStore[int] = MemoryStore(
        MAX_ENTRIES,
        policy=reproducible(policy),
        max_bytes=MAX_BYTES,
        size_of=size_of,
        listen=lambda fact: heard.append((str(fact[2]), fact.key)),
        clock=lambda: now,
    )
    model = StoreModel(MODELS[policy](MAX_ENTRIES))
    for step in range(1, count + 1):
        now += chance.choice((0.0, 0.0, chance.random() / 50))
        key = min(int(chance.expovariate(0.05)), KEYS)
        what = chance.random()
        heard.clear()
        if what < 0.35:
            found = store.peek(key)
            assert found is model.read(key, now, heard, peek=True)
        elif what < 0.5:
            found = store.find(key)
            assert found is model.read(key, now, heard, peek=False)
        elif what < 0.93:
            midnight = DAY_S * (now // DAY_S + 1)
            expires = chance.choice((now, now + chance.random(), now + 20 * chance.random(), midnight, midnight, inf))
            entry = Entry(step, expires, expires - chance.choice((0.0, 0.0, 2.0)))
            store.put(key, entry)
            model.put(key, entry, now, heard)
        elif what < 0.995:
            store.remove(key)
            model.remove(key)
            assert heard == []
        elif what < 0.9995:
            now += 30 * chance.random()
        else:
            store.clear()
            model.clear()
            assert heard == []
        assert (len(store), store.bytes) == (len(model.entries), model.bytes)
        assert (store.evicted, store.expired, store.refused) == (model.evicted, model.expired, model.refused)
        if step % 20 == 0:
            assert store._entries == model.entries
            assert set(store._policy.resident) == model.policy.resident() == set(model.entries)
    return model


@EVERY_POLICY
@pytest.mark.parametrize("count", tiers(1_000_000, quick=3_000, soak_timeout_s=900))
def test_the_store_does_what_the_obvious_model_does(policy: type[Policy[Any]], count: int) -> None:
    """Every answer, fact, counter and byte is the model's, and each kind of thing has happened often."""
    model = operate(policy, count)
    assert min(model.evicted, model.expired) > count / 50
    assert model.refused > count / 200


@pytest.mark.parametrize(
    ("part", "broken"),
    [
        ("cachelab.stores.memory.MemoryStore.clear", lambda store: None),
        ("cachelab.stores.memory.MemoryStore.remove", lambda store, key: None),
        ("cachelab.eviction.lru.LRU.remove", lambda policy, key: None),
        ("cachelab.stores.expiry_heap.ExpiryHeap.purge", lambda heap, limit, now: None),
    ],
)
def test_without_one_of_its_parts_the_store_differs(part: str, broken: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test above can fail: with a part that does less, the store and its model soon disagree."""
    monkeypatch.setattr(part, broken)
    with pytest.raises((AssertionError, LookupError)):
        operate(LRU, 20_000)
