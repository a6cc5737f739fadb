"""The store in Redis: the contract in virtual time on fakeredis, and what matters again on a real server."""

import asyncio
import dataclasses
import math
import os
import random
import re
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Hashable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from hypothesis import given, strategies as st
from redis.asyncio import ConnectionPool, Redis, RedisCluster
from redis.exceptions import RedisError

from cachelab.cache import Cache
from cachelab.clock import Clock
from cachelab.entry import ABSENT, MISS, Entry
from cachelab.events import Fact, InvalidationFailed
from cachelab.flight import Flight
from cachelab.freshness import Freshness
from cachelab.lab.sim.simulation import run
from cachelab.stores.codec import Undecodable
from cachelab.stores.redis_key import escaped
from cachelab.stores.redis_store import RedisStore, redis_client
from tests.support import servers
from tests.support.cluster import node_with_all_slots
from tests.support.contract import StoreContract
from tests.support.fakes import PROPERTY, Heard, Origin, facts, in_virtual_time, now, tally
from tests.support.notebooks import ROOT
from tests.support.servers import (
    Plain,
    RoundedStore,
    fake_redis,
    loops_server,
    need_server,
    real_server,
    runs,
    soon,
)

FOREVER = math.inf


@dataclasses.dataclass(frozen=True)
class User:
    """A value with a type of its own."""

    id: int
    name: str


def store_on(redis: Any, **options: Any) -> RedisStore:
    """A store of plain values."""
    return RedisStore(redis, Plain, namespace="test", version=1, **options)


class Spy:
    """Stands in front of a client: names each round trip, and lets something happen in the middle of a read."""

    def __init__(self, redis: Any) -> None:
        self.redis = redis
        self.sent: list[str] = []
        self.between: Callable[[], Awaitable[object]] | None = None
        self.way_s = 0.0
        self.refusal: RedisError | None = None

    def get_encoder(self) -> Any:
        return self.redis.get_encoder()

    def pipeline(self, transaction: bool) -> Any:
        return SpiedPipeline(self)

    async def set(self, *args: Any, **options: Any) -> None:
        self.sent.append("set")
        await self.redis.set(*args, **options)

    async def delete(self, *args: Any) -> None:
        self.sent.append("delete")
        await self.redis.delete(*args)


class SpiedPipeline:
    """A pipeline that takes `way_s` each way and lets `between` happen after the first half of its commands."""

    def __init__(self, spy: Spy) -> None:
        self.spy = spy
        self.commands: list[tuple[str, str]] = []

    def pttl(self, name: str) -> None:
        self.commands.append(("pttl", name))

    def get(self, name: str) -> None:
        self.commands.append(("get", name))

    async def execute(self, raise_on_error: bool) -> list[Any]:
        self.spy.sent.append("pipeline")
        await asyncio.sleep(self.spy.way_s)
        answers = []
        for number, (command, name) in enumerate(self.commands):
            if self.spy.between is not None and number == len(self.commands) // 2:
                await self.spy.between()
            answers.append(self.spy.refusal or await getattr(self.spy.redis, command)(name))
        await asyncio.sleep(self.spy.way_s)
        return answers


class TestOnFakeredis(StoreContract):
    """The contract in virtual time; Redis counts milliseconds, so the last instant is that of two before the end."""

    last_s = 59.998

    def make(self, max_entries: int = 100, clock: Clock | None = None) -> RedisStore:
        return RoundedStore(2, fake_redis(), clock=clock)


