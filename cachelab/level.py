"""The fence: a load that began before a delete must not fill after it.

Problem: a reader misses and loads the old value; a writer commits and deletes; then the reader fills. The old value
    stands in the cache until its TTL ends or somebody writes again.
Idea: every load stands behind a fence of its own. A delete breaks all fences of its key that stand at that moment. A
    load whose fence is broken does not fill; if it broke while the fill was on its way, the load deletes again. A fill
    on its way to a remote store goes on to its end, also if its caller is cancelled, and so does its fence. From the
    delete until such a fill has been taken back, nobody believes what the store says about the key. A remote store that
    has failed to answer a read of the key is not sent the fill: to wait for it again would cost the caller double.
Guarantee: through one `Cache`, no fill of a value that was loaded before a delete of its key stays in a store that
    answers, and nobody who asks after the delete is given it. Nothing is kept for keys that nobody loads.
Not guaranteed: anything across caches and processes, since another's delete breaks no fence here (the lease does that);
    a store that fails in the middle of a fill, or as a late one is taken back, may keep it until the TTL ends; a load
    that begins after the delete and still reads the old row (a lagging replica, an old snapshot) is not seen.
Cost: an object and an entry in a table for each load; a hit pays nothing.
Source: the problem is the "stale set" of Nishtala et al., NSDI'13, section 3.2.1; generations are an old cure.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Hashable
from typing import Any

__all__ = ["Fence", "Fences"]


class Fence:
    """One load's fence: `with fence:` around the load and its fill; `broken` tells whether a delete came between."""

    __slots__ = ("_filling", "_key", "_standing", "_unread", "_waiter", "broken")

    def __init__(self, standing: dict[Hashable, list[Fence]], unread: set[Hashable], key: Hashable) -> None:
        self._standing = standing
        self._unread = unread
        self._key = key
        self._filling: asyncio.Future[None] | None = None
        self._waiter: asyncio.Future[None] | None = None
        self.broken = False

    def __enter__(self) -> Fence:
        self._standing.setdefault(self._key, []).append(self)
        return self

    def __exit__(self, *_: object) -> None:
        fences = self._standing[self._key]
        fences.remove(self)
        if not fences:
            del self._standing[self._key]
            self._unread.discard(self._key)

    async def stand_until_done(self, filling: Coroutine[Any, Any, None]) -> None:
        """Await the fill, unless the key is unread: then nothing is sent.

        It goes on behind this fence if its caller is cancelled: nobody else would take it back. Nor does the caller
        wait for that, if the fence breaks: the store may hang, and would be waited for twice.
        """
        if self._key in self._unread:
            filling.close()
            return
        self.__enter__()
        self._filling = asyncio.ensure_future(filling)  # the loop itself holds tasks only weakly
        self._filling.add_done_callback(self.__exit__)
        self._waiter = self._filling.get_loop().create_future()
        self._filling.add_done_callback(self._release)
        await self._waiter

    def _break(self) -> None:
        self.broken = True
        self._release()

    def _release(self, *_: object) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class Fences:
    """The fences of one cache. `len` is the number of keys that are being loaded."""

    def __init__(self) -> None:
        self._standing: dict[Hashable, list[Fence]] = {}
        self._unread: set[Hashable] = set()

    def around(self, key: Hashable) -> Fence:
        """A new fence for one load of `key`."""
        return Fence(self._standing, self._unread, key)

    def break_all(self, key: Hashable) -> None:
        """Break every fence that stands around a load of `key` now."""
        for fence in self._standing.get(key, ()):
            fence._break()

    def unread(self, key: Hashable) -> None:
        """A read of `key` has failed: whoever reports it loads now, or waits for a load, and that one does not fill."""
        self._unread.add(key)

    def overtaken(self, key: Hashable) -> bool:
        """Whether a delete may have overtaken a fill of `key` that is still on its way: the store may show it."""
        standing = self._standing.get(key)  # as a rule none: every read that awaits its store asks this
        return standing is not None and any(fence.broken and fence._filling for fence in standing)

    async def fills(self) -> None:
        """Wait for the end of every fill that is on its way."""
        fences = [fence for standing in self._standing.values() for fence in standing]
        if fills := {fence._filling for fence in fences if fence._filling}:
            await asyncio.wait(fills)

    def __len__(self) -> int:
        return len(self._standing)
