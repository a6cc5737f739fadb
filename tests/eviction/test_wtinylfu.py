"""W-TinyLFU: a window, a main cache in two segments, and an admission by popularity."""

from cachelab.eviction import WTinyLFU, count_hits
from tests.support.eviction_models import WTinyLFUModel
from tests.support.policy_contract import PolicyContract


class TestWTinyLFU(PolicyContract):
    """The contract, and which keys are admitted."""

    policy = WTinyLFU
    model = WTinyLFUModel

    def test_a_candidate_needs_more_requests_than_the_victim(self) -> None:
        """With as many requests the candidate is evicted, with one more the victim is."""
        for requests, evicted in ((2, "candidate"), (3, "victim")):
            policy: WTinyLFU[str] = WTinyLFU(2)
            count_hits(policy, ["victim", "victim", "candidate", "candidate"])
            count_hits(policy, ["candidate"] * (requests - 2))
            assert policy.evict() == evicted

    def test_a_scan_does_not_displace_popular_keys(self) -> None:
        """They stay through a scan of nine times as many keys as there is room for, each requested once."""
        policy: WTinyLFU[int] = WTinyLFU(100)
        count_hits(policy, 5 * list(range(90)))
        count_hits(policy, range(1_000, 1_900))
        assert len(set(range(90)) & set(policy.resident)) >= 85
