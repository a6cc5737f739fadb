"""The pictures of answers that are out of date: what they say in words, and that their texts stand free."""

from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from cachelab import Cache, MemoryStore, lab
from tests.lab.plots.test_contrast import old_answers, replayed


def test_each_node_has_its_old_answers() -> None:
    """How many they are, and how long after the write the last one was."""
    words = lab.plot_answers({"one run": old_answers()}, "title").words
    assert words == (
        "a write at 1.55 s; node 1: 4 of 6 answers out of date, the last 3.5 s after the write, node 2: 3 of 5 answers "
        "out of date, the last 3.0 s after the write."
    )


def test_several_runs_are_named() -> None:
    """With their labels, also one without a write."""
    words = lab.plot_answers({"old": old_answers(), "without": replayed()}, "title", deaf_s=(1.0, 2.0)).words
    assert words.startswith("old: a write at 1.55 s; node 1")
    assert "without: no write; node 1: 0 of 12 answers out of date, node 2: 0 of 0 answers out of date." in words


def test_how_far_out_of_date_in_words() -> None:
    """The share of the answers, half of them, and the worst; and that there are none."""
    words = lab.plot_stale_answers({"old": old_answers(), "none": replayed()}, "title", limits={"TTL": 5.0}).words
    of_old = "old: 63.64% of 11 answers out of date, half of them by more than 1.9 s, the worst by 3.5 s"
    assert words == f"{of_old}; none: no answer out of date."


def test_an_answer_out_of_date_by_a_moment_is_counted() -> None:
    """A read that ends a moment after the write."""

    async def scenario() -> lab.ReplayResult:
        db = lab.SlowDatabase(users=5, service_s=0.05)
        cache = Cache(MemoryStore(10), db.fetch_user, ttl=5)
        requests = [lab.Request(0.0, 0, 1), lab.Request(1.0, 0, 1, write=True), lab.Request(1.0501, 0, 1)]
        return await lab.replay(requests, cache, db=db)

    picture = lab.plot_stale_answers({"a": lab.run(scenario)}, "title")
    assert picture.words == "a: 50.00% of 2 answers out of date, half of them by more than 0 ms, the worst by 0 ms."


@pytest.mark.parametrize("limits", [None, {"L1 TTL": 0.001}])
def test_a_picture_without_such_answers(limits: dict[str, float] | None) -> None:
    """It is drawn all the same."""
    assert lab.plot_stale_answers({"a": replayed()}, "title", limits=limits).words == "a: no answer out of date."


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> Figure:
    """The figure of three rows, of which two have the same worst answer."""
    figures: list[Figure] = []

    def keep(figure: Figure, title: str, words: str) -> Any:
        figure.draw_without_rendering()
        figures.append(figure)

    monkeypatch.setattr("cachelab.lab.plots.stale_answers.finish", keep)
    results = {"no bus": old_answers(), "1 in 100 lost": old_answers(), "none lost": replayed()}
    lab.plot_stale_answers(results, "title", limits={"L1 TTL": 5.0})
    return figures[0]


def test_no_text_stands_on_a_mark_or_on_another_text(drawn: Figure) -> None:
    """The words of a row stand right of the limit, and its name left of the axis."""
    (ax,) = drawn.axes
    texts = [text.get_window_extent() for text in [*ax.texts, *ax.get_yticklabels()]]
    marks = [line.get_window_extent() for line in ax.lines if line.get_marker() == "^" and np.size(line.get_xdata())]
    limit = next(line for line in ax.lines if line.get_linestyle() == "--")
    lines = [limit.get_window_extent()]
    assert not [1 for i, one in enumerate(texts) for other in [*texts[:i], *marks, *lines] if one.overlaps(other)]
    assert all(text.x1 <= drawn.bbox.x1 for text in texts)


def test_the_worst_answers_do_not_lie_on_each_other(drawn: Figure) -> None:
    """Each has a row of its own, also where two are out of date by the same time."""
    (ax,) = drawn.axes
    worst = [line.get_window_extent() for line in ax.lines if line.get_markersize() > 6 and np.size(line.get_xdata())]
    assert len(worst) == 2
    assert not worst[0].overlaps(worst[1])
