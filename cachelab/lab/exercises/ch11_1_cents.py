"""Exercise 11.1: two releases that take a fleet from euros to cents without a wrong, a stale or a lost entry."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from itertools import product
from typing import Any, NamedTuple

from cachelab.cache import Cache
from cachelab.flight import Flight
from cachelab.lab.exercises.exercise import Exercise, NotYet, Wrong, awaited, is_stub
from cachelab.lab.exercises.experiment import run_experiment
from cachelab.lab.exercises.plan import whole
from cachelab.lab.sim.fake_redis import FakeRedis
from cachelab.lab.text import evidence_table
from cachelab.lease import LeasedStore

__all__ = ["EXERCISE"]

USER, BEFORE, AFTER, CENTS = 7, 5, 8, 100
"""The user has 5 euros, and 8 after the write. A euro has 100 cents."""
HEADER = ["node with", "does", "and gets", "right is"]


def _euros_1(redis: Any, load: Any) -> Cache[int, int]:
    """The release that runs everywhere, as the exercise shows it."""
    return Cache(LeasedStore(redis, int, namespace="credit", version=1), load, ttl=60, flight=Flight())


class _Case(NamedTuple):
    """A half-deployed fleet: who reads first, who writes, who reads then. 0 is the old release, 1 the new one."""

    first: tuple[int, ...]
    writer: int | None = None
    then: tuple[int, ...] = ()


class _Fleet:
    """A node of each of two releases over one Redis, and the steps that were played on it."""

    def __init__(self, names: Sequence[str], units: Sequence[int], makes: Sequence[Any]) -> None:
        self.names, self.units = names, units
        self.euros, self.loads, self.rows = BEFORE, [0, 0], list[list[object]]()
        self.redis = FakeRedis()
        self.nodes = [_built(make, self.redis.client(), self._loader(node)) for node, make in enumerate(makes)]

    def _loader(self, node: int) -> Callable[[int], Any]:
        async def load(user_id: int) -> int:
            self.loads[node] += 1
            return self.euros * self.units[node]

        return load

    async def read(self, node: int, was: int | None = None) -> None:
        """A read that has to be right. `was` are the euros before the write, and None before there was one."""
        found = await awaited("get", self.nodes[node].get(USER))
        right = self.euros * self.units[node]
        self.rows.append([self.names[node], "reads", f"{found!r:.30}", right])
        if whole(found) != right or isinstance(found, bool):
            words = await self._why_wrong(node, found, was)
            raise Wrong(words[0].upper() + words[1:], self.evidence())

    async def write(self, node: int) -> None:
        """The row changes, and a node deletes the key."""
        self.euros = AFTER
        self.rows.append([self.names[node], "writes, deletes", "", ""])
        deleting = self.nodes[node].delete(USER)
        if not inspect.isawaitable(deleting):
            raise Wrong("delete has to be async: whoever calls it awaits its end.", f"delete(…) → {deleting!r:.60}")
        await deleting

    async def _why_wrong(self, node: int, found: Any, was: int | None) -> str:
        amount, name = whole(found), self.names[node]
        if amount is None or isinstance(found, bool):
            return f"The node with {name} answers with something that is no whole number."
        if was is not None and amount == was * self.units[node]:
            return self._why_stale(node)
        known = {self.euros, self.euros if was is None else was}
        if amount in {euros * CENTS * CENTS for euros in known}:
            return f"{name} multiplies an amount by 100 that was in cents already."
        if self.units[node] == CENTS and amount in known:
            if len(await self._keys()) > 1:
                return f"{name} reads the entry of {self.names[0]}, and takes its euros for cents."
            return f"{name} has the same key as {self.names[0]}, and takes its euros for cents."
        if self.units[node] == 1 and amount in {euros * CENTS for euros in known}:
            return f"{name} finds what {self.names[1]} has stored, and takes its cents for euros."
        return f"The amount that the node with {name} gives has never been there."

    async def _keys(self) -> list[Any]:
        """The keys in Redis under which there is an entry, and no lease."""
        client = self.redis.client()
        return [key for key in await client.keys("*") if await client.pttl(key) > 50_000]

    def _why_stale(self, node: int) -> str:
        writer = next(str(row[0]) for row in reversed(self.rows) if row[1] != "reads")
        reader = self.names[node]
        if writer == reader:
            return f"{writer} writes, deletes, and still gives the old amount: it finds one that was not deleted."
        if writer == "release 1":
            return (
                "Release 1 writes, and knows nothing of your new key. No node may read that key before all the others "
                "delete it."
            )
        return f"{writer} writes, and deletes its own key. The old amount is still in the entry of {reader}."

    def evidence(self) -> str:
        """The steps as a table, with a mark at the last one."""
        return evidence_table(HEADER, self.rows, len(self.rows) - 1)


def _built(make: Any, redis: Any, load: Any) -> Any:
    """The cache that a learner's release makes for one node. Raises `Wrong` if it makes something else."""
    cache = make(redis, load)
    if inspect.isawaitable(cache):
        if inspect.iscoroutine(cache):
            cache.close()
        raise Wrong("A release is a plain function, not an async one: it returns the cache.", f"{make!r:.60}")
    if cache is None:
        raise Wrong("A release has to return its cache: is a return missing?", "a release returned None")
    if not (hasattr(cache, "get") and hasattr(cache, "delete")):
        raise Wrong("A release returns a cache, with get and delete.", f"it returned {cache!r:.60}")
    return cache


