"""What the picture of trials says in words."""

from cachelab import lab


def test_the_outcomes_of_each_kind_are_counted_for_each_variant() -> None:
    """They stand in a fixed order with the worst last, and an outcome that did not occur is left out."""
    trials = {
        "naive": {"cut off": ["wrong value", "error", "wrong value"], "old": ["right value"]},
        "mended": {"cut off": ["counted miss"] * 3, "old": ["counted miss"]},
    }
    words = lab.plot_trials(trials, "title").words
    assert words == (
        "naive: 1 right value and 1 error and 2 wrong value; of these cut off 1 error and 2 wrong value, "
        "old 1 right value. mended: 4 counted miss; of these cut off 3 counted miss, old 1 counted miss."
    )
