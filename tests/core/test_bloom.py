"""The Bloom filter: no false negative, false positives on the formula, memory to the bit, and a rebuild under adds."""

import asyncio
import enum
import hashlib
import math
import sys
from collections.abc import AsyncGenerator, Callable, Hashable
from typing import Any
from uuid import UUID

import pytest

from cachelab import Bloom
from cachelab.bloom import KEYS_A_TURN
from tests.support.event_loops import EAGER
from tests.support.fakes import in_virtual_time, now, other_tasks, until
from tests.support.tiers import tiers

RARE = 1e-9
"""A share of false positives so small that here a key in the filter was added."""


def formula(bloom: Bloom, count: int) -> float:
    """The share of false positives after so many adds: (1 − e^(−k·n/m))^k."""
    return float((1 - math.exp(-bloom.hashes * count / bloom.bits)) ** bloom.hashes)


def standard_error(bloom: Bloom, count: int, asked: int) -> float:
    """Of the share found among so many other keys. Two things vary: the bits that are set, and the keys asked for.

    Of m bits a share e^(−c) stays empty, with c = k·n/m. Its variance is (e^(−c) − (1 + c)·e^(−2c)) / m, as in the
    occupancy problem; the rate, (1 − share)^k, varies k·rate/(1 − share) times as much.
    """
    c, rate = bloom.hashes * count / bloom.bits, formula(bloom, count)
    of_the_bits = (math.exp(-c) - (1 + c) * math.exp(-2 * c)) / bloom.bits
    return math.sqrt(rate * (1 - rate) / asked + (bloom.hashes * rate / (1 - math.exp(-c))) ** 2 * of_the_bits)


# Adds


