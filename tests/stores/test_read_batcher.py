"""Reads in batches: which callers share a round trip, and what happens to the others when one is cancelled or fails."""

import asyncio
import contextlib
import gc
import os
import re
import subprocess
import sys
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.exceptions import (
    ConnectionError as RedisConnectionError,
    NoPermissionError,
    RedisError,
    TimeoutError as RedisTimeoutError,
)

from cachelab import MISS, Cache, Entry, Flight, MemoryStore, RedisStore, lab, redis_client
from cachelab.lab import FakeRedis, FaultyProxy
from cachelab.lab.sim.fake_redis import Hanging
from cachelab.lab.sim.faults import Down, Slow
from tests.support.cluster import node_with_all_slots
from tests.support.environments import python_since
from tests.support.fakes import Origin, in_virtual_time, now, other_tasks, until
from tests.support.notebooks import ROOT
from tests.support.servers import fake_redis, real_server

FOREVER = float("inf")
READ = re.compile(rb"\*\d\r\n\$\d\r\n(PTTL|M?GET)")


def store_on(redis: Redis) -> RedisStore[Any]:
    """A store of whole numbers."""
    return RedisStore(redis, int, namespace="test", version=1)


async def filled(server: FakeRedis, keys: int, **options: Any) -> RedisStore[Any]:
    """A store in which each key is its own value, and whose client has an open connection."""
    store = store_on(server.client(**options))
    for key in range(keys):
        await store.set(key, Entry(key, FOREVER))
    server.packets = 0
    return store


def client_of(store: RedisStore[Any]) -> Any:
    """The client that the store was built on."""
    return store._redis


class UnknownError(Exception):
    """An error that no client raises."""


async def _raise_unknown_error() -> None:
    raise UnknownError


async def values(*reads: Any) -> list[Any]:
    """What the reads return: the value of each entry, MISS, or the error."""
    answers = await asyncio.gather(*reads, return_exceptions=True)
    return [answer.value if isinstance(answer, Entry) else answer for answer in answers]


@pytest.fixture
def quiet() -> Iterator[Callable[[], None]]:
    """Call it inside the loop. At the end of the test nothing may have been reported to the exception handler."""
    reports: list[Any] = []
    yield lambda: setattr(asyncio.get_running_loop(), "call_exception_handler", reports.append)
    gc.collect()
    assert reports == []


