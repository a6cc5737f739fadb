"""What the pictures of curves say in words."""

from cachelab import lab


def test_the_ladder_counts_in_multiples_of_the_cheapest() -> None:
    """The cheapest comes first, in whichever order the calls were measured."""
    assert lab.plot_ladder({"a": 3e-6, "b": 1e-6}, "title").words == "b 1 times, a 3 times."
