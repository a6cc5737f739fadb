"""The heap of expiries: which entries a purge expires, and what the heap forgets."""

from collections.abc import Hashable
from math import inf
from typing import Any

import pytest

from cachelab.entry import Entry
from cachelab.stores.expiry_heap import ExpiryHeap


class Table:
    """Entries with a heap, as a store has them, and the keys that have been expired."""

    def __init__(self) -> None:
        self.entries: dict[Hashable, Entry[Any]] = {}
        self.heap = ExpiryHeap(self.entries, self._expire)
        self.expired: list[Hashable] = []

    def put(self, key: Hashable, expires: float) -> None:
        self.entries[key] = Entry("value", expires)
        self.heap.add(key, expires)

    def _expire(self, key: Hashable) -> None:
        del self.entries[key]
        self.expired.append(key)


@pytest.mark.parametrize(("limit", "expired"), [(0, []), (1, ["b"]), (2, ["b", "a"]), (9, ["b", "a"])])
def test_a_purge_expires_the_earliest_entries_up_to_its_limit(limit: int, expired: list[str]) -> None:
    """Entries that expire later than now, or never, stay."""
    table = Table()
    for key, expires in (("a", 2.0), ("b", 1.0), ("c", 3.0), ("d", inf)):
        table.put(key, expires)
    table.heap.purge(limit, now=2.0)
    assert table.expired == expired


def test_an_entry_that_was_overwritten_lives_until_its_new_moment() -> None:
    """The item of the old entry is skipped, and does not count towards the limit."""
    table = Table()
    table.put("a", 1.0)
    table.put("a", 9.0)
    table.put("b", 2.0)
    table.heap.purge(1, now=5.0)
    assert table.expired == ["b"]


def test_a_key_that_was_removed_is_skipped() -> None:
    """Its moment passes, and nothing happens."""
    table = Table()
    table.put("a", 1.0)
    del table.entries["a"]
    table.heap.purge(1, now=5.0)
    assert table.expired == []


def test_keys_are_never_compared() -> None:
    """Keys of types without a common order may expire at the same moment."""
    table = Table()
    for key in (1, "1", None, (2,)):
        table.put(key, 1.0)
    table.heap.purge(9, now=1.0)
    assert table.expired == [1, "1", None, (2,)]


def test_the_heap_drops_the_items_of_removed_entries() -> None:
    """A purge drops them once there are more than a hundred items and two for each entry."""
    table = Table()
    for key in range(101):
        table.put(key, 9.0)
    for key in range(1, 101):
        del table.entries[key]
    table.heap.purge(1, now=0.0)
    assert len(table.heap._heap) == 101
    del table.entries[0]
    table.heap.purge(1, now=0.0)
    assert len(table.heap._heap) == 0


def test_clear_forgets_every_moment() -> None:
    """A later purge expires nothing."""
    table = Table()
    table.put("a", 1.0)
    table.heap.clear()
    table.heap.purge(1, now=5.0)
    assert table.expired == []
