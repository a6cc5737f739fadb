"""Every eviction policy passes one contract and agrees with a slow, obvious model; then what only one of them does."""

import math
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Hashable, Iterable
from random import Random
from typing import Any

import pytest
from hypothesis import given, strategies as st

from cachelab.eviction import (
    FIFO,
    LFU,
    LRU,
    S3FIFO,
    SIEVE,
    Policy,
    Sketch,
    WTinyLFU,
    count_hits,
    lru_curve,
    miss_ratio_curve,
)
from cachelab.eviction.sketch import digest
from cachelab.lab import loop_trace, scan_trace, shifting_trace, zipf_trace
from tests.support.eviction_models import (
    FIFOModel,
    LFUModel,
    LRUModel,
    Model,
    S3FIFOModel,
    SIEVEModel,
    SketchModel,
    WTinyLFUModel,
)
from tests.support.fakes import PROPERTY
from tests.support.notebooks import ROOT

POLICIES: list[type[Policy[Any]]] = [FIFO, LFU, LRU, S3FIFO, SIEVE, WTinyLFU]
STEPS = st.tuples(st.sampled_from(["ask", "ask", "ask", "ask", "remove", "evict"]), st.integers(1, 12))


class Pair:
    """A policy and its model, told the same and compared after every step; who is in is also kept in a plain set."""

    def __init__(self, policy: Policy[Hashable], model: Model | S3FIFOModel | WTinyLFUModel) -> None:
        self.policy = policy
        self.model = model
        self.inside: set[Hashable] = set()

    def ask(self, key: Hashable) -> None:
        """A request: a hit, or make room and come in."""
        if key in self.inside:
            self.policy.hit(key)
            self.model.hit(key)
        else:
            while len(self.inside) >= self.policy.bound:
                self.evict()
            self.policy.add(key)
            self.model.add(key)
            self.inside.add(key)

    def evict(self) -> None:
        """Both let the same key go, and it was in."""
        if self.inside:
            victim = self.policy.evict()
            assert victim == self.model.evict()
            self.inside.remove(victim)

    def remove(self, key: Hashable) -> None:
        """A delete, or an expiry."""
        if key in self.inside:
            self.policy.remove(key)
            self.model.remove(key)
            self.inside.remove(key)

    def check(self) -> None:
        """Nobody is lost, nobody is left over, and the bound holds."""
        assert set(self.policy.resident) == self.model.resident() == self.inside
        assert len(self.policy) == len(self.inside) <= self.policy.bound


class Shelf:
    """What a store does with a policy, in bytes: keys and sizes, at most `max_bytes` and at most the policy's bound."""

    def __init__(self, policy: Policy[Hashable], max_bytes: int) -> None:
        self.policy = policy
        self.max_bytes = max_bytes
        self.sizes: dict[Hashable, int] = {}
        self.evicted: list[Hashable] = []

    def ask(self, key: Hashable, size: int) -> None:
        """A hit, or an entry of so many bytes."""
        if key in self.sizes:
            self.policy.hit(key)
            return
        while len(self.policy) >= self.policy.bound or sum(self.sizes.values()) + size > self.max_bytes:
            self.evicted.append(self.policy.evict())
            del self.sizes[self.evicted[-1]]
        self.policy.add(key)
        self.sizes[key] = size


