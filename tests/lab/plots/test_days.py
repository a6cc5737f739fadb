"""The pictures of the day: what they say in words, and where the marks stand."""

from collections.abc import Mapping
from typing import Any

import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from cachelab import lab
from cachelab.lab.day.score import Quarter
from cachelab.lab.day.traffic import EVENTS
from cachelab.lab.plots import days


def score(**counts: int) -> lab.Score:
    """A day with ten readers in each quarter of an hour, but for the one that begins at 18:30."""
    quarters = [Quarter(readers=10)] * 96
    quarters[74] = Quarter(**{"readers": 40, **counts})
    return lab.Score(quarters, queue_s=0, queries=0, packets=0, entries=0, parts=[])


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures that are drawn in a test."""
    figures: list[Figure] = []

    def keep(figure: Figure, title: str, words: str) -> Any:
        figures.append(figure)
        return words

    monkeypatch.setattr(days, "finish", keep)
    return figures


def test_the_day_in_words() -> None:
    """How many got which bad answer, and in which hours."""
    words = lab.plot_day(score(failed=30, invented=1), "title").words
    assert words == (
        "990 readers: 30 failed or slow, 1 invented; failed or slow by the hour: 18 h 30; invented by the hour: 18 h 1."
    )
    assert lab.plot_day(score(), "title").words == "990 readers: nobody unhappy."


def test_every_event_is_named_in_its_place(drawn: list[Figure]) -> None:
    """Right of the hours that it takes, so that no line crosses the name."""
    lab.plot_day(score(failed=1), "title")
    names = {text.get_text(): text for text in drawn[0].findobj(Text)}
    for event in EVENTS.values():
        place: Any = names[event.name]
        assert event.end < place.xy[0] < event.end + 0.5
        assert place.get_ha() == "left"


def test_bad_answers_stand_on_each_other(drawn: list[Figure]) -> None:
    """So that all of them together are no higher than the readers."""
    lab.plot_day(score(failed=10, stale=10, not_found=20), "title")
    stairs = [patch.get_data() for patch in drawn[0].axes[0].patches if hasattr(patch, "get_data")]
    tops = [float(data.values[74]) for data in stairs]
    assert tops == pytest.approx([40 * 4 / 60, 10 * 4 / 60, 20 * 4 / 60, 40 * 4 / 60])


def test_plans_in_words() -> None:
    """What failed, what was wrong, and how many goals were missed."""
    words = lab.plot_plans({"a": score(), "b": score(failed=20, stale=9, not_found=3)}, "title").words
    assert words == (
        "a: 0.00% failed or slow, 0.00% wrong, keeps all goals; b: 2.02% failed or slow, 1.21% wrong, misses 2."
    )


def test_a_plan_stands_where_its_shares_are(drawn: list[Figure]) -> None:
    """Failed to the right, wrong upwards; a circle for one that keeps its goals, a cross for another."""
    lab.plot_plans({"a": score(), "b": score(failed=20, stale=9, not_found=3)}, "title")
    marks: Mapping[Any, Any] = {line.get_marker(): line for line in drawn[0].axes[0].lines}
    assert set(marks) == {"o", "X"}
    assert (marks["X"].get_xdata()[0], marks["X"].get_ydata()[0]) == pytest.approx((20 / 990, 12 / 990))
    assert marks["o"].get_xdata()[0] == marks["o"].get_ydata()[0] == days.LEAST_SHARE
