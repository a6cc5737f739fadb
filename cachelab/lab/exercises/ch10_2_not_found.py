"""Exercise 10.2: a sign-up after which a pod still says "not found"."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any

from cachelab.cache import Cache
from cachelab.entry import ABSENT
from cachelab.flight import Flight
from cachelab.guarded import Guarded
from cachelab.lab.exercises.exercise import Exercise, NotYet, Wrong
from cachelab.lab.exercises.experiment import run_experiment
from cachelab.lab.sim.database import SlowDatabase
from cachelab.lab.text import evidence_table
from cachelab.stores.memory import MemoryStore

__all__ = ["EXERCISE"]

USERS, ANA = 10, 11
DELAYS_S = (0.004, 0.012, 0.031)
"""How long a message takes to each of the pods."""
STEP_S, MOST_S = 0.005, 60.0


@dataclass
class _Run:
    """One sign-up. All moments are in seconds from its start.

    `steps`    what happened, in order: the moment and the words
    `arrived`  the messages that arrived: add or delete, the number of the pod, the moment
    `wrong`    the number of the step in which somebody is told "not found" and must not be
    `pod`      the number of the pod that says so
    """

    steps: list[tuple[float, str]] = field(default_factory=list)
    arrived: list[tuple[str, int, float]] = field(default_factory=list)
    commit: float | None = None
    returned: float = 0.0
    wrong: int | None = None
    pod: int = 0

    def evidence(self) -> str:
        """The steps as a table, with a mark at the wrong one."""
        rows = [[f"{1000 * when:.0f} ms", what] for when, what in self.steps]
        return evidence_table(["at", "what happens"], rows, self.wrong)

    def moments(self, kind: str) -> list[float]:
        """When messages of this kind arrived at the pod that is wrong."""
        return [when for what, pod, when in self.arrived if (what, pod) == (kind, self.pod)]


class _Pod:
    """A pod as the learner's code sees it: two messages can be sent to it."""

    def __init__(self, number: int, db: SlowDatabase, run: _Run, now: Callable[[], float]) -> None:
        self._number, self._run, self._now = number, run, now
        self._known = set[Hashable](range(1, USERS + 1))
        load: Any = Guarded(db.fetch_user, self._known)
        self._cache: Cache[int, Any] = Cache(MemoryStore(100), load, ttl=600, negative_ttl=10, flight=Flight())

    async def add(self, user_id: Any) -> None:
        """Tell this pod's filter of a user, and wait for the answer."""
        await asyncio.sleep(DELAYS_S[self._number])
        self._known.add(user_id)
        self._arrive("add")

    async def delete(self, user_id: Any) -> None:
        """Delete the user's entry from this pod's cache, and wait for the answer."""
        await asyncio.sleep(DELAYS_S[self._number])
        await self._cache.delete(user_id)
        self._arrive("delete")

    def _arrive(self, kind: str) -> None:
        self._run.arrived.append((kind, self._number, self._now()))
        self._run.steps.append((self._now(), f"{kind} arrives at pod {self._number + 1}"))

    async def ask(self) -> None:
        """Somebody asks for the new user. To be told "not found" is wrong after the commit."""
        run, step, must_find = self._run, len(self._run.steps), self._run.commit is not None
        asks = self._now(), f"somebody asks pod {self._number + 1}"
        run.steps.append(asks)
        is_found = await self._cache.get(ANA) is not ABSENT
        run.steps[step] = (asks[0], f"{asks[1]}: {'found' if is_found else 'not found'}")
        if must_find and not is_found and run.wrong is None:
            run.wrong, run.pod = step, self._number


class _Database(SlowDatabase):
    """A database that notes its commit."""

    def __init__(self, run: _Run, now: Callable[[], float]) -> None:
        super().__init__(users=USERS, connections=100, service_s=0.02)
        self._run, self._now = run, now

    async def add_user(self, user_id: int, email: str | None = None) -> int:
        """Add a user, as any `SlowDatabase` does."""
        commit = await super().add_user(user_id, email)
        self._run.commit = self._now()
        self._run.steps.append((self._now(), "the commit"))
        return commit