class PolicyContract:
    """What every policy promises. The test class of a policy inherits this and says what to build."""

    policy: type[Policy[Any]]
    model: type[Model | S3FIFOModel | WTinyLFUModel]

    def pair(self, bound: int) -> Pair:
        """A policy and its model, both empty."""
        return Pair(self.policy(bound), self.model(bound))

    @pytest.mark.parametrize("bound", [0, -1, 2.5])
    def test_a_bound_must_be_a_whole_number_of_at_least_one(self, bound: Any) -> None:
        """A cache that could hold nothing is refused when it is built."""
        with pytest.raises(ValueError, match="bound must be a whole number of at least 1"):
            self.policy(bound)

    def test_an_empty_policy_has_nobody_to_evict(self) -> None:
        """At the start, and when everybody has left."""
        policy = self.policy(2)
        for _ in range(2):
            with pytest.raises(KeyError):
                policy.evict()
            policy.add(1)
            policy.remove(1)

    def test_who_is_not_there_cannot_be_removed(self) -> None:
        """It was never there, or is there no more."""
        policy = self.policy(2)
        policy.add(1)
        policy.remove(1)
        for key in (1, 2):
            with pytest.raises(KeyError):
                policy.remove(key)

    def test_who_has_left_comes_back_as_a_newcomer(self) -> None:
        """A key that was evicted or removed can be added again."""
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
        """A policy in a notebook cell shows its name and its numbers, and no address."""
        policy = self.policy(10)
        policy.add("key")
        assert repr(policy) == f"{self.policy.__name__}(1 of 10 entries)"

    @pytest.mark.parametrize("key", [None, "", 0, (), ("user", 1), 1.5, frozenset({1})], ids=repr)
    def test_any_hashable_is_a_key(self, key: Hashable) -> None:
        """The falsy ones too."""
        policy = self.policy(1)
        policy.add(key)
        policy.hit(key)
        assert policy.evict() == key

    @PROPERTY
    @given(bound=st.sampled_from([1, 2, 3, 5, 10]), steps=st.lists(STEPS, min_size=40, max_size=120))
    def test_it_does_what_the_obvious_model_does(self, bound: int, steps: list[tuple[str, int]]) -> None:
        """For any sequence of requests, removals and extra evictions, the same keys leave in the same order."""
        pair = self.pair(bound)
        for step, key in steps:
            if step == "evict":
                pair.evict()
            else:
                getattr(pair, step)(key)
            pair.check()

    @pytest.mark.parametrize("bound", [20, 300])
    def test_it_does_so_in_larger_caches(self, bound: int) -> None:
        """With room for more than one key in each share, under traffic that hits about half the time."""
        self.play(bound, steps=5_000, check_every=50)

    @pytest.mark.long
    @pytest.mark.parametrize("bound", [1, 7, 100, 300])
    def test_it_never_diverges(self, bound: int) -> None:
        """100,000 steps, checked after each."""
        self.play(bound, steps=100_000, check_every=1)

    def play(self, bound: int, steps: int, check_every: int) -> None:
        """Zipf traffic over ten times as many keys as there is room for; 10 % of the steps remove, 2 % evict."""
        pair = self.pair(bound)
        random = Random(f"{self.policy.__name__}/{bound}")
        for number, key in enumerate(zipf_trace(steps, 10 * bound, 1.0, seed=bound)):
            kind = random.random()
            if kind < 0.1:
                pair.remove(key)
            elif kind < 0.12:
                pair.evict()
            else:
                pair.ask(key)
            if number % check_every == 0:
                pair.check()
        pair.check()

    @PROPERTY
    @given(
        bound=st.integers(1, 8),
        asked=st.lists(st.tuples(st.integers(1, 12), st.integers(1, 40)), min_size=30, max_size=90),
    )
    def test_it_serves_a_store_that_counts_bytes(self, bound: int, asked: list[tuple[int, int]]) -> None:
        """Asked until the newcomer fits, it names a resident each time, and never the newcomer; nobody is lost."""
        shelf = Shelf(self.policy(bound), max_bytes=100)
        came: list[int] = []
        for key, size in asked:
            came += [key] if key not in shelf.sizes else []
            shelf.ask(key, size)
            assert key in shelf.sizes
            assert sum(shelf.sizes.values()) <= 100
            assert len(shelf.sizes) <= bound
            assert set(shelf.policy.resident) == set(shelf.sizes)
        assert Counter(came) == Counter([*shelf.evicted, *shelf.sizes])

    def test_a_replay_counts_what_a_store_would(self) -> None:
        """`count_hits` makes the calls in the store's order, so the hits are the same."""
        keys = zipf_trace(3_000, 200, 0.8)
        pair = self.pair(30)
        hits = 0
        for key in keys:
            hits += key in pair.inside
            pair.ask(key)
        assert count_hits(self.policy(30), keys) == (3_000, hits)

    def test_a_replay_goes_on_where_the_last_one_ended(self) -> None:
        """Two halves of a trace give the hits of the whole, also when the first half does not fill the cache."""
        keys = zipf_trace(3_000, 200, 0.8)
        whole = count_hits(self.policy(150), keys)
        policy = self.policy(150)
        for halves in (keys[:100], keys[100:]):
            whole = whole._replace(hits=whole.hits - count_hits(policy, halves).hits)
        assert whole.hits == 0


class TestFIFO(PolicyContract):
    """First in, first out."""

    policy = FIFO
    model = FIFOModel

    def test_being_used_does_not_help(self) -> None:
        """The oldest leaves, however popular."""
        assert order_of_leaving(FIFO(3), "abc", used="aaa") == ["a", "b", "c"]


class TestLRU(PolicyContract):
    """Least recently used."""

    policy = LRU
    model = LRUModel

    def test_the_last_use_decides(self) -> None:
        """Whoever was not used for longest leaves first."""
        assert order_of_leaving(LRU(3), "abc", used="ab") == ["c", "a", "b"]

    def test_a_hit_runs_no_python(self) -> None:
        """A store calls the C method itself, which is what makes its hit quick."""
        assert type(LRU(1).hit) is type([].append)