@pytest.mark.parametrize("count", tiers(1_000_000, quick=20_000, soak_timeout_s=600))
def test_no_key_that_was_added_is_missing(count: int) -> None:
    """Not right after its add, and not after all others, in a filter that gets four times the keys of its plan."""
    bloom = Bloom(-(-count // 4))
    for key in range(count):
        bloom.add(key)
        assert key in bloom
    assert [key for key in range(count) if key not in bloom] == []


@pytest.mark.parametrize("share", [0.1, 0.01, 0.001])
@pytest.mark.parametrize("expected", tiers(600_000, quick=10_000, soak_timeout_s=1_800))
def test_false_positives_are_on_the_formula(expected: int, share: float) -> None:
    """At the plan and at 1.5, 2 and 4 times as many keys, within three standard errors."""
    bloom, count, asked = Bloom(expected, share), 0, 4 * expected
    for times in (1.0, 1.5, 2.0, 4.0):
        for key in range(count, int(times * expected)):
            bloom.add(key)
        count = int(times * expected)
        found = sum(-1 - key in bloom for key in range(asked)) / asked
        rate = formula(bloom, count)
        assert abs(found - rate) < 3 * standard_error(bloom, count, asked)
        assert abs(bloom.false_positive_rate - rate) < 3 * standard_error(bloom, count, 10**12)  # no sample: all bits


@pytest.mark.long
def test_a_small_filter_keeps_a_small_share_too() -> None:
    """One in ten thousand, for a hundred keys: with steps that do not grow it would be six times that."""
    found, asked = 0, 20_000
    for number in range(10):
        bloom = Bloom(100, 0.0001)
        for key in range(100):
            bloom.add((number, key))
        found += sum((number, -1 - key) in bloom for key in range(asked))
    assert found < 20 + 3 * math.sqrt(20)


@pytest.mark.parametrize(
    ("expected", "share", "bits", "hashes"),
    [
        (10_000, 0.01, 95_851, 7),
        (10_000, 0.1, 47_926, 3),
        (10_000, 0.001, 143_776, 10),
        (1_000_000, 0.01, 9_585_059, 7),
        (1, 0.5, 2, 1),
        (1, 0.99, 1, 1),
    ],
)
def test_the_memory_is_that_of_the_formula_to_the_bit(expected: int, share: float, bits: int, hashes: int) -> None:
    """m = −n·ln p / (ln 2)², rounded up to a whole bit, in as few bytes as hold so many bits."""
    bloom = Bloom(expected, share)
    assert (bloom.bits, bloom.hashes, bloom.bytes) == (bits, hashes, math.ceil(bits / 8))
    assert 0 <= sys.getsizeof(bloom._array) - sys.getsizeof(bytearray()) - bloom.bytes <= 1
    assert bloom.false_positive_rate == 0.0


@pytest.mark.parametrize("expected", [1, 3, 5, 7, 9])
def test_every_bit_is_used_and_none_beside_them(expected: int) -> None:
    """A filter that is overfull has all its bits set, and those that fill up the last byte are not."""
    bloom = Bloom(expected)
    for key in range(1_000):
        bloom.add(key)
    assert int.from_bytes(bloom._array, "little") == (1 << bloom.bits) - 1
    assert bloom.false_positive_rate == 1.0


# Keys


class Name(enum.StrEnum):
    """Keys that are strings."""

    ADA = "ada"


ONE_KEY_EACH: list[list[Hashable]] = [
    [1, True],
    ["1"],
    [b"1"],
    ["ada", Name.ADA],
    [("ada", 1), (Name.ADA, True)],
    [("ada:1",)],
    [None],
    ["None"],
    [UUID(int=1)],
    [str(UUID(int=1))],
    ["\ud800"],
    [-1],
]


@pytest.mark.parametrize("same", ONE_KEY_EACH, ids=repr)
def test_equal_keys_are_one_and_all_others_are_two(same: list[Hashable]) -> None:
    """As in a store: 42 and "42" differ, and a member of an enum of strings is its string."""
    for added in same:
        bloom = Bloom(10, RARE)
        bloom.add(added)
        assert [key for keys in ONE_KEY_EACH for key in keys if key in bloom] == same


@pytest.mark.parametrize(
    "wrong",
    [1.5, [1], {"id": 1}, object(), (1, 1.5)],
    ids=["a float", "a list", "a dict", "an object", "a float in a tuple"],
)
def test_what_is_no_key_is_refused(wrong: Any) -> None:
    """On a question as on an add, and before a bit is set."""
    bloom = Bloom(10)
    with pytest.raises(TypeError, match="A key is an int, a str"):
        bloom.add(wrong)
    with pytest.raises(TypeError, match="A key is an int, a str"):
        _ = wrong in bloom
    assert bloom.false_positive_rate == 0.0


def test_every_process_sets_the_same_bits() -> None:
    """No hash that differs from process to process takes part, nor one that a version of Python may change."""
    bloom = Bloom(1_000)
    for key in [*range(500), *map(str, range(500)), ("eu", None)]:
        bloom.add(key)
    assert hashlib.sha256(bloom._array).hexdigest()[:16] == "9eccd7abbb485619"


@pytest.mark.parametrize("share", [0.0, 1.0, -0.1, 2, math.nan])
def test_a_share_that_is_none_is_refused(share: float) -> None:
    """There is no filter without false positives, and none that finds everything."""
    with pytest.raises(ValueError, match="false_positives must be a share above 0 and below 1"):
        Bloom(10, share)


# A rebuild


def keys_of(*keys: Hashable, before: Callable[[], Any] | None = None) -> Callable[[], AsyncGenerator[Hashable, None]]:
    """A snapshot of these keys. It awaits before each of them, and at its end."""

    async def snapshot() -> AsyncGenerator[Hashable, None]:
        for key in keys:
            await asyncio.sleep(0)
            if before is not None:
                await before()
            yield key
        await asyncio.sleep(0)

    return snapshot


def filled(*keys: Hashable, expected: int = 20) -> Bloom:
    """A filter with these keys and practically no other."""
    bloom = Bloom(expected, RARE)
    for key in keys:
        bloom.add(key)
    return bloom


@in_virtual_time
async def test_a_rebuild_leaves_out_what_is_gone_and_has_room_for_more() -> None:
    """It has the keys of the snapshot and the size of the new plan. Without a plan it keeps its size."""
    bloom = filled(1, 2, 3)
    await bloom.rebuild(keys_of(2, 3, 4), settle_s=0.0, expected=1_000)
    assert [key for key in range(10) if key in bloom] == [2, 3, 4]
    new = Bloom(1_000, RARE)
    assert (bloom.expected, bloom.bits, bloom.hashes, bloom.bytes) == (1_000, new.bits, new.hashes, new.bytes)
    await bloom.rebuild(keys_of(5), settle_s=0.0)
    assert ([key for key in range(10) if key in bloom], bloom.bits) == ([5], new.bits)


@in_virtual_time
async def test_an_overfull_filter_is_as_planned_after_its_rebuild() -> None:
    """Four times the keys: most unknown keys are found. After a rebuild for as many it is one in a hundred again."""
    bloom = Bloom(500)
    for key in range(2_000):
        bloom.add(key)
    assert bloom.false_positive_rate > 0.6
    await bloom.rebuild(keys_of(*range(2_000)), settle_s=0.0, expected=2_000)
    assert bloom.false_positive_rate == pytest.approx(0.01, rel=0.2)
    assert all(key in bloom for key in range(2_000))


@pytest.mark.parametrize("settle_s", [0.0, 3.0])
@in_virtual_time
async def test_no_key_is_missing_at_any_await_of_a_rebuild(settle_s: float) -> None:
    """In each turn of the loop a key is added, and all keys are asked for; afterwards all of them are still there."""
    old = list(range(3_000))
    bloom = filled(*old, expected=4_000)
    rebuild = asyncio.create_task(bloom.rebuild(keys_of(*old), settle_s=settle_s, expected=8_000))
    added: list[int] = []
    await asyncio.sleep(0)  # it has begun
    while not rebuild.done():
        added.append(-1 - len(added))
        bloom.add(added[-1])
        assert all(key in bloom for key in (0, 2_999, len(added) % 3_000, *added[-5:], *added[:5]))
        await asyncio.sleep(0.0 if now() >= settle_s else 0.25)
    await rebuild
    assert [key for key in [*old, *added] if key not in bloom] == []
    assert len(added) > 3_000


@in_virtual_time
async def test_a_rebuild_of_many_keys_lets_others_run() -> None:
    """Also if the snapshot has all of them at once: the loop has a turn after each thousand."""

    async def at_once() -> AsyncGenerator[int, None]:
        for key in range(5 * KEYS_A_TURN):
            yield key

    rebuild = asyncio.create_task(Bloom(5 * KEYS_A_TURN).rebuild(at_once, settle_s=0.0))
    turns = 0
    while not rebuild.done():
        turns += 1
        await asyncio.sleep(0)
    assert turns >= 5


@in_virtual_time
async def test_the_snapshot_is_read_when_what_was_added_before_has_settled() -> None:
    """It is called once, `settle_s` after the rebuild began, which takes adds from its first moment."""
    called: list[float] = []

    async def snapshot() -> AsyncGenerator[int, None]:
        called.append(now())
        yield 1

    bloom = filled()
    rebuild = asyncio.create_task(bloom.rebuild(snapshot, settle_s=5.0))
    await until(1.0)
    bloom.add(2)
    await rebuild
    assert called == [5.0]
    assert (1 in bloom, 2 in bloom) == (True, True)


PLACES = [*range(1, 9)]
"""Turns of the loop after which a rebuild of three keys is cancelled; it takes one or two more."""


@pytest.mark.parametrize("turns", PLACES)
@in_virtual_time
async def test_a_cancelled_rebuild_leaves_the_old_filter_complete(turns: int) -> None:
    """At each await: what was there, what was added meanwhile, nothing else, and the next rebuild may begin."""
    bloom, begun, closed = filled(1, 2), list[bool](), list[bool]()

    async def snapshot() -> AsyncGenerator[int, None]:
        begun.append(True)
        try:
            for key in (7, 8, 9):
                await asyncio.sleep(0)
                yield key
            await asyncio.sleep(0)
        finally:
            closed.append(True)
            await asyncio.sleep(0)

    rebuild = asyncio.create_task(bloom.rebuild(snapshot, settle_s=0.0, expected=30))
    bits = bloom.bits
    for turn in range(turns):
        await asyncio.sleep(0)
        if turn == 0:
            bloom.add(3)
    if not rebuild.done():
        rebuild.cancel()
        await asyncio.wait([rebuild])
    if rebuild.cancelled():
        assert ([key for key in range(10) if key in bloom], bloom.bits) == ([1, 2, 3], bits)
    else:
        assert [key for key in range(10) if key in bloom] == [3, 7, 8, 9]
    assert closed == begun == [True] * (turns > 1 or EAGER)
    assert other_tasks() == set()
    await bloom.rebuild(keys_of(5), settle_s=0.0)
    assert [key for key in range(10) if key in bloom] == [5]


def test_the_places_of_a_cancellation_are_all_there_are() -> None:
    """After the last of them the rebuild above has ended."""

    @in_virtual_time
    async def scenario() -> None:
        rebuild = asyncio.create_task(filled().rebuild(keys_of(7, 8, 9), settle_s=0.0))
        for _ in range(PLACES[-1]):
            await asyncio.sleep(0)
        assert rebuild.done()

    scenario()


async def no_generator() -> list[int]:
    """All keys at once: a likely mistake."""
    return [1]


async def with_a_wrong_key() -> AsyncGenerator[Any, None]:
    """A row in place of its id."""
    yield 7
    yield [7]


async def failing() -> AsyncGenerator[int, None]:
    """A database that goes away in the middle."""
    yield 7
    await asyncio.sleep(1.0)
    raise ConnectionError("The database is gone.")


@pytest.mark.parametrize(
    ("snapshot", "error", "text"),
    [
        (failing, ConnectionError, "The database is gone."),
        (with_a_wrong_key, TypeError, "A key is an int"),
        (lambda: [1], TypeError, "snapshot must be an async generator function, but it returned list."),
        (3, TypeError, "snapshot must be an async generator function, not 3."),
    ],
)
@in_virtual_time
async def test_a_rebuild_that_fails_leaves_the_old_filter_complete(snapshot: Any, error: Any, text: str) -> None:
    """The error reaches whoever asked for it; what was added meanwhile is there, and the next rebuild may begin."""
    bloom = filled(1, 2)
    rebuild = asyncio.create_task(bloom.rebuild(snapshot, settle_s=0.5))
    await until(0.75)
    bloom.add(3)
    with pytest.raises(error, match=text):
        await rebuild
    assert [key for key in range(10) if key in bloom] == [1, 2, 3]
    await bloom.rebuild(keys_of(5), settle_s=0.0)


@in_virtual_time
async def test_the_snapshot_is_closed_before_the_rebuild_raises() -> None:
    """Where it is not the snapshot that fails, too: its connection to the database is given back."""
    closed: list[bool] = []

    async def snapshot() -> AsyncGenerator[Any, None]:
        try:
            yield [7]
        finally:
            closed.append(True)

    with pytest.raises(TypeError, match="A key is an int"):
        await filled().rebuild(snapshot, settle_s=0.0)
    assert closed == [True]


@in_virtual_time
async def test_an_async_function_in_place_of_a_generator_is_closed() -> None:
    """It gets its sentence, and no warning that it was never awaited."""
    wrong: Any = no_generator
    with pytest.raises(TypeError, match="snapshot must be an async generator function, but it returned coroutine"):
        await filled().rebuild(wrong, settle_s=0.0)


@pytest.mark.parametrize("settle_s", [-1.0, math.inf, math.nan, "1", None])
@in_virtual_time
async def test_a_time_to_settle_that_is_none_is_refused(settle_s: Any) -> None:
    """Before anything is read."""
    with pytest.raises((ValueError, TypeError), match=r"^settle_s must be"):
        await filled().rebuild(keys_of(1), settle_s=settle_s)


@in_virtual_time
async def test_a_second_rebuild_is_refused_and_the_first_goes_on() -> None:
    """Two at once would each lack what the other took."""
    bloom = filled(1)
    first = asyncio.create_task(bloom.rebuild(keys_of(2), settle_s=2.0))
    await until(1.0)
    with pytest.raises(RuntimeError, match="being rebuilt already"):
        await bloom.rebuild(keys_of(3), settle_s=0.0)
    bloom.add(4)
    await first
    assert [key for key in range(10) if key in bloom] == [2, 4]