async def _play(case: _Case, *fleet: Any) -> _Fleet:
    """Play one case; raise `Wrong` at the first answer that is not right."""
    nodes = _Fleet(*fleet)
    for node in case.first:
        await nodes.read(node)
    if case.writer is not None:
        await nodes.write(case.writer)
        for node in case.then:
            await nodes.read(node, was=BEFORE)
    return nodes


BOTH = [(0, 1), (1, 0)]
READS = [_Case(first) for first in BOTH]
WRITES = [_Case(first, writer, then) for first, writer, then in product([*BOTH, (0,), (1,)], (0, 1), BOTH)]


def _pairs(releases: Sequence[Any]) -> Iterator[tuple[list[str], list[int], list[Any]]]:
    """Each release and the next one: their names, their units, and the functions."""
    names = ["release 1", "release 1b", "release 2"] if len(releases) == 3 else ["release 1", "release 2"]
    units = [1] * (len(releases) - 1) + [CENTS]
    for n in range(len(releases) - 1):
        yield names[n : n + 2], units[n : n + 2], list(releases[n : n + 2])


def _releases(safe: Any) -> list[Any]:
    """The learner's releases as a list, if they are functions."""
    stub = "mend the releases, and put [euros_1b, cents_2] in place of the ..."
    if safe is ... or (isinstance(safe, list | tuple) and any(one is ... or is_stub(one) for one in safe)):
        raise NotYet(stub)
    if not isinstance(safe, list | tuple) or not all(callable(one) for one in safe):
        words = "Give the check a list of the functions themselves: [euros_1b, cents_2]."
        raise Wrong(words, f"safe is {safe!r:.60}")
    if not 1 <= len(safe) <= 2:
        raise Wrong("Deploy two releases: the last is the one in cents.", f"here are {len(safe)}")
    return list(safe)


def _examine(safe: Any) -> str:
    """Play each half-deployed fleet: reads, then writes by either release, then loads that were not needed."""
    pairs = list(_pairs([_euros_1, *_releases(safe)]))
    for cases in (READS, WRITES):
        for fleet, case in product(pairs, cases):
            run_experiment(_play, case, *fleet)
    for fleet in pairs:
        old, new = fleet[0]
        played = run_experiment(_play, READS[0], *fleet)
        if played.loads[1]:
            words = f"Right, but {new} begins with a cold cache: it loads what {old} has in Redis."
            raise Wrong(words, f"{played.evidence()}\nloads by {new}: {played.loads[1]}")
    return f"In {len(pairs) * len(WRITES)} orders of reads and writes nothing is wrong, nothing stale, nothing cold."


EXERCISE = Exercise(
    _examine,
    [
        "Cents need a key of their own: version=2. Which entries does a delete reach then, in each of the releases?",
        (
            "Release 1b has to delete the key of version 2, which it does not read: AlsoDeleting. Release 2 has to "
            "find the entries of version 1, and to delete them: Upgrading."
        ),
        (
            "Both functions build both stores, old with version=1 and new with version=2. The first returns a Cache "
            "over AlsoDeleting(old, new), and the second one over new whose load is Upgrading(old, in_cents, load)."
        ),
    ],
)
