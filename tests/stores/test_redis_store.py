"""The store in Redis: the contract in virtual time on fakeredis, and what matters most on a real server too."""

import asyncio
import dataclasses
import math
import os
import random
import re
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from traceback import format_exception
from typing import Any

import numpy as np
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
from cachelab.lab.sim.fake_redis import FakeRedis
from cachelab.lab.sim.faults import Down
from cachelab.lab.sim.simulation import run
from cachelab.stores.codec import Undecodable
from cachelab.stores.redis_store import RedisStore, redis_client
from tests.support import servers
from tests.support.cluster import node_with_all_slots
from tests.support.contract import StoreContract
from tests.support.fakes import PROPERTY, Heard, Origin, facts, in_virtual_time, now, tally, until
from tests.support.notebooks import ROOT
from tests.support.servers import (
    PlainValue,
    RoundedStore,
    becomes_true,
    fake_redis,
    fake_server,
    is_running,
    need_server,
    real_server,
)

FOREVER = math.inf


@dataclasses.dataclass(frozen=True)
class User:
    """A value with a type of its own."""

    id: int
    name: str


def store_on(redis: Any, **options: Any) -> RedisStore[Any]:
    """A store of plain values."""
    return RedisStore(redis, PlainValue, namespace="test", version=1, **options)


def moments(entry: Entry[Any]) -> tuple[float, float, float]:
    """The three moments of an entry."""
    return entry.expires, entry.fresh_until, entry.refresh_from


def nested(levels: int) -> list[Any]:
    """Lists in lists."""
    value: list[Any] = []
    for _ in range(levels):
        value = [value]
    return value


class Spy:
    """A client around a client. It records each round trip, and can do something in the middle of a read.

    `between`  is awaited after the first half of a pipeline's commands
    `delay_s`  seconds that a pipeline takes each way
    `refusal`  the error that is the reply to every command of a pipeline
    """

    def __init__(self, redis: Any) -> None:
        self.redis = redis
        self.sent: list[str] = []
        self.between: Callable[[], Awaitable[object]] | None = None
        self.delay_s = 0.0
        self.refusal: RedisError | None = None

    def get_encoder(self) -> Any:
        return self.redis.get_encoder()

    def pipeline(self, transaction: bool) -> Any:
        return SpiedPipeline(self)

    async def execute_command(self, command: str, *args: Any) -> None:
        self.sent.append(command)
        await self.redis.execute_command(command, *args)


class SpiedPipeline:
    """A pipeline of a `Spy`."""

    def __init__(self, spy: Spy) -> None:
        self.spy = spy
        self.commands: list[tuple[str, str]] = []

    def pttl(self, name: str) -> None:
        self.commands.append(("pttl", name))

    def get(self, name: str) -> None:
        self.commands.append(("get", name))

    async def execute(self, raise_on_error: bool) -> list[Any]:
        self.spy.sent.append("pipeline")
        await asyncio.sleep(self.spy.delay_s)
        replies = []
        for number, (command, name) in enumerate(self.commands):
            if self.spy.between is not None and number == len(self.commands) // 2:
                await self.spy.between()
            replies.append(self.spy.refusal or await getattr(self.spy.redis, command)(name))
        await asyncio.sleep(self.spy.delay_s)
        return replies


class TestOnFakeredis(StoreContract):
    """The contract in virtual time. Redis counts milliseconds, so an entry is last seen two of them before its end."""

    last_s = 59.998

    def make(self, max_entries: int = 100, clock: Clock | None = None) -> RedisStore[Any]:
        return RoundedStore(2, fake_redis(), clock=clock)


