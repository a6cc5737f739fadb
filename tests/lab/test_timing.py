"""Measuring on the wall clock, several ways side by side."""

import asyncio
import gc
from typing import Any

import pytest

from cachelab import lab


@pytest.mark.parametrize("kind", ["plain", "async"])
def test_plain_and_async_functions_are_measured(kind: str) -> None:
    """A way is called with every key in every round and once before, and its time is above 0."""
    called: list[int] = []

    async def call_later(key: int) -> None:
        called.append(key)

    way: Any = called.append if kind == "plain" else call_later
    seconds = asyncio.run(lab.measure({"it": way}, [1, 2, 3], rounds=4))
    assert called == [1, 2, 3] * 5
    assert seconds["it"] > 0


@pytest.mark.long
def test_old_objects_do_not_slow_down_what_is_measured() -> None:
    """Meanwhile the collector ignores the notebook's older objects; afterwards it looks at them again."""
    frozen = []
    asyncio.run(lab.measure({"it": lambda key: frozen.append(gc.get_freeze_count())}, [1], rounds=1))
    assert min(frozen) > 10_000
    assert gc.get_freeze_count() == 0
    with pytest.raises(ZeroDivisionError):
        asyncio.run(lab.measure({"it": lambda key: 1 / key}, [0], rounds=1))
    assert gc.get_freeze_count() == 0
