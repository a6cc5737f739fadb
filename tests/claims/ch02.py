"""Chapter 2: what it says of a handler and of a site with writes. Its races are enumerated, so they are no samples."""

import asyncio
from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import pytest

from cachelab import InvalidationFailed, lab
from tests.claims.claim import Chapter

claim = Chapter("02")


class Refusing:
    """A cache that refuses its first deletes, and counts those that it has carried out."""

    def __init__(self, refusals: int) -> None:
        self.refusals, self.deleted = refusals, 0

    async def delete(self, key: int) -> None:
        if self.refusals:
            self.refusals -= 1
            raise InvalidationFailed(key)
        self.deleted += 1


async def write_then_delete(_db: object, cache: Any, user_id: int, _email: str) -> None:
    """The `update_user` of exercise 2.2, mended."""
    await cache.delete(user_id)


async def write_fails(*_: object) -> None:
    """The `update_user` of a database that is down."""
    raise ConnectionError


async def told(handler: Callable[..., Any], cache: Refusing) -> tuple[Any, float]:
    """What the handler answers, and after how many seconds its later delete has been carried out."""
    now = asyncio.get_running_loop().time
    began = now()
    async with asyncio.TaskGroup() as tasks:
        answer = await handler(None, cache, tasks, 42, "new@example.com")
    return answer, now() - began


@claim(
    'The handler says "saved", because the write has happened, and sees to it that the delete is repeated (never the '
    "write: another may have followed)."
)
def the_handler_repeats_the_delete(handler: Any) -> None:
    """However often it fails; also if it does not, for the other workers. If the write fails, nothing is "saved"."""
    for refusals, deletes in ((0, 2), (1, 1), (4, 1)):
        cache = Refusing(refusals)
        with patch.dict(handler.__globals__, update_user=write_then_delete):
            answer, seconds = lab.run(told, handler, cache)
        assert (answer, cache.deleted) == ("saved", deletes)
        assert seconds == pytest.approx(5 * max(refusals, 1))
    with patch.dict(handler.__globals__, update_user=write_fails), pytest.raises(BaseExceptionGroup):
        lab.run(told, handler, Refusing(0))


@claim(
    "In this sample stale answers fall from 11.36% to 0.00%, and the origin hardly notices: a delete costs one load at "
    "most, even if many callers miss the key at once (chapter 5)."
)
def stale_answers_fall(ttl_only: Any, deleted: Any) -> None:
    """From percents to less than a thousandth, for less than a query a second."""
    assert ttl_only.stale_share > 0.05
    assert deleted.stale_share < 0.001
    assert deleted.origin_load == pytest.approx(ttl_only.origin_load, abs=1)


@claim(
    "(A read that is under way when the write commits may still be answered with the old version, for the length of "
    "one query and its wait for a connection."
)
def reads_under_way(deleted: Any) -> None:
    """No answer is older than that."""
    assert deleted.max_stale_s <= 0.1


@claim("The second node costs hits whether it is told or not, because each node has to load each key for itself.")
def the_second_node_costs_hits(deleted: Any, one_told: Any, both_told: Any) -> None:
    """Some percents of them, and more of the origin's work."""
    for two_nodes in (one_told, both_told):
        assert two_nodes.hit_ratio < deleted.hit_ratio - 0.03
        assert two_nodes.origin_load > 1.2 * deleted.origin_load
    assert both_told.hit_ratio == pytest.approx(one_told.hit_ratio, abs=0.02)


@claim("If only one node is told, the stalest answer of this sample is 28.04 s out of date, as with the TTL alone.")
def only_the_ttl_bounds_it(ttl_only: Any, one_told: Any, both_told: Any) -> None:
    """Most of the TTL, and not more than the TTL and a query. If both are told, only a read under way is stale."""
    assert 20 < one_told.max_stale_s <= 30.1
    assert 20 < ttl_only.max_stale_s <= 30.1
    assert both_told.max_stale_s <= 0.1
