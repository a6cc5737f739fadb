"""The sites of exercise 14.2: what each store leaves for the origin."""

import pytest

from cachelab import lab


def test_without_a_cache_each_read_is_a_query() -> None:
    """A hundred a second, whatever the processes."""
    assert lab.origin_load(1, "nothing", 1, 1) == pytest.approx(100, rel=0.05)
    assert lab.origin_load(4, "nothing", 1, 1) == pytest.approx(100, rel=0.05)


def test_one_process_needs_no_redis() -> None:
    """Its memory sees the same requests as Redis would."""
    assert lab.origin_load(1, "memory", 300, 20) == lab.origin_load(1, "redis", 300, 20)


def test_four_processes_miss_for_themselves() -> None:
    """With a memory each, the origin gets a third more than with one Redis for all of them."""
    memories, redis = (lab.origin_load(4, store, 300, 20) for store in ("memory", "redis"))
    assert 1.2 < memories / redis < 1.5


def test_room_and_ttl_help() -> None:
    """More of either, and the origin gets less."""
    assert lab.origin_load(4, "redis", 100, 20) > lab.origin_load(4, "redis", 300, 20) + 5
    assert lab.origin_load(4, "redis", 500, 5) > lab.origin_load(4, "redis", 500, 20) + 5


@pytest.mark.parametrize("wrong", [(1, "dict", 9, 9), (0, "memory", 9, 9), (1, "memory", 0, 9), (1, "memory", 9, 0)])
def test_wrong_arguments(wrong: tuple[int, str, int, float]) -> None:
    """Each is a ValueError."""
    with pytest.raises(ValueError, match=r"stores are|needs at least"):
        lab.origin_load(*wrong)
