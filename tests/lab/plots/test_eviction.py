"""What the pictures of evictions say in words, and the miss ratios behind them."""

from typing import Any

from cachelab import lab
from cachelab.eviction import LRU, OPT, SIEVE, count_hits


def test_each_request_has_a_picture_that_says_what_each_policy_did() -> None:
    """The scan of chapter 4: at the last request LRU misses B and SIEVE hits it."""
    pictures = lab.eviction_steps({"LRU": LRU, "SIEVE": SIEVE}, "ABAB12A34B", 4, "title", first=9)
    assert list(pictures) == ["9 (4)", "10 (B)"]
    assert pictures["10 (B)"].words == ("LRU: miss, 2 leaves, in the queue A 3 4 B; SIEVE: hit, in the queue A B 3 4.")


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
    assert picture.words == "mine: miss, A leaves, in the queue B."
