"""The name of a key in Redis: one for equal keys, and never the same for different ones."""

import random
from collections.abc import Hashable
from typing import Any

import pytest

from cachelab.stores.redis_key import escaped


@pytest.mark.parametrize("key", [1.0, ("a", 1.0), frozenset()])
def test_a_key_of_another_type_is_refused(key: Hashable) -> None:
    """A value that cannot be told apart for certain is no key."""
    with pytest.raises(TypeError, match="A key is an int"):
        escaped(key)


@pytest.mark.parametrize(
    "keys",
    [
        (42, "42", b"42", (42,), ((42,),), ("42",)),
        ("a:b", ("a", "b"), (("a", "b"),), ("a:", "b"), ("a", ":b")),
        (None, "None", "", (), ((),), ((), ()), (None,)),
        (("x", ("y", "z")), (("x", "y"), "z"), ("x", "y", "z"), ("x", "(y", "z")),
        ("é", "%C3%A9", "\udc80", b"\x80", "'", "b''", "%27"),
    ],
    ids=repr,
)
def test_different_keys_have_different_names(keys: tuple[Hashable, ...]) -> None:
    """These are pairs that would have one name if their parts were just joined."""
    assert len({escaped(key) for key in keys}) == len(keys)


def test_equal_keys_have_one_name() -> None:
    """True is 1 in a dict, in a flight and behind a fence, so it is here."""
    assert escaped(True) == escaped(1)


@pytest.mark.parametrize("count", [10_000, pytest.param(1_000_000, marks=pytest.mark.long)])
def test_random_keys_never_collide(count: int) -> None:
    """Random tuples of awkward parts have as many names as there are different keys."""
    rng = random.Random(1)
    parts: list[Any] = ["", "a", ":", "'", "(", ")", "%", "%3A", "4", b"", b"a", b":", None, 4, -4, 42, "a:", "':'"]

    def random_part(depth: int) -> Any:
        if depth and rng.random() < 0.4:
            return tuple(random_part(depth - 1) for _ in range(rng.randrange(4)))
        return rng.choice(parts)

    keys = {tuple(random_part(2) for _ in range(rng.randrange(5))) for _ in range(count)}
    assert len({escaped(key) for key in keys}) == len(keys) > count / 10
