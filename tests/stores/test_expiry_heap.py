"""The heap of expiries: which entries a purge expires, and what the heap forgets."""

from collections.abc import Hashable
from math import inf
from random import Random
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

    def remove(self, key: Hashable) -> None:
        del self.entries[key]
        self.heap.discard(key)

    def _expire(self, key: Hashable) -> None:
        self.remove(key)
        self.expired.append(key)

    def items(self) -> int:
        """How many moments are kept, in order or not."""
        return len(self.heap._heap) + len(self.heap._notes)


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
    table.put("b", 2.0)
    table.heap.purge(1, now=0.5)
    table.remove("a")
    table.heap.purge(1, now=5.0)
    assert table.expired == ["b"]


def test_keys_are_never_compared() -> None:
    """Keys of types without a common order may expire at the same moment."""
    table = Table()
    for key in (1, "1", None, (2,)):
        table.put(key, 1.0)
    table.heap.purge(9, now=1.0)
    assert table.expired == [1, "1", None, (2,)]


def test_the_heap_drops_the_items_of_removed_entries() -> None:
    """It does so once there are more than a hundred items and two for each entry that is left."""
    table = Table()
    table.put("soon", 1.0)
    for key in range(101):
        table.put(key, 9.0)
    table.heap.purge(1, now=1.0)
    for key in range(1, 101):
        table.remove(key)
    assert len(table.heap._heap) == 101
    table.remove(0)
    assert table.items() == 0


@pytest.mark.parametrize("expires", [[9.0], [9.0, 8.0], [9.0, inf]], ids=str)
def test_a_key_that_is_written_again_and_again_has_few_items(expires: list[float]) -> None:
    """With equal moments, with moments that alternate, and while other entries come and expire between."""
    table = Table()
    for number in range(14_000):
        table.put("the key", expires[number % len(expires)])
        table.put("short", number / 14_000)
        table.heap.purge(2, now=number / 14_000)
        assert table.items() <= 4 * len(table.entries) + 100


def test_overwriting_alone_leaves_few_items() -> None:
    """No entry is ever removed or expired, and each purge puts all notes into the heap."""
    table = Table()
    for number in range(1_000):
        for key, expires in (("far", 1e6), ("near", number + 0.5), ("near", 1e6)):
            table.put(key, expires)
        table.heap.purge(2, now=number + 1)
        assert table.items() <= 4 * 2 + 100
    assert table.expired == []


def test_an_entry_that_never_expires_has_no_item() -> None:
    """Neither in the heap nor among the notes."""
    table = Table()
    for key in range(10):
        table.put(key, inf)
    table.heap.purge(2, now=1e9)
    assert (table.items(), table.expired) == (0, [])


def test_whatever_is_written_there_are_few_items_for_each_entry() -> None:
    """After each of 30,000 steps: a note for each entry at most, and three items in the heap and a hundred.

    The number of entries grows and shrinks. In the end a purge expires all that can expire.
    """
    table, chance, now = Table(), Random("few items"), 0.0
    for step in range(30_000):
        now += 0.01
        key, kind = chance.randrange(600), chance.random()
        if kind < (0.8 if step // 3_000 % 2 else 0.2):
            if key in table.entries:
                table.remove(key)
        else:
            table.put(key, now + chance.choice([0.1, 1.0, 1.0, 50.0, inf]))
        if kind < 0.9:
            table.heap.purge(2, now)
        assert len(table.heap._notes) <= len(table.entries)
        assert len(table.heap._heap) <= 3 * len(table.entries) + 100
    lasting = {key for key, entry in table.entries.items() if entry.expires == inf}
    table.heap.purge(1_000, now=1e9)
    assert set(table.entries) == lasting


def test_a_purge_that_begins_anew_expires_what_is_due() -> None:
    """Most items of the heap are left behind; the entry whose moment has come goes in this very purge."""
    table = Table()
    for number in range(400):
        table.put("other", 9.0)
        table.put("short", 1.0)
        table.heap.purge(1, now=1.0)
        assert table.expired == ["short"] * (number + 1)


def test_no_purge_is_due_before_the_first_moment() -> None:
    """`due` is never later than the first moment of an entry, so a store may skip the purge until then."""
    table, chance, now = Table(), Random("due"), 0.0
    for _ in range(5_000):
        now += chance.random() / 10
        key = chance.randrange(20)
        table.put(key, now + chance.choice([0.5, 5.0, inf]))
        if chance.random() < 0.2:
            table.remove(key)
        assert table.heap.due <= min((entry.expires for entry in table.entries.values()), default=inf)
        if table.heap.due <= now:
            table.heap.purge(2, now)


def test_after_a_purge_the_next_one_is_due_at_the_next_moment() -> None:
    """So the writes until then need no purge. Without an entry that expires, none is due at all."""
    table = Table()
    for key, expires in (("a", 1.0), ("b", 2.0), ("c", 3.0)):
        table.put(key, expires)
    due = [table.heap.due]
    for now in (1.0, 2.0, 3.0):
        table.heap.purge(2, now)
        due.append(table.heap.due)
    assert due == [1.0, 2.0, 3.0, inf]


def test_a_write_costs_few_steps_on_average(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is written, no more than five moments for each write are noted or put into the heap."""
    steps = 0
    note = ExpiryHeap.add

    def counted(heap: ExpiryHeap, key: Hashable, expires: float) -> None:
        nonlocal steps
        steps += 1
        note(heap, key, expires)

    monkeypatch.setattr(ExpiryHeap, "add", counted)
    chance = Random("steps")
    for keys in (1, 30, 1_000):
        table, steps = Table(), 0
        for number in range(20_000):
            table.put(chance.randrange(keys), number + chance.choice([1, 10, 10_000, 10_000]))
            table.heap.purge(2, number)
        assert steps + table.heap._sorted <= 5 * 20_000


def test_clear_forgets_every_moment() -> None:
    """Those in the heap and those that were noted. What is written later expires at its own moment."""
    table = Table()
    for key, expires in (("first", 0.5), ("sorted", 3.0)):
        table.put(key, expires)
    table.heap.purge(1, now=0.5)
    table.put("noted", 1.0)
    assert (len(table.heap._heap), len(table.heap._notes)) == (1, 1)
    table.heap.clear()
    assert (table.items(), table.heap.due) == (0, inf)
    table.put("later", 5.0)
    assert table.heap.due == 5.0
    table.heap.purge(9, now=5.0)
    assert table.expired == ["first", "later"]


def test_a_purge_goes_on_when_its_heap_begins_anew() -> None:
    """An entry that expires may make most of the heap's items needless: it is built anew in the middle of the purge."""
    table = Table()
    table.put("first", 1.0)
    for number in range(106):
        table.put(number, 3.0 if number < 3 else 5.0)
    table.heap.purge(1, now=1.0)  # which sorts the notes
    for number in range(3, 106):
        table.remove(number)  # the items stay, and 106 of them are as many as there may be for three entries
    assert len(table.heap._heap) == 106
    table.heap.purge(2, now=4.0)
    assert table.expired == ["first", 0, 1]
    assert table.items() == 1
