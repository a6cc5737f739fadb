"""SIEVE: one queue, a mark, and a hand."""

from cachelab.eviction import SIEVE
from tests.support.eviction_models import SIEVEModel
from tests.support.policy_contract import PolicyContract


class TestSIEVE(PolicyContract):
    """The contract, and where the hand goes."""

    policy = SIEVE
    model = SIEVEModel

    def test_keys_that_survive_keep_their_place(self) -> None:
        """The hand passes a and b, evicts c, and goes on at d. In its next round, a comes before b again."""
        policy: SIEVE[str] = SIEVE(5)
        for key in "abcde":
            policy.add(key)
        for key in "ab":
            policy.hit(key)
        assert [policy.evict() for _ in range(5)] == ["c", "d", "e", "a", "b"]

    def test_the_hand_starts_again_at_the_oldest(self) -> None:
        """After it has evicted the newest key, a key that comes later is not the next to be evicted."""
        policy: SIEVE[str] = SIEVE(3)
        for key in "abc":
            policy.add(key)
        policy.hit("a")
        policy.hit("b")
        assert policy.evict() == "c"
        policy.add("d")
        assert policy.evict() == "a"

    def test_resident_shows_the_queue(self) -> None:
        """It has the order of the queue, the oldest key first, even after the hand has passed."""
        policy: SIEVE[str] = SIEVE(3)
        for key in "abc":
            policy.add(key)
        policy.hit("a")
        policy.evict()
        policy.add("d")
        assert list(policy.resident) == ["a", "c", "d"]
