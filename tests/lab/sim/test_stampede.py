"""A stampede in a simulated fleet: what is recorded of loads, answers, commands, deaths, deletes and refused fills."""

import asyncio
from functools import partial
from typing import Any

import pytest

from cachelab import Cache, Flight, LeasedStore, lab
from cachelab.lab.sim.stampede import KEY, Stampede, play_stampede

REFUSE = "-- fill\nreturn 0"


def plain(redis: Any, load: Any) -> Any:
    """Look, load, fill."""

    async def get(key: str) -> Any:
        value = await redis.get(key)
        if value is None:
            value = await load(key)
            await redis.set(key, value, ex=60)
        return value

    return get


def refused(redis: Any, load: Any) -> Any:
    """Each fill is refused."""

    async def get(key: str) -> Any:
        value = await load(key)
        await redis.eval(REFUSE, 0)
        return value

    return get


def leased(redis: Any, load: Any) -> Cache[Any, Any]:
    """The package's lease."""
    store = LeasedStore(redis, int, namespace="test", version=1, lease_s=1.0)
    return Cache(store, load, ttl=60, flight=Flight())


def played(build: Any, **options: Any) -> Stampede:
    """The run of a stampede."""
    return lab.run(partial(play_stampede, build, **options))


def test_each_node_loads_once_with_a_flight() -> None:
    """40 callers of 8 nodes make 8 loads, each after one round trip, and 16 commands; the next caller hits."""
    run = played(plain)
    assert len(run.answers) == 40
    assert [(load.node, load.began) for load in run.loads[:2]] == [("node 1", 0.002), ("node 2", 0.003)]
    assert len(run.loads) == 8
    assert [sent.command for sent in run.commands].count("GET") == 8
    assert len(run.commands) == 16
    assert run.later == 1
    assert run.longest_wait == pytest.approx(0.303)


def test_without_a_flight_each_caller_loads() -> None:
    """As many loads as callers."""
    assert len(played(plain, callers=12, nodes=3, flight=False).loads) == 12


def test_a_cache_is_asked_as_it_is() -> None:
    """The package's lease makes one load."""
    run = played(leased)
    assert len(run.loads) == 1
    assert {answer.version for answer in run.answers} == {1}


def test_a_killed_node_has_no_answers() -> None:
    """Its callers have the error "killed", its load never ends, and the others are answered after the lease."""
    run = played(leased, kill_s=0.1)
    assert run.killed == (0.1, "node 1")
    assert {answer.node for answer in run.answers if answer.error == "killed"} == {"node 1"}
    assert run.loads[0].ended is None
    assert run.last_answer == pytest.approx(1.3, abs=0.02)


def test_old_answers_are_those_of_callers_after_the_delete() -> None:
    """Without a lease everybody who asks after it gets version 1 for ever; with one, who joins the load that runs."""
    run = played(plain, every_s=0.015, write_s=0.15)
    (deleted,) = run.deletes
    assert len(run.old) == sum(answer.asked >= deleted for answer in run.answers) > 20
    assert run.later == 1

    async def delete(redis: Any) -> None:
        await LeasedStore(redis, int, namespace="test", version=1).delete(KEY)

    run = played(leased, every_s=0.015, write_s=0.15, delete=delete)
    assert [answer.node for answer in run.old] == ["node 1"]
    assert run.later == 2


def test_a_key_can_be_changed_again_and_again() -> None:
    """Each write makes the next version, and an answer is old if its version was deleted before its caller asked."""
    run = played(plain, every_s=0.015, write_s=[0.1, 0.4])
    assert run.deletes == [0.102, 0.402]
    assert {load.version for load in run.loads if load.began < 0.1} == {1}
    assert {answer.version for answer in run.old} == {1, 2}
    assert all(answer.version <= run.deletes_before(answer.asked) for answer in run.old if answer.version)
    assert run.later == 3
    assert played(plain).old == []


def test_a_script_that_returns_0_is_a_refused_fill() -> None:
    """It is noted with its node."""
    run = played(refused, nodes=2, callers=2)
    assert [node for _, node in run.refused] == ["node 1", "node 2"]


def test_loads_fail_and_take_time_as_told() -> None:
    """The first takes longer and succeeds, the second fails."""
    run = played(plain, nodes=2, callers=2, load_s=[0.5, 0.1], fails={2})
    assert [answer.error for answer in run.answers] == ["OriginDown", ""]
    assert [load.ended for load in run.loads] == [0.502, 0.103]
    assert len(run.errors) == 1


def test_it_ends_for_callers_that_wait_for_ever() -> None:
    """They have the error "no answer", and so has the caller who comes later."""

    def waits(redis: Any, load: Any) -> Any:
        async def get(key: str) -> None:
            await asyncio.Event().wait()

        return get

    run = played(waits, patience_s=2.0)
    assert {answer.error for answer in run.answers} == {"no answer"}
    assert run.last_answer == pytest.approx(2.0, abs=0.05)
    assert run.later is None


def test_in_a_notebook_it_is_awaited() -> None:
    """`lab.stampede` runs in virtual time, on whatever loop it is awaited."""
    assert len(asyncio.run(lab.stampede(plain, nodes=3)).loads) == 3
