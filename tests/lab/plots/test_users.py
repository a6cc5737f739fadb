"""What the picture of users by the second says in words, and what it draws."""

from __future__ import annotations

import asyncio

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import StepPatch

from cachelab import lab
from tests.support.fakes import in_virtual_time, now

REQUESTS = [lab.Request(n / 4, 0, 1) for n in range(80)]


async def replayed(down_from: float, down_until: float) -> lab.ReplayResult:
    """Four users a second for 20 s. One in four waits; between these times nobody gets an answer."""

    async def get(key: int) -> int:
        if down_from <= now() < down_until:
            await asyncio.sleep(9.0)
        if now() == int(now()):
            await asyncio.sleep(0.1)
        return key

    return await lab.replay(REQUESTS, get, patience_s=0.25, tries=2)


@in_virtual_time
async def test_the_words_say_how_many_are_answered_and_when_it_is_back() -> None:
    """Nobody who comes from 5 s until 7.5 s. The last one tries a second time at 8 s."""
    runs = {"a": await replayed(5.0, 8.0)}
    words = lab.plot_users(runs, "title", moments={"flush": 5.0}).words
    assert words == (
        "a: back after 3 s; 100% of the users answered before, 82% afterwards; at most 8 attempts a second."
    )


@in_virtual_time
async def test_a_service_that_stays_away_does_not_come_back() -> None:
    """The words say so, and the strip has it in its title."""
    words = lab.plot_users({"a": await replayed(5.0, 99.0)}, "title", moments={"flush": 5.0}).words
    assert "a: does not come back; 100% of the users answered before, 0% afterwards" in words


@in_virtual_time
async def test_without_a_moment_the_words_are_of_the_whole_run() -> None:
    """Nothing is said of coming back."""
    words = lab.plot_users({"a": await replayed(5.0, 10.0)}, "title").words
    assert words == "a: 76% of the users answered; at most 8 attempts a second."


@in_virtual_time
async def test_the_bars_are_the_users_of_each_second(drawn: list[Figure]) -> None:
    """Three of four are answered at once and one waits; while nothing answers, all four give up and try twice."""
    lab.plot_users({"a": await replayed(5.0, 8.0)}, "title")
    (ax,) = drawn[0].axes
    at_once, waited, gave_up = (StepPatch.get_data(patch)[0] for patch in ax.patches if isinstance(patch, StepPatch))
    attempts = np.asarray(ax.lines[0].get_ydata())
    assert [list(tops[4:7]) for tops in (at_once, waited, gave_up)] == [[3, 0, 0], [4, 0, 0], [4, 4, 4]]
    assert list(attempts[4:7]) == [4, 7, 8]


@in_virtual_time
async def test_every_strip_shows_all_attempts(drawn: list[Figure]) -> None:
    """Also if those of a later strip are more than those of the first."""
    quiet = await replayed(99.0, 99.0)
    lab.plot_users({"a": quiet, "b": await replayed(25.0, 28.0)}, "title")
    assert [ax.get_ylim()[1] > 8 for ax in drawn[0].axes] == [True, True]
