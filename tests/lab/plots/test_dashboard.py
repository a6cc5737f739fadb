"""The dashboard: its words, and that a value above the axis is named."""

from cachelab import lab


def numbers(when: float, load_s: float) -> lab.Numbers:
    """One window, in which only the time of a load changes."""
    return lab.Numbers(when, 60 + when, 0.7, 0.9, 5.0, load_s, 3.0, 1.0, 0.0, 0.05, 0.0)


def test_the_words_tell_each_panel_before_and_in_the_incident() -> None:
    """Six panels; a range where the values differ; the true value, also of one beyond the top."""
    picture = lab.plot_dashboard([numbers(2, 0.05), numbers(4, 1.0), numbers(6, 8.0)], "Slow", during=(2, 6))
    assert picture.words == (
        "hits of the memory (%): 70, then 70; hits of Redis (%): 90, then 90; loads from the database per second: 5, "
        "then 5; mean time of a load (s): 0.05, then 1 to 8; errors of Redis per second: 0, then 0; latency, p99 (s): "
        "0.05, then 0.05."
    )


def test_without_an_incident_the_words_have_one_range() -> None:
    """From the least to the greatest value."""
    words = lab.plot_dashboard([numbers(2, 0.05), numbers(4, 1.0)], "Calm").words
    assert "mean time of a load (s): 0.05 to 1; errors" in words
