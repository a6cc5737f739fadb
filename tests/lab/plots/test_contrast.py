"""Text and areas of every kind of picture can be told from what is behind them, also by people who see less well."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from matplotlib.colors import to_hex, to_rgba
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.patches import Patch
from matplotlib.text import Text

from cachelab import Cache, MemoryStore, lab
from cachelab.eviction import LRU, SIEVE
from cachelab.lab.flight_exam.picture import plot_steps
from cachelab.lab.flight_exam.record import Step
from cachelab.lab.plots.style import COLOURS, PALETTE, contrast, darkened, outlined
from tests.lab.plots.test_attacks import attacked
from tests.lab.plots.test_sign_ups import signed_up
from tests.lab.plots.test_stampedes import BROKEN, LOADED


def replayed(*faults: lab.Down) -> lab.ReplayResult:
    """A few requests over the capacity, so that some wait, some hit and one of them or more fails."""

    async def scenario() -> lab.ReplayResult:
        db = lab.SlowDatabase(users=5, connections=1, service_s=0.5)
        cache = Cache(
            MemoryStore(10), lab.Faulty(db.fetch_user, lab.Failing(0.0, 0.1), *faults), ttl=1, listen=lab.listen
        )
        return await lab.replay([lab.Request(0.3 * n, 0, n % 3) for n in range(12)], cache, db=db)

    return lab.run(scenario)


def old_answers() -> lab.ReplayResult:
    """A cache that keeps its copy after a write, so that it gives old answers."""

    async def scenario() -> lab.ReplayResult:
        db = lab.SlowDatabase(users=5, service_s=0.05)
        cache = Cache(MemoryStore(10), db.fetch_user, ttl=5)
        requests = [lab.Request(0.5 * n, n % 2, 1, write=n == 3) for n in range(12)]
        return await lab.replay(requests, [cache, cache], db=db)

    return lab.run(scenario)


def lifetimes() -> lab.EventLog:
    """Entries that are hit, evicted and purged."""
    events = lab.EventLog()

    async def scenario() -> None:
        cache = Cache(MemoryStore(2, listen=events), lambda key: asyncio.sleep(0, key), ttl=5, listen=events)
        for key in (1, 2, 1, 3, 3):
            await asyncio.sleep(1)
            await cache.get(key)
        await asyncio.sleep(9)
        await cache.get(1)

    lab.run(scenario)
    return events


async def reader(world: lab.World) -> None:
    """Look; load and fill after a miss."""
    if await world.look() is None:
        await world.fill(await world.load())


async def writer(world: lab.World) -> None:
    """Write, then delete."""
    await world.write()
    await world.delete()


def raced() -> lab.Race:
    """All orders of a reader and a writer, of which some end stale."""
    return lab.race({"reader": reader, "writer": writer}, turns={"reader": 3, "writer": 2})


STEPS = [Step(1, "caller 1", "calls"), Step(1, "load 1", "begins"), Step(2, "caller 1", "is cancelled")]
STEPS += [Step(3, "hold the key", "waits for ever")]
CURVES = {"a": ([1.0, 2.0], [3.0, 4.0]), "b": ([1.0, 2.0], [3.0, 4.1])}
PICTURES: Mapping[str, Callable[[], Any]] = {
    "load": lambda: lab.plot_load({"a": replayed(), "b": replayed()}, "title", moments={"deploy": 0.1}),
    "attack": lambda: lab.plot_attack({"a": attacked(), "b": replayed()}, "title", users=5),
    "sign-up": lambda: lab.plot_sign_up({"a": signed_up(denies=True), "b": signed_up(denies=False)}, "title"),
    "latency": lambda: lab.plot_latency({"a": replayed()}, "title"),
    "requests": lambda: lab.plot_requests(replayed(), "title", top_s=7),
    "day": lambda: lab.plot_day(lab.day_scores()["absent for a day"], "title"),
    "plans": lambda: lab.plot_plans(lab.day_scores(), "title"),
    "curve": lambda: lab.plot_curve(CURVES, "title", x="x", y="y", lines=CURVES, limits={"limit": 3.5}, notes=["n"]),
    "ladder": lambda: lab.plot_ladder({"a": 1.0, "b": 2.0}, "title"),
    "policies": lambda: lab.plot_policies({"trace": {"LRU": [0.5, 0.2], "OPT": [0.3, 0.1]}}, [10, 20], "title"),
    "steps": lambda: lab.eviction_steps({"LRU": LRU, "SIEVE": SIEVE}, "ABAB12", 3, "title", first=4),
    "flow": lambda: lab.plot_flow(replayed(), "title", ttl_s=1),
    "lanes": lambda: lab.plot_lanes({"a": replayed()}, "title"),
    "lifetimes": lambda: lab.plot_lifetimes(lifetimes(), "title", ttl_s=5),
    "matrix": lambda: lab.plot_matrix({"a": {"x": "value", "y": "miss"}, "b": {"x": "lie", "y": "lie"}}, "title"),
    "race": lambda: lab.plot_race(raced().stale[0], "title"),
    "answers": lambda: lab.plot_answers({"a": old_answers(), "b": old_answers()}, "title", deaf_s=(1.0, 2.0)),
    "stale answers": lambda: lab.plot_stale_answers(
        {"a": old_answers(), "b": replayed()}, "title", limits={"TTL": 5.0}
    ),
    "orders": lambda: lab.plot_orders({"a": raced()}, "title"),
    "failures": lambda: lab.plot_failures({"a": replayed()}, "title", outages=[(0.0, 0.1)]),
    "staleness": lambda: lab.plot_staleness({"a": replayed()}, "title", limit_s=1),
    "stampede": lambda: lab.plot_stampede({"a": LOADED, "b": BROKEN}, "title"),
    "timelines": lambda: lab.plot_timelines({"a": replayed(lab.Down(1.0, 2.0))}, "title"),
    "trials": lambda: lab.plot_trials({"a": {"b": ["right value", "wrong value", "error", "counted miss"]}}, "title"),
    "users": lambda: lab.plot_users({"a": replayed()}, "title", moments={"flush": 1.0}),
    "exam": lambda: plot_steps(STEPS, "item", "fail", "why"),
    "exam passed": lambda: plot_steps(STEPS[:2], "item", "pass", "why"),
}


def on_white(colour: Any) -> str:
    """What a colour looks like on white paper, where it lets some of the paper through."""
    *parts, alpha = to_rgba(colour)
    red, green, blue = (1 - alpha * (1 - part) for part in parts)
    return to_hex((red, green, blue))


def behind(text: Text) -> str:
    """The colour behind a text: that of its box, or white."""
    box = text.get_bbox_patch()
    return on_white(box.get_facecolor()) if box else "white"


def seen(patch: Patch) -> float:
    """The contrast of an area with white: the better one of its face and its outline."""
    outline = patch.get_edgecolor() if patch.get_linewidth() else "white"
    return max(contrast(on_white(colour)) for colour in (patch.get_facecolor(), outline))


@pytest.mark.parametrize("kind", PICTURES)
def test_text_and_areas_can_be_seen(kind: str, drawn: list[Figure]) -> None:
    """Each text has a contrast of 4.5 with what is behind it, and each area or its outline one of 3 with the paper."""
    PICTURES[kind]()
    assert drawn
    for figure in drawn:
        texts = [text for text in figure.findobj(Text) if text.get_text().strip() and text.get_visible()]
        assert texts
        faint = {text.get_text(): contrast(text.get_color(), behind(text)) for text in texts}
        assert {text: ratio for text, ratio in faint.items() if ratio < 4.5} == {}
        areas = [patch for ax in figure.axes for patch in ax.patches]
        areas += [patch for legend in figure.findobj(Legend) for patch in legend.get_patches()]
        assert [patch for patch in areas if seen(patch) < 2.99] == []


@pytest.mark.parametrize("ratio", [3, 4.5])
@pytest.mark.parametrize("colour", [*COLOURS.values(), *PALETTE])
def test_a_colour_is_darkened_as_far_as_it_must_be(colour: str, ratio: float) -> None:
    """A colour that is dark enough stays as it is; any other one just reaches the ratio."""
    shade = darkened(colour, ratio)
    assert ratio <= contrast(shade) <= max(contrast(colour), 1.05 * ratio)
    assert contrast(outlined(colour, 0.2)["edgecolor"]) >= 3


def test_contrast_is_that_of_the_guidelines() -> None:
    """Black on white is 21, a colour on itself 1, and the grey that is just dark enough for text is known."""
    assert contrast("black") == pytest.approx(21)
    assert contrast("#123456", "#123456") == 1
    assert contrast("#767676") == pytest.approx(4.54, abs=0.01)
