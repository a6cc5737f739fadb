"""How much memory a cache takes, as it is asked for more and more keys."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

__all__ = ["memory_after"]


async def memory_after(get: Callable[[int], Awaitable[Any]], counts: Iterable[int]) -> list[int]:
    """Await `get(0)`, `get(1)` and so on; return the bytes that are held after so many keys, for each of `counts`.

    The counts rise. The bytes are those that Python has allocated since the start and not yet freed. They differ a
    little from one version of Python to the next, so compare ratios. Raises RuntimeError if `tracemalloc` is already in
    use.
    """
    if tracemalloc.is_tracing():
        raise RuntimeError("tracemalloc is already in use: stop it first.")
    gc.collect()
    tracemalloc.start()
    try:
        held: list[int] = []
        key = 0
        for count in counts:
            while key < count:
                await get(key)
                key += 1
            held.append(tracemalloc.get_traced_memory()[0])
        return held
    finally:
        tracemalloc.stop()
