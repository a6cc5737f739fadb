"""W-TinyLFU: a window, a main cache in two segments, and an admission by popularity."""

from functools import partial

from cachelab.eviction import WTinyLFU, count_hits
from cachelab.eviction.sketch import digest
from cachelab.stores.memory import MemoryStore
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


def forged() -> list[str]:
    """Sixteen different strings of digits that have the same CRC, and so share both places in every sketch.

    A CRC is linear: which of its bits change depends only on which bits of the text do. So among 33 positions, at each
    of which a 0 may become a 1, there are always some whose changes cancel each other.
    """
    length = 40
    plain = digest("0" * length)
    cancelling: list[int] = []  # sets of positions, as bits, that together change nothing
    basis: dict[int, tuple[int, int]] = {}  # by its highest bit: a change of the CRC, and the positions that make it
    for position in range(length):
        change, positions = digest("0" * position + "1" + "0" * (length - position - 1)) ^ plain, 1 << position
        while change and change.bit_length() in basis:
            other, others = basis[change.bit_length()]
            change, positions = change ^ other, positions ^ others
        if change:
            basis[change.bit_length()] = change, positions
        else:
            cancelling.append(positions)
    texts = [0]
    for positions in cancelling[:4]:
        texts += [text ^ positions for text in texts]
    return [f"{text:0{length}b}"[::-1] for text in texts]


def test_forged_keys_are_taken_for_one_only_where_the_choices_are_reproducible() -> None:
    """Whoever knows the digest can choose keys that share their counters. In a store there is a secret in it."""
    keys = forged()
    assert len(set(keys)) == 16
    assert len({digest(key) for key in keys}) == 1
    in_store, exact = (
        MemoryStore[int](100, policy=policy, clock=lambda: 0.0)
        for policy in (WTinyLFU, partial(WTinyLFU, reproducible=True))
    )
    assert [len({store._policy._digest(key) for key in keys}) for store in (in_store, exact)] == [16, 1]  # type: ignore[attr-defined]


def test_each_store_has_a_secret_of_its_own() -> None:
    """Two stores in one process do not count alike, and a policy by itself does."""
    stores = [MemoryStore[int](100, policy=WTinyLFU, clock=lambda: 0.0) for _ in range(2)]
    assert len({store._policy._digest("user:42") for store in stores}) == 2  # type: ignore[attr-defined]
    assert WTinyLFU[str](100)._digest("user:42") == digest("user:42")