class TestLife:
    """How long an entry lives."""

    @PROPERTY
    @given(life=st.floats(0.0, 100.0), stale=st.floats(0.0, 100.0), wait=st.floats(0.0, 100.0))
    def test_no_moment_comes_back_later_than_it_was_set(self, life: float, stale: float, wait: float) -> None:
        """An entry is never served longer, nor fresh for longer, than it should be; and shorter by 3 ms at most."""

        @in_virtual_time
        async def scenario() -> None:
            store = store_on(fake_redis())
            await asyncio.sleep(7.3)
            set_ = Entry("value", now() + life, now() + life - stale, now() + life - 1.5 * stale)
            await store.set(1, set_)
            await asyncio.sleep(wait)
            got = await store.get(1)
            if got is MISS:
                assert wait > life - 0.003
            else:
                for have, had in [
                    (got.expires, set_.expires),
                    (got.fresh_until, set_.fresh_until),
                    (got.refresh_from, set_.refresh_from),
                ]:
                    assert had - 0.003 <= have <= had + 1e-9

        scenario()

    @pytest.mark.parametrize("way_s", [0.05, 1.0])
    @pytest.mark.parametrize("many", [False, True])
    @in_virtual_time
    async def test_the_way_of_the_answer_is_taken_off(self, way_s: float, many: bool) -> None:
        """However long the answer takes, the end is not later than it was; by the way there it may be earlier."""
        spy = Spy(fake_redis())
        store = store_on(spy)
        await store.set(1, Entry("value", 60.0))
        spy.way_s = way_s
        got = (await store.get_many([1]))[0] if many else await store.get(1)
        assert got is not MISS
        assert got.expires == pytest.approx(60.0 - way_s - 0.001)

    @in_virtual_time
    async def test_a_value_written_between_the_two_commands_lives_no_longer_than_it_should(self) -> None:
        """The life is the old value's, the value the new one: the new one's own life is the bound."""
        spy = Spy(fake_redis())
        store, other = store_on(spy), store_on(spy.redis)
        await other.set(1, Entry("old", 60.0))
        spy.between = lambda: other.set(1, Entry("new", 5.0))
        assert await store.get(1) == Entry("new", 5.0)

    @in_virtual_time
    async def test_a_life_of_less_than_a_millisecond_is_none(self) -> None:
        """SET cannot say it, so the key is deleted, and the older entry with it."""
        store = store_on(fake_redis())
        await store.set(1, Entry("old", 60.0))
        await store.set(1, Entry("new", 0.0009))
        assert await store.get(1) is MISS

    @pytest.mark.parametrize("expires", [-FOREVER, math.nan, 0.0])
    @in_virtual_time
    async def test_an_end_that_is_past_or_no_moment_deletes(self, expires: float) -> None:
        """The old value does not stay in its place."""
        store = store_on(fake_redis())
        await store.set(1, Entry("old", FOREVER))
        await store.set(1, Entry("new", expires))
        assert await store.get(1) is MISS

    @pytest.mark.parametrize("odd", [-FOREVER, FOREVER, math.nan, -1e-9])
    @in_virtual_time
    async def test_whatever_is_set_can_be_read(self, odd: float) -> None:
        """Other moments and durations that are none do not make an entry undecodable."""
        store = store_on(fake_redis())
        await store.set(1, Entry("value", 60.0, odd, odd, odd))
        got = await store.get(1)
        assert got is not MISS
        assert got.value == "value"
        assert got.fresh_until <= got.expires <= 60.0

    @pytest.mark.parametrize("stale_for", [1e10, 1e300])
    @in_virtual_time
    async def test_an_end_after_more_than_a_hundred_years_comes_back_earlier(self, stale_for: float) -> None:
        """It is fresh for as long as it should be, and not stale from the beginning."""
        store, origin = store_on(fake_redis()), Origin("value")
        async with Cache(store, origin, ttl=60.0, freshness=Freshness(stale_for=stale_for)) as cache:
            await cache.get(1)
            assert await cache.get(1) == "value"
            assert (cache.hits, origin.calls) == (1, 1)

    @in_virtual_time
    async def test_a_life_that_somebody_cut_short_ends(self) -> None:
        """An entry without an end has one, if Redis has been told to forget it soon."""
        redis = fake_redis()
        store = store_on(redis)
        await store.set(1, Entry("value", FOREVER))
        await redis.pexpire(store.key(1), 50)
        got = await store.get(1)
        assert got is not MISS
        assert got.expires <= 0.05

    @in_virtual_time
    async def test_the_last_millisecond_is_no_life(self) -> None:
        """Redis may have rounded it up, and nothing would be left of it here."""
        spy = Spy(fake_redis())
        store = store_on(spy)
        await store.set(1, Entry("value", FOREVER))
        for life_ms, found in ((1, False), (2, True)):
            spy.redis.pttl = lambda name, life_ms=life_ms: asyncio.sleep(0, life_ms)
            assert (await store.get(1) is not MISS) == found

    @in_virtual_time
    async def test_a_key_without_a_life_is_a_miss(self) -> None:
        """Who took the life off a key of ours is not believed: the entry would never end."""
        redis = fake_redis()
        store = store_on(redis)
        await store.set(1, Entry("value", 60.0))
        await redis.persist(store.key(1))
        assert await store.get(1) is MISS

    @in_virtual_time
    async def test_every_key_has_a_life(self) -> None:
        """Also an entry without an end has one in Redis, a long one."""
        redis = fake_redis()
        store = store_on(redis)
        await store.set(1, Entry("value", FOREVER, fresh_until=20.0))
        assert await redis.pttl(store.key(1)) > 1e12
        got = await store.get(1)
        assert got is not MISS
        assert got.expires == FOREVER
        assert got.fresh_until == pytest.approx(20.0, abs=0.002)


