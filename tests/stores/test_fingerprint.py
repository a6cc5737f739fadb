"""The fingerprint of a type: the same everywhere, another one for another shape, and what it does not see."""

import enum
import os
import subprocess
import sys
from dataclasses import dataclass, field, make_dataclass
from typing import Annotated, Any, Generic, Literal, NamedTuple, Optional, TypedDict, TypeVar, Union

import msgspec
import pytest

from cachelab import schema_fingerprint
from tests.support.notebooks import ROOT

T = TypeVar("T")


class Colour(enum.Enum):
    """An enum of strings."""

    RED = "red"
    BLUE = "blue"


class Point(NamedTuple):
    """A named tuple."""

    x: int
    y: float = 0.0


class Flags(TypedDict, total=False):
    """A dict with known keys."""

    is_admin: bool


@dataclass(frozen=True)
class Profile:
    """One of everything."""

    id: int
    name: str | None = None
    tags: list[str] = field(default_factory=list)
    colour: Colour = Colour.RED
    kind: Literal["a", "b"] = "a"
    unique: frozenset[str] = frozenset({"x", "y", "z"})
    short: Annotated[str, msgspec.Meta(max_length=3)] = ""
    points: tuple[Point, ...] = ()
    flags: dict[str, Flags] = field(default_factory=dict)
    made: Any = field(default_factory=lambda: object())


class Tree(msgspec.Struct):
    """A type that is in itself."""

    value: int
    children: list["Tree"] = []


class Node(msgspec.Struct, tag=True):
    """Another one, which is sent with its name."""

    value: int
    next: Optional["Node"] = None


class Page(msgspec.Struct, Generic[T]):
    """A generic type."""

    items: list[T]


PRINTS = {"Profile": "d358b7e8", "Tree": "3d5dc0de", "Page[Profile]": "d1c778af"}
TYPES: dict[str, Any] = {"Profile": Profile, "Tree": Tree, "Page[Profile]": Page[Profile]}


@pytest.mark.parametrize("name", PRINTS)
def test_a_declaration_has_one_fingerprint_everywhere(name: str) -> None:
    """These were written down: a version of Python or of msgspec that gives another one would make a cold start."""
    assert schema_fingerprint(TYPES[name]) == PRINTS[name]


@pytest.mark.long
def test_every_process_has_the_same() -> None:
    """Whatever its hash seed, which decides the order of sets, and wherever its objects are in memory."""
    code = "from tests.stores.test_fingerprint import *; print(*map(schema_fingerprint, TYPES.values()))"
    command, environment = [sys.executable, "-c", code], os.environ | {"PYTHONHASHSEED": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [schema_fingerprint(kind) for kind in TYPES.values()]


def dataclass_of(*fields: Any, name: str = "User") -> Any:
    """A dataclass with these fields."""
    return make_dataclass(name, fields)


USER = [("id", int), ("name", str)]
OTHERS: dict[str, Any] = {
    "the same": dataclass_of(*USER),
    "added": dataclass_of(*USER, ("plan", str)),
    "added with a default": dataclass_of(*USER, ("plan", str, field(default="free"))),
    "added with another default": dataclass_of(*USER, ("plan", str, field(default="gold"))),
    "added with a default of None": dataclass_of(*USER, ("plan", str | None, field(default=None))),
    "added, may be None": dataclass_of(*USER, ("plan", str | None)),
    "removed": dataclass_of(USER[0]),
    "renamed": dataclass_of(USER[0], ("handle", str)),
    "retyped": dataclass_of(("id", str), USER[1]),
    "widened": dataclass_of(("id", float), USER[1]),
    "bounded": dataclass_of(("id", Annotated[int, msgspec.Meta(gt=0)]), USER[1]),
    "reordered": dataclass_of(USER[1], USER[0]),
    "another class": dataclass_of(*USER, name="Person"),
    "an enum": dataclass_of(("id", int), ("name", enum.Enum("E", {"A": "a", "B": "b"}))),
    "an enum with a member more": dataclass_of(("id", int), ("name", enum.Enum("E", {"A": "a", "B": "b", "C": "c"}))),
    "deep inside": dataclass_of(("id", int), ("name", list[dict[str, tuple[int, ...]]])),
    "deep inside, another": dataclass_of(("id", int), ("name", list[dict[str, tuple[str, ...]]])),
    "a struct": msgspec.defstruct("User", USER),
    "an array": msgspec.defstruct("User", USER, array_like=True),
    "a strict struct": msgspec.defstruct("User", USER, forbid_unknown_fields=True),
    "a tagged struct": msgspec.defstruct("User", USER, tag="user"),
    "a field with another name when sent": msgspec.defstruct("User", USER, rename="upper"),
}


def test_each_change_of_the_shape_gives_another_one() -> None:
    """No two of these agree. A reorder and another name of the class are among them, which fire for nothing."""
    assert len({schema_fingerprint(kind) for kind in OTHERS.values()}) == len(OTHERS)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (int | str, str | int),
        (Union[int, str, None], Optional[Union[str, int]]),  # noqa: UP007, UP045
        (list[int | None], list[Optional[int]]),  # noqa: UP045
        (Literal["a", "b"], Literal["b", "a"]),
        (dataclass_of(*USER), dataclass_of(*USER)),
    ],
    ids=str,
)
def test_the_same_shape_has_the_same(one: Any, other: Any) -> None:
    """A union has no order, and neither has a literal."""
    assert schema_fingerprint(one) == schema_fingerprint(other)


def test_what_it_does_not_see() -> None:
    """What a function makes: the same shape, and another default."""
    one, two = (dataclass_of(("n", int, field(default_factory=make))) for make in (lambda: 1, lambda: 2))
    assert schema_fingerprint(one) == schema_fingerprint(two)


def test_two_types_that_are_in_themselves_differ() -> None:
    """How far up the type around stands is part of the shape."""
    assert len({schema_fingerprint(kind) for kind in (Tree, Node, list[Tree])}) == 3


def test_it_fits_into_a_namespace() -> None:
    """Eight hexadecimal digits."""
    text = schema_fingerprint(Profile)
    assert len(bytes.fromhex(text)) == 4


def test_a_type_that_nobody_can_send_is_refused() -> None:
    """As msgspec refuses it."""
    with pytest.raises(TypeError):
        schema_fingerprint(1 + 1j)
