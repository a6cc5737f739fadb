"""Pictures of races: what they say in words, and what they draw."""

from typing import Any

import pytest
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.text import Text

from cachelab import Cache, Flight, LeasedStore, lab


async def reader(world: lab.World) -> None:
    """Look; load and fill after a miss."""
    if await world.look() is None:
        await world.fill(await world.load())


async def writer(world: lab.World) -> None:
    """Write, then delete."""
    await world.write()
    await world.delete()


RACE = lab.race({"reader": reader, "writer": writer})


def texts(figure: Figure) -> list[str]:
    """All that is written in a figure."""
    return [text.get_text() for text in figure.findobj(Text) if text.get_text().strip()]


def test_a_late_fill_is_drawn_from_where_it_was_sent(drawn: list[Figure]) -> None:
    """The bar of its way ends where the box of the fill begins, and both have a name."""
    picture = lab.plot_race(RACE.stale[0], "title")
    assert "reader fills 1 (on its way since step 3)." in picture.words
    assert {"the fill is on its way", "fills 1"} <= set(texts(drawn[0]))
    (way,) = (patch for patch in drawn[0].axes[0].patches if patch.get_linestyle() == "--")
    assert isinstance(way, Rectangle)
    assert (way.get_x(), way.get_x() + way.get_width()) == pytest.approx((2.53, 4.47))


def test_a_late_delete_is_drawn_from_where_it_was_sent(drawn: list[Figure]) -> None:
    """Its way is named as a delete's, since it carries no value."""
    late = next(one for one in RACE.interleavings if one.order == ("reader", "writer", "reader", "reader", "writer"))
    picture = lab.plot_race(late, "title")
    assert "writer deletes (on its way since step 3)." in picture.words
    assert "the delete is on its way" in texts(drawn[0])


def test_a_fill_that_arrives_at_once_has_no_way(drawn: list[Figure]) -> None:
    """Nobody else has a step in between."""
    alone = lab.race({"reader": reader}).interleavings[0]
    assert "on its way" not in lab.plot_race(alone, "title").words
    assert [patch for patch in drawn[0].axes[0].patches if patch.get_linestyle() == "--"] == []


def test_the_contents_are_bars_and_an_old_version_is_called_old(drawn: list[Figure]) -> None:
    """What stays the same over several steps is one bar, which goes on after the last step."""
    lab.plot_race(RACE.stale[0], "title")
    contents = [text for text in texts(drawn[0]) if text.startswith(("empty", "version"))]
    assert contents == ["empty", "version 1, old", "version 1", "version 2"]


def test_the_picture_of_all_orders_names_the_steps(drawn: list[Figure]) -> None:
    """Each row has a verb for each step, and a mark if it ends stale."""
    picture = lab.plot_orders({"delete last": RACE}, "title")
    assert picture.words == "delete last: 1 of 10 orders end stale."
    written = texts(drawn[0])
    assert written.count("✗") == 1
    assert [written.count(verb) for verb in ("looks", "loads", "fills", "writes", "deletes")] == [10] * 5


def test_a_turn_that_was_passed_has_no_verb(drawn: list[Figure]) -> None:
    """On a warm cache a reader needs one of its three turns."""
    lab.plot_orders({"warm": lab.race({"reader": reader}, turns={"reader": 3}, warm=True)}, "title")
    assert [text for text in texts(drawn[0]) if text in {"looks", "loads", "fills"}] == ["looks"]


def build(client: Any, load: Any) -> Cache[Any, Any]:
    """A node with leases."""
    store: Any = LeasedStore(client, int, namespace="race", version=1)
    return Cache(store, load, ttl=1_000.0, flight=Flight())


async def write_on_c(world: lab.RedisWorld) -> None:
    """A write, and the delete of the key on a node of its own."""
    await world.write()
    await world.nodes["C"].delete(1)


@pytest.mark.long
def test_orders_of_several_lengths_and_a_long_one_are_drawn() -> None:
    """The words name each step, and count the orders."""
    race = lab.redis_race(
        {"A": lambda world: world.nodes["A"].get(1), "B": lambda world: world.nodes["B"].get(1), "writer": write_on_c},
        nodes=dict.fromkeys("ABC", build),
        sample=20,
    )
    assert len({len(interleaving.order) for interleaving in race.interleavings}) > 1
    assert lab.plot_orders({"lease": race}, "title").words == "lease: 0 of 20 orders end stale."
    longest = max(race.interleavings, key=lambda interleaving: len(interleaving.steps))
    words = lab.plot_race(longest, "title").words
    assert len(longest.steps) > 10
    assert words.count("; ") == len(longest.steps) - 1
    assert words.endswith("At the end the cache holds version 2, the origin version 2.")
