"""What every eviction policy promises. The tests of a policy inherit `PolicyContract`.

class TestMine(PolicyContract):
    policy = Mine
    model = MineModel
"""

import gc
from collections import Counter
from collections.abc import Callable, Hashable, Iterable
from functools import partial
from random import Random
from typing import Any
from weakref import ref

import pytest
from hypothesis import given, strategies as st

from cachelab.eviction import FIFO, LFU, LRU, S3FIFO, SIEVE, Policy, WTinyLFU, count_hits
from cachelab.lab import zipf_trace
from tests.support.eviction_models import Model
from tests.support.fakes import PROPERTY

__all__ = ["POLICIES", "PolicyContract", "eviction_order", "reproducible"]

POLICIES: list[type[Policy[Any]]] = [FIFO, LFU, LRU, S3FIFO, SIEVE, WTinyLFU]
STEPS = st.tuples(st.sampled_from(["request", "request", "request", "request", "remove", "evict"]), st.integers(1, 12))


def reproducible(policy: Callable[[int], Policy[Any]]) -> Callable[[int], Policy[Any]]:
    """The policy in a form that makes the same choices in a store as in a replay. Most policies do anyway."""
    return partial(WTinyLFU, reproducible=True) if policy is WTinyLFU else policy


class Key:
    """A key that can be referred to weakly."""


class Pair:
    """A policy and its model, which are given the same calls. `resident` is the set of keys that should be in both."""

    def __init__(self, policy: Policy[Hashable], model: Model) -> None:
        self.policy = policy
        self.model = model
        self.resident: set[Hashable] = set()

    def request(self, key: Hashable) -> None:
        """Request the key: it is a hit, or room is made and it is added."""
        if key in self.resident:
            self.policy.hit(key)
            self.model.hit(key)
        else:
            while len(self.resident) >= self.policy.bound:
                self.evict()
            self.policy.add(key)
            self.model.add(key)
            self.resident.add(key)

    def evict(self) -> None:
        """Evict from both: it is the same key, and it was resident."""
        if self.resident:
            victim = self.policy.evict()
            assert victim == self.model.evict()
            self.resident.remove(victim)

    def remove(self, key: Hashable) -> None:
        """Remove the key, as a delete or an expiry does."""
        if key in self.resident:
            self.policy.remove(key)
            self.model.remove(key)
            self.resident.remove(key)

    def check(self) -> None:
        """No key is lost, none is left over, and the bound holds."""
        assert set(self.policy.resident) == self.model.resident() == self.resident
        assert len(self.policy) == len(self.resident) <= self.policy.bound


class ByteStore:
    """What a store that counts bytes does with a policy. It has at most `max_bytes`, and as many keys as the bound."""

    def __init__(self, policy: Policy[Hashable], max_bytes: int) -> None:
        self.policy = policy
        self.max_bytes = max_bytes
        self.sizes: dict[Hashable, int] = {}
        self.evicted: list[Hashable] = []

    def request(self, key: Hashable, size: int) -> None:
        """Request the key: it is a hit, or an entry of so many bytes is added."""
        if key in self.sizes:
            self.policy.hit(key)
            return
        while len(self.policy) >= self.policy.bound or sum(self.sizes.values()) + size > self.max_bytes:
            self.evicted.append(self.policy.evict())
            del self.sizes[self.evicted[-1]]
        self.policy.add(key)
        self.sizes[key] = size


