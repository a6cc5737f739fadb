"""What a change of a type does to the entries of the release before: a value, a miss, or a lie, cell by cell.

Each cell goes through a `RedisStore` and a `Cache` above it, in virtual time on fakeredis, and on a real server. One
release writes a row as its type sees it, and the other reads. It gets a *value* if that is what it would have loaded, a
*miss* if it has to load, and a *lie* otherwise. An undecodable entry is a miss that is counted.
"""

import asyncio
import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass, make_dataclass
from itertools import count
from typing import Any

import msgspec
import pytest

from cachelab import Cache, RedisStore, schema_fingerprint
from cachelab.lab.sim.fake_redis import FakeRedis
from cachelab.lab.sim.simulation import run
from cachelab.stores.redis_store import redis_client
from tests.support.servers import real_server

Shape = dict[str, Any]
BASE: Shape = {"id": int, "username": str, "email": str | None, "credit": int}
ROW: Shape = {"id": 1, "username": "ada", "email": "ada@example.org", "credit": 5, "plan": "gold", "handle": "ada"}
"""The truth. A release sees those fields of it that its type has."""


def user(shape: Shape, **defaults: Any) -> type:
    """A dataclass with these fields; those of `defaults` come last and have a default."""
    fields: list[Any] = [(name, kind) for name, kind in shape.items() if name not in defaults]
    fields += [(name, shape[name], dataclasses.field(default=default)) for name, default in defaults.items()]
    return make_dataclass("User", fields, frozen=True)


def without(name: str) -> Shape:
    """The fields without one."""
    return {other: kind for other, kind in BASE.items() if other != name}


class Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A type that refuses what it does not know."""

    id: int
    username: str


class Grown(msgspec.Struct, frozen=True):
    """The same with one more field."""

    id: int
    username: str
    plan: str = "free"


class Array(msgspec.Struct, frozen=True, array_like=True):
    """A type that is sent without the names of its fields."""

    id: int
    username: str


class Inserted(msgspec.Struct, frozen=True, array_like=True):
    """The same with one more field in the middle."""

    id: int
    plan: str
    username: str = ""


class Aliased(msgspec.Struct, frozen=True):
    """A field that is renamed in the code, and not in what is sent."""

    id: int
    handle: str = msgspec.field(name="username")


@dataclass(frozen=True)
class Change:
    """Two types, what the row is to each if that is not `ROW`, and the two cells of the matrix for the same version."""

    old: Any
    new: Any
    new_reads_old: str
    old_reads_new: str
    of_old: Shape = dataclasses.field(default_factory=dict)
    of_new: Shape = dataclasses.field(default_factory=dict)
    has_same_fingerprint: bool = False


USER = user(BASE)
COUNTED = "miss, counted"
MATRIX = {
    "nothing": Change(USER, user(BASE), "value", "value", has_same_fingerprint=True),
    "added with a default": Change(USER, user(BASE | {"plan": str}, plan="free"), "lie", "value"),
    "added with a default that is true": Change(
        USER, user(BASE | {"plan": str}, plan="free"), "value", "value", of_new={"plan": "free"}
    ),
    "added, required": Change(USER, user(BASE | {"plan": str}), COUNTED, "value"),
    "removed": Change(USER, user(without("credit")), "value", COUNTED),
    "renamed": Change(USER, user(without("username") | {"handle": str}), COUNTED, COUNTED),
    "renamed, with a default": Change(USER, user(without("username") | {"handle": str}, handle=""), "lie", COUNTED),
    "renamed in the code only": Change(Strict, Aliased, "value", "value"),
    "retyped, int to str": Change(USER, user(BASE | {"id": str}), COUNTED, COUNTED, of_new={"id": "1"}),
    "widened, int to float": Change(USER, user(BASE | {"credit": float}), "value", "value"),
    "widened, with a fraction": Change(USER, user(BASE | {"credit": float}), "lie", COUNTED, of_new={"credit": 5.5}),
    "narrowed": Change(USER, user(BASE | {"email": str}), "value", "value"),
    "narrowed, where None is stored": Change(
        USER, user(BASE | {"email": str}), COUNTED, "lie", of_old={"email": None}, of_new={"email": ""}
    ),
    "reordered": Change(USER, user({name: BASE[name] for name in reversed(BASE)}), "value", "value"),
    "same shape, credit in cents": Change(
        USER, user(BASE), "lie", "lie", of_new={"credit": 500}, has_same_fingerprint=True
    ),
    "added, where the old type is strict": Change(Strict, Grown, "lie", COUNTED),
    "inserted into an array": Change(Array, Inserted, "lie", "lie"),
}
"""Each change and its cells. For another version or another fingerprint in the key, each cell is a plain miss."""


def fields_of(kind: Any) -> list[str]:
    """The names of the fields of a type, as they are in the code."""
    return list(getattr(kind, "__struct_fields__", None) or [field.name for field in dataclasses.fields(kind)])


def seen_by(kind: Any, row: Shape) -> Any:
    """The row as a release with this type loads it."""
    return kind(**{name: (ROW | row)[name] for name in fields_of(kind)})


_numbers = count()


async def cell(client: Any, written: tuple[Any, Shape], read: tuple[Any, Shape], keys: tuple[Any, Any]) -> str:
    """What the second release finds where the first has written; each has its (namespace, version)."""
    stores = [
        RedisStore[Any](client, kind, namespace=namespace, version=version)
        for (kind, _), (namespace, version) in zip((written, read), keys, strict=True)
    ]
    rows = [seen_by(*written), seen_by(*read)]
    loads = []

    def loader(row: Any) -> Any:
        async def load(key: int) -> Any:
            loads.append(row)
            return row

        return load

    for store, row in zip(stores, rows, strict=True):
        answer = await Cache(store, loader(row), ttl=60.0).get(1)  # no cell raises
    assert loads[0] is rows[0]
    if len(loads) == 2:
        assert answer is rows[1]
        return COUNTED if stores[1].undecodable else "miss"
    assert stores[1].undecodable == 0
    return "value" if answer == rows[1] else "lie"


async def cells(client: Any, change: Change, keys: tuple[Any, Any]) -> tuple[str, str]:
    """Both cells of a change: new code reads what old code has written, and the reverse."""
    prefixes = [f"matrix{next(_numbers)}{'-{}'}" for _ in range(2)]
    old, new = (change.old, change.of_old), (change.new, change.of_new)
    (old_name, old_version), (new_name, new_version) = keys
    found = []
    for prefix, is_reverse in zip(prefixes, (False, True), strict=True):
        old_key, new_key = (prefix.format(old_name), old_version), (prefix.format(new_name), new_version)
        pair = (new, old, (new_key, old_key)) if is_reverse else (old, new, (old_key, new_key))
        found.append(await cell(client, *pair))
    return found[0], found[1]


@pytest.fixture(scope="module")
def server() -> Iterator[Any]:
    """The path of a real server's socket."""
    with real_server() as (path, _):
        yield path


