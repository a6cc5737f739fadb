"""One level of a cache: a store that may fail, and the fences around the loads that may fill it.

Problem: a reader misses and loads the old value. A writer commits and deletes the key. Then the reader fills, and the
    old value stays in the store until its TTL ends. A store across the network may also fail or hang at any of these
    steps.
Idea: every load runs inside a fence of its own. A delete breaks the fences that stand around its key at that moment,
    and a load whose fence is broken does not fill. If the fence breaks while the fill is on its way to a remote store,
    the fill is deleted again. Such a fill runs to its end even if its caller is cancelled, and the fence stands until
    then. From the delete to that end, reads of the key are misses: the store might show the old value. A caller whose
    read of the store has failed should not wait for the store a second time. Its own load is not filled; and while it
    waits for a shared one, no fill of that key is sent. (For a fill or a claim that was sent before, it does wait.) A
    store with `claim` keeps track of deletes itself: it grants a lease, and the fill goes through the lease.
Guarantee: through one `Cache`, no value that was loaded before a delete of its key stays in a store that answers, and
    no caller that asks after the delete is given it. Nothing is kept for keys that nobody loads, whatever has ended a
    load or a command: an error, a cancellation, a KeyboardInterrupt or SystemExit. An interrupt during a fill that was
    sent leaves the event loop; the caller that waits for the fill has its value.
Not guaranteed: anything across caches and processes, where the delete of one breaks no fence of another (a lease
    reaches that far). A store without leases that fails in the middle of a fill, or while a late fill is deleted again,
    may keep the value until its TTL ends. A load that begins after the delete and still reads the old row, from a
    lagging replica or an old snapshot, is not noticed.
Cost: an object and an entry in a table for each load, and a task for each fill of a remote store. A hit pays nothing.
Source: the problem is the "stale set" of Nishtala et al., NSDI'13, section 3.2.1. Their cure is the lease; generation
    counters, of which a fence is a form, are older.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Hashable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, TypeVar

from cachelab.clock import LoopClock
from cachelab.entry import MISS, Entry, Lease, Miss, Store

__all__ = ["Fence", "Level"]

T = TypeVar("T")


class Fence(AbstractContextManager["Fence"]):
    """Stands around one load and its fill: `with level.fence(key) as fence:`.

    `broken`   whether the key was deleted since the load began: then the loaded value must not be kept
    `lease`    the right to fill, where the store grants one; released at the end if it was not used
    `sending`  the command to the store that was sent behind this fence, if any; it is kept when it has ended
    """

    __slots__ = ("_key", "_level", "_waiter", "broken", "lease", "sending")

    def __init__(self, level: Level, key: Hashable) -> None:
        self._level, self._key = level, key
        self._waiter: asyncio.Future[None] | None = None
        self.broken = False
        self.lease: Lease[Any] | None = None
        self.sending: asyncio.Future[None] | None = None

    def __enter__(self) -> Fence:
        self._level.standing.setdefault(self._key, []).append(self)
        return self

    def __exit__(self, *_: object) -> None:
        try:
            if self.lease is not None:
                self.send(self._level.release(self._key, self.lease))
        finally:
            self._leave()

    def send(self, command: Coroutine[Any, Any, None]) -> None:
        """Run a command to its end behind this fence, even if the caller is cancelled."""
        self.sending = asyncio.ensure_future(command)  # kept here, since the loop holds its tasks only weakly
        self.__enter__()  # a second time: the load and its command end in any order, and each leaves once
        self.sending.add_done_callback(self._sent)

    async def send_and_wait(self, command: Coroutine[Any, Any, None]) -> None:
        """As `send`, and wait for the end. A broken fence ends the wait: the store may hang, and the value is here."""
        self.send(command)
        if not self.broken:
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
            sending = self.sending
            if sending is None or not sending.done() or sending.cancelled():
                return  # the fence is broken, or the store has cancelled the command: the caller has the value
            if not isinstance(sending.exception(), KeyboardInterrupt | SystemExit):  # these have left the loop already
                sending.result()  # raises if the store cannot take the value

    def break_it(self) -> None:
        """The key was deleted: what was loaded inside this fence must not be kept."""
        self.broken = True
        self._wake()

    def _sent(self, _: object) -> None:
        self._leave()
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _leave(self) -> None:
        standing = self._level.standing
        fences = standing[self._key]
        fences.remove(self)
        if not fences:
            del standing[self._key]


class _Unreadable(dict[Hashable, list[None]]):
    """The keys that could not be read, each with the callers that therefore wait for a load of it now.

    `shared`  whether callers share loads. Otherwise each load runs in its caller's task and is marked with that task.
    """

    shared = True

    def _mark(self, key: Hashable) -> Hashable:
        return key if self.shared else (key, asyncio.current_task())

    def __contains__(self, key: object) -> bool:
        """Whether a caller of the load that runs now could not read the key."""
        return bool(self) and super().__contains__(self._mark(key))

    @contextmanager
    def waiting(self, key: Hashable) -> Iterator[None]:
        """Another caller waits for a load of the key, within this block."""
        key = self._mark(key)
        callers = self.setdefault(key, [])
        callers.append(None)
        try:
            yield
        finally:
            callers.pop()
            if not callers and self.get(key) is callers:  # otherwise a delete has removed the key
                del self[key]


class Level:
    """A store and the fences around the loads that may fill it.

    `peek`         the store's own, or one that never finds anything
    `in_process`   whether the store has a `peek`: then none of its verbs ever waits
    `grants`       whether the store grants leases
    `unreadable`   the keys that could not be read and are being loaded
    `standing`     the fences that stand now, by key: each once for its load, and once for the command it has sent
    `store_error`  is called with a key and each error of the store, and raises it again if it is a TypeError: what the
                   network or its client raises is none. `fact` is called with a key and "fill" for each fill.
    """

    def __init__(
        self,
        store: Store[Any],
        clock: LoopClock,
        store_error: Callable[[Hashable, Exception], None],
        fact: Callable[[Hashable, Any], None],
    ) -> None:
        self.store: Any = store  # also for the verbs that not every store has
        self.peek: Callable[[Any], Entry[Any] | Miss] = getattr(store, "peek", _no_peek)
        self.in_process = self.peek is not _no_peek
        self.grants = hasattr(store, "claim")
        self._clock, self._store_error, self._fact = clock, store_error, fact
        self.standing: dict[Hashable, list[Fence]] = {}
        self.unreadable = _Unreadable()

    # The store

    async def read(self, key: Hashable) -> Entry[Any] | Miss | None:
        """The live entry. `MISS` also if the store may show a value that a delete overtook. None if the store fails."""
        self._clock.check_loop()
        fences = self.standing.get(key)  # as a rule none
        if fences is not None and any(fence.broken and fence.sending for fence in fences):
            return MISS
        try:
            entry: Entry[Any] | Miss = await self.store.get(key)
        except Exception as error:  # a store that is down costs a load, never the request
            self._store_error(key, error)
            return None
        return MISS if entry is MISS or entry.expires <= self._clock() else entry  # it may expire on the way here

    async def without_fill(self, key: Hashable, load: Coroutine[Any, Any, T]) -> T:
        """Await the load of a key that could not be read. It sends no fill meanwhile: the caller would wait."""
        with self.unreadable.waiting(key):
            return await load

    async def claim(self, key: Hashable, seen: Entry[Any] | Miss, fence: Fence) -> Entry[Any] | Miss:
        """Ask for the lease. `MISS` means: load now. An entry means: another process has just filled the key.

        `seen` is the entry that the load replaces. If the store fails, the load goes ahead and does not fill.
        """
        if key in self.unreadable:
            return MISS
        try:
            answer: Entry[Any] | Lease[Any] = await self.store.claim(key, seen)
        except Exception as error:
            self._store_error(key, error)
            return MISS
        if isinstance(answer, Entry):
            now = self._clock()
            if answer.expires <= now:  # it may expire on the way here
                return MISS
            return Entry(answer.value, now) if fence.broken else answer
        fence.lease = answer
        return MISS

    def fill(self, key: Hashable, entry: Entry[Any], fence: Fence) -> Coroutine[Any, Any, None]:
        """Keep the entry, unless the key was deleted meanwhile, or the store has just failed to answer for it."""
        if self.in_process and not fence.broken:
            return self._set(key, entry, fence)
        return self._send_fill(key, entry, fence)

    async def _send_fill(self, key: Hashable, entry: Entry[Any], fence: Fence) -> None:
        if self.in_process or key in self.unreadable:
            return
        if self.grants:  # without a lease nothing is filled; with one the store refuses the fill after a delete
            lease, fence.lease = fence.lease, None
            if lease is not None:
                await fence.send_and_wait(self._set_by_lease(lease, key, entry, fence))
        elif not fence.broken:
            await fence.send_and_wait(self._set(key, entry, fence))

    async def drop(self, key: Hashable, fence: Fence) -> None:
        """Remove the old entry of a key that the origin no longer has."""
        lease, fence.lease = fence.lease, None
        drop = self._drop(key, lease)
        if self.in_process:
            await drop
        elif key in self.unreadable or (self.grants and lease is None):  # the store has just failed
            fence.send(drop)
        else:
            await fence.send_and_wait(drop)

    async def _drop(self, key: Hashable, lease: Lease[Any] | None) -> None:
        try:
            await (self.store.delete(key) if lease is None else lease.drop())
        except Exception as error:
            self._store_error(key, error)

    async def _set(self, key: Hashable, entry: Entry[Any], fence: Fence) -> None:
        try:
            try:
                await self.store.set(key, entry)
                self._fact(key, "fill")
            finally:
                if fence.broken:  # the delete may have overtaken this fill on its way
                    await self.store.delete(key)
        except Exception as error:  # the caller has the value, and the next one will load it again
            self._store_error(key, error)

    async def _set_by_lease(self, lease: Lease[Any], key: Hashable, entry: Entry[Any], fence: Fence) -> None:
        try:
            if await lease.set(entry):
                self._fact(key, "fill")
            else:
                fence.broken = True  # as a rule by a delete in another process
        except Exception as error:
            self._store_error(key, error)

    async def release(self, key: Hashable, lease: Lease[Any]) -> None:
        """Give back a lease that was not used."""
        try:
            await lease.release()
        except Exception as error:
            self._store_error(key, error)

    # The fences

    def fence(self, key: Hashable) -> Fence:
        """A new fence, for one load of `key`."""
        return Fence(self, key)

    def break_fences(self, key: Hashable) -> None:
        """Break every fence that stands around a load of `key` now. What is loaded from now on may be filled."""
        self.unreadable.pop(key, None)  # those callers wait for a load that fills nothing
        for fence in self.standing.get(key, ()):
            fence.break_it()

    def loading(self) -> list[Hashable]:
        """The keys that have a fence now."""
        return list(self.standing)

    async def all_sent(self) -> None:
        """Wait for the end of every command that runs behind a fence."""
        fences = [fence for standing in self.standing.values() for fence in standing]
        if sending := {fence.sending for fence in fences if fence.sending}:
            await asyncio.wait(sending)


def _no_peek(_key: object) -> Miss:
    """The `peek` of a store in another place: without waiting it finds nothing."""
    return MISS