class PolicyContract:
    """What every policy promises. The test class of a policy inherits this, and names the policy and its model."""

    policy: type[Policy[Any]]
    model: type[Model]

    def pair(self, bound: int) -> Pair:
        """A policy and its model, both empty."""
        return Pair(self.policy(bound), self.model(bound))

    @pytest.mark.parametrize("bound", [0, -1, 2.5])
    def test_a_bound_must_be_a_whole_number_of_at_least_one(self, bound: Any) -> None:
        """A bound that makes no sense is refused when the policy is built."""
        with pytest.raises(ValueError, match="bound must be a whole number of at least 1"):
            self.policy(bound)

    def test_a_policy_without_keys_is_true(self) -> None:
        """`if policy:` asks whether there is a policy, not whether it has keys."""
        assert bool(self.policy(2))

    def test_an_empty_policy_cannot_evict(self) -> None:
        """Neither at the start nor after its last key was removed."""
        policy = self.policy(2)
        for _ in range(2):
            with pytest.raises(KeyError):
                policy.evict()
            policy.add(1)
            policy.remove(1)

    def test_a_key_that_is_not_resident_cannot_be_removed(self) -> None:
        """Neither one that was never added nor one that was removed before."""
        policy = self.policy(2)
        policy.add(1)
        policy.remove(1)
        for key in (1, 2):
            with pytest.raises(KeyError):
                policy.remove(key)

    def test_a_key_that_was_evicted_or_removed_can_be_added_again(self) -> None:
        """It is the only resident key each time, and then there is none."""
        policy = self.policy(1)
        for key in (1, 2, 1):
            policy.add(key)
            assert list(policy.resident) == [key]
            if key == 1:
                assert policy.evict() == key
            else:
                policy.remove(key)
            assert list(policy.resident) == []

    def test_repr_says_how_full_it_is(self) -> None:
        """A policy in a notebook cell shows its name and how many entries it has, and no address."""
        policy = self.policy(10)
        policy.add("key")
        assert repr(policy) == f"{self.policy.__name__}(1 of 10 entries)"

    @pytest.mark.parametrize("key", [None, "", 0, (), ("user", 1), 1.5, frozenset({1})], ids=repr)
    def test_any_hashable_is_a_key(self, key: Hashable) -> None:
        """Even a false one."""
        policy = self.policy(1)
        policy.add(key)
        policy.hit(key)
        assert policy.evict() == key

    def test_a_dropped_policy_frees_its_keys_at_once(self) -> None:
        """Without the garbage collector, after keys were added, used, evicted and removed."""
        gc.disable()
        try:
            policy = self.policy(20)
            keys = [Key() for _ in range(30)]
            count_hits(policy, [*keys, *keys[15:], keys[0]])
            policy.remove(keys[0])
            kept, gone = [ref(key) for key in keys], ref(policy)
            del keys
            assert sum(key() is not None for key in kept) >= 19
            del policy
            assert gone() is None
            assert [key() for key in kept] == [None] * 30
        finally:
            gc.enable()

    @PROPERTY
    @given(bound=st.sampled_from([1, 2, 3, 5, 10]), steps=st.lists(STEPS, min_size=40, max_size=120))
    def test_it_does_what_the_obvious_model_does(self, bound: int, steps: list[tuple[str, int]]) -> None:
        """For any sequence of requests, removals and extra evictions, the same keys are evicted in the same order."""
        pair = self.pair(bound)
        for step, key in steps:
            if step == "evict":
                pair.evict()
            else:
                getattr(pair, step)(key)
            pair.check()

    @pytest.mark.parametrize("bound", [20, 300])
    def test_it_does_so_in_larger_caches(self, bound: int) -> None:
        """There is room for more than one key in each share, and about half of the requests hit."""
        self.play(bound, steps=5_000, check_every=50)

    @pytest.mark.long
    @pytest.mark.parametrize("bound", [1, 7, 100, 300])
    def test_it_never_differs_from_the_model(self, bound: int) -> None:
        """It is compared after each of 100,000 steps."""
        self.play(bound, steps=100_000, check_every=1)

    def play(self, bound: int, steps: int, check_every: int) -> None:
        """Zipf traffic over ten times as many keys as there is room for. 10 % of the steps remove a key, 2 % evict."""
        pair = self.pair(bound)
        random = Random(f"{self.policy.__name__}/{bound}")
        for number, key in enumerate(zipf_trace(steps, 10 * bound, 1.0, seed=bound)):
            kind = random.random()
            if kind < 0.1:
                pair.remove(key)
            elif kind < 0.12:
                pair.evict()
            else:
                pair.request(key)
            if number % check_every == 0:
                pair.check()
        pair.check()

    @PROPERTY
    @given(
        bound=st.integers(1, 8),
        requests=st.lists(st.tuples(st.integers(1, 12), st.integers(1, 40)), min_size=30, max_size=90),
    )
    def test_it_serves_a_store_that_counts_bytes(self, bound: int, requests: list[tuple[int, int]]) -> None:
        """It evicts resident keys until the new one fits, never the new one itself, and no key is lost."""
        store = ByteStore(self.policy(bound), max_bytes=100)
        added: list[int] = []
        for key, size in requests:
            added += [key] if key not in store.sizes else []
            store.request(key, size)
            assert key in store.sizes
            assert sum(store.sizes.values()) <= 100
            assert len(store.sizes) <= bound
            assert set(store.policy.resident) == set(store.sizes)
        assert Counter(added) == Counter([*store.evicted, *store.sizes])

    def test_count_hits_has_the_hits_of_a_store(self) -> None:
        """It makes the calls in the order in which a store makes them."""
        keys = zipf_trace(3_000, 200, 0.8)
        pair = self.pair(30)
        hits = 0
        for key in keys:
            hits += key in pair.resident
            pair.request(key)
        assert count_hits(self.policy(30), keys) == (3_000, hits)

    def test_count_hits_goes_on_with_a_policy_that_has_keys(self) -> None:
        """Two parts of a trace have the hits of the whole, even if the first part does not fill the cache."""
        keys = zipf_trace(3_000, 200, 0.8)
        policy = self.policy(150)
        in_parts = [count_hits(policy, part).hits for part in (keys[:100], keys[100:])]
        assert sum(in_parts) == count_hits(self.policy(150), keys).hits


def eviction_order(policy: Policy[str], added: Iterable[str], used: Iterable[str]) -> list[str]:
    """The order in which all keys are evicted, after all were added and then some were used."""
    for key in added:
        policy.add(key)
    for key in used:
        policy.hit(key)
    return [policy.evict() for _ in range(len(policy))]
