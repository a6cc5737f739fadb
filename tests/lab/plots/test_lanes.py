"""What the picture of request lanes says in words."""

import asyncio
from typing import Any

from cachelab import lab


def test_the_words_count_waits_and_hits() -> None:
    """Of two requests for a key, the first is served, and the second waits for a lock all the time, and hits."""

    async def scenario() -> lab.ReplayResult:
        db = lab.SlowDatabase(users=5, service_s=1.0)
        lock, values = asyncio.Lock(), dict[int, Any]()

        async def get(key: int) -> Any:
            async with lock:
                if key not in values:
                    values[key] = await db.fetch_user(key)
                return values[key]

        return await lab.replay([lab.Request(0.0, 0, 1), lab.Request(0.5, 0, 1)], get, db=db)

    words = lab.plot_lanes({"": lab.run(scenario)}, "title").words
    assert "2 requests, 1 query, 1 hit; 1 had to wait for others, the longest 500 ms" in words