class TestLifetime:
    """How long an entry lives."""

    @PROPERTY
    @given(lifetime=st.floats(0.0, 100.0), stale=st.floats(0.0, 100.0), wait=st.floats(0.0, 100.0))
    def test_no_moment_comes_back_later_than_it_was_set(self, lifetime: float, stale: float, wait: float) -> None:
        """An entry is never served or fresh for longer than it should be, and for 3 ms less at most."""

        @in_virtual_time
        async def scenario() -> None:
            store = store_on(fake_redis())
            await asyncio.sleep(7.3)
            end = now() + lifetime
            put = Entry("value", end, end - stale, end - 1.5 * stale)
            await store.set(1, put)
            await asyncio.sleep(wait)
            got = await store.get(1)
            if got is MISS:
                assert wait > lifetime - 0.003
            else:
                for moment, was in zip(moments(got), moments(put), strict=True):
                    assert was - 0.003 <= moment <= was + 1e-9

        scenario()

    @pytest.mark.parametrize("delay_s", [0.05, 1.0])
    @pytest.mark.parametrize("many", [False, True])
    @in_virtual_time
    async def test_a_slow_read_lengthens_no_lifetime(self, delay_s: float, many: bool) -> None:
        """However long the reply takes, the end is not later than it was. The way to Redis makes it earlier."""
        spy = Spy(fake_redis())
        store = store_on(spy)
        await store.set(1, Entry("value", 60.0))
        spy.delay_s = delay_s
        got = (await store.get_many([1]))[0] if many else await store.get(1)
        assert got is not MISS
        assert got.expires == pytest.approx(60.0 - delay_s - 0.001)

    @in_virtual_time
    async def test_a_value_written_between_the_two_commands_lives_no_longer_than_it_should(self) -> None:
        """PTTL tells the old value's lifetime and GET returns the new value, whose own lifetime is the bound."""
        spy = Spy(fake_redis())
        store, other = store_on(spy), store_on(spy.redis)
        await other.set(1, Entry("old", 60.0))
        spy.between = lambda: other.set(1, Entry("new", 5.0))
        assert await store.get(1) == Entry("new", 5.0)

    @in_virtual_time
    async def test_an_entry_with_less_than_a_millisecond_to_live_is_deleted(self) -> None:
        """SET cannot express that, so the key is deleted, and the older entry with it."""
        store = store_on(fake_redis())
        await store.set(1, Entry("old", 60.0))
        await store.set(1, Entry("new", 0.0009))
        assert await store.get(1) is MISS

    @pytest.mark.parametrize("expires", [-FOREVER, math.nan, 0.0])
    @in_virtual_time
    async def test_an_end_that_has_passed_or_is_no_number_deletes(self, expires: float) -> None:
        """The old value does not stay in its place."""
        store = store_on(fake_redis())
        await store.set(1, Entry("old", FOREVER))
        await store.set(1, Entry("new", expires))
        assert await store.get(1) is MISS

    @pytest.mark.parametrize("odd", [-FOREVER, FOREVER, math.nan, -1e-9])
    @in_virtual_time
    async def test_whatever_is_set_can_be_read(self, odd: float) -> None:
        """Impossible values in its other moments and durations do not make an entry undecodable."""
        store = store_on(fake_redis())
        await store.set(1, Entry("value", 60.0, odd, odd, odd))
        got = await store.get(1)
        assert got is not MISS
        assert got.value == "value"
        assert got.fresh_until <= got.expires <= 60.0

    @pytest.mark.parametrize("stale_for", [1e10, 1e300])
    @in_virtual_time
    async def test_an_end_after_more_than_a_hundred_years_comes_back_earlier(self, stale_for: float) -> None:
        """The entry is fresh for as long as it should be, and not stale from the beginning."""
        store, origin = store_on(fake_redis()), Origin("value")
        async with Cache(store, origin, ttl=60.0, freshness=Freshness(stale_for=stale_for)) as cache:
            await cache.get(1)
            assert await cache.get(1) == "value"
            assert (cache.hits, origin.calls) == (1, 1)

    @in_virtual_time
    async def test_a_lifetime_that_was_cut_short_in_redis_ends(self) -> None:
        """An entry that never expires has an end after all if Redis has been told to forget it soon."""
        redis = fake_redis()
        store = store_on(redis)
        await store.set(1, Entry("value", FOREVER))
        await redis.pexpire(store.key(1), 50)
        got = await store.get(1)
        assert got is not MISS
        assert got.expires <= 0.05

    @in_virtual_time
    async def test_an_entry_in_its_last_millisecond_is_a_miss(self) -> None:
        """Redis may have rounded that millisecond up, and then nothing is left of it here."""
        spy = Spy(fake_redis())
        store = store_on(spy)
        await store.set(1, Entry("value", FOREVER))
        for lifetime_ms, found in ((1, False), (2, True)):
            spy.redis.pttl = lambda name, reply=lifetime_ms: asyncio.sleep(0, reply)
            assert (await store.get(1) is not MISS) == found

    @in_virtual_time
    async def test_a_key_without_a_lifetime_is_a_miss(self) -> None:
        """If something has removed the lifetime of a key of ours, the entry would never expire."""
        redis = fake_redis()
        store = store_on(redis)
        await store.set(1, Entry("value", 60.0))
        await redis.persist(store.key(1))
        assert await store.get(1) is MISS

    @in_virtual_time
    async def test_every_key_has_a_lifetime(self) -> None:
        """Even an entry that never expires has an end in Redis, in the distant future."""
        redis = fake_redis()
        store = store_on(redis)
        await store.set(1, Entry("value", FOREVER, fresh_until=20.0))
        assert await redis.pttl(store.key(1)) > 1e12
        got = await store.get(1)
        assert got is not MISS
        assert got.expires == FOREVER
        assert got.fresh_until == pytest.approx(20.0, abs=0.002)