class TestCommands:
    """What is sent, and under which names."""

    @in_virtual_time
    async def test_each_call_is_one_round_trip(self) -> None:
        """A read, a read of many and a write: one each."""
        spy = Spy(fake_redis())
        store = store_on(spy)
        await store.set(1, Entry("value", FOREVER))
        await store.get(1)
        await store.get_many([1, 2, 3])
        await store.delete(1)
        assert spy.sent == ["set", "pipeline", "pipeline", "delete"]

    @in_virtual_time
    async def test_reads_of_one_turn_are_one_pipeline(self) -> None:
        """Where there is no one pool of connections, as on a cluster, they travel together all the same."""
        spy = Spy(fake_redis())
        store = store_on(spy)
        await store.set(1, Entry("value", FOREVER))
        entry = Entry("value", FOREVER)
        assert await asyncio.gather(*map(store.get, [1, 2, 1])) == [entry, MISS, entry]
        assert spy.sent == ["set", "pipeline"]

    @in_virtual_time
    async def test_many_come_back_in_order(self) -> None:
        """One answer for each key, with MISS where there is none; a key may be asked for twice; none at all is fine."""
        store = store_on(fake_redis())
        for key in (1, 3):
            await store.set(key, Entry(key, FOREVER))
        assert await store.get_many([3, 2, 1, 3]) == [Entry(3, FOREVER), MISS, Entry(1, FOREVER), Entry(3, FOREVER)]
        assert await store.get_many([]) == []

    @in_virtual_time
    async def test_only_our_prefix_is_written(self) -> None:
        """Every key begins with namespace and version, whatever is in its parts."""
        redis = fake_redis()
        store = RedisStore(redis, str, namespace="user", version=2)
        for key in (42, "a:b*{c}\n", ("eu", 42)):
            await store.set(key, Entry("value", FOREVER))
        assert sorted(await redis.keys()) == [b"user:v2:'a%3Ab%2A%7Bc%7D%0A'", b"user:v2:'eu':42", b"user:v2:42"]

    @in_virtual_time
    async def test_two_versions_do_not_meet(self) -> None:
        """Another version is another key, so old and new releases can run side by side."""
        redis = fake_redis()
        old, new = (RedisStore(redis, str, namespace="user", version=version) for version in (1, 2))
        await old.set(1, Entry("value", FOREVER))
        await new.delete(1)
        assert (await new.get(1), await old.get(1)) == (MISS, Entry("value", FOREVER))

    @pytest.mark.parametrize("module", ["codec", "redis_store", "round_trips"])
    def test_no_command_reaches_beyond_our_keys(self, module: str) -> None:
        """The source has none of the commands that act on a whole server, so a shared one is safe."""
        source = (ROOT / "cachelab" / f"{module}.py").read_text(encoding="utf-8")
        assert re.findall(r"(?i)flush|config|debug|shutdown|\bkeys\(|\bscan", source) == []

    @pytest.mark.parametrize("namespace", ["", "a:b", "a b", "a{b}"])
    @in_virtual_time
    async def test_a_namespace_is_one_plain_word(self, namespace: str) -> None:
        """With a colon in it two namespaces could meet."""
        with pytest.raises(ValueError, match="namespace must be"):
            RedisStore(fake_redis(), str, namespace=namespace, version=1)

    @in_virtual_time
    async def test_a_client_that_decodes_is_refused(self) -> None:
        """It would choke on the first entry, so it is refused when the store is built."""
        with pytest.raises(ValueError, match="must return bytes"):
            store_on(Redis(decode_responses=True))

    @pytest.mark.parametrize("key", [1.0, ("a", 1.0), frozenset()])
    def test_a_key_of_another_kind_is_refused(self, key: Hashable) -> None:
        """What cannot be told apart for certain is no key."""
        with pytest.raises(TypeError, match="A key is an int"):
            escaped(key)

    @pytest.mark.parametrize(
        "keys",
        [
            (42, "42", b"42", (42,), ((42,),), ("42",)),
            ("a:b", ("a", "b"), (("a", "b"),), ("a:", "b"), ("a", ":b")),
            (None, "None", "", (), ((),), ((), ()), (None,)),
            (("x", ("y", "z")), (("x", "y"), "z"), ("x", "y", "z"), ("x", "(y", "z)")),
            ("é", "%C3%A9", "\udc80", b"\x80", "'", "b''", "%27"),
        ],
        ids=repr,
    )
    def test_different_keys_have_different_names(self, keys: tuple[Hashable, ...]) -> None:
        """The pairs that naive joining confuses."""
        assert len({escaped(key) for key in keys}) == len(keys)

    def test_equal_keys_have_one_name(self) -> None:
        """True is 1 in a dict, in a flight and in a fence, so it is here."""
        assert escaped(True) == escaped(1)

    @pytest.mark.parametrize("count", [10_000, pytest.param(1_000_000, marks=pytest.mark.long)])
    def test_random_keys_never_collide(self, count: int) -> None:
        """Random tuples of awkward parts: as many names as there are different keys."""
        rng = random.Random(1)
        parts: list[Any] = ["", "a", ":", "'", "(", ")", "%", "%3A", "4", b"", b"a", b":", None, 4, -4, 42, "a:", "':'"]

        def some(depth: int) -> Any:
            if depth and rng.random() < 0.4:
                return tuple(some(depth - 1) for _ in range(rng.randrange(4)))
            return rng.choice(parts)

        keys = {tuple(some(2) for _ in range(rng.randrange(5))) for _ in range(count)}
        assert len({escaped(key) for key in keys}) == len(keys) > count / 10


