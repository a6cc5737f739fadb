"""Least frequently used."""

from cachelab.eviction import LFU
from tests.support.eviction_models import LFUModel
from tests.support.policy_contract import PolicyContract, eviction_order


class TestLFU(PolicyContract):
    """The contract, the order of eviction, and the counts."""

    policy = LFU
    model = LFUModel

    def test_the_number_of_uses_decides_and_then_the_last_one(self) -> None:
        """A key used once goes before one used twice. Of several, the least recently used is evicted."""
        assert eviction_order(LFU(4), "abcd", used="aabdb") == ["c", "d", "a", "b"]

    def test_a_removed_key_loses_its_count(self) -> None:
        """A popular key that was removed starts at 1 when it comes back."""
        policy: LFU[str] = LFU(2)
        policy.add("a")
        for _ in range(9):
            policy.hit("a")
        policy.remove("a")
        policy.add("b")
        policy.hit("b")
        policy.add("a")
        assert policy.evict() == "a"