class TestCommands:
    """Which commands are sent, and for which names."""

    @in_virtual_time
    async def test_each_call_is_one_round_trip(self) -> None:
        """A read, a read of many keys, a write and a delete take one round trip each."""
        spy = Spy(fake_redis())
        store = store_on(spy)
        await store.set(1, Entry("value", FOREVER))
        await store.get(1)
        await store.get_many([1, 2, 3])
        await store.delete(1)
        assert spy.sent == ["SET", "pipeline", "pipeline", "DEL"]

    @in_virtual_time
    async def test_reads_of_one_turn_are_one_pipeline(self) -> None:
        """They share a round trip even where there is not one pool of connections, as on a cluster."""
        spy = Spy(fake_redis())
        store = store_on(spy)
        await store.set(1, Entry("value", FOREVER))
        entry = Entry("value", FOREVER)
        assert await asyncio.gather(*map(store.get, [1, 2, 1])) == [entry, MISS, entry]
        assert spy.sent == ["SET", "pipeline"]

    @in_virtual_time
    async def test_get_many_returns_the_entries_in_order(self) -> None:
        """Each key has its entry or MISS at its place. A key may be there twice, and the list may be empty."""
        store = store_on(fake_redis())
        for key in (1, 3):
            await store.set(key, Entry(key, FOREVER))
        assert await store.get_many([3, 2, 1, 3]) == [Entry(3, FOREVER), MISS, Entry(1, FOREVER), Entry(3, FOREVER)]
        assert await store.get_many([]) == []

    @in_virtual_time
    async def test_only_our_prefix_is_written(self) -> None:
        """Every name begins with namespace and version, whatever is in the parts of the key."""
        redis = fake_redis()
        store = RedisStore(redis, str, namespace="user", version=2)
        for key in (42, "a:b*{c}\n", ("eu", 42)):
            await store.set(key, Entry("value", FOREVER))
        assert sorted(await redis.keys()) == [b"user:v2:'a%3Ab%2A%7Bc%7D%0A'", b"user:v2:'eu':42", b"user:v2:42"]

    @in_virtual_time
    async def test_two_versions_have_different_keys(self) -> None:
        """So an old and a new release can run side by side."""
        redis = fake_redis()
        old, new = (RedisStore(redis, str, namespace="user", version=version) for version in (1, 2))
        await old.set(1, Entry("value", FOREVER))
        await new.delete(1)
        assert (await new.get(1), await old.get(1)) == (MISS, Entry("value", FOREVER))

    @pytest.mark.parametrize("module", ["codec", "read_batcher", "redis_key", "redis_requests", "redis_store"])
    def test_no_command_reaches_beyond_our_keys(self, module: str) -> None:
        """The source has none of the commands that act on a whole server, so a shared server is safe."""
        source = (ROOT / "cachelab" / "stores" / f"{module}.py").read_text(encoding="utf-8")
        assert re.findall(r"(?i)flush|config|debug|shutdown|\bkeys\(|\bscan", source) == []

    @pytest.mark.parametrize("namespace", ["", "a:b", "a b", "a{b}"])
    @in_virtual_time
    async def test_a_namespace_is_one_plain_word(self, namespace: str) -> None:
        """With a colon in it, two namespaces could have a key in common."""
        with pytest.raises(ValueError, match="namespace must be"):
            RedisStore(fake_redis(), str, namespace=namespace, version=1)

    @in_virtual_time
    async def test_a_client_that_decodes_is_refused(self) -> None:
        """It would fail on the first entry, so it is refused when the store is built."""
        with pytest.raises(ValueError, match="must return bytes"):
            store_on(Redis(decode_responses=True))