class TestBadBytes:
    """What is found under our keys and is no entry."""

    @pytest.mark.parametrize("poison", [b"", b"garbage", b"\x80\x04cos\nsystem\n."], ids=repr)
    @in_virtual_time
    async def test_no_entry_is_a_counted_miss(self, poison: bytes) -> None:
        """It is counted, told with its error, and overwritten by the next fill."""
        redis = fake_redis()
        heard: Heard = []
        store = store_on(redis, listen=heard.append)
        await redis.set(store.key(1), poison, px=60_000)
        assert await store.get(1) is MISS
        (told,) = heard
        assert isinstance(told, Fact)
        assert (store.undecodable, told[:3]) == (1, ("redis", 1, "store error"))
        assert isinstance(told.error, Undecodable)
        await store.set(1, Entry("value", FOREVER))
        assert await store.get(1) == Entry("value", FOREVER)

    @in_virtual_time
    async def test_another_keys_entry_is_a_miss(self) -> None:
        """Bytes that were copied or crossed belong to the key they were written for."""
        redis = fake_redis()
        store = store_on(redis)
        await store.set(1, Entry("one's", FOREVER))
        await redis.copy(store.key(1), store.key(2))
        assert (await store.get(2), store.undecodable) == (MISS, 1)

    @in_virtual_time
    async def test_a_list_in_the_place_of_an_entry_spoils_no_other(self) -> None:
        """One key of another kind is a miss, and the rest of the batch is answered."""
        redis = fake_redis()
        store = store_on(redis)
        await store.set(1, Entry("value", FOREVER))
        await redis.lpush(store.key(2), "x")
        await redis.pexpire(store.key(2), 60_000)
        assert await store.get_many([2, 1]) == [MISS, Entry("value", FOREVER)]
        assert store.undecodable == 0

    @in_virtual_time
    async def test_a_servers_refusal_is_no_miss(self) -> None:
        """An error in place of an answer, here that of a user without rights, is raised, so that a cache counts it."""
        spy = Spy(fake_redis())
        spy.refusal = RedisError("NOPERM this user has no permissions to run the 'get' command")
        store = store_on(spy)
        with pytest.raises(RedisError, match="NOPERM"):
            await store.get(1)
        assert store.undecodable == 0

    @in_virtual_time
    async def test_too_large_a_value_is_not_kept(self) -> None:
        """It is refused and told, and the older value does not stay in its place."""
        heard: Heard = []
        store = store_on(fake_redis(), max_bytes=200, listen=heard.append)
        await store.set(1, Entry("old", FOREVER))
        await store.set(1, Entry("x" * 200, FOREVER))
        assert (await store.get(1), store.refused, facts(heard)) == (MISS, 1, ["refused"])

    @in_virtual_time
    async def test_a_value_that_cannot_be_encoded_leaves_nothing(self) -> None:
        """The error comes through, and the older value does not stay in its place."""
        store = store_on(fake_redis())
        await store.set(1, Entry("old", FOREVER))
        with pytest.raises(TypeError):
            await store.set(1, Entry(object(), 60.0))
        assert await store.get(1) is MISS


