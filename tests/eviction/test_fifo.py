"""First in, first out."""

from cachelab.eviction import FIFO, count_hits
from tests.support.eviction_models import FIFOModel
from tests.support.policy_contract import PolicyContract, eviction_order


class TestFIFO(PolicyContract):
    """The contract, and that a use changes nothing."""

    policy = FIFO
    model = FIFOModel

    def test_a_use_saves_no_key(self) -> None:
        """The oldest key is evicted, however popular it is."""
        assert eviction_order(FIFO(3), "abc", used="aaa") == ["a", "b", "c"]

    def test_a_key_stays_until_as_many_others_have_come_as_there_is_room_for(self) -> None:
        """With room for three, the third key that comes after it displaces it; if one is removed, the fourth."""
        for removed, stays in (("", False), ("b", True)):
            policy: FIFO[str] = FIFO(3)
            count_hits(policy, "abc")
            assert "a" in policy.resident
            for key in removed:
                policy.remove(key)
            count_hits(policy, "d")
            assert ("a" in policy.resident) == stays
