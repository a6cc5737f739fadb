"""A rolling deploy: nodes that go from one release to the next, each at its own moment, over one shared store.

Problem: what a deploy does to cached data depends on which release fills, which one reads and which one deletes. In the
    middle of a deploy it may be either, on each request.
Idea: each node has two caches, one of each release. A read or a delete uses the one whose turn it is now.
Guarantee: the same traffic and the same moments give the same answers. `warm_store` gives a store what it would hold in
    the middle of such traffic, so that no run has to begin with a cold cache.
Not guaranteed: what a process does besides. A node changes in an instant, and loses no request; what the old release
    has begun it ends.
Cost: some 200 µs of real time for a request, most of it for the simulated Redis.
Source: a key with the request rate r is loaded, lives for the TTL T, and is missed again 1/r seconds later on average.
    So it is there for T of T + 1/r seconds, that is with the probability rT / (1 + rT).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from itertools import cycle
from random import Random
from typing import Any, NamedTuple, TypeVar

from cachelab.cache import Cache
from cachelab.entry import Entry, Store
from cachelab.lab.traffic.workload import Workload

__all__ = ["Answer", "Rollout", "warm_store"]

V = TypeVar("V")


class Answer(NamedTuple):
    """What a read returned: after how many seconds, whether from the new release, for which key, and the value."""

    when: float
    is_new: bool
    key: int
    value: Any


class Rollout:
    """A fleet whose node number i runs `old[i]` until the moment `at[i]`, and `new[i]` from then on.

    `at`       seconds from the moment at which this object was built; `math.inf` for a node that is never deployed
    `nodes`    an async function of the key for each node: what `lab.replay` takes
    `answers`  an `Answer` for each read that has returned, in order

    Raises ValueError unless there are as many old caches as new ones and moments.
    """

    def __init__(self, old: Sequence[Cache[int, Any]], new: Sequence[Cache[int, Any]], at: Sequence[float]) -> None:
        if not 0 < len(old) == len(new) == len(at):
            raise ValueError(
                f"A node has an old cache, a new one and a moment: here are {len(old)}, {len(new)} and {len(at)}."
            )
        self.answers: list[Answer] = []
        self._old, self._new, self._at = list(old), list(new), list(at)
        self._loop = asyncio.get_running_loop()
        self._start = self._loop.time()
        self._turns = cycle(range(len(self._at)))
        self.nodes: list[Callable[[int], Awaitable[Any]]] = [partial(self._read, node) for node in range(len(at))]

    async def delete(self, key: int) -> None:
        """Delete a key as a write does: on the node whose turn it is, in the release that it runs now."""
        await self._running(next(self._turns)).delete(key)

    async def _read(self, node: int, key: int) -> Any:
        cache = self._running(node)
        value = await cache.get(key)
        self.answers.append(Answer(self._loop.time() - self._start, cache is self._new[node], key, value))
        return value

    def _running(self, node: int) -> Cache[int, Any]:
        is_new = self._loop.time() - self._start >= self._at[node]
        return (self._new if is_new else self._old)[node]


async def warm_store(store: Store[V], workload: Workload, value: Callable[[int], V], *, ttl: float) -> None:
    """Put into the store what a cache with this TTL, in seconds, holds in the middle of the workload's reads.

    `value` makes the value of a key. Writes are left out of the reckoning. Another seed of the workload draws other
    keys and other remaining lives.
    """
    draw, now = Random(f"{workload.seed}/warm"), asyncio.get_running_loop().time()
    entries = {}
    for key, popularity in enumerate(workload.popularity(), 1):
        requests = popularity * workload.rate * ttl  # of this key within a TTL
        is_there, left = draw.random() * (1 + requests) < requests, draw.random() * ttl
        if is_there:
            entries[key] = Entry(value(key), now + left)
    await asyncio.gather(*(store.set(key, entry) for key, entry in entries.items()))
