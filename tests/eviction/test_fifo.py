"""First in, first out."""

from cachelab.eviction import FIFO
from tests.support.eviction_models import FIFOModel
from tests.support.policy_contract import PolicyContract, eviction_order


class TestFIFO(PolicyContract):
    """The contract, and that a use changes nothing."""

    policy = FIFO
    model = FIFOModel

    def test_a_use_saves_no_key(self) -> None:
        """The oldest key is evicted, however popular it is."""
        assert eviction_order(FIFO(3), "abc", used="aaa") == ["a", "b", "c"]