def on_each_redis(scenario: Any, kind: str, request: pytest.FixtureRequest) -> Any:
    """What the scenario returns, with a client of this kind of Redis."""
    if kind == "fakeredis":

        async def in_virtual_time() -> Any:
            return await scenario(FakeRedis().client())

        return run(in_virtual_time)

    async def main() -> Any:
        client = redis_client(f"unix://{request.getfixturevalue('server')}", timeout_s=5.0)
        async with client:
            return await scenario(client)

    return asyncio.run(main())


REDIS = pytest.mark.parametrize("redis", ["fakeredis", "real"])
EVERY_CHANGE = pytest.mark.parametrize("name", MATRIX)


@REDIS
@EVERY_CHANGE
def test_every_cell_under_the_same_version(redis: str, name: str, request: pytest.FixtureRequest) -> None:
    """Tolerant decoding: a value, a counted miss, or a lie."""
    change = MATRIX[name]
    keys = (("user", 1), ("user", 1))
    found = on_each_redis(lambda client: cells(client, change, keys), redis, request)
    assert found == (change.new_reads_old, change.old_reads_new)


@REDIS
@EVERY_CHANGE
def test_every_cell_under_another_version(redis: str, name: str, request: pytest.FixtureRequest) -> None:
    """A plain miss each: the two releases have keys of their own."""
    keys = (("user", 1), ("user", 2))
    found = on_each_redis(lambda client: cells(client, MATRIX[name], keys), redis, request)
    assert found == ("miss", "miss")


@EVERY_CHANGE
def test_every_cell_with_the_fingerprint_in_the_key(name: str, request: pytest.FixtureRequest) -> None:
    """A plain miss each, except where the shape is the same: the fingerprint sees nothing, and a lie stays one."""
    change = MATRIX[name]
    prints = [schema_fingerprint(kind) for kind in (change.old, change.new)]
    assert (prints[0] == prints[1]) == change.has_same_fingerprint
    keys = ((prints[0], 1), (prints[1], 1))
    found = on_each_redis(lambda client: cells(client, change, keys), "fakeredis", request)
    is_seen = prints[0] != prints[1]
    assert found == (("miss", "miss") if is_seen else (change.new_reads_old, change.old_reads_new))
