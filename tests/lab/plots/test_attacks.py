"""The picture of an attack with unknown ids: what it says in words, and what it draws."""

from typing import Any

import pytest
from matplotlib.figure import Figure

from cachelab import Cache, MemoryStore, lab


def attacked(*, users: bool = True, unknown: bool = True) -> lab.ReplayResult:
    """User 1 is read every 0.6 s, user 2 once; from 4 s on an unknown id comes four times a second."""

    async def scenario() -> lab.ReplayResult:
        db = lab.SlowDatabase(users=5, connections=1, service_s=0.5)
        cache = Cache(MemoryStore(10), db.fetch_user, ttl=60, listen=lab.listen)
        requests = [lab.Request(0.6 * n, 0, 2 if n == 10 else 1) for n in range(15)] if users else []
        if unknown:
            requests += [lab.Request(4 + n / 4, 0, 1_000 + n) for n in range(16)]
        return await lab.replay(requests, cache, db=db)

    return lab.run(scenario)


def test_the_words_tell_hits_queries_and_waits() -> None:
    """The hit ratio before the unknown ids come and from then on, their queries, and the longest wait."""
    words = lab.plot_attack({"a": attacked(), "b": attacked(unknown=False)}, "title", users=5).words
    assert words == (
        "a: the users' hit ratio is 0.857 before the unknown ids come, and 0.875 from then on; 16 queries for unknown "
        "ids; a user waits 2.5 s at most. b: the users' hit ratio is 0.867; 0 queries for unknown ids; a "
        "user waits 500 ms at most."
    )


def test_the_bars_are_misses_and_queries_by_when_they_were_asked(drawn: list[Figure]) -> None:
    """A user's miss in its second, its queries below, and those for unknown ids on top of them."""
    lab.plot_attack({"a": attacked()}, "title", users=5)
    panels: list[Any] = drawn[0].axes
    misses, queries, waits = panels
    (missed,) = misses.patches
    everything, of_users = queries.patches
    assert list(missed.get_data().values) == [1, 0, 0, 0, 0, 0, 1]
    assert list(of_users.get_data().values) == [1, 0, 0, 0, 0, 0, 1]
    assert list(everything.get_data().values) == [1, 0, 0, 0, 4, 4, 5, 4]
    dots = next(line for line in waits.lines if line.get_marker() == ".")
    assert list(dots.get_xdata()) == [0.0, 6.0]
    assert list(dots.get_ydata()) == pytest.approx([0.5, 2.5])


def test_a_line_stands_where_the_unknown_ids_begin(drawn: list[Figure]) -> None:
    """In each panel, at 4 s; the capacity of 2 queries a second is a line in the middle panel."""
    lab.plot_attack({"a": attacked(), "b": attacked()}, "title", users=5)
    panels: list[Any] = drawn[0].axes
    for ax in panels:
        assert [line.get_xdata()[0] for line in ax.lines if line.get_linestyle() == ":"] == [4.0]
    assert [line.get_ydata()[0] for line in panels[1].lines if line.get_linestyle() == "--"] == [2.0]
