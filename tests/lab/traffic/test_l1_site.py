"""The site of exercise 12.2, on which learners try sizes and TTLs of L1."""

import pytest

from cachelab import lab


@pytest.mark.parametrize(
    ("entries", "l1_ttl", "reads"),
    [(50, 4.5, 221), (100, 4.5, 185), (150, 4.5, 168), (200, 4.5, 163), (400, 4.5, 163), (150, 2, 200), (150, 3, 181)],
)
def test_the_reads_that_the_solution_names(entries: int, l1_ttl: float, reads: int) -> None:
    """The solution of 12.2 has these numbers in its prose, where no output is compared."""
    assert lab.l2_reads(entries, l1_ttl) == reads


@pytest.mark.long
def test_more_entries_or_a_longer_ttl_never_cost_reads() -> None:
    """Up to a read or two: so the learner's search for enough of both has an end."""
    sizes = [lab.l2_reads(entries, 4) for entries in (25, 50, 100, 200)]
    lives = [lab.l2_reads(150, ttl) for ttl in (1, 2, 4, 8)]
    assert sizes == sorted(sizes, reverse=True)
    assert lives == sorted(lives, reverse=True)


@pytest.mark.parametrize(("entries", "l1_ttl"), [(0, 4.5), (150, 0)])
def test_a_plan_that_cannot_be_run(entries: int, l1_ttl: float) -> None:
    """Both numbers have to be above 0."""
    with pytest.raises(ValueError, match=r"at least 1|more than 0"):
        lab.l2_reads(entries, l1_ttl)