class TestLFU(PolicyContract):
    """Least frequently used."""

    policy = LFU
    model = LFUModel

    def test_the_number_of_uses_decides_and_then_the_last_one(self) -> None:
        """Twice beats once; among equals the least recently used leaves."""
        assert order_of_leaving(LFU(4), "abcd", used="aabdb") == ["c", "d", "a", "b"]

    def test_who_leaves_loses_the_count(self) -> None:
        """A popular key that was removed comes back as a newcomer."""
        policy: LFU[str] = LFU(2)
        policy.add("a")
        for _ in range(9):
            policy.hit("a")
        policy.remove("a")
        policy.add("b")
        policy.hit("b")
        policy.add("a")
        assert policy.evict() == "a"


class TestSIEVE(PolicyContract):
    """One queue, a mark, and a hand."""

    policy = SIEVE
    model = SIEVEModel

    def test_survivors_stay_where_they_are(self) -> None:
        """The hand passes a and b, takes c, and goes on at d; on its next round a comes before b again."""
        policy: SIEVE[str] = SIEVE(5)
        for key in "abcde":
            policy.add(key)
        for key in "ab":
            policy.hit(key)
        assert [policy.evict() for _ in range(5)] == ["c", "d", "e", "a", "b"]

    def test_the_hand_starts_again_at_the_oldest(self) -> None:
        """When it has taken the newest, a key that comes afterwards is not the next to leave."""
        policy: SIEVE[str] = SIEVE(3)
        for key in "abc":
            policy.add(key)
        policy.hit("a")
        policy.hit("b")
        assert policy.evict() == "c"
        policy.add("d")
        assert policy.evict() == "a"

    def test_resident_shows_the_queue(self) -> None:
        """In its order, the oldest first, also after the hand has passed."""
        policy: SIEVE[str] = SIEVE(3)
        for key in "abc":
            policy.add(key)
        policy.hit("a")
        policy.evict()
        policy.add("d")
        assert list(policy.resident) == ["a", "c", "d"]


class TestS3FIFO(PolicyContract):
    """Small, main and ghost."""

    policy = S3FIFO
    model = S3FIFOModel

    def test_who_comes_back_in_time_is_believed(self) -> None:
        """Key 0 is evicted and asked for again while the ghost remembers it: it survives a scan, key 100 does not."""
        policy: S3FIFO[int] = S3FIFO(20)
        count_hits(policy, [*range(20), 100, 0, *range(200, 230)])
        assert {0, 100} & set(policy.resident) == {0}

    def test_on_a_loop_the_start_decides(self) -> None:
        """120 keys in turn, room for 100: who came to main while the cache filled up stays there, as in libcachesim.

        With the paper's start, where the first 100 are all in the small queue, other keys stay, and more of them.
        """
        keys = loop_trace(20_000, 120)
        assert count_hits(S3FIFO(100), keys).hit_ratio == hit_ratio(S3FIFOModel(100), keys) == 0.5299
        assert hit_ratio(S3FIFOModel(100, papers_start=True), keys) == 0.6388


class TestWTinyLFU(PolicyContract):
    """A window, a main cache in two segments, and a contest between them."""

    policy = WTinyLFU
    model = WTinyLFUModel

    def test_who_was_asked_for_as_often_does_not_get_in(self) -> None:
        """A candidate needs more requests than main's victim: with as many it leaves, with one more the victim does."""
        for requests, leaves in ((2, "candidate"), (3, "victim")):
            policy: WTinyLFU[str] = WTinyLFU(2)
            count_hits(policy, ["victim", "victim", "candidate", "candidate"])
            count_hits(policy, ["candidate"] * (requests - 2))
            assert policy.evict() == leaves

    def test_a_scan_does_not_push_out_who_is_popular(self) -> None:
        """Popular keys stay through ten times as many keys as there is room for, that are asked for once."""
        policy: WTinyLFU[int] = WTinyLFU(100)
        count_hits(policy, 5 * list(range(90)))
        count_hits(policy, range(1_000, 1_900))
        assert len(set(range(90)) & set(policy.resident)) >= 85


