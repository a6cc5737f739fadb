"""The fence: a load that began before a delete must not fill after it.

Problem: a reader misses and loads the old value; a writer commits and deletes; then the reader fills. The old value
    stands in the cache until its TTL ends, and nothing will delete it again.
Idea: every load stands behind a fence of its own. A delete breaks all fences of its key that stand at that moment. A
    load whose fence is broken does not fill; if it broke while the fill was on its way, the load deletes again.
Guarantee: within one process, no fill of a value that was loaded before a delete of its key stays in the store. Nothing
    is kept for keys that nobody loads.
Not guaranteed: anything across processes, since another process's delete breaks no fence here (the lease does that);
    that a caller who was already waiting gets the new value.
Cost: an object and an entry in a table for each load; a hit pays nothing.
Source: the problem is the "stale set" of Nishtala et al., NSDI'13, section 3.2.1; generations are an old cure.
"""

from __future__ import annotations

from collections.abc import Hashable

__all__ = ["Fence", "Fences"]


class Fence:
    """One load's fence: `with fence:` around the load and its fill; `broken` tells whether a delete came between."""

    __slots__ = ("_key", "_standing", "broken")

    def __init__(self, standing: dict[Hashable, list[Fence]], key: Hashable) -> None:
        self._standing = standing
        self._key = key
        self.broken = False

    def __enter__(self) -> Fence:
        self._standing.setdefault(self._key, []).append(self)
        return self

    def __exit__(self, *_: object) -> None:
        fences = self._standing[self._key]
        fences.remove(self)
        if not fences:
            del self._standing[self._key]


class Fences:
    """The fences of one cache. `len` is the number of keys that are being loaded."""

    def __init__(self) -> None:
        self._standing: dict[Hashable, list[Fence]] = {}

    def around(self, key: Hashable) -> Fence:
        """A new fence for one load of `key`."""
        return Fence(self._standing, key)

    def break_all(self, key: Hashable) -> None:
        """Break every fence that stands around a load of `key` now."""
        for fence in self._standing.get(key, ()):
            fence.broken = True

    def __len__(self) -> int:
        return len(self._standing)
