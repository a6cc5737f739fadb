"""Chapter 14: what it says of four stores under random traffic. What it says of the day is in `tests/lab/day`.

The day has random numbers of its own, which a sample here does not change. `tests/lab/day/test_stored.py` plays the
plans on other days.
"""

from typing import Any

from tests.claims.claim import Chapter

claim = Chapter("14")


@claim("The dict asks the database less than the memory: nothing in it expires.")
def a_dict_asks_less(lives: Any) -> None:
    """In the minute, and more clearly before the restart, when it holds more and more of the users."""
    assert len(lives["a dict"][0].queries) < 0.9 * len(lives["memory"][0].queries)
    before, _ = around_the_restart(lives)
    assert before["a dict"] < 0.75 * before["memory"]


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


@claim("(up to the TTL of the memory)")
def both_keep_them_for_the_short_ttl(lives: Any) -> None:
    """More than a second, and no more than the two of the memory and a load."""
    run, _ = lives["both"]
    assert 0.8 < run.max_stale_s < 2 + 0.06


@claim("and 0 ms (Redis).")
def redis_is_up_to_date(lives: Any) -> None:
    """But for a load or a read that was on its way: the lease refuses a fill that a delete has overtaken."""
    run, _ = lives["Redis"]
    assert run.max_stale_s < 0.06


@claim("After the restart the database gets 44 queries a second in place of 18 (dict), and 43 in place of 31 (memory).")
def a_restart_empties_what_is_in_the_process(lives: Any) -> None:
    """Those in the process get many more queries."""
    before, after = around_the_restart(lives)
    assert after["a dict"] > 1.7 * before["a dict"]
    assert after["memory"] > 1.15 * before["memory"]


@claim("With Redis it stays about the same: 20 before and 25 after, which is chance.")
def a_restart_leaves_redis_as_it_is(lives: Any) -> None:
    """Up or down by a third at most, and no higher than in the busiest five seconds before it."""
    before, after = around_the_restart(lives)
    for name in ("Redis", "both"):
        assert before[name] / 1.4 < after[name] < 1.4 * before[name]
        assert after[name] <= 1.05 * max(lives[name][0].queries_per_second(5)[3:8])


def around_the_restart(lives: Any) -> tuple[dict[str, float], dict[str, float]]:
    """The queries a second of each store, from 35 to 40 s and from 40 to 45 s."""
    each_s = {name: run.queries_per_second(5) for name, (run, _) in lives.items()}
    return {name: rates[7] for name, rates in each_s.items()}, {name: rates[8] for name, rates in each_s.items()}


@claim("A read makes 1.49 round trips to Redis in place of 1.75 (Redis alone).")
def both_save_round_trips(lives: Any) -> None:
    """A memory answers some reads without Redis."""
    assert lives["both"][1] < 0.95 * lives["Redis"][1]