class TestInACache:
    """A cache over the store."""

    @in_virtual_time
    async def test_the_life_of_an_entry_in_a_cache(self) -> None:
        """Miss and fill, hit, delete; poison is a counted miss; with the server gone the load's answer is served."""
        server, origin = loops_server(), Origin(User(42, "ada"))
        heard: Heard = []
        redis = fake_redis(server)
        store = RedisStore(redis, User, namespace="user", version=2, listen=heard.append)
        async with Cache(store, origin, ttl=60.0, flight=Flight()) as cache:
            assert [await cache.get(42) for _ in range(2)] == [User(42, "ada")] * 2
            assert tally(cache) == (1, 0, 1, 0)
            await cache.delete(42)
            await cache.get(42)
            assert origin.calls == 2
            await redis.set(store.key(42), b"poison", px=60_000)
            assert await cache.get(42) == User(42, "ada")
            assert (origin.calls, store.undecodable, facts(heard), cache.store_errors) == (3, 1, ["store error"], 0)
            server.connected = False
            assert await cache.get(42) == User(42, "ada")
            assert (origin.calls, cache.store_errors) == (4, 1)  # of the read: no fill is tried after it
            with pytest.raises(InvalidationFailed):
                await cache.delete(42)
            server.connected = True

    @in_virtual_time
    async def test_absence_is_remembered_and_shared(self) -> None:
        """Another process's cache, here another client of the server, hits on what this one found to be absent."""
        server, origin = loops_server(), Origin(ABSENT)
        stores = [RedisStore(fake_redis(server), User, namespace="user", version=2) for _ in range(2)]
        for store in stores:
            async with Cache(store, origin, ttl=60.0, negative_ttl=5.0) as cache:
                assert await cache.get(42) is ABSENT
        assert origin.calls == 1

    def test_a_second_loop_is_refused(self) -> None:
        """A store belongs to the loop that uses it first, with each of its methods."""
        stores: list[RedisStore] = []

        async def first() -> None:
            stores.append(store_on(fake_redis()))
            await stores[0].get(1)

        run(first)
        (store,) = stores
        calls: list[Callable[[], Any]] = [
            lambda: store.get(1),
            lambda: store.get_many([1]),
            lambda: store.set(1, Entry("value", FOREVER)),
            lambda: store.delete(1),
        ]
        for call in calls:
            with pytest.raises(RuntimeError, match="belongs to another event loop"):
                run(call)


@pytest.fixture(scope="module")
def server() -> Iterator[Path]:
    """The socket of a real server of our own."""
    with real_server() as (path, _):
        yield path


def on_real(server: Path, scenario: Callable[[Redis], Awaitable[None]]) -> None:
    """Run the scenario with a recommended client of the server, on a usual loop."""

    async def main() -> None:
        async with redis_client(f"unix://{server}", timeout_s=2.0) as redis:
            await scenario(redis)

    asyncio.run(main())


