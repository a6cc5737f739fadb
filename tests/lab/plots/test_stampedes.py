"""What the picture of a fleet says in words, and where its marks stand."""

from dataclasses import replace
from typing import Any

from matplotlib.figure import Figure

from cachelab import lab
from cachelab.lab.plots import stampedes
from cachelab.lab.sim.fake_redis import SentCommand
from cachelab.lab.sim.stampede import Answer, Load, Stampede

LOADED = Stampede(
    ["node 1", "node 2"],
    [Answer("node 1", 0.0, 0.5, 1), Answer("node 2", 0.1, 0.6, 1)],
    [Load("node 1", 0.1, 1, 0.5)],
    [SentCommand(0.0, "node 1", "GET"), SentCommand(0.1, "node 2", "GET")],
    later=1,
)
BROKEN = Stampede(
    ["node 1", "node 2", "node 3"],
    [
        Answer("node 1", 0.0, 0.2, None, "killed"),
        Answer("node 2", 0.0, 1.5, 1),
        Answer("node 3", 0.5, 2.0, 1),
        Answer("node 3", 0.6, 2.0, None, "OriginDown"),
    ],
    [Load("node 1", 0.1, 1), Load("node 2", 1.0, 1, 1.5)],
    refused=[(1.5, "node 2")],
    killed=(0.2, "node 1"),
    deletes=[0.3],
    later=2,
)


def test_the_words_count_loads_and_commands() -> None:
    """A run without accidents."""
    words = lab.plot_stampede({"lease": LOADED}, "title").words
    assert words == "lease: 1 load, 2 commands, the last answer after 600 ms; the load begins after 100 ms."


def test_the_words_tell_what_went_wrong() -> None:
    """A node that is killed, a fill that is refused, answers that are old."""
    words = lab.plot_stampede({"a": LOADED, "b": BROKEN}, "title").words
    assert "b: 2 loads, 0 commands, the last answer after 2.0 s; the loads begin after 100 ms, 1.0 s" in words
    assert "node 1 is killed after 200 ms; 1 fill is refused" in words
    assert "of 2 callers after the delete 1 gets version 1, and a second later the fleet has version 2" in words


def test_the_words_tell_of_several_deletes() -> None:
    """A caller's answer is old if its version was deleted before it asked."""
    often = replace(BROKEN, deletes=[0.3, 0.55])
    words = lab.plot_stampede({"often": often}, "title").words
    assert "of 2 callers after the delete 1 gets old versions, and a second later" in words


def test_different_answers_at_one_moment_stand_above_each_other() -> None:
    """A triangle would hide the dot of callers that asked before the delete."""
    run = replace(LOADED, answers=[Answer("node 1", asked, 0.5, 1) for asked in (0.0, 0.4)], deletes=[0.3])
    ax: Any = Figure().subplots()
    assert stampedes._draw_answers(ax, run, {"node 1": 0, "node 2": -1}) == {"old answer", "answer"}
    old, current = [line.get_transform().transform((0.5, 0)) for line in ax.lines]
    assert [line.get_marker() for line in ax.lines] == ["^", "o"]
    assert old[0] == current[0]
    assert old[1] > current[1]
    alone: Any = Figure().subplots()
    stampedes._draw_answers(alone, LOADED, {"node 1": 0, "node 2": -1})
    assert [tuple(line.get_transform().transform((0, 0))) for line in alone.lines] == [
        tuple(alone.transData.transform((0, 0)))
    ] * 2


def test_a_refused_fill_stands_at_its_moment_above_the_bar() -> None:
    """The cross is above the answer, and not before it."""
    ax: Any = Figure().subplots()
    stampedes._draw_marks(ax, BROKEN, {"node 1": 0, "node 2": -1, "node 3": -2})
    (cross,) = [line for line in ax.lines if line.get_marker() == stampedes.REFUSED["marker"]]
    assert cross.get_transform() == ax.transData
    assert list(cross.get_xdata()) == [1.5]
    assert -0.75 < cross.get_ydata()[0] < -0.25


def test_each_delete_has_its_line_and_the_first_its_name() -> None:
    """Two deletes, two dashed lines, one label."""
    ax: Any = Figure().subplots()
    stampedes._draw_marks(ax, replace(LOADED, deletes=[0.2, 0.3]), {"node 1": 0, "node 2": -1})
    assert [line.get_xdata()[0] for line in ax.lines if line.get_linestyle() == "--"] == [0.2, 0.3]
    assert [text.get_text() for text in ax.texts] == ["write and delete"]
