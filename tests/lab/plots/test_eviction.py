"""What the pictures of evictions say in words, and the miss ratios behind them."""

from typing import Any

import pytest

from cachelab import lab
from cachelab.eviction import FIFO, LRU, OPT, SIEVE, count_hits, count_hits_with_ttl


def test_each_request_has_a_picture_that_says_what_each_policy_did() -> None:
    """The scan of chapter 4: at the last request LRU misses B and SIEVE hits it."""
    pictures = lab.eviction_steps({"LRU": LRU, "SIEVE": SIEVE}, "ABAB12A34B", 4, "title", first=9)
    assert list(pictures) == ["9 (4)", "10 (B)"]
    assert pictures["10 (B)"].words == (
        "LRU: miss, 2 is evicted, in the queue A 3 4 B; SIEVE: hit, in the queue A B* [3] 4."
    )


def test_the_miss_ratios_are_those_of_single_runs() -> None:
    """Those of LRU come from one pass for all sizes, and OPT is always among the policies."""
    keys, sizes = lab.zipf_trace(3_000, 200), [10, 50]
    ratios = lab.miss_ratios(keys, sizes, [LRU, SIEVE])
    assert ratios == {
        "LRU": [count_hits(LRU(size), keys).miss_ratio for size in sizes],
        "SIEVE": [count_hits(SIEVE(size), keys).miss_ratio for size in sizes],
        "OPT": [count_hits(OPT(size, keys), keys).miss_ratio for size in sizes],
    }
    words = lab.plot_policies({"Zipf": ratios}, sizes, "title").words
    assert f"Zipf: LRU {ratios['LRU'][1]:.3f}, SIEVE {ratios['SIEVE'][1]:.3f}, OPT {ratios['OPT'][1]:.3f}" in words


def test_a_learners_own_policy_can_be_drawn() -> None:
    """Its name has no style of its own, and it has no hand."""

    class Mine(LRU[Any]):
        pass

    keys = lab.loop_trace(50, 5)
    assert "Mine" in lab.plot_policies({"": lab.miss_ratios(keys, [2], [Mine])}, [2], "title").words
    picture = lab.eviction_steps({"mine": Mine}, "AB", 1, "title")["2 (B)"]
    assert picture.words == "mine: miss, A is evicted, in the queue B."


def test_with_times_the_lowest_miss_ratio_is_that_of_room_for_all() -> None:
    """Of twelve requests for four keys in turn each key misses once, and again when its entry has expired."""
    keys, times = [1, 2, 3, 4] * 3, [float(number) for number in range(12)]
    ratios = lab.miss_ratios(keys, [2, 4], [LRU], times_s=times, ttl_s=5)
    assert ratios == {
        "LRU": [count_hits_with_ttl(LRU(size), keys, times, 5).miss_ratio for size in (2, 4)],
        "no eviction": [8 / 12, 8 / 12],
    }


def test_a_ttl_needs_times() -> None:
    """Without them nobody knows what has expired."""
    with pytest.raises(ValueError, match="give times_s"):
        lab.miss_ratios([1, 2], [1], [LRU], ttl_s=5)


def test_only_the_named_policies_are_drawn() -> None:
    """The words leave out the others as well. With five traces a place is left empty, and three are in one row."""
    ratios = lab.miss_ratios(lab.zipf_trace(300, 50), [5, 10], [FIFO, LRU])
    for traces in ("abc", "abcde"):
        words = lab.plot_policies(dict.fromkeys(traces, ratios), [5, 10], "title", drawn=["LRU", "OPT"]).words
        assert f"{traces[-1]}: LRU" in words
        assert "OPT" in words
        assert "FIFO" not in words


def test_what_the_origin_can_carry_is_drawn_and_said() -> None:
    """The limit is at the end of the words; without one nothing is said of it."""
    curves = {"trace": {"LRU": [0.5, 0.2], "OPT": [0.3, 0.1]}}
    assert lab.plot_policies(curves, [10, 20], "title", limit=0.25).words.endswith("; the origin can carry 0.250.")
    assert "carry" not in lab.plot_policies(curves, [10, 20], "title").words
