"""Chapter 14: what it says of four stores under random traffic. What it says of the day is in `tests/lab/day`.

The day has random numbers of its own, which a sample here does not change. `tests/lab/day/test_stored.py` plays the
plans on other days.
"""

from typing import Any

from tests.claims.claim import Chapter

claim = Chapter("14")

MOMENT_S = 0.005
"""Some round trips."""


@claim("(dict: until the restart)")
def a_dict_keeps_old_values(lives: Any) -> None:
    """It has answers that are out of date by half a minute, and by no more than the 40 s until the restart."""
    run, _ = lives["a dict"]
    assert 25 < run.max_stale_s < 40


@claim("(memory: up to its TTL)")
def a_memory_keeps_them_for_its_ttl(lives: Any) -> None:
    """Nearly ten seconds, and no more than a load beyond."""
    run, _ = lives["memory"]
    assert 6 < run.max_stale_s < 10 + 0.06


@claim("(both: up to the TTL of the memory)")
def both_keep_them_for_the_short_ttl(lives: Any) -> None:
    """More than a second, and no more than the two of the memory and a load."""
    run, _ = lives["both"]
    assert 0.8 < run.max_stale_s < 2 + 0.06


@claim("0 ms (Redis)")
def redis_is_up_to_date(lives: Any) -> None:
    """But for a load or a read that was on its way: the lease refuses a fill that a delete has overtaken."""
    run, _ = lives["Redis"]
    assert run.max_stale_s < 0.06


@claim("After the restart the database gets 44 queries a second in place of 18 (dict)")
def a_restart_empties_what_is_in_the_process(lives: Any) -> None:
    """Those in the process get many more queries, and Redis hardly any."""
    before, after = ({name: run.queries_per_second(5)[n] for name, (run, _) in lives.items()} for n in (7, 8))
    assert after["a dict"] > 1.7 * before["a dict"]
    assert after["memory"] > 1.15 * before["memory"]
    assert after["Redis"] < 1.4 * before["Redis"]


@claim("It saves round trips")
def both_save_round_trips(lives: Any) -> None:
    """A memory answers some reads without Redis."""
    assert lives["both"][1] < 0.95 * lives["Redis"][1]
