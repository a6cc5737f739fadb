"""Least recently used."""

from hypothesis import given, strategies as st

from cachelab.eviction import LRU, count_hits
from tests.support.eviction_models import LRUModel
from tests.support.fakes import PROPERTY
from tests.support.policy_contract import PolicyContract, eviction_order


class TestLRU(PolicyContract):
    """The contract, and the order of eviction."""

    policy = LRU
    model = LRUModel

    def test_the_last_use_decides(self) -> None:
        """The key that has not been used for longest is evicted first."""
        assert eviction_order(LRU(3), "abc", used="ab") == ["c", "a", "b"]

    @PROPERTY
    @given(
        keys=st.lists(st.integers(1, 12), min_size=1, max_size=120),
        sizes=st.tuples(st.integers(1, 8), st.integers(1, 8)),
    )
    def test_a_larger_cache_holds_every_key_of_a_smaller_one(self, keys: list[int], sizes: tuple[int, int]) -> None:
        """The inclusion property, after each request of any trace."""
        smaller, larger = (LRU[int](size) for size in sorted(sizes))
        for key in keys:
            count_hits(smaller, [key])
            count_hits(larger, [key])
            assert set(smaller.resident) <= set(larger.resident)

    def test_a_hit_runs_no_python(self) -> None:
        """A store calls the C method itself, which makes its hit quick."""
        assert type(LRU(1).hit) is type([].append)