class TestBatches:
    """Which callers share a round trip."""

    @in_virtual_time
    async def test_a_batcher_without_batches_is_true(self) -> None:
        """`if batcher:` asks whether there is a batcher, not whether it has batches."""
        batcher = store_on(fake_redis())._batcher
        assert (bool(batcher), len(batcher)) == (True, 0)

    @in_virtual_time
    async def test_callers_in_one_turn_share_a_batch(self) -> None:
        """A hundred readers send one packet, and each gets its own answer a round trip later."""
        server = FakeRedis(latency_s=0.01)
        store = await filled(server, 99)
        began = now()
        assert await values(*map(store.get, range(100))) == [*range(99), MISS]
        assert server.packets == 1
        assert now() - began == pytest.approx(0.01)

    @in_virtual_time
    async def test_a_lone_reader_waits_for_no_others(self) -> None:
        """Its read takes exactly the round trip."""
        server = FakeRedis(latency_s=0.01)
        store = await filled(server, 1)
        began = now()
        assert await store.get(0) == Entry(0, FOREVER)
        assert now() - began == pytest.approx(0.01, abs=1e-9)

    @in_virtual_time
    async def test_a_batch_that_was_sent_delays_no_other(self) -> None:
        """A read that comes while a batch is on its way is sent at once, on a second connection."""
        server = FakeRedis(latency_s=0.02)
        store = await filled(server, 2)
        await values(store.get(0), client_of(store).get("x"))  # opens two connections
        server.packets, began = 0, now()
        first = asyncio.create_task(store.get(0))
        await asyncio.sleep(0.01)
        await store.get(1)
        assert server.packets == 2
        assert now() - began == pytest.approx(0.03)
        assert await first == Entry(0, FOREVER)

    @in_virtual_time
    async def test_callers_join_until_the_batch_is_sent(self) -> None:
        """While no connection is free, readers of later turns join the open batch too."""
        server = FakeRedis(latency_s=0.02)
        store = await filled(server, 5, max_connections=1)
        readers = []
        for key in range(5):
            readers.append(asyncio.create_task(store.get(key)))
            await asyncio.sleep(0.004)
        assert await values(*readers) == [*range(5)]
        assert server.packets == 2

    @in_virtual_time
    async def test_no_caller_joins_while_a_connection_is_checked(self) -> None:
        """A client with health checks sends a PING before the read. Callers that come meanwhile get another batch."""
        server = FakeRedis(latency_s=0.02)
        store = await filled(server, 2)
        await values(store.get(0), client_of(store).get("x"))  # opens two connections
        for connection in client_of(store).connection_pool._available_connections:
            connection.health_check_interval, connection.next_health_check = 1.0, 0.0
        server.packets, began = 0, now()
        first = asyncio.create_task(store.get(0))
        await asyncio.sleep(0.01)
        assert await values(first, store.get(1)) == [0, 1]
        assert server.packets == 4
        assert now() - began == pytest.approx(0.05)

    @in_virtual_time
    async def test_a_batch_has_at_most_a_hundred_keys(self) -> None:
        """One key more makes two batches. get_many sends them one after the other: each has the whole time-out."""
        server = FakeRedis(latency_s=0.06, timeout_s=0.3)
        store = await filled(server, 550)
        await values(*map(store.get, range(100)))
        assert server.packets == 1
        await values(*map(store.get, range(101)))
        assert server.packets == 3
        began = now()
        assert await store.get_many(range(550)) == [Entry(key, FOREVER) for key in range(550)]
        assert server.packets == 9
        assert now() - began == pytest.approx(0.36)

    @in_virtual_time
    async def test_readers_of_one_key_share_an_answer(self) -> None:
        """However many they are, the key is in the batch once, and each reader gets the answer."""
        server = FakeRedis()
        store = await filled(server, 1)
        assert await values(*map(store.get, [0] * 250)) == [0] * 250
        assert server.packets == 1

    @in_virtual_time
    async def test_a_read_after_a_write_sees_it(self) -> None:
        """Even while an older read of the same key is on its way: a batch that was sent takes no more callers."""
        latency_s = 0.02
        server = FakeRedis(latency_s=lambda: latency_s)
        store = await filled(server, 1)
        await values(store.get(0), client_of(store).get("x"))
        latency_s = 0.09
        older = asyncio.create_task(store.get(0))
        await asyncio.sleep(0.001)
        latency_s = 0.02
        await store.delete(0)
        assert not older.done()
        assert await store.get(0) is MISS
        await older

    @in_virtual_time
    async def test_a_batch_that_begins_at_once_takes_others(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """As under `asyncio.eager_task_factory` of Python 3.12, where a new task runs inside the call that makes it."""
        server = FakeRedis()
        store = await filled(server, 40)
        loop = asyncio.get_running_loop()
        create = loop.create_task

        def create_eagerly(coroutine: Any) -> Any:
            try:
                first = coroutine.send(None)  # in the task of the caller, which is not the batch's either
            except StopIteration:
                return create(asyncio.sleep(0))
            assert first is None  # it gave way to others
            return create(coroutine)

        monkeypatch.setattr(loop, "create_task", create_eagerly)
        waiters = [store._batcher.read(store.key(key)) for key in range(40)]
        monkeypatch.undo()
        assert len(await asyncio.gather(*waiters)) == 40
        assert server.packets == 1

    @pytest.mark.long
    def test_eager_tasks_share_a_batch(self) -> None:
        """Forty readers, each in an eager task, send one packet. A Python that has eager tasks is looked for."""
        python = python_since((3, 12))
        if python is None:
            pytest.skip("no Python 3.12 or later was found, and older ones have no eager tasks")
        packages = [str(ROOT), *(path for path in sys.path if path.endswith("site-packages"))]
        script, environment = [python, "-c", EAGER_READERS], {"PYTHONPATH": os.pathsep.join(packages)}
        ran = subprocess.run(script, env=environment, capture_output=True, text=True)
        assert (ran.stdout.strip(), ran.stderr) == ("[40]", "")


EAGER_READERS = """
import asyncio
from redis.asyncio import Redis
from cachelab.stores.read_batcher import ReadBatcher
from cachelab.stores.redis_requests import RedisRequests

async def main():
    asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
    redis = Redis()
    requests, sent = RedisRequests(redis), []
    batcher = ReadBatcher(redis, requests)

    async def request(exchange, *others):
        return await exchange(None)

    async def exchange(connection, names):
        sent.append(len(names))
        return [(1, None)] * len(names)

    async def read(name):
        return await batcher.read(name)

    requests.request, batcher._exchange = request, exchange
    await asyncio.gather(*map(read, map(str, range(40))))
    print(sent)

asyncio.run(main())
"""


class TestCancelled:
    """Callers and batches that are cancelled."""

    @in_virtual_time
    async def test_a_cancelled_reader_harms_no_other(self) -> None:
        """Whenever the caller that opened the batch is cancelled, the others get their answers."""
        server = FakeRedis(latency_s=0.01)
        store = await filled(server, 3)
        for second in (0.0, 0.004, 0.009):
            readers = [asyncio.create_task(store.get(key)) for key in range(3)]
            await asyncio.sleep(second)
            readers[0].cancel()
            assert (await values(*readers))[1:] == [1, 2]
            assert readers[0].cancelled()

    @in_virtual_time
    async def test_a_batch_without_callers_still_ends(self) -> None:
        """When all callers are cancelled, the answers are read, the connection is reused, and nothing is left."""
        server = FakeRedis(latency_s=0.01)
        store = await filled(server, 3)
        readers = [asyncio.create_task(store.get(key)) for key in range(3)]
        await asyncio.sleep(0.004)
        for reader in readers:
            reader.cancel()
        await values(*readers)
        await asyncio.sleep(0.01)
        assert (len(store._batcher), other_tasks()) == (0, set())
        assert await store.get(2) == Entry(2, FOREVER)
        assert len(client_of(store).connection_pool._available_connections) == 1

    @pytest.mark.parametrize("second", [0.0, 0.004])
    @in_virtual_time
    async def test_a_cancelled_batch_is_an_error(self, second: float) -> None:
        """If the task of a batch is cancelled, before or after it is sent, its callers get an error."""
        store = await filled(FakeRedis(latency_s=0.01), 2)
        reader = asyncio.ensure_future(asyncio.gather(store.get(0), return_exceptions=True))
        await until(now() + second) if second else await asyncio.sleep(0)
        for task in store._batcher._tasks:
            task.cancel()
        assert [type(answer) for answer in await reader] == [RedisConnectionError]
        assert await store.get(1) == Entry(1, FOREVER)


class TestFailures:
    """Servers that refuse, and connections that fail."""

    def test_each_reader_gets_the_error(self, quiet: Callable[[], None]) -> None:
        """Even readers of many keys. No error is reported as never retrieved, and the next read has a new batch."""

        @in_virtual_time
        async def scenario() -> None:
            quiet()
            server = FakeRedis(Down(10, 20))
            store = await filled(server, 3)
            await until(10)
            gone = asyncio.create_task(store.get(0))
            await asyncio.sleep(0)
            gone.cancel()
            answers = await values(store.get(0), store.get(0), store.get(1), store.get_many([2, 0]))
            assert {type(answer) for answer in answers} == {RedisConnectionError}
            await asyncio.sleep(0.01)  # the first batch had a connection, which is closed, and tries a new one
            assert (len(store._batcher), other_tasks()) == (0, set())
            for _ in range(2):  # the second comes at once, and must not join the failed batch
                with pytest.raises(RedisConnectionError, match=r"^(?!.*cancelled)"):
                    await store.get(0)
            await until(20)
            assert await store.get(1) == Entry(1, FOREVER)

        scenario()

    @in_virtual_time
    async def test_any_error_closes_the_connection(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Here it is one that no client raises. Nothing keeps it alive, and the next reader gets its own answer."""
        store = await filled(FakeRedis(), 2)
        (connection,) = client_of(store).connection_pool._available_connections
        with monkeypatch.context() as patch:
            patch.setattr(connection, "read_response", _raise_unknown_error)
            gc.disable()
            try:
                await store.get(0)
            except UnknownError as error:
                alive = weakref.ref(error)
            finally:
                gc.enable()
            await asyncio.sleep(0)
            assert alive() is None
        assert not connection.is_connected
        assert await values(store.get(1)) == [1]

    @in_virtual_time
    async def test_during_maintenance_the_pool_gives_the_connection(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """redis-py holds a lock while it rewrites the pool, and only get_connection waits for that lock."""
        store = await filled(FakeRedis(), 1)
        pool, calls = client_of(store).connection_pool, []
        get_connection = pool.get_connection

        async def spied() -> Any:
            calls.append(now())
            return await get_connection()

        monkeypatch.setattr(pool, "get_connection", spied)
        pool._in_maintenance = False  # redis-py 7 has no such attribute; there get_connection is always called
        await store.get(0)
        assert calls == []
        pool._in_maintenance = True
        await store.get(0)
        assert len(calls) == 1


class TestTimeouts:
    """Servers that hang or answer late, and clients with other time-outs."""

    @in_virtual_time
    async def test_a_hanging_server_costs_one_time_out(self) -> None:
        """For a batch that is sent at once, one that waits for a connection, and one that must connect first."""
        server = FakeRedis(Hanging(10, 20), timeout_s=0.1)
        store = await filled(server, 3, max_connections=1)

        async def seconds(key: int) -> float:
            began = now()
            with pytest.raises(RedisTimeoutError):
                await store.get(key)
            return now() - began

        await until(10)
        readers = []
        for key in range(20):
            readers.append(asyncio.create_task(seconds(key % 3)))
            await asyncio.sleep(0.017)
        times = await asyncio.gather(*readers)
        assert max(times) == pytest.approx(0.1)
        await until(20)
        assert await values(*map(store.get, range(3))) == [0, 1, 2]

    @in_virtual_time
    async def test_the_wait_for_a_connection_ends_earlier_if_the_pool_says_so(self) -> None:
        """A blocking pool has a time-out of its own, and it applies."""
        server = FakeRedis(Hanging(10, 20), timeout_s=0.1)
        store = await filled(server, 1, max_connections=1)
        client_of(store).connection_pool.timeout = 0.03
        await until(10)
        user = asyncio.create_task(values(client_of(store).get("x")))
        await asyncio.sleep(0)
        with pytest.raises(RedisConnectionError, match="No connection available"):
            await store.get(0)
        assert now() == pytest.approx(10.03)
        await user

    @in_virtual_time
    async def test_late_answers_reach_no_other_reader(self) -> None:
        """Their connection is closed, so the next reader does not take them for its own."""
        server = FakeRedis(Slow(10, 11, 0.2), timeout_s=0.1)
        store = await filled(server, 3)
        await until(10)
        assert [type(answer) for answer in await values(store.get(0), store.get(1))] == [RedisTimeoutError] * 2
        await until(11)
        assert await values(store.get(2)) == [2]

    @in_virtual_time
    async def test_a_lost_cancellation_is_noticed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A batch ends even if the pool swallows the cancellation by which the time-out ends it."""
        store = await filled(FakeRedis(Hanging(10, 1_000)), 1)
        pool = client_of(store).connection_pool

        async def deaf() -> Any:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(1)
            return pool.get_available_connection()

        monkeypatch.setattr(pool, "get_connection", deaf)
        await until(10)
        with pytest.raises(RedisTimeoutError):
            await store.get(0)
        assert now() == pytest.approx(10.1)

    @in_virtual_time
    async def test_without_a_time_out_it_waits(self) -> None:
        """If the client has no time-out, a batch has none either."""
        server = FakeRedis(Slow(10, 20, 5.0), timeout_s=None)
        store = await filled(server, 1)
        await until(10)
        assert await store.get(0) == Entry(0, FOREVER)
        assert now() == pytest.approx(15.001)

    @in_virtual_time
    async def test_the_clients_own_commands_keep_their_time_out(self) -> None:
        """A batch gives each connection back with the time-out that it had."""
        server = FakeRedis(Hanging(10, 20), timeout_s=0.1)
        store = await filled(server, 1)
        await store.get(0)
        await until(10)
        with pytest.raises(RedisTimeoutError):
            await client_of(store).get("x")
        assert now() == pytest.approx(10.1)

    @in_virtual_time
    async def test_a_fill_waits_for_half_a_time_out(self) -> None:
        """So a request that finds the store slow and then hanging waits for one and a half time-outs at most."""
        server, origin = FakeRedis(Slow(10, 10.05, 0.09), Hanging(10.05, 20), timeout_s=0.1), Origin(7, load_time_s=0.0)
        store = await filled(server, 1)
        async with Cache(store, origin, ttl=60.0) as cache:
            await until(10)
            assert await cache.get(99) == 7  # the read takes 91 ms, and the fill fails
            assert (cache.misses, cache.store_errors) == (1, 1)
            assert now() == pytest.approx(10.141)
        for write, took in ((store.set(0, Entry(1, FOREVER)), 0.05), (store.delete(0), 0.1)):
            began = now()
            with pytest.raises(RedisTimeoutError):
                await write
            assert now() - began == pytest.approx(took)

    @in_virtual_time
    async def test_a_connection_keeps_a_time_out_of_its_own(self) -> None:
        """One that was set on the connection, and is not the client's, is there after the batch too."""
        store = await filled(FakeRedis(), 1, max_connections=1)
        connection = await client_of(store).connection_pool.get_connection()
        connection.socket_timeout = 7.0
        await client_of(store).connection_pool.release(connection)
        await store.get(0)
        assert connection.socket_timeout == 7.0


class TestRefusals:
    """Commands that a real server refuses."""

    def test_each_reader_gets_the_error_of_a_missing_password(self, quiet: Callable[[], None]) -> None:
        """It is the error that the client itself would raise."""

        async def main(url: str) -> None:
            quiet()
            async with redis_client(url, timeout_s=5.0) as redis:
                with pytest.raises(RedisError) as raised:
                    await redis.get("x")
                answers = await values(*map(store_on(redis).get, range(3)))
                assert [(type(answer), str(answer)) for answer in answers] == [(raised.type, str(raised.value))] * 3

        with real_server("--requirepass", "secret") as (path, _):
            asyncio.run(main(f"unix://{path}"))

    def test_every_reader_in_a_batch_gets_the_refusal_of_one_key(self) -> None:
        """NOPERM for two keys refuses the MGET. A later reader on that connection is answered or refused on its own."""

        async def main(url: str) -> None:
            async with redis_client(url, timeout_s=5.0, max_connections=1) as redis:
                store = store_on(redis)
                await store.set(1, Entry(1, FOREVER))
                await client_of(store).execute_command("ACL", "SETUSER", "default", "resetkeys", f"~{store.key(1)}")
                answers = await values(*map(store.get, range(3)))
                assert {type(answer) for answer in answers} == {NoPermissionError}
                (connection,) = client_of(store).connection_pool._available_connections
                assert connection.is_connected
                assert await values(store.get(1)) == [1]
                assert [type(answer) for answer in await values(store.get(2))] == [NoPermissionError]

        with real_server() as (path, _):
            asyncio.run(main(f"unix://{path}"))

    def test_every_reader_gets_the_refusal_of_pttl(self) -> None:
        """After a NOPERM for PTTL no value is returned, since its lifetime is not known."""

        async def main(url: str) -> None:
            async with redis_client(url, timeout_s=5.0) as redis:
                store = store_on(redis)
                await store.set(1, Entry(1, FOREVER))
                await client_of(store).execute_command("ACL", "SETUSER", "default", "-pttl")
                assert [type(answer) for answer in await values(*map(store.get, range(2)))] == [NoPermissionError] * 2

        with real_server() as (path, _):
            asyncio.run(main(f"unix://{path}"))

    def test_a_node_of_a_cluster_is_read_without_mget(self) -> None:
        """A plain client on a cluster of one shard, such as a managed one: its keys are in different slots."""

        async def main(url: str) -> None:
            async with redis_client(url, timeout_s=5.0) as redis:
                store = store_on(redis)
                for key in range(20):
                    await store.set(key, Entry(key, FOREVER))
                for _ in range(2):
                    assert await values(*map(store.get, range(21))) == [*range(20), MISS]

        with node_with_all_slots() as port:
            asyncio.run(main(f"redis://127.0.0.1:{port}"))


class TestOnARealServer:
    """What only a real server can show."""

    def test_a_lone_key_is_read_with_get_and_several_with_mget(self) -> None:
        """Each is the cheaper command, and a read sends no others."""

        async def main(url: str) -> None:
            async with redis_client(url, timeout_s=5.0) as redis:
                store = store_on(redis)
                await store.get(1)
                await store.get_many([1, 2, 3])
                stats = await redis.info("commandstats")
                calls = {name.removeprefix("cmdstat_"): stats[name]["calls"] for name in stats}
                assert {name: calls[name] for name in ("get", "mget", "pttl")} == {"get": 1, "mget": 1, "pttl": 4}

        with real_server() as (path, _):
            asyncio.run(main(f"unix://{path}"))

    @pytest.mark.parametrize("keys", [[1], [1, 2]])
    def test_a_lifetime_is_read_before_its_value(self, keys: list[int]) -> None:
        """In the other order, an old value could get the long lifetime of a new one that was written in between."""
        writes = []

        async def main(path: Path) -> None:
            client = redis_client(f"unix://{path}", timeout_s=5.0)
            other = store_on(client)

            async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                from_redis, to_redis = await asyncio.open_unix_connection(str(path))

                async def forward_replies() -> None:
                    while data := await from_redis.read(65_536):
                        writer.write(data)

                replies = asyncio.create_task(forward_replies())
                while data := await reader.read(65_536):
                    if commands := list(READ.finditer(data)):
                        half = next(each.start() for each in commands if each[1] != commands[0][1])
                        to_redis.write(data[:half])
                        await asyncio.sleep(0.02)  # between the two halves another process writes
                        await other.set(1, Entry(2, now() + 60))
                        writes.append(data[half:])
                        data = data[half:]
                    to_redis.write(data)
                replies.cancel()
                to_redis.close()
                writer.close()

            async with await asyncio.start_server(forward, "127.0.0.1") as proxy, client:
                port = proxy.sockets[0].getsockname()[1]
                async with redis_client(f"redis://127.0.0.1:{port}", timeout_s=5.0) as redis:
                    store, end = store_on(redis), now() + 2
                    await other.set(1, Entry(1, end))
                    got, *_ = await store.get_many(keys)
                    assert len(writes) == 1
                    assert got is not MISS
                    assert got.value == 2 or got.expires <= end

        with real_server() as (path, _):
            asyncio.run(main(path))

    def test_a_reply_that_is_cut_off_fails_only_its_batch(self) -> None:
        """Every caller in it gets an error. A later caller gets its own answer over a new connection."""

        async def main(url: str) -> None:
            async with FaultyProxy(url) as proxy, redis_client(f"redis://{proxy.host}:{proxy.port}") as redis:
                store = store_on(redis)
                for key in range(50):
                    await store.set(key, Entry(key, FOREVER))
                for after in (0, 3, 200):
                    proxy.cut(after)
                    answers = await values(*map(store.get, range(50)))
                    assert all(isinstance(answer, RedisError) for answer in answers)
                    proxy.heal()
                    assert await values(*map(store.get, reversed(range(50)))) == [*reversed(range(50))]

        with real_server() as (path, _):
            asyncio.run(main(f"unix://{path}"))

    def test_a_cold_start_loads_each_key_once(self) -> None:
        """300 callers, Zipf traffic, an empty memory store of a tenth over an empty Redis: one load for each key."""

        async def main(url: str) -> None:
            origin, trace = Origin(7, load_time_s=0.01), lab.zipf_trace(3_000, 1_000)
            async with redis_client(url, timeout_s=5.0) as redis:
                below = Cache(store_on(redis), origin, ttl=60.0, flight=Flight())
                above = Cache(MemoryStore(100), below, ttl=60.0, flight=Flight())

                async def caller(number: int) -> None:
                    for key in trace[number::300]:
                        assert await above.get(key) == 7

                await asyncio.gather(*map(caller, range(300)))
                await above.aclose()
                await below.aclose()
            assert origin.calls == len(set(trace))

        with real_server() as (path, _):
            asyncio.run(main(f"unix://{path}"))


@pytest.mark.long
@pytest.mark.timeout(180)
def test_all_of_this_holds_without_hiredis() -> None:
    """Without it redis-py parses the replies in Python, as in a service that has not installed it."""
    without_hiredis = (
        "import sys; sys.modules['hiredis'] = None; import pytest; from redis.utils import HIREDIS_AVAILABLE as found; "
        "sys.exit('hiredis is there' if found else pytest.main(sys.argv[1:]))"
    )
    tests = [
        "tests/stores/test_read_batcher.py",
        "tests/stores/test_redis_requests.py",
        "tests/stores/test_redis_store.py",
        "tests/lab/real_redis/test_proxy.py",
        "tests/lab/sim/test_fake_redis.py",
    ]
    command = [sys.executable, "-c", without_hiredis, "-p", "no:cacheprovider", "-q", "--numprocesses=0", *tests]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout[-3_000:] + ran.stderr