@dataclasses.dataclass
class NoKey:
    """A key of a type that has no name, and that cannot even be hashed."""

    id: int


NOT_ENCODABLE = [object(), 2**64, "\udc80", {1: object()}, nested(5_000)]


class TestProgrammingErrors:
    """A key or a value of a wrong type is no outage: it raises in the caller's face."""

    @pytest.mark.parametrize("key", [np.int64(1), 1.5, NoKey(1), ("eu", 1.5)], ids=repr)
    @in_virtual_time
    async def test_a_key_without_a_name_is_refused_by_every_verb(self, key: Any) -> None:
        """With one sentence, and before anything is sent."""
        spy = Spy(fake_redis())
        store = store_on(spy)
        for call in (store.get(key), store.get_many([1, key]), store.set(key, Entry(1, FOREVER)), store.delete(key)):
            with pytest.raises(TypeError, match=r"^A key is an int, a str, [^.]*, not \w+\.$"):
                await call
        assert spy.sent == []

    @pytest.mark.parametrize("value", NOT_ENCODABLE, ids=lambda value: type(value).__name__)
    @in_virtual_time
    async def test_a_value_that_cannot_be_encoded_is_refused(self, value: Any) -> None:
        """A sentence names its type, and the old value is gone."""
        store = store_on(fake_redis())
        await store.set(1, Entry("old", FOREVER))
        sentence = f"^A value of type {type(value).__name__} cannot be encoded: it is not kept\\.$"
        with pytest.raises(TypeError, match=sentence):
            await store.set(1, Entry(value, FOREVER))
        assert await store.get(1) is MISS

    @in_virtual_time
    async def test_it_is_a_type_error_even_if_redis_is_down(self) -> None:
        """Otherwise it would count as an outage, and nobody would look for the mistake."""
        store = store_on(FakeRedis(Down(10, 20)).client())
        await until(10)
        with pytest.raises(TypeError, match="A value of type object") as raised:
            await store.set(1, Entry(object(), FOREVER))
        assert isinstance(raised.value.__cause__, RedisError)


@pytest.mark.parametrize(
    "url", ["redis://user:secret#s@h", "redis://user:secret/s@h", "redis://user:secret[s@h", "h:1"]
)
def test_a_malformed_url_is_not_quoted(url: str) -> None:
    """A password that ends the URL too early is neither in the error nor in its traceback."""
    with pytest.raises(ValueError, match="This is no URL of a Redis") as raised:
        redis_client(url)
    assert "secret" not in "".join(format_exception(raised.value))