def own(redis: Any, request: pytest.FixtureRequest, **options: Any) -> RedisStore:
    """A store with a namespace of its own, since the server is shared."""
    namespace = "".join(letter if letter.isalnum() else "." for letter in request.node.name)
    return RedisStore(redis, Plain, namespace=namespace, version=1, **options)


class TestOnARealServer:
    """The same promises, with lives of real milliseconds."""

    @pytest.mark.parametrize("value", ["value", None, ABSENT, 0, "", False, ()], ids=repr)
    def test_an_entry_comes_back_as_it_was(self, server: Path, request: pytest.FixtureRequest, value: Any) -> None:
        """Every value comes back, and its moments are those that were set, or a little earlier."""

        async def scenario(redis: Redis) -> None:
            store = own(redis, request)
            began = now()
            put = Entry(value, began + 60.0, began + 20.0, began + 5.0, 0.25)
            await store.set(1, put)
            way_s = now() - began  # the life begins when SET arrives
            got = await store.get(1)
            assert got is not MISS
            assert (got.value, got.load_time_s) == (value, 0.25)
            for have, had in [
                (got.expires, put.expires),
                (got.fresh_until, put.fresh_until),
                (got.refresh_from, put.refresh_from),
            ]:
                assert had - 2.0 < have <= had + way_s

        on_real(server, scenario)

    def test_a_short_life_ends(self, server: Path, request: pytest.FixtureRequest) -> None:
        """An entry of 50 ms is served until its end and not after it, and then it has left Redis as well."""

        async def scenario(redis: Redis) -> None:
            store = own(redis, request)
            began = now()
            await store.set(1, Entry("value", began + 0.05))
            latest = began + 0.05 + (now() - began)
            while (got := await store.get(1)) is not MISS:
                assert got.expires <= latest
                assert now() < latest + 5.0
            assert now() > began + 0.045
            while await redis.exists(store.key(1)):
                assert now() < latest + 5.0

        on_real(server, scenario)

    def test_set_replaces_and_delete_forgets(self, server: Path, request: pytest.FixtureRequest) -> None:
        """The second value is served; after a delete, or a set of what is dead, none is."""

        async def scenario(redis: Redis) -> None:
            store = own(redis, request)
            for value in ("old", "new"):
                await store.set(1, Entry(value, now() + 60.0))
            assert [entry and entry.value for entry in await store.get_many([1, "1", 1])] == ["new", MISS, "new"]
            await store.delete(1)
            await store.delete(1)
            assert await store.get(1) is MISS
            await store.set(1, Entry("old", now() + 60.0))
            await store.set(1, Entry("dead", now()))
            assert await store.get(1) is MISS
            await store.set(1, Entry("endless", FOREVER))
            assert await store.get(1) == Entry("endless", FOREVER)

        on_real(server, scenario)

    def test_bad_bytes_are_misses(self, server: Path, request: pytest.FixtureRequest) -> None:
        """Garbage, a list, and a key whose life was taken off, beside one good entry."""

        async def scenario(redis: Redis) -> None:
            store = own(redis, request)
            for key in (1, 2):
                await store.set(key, Entry(key, FOREVER))
            await redis.persist(store.key(2))
            await redis.set(store.key(3), b"garbage", px=60_000)
            await redis.lpush(store.key(4), b"x")
            await redis.pexpire(store.key(4), 60_000)
            assert await store.get_many([4, 3, 2, 1]) == [MISS, MISS, MISS, Entry(1, FOREVER)]
            assert store.undecodable == 1

        on_real(server, scenario)

    @pytest.mark.skipif(redis.__version__ < "8", reason="before version 8 it had no bound")
    def test_redis_pys_own_pool_is_what_chapter_7_says(self) -> None:
        """A hundred connections, and who finds none fails at once."""
        pool = Redis().connection_pool
        assert (type(pool), pool.max_connections) == (ConnectionPool, 100)

    def test_more_callers_than_connections_all_get_an_answer(self, server: Path) -> None:
        """With the recommended client 150 callers share 10 connections: they wait, and none fails."""

        async def main() -> None:
            async with redis_client(f"unix://{server}", timeout_s=5.0, max_connections=10) as redis:
                store = RedisStore(redis, Plain, namespace="callers", version=1)
                await store.set(1, Entry("value", FOREVER))
                assert {entry and entry.value for entry in await asyncio.gather(*map(store.get, [1] * 150))} == {
                    "value"
                }

        asyncio.run(main())

    def test_a_cancelled_reader_gets_nobody_another_ones_answer(self, server: Path) -> None:
        """Half the readers are cancelled on the way; each of the others gets its own value, and nothing is refused."""

        async def scenario(redis: Redis) -> None:
            store = RedisStore(redis, Plain, namespace="cancelled", version=1)
            for key in range(20):
                await store.set(key, Entry(key, FOREVER))
            rng = random.Random(1)
            for _ in range(20):
                readers = [asyncio.create_task(store.get(key)) for key in range(20)]
                for _ in range(rng.randrange(6)):
                    await asyncio.sleep(0)
                for reader in readers[::2]:
                    reader.cancel()
                got = await asyncio.gather(*readers, return_exceptions=True)
                assert got[1::2] == [Entry(key, FOREVER) for key in range(1, 20, 2)]
            assert store.undecodable == 0

        on_real(server, scenario)

    def test_a_cluster_answers_as_one_server(self) -> None:
        """RedisCluster does as it is: set, many of several slots in one call, delete."""

        async def main(port: int) -> None:
            async with RedisCluster.from_url(f"redis://127.0.0.1:{port}") as redis:
                store = store_on(redis)
                for key in range(20):
                    await store.set(key, Entry(key, FOREVER))
                await store.delete(0)
                assert await store.get_many(range(20)) == [MISS, *[Entry(key, FOREVER) for key in range(1, 20)]]
                await redis.delete(store.key(1))
                await redis.lpush(store.key(1), b"x")
                await redis.pexpire(store.key(1), 60_000)
                assert await store.get_many([1, 2]) == [MISS, Entry(2, FOREVER)]

        with node_with_all_slots() as port:
            asyncio.run(main(port))


