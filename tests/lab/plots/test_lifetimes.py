"""What the picture of lifetimes says in words."""

import asyncio

from cachelab import Cache, MemoryStore, lab
from tests.support.fakes import in_virtual_time


@in_virtual_time
async def test_the_words_say_when_and_why_each_entry_was_removed() -> None:
    """Cache and store write to the same log. A look-up removes its own key; a write purges those of others."""

    async def load(key: int) -> int:
        return key

    events = lab.EventLog()
    cache = Cache(MemoryStore(2, listen=events), load, ttl=10, listen=events)
    for key in (1, 2, 1, 3):
        await asyncio.sleep(1)
        await cache.get(key)
    await asyncio.sleep(10)
    await cache.get(3)
    words = lab.plot_lifetimes(events, "title", ttl_s=10).words
    assert words == (
        "2 evicted at 4 s; 3 expired at 14 s, removed by a look-up at 14 s; "
        "1 expired at 11 s, purged by a write at 14 s; 3 still there."
    )


@in_virtual_time
async def test_a_deleted_entry_has_a_mark_of_its_own() -> None:
    """It was removed for another reason than its age or the lack of room."""
    events = lab.EventLog()
    cache = Cache(MemoryStore(2, listen=events), lambda key: asyncio.sleep(1, key), ttl=10, listen=events)
    await cache.get(1)
    await cache.delete(1)
    assert lab.plot_lifetimes(events, "title", ttl_s=10).words == "1 deleted at 1 s."