class TestBadBytes:
    """Bytes under our keys that are no entry."""

    @pytest.mark.parametrize("poison", [b"", b"garbage", b"\x80\x04cos\nsystem\n."], ids=repr)
    @in_virtual_time
    async def test_bad_bytes_are_a_counted_miss(self, poison: bytes) -> None:
        """The listener hears of it, with the error, and the next fill overwrites the bytes."""
        redis = fake_redis()
        heard: Heard = []
        store = store_on(redis, listen=heard.append)
        await redis.set(store.key(1), poison, px=60_000)
        assert await store.get(1) is MISS
        (fact,) = heard
        assert isinstance(fact, Fact)
        assert (store.undecodable, fact[:3]) == (1, ("redis", 1, "store error"))
        assert isinstance(fact.error, Undecodable)
        await store.set(1, Entry("value", FOREVER))
        assert await store.get(1) == Entry("value", FOREVER)

    @in_virtual_time
    async def test_another_keys_entry_is_a_miss(self) -> None:
        """Bytes that were copied or mixed up belong to the key they were written for."""
        redis = fake_redis()
        store = store_on(redis)
        await store.set(1, Entry("one's", FOREVER))
        await redis.copy(store.key(1), store.key(2))
        assert (await store.get(2), store.undecodable) == (MISS, 1)

    @in_virtual_time
    async def test_a_list_in_place_of_an_entry_affects_no_other(self) -> None:
        """The key of the list is a miss, and the rest of the batch is answered."""
        redis = fake_redis()
        store = store_on(redis)
        await store.set(1, Entry("value", FOREVER))
        await redis.lpush(store.key(2), "x")
        await redis.pexpire(store.key(2), 60_000)
        assert await store.get_many([2, 1]) == [MISS, Entry("value", FOREVER)]
        assert store.undecodable == 0

    @in_virtual_time
    async def test_a_servers_refusal_is_no_miss(self) -> None:
        """An error in place of a reply, here for a user without permission, is raised, so that a cache counts it."""
        spy = Spy(fake_redis())
        spy.refusal = RedisError("NOPERM this user has no permissions to run the 'get' command")
        store = store_on(spy)
        with pytest.raises(RedisError, match="NOPERM"):
            await store.get(1)
        assert store.undecodable == 0

    @in_virtual_time
    async def test_too_large_a_value_is_not_kept(self) -> None:
        """It is refused, the listener hears of it, and the older value does not stay in its place."""
        heard: Heard = []
        store = store_on(fake_redis(), max_bytes=200, listen=heard.append)
        await store.set(1, Entry("old", FOREVER))
        await store.set(1, Entry("x" * 200, FOREVER))
        assert (await store.get(1), store.refused, facts(heard)) == (MISS, 1, ["refused"])

    @in_virtual_time
    async def test_a_value_that_cannot_be_encoded_leaves_nothing(self) -> None:
        """The error is raised, and the older value does not stay in its place."""
        store = store_on(fake_redis())
        await store.set(1, Entry("old", FOREVER))
        with pytest.raises(TypeError):
            await store.set(1, Entry(object(), 60.0))
        assert await store.get(1) is MISS


class TestInACache:
    """A cache over the store."""

    @in_virtual_time
    async def test_an_entry_from_its_fill_to_an_outage(self) -> None:
        """Miss, fill, hit and delete; bad bytes are a counted miss; without the server the loaded answer is served."""
        server, origin = fake_server(), Origin(User(42, "ada"))
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
        """A key that one process found to be absent is a hit for another, here for another client of the server."""
        server, origin = fake_server(), Origin(ABSENT)
        stores = [RedisStore(fake_redis(server), User, namespace="user", version=2) for _ in range(2)]
        for store in stores:
            async with Cache(store, origin, ttl=60.0, negative_ttl=5.0) as cache:
                assert await cache.get(42) is ABSENT
        assert origin.calls == 1

    def test_a_second_loop_is_refused(self) -> None:
        """A store belongs to the loop that uses it first, and each of its methods checks that."""
        stores: list[RedisStore[Any]] = []

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
    """Run the scenario on a usual loop, with a client of the server as `redis_client` builds it."""

    async def main() -> None:
        async with redis_client(f"unix://{server}", timeout_s=2.0) as redis:
            await scenario(redis)

    asyncio.run(main())


def own(redis: Any, request: pytest.FixtureRequest, **options: Any) -> RedisStore[Any]:
    """A store with a namespace of its own, since the server is shared."""
    namespace = "".join(letter if letter.isalnum() else "." for letter in request.node.name)
    return RedisStore(redis, PlainValue, namespace=namespace, version=1, **options)


