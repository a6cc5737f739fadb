"""What the picture of lifetimes says in words."""

import asyncio

from cachelab import Cache, MemoryStore, lab
from tests.support.fakes import in_virtual_time


@in_virtual_time
async def test_the_words_say_when_and_why_each_entry_left() -> None:
    """Cache and store write to the same log, and the picture is drawn from it."""

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
    assert words == "2 evicted at 4 s; 3 expired at 14 s; 1 expired at 14 s."