class TestSketch:
    """Counts of many keys in a few bytes."""

    @PROPERTY
    @given(capacity=st.integers(1, 20), notes=st.lists(st.tuples(st.integers(1, 30), st.integers(0, 255)), max_size=99))
    def test_it_does_what_the_obvious_model_does(self, capacity: int, notes: list[tuple[int, int]]) -> None:
        """Two places that keep the most that was noted; the smaller is the estimate. A 0 stands for halving all."""
        sketch, model = Sketch(capacity), SketchModel(capacity)
        for key, count in notes:
            if count:
                sketch.note(digest(key), count)
                model.note(key, count)
            else:
                sketch.halve()
                model.halve()
        assert [sketch.estimate(digest(key)) for key in range(1, 31)] == [model.estimate(key) for key in range(1, 31)]

    def test_an_estimate_is_never_too_low(self) -> None:
        """It is too high for no more keys than chance would have it: those that share both places with others."""
        sketch = Sketch(1_000)
        truth = Counter(zipf_trace(9_999, 10_000, 0.8))
        for key, count in truth.items():
            sketch.note(digest(key), min(count, 15))
        over = [sketch.estimate(digest(key)) - min(count, 15) for key, count in truth.items()]
        assert min(over) == 0
        sharing = (1 - math.exp(-2 * len(truth) / 65_536)) ** 2
        assert 0 < sum(excess > 0 for excess in over) / len(over) < sharing

    @pytest.mark.parametrize("capacity", [100, 10_000, 50_000])
    def test_keys_spread_over_all_counters(self, capacity: int) -> None:
        """Strangers are taken for known as rarely as chance would have it, or little more: numbers in a row, and texts.

        A checksum is no random function: for some such sets it is up to three times as often.
        """
        known, strangers = range(8 * capacity), range(10**7, 10**7 + 20_000)
        counters = 1 << math.ceil(math.log2(48 * capacity))
        for name in (int, "user:{}".format):
            sketch = Sketch(capacity)
            for number in known:
                sketch.note(digest(name(number)), 1)
            mistaken = sum(sketch.estimate(digest(name(number))) for number in strangers)
            expected = (1 - math.exp(-2 * len(known) / counters)) ** 2
            assert 0 < mistaken / len(strangers) < 4 * expected


FIGURES: dict[str, tuple[Callable[[], list[int]], int, tuple[float, ...]]] = {
    "zipf": (lambda: zipf_trace(200_000, 10_000, 1.0), 100, (0.343, 0.498, 0.390, 0.506, 0.508, 0.519)),
    "loop": (lambda: loop_trace(200_000, 1_200), 1_000, (0.0, 0.0, 0.0, 0.551, 0.0, 0.821)),
    "hot set that moves": (lambda: shifting_trace(200_000, 10_000), 1_000, (0.629, 0.551, 0.673, 0.724, 0.720, 0.719)),
}
"""Three traces, room for so many, and the hit ratio of each of POLICIES."""


@pytest.mark.parametrize("trace", FIGURES)
def test_the_hit_ratios_are_known(trace: str) -> None:
    """The figures that tell the policies apart; they are the same on every machine."""
    make, size, figures = FIGURES[trace]
    keys = make()
    measured = [count_hits(policy(size), keys).hit_ratio for policy in POLICIES]
    assert measured == pytest.approx(figures, abs=0.0005)


class TestReplay:
    """Curves over many sizes."""

    def test_ratios_add_up(self) -> None:
        """Hit ratio and miss ratio are 1 together."""
        replay = count_hits(LRU(2), [1, 2, 1, 3])
        assert (replay.hit_ratio, replay.miss_ratio) == (0.25, 0.75)

    @PROPERTY
    @given(keys=st.lists(st.integers(1, 12), min_size=1, max_size=120))
    def test_one_pass_gives_the_lru_curve(self, keys: list[int]) -> None:
        """For any trace and every size, `lru_curve` says exactly what a replay of each size says."""
        assert lru_curve(keys, range(1, 15)) == miss_ratio_curve(LRU, keys, range(1, 15))

    def test_a_policy_runs_the_same_in_every_process(self) -> None:
        """Texts as keys, whose `hash` differs between processes: every policy has the hits it has here."""
        keys = [f"user:{key}" for key in scan_trace(10_000, 1_000)]
        here = [count_hits(policy(100), keys).hits for policy in POLICIES]
        code = (
            "from cachelab.eviction import *; from cachelab.lab import scan_trace;"
            "keys = [f'user:{key}' for key in scan_trace(10_000, 1_000)];"
            f"policies = {', '.join(policy.__name__ for policy in POLICIES)};"
            "print(*(count_hits(policy(100), keys).hits for policy in policies))"
        )
        for seed in ("1", "2"):
            command, environment = [sys.executable, "-c", code], os.environ | {"PYTHONHASHSEED": seed}
            done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=True)
            assert [int(hits) for hits in done.stdout.split()] == here


def hit_ratio(model: S3FIFOModel, keys: list[int]) -> float:
    """What a model makes of a trace."""
    hits = 0
    for key in keys:
        if key in model.resident():
            hits += 1
            model.hit(key)
        else:
            if len(model.resident()) == model.bound:
                model.evict()
            model.add(key)
    return hits / len(keys)


def order_of_leaving(policy: Policy[str], come: Iterable[str], used: Iterable[str]) -> list[str]:
    """Who leaves first, second, ... after all have come and some were used."""
    for key in come:
        policy.add(key)
    for key in used:
        policy.hit(key)
    return [policy.evict() for _ in range(len(policy))]
