"""What every eviction policy can be told and asked. The policies inherit this, stores and the replay call it.

Problem: a full cache must let somebody go. Which one decides the hit ratio; how entries are kept has nothing to do with
    it.
Idea: a policy knows keys, not values. It is told who was used, who came and who was removed, and is asked who leaves.
Guarantee: `evict` names a key that is resident, and after `evict` or `remove` that key is resident no more. Given the
    same calls, a policy makes the same choices in every process and on every machine.
Not guaranteed: the bound: a policy never evicts unasked, so whoever calls `add` makes room first. The calls are not
    checked either: `hit` and `remove` are for resident keys, `add` for the others. No protection between threads.
Cost: one to three dict entries for each key, beside those of the store.
Source: the interface is ours; libcachesim separates find, insert, evict and remove in the same way.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Mapping
from typing import Any, Generic, TypeVar

__all__ = ["Policy"]

K = TypeVar("K", bound=Hashable)


class Policy(ABC, Generic[K]):
    """Who leaves a cache that holds at most `bound` entries, a whole number of at least 1 (else ValueError).

    `resident`  the keys that are in, as a live mapping; what each maps to is the policy's own note about the key
    `hit`       call it with a resident key that was used; it may be a method of a C type, and returns nothing useful
    """

    resident: Mapping[K, Any]
    hit: Callable[[K], object]

    def __init__(self, bound: int) -> None:
        if not isinstance(bound, int) or bound < 1:
            raise ValueError(f"bound must be a whole number of at least 1 entry, not {bound!r}.")
        self.bound = bound

    @abstractmethod
    def add(self, key: K) -> None:
        """A key that was not resident has come; there is room, because `evict` was called if there was none."""

    @abstractmethod
    def evict(self) -> K:
        """Let one key go and say which. KeyError if there is none."""

    @abstractmethod
    def remove(self, key: K) -> None:
        """A resident key was deleted or has expired. KeyError if it is not resident."""

    def __len__(self) -> int:
        return len(self.resident)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self)} of {self.bound} entries)"
