"""What the pictures of many tries and of timelines say in words, and where labels stand."""

import math

import pytest

from cachelab import Cache, RedisStore, lab
from cachelab.lab.plots.style import axes, label_ends
from tests.support.fakes import in_virtual_time


def test_fates_are_counted_for_each_variant() -> None:
    """In the order of how bad they are; what did not happen is not named."""
    tries = {"naive": ["wrong value", "error", "wrong value"], "mended": ["counted miss"] * 3}
    words = lab.plot_trials(tries, "title").words
    assert words == "naive: 1 error, 2 wrong value; mended: 3 counted miss."


@pytest.mark.parametrize("scale", ["linear", "log"])
def test_labels_are_moved_apart_only_where_they_would_overlap(scale: str) -> None:
    """As far as the eye sees it, which is by factors on a logarithmic axis."""
    _, (ax,) = axes()
    ax.set_yscale(scale)
    ax.set_ylim(1, 1_000)
    label_ends(ax, [(0, 100.0, "low", "k"), (0, 101.0, "near", "k"), (0, 900.0, "far", "k")])
    places = {note.get_text(): note.xy[1] for note in ax.texts}  # type: ignore[attr-defined]
    seen = {name: math.log10(y) if scale == "log" else y for name, y in places.items()}
    height = 3 if scale == "log" else 999
    assert (places["low"], places["far"]) == pytest.approx((100.0, 900.0))
    assert (seen["near"] - seen["low"]) / height == pytest.approx(0.062)


@in_virtual_time
async def test_the_round_trip_of_a_hit_is_no_wait() -> None:
    """Over Redis every read takes time; those who wait are those for whom the origin was asked."""
    db = lab.SlowDatabase(users=5, service_s=0.05)
    store = RedisStore(lab.FakeRedis(latency_s=0.001).client(), lab.UserProfile, namespace="user", version=1)
    cache = Cache(store, db.fetch_user, ttl=60, listen=lab.listen)
    trace = await lab.replay([lab.Request(float(n), 0, 1) for n in range(4)], cache, db=db)
    words = lab.plot_timelines({"over Redis": trace}, "title").words
    assert min(row.latency_s for row in trace.reads) > 0
    assert words.endswith("of 4 reads 1 waits.")
