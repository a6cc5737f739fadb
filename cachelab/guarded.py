"""The guard: no query for a key that cannot exist.

Problem: somebody asks for random ids that do not exist. Each is a miss and a query. To remember that they are absent
    saves nothing, since each comes once, and each takes the place of a good entry.
Idea: a filter knows all keys that exist, a `Bloom` as a rule. A key that is not in it is answered with an absence, and
    the origin is not asked. This answer costs nothing, so the cache does not keep it.
Guarantee: a key that is not in `known` reaches no level below, and no cache above keeps an entry for it; an old entry
    that a cache above wanted to refresh is removed. A key that is in `known` is loaded as without the guard. An error,
    an absence and the age of what the level below answers pass as they are.
Not guaranteed: that a "no" is true. A filter may say no only if it has been told of every key that exists. So add each
    key in all processes before its row is committed; if the commit fails, there is one more false positive, which does
    no harm. Or let ids that grow pass by `upto`. Entries that a cache above holds are not asked about.
Cost: a question to the filter for each load. A hit pays nothing.
Source: Bloom, CACM 13(7), 1970; the use in front of a store is that of Chang et al., "Bigtable", OSDI 2006, section 6.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Container, Hashable
from math import inf
from typing import Any, Final, Generic, TypeVar, overload

from cachelab.entry import ABSENT, Absent, Entry, Loader, checked_function, loaded_entry, loading

__all__ = ["Guarded"]

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

NOT_KEPT: Final[Entry[Any]] = Entry(ABSENT, -inf)
"""An absence that costs nothing to find out again: a cache answers with it and does not keep it."""


class Guarded(Generic[K, V]):
    """The loader `load`, asked only for keys that may exist; the others are absent. `Cache(memory, Guarded(l2, known))`

    `known`   the keys that may exist: a `Bloom`, a set, or anything else with `in`
    `upto`    for ids that grow: `known` has been told of every id up to this one. It is an id, or a function that
              returns one. A newer id passes. No id up to it may still wait for its commit: an id is taken before its
              row is committed, and rows are not committed in the order of their ids.
    `spared`  counts the loads that were not needed

    With `upto=lambda: told_upto` a rebuild is:

        newest = await db.newest_id()                  # first: every id up to it has been taken by now
        await known.rebuild(db.all_ids, settle_s=5.0)  # so its row is in the snapshot, or its commit has failed
        told_upto = newest                             # last: until then the old filter is in force

    Each answer is an `Entry`. With a shared level stand the guard above it: there an unknown key costs no round trip.
    It has `delete` if `load` has.

    Raises TypeError for what is no loader, for a `known` without `in`, and for an `upto` that cannot be compared.
    """

    delete: Callable[[Any], Awaitable[None]]

    @overload  # `load` is a cache, or another loader that returns entries
    def __init__(self, load: Loader[K, Entry[V | Absent]], known: Container[Any], *, upto: Any = None) -> None: ...
    @overload
    def __init__(self, load: Loader[K, V | Absent], known: Container[Any], *, upto: Any = None) -> None: ...
    def __init__(self, load: Loader[K, Any], known: Container[Any], *, upto: Any = None) -> None:
        checked_function("load", load, "an async function of the key, or a Cache")
        if isinstance(known, type) or not hasattr(known, "__contains__"):
            raise TypeError(f"known must be a Bloom, a set, or anything else with `in`, not {known!r}.")
        if upto is not None and not callable(upto):
            _check_order(upto)
        self._load, self._known, self._upto = load, known, upto
        self.spared = 0
        if hasattr(load, "delete"):
            self.delete = load.delete

    async def __call__(self, key: K) -> Entry[V | Absent]:
        """What `load` answers if the key may exist, otherwise an absence that is not kept. Raises what `load` raises.

        TypeError for a key that `known` cannot look up, or that cannot be compared with `upto`.
        """
        if key in self._known or self._is_newer(key):
            return loaded_entry(await loading(self._load(key)))
        self.spared += 1
        return NOT_KEPT

    def _is_newer(self, key: Any) -> bool:
        newest = self._upto() if callable(self._upto) else self._upto
        return newest is not None and bool(key > newest)


def _check_order(upto: Any) -> None:
    try:
        _ = upto > upto
    except TypeError:
        raise TypeError(
            f"upto must be an id that can be compared, or a function that returns one, not {upto!r}."
        ) from None
