"""Least recently used."""

from cachelab.eviction import LRU
from tests.support.eviction_models import LRUModel
from tests.support.policy_contract import PolicyContract, eviction_order


class TestLRU(PolicyContract):
    """The contract, and the order of eviction."""

    policy = LRU
    model = LRUModel

    def test_the_last_use_decides(self) -> None:
        """The key that has not been used for longest is evicted first."""
        assert eviction_order(LRU(3), "abc", used="ab") == ["c", "a", "b"]

    def test_a_hit_runs_no_python(self) -> None:
        """A store calls the C method itself, which makes its hit quick."""
        assert type(LRU(1).hit) is type([].append)
