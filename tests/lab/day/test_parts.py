"""What a plan is made of."""

from typing import Any

from cachelab import Bulkhead, Cache, Flight, Freshness, Guarded, MemoryStore, lab
from cachelab.lab.day.parts import entries_in, parts_of


async def load(user_id: int) -> int:
    """A loader."""
    return user_id


def test_parts_are_found_however_they_are_nested() -> None:
    """Each as often as it is there; a cache without a freshness of its own has none."""
    l2 = Cache(MemoryStore(9), Guarded(Bulkhead(load, running=1), set()), ttl=9, freshness=Freshness(jitter=0.1))
    top = Cache(MemoryStore(9), l2, ttl=9, flight=Flight())
    assert parts_of(top) == [
        "Bulkhead", "Cache", "Cache", "Flight", "Freshness", "Guarded", "MemoryStore", "MemoryStore",
    ]  # fmt: skip


def test_a_function_has_no_parts() -> None:
    """What is not of this package counts for nothing."""
    assert parts_of(load) == []
    assert entries_in(load) == 0


def test_entries_of_all_levels_are_counted() -> None:
    """A key that is in both counts twice."""

    async def scenario() -> int:
        top = Cache(MemoryStore(9), Cache(MemoryStore(9), load, ttl=9), ttl=9)
        for key in (1, 2, 2):
            await top.get(key)
        return entries_in(top)

    assert lab.run(scenario) == 4


def test_a_part_that_stands_in_two_places_counts_once() -> None:
    """Two levels over one store."""
    store = MemoryStore[Any](9)
    top = Cache(store, Cache(store, load, ttl=9), ttl=9)
    assert parts_of(top) == ["Cache", "Cache", "MemoryStore"]
