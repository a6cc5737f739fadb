"""What the pictures of eviction say in words, and the instruments behind them."""

import asyncio
import gc
from typing import Any

import pytest

from cachelab import Cache, MemoryStore, lab
from cachelab.eviction import LRU, OPT, SIEVE, count_hits
from tests.support.fakes import in_virtual_time


def test_a_frame_for_each_request_says_what_each_policy_did() -> None:
    """The scan of chapter 4: at the last request LRU misses B and SIEVE hits it."""
    frames = lab.eviction_steps({"LRU": LRU, "SIEVE": SIEVE}, "ABAB12A34B", 4, "title", first=9)
    assert list(frames) == ["9 (4)", "10 (B)"]
    assert frames["10 (B)"].words == ("LRU: miss, 2 leaves, in the queue A 3 4 B; SIEVE: hit, in the queue A B 3 4.")


def test_the_curves_are_those_of_single_replays() -> None:
    """LRU's come from one pass, the others from replays, and OPT is always among them."""
    keys, sizes = lab.zipf_trace(3_000, 200), [10, 50]
    found = lab.miss_ratios(keys, sizes, [LRU, SIEVE])
    assert found == {
        "LRU": [count_hits(LRU(size), keys).miss_ratio for size in sizes],
        "SIEVE": [count_hits(SIEVE(size), keys).miss_ratio for size in sizes],
        "OPT": [count_hits(OPT(size, keys), keys).miss_ratio for size in sizes],
    }
    words = lab.plot_policies({"Zipf": found}, sizes, "title").words
    assert f"Zipf: LRU {found['LRU'][1]:.3f}, SIEVE {found['SIEVE'][1]:.3f}, OPT {found['OPT'][1]:.3f}" in words


def test_a_policy_of_the_learners_own_is_drawn_too() -> None:
    """It has a name that no style is known for, and no hand."""

    class Mine(LRU[Any]):
        pass

    keys = lab.loop_trace(50, 5)
    assert "Mine" in lab.plot_policies({"": lab.miss_ratios(keys, [2], [Mine])}, [2], "title").words
    assert "mine: comes" not in lab.eviction_steps({"mine": Mine}, "AB", 1, "title")["2 (B)"].words


@in_virtual_time
async def test_a_diary_tells_the_lives_of_entries() -> None:
    """Cache and store tell the same diary, and the picture says who left when, and why."""

    async def load(key: int) -> int:
        return key

    diary = lab.EventLog()
    cache = Cache(MemoryStore(2, listen=diary), load, ttl=10, listen=diary)
    for key in (1, 2, 1, 3):
        await asyncio.sleep(1)
        await cache.get(key)
    await asyncio.sleep(10)
    await cache.get(3)
    assert (
        lab.plot_lifetimes(diary, "title", ttl_s=10).words == "2 evicted at 4 s; 3 expired at 14 s; 1 expired at 14 s."
    )


def test_lanes_show_waits_and_hits() -> None:
    """Two requests for a key: the first is served, the second waits in our lock for the whole of it, and hits."""

    async def scenario() -> lab.ReplayResult:
        db = lab.SlowDatabase(users=5, service_s=1.0)
        lock, values = asyncio.Lock(), dict[int, Any]()

        async def get(key: int) -> Any:
            async with lock:
                if key not in values:
                    values[key] = await db.fetch_user(key)
                return values[key]

        return await lab.replay([lab.Request(0.0, 0, 1), lab.Request(0.5, 0, 1)], get, db=db)

    words = lab.plot_lanes({"": lab.run(scenario)}, "title").words
    assert "2 requests, 1 query, 1 hit; 1 had to wait for others, the longest 500 ms" in words


def test_the_ladder_is_in_multiples_of_the_cheapest() -> None:
    """The cheapest comes first, whatever the order of what was measured."""
    assert lab.plot_ladder({"a": 3e-6, "b": 1e-6}, "title").words == "b 1 times, a 3 times."


@pytest.mark.parametrize("kind", ["plain", "async"])
def test_measure_times_plain_and_async_functions(kind: str) -> None:
    """Each way is called with every key in every round and once before, and costs more than nothing."""
    called: list[int] = []

    async def later(key: int) -> None:
        called.append(key)

    way: Any = called.append if kind == "plain" else later
    took = asyncio.run(lab.measure({"it": way}, [1, 2, 3], rounds=4))
    assert called == [1, 2, 3] * 5
    assert took["it"] > 0


def test_what_is_measured_does_not_pay_for_old_objects() -> None:
    """A notebook's past is frozen meanwhile, so that the collector does not look at it, and is not afterwards."""
    frozen = []
    asyncio.run(lab.measure({"it": lambda key: frozen.append(gc.get_freeze_count())}, [1], rounds=1))
    assert min(frozen) > 10_000
    assert gc.get_freeze_count() == 0
    with pytest.raises(ZeroDivisionError):
        asyncio.run(lab.measure({"it": lambda key: 1 / key}, [0], rounds=1))
    assert gc.get_freeze_count() == 0
