"""What the picture of a fleet says in words."""

from cachelab import lab
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
    deleted=0.3,
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