async def _play(mended: Any, asked_at: float) -> _Run:
    """One sign-up in which each pod is asked at `asked_at`, and again when `mended` has returned."""
    loop, run = asyncio.get_running_loop(), _Run()
    began = loop.time()

    def now() -> float:
        return loop.time() - began

    db = _Database(run, now)
    pods = [_Pod(number, db, run, now) for number in range(len(DELAYS_S))]

    async def ask_early(pod: _Pod) -> None:
        await asyncio.sleep(asked_at)
        await pod.ask()

    early = [asyncio.ensure_future(ask_early(pod)) for pod in pods]
    await _sign_up(mended, db, pods)
    run.returned = now()
    run.steps.append((now(), "sign_up returns"))
    if run.commit is None:
        raise Wrong("sign_up has returned, and the user is not in the database.", run.evidence())
    await asyncio.gather(*(pod.ask() for pod in pods))
    await asyncio.gather(*early)
    await asyncio.sleep(2 * max(DELAYS_S))  # until the messages have arrived that nobody waits for
    return run


async def _sign_up(mended: Any, db: _Database, pods: list[_Pod]) -> None:
    """Call the learner's function and wait for it, but not for ever."""
    answer = mended(db, list(pods), ANA)
    if not inspect.isawaitable(answer):
        raise Wrong("sign_up has to be async: it waits for messages.", f"it returned {answer!r:.60}")
    try:
        async with asyncio.timeout(MOST_S) as limit:
            await answer
    except TimeoutError:
        if not limit.expired():
            raise
        raise Wrong("sign_up has not returned after a minute.", "a message takes 31 ms at most") from None


def _words(run: _Run) -> str:
    """Why the pod says "not found"."""
    adds, deletes, commit = run.moments("add"), run.moments("delete"), run.commit or 0.0
    pod = f"pod {run.pod + 1}"
    if any(when > run.returned for _, _, when in run.arrived):
        return "sign_up has returned while messages were still on their way: it has to wait for them."
    if not adds:
        return f"No add has arrived at {pod}, so its filter still says no. (Without await nothing is sent.)"
    if min(adds) > commit:
        return f"The filter of {pod} is told after the commit. Until then it denies a user who is there."
    asked = (
        f"Somebody asked {pod} between the add and the commit. The filter let the id pass, the database had no such "
        "user yet, and the cache keeps that answer for 10 s."
    )
    if deletes and max(deletes) < commit:
        return f"{asked} Your delete came before the commit, so it was too early."
    return f"{asked} No delete has arrived there after the commit."


def _examine(mended: Any) -> str:
    """Play the sign-up again and again. Each time somebody asks all pods at another moment."""
    if mended is ...:
        raise NotYet("write your function sign_up(db, pods, user_id), and its name in place of the ...")
    if not callable(mended):
        raise Wrong("Give the check your function: async def sign_up(db, pods, user_id).", f"it is {mended!r:.60}")
    lasts = run_experiment(_play, mended, 2 * MOST_S).returned
    step = max(STEP_S, lasts / 100)
    moments = [step * (number + 0.5) for number in range(int(lasts / step) + 3)]
    for moment in moments:
        run = run_experiment(_play, mended, moment)
        if run.wrong is not None:
            raise Wrong(_words(run), run.evidence())
    return f"Nobody is told “not found” after the commit; {len(moments)} moments were tried."


EXERCISE = Exercise(
    _examine,
    [
        "Follow a read that asks pod 2 after its add and before the commit. What does the filter say, what the cache?",
        "After the commit, each pod may hold an absence. Who deletes it, and where?",
        "Tell all pods, then commit, then delete at all pods: for pod in pods: await pod.delete(user_id)",
    ],
)
