"""The name of a key in Redis: one for equal keys, and never the same for different ones."""

import random
from collections.abc import Hashable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import Enum, IntEnum, IntFlag
from itertools import combinations
from typing import Any, NamedTuple
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given, strategies as st

from cachelab.stores.redis_key import escaped, plain, unescaped


class Text(str, Enum):  # noqa: UP042, since an older enum is formatted in another way
    """An enum of strings, one of which is empty."""

    EMPTY = ""
    EU = "eu"


class Number(IntEnum):
    """An enum of numbers."""

    ZERO = 0
    SEVEN = 7


class Flags(IntFlag):
    """Bits of a number."""

    A = 1
    B = 2


class Point(NamedTuple):
    """A tuple with names."""

    x: Any
    y: Any


class LoudText(str):
    """A string that shows itself in another way than it is."""

    def __str__(self) -> str:
        return "loud"

    def __repr__(self) -> str:
        return "loud"

    def __bool__(self) -> bool:
        return False

    def encode(self, *_: Any, **__: Any) -> bytes:
        return b"loud"


class LoudNumber(int):
    """An int that shows itself in another way than it is."""

    def __int__(self) -> int:
        return 99

    __index__ = __int__

    def __repr__(self) -> str:
        return "99"


class CaselessText(str):
    """A string that is equal to others."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, str) and self.lower() == other.lower()

    def __hash__(self) -> int:
        return hash(self.lower())


class OwnUUID(UUID):
    """A UUID as a driver of a database makes it."""


class Plain(Enum):
    """An enum whose members are equal to nothing else."""

    A = 1


@dataclass(frozen=True)
class Record:
    """A key that could be, and is not."""

    id: int


AN_ID = UUID("6ba7b810-9dad-11d1-80b4-00c04fd430c8")
STRANGE = [1.0, ("a", 1.0), frozenset(), Decimal(1), Plain.A, Record(1), np.int64(1), np.float64(1), np.bool_(True)]


# Named by their types: all test processes must give them the same names, and the repr of an object has its address.
@pytest.mark.parametrize(
    "key", [*STRANGE, CaselessText("A"), date(2020, 1, 1), object()], ids=lambda key: type(key).__name__
)
def test_a_key_of_another_type_is_refused(key: Hashable) -> None:
    """A value that cannot be told apart for certain is no key."""
    with pytest.raises(TypeError, match=r"^A key is an int, [^\n]*\.$"):
        escaped(key)


def test_an_int_that_python_does_not_write_down_is_refused() -> None:
    """It has more digits than `sys.get_int_max_str_digits` allows: a TypeError, as for any other key that is none."""
    for key in (10**5_000, -(10**5_000), ("a", 10**5_000)):
        with pytest.raises(TypeError, match="An int with thousands of digits is no key"):
            escaped(key)


@pytest.mark.parametrize(
    ("key", "name"),
    [
        (42, "42"),
        (-7, "-7"),
        (2**70, "1180591620717411303424"),
        (True, "1"),
        ("42", "'42'"),
        ("", "''"),
        ("a:b c*{é}'%\n", "'a%3Ab%20c%2A%7B%C3%A9%7D%27%25%0A'"),
        ("\udc80", "'%ED%B2%80'"),
        (b"", "b''"),
        (b"a:\xff", "b'a%3A%FF'"),
        (None, "None"),
        ((), ":"),
        ((1,), "1:"),
        (("eu", 42), "'eu':42"),
        (("a", ("b", None), ()), "'a':('b':None):(:)"),
        (AN_ID, "6ba7b810-9dad-11d1-80b4-00c04fd430c8"),
        (("eu", AN_ID), "'eu':6ba7b810-9dad-11d1-80b4-00c04fd430c8"),
    ],
    ids=repr,
)
def test_the_name_of_a_key_never_changes(key: Hashable, name: str) -> None:
    """What a release has written, the next one must find and delete."""
    assert escaped(key) == name
    assert unescaped(name) == key


@pytest.mark.parametrize(
    "text",
    [
        *("", "a", "01", "+1", "1 ", "1.0", "'", "'a", "'a'b'", "b'", "'%2A", "'é'", "'%c3'", "b'%c3'", "none"),
        *("None:None::", "::", "1::", ":1", "(1)", "()", "((1:)", "(1:))", "1:2:", "'a':(1)", "٣", "1_0"),
        *("9" * 5_000, "(" * 9_999, "(" * 5_000 + ")" * 5_000, "-" * 36, "1-2-3-4-5".rjust(36, "0")),
        str(AN_ID).upper(),
    ],
    ids=lambda text: repr(text[:9]),
)
def test_a_text_that_is_the_name_of_no_key_is_refused(text: str) -> None:
    """A text that no key has comes from somebody else, or was damaged."""
    with pytest.raises(ValueError, match=r"."):
        unescaped(text)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Text.EMPTY, ""),
        (Text.EU, "eu"),
        (Number.ZERO, 0),
        (Number.SEVEN, 7),
        (Flags.A | Flags.B, 3),
        (False, 0),
        (Point("eu", Text.EMPTY), ("eu", "")),
        (LoudText("a:b"), "a:b"),
        (LoudNumber(7), 7),
        (OwnUUID(int=AN_ID.int), AN_ID),
        (np.str_("eu"), "eu"),
        (np.bytes_(b"eu"), b"eu"),
    ],
    ids=repr,
)
def test_a_subclass_has_the_name_of_its_equal(one: Hashable, other: Hashable) -> None:
    """They are one key in a dict, in a flight and behind a fence, so they are one in Redis."""
    assert (one, hash(one)) == (other, hash(other))
    assert escaped(one) == escaped(other)


SIMPLE = st.one_of(
    st.integers(),
    st.booleans(),
    st.text(max_size=5),
    st.text(alphabet="ab'%:()0N", max_size=4),
    st.binary(max_size=5),
    st.none(),
    st.uuids(),
    st.sampled_from([*Text, *Number, *Flags, AN_ID, str(AN_ID), AN_ID.bytes, AN_ID.int, OwnUUID(int=AN_ID.int)]),
    st.sampled_from(["Text.EMPTY", "EMPTY", "eu", "", 0, 1, 7, "7", "None", "loud", LoudText(""), LoudNumber(0)]),
)
KEYS = st.recursive(SIMPLE, lambda parts: st.lists(parts, max_size=3).map(tuple) | st.builds(Point, parts, parts))


@pytest.mark.long
@given(st.lists(KEYS, min_size=2, max_size=12))
def test_keys_have_one_name_if_and_only_if_they_are_equal(keys: list[Hashable]) -> None:
    """Of all kinds of keys, nested in any way."""
    for one, other in combinations(keys, 2):
        assert (escaped(one) == escaped(other)) == (one == other)


@given(KEYS)
def test_a_name_turns_back_into_its_key(key: Hashable) -> None:
    """Into the plain key, which is equal to each subclass that has this name."""
    assert unescaped(escaped(key)) == key == plain(key)
    assert type(unescaped(escaped(key))) is type(plain(key))


@given(st.text(alphabet="ab'%:()0N1-C3", max_size=12))
def test_each_text_is_refused_or_is_the_name_of_its_key(text: str) -> None:
    """No second text stands for a key: otherwise a message could name a key in a way that the store does not."""
    try:
        key = unescaped(text)
    except ValueError:
        return
    assert escaped(key) == text


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
