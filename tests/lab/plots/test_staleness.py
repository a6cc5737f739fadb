"""The picture of stale answers: what it says in words, and what it draws."""

from typing import Any

import pytest
from matplotlib.figure import Figure

from cachelab import lab
from cachelab.lab.plots import style
from cachelab.lab.traffic.replay_result import Row


def result(*stale_s: float) -> lab.ReplayResult:
    """A read each second, whose answer comes half a second later and has been out of date for so long."""
    rows = [Row(float(n), 0, 1, "read", "", "hit", "value", 0.5, 1, s, "") for n, s in enumerate(stale_s)]
    return lab.ReplayResult(rows, [], seconds=float(len(rows)))


def places(line: Any) -> list[tuple[float, float]]:
    """The points of a line."""
    return [(float(x), float(y)) for x, y in zip(line.get_xdata(), line.get_ydata(), strict=True)]


def test_words_count_the_stale_answers_and_name_the_worst() -> None:
    """Each result has its sentence, also if no answer is stale."""
    words = lab.plot_staleness({"the dict": result(0, 1.5, 3.25), "TTL 2 s": result(0, 0)}, "title").words
    assert words == (
        "the dict: 2 of 3 answers were stale, by 3.2 s at most; TTL 2 s: 0 of 2 answers were stale, by 0.0 s at most."
    )


def test_a_dot_stands_where_its_answer_was_given(monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers that are up to date have no dot. The limit is a line with its seconds beside it."""
    drawn: list[Figure] = []

    def keep(figure: Figure) -> bytes:
        drawn.append(figure)
        return b""

    monkeypatch.setattr(style, "_png", keep)
    lab.plot_staleness({"a": result(0, 1.5, 3.25)}, "title", limit_s=2)
    (ax,) = drawn[0].axes
    dots, limit = ax.lines
    assert places(dots) == [(1.5, 1.5), (2.5, 3.25)]
    assert places(limit) == [(0, 2), (2.5, 2)]
    assert [text.get_text() for text in ax.texts] == ["2 s"]
    lab.plot_staleness({"a": result(0, 1.5)}, "title")
    assert len(drawn[1].axes[0].lines) == 1
