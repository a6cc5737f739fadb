"""What the picture of timelines says in words."""

import numpy as np
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from cachelab import Cache, MemoryStore, RedisStore, lab
from cachelab.lab.plots.timelines import REFUSED
from tests.support.fakes import in_virtual_time


@in_virtual_time
async def test_the_round_trip_of_a_hit_is_no_wait() -> None:
    """Over Redis every read takes some time, but only a read that causes a query at the origin counts as a wait."""
    db = lab.SlowDatabase(users=5, service_s=0.05)
    store = RedisStore(lab.FakeRedis(latency_s=0.001).client(), lab.UserProfile, namespace="user", version=1)
    cache = Cache(store, db.fetch_user, ttl=60, listen=lab.listen)
    result = await lab.replay([lab.Request(float(n), 0, 1) for n in range(4)], cache, db=db)
    words = lab.plot_timelines({"over Redis": result}, "title").words
    assert min(row.latency_s for row in result.reads) > 0
    assert words.endswith("; 4 reads, waits: 1.")


@in_virtual_time
async def test_refused_calls_are_drawn_and_counted(drawn: list[Figure]) -> None:
    """Two calls in the third second are refused: a bar of two stands there, and its colour is in the legend."""
    db = lab.SlowDatabase(users=5, service_s=0.05)
    load = lab.Faulty(db.fetch_user, lab.Down(1.0, 3.0))
    result = await lab.replay([lab.Request(when, 0, 1) for when in (0.0, 2.2, 2.7, 3.5)], load, db=db)
    words = lab.plot_timelines({"one": result}, "title").words
    counts = "2 queries, at most 1 in a second, 2 more refused, the longest wait 50 ms; 4 reads, waits: 2, errors: 2"
    assert words == f"one: {counts}."
    (figure,) = drawn
    pale = to_rgba(REFUSED["facecolor"])
    boxes = [patch for patch in figure.axes[0].patches if isinstance(patch, Rectangle)]
    bars = [bar for bar in boxes if to_rgba(bar.get_facecolor()) == pale]
    assert [(bar.get_x(), bar.get_y(), bar.get_height()) for bar in bars] == [(2.0, 0.0, 2.0)]
    assert "refused" in labels(figure)


@in_virtual_time
async def test_a_low_bar_has_a_dot_that_the_legend_names(drawn: list[Figure]) -> None:
    """One query a second beside a hundred would be a hairline. Where all bars can be seen, there are no dots."""
    db = lab.SlowDatabase(users=5, connections=100, service_s=0.05)
    requests = [lab.Request(0.0, 0, 1)] * 100 + [lab.Request(2.0, 0, 1)]
    lab.plot_timelines({"one": await lab.replay(requests, db.fetch_user, db=db)}, "title")
    lab.plot_timelines({"one": await lab.replay(requests[-1:], db.fetch_user, db=db)}, "title")
    assert [[label for label in labels(figure) if "or fewer" in label] for figure in drawn] == [
        ["a bar of 1 or fewer"],
        [],
    ]


@in_virtual_time
async def test_the_line_goes_on_to_the_end_of_the_run(drawn: list[Figure]) -> None:
    """The only query comes at the start of ten seconds, and the zero line of the load ends with them."""
    db = lab.SlowDatabase(users=5, service_s=0.05)
    cache = Cache(MemoryStore(10), db.fetch_user, ttl=60)
    result = await lab.replay([lab.Request(0.0, 0, 1), lab.Request(10.0, 0, 1)], cache, db=db)
    lab.plot_timelines({"one": result}, "title")
    (figure,) = drawn
    assert np.asarray(figure.axes[0].lines[0].get_xdata()).tolist() == [0.0, 10.0]


def labels(figure: Figure) -> list[str]:
    """What the legend of a figure says."""
    (legend,) = figure.legends
    return [text.get_text() for text in legend.get_texts()]


@in_virtual_time
async def test_failures_are_counted_during_and_after_the_outage() -> None:
    """Of the two requests during the outage the miss fails, and after it none does."""
    db = lab.SlowDatabase(users=5, service_s=0.05)
    load = lab.Faulty(db.fetch_user, lab.Down(1.0, 3.0))
    cache = Cache(MemoryStore(10), load, ttl=60)
    requests = [lab.Request(when, 0, user) for when, user in [(0.0, 1), (1.5, 1), (2.5, 2), (3.5, 2)]]
    result = await lab.replay(requests, cache, db=db)
    words = lab.plot_failures({"one": result}, "title", outages=[(1.0, 3.0)]).words
    assert words == "one: 50.0% failed during the outage, 0.0% afterwards."