class TestOnARealServer:
    """The same promises, with lifetimes in real milliseconds."""

    @pytest.mark.parametrize("value", ["value", None, ABSENT, 0, "", False, ()], ids=repr)
    def test_an_entry_comes_back_as_it_was(self, server: Path, request: pytest.FixtureRequest, value: Any) -> None:
        """Every value comes back, with the moments that were set or moments a little earlier."""

        async def scenario(redis: Redis) -> None:
            store = own(redis, request)
            began = now()
            put = Entry(value, began + 60.0, began + 20.0, began + 5.0, 0.25)
            await store.set(1, put)
            delay_s = now() - began  # the lifetime begins when the SET arrives
            got = await store.get(1)
            assert got is not MISS
            assert (got.value, got.load_time_s) == (value, 0.25)
            for moment, was in zip(moments(got), moments(put), strict=True):
                assert was - 2.0 < moment <= was + delay_s

        on_real(server, scenario)

    def test_a_short_lifetime_ends(self, server: Path, request: pytest.FixtureRequest) -> None:
        """An entry of 50 ms is served until its end and not after it, and then it is gone from Redis too."""

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
        """The second value is returned. After a delete, or a set of an expired entry, none is."""

        async def scenario(redis: Redis) -> None:
            store = own(redis, request)
            for value in ("old", "new"):
                await store.set(1, Entry(value, now() + 60.0))
            assert [entry and entry.value for entry in await store.get_many([1, "1", 1])] == ["new", MISS, "new"]
            await store.delete(1)
            await store.delete(1)
            assert await store.get(1) is MISS
            await store.set(1, Entry("old", now() + 60.0))
            await store.set(1, Entry("expired", now()))
            assert await store.get(1) is MISS
            await store.set(1, Entry("endless", FOREVER))
            assert await store.get(1) == Entry("endless", FOREVER)

        on_real(server, scenario)

    def test_bad_bytes_are_misses(self, server: Path, request: pytest.FixtureRequest) -> None:
        """Garbage, a list, and a key whose lifetime was removed, beside one good entry."""

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
        """It has a hundred connections, and a caller that finds none free fails at once."""
        pool = Redis().connection_pool
        assert (type(pool), pool.max_connections) == (ConnectionPool, 100)

    def test_redis_py_waits_as_long_as_chapter_7_says(self) -> None:
        """Before version 8 for ever. Since then 5 s, and a client that is not made from a URL tries ten times more."""
        pools: list[Any] = [client.connection_pool for client in (Redis.from_url("redis://host"), Redis())]
        connections = [pool.make_connection() for pool in pools]
        before_8 = redis.__version__ < "8"
        assert [connection.socket_timeout for connection in connections] == [None if before_8 else 5] * 2
        if not before_8:
            assert [connection.retry.get_retries() for connection in connections] == [0, 10]

    def test_more_callers_than_connections_all_get_an_answer(self, server: Path) -> None:
        """With a client from `redis_client`, 150 callers share 10 connections: they wait, and none fails."""

        async def main() -> None:
            async with redis_client(f"unix://{server}", timeout_s=5.0, max_connections=10) as redis:
                store: RedisStore[Any] = RedisStore(redis, PlainValue, namespace="callers", version=1)
                await store.set(1, Entry("value", FOREVER))
                assert {entry and entry.value for entry in await asyncio.gather(*map(store.get, [1] * 150))} == {
                    "value"
                }

        asyncio.run(main())

    def test_after_a_cancellation_every_other_reader_gets_its_own_answer(self, server: Path) -> None:
        """Half the readers are cancelled on the way. Each of the others gets its own value; nothing is undecodable."""

        async def scenario(redis: Redis) -> None:
            store: RedisStore[Any] = RedisStore(redis, PlainValue, namespace="cancelled", version=1)
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
        """The store works with RedisCluster: set, many keys of several slots in one call, delete."""

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
    """A real server that is gone or hangs."""

    @pytest.mark.parametrize("outage", [signal.SIGSTOP, signal.SIGKILL] if sys.platform != "win32" else [])
    def test_a_server_that_hangs_or_is_killed_costs_one_time_out(self, outage: signal.Signals) -> None:
        """A read fails after about the time-out. The cache counts that, serves the loaded value, and tries no fill."""

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

    def test_a_server_ends_with_the_test_process(self) -> None:
        """The server ends even when the process is killed and cannot clean up."""
        need_server()
        code = (
            "import os, signal; from tests.support.servers import real_server\n"
            "with real_server() as (path, pid): print(pid, flush=True); os.kill(os.getpid(), signal.SIGKILL)"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
        pid = int(done.stdout)
        assert becomes_true(lambda: not is_running(pid))

    @pytest.mark.parametrize(("ci", "outcome"), [("", pytest.skip.Exception), ("true", pytest.fail.Exception)])
    @pytest.mark.skipif(sys.platform == "win32", reason="no unix sockets for these servers")
    def test_without_a_server_the_tests_skip_or_fail(
        self, monkeypatch: pytest.MonkeyPatch, ci: str, outcome: type[BaseException]
    ) -> None:
        """Here they are skipped with a reason. In the continuous integration a skip would go unseen, so they fail."""
        monkeypatch.setenv("CI", ci)
        monkeypatch.setattr(servers, "server_binaries", list)
        with pytest.raises(outcome, match="no redis-server or valkey-server"):
            need_server()