class TestOutages:
    """A real server that is gone, or hangs."""

    @pytest.mark.parametrize("outage", [signal.SIGSTOP, signal.SIGKILL] if sys.platform != "win32" else [])
    def test_a_server_that_hangs_or_dies_costs_little(self, outage: signal.Signals) -> None:
        """A read fails after about the time-out; the cache counts it, serves the load, and tries no fill."""

        async def main(path: Path, pid: int) -> None:
            origin = Origin("value", load_time_s=0.0)
            async with redis_client(f"unix://{path}") as redis:
                async with Cache(store_on(redis), origin, ttl=60.0) as cache:
                    await cache.get(1)
                    assert (await cache.get(1), origin.calls) == ("value", 1)
                    os.kill(pid, outage)
                    began = now()
                    assert await cache.get(1) == "value"
                    assert now() - began < 2.0  # one time-out of 0.1 s, and room for a busy machine
                    assert (origin.calls, cache.store_errors) == (2, 1)
                with pytest.raises(RedisError):
                    await store_on(redis).get(1)

        with real_server() as (path, pid):
            asyncio.run(main(path, pid))


class TestServers:
    """The servers of these tests."""

    def test_a_server_dies_with_the_test_process(self) -> None:
        """Also when that is killed and can clean up nothing."""
        need_server()
        code = (
            "import os, signal; from tests.support.servers import real_server\n"
            "with real_server() as (path, pid): print(pid, flush=True); os.kill(os.getpid(), signal.SIGKILL)"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
        pid = int(done.stdout)
        assert soon(lambda: not runs(pid))

    @pytest.mark.parametrize(("ci", "outcome"), [("", pytest.skip.Exception), ("true", pytest.fail.Exception)])
    @pytest.mark.skipif(sys.platform == "win32", reason="no unix sockets for these servers")
    def test_without_a_server_the_tests_skip_or_fail(
        self, monkeypatch: pytest.MonkeyPatch, ci: str, outcome: type[BaseException]
    ) -> None:
        """Here they are skipped and say why; in the continuous integration nobody would see that, so they fail."""
        monkeypatch.setenv("CI", ci)
        monkeypatch.setattr(servers, "server_binaries", list)
        with pytest.raises(outcome, match="no redis-server or valkey-server"):
            need_server()
