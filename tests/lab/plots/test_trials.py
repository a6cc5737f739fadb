"""What the picture of trials says in words."""

from cachelab import lab


def test_the_outcomes_are_counted_for_each_variant() -> None:
    """They stand in a fixed order with the worst last, and an outcome that did not occur is left out."""
    trials = {"naive": ["wrong value", "error", "wrong value"], "mended": ["counted miss"] * 3}
    words = lab.plot_trials(trials, "title").words
    assert words == "naive: 1 error, 2 wrong value; mended: 3 counted miss."
