"""A store in this process: bounded, with a lifetime for each entry, and a policy that says which entry is evicted.

Problem: a dict remembers everything for ever. It grows without a bound and serves values that are long out of date.
Idea: the entries are in a dict, the order of their keys is in a policy (least recently used by default), and the
    moments at which they expire are in a heap, so that a write finds expired entries without a search. The listener is
    called at the end of a change.
Guarantee: the store never has more than `max_entries` entries, nor more than `max_bytes` bytes where that is given. It
    never returns an entry at or after its `expires`. A read returns in one step and never waits. Every write purges two
    expired entries, if there are any, so expired entries are gone long before live ones must be evicted. The listener
    and `size_of` may call the store. What raises in a call leaves the store consistent, and its entries as they were
    unless the policy raised or a KeyboardInterrupt came in the middle of a change. When a store is dropped, its keys
    and values are freed at once, without the garbage collector.
Not guaranteed: that an expired entry is gone at once: while there are no writes, it keeps its place. There is no
    protection between threads (`Locked` adds it). Every reader gets the same object, so values should be immutable. A
    policy must not call the store: a write in the middle of another raises RuntimeError.
Cost: a hit takes a dict look-up, a reading of the clock and the policy's `hit`. A write also notes when the entry
    expires: O(log n) on average. `clear` takes time in proportion to the number of entries.
Source: the policies are in cachelab.eviction, the heap is in cachelab.stores.expiry_heap.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable
from math import inf
from operator import index
from typing import Any, NoReturn, TypeVar
from weakref import ref

from cachelab.clock import Clock, running_clock
from cachelab.entry import MISS, Entry, Miss, checked_count, checked_function, checked_functions
from cachelab.events import Fact, FactKind, Listener, notify
from cachelab.eviction.lru import LRU
from cachelab.eviction.policy import Policy
from cachelab.stores.expiry_heap import ExpiryHeap
from cachelab.stores.in_process import InProcessStore

__all__ = ["MemoryStore"]

V = TypeVar("V")


class _Tables(InProcessStore[V]):
    """The tables of a `MemoryStore`: entries, the policy's keys, moments of expiry, sizes. A method changes them all.

    What happened to an entry is noted in `_gone`; no method calls the listener.
    """

    def __init__(
        self, max_entries: int, policy: Callable[[int], Policy[Any]], max_bytes: float, *, sized: bool, heard: bool
    ) -> None:
        self.evicted = self.expired = self.refused = self.bytes = 0
        self._gone: deque[tuple[Hashable, FactKind]] = deque()  # what happened to which key, if somebody listens
        self._max_entries, self._max_bytes = checked_count("max_entries", max_entries), max_bytes
        self._sized, self._heard = sized, heard
        self._policy = policy(max_entries)
        self._policy.become_unpredictable()
        self._entries: dict[Hashable, Entry[V]] = {}
        self._sizes: dict[Hashable, int] = {}  # empty unless there is a bound in bytes
        this = ref(self)

        def expire(key: Hashable) -> None:
            if tables := this():
                tables._expire(key)

        self._expiries = ExpiryHeap(self._entries, expire)

    def _put(self, key: Hashable, entry: Entry[V], size: int, now: float) -> None:
        entries, policy, expires = self._entries, self._policy, entry.expires
        if self._expiries.due <= now:
            self._expiries.purge(2, now)
        if expires <= now or size > self._max_bytes:  # no other entry is evicted for it
            self._remove(key)  # the old value must not stay in its place
            if expires > now:
                self.refused += 1
                if self._heard:
                    self._gone.append((key, "refused"))
            return
        if key in entries:
            policy.hit(key)  # a write is a use
        else:
            while len(entries) >= self._max_entries:
                self._evict(now)
            while size and self.bytes + size > self._max_bytes:
                self._evict(now)
            policy.add(key)
        entries[key] = entry
        self._expiries.add(key, expires)
        if self._sized:
            self.bytes += size - self._sizes.get(key, 0)
            self._sizes[key] = size
            while self.bytes > self._max_bytes:  # the key was there with a smaller value
                self._evict(now)  # perhaps this very entry

    def _evict(self, now: float) -> None:
        key = self._policy.evict()
        entry = self._entries.pop(key)  # what follows is `_drop`, without the call
        self._expiries.discard(key)
        if self._sized:
            self.bytes -= self._sizes.pop(key)
        if entry.expires <= now:
            self.expired += 1
        else:
            self.evicted += 1
        if self._heard:
            self._gone.append((key, "expired" if entry.expires <= now else "evicted"))

    def _clear(self) -> None:
        for key in list(self._entries):
            self._remove(key)
        self._expiries.clear()

    def _remove(self, key: Hashable) -> None:
        if key in self._entries:
            self._policy.remove(key)
            self._drop(key)

    def _expire(self, key: Hashable) -> None:
        self._remove(key)
        self.expired += 1
        if self._heard:
            self._gone.append((key, "expired"))

    def _drop(self, key: Hashable) -> Entry[V]:
        entry = self._entries.pop(key)
        self._expiries.discard(key)
        if self._sized:
            self.bytes -= self._sizes.pop(key)
        return entry

    def _repair(self) -> None:
        """A policy that raised may have done half of its work: forget the keys that are not in every table."""
        entries, resident, sizes = self._entries, self._policy.resident, self._sizes
        whole = {key for key in entries if key in resident and (not self._sized or key in sizes)}
        for key in [key for key in resident if key not in whole]:
            self._policy.remove(key)
        for table in (entries, sizes):
            for key in [key for key in table if key not in whole]:
                del table[key]
        self.bytes = sum(sizes.values())
        self._expiries.begin_anew()


class MemoryStore(_Tables[V]):
    """At most `max_entries` entries. `len(store)` counts the entries it holds, also those that have expired.

    `peek(key)`  the entry if it need not be refreshed yet, otherwise `MISS`: the path of a hit; it counts as a use
    `policy`     builds the policy from the bound: a class of cachelab.eviction
    `max_bytes`  the most bytes that all values together may have; a larger value is not kept at all
    `size_of`    measures a value, in bytes; `max_bytes` and `size_of` are given together or not at all
    `listen`     called with a `Fact`, which has this `name`, for each entry that is evicted, found expired or refused,
                 as soon as the change is complete
    `clock`      for tests; by default it is the running loop's clock, bound at the first use

    The store counts the entries it `evicted` for lack of room, those it found `expired`, and those it `refused` because
    they were too large. `bytes` is how many bytes all values together have now.

    Raises ValueError if `max_entries` or `max_bytes` is not a whole number of at least 1, or if only one of `max_bytes`
    and `size_of` is given. Raises TypeError for a part that is no function.
    """

    def __init__(
        self,
        max_entries: int,
        *,
        policy: Callable[[int], Policy[Any]] = LRU,
        max_bytes: int | None = None,
        size_of: Callable[[V], int] | None = None,
        name: str = "store",
        listen: Listener | None = None,
        clock: Clock | None = None,
    ) -> None:
        if (max_bytes is None) != (size_of is None):
            raise ValueError("A bound in bytes needs both: max_bytes=, and size_of=, a function that measures a value.")
        checked_function("policy", policy, "a function of the bound, such as a class of cachelab.eviction")
        checked_functions(size_of=size_of, listen=listen, clock=clock)
        bound = inf if max_bytes is None else checked_count("max_bytes", max_bytes)
        super().__init__(max_entries, policy, bound, sized=size_of is not None, heard=listen is not None)
        self.name = name
        self._size_of = size_of
        self._listen = listen
        self._is_changing = False
        self.peek = self._make_peek(clock)

    def _make_peek(self, given: Clock | None) -> Callable[[Hashable], Entry[V] | Miss]:
        """The path of a hit, as a function with its parts at hand: it is a tenth quicker than a method.

        It refers to the store weakly, so that a store that nobody needs is freed at once.
        """
        entries, hit, this = self._entries, self._policy.hit, ref(self)
        clock: Clock

        def bind() -> float:  # the first reading finds the running loop's clock; after that, the clock is read directly
            nonlocal clock
            clock = running_clock()
            if store := this():
                store._clock = clock
            return clock()

        clock = self._clock = given or bind

        def peek(key: Hashable) -> Entry[V] | Miss:
            try:
                entry = entries[key]
            except KeyError:
                return MISS
            if entry.refresh_from <= clock():
                if entry.expires <= clock() and (store := this()):
                    store._change(store._expire, key)
                return MISS
            hit(key)
            return entry

        return peek

    def find(self, key: Hashable) -> Entry[V] | Miss:
        """The entry if it has not expired, even if it is stale or should be refreshed; otherwise `MISS`.

        It counts as a use.
        """
        entry = self._entries.get(key, MISS)
        if entry is not MISS:
            if entry.expires <= self._clock():
                self._change(self._expire, key)
                return MISS
            self._policy.hit(key)
        return entry

    def put(self, key: Hashable, entry: Entry[V]) -> None:
        """Keep `entry`. Up to two expired entries are purged; if there is still no room, the policy names others.

        Raises TypeError if the key is not hashable or `size_of` returns no whole number, ValueError if it returns less
        than 0, and what `size_of` raises. Then nothing has changed.
        """
        size = 0
        if self._size_of is not None:
            size = self._size_of(entry.value)
            if type(size) is not int or size < 0:
                size = _checked_size(size)
        hash(key)
        now = self._clock()
        if self._is_changing:  # from here on it is `_change`, without the call
            self._refuse()
        self._is_changing = True
        try:
            self._put(key, entry, size, now)
        except BaseException:
            self._repair()
            raise
        finally:
            self._is_changing = False
        if self._gone:
            self._tell()

    def remove(self, key: Hashable) -> None:
        """Forget the key. Nothing happens if it is not there."""
        if key in self._entries:
            self._change(self._remove, key)

    def clear(self) -> None:
        """Forget every entry. None of them counts as evicted, and the listener is not called."""
        self._change(self._clear)

    def _change(self, change: Callable[..., None], *arguments: Any) -> None:
        """Make the change as a whole, and then call the listener, which may call the store."""
        if self._is_changing:
            self._refuse()
        self._is_changing = True
        try:
            change(*arguments)
        except BaseException:
            self._repair()
            raise
        finally:
            self._is_changing = False
        self._tell()

    def _refuse(self) -> NoReturn:
        raise RuntimeError(f"{self.name} is in the middle of a change: a policy must not call the store it serves.")

    def _tell(self) -> None:
        while self._gone:  # a listener that calls the store may add more, and tell them
            key, kind = self._gone.popleft()
            if self._listen is not None:
                notify(self._listen, Fact(self.name, key, kind))

    def __len__(self) -> int:
        return len(self._entries)

    def __repr__(self) -> str:
        return f"MemoryStore({len(self)} of {self._max_entries} entries)"


def _checked_size(size: Any) -> int:
    """The size as an int, if `size_of` returned a whole number of another type, such as one of numpy's."""
    try:
        number = index(size)
    except TypeError:
        number = None
    if number is None or isinstance(size, bool):
        raise TypeError(f"size_of must return a whole number of bytes, not {size!r}.") from None
    if number < 0:
        raise ValueError(f"size_of must return 0 bytes or more, not {size!r}.")
    return number
