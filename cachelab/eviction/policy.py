"""The interface of every eviction policy. The policies inherit it; stores and `count_hits` call it.

Problem: a full cache must evict an entry. Which one it evicts decides the hit ratio; how it keeps its entries does not.
Idea: a policy knows keys and no values. It is told which keys are used, added and removed, and it names the key to
    evict.
Guarantee: `evict` names a resident key. After `evict` or `remove`, that key is no longer resident. Given the same
    calls, a policy makes the same choices in every process and on every machine, unless `become_unpredictable` was
    called. A policy that is dropped frees its keys at once, without the garbage collector.
Not guaranteed: the bound: a policy evicts only when it is told to, so the caller makes room before it calls `add`. The
    calls are not checked either: `hit` and `remove` are for resident keys, `add` is for all others. There is no
    protection between threads.
Cost: one to three dict entries for each key, in addition to those of the store.
Source: the interface is ours; libcachesim separates find, insert, evict and remove in the same way.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Mapping
from typing import Any, Generic, TypeVar

__all__ = ["Policy"]

K = TypeVar("K", bound=Hashable)


class Policy(ABC, Generic[K]):
    """Decides which entry is evicted from a cache of at most `bound` entries. A policy is true, even without keys.

    `resident`  the keys that are in the cache, as a live mapping; each maps to what the policy notes about it
    `hit`       is called with a resident key that was used; it may be a method of a C type, and what it returns means
                nothing

    Raises ValueError if `bound` is not a whole number of at least 1.
    """

    resident: Mapping[K, Any]
    hit: Callable[[K], object]

    def __init__(self, bound: int) -> None:
        if not isinstance(bound, int) or bound < 1:
            raise ValueError(f"bound must be a whole number of at least 1 entry, not {bound!r}.")
        self.bound = bound

    @abstractmethod
    def add(self, key: K) -> None:
        """A key that was not resident has come. There is room for it: if there was none, `evict` was called."""

    @abstractmethod
    def evict(self) -> K:
        """Remove the key that is to be evicted, and return it. Raises KeyError if no key is resident."""

    @abstractmethod
    def remove(self, key: K) -> None:
        """A resident key was deleted or has expired. Raises KeyError if the key is not resident."""

    def become_unpredictable(self) -> None:
        """A store calls this before the first key. A policy that hashes keys now does it in a way that nobody foresees.

        Otherwise whoever chooses the keys, such as the users of a web service, could choose some that are taken for
        popular ones.
        """

    def __len__(self) -> int:
        return len(self.resident)

    def __bool__(self) -> bool:
        return True  # `__len__` alone would make a policy without keys false

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self)} of {self.bound} entries)"
