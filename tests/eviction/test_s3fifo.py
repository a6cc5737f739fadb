"""S3-FIFO: small, main and ghost."""

from cachelab.eviction import S3FIFO, count_hits
from cachelab.lab import loop_trace, zipf_trace
from tests.support.eviction_models import S3FIFOModel
from tests.support.policy_contract import PolicyContract


class TestS3FIFO(PolicyContract):
    """The contract, the ghost, and how the queues fill at first."""

    policy = S3FIFO
    model = S3FIFOModel

    def test_a_key_that_the_ghost_remembers_goes_to_main(self) -> None:
        """Key 0 is requested again while the ghost remembers it, so it survives a scan; key 100 does not."""
        policy: S3FIFO[int] = S3FIFO(20)
        count_hits(policy, [*range(20), 100, 0, *range(200, 230)])
        assert {0, 100} & set(policy.resident) == {0}

    def test_a_scan_never_enters_main(self) -> None:
        """However long it is: once it has displaced the small queue, the same other keys stay for good.

        So they do if there is room again because some keys were removed. Of the scan only the newest keys are there.
        """
        policy: S3FIFO[int] = S3FIFO(100)
        count_hits(policy, zipf_trace(5_000, 500, 1.0))
        scan = range(1_000, 11_000)
        count_hits(policy, scan[:100])
        others = set(policy.resident) - set(scan)
        for key in sorted(others)[:20]:
            policy.remove(key)
            others.remove(key)
        count_hits(policy, scan[100:])
        assert set(policy.resident) - set(scan) == others
        assert len(others) >= 69
        assert set(policy.resident) & set(scan) == set(scan[len(others) - 100 :])

    def test_on_a_loop_the_start_decides(self) -> None:
        """120 keys in turn, and room for 100. Keys that went to main while the cache filled up stay, as in libcachesim.

        If the first 100 are all in the small queue, as in the paper, other keys stay, and more of them.
        """
        keys = loop_trace(20_000, 120)
        assert count_hits(S3FIFO(100), keys).hit_ratio == hit_ratio(S3FIFOModel(100), keys) == 0.5299
        assert hit_ratio(S3FIFOModel(100, papers_start=True), keys) == 0.6388


def hit_ratio(model: S3FIFOModel, keys: list[int]) -> float:
    """The hit ratio of a model on a trace."""
    hits = 0
    for key in keys:
        if key in model.resident():
            hits += 1
            model.hit(key)
        else:
            if len(model.resident()) == model.bound:
                model.evict()
            model.add(key)
    return hits / len(keys)
