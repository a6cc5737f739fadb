"""Exercise 9.1: a lock that one holder deletes for another."""

from __future__ import annotations

from functools import partial
from typing import Any

from cachelab.lab.exercises.exercise import Exercise, NotYet, Wrong, awaited
from cachelab.lab.exercises.experiment import run_experiment
from cachelab.lab.sandbox import raised_by_learner
from cachelab.lab.sim.faults import Slow
from cachelab.lab.sim.stampede import OriginDown, Stampede, play_stampede
from cachelab.lab.text import evidence_table

__all__ = ["EXERCISE"]

LOCK_S = 0.3
"""A lock ends after so long, if its node is killed."""
ON_THE_WAY_S = 0.02
"""So much earlier than it should a load may begin: commands are on their way for some milliseconds."""


def _play(mended: Any, **what: Any) -> Stampede:
    """A run of the learner's lock. Raises what is wrong with its code before anything is judged."""
    run: Stampede = run_experiment(partial(play_stampede, partial(_get_of, mended), patience_s=6.0, **what))
    for error in run.errors:
        if isinstance(error, Wrong) or (raised_by_learner(error) and not isinstance(error, OriginDown)):
            raise error
    return run


def _get_of(mended: Any, redis: Any, load: Any) -> Any:
    """What the learner's function makes for one node, if that is a function."""
    get = mended(redis, load)
    if hasattr(get, "close") and hasattr(get, "send"):
        get.close()
        raise Wrong("The function itself is not async: it returns its async get.", f"it returned {get!r:.40}")
    if not callable(get):
        raise Wrong("The function has to return its get.", f"it returned {get!r:.60}")

    async def checked(key: str) -> Any:
        return await awaited("get", get(key))

    return checked


def _rows(run: Stampede) -> list[list[object]]:
    rows: list[list[object]] = []
    for load in run.loads:
        ended = "killed" if load.ended is None else f"{load.ended:.3f} s"
        rows.append([load.node, f"{load.began:.3f} s", f"{load.began + LOCK_S:.3f} s", ended])
    return rows


def _evidence(run: Stampede, wrong: int | None = None) -> str:
    """The loads of a run as a table."""
    header = ["node", "load begins", "its lock would end", "load ends"]
    return evidence_table(header, _rows(run), wrong)


def _first_too_early(run: Stampede, allowed_s: float = ON_THE_WAY_S) -> int | None:
    """The number of the first load that begins while the lock of another one should be there."""
    for number, load in enumerate(run.loads):
        for before in run.loads[:number]:
            free = min(before.began + LOCK_S, before.ended if before.ended is not None else before.began + LOCK_S)
            if load.began < free - allowed_s:
                return number
    return None


def _check_quick(mended: Any) -> None:
    """A load that is quicker than the lock: one load, and an answer for everybody."""
    run = _play(mended, load_s=0.1)
    got = {answer.error or f"{answer.version}" for answer in run.answers}
    if got != {"1"}:
        wrong = sorted(got - {"1"})[0]
        words = "Not every caller gets the value: with no accident at all, each of them has to."
        if wrong in ("TypeError", "ValueError"):
            words = "A caller gets something else than what load returned."
        if wrong == "no answer":
            words = "With no accident at all, some callers wait for ever."
        raise Wrong(words, f"of 40 callers {sum(a.version == 1 for a in run.answers)} get the value; others: {wrong}")
    if len(run.loads) > 1:
        words = "A load takes 0.1 s, and others begin meanwhile: there is no lock any more."
        if run.loads[1].began >= (run.loads[0].ended or 0.0):
            words = (
                "A load has ended, and the next node loads again: the value was not in Redis when the lock was freed."
            )
        raise Wrong(words, _evidence(run, 1))


def _check_failed(mended: Any) -> None:
    """A load that fails after 0.05 s frees the lock; its own callers get the error."""
    run = _play(mended, load_s=[0.05, 0.1], fails={1})
    first = run.loads[0]
    got = {answer.error for answer in run.answers if answer.node == first.node}
    if got != {OriginDown.__name__}:
        words = "A load has failed, and its own callers do not get its error."
        raise Wrong(
            words, f"the load of {first.node} fails after 0.05 s; its callers get {sorted(got)[0] or 'a value'}"
        )
    if len(run.loads) > 2:
        raise Wrong("After one failed load the others load side by side: the lock is gone.", _evidence(run, 2))
    if len(run.loads) < 2 or run.loads[1].began > 0.2:
        words = "A load has failed, and its lock stays: the others wait until it ends by itself."
        raise Wrong(words, _evidence(run, len(run.loads) - 1))


def _check_killed(mended: Any) -> None:
    """The lock of a node that was killed ends by itself."""
    run = _play(mended, load_s=0.2, kill_s=0.1)
    if any(answer.error == "no answer" for answer in run.answers) or run.last_answer > 1.0:
        words = "A node is killed while it loads. Its lock has to end by itself after 0.3 s; yours stays longer."
        raise Wrong(words, f"killed after 0.1 s; the last answer comes after {run.last_answer:.1f} s")


def _check_slow(mended: Any) -> None:
    """The origin is slow and then fails, so each lock ends before its load."""
    run = _play(mended, load_s=0.4, fails=True)
    early = _first_too_early(run)
    if early is not None:
        words = (
            "A load outlives its lock, and another node gets the lock. Then the first node removes it, although it is "
            "no longer its own, and a third load begins. A node may remove only its own lock."
        )
        raise Wrong(words, _evidence(run, early))
    run = _play(mended, load_s=1.0)
    early = _first_too_early(run)
    if early is not None:
        raise Wrong("A load outlives its lock, and then several begin within one lock's time.", _evidence(run, early))


def _check_moments(mended: Any) -> int:
    """The lock ends while the node looks whose it is. Returns how many moments were tried."""
    ends = [0.2 + 0.01 * step for step in range(16)]
    far: list[dict[str, Any]] = [{"load_s": [s, 0.4], "latency_s": 0.04, "every_s": 0.013} for s in ends]
    late: list[dict[str, Any]] = [
        {"load_s": [s, 0.4], "faults": [Slow(s - 0.005, s + 0.02, 0.2)], "every_s": 0.01} for s in ends[:11]
    ]
    for what in [*far, *late]:
        run = _play(mended, fails=True, **what)
        early = _first_too_early(run, 0.1)
        if early is not None:
            words = (
                "Redis is slow, and the lock ends after your node has decided to delete it, and before the delete "
                "arrives. So the delete removes the lock of another node. Comparing and deleting have to be one step."
            )
            raise Wrong(words, _evidence(run, early))
    return len(far) + len(late)


def _examine(mended: Any) -> str:
    """Play quick, failing and slow loads, a killed node, and a Redis that is slow at each moment of the release."""
    if mended is ...:
        raise NotYet("write your function mended(redis, load) in place of the line mended = ...")
    if not callable(mended):
        words = "Give the check your function: def mended(redis, load)."
        raise Wrong(words, f"mended is {mended!r:.60}")
    _check_quick(mended)
    _check_failed(mended)
    _check_killed(mended)
    _check_slow(mended)
    moments = _check_moments(mended)
    return f"No node removes the lock of another one, whatever the moment ({moments} were tried)."


EXERCISE = Exercise(
    _examine,
    [
        "How can a node know that the lock in Redis is its own? What would have to be in the lock?",
        (
            "The name of its owner: owner = uuid4().hex is the value of the lock. Delete it only if it still has that "
            "value. If you GET and then DELETE, the lock can end in between."
        ),
        (
            "RELEASE = \"if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end\", and in the "
            'finally: await redis.eval(RELEASE, 1, f"lock:{key}", owner)'
        ),
    ],
)
