"""Reads that travel together: who shares a round trip, and what happens to the others when something happens to one."""

import asyncio
import contextlib
import gc
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
from tests.support.fakes import Origin, in_virtual_time, now, other_tasks, until
from tests.support.notebooks import ROOT
from tests.support.servers import fake_redis, real_server

FOREVER = float("inf")
QUESTION = re.compile(rb"\*\d\r\n\$\d\r\n(PTTL|M?GET)")


def store_on(redis: Redis) -> RedisStore:
    """A store of whole numbers."""
    return RedisStore(redis, int, namespace="test", version=1)


async def filled(server: FakeRedis, keys: int, **options: Any) -> RedisStore:
    """A store in which each key has itself as its value, and whose client has an open connection."""
    store = store_on(server.client(**options))
    for key in range(keys):
        await store.set(key, Entry(key, FOREVER))
    server.packets = 0
    return store


def make_client(store: RedisStore) -> Any:
    """The client that the store was built on."""
    return store._redis


class Strange(Exception):
    """An error of nobody's."""


async def _strange() -> None:
    raise Strange


async def values(*reads: Any) -> list[Any]:
    """What the reads answer: the value of each entry, MISS, or the error."""
    answers = await asyncio.gather(*reads, return_exceptions=True)
    return [answer.value if isinstance(answer, Entry) else answer for answer in answers]


@pytest.fixture
def quiet() -> Iterator[Callable[[], None]]:
    """Call it inside the loop; at the end nothing may have been reported to its exception handler."""
    reports: list[Any] = []
    yield lambda: setattr(asyncio.get_running_loop(), "call_exception_handler", reports.append)
    gc.collect()
    assert reports == []


class TestTogether:
    """Who shares a round trip."""

    @in_virtual_time
    async def test_who_asks_in_one_turn_shares_a_trip(self) -> None:
        """A hundred readers, one packet; each gets his own answer, a round trip later."""
        server = FakeRedis(latency_s=0.01)
        store = await filled(server, 99)
        began = now()
        assert await values(*map(store.get, range(100))) == [*range(99), MISS]
        assert server.packets == 1
        assert now() - began == pytest.approx(0.01)

    @in_virtual_time
    async def test_one_reader_alone_waits_for_nobody(self) -> None:
        """It takes the round trip, and no moment longer."""
        server = FakeRedis(latency_s=0.01)
        store = await filled(server, 1)
        began = now()
        assert await store.get(0) == Entry(0, FOREVER)
        assert now() - began == pytest.approx(0.01, abs=1e-9)

    @in_virtual_time
    async def test_a_trip_under_way_holds_up_nobody(self) -> None:
        """Who asks in the middle of a trip leaves at once, on a second connection."""
        server = FakeRedis(latency_s=0.02)
        store = await filled(server, 2)
        await values(store.get(0), make_client(store).get("x"))  # opens two connections
        server.packets, began = 0, now()
        first = asyncio.create_task(store.get(0))
        await asyncio.sleep(0.01)
        await store.get(1)
        assert server.packets == 2
        assert now() - began == pytest.approx(0.03)
        assert await first == Entry(0, FOREVER)

    @in_virtual_time
    async def test_who_comes_before_it_leaves_gets_on(self) -> None:
        """As long as all connections are out, the readers gather on one trip, from whichever turn they are."""
        server = FakeRedis(latency_s=0.02)
        store = await filled(server, 5, max_connections=1)
        readers = []
        for key in range(5):
            readers.append(asyncio.create_task(store.get(key)))
            await asyncio.sleep(0.004)
        assert await values(*readers) == [*range(5)]
        assert server.packets == 2

    @in_virtual_time
    async def test_nobody_boards_while_a_connection_is_tried(self) -> None:
        """A client with health checks sends a PING before the question: who comes in that time takes the next trip."""
        server = FakeRedis(latency_s=0.02)
        store = await filled(server, 2)
        await values(store.get(0), make_client(store).get("x"))  # opens two connections
        for connection in make_client(store).connection_pool._available_connections:
            connection.health_check_interval, connection.next_health_check = 1.0, 0.0
        server.packets, began = 0, now()
        first = asyncio.create_task(store.get(0))
        await asyncio.sleep(0.01)
        assert await values(first, store.get(1)) == [0, 1]
        assert server.packets == 4
        assert now() - began == pytest.approx(0.05)

    @in_virtual_time
    async def test_a_trip_has_a_hundred_seats(self) -> None:
        """One more key, and two go; get_many sends one after the other, so each has the whole time-out."""
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
    async def test_readers_of_one_key_share_a_seat(self) -> None:
        """However many they are, it is asked for once, and each gets the answer."""
        server = FakeRedis()
        store = await filled(server, 1)
        assert await values(*map(store.get, [0] * 250)) == [0] * 250
        assert server.packets == 1

    @in_virtual_time
    async def test_a_read_after_a_write_sees_it(self) -> None:
        """Also while an older read of the same key is still on its way: nobody gets on a trip that has left."""
        trips = [0.02]
        server = FakeRedis(latency_s=lambda: trips[0])
        store = await filled(server, 1)
        await values(store.get(0), make_client(store).get("x"))
        trips[0] = 0.09
        older = asyncio.create_task(store.get(0))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        trips[0] = 0.02
        await store.delete(0)
        assert not older.done()
        assert await store.get(0) is MISS
        await older

    @pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks came with Python 3.12")
    def test_eager_tasks_are_answered(self) -> None:
        """They leave before a second reader can come, and that is all."""

        async def main() -> None:
            loop: Any = asyncio.get_running_loop()
            loop.set_task_factory(vars(asyncio)["eager_task_factory"])
            store = store_on(fake_redis())
            await store.set(1, Entry(1, FOREVER))
            assert await values(store.get(0), store.get(1)) == [MISS, 1]
            assert await store.get(1) == Entry(1, FOREVER)

        asyncio.run(main())


class TestCancelled:
    """Callers, and trips, that are cancelled."""

    @in_virtual_time
    async def test_a_cancelled_reader_harms_no_other(self) -> None:
        """Whenever the first, who called the bus, leaves, the others get their answers."""
        server = FakeRedis(latency_s=0.01)
        store = await filled(server, 3)
        for second in (0.0, 0.004, 0.009):
            readers = [asyncio.create_task(store.get(key)) for key in range(3)]
            await asyncio.sleep(second)
            readers[0].cancel()
            assert (await values(*readers))[1:] == [1, 2]
            assert readers[0].cancelled()

    @in_virtual_time
    async def test_when_all_have_left_it_comes_to_its_end(self) -> None:
        """The answers are read, the connection is used again, and nothing is left."""
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
        assert len(make_client(store).connection_pool._available_connections) == 1

    @pytest.mark.parametrize("second", [0.0, 0.004])
    @in_virtual_time
    async def test_a_cancelled_trip_is_an_error(self, second: float) -> None:
        """If somebody cancels the task of a trip, before or after it has left, its callers are not cancelled."""
        store = await filled(FakeRedis(latency_s=0.01), 2)
        reader = asyncio.ensure_future(asyncio.gather(store.get(0), return_exceptions=True))
        await until(now() + second) if second else await asyncio.sleep(0)
        for task in store._batcher._tasks:
            task.cancel()
        assert [type(answer) for answer in await reader] == [RedisConnectionError]
        assert await store.get(1) == Entry(1, FOREVER)


class TestFailures:
    """Servers that refuse, hang and answer late."""

    def test_each_reader_gets_the_error(self, quiet: Callable[[], None]) -> None:
        """Also those who read many; none of the errors is left for nobody, and the next trip is a new one."""

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
            assert (len(store._batcher), other_tasks()) == (0, set())
            for _ in range(2):  # at once again, and on a trip that is no longer there nobody gets
                with pytest.raises(RedisConnectionError, match=r"^(?!.*cancelled)"):
                    await store.get(0)
            await until(20)
            assert await store.get(1) == Entry(1, FOREVER)

        scenario()

    @in_virtual_time
    async def test_a_hanging_server_costs_one_time_out(self) -> None:
        """For who leaves at once, for who waits for a connection, and for who has to connect first."""
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
        make_client(store).connection_pool.timeout = 0.03
        await until(10)
        user = asyncio.create_task(values(make_client(store).get("x")))
        await asyncio.sleep(0)
        with pytest.raises(RedisConnectionError, match="No connection available"):
            await store.get(0)
        assert now() == pytest.approx(10.03)
        await user

    @in_virtual_time
    async def test_answers_that_come_too_late_are_nobodys(self) -> None:
        """Their connection is closed, so the next reader does not get them for his own."""
        server = FakeRedis(Slow(10, 11, 0.2), timeout_s=0.1)
        store = await filled(server, 3)
        await until(10)
        assert [type(answer) for answer in await values(store.get(0), store.get(1))] == [RedisTimeoutError] * 2
        await until(11)
        assert await values(store.get(2)) == [2]

    @in_virtual_time
    async def test_whatever_stops_the_reading_closes_the_connection(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Here an error that no client knows; nothing keeps it alive, and the next reader gets his own answer."""
        store = await filled(FakeRedis(), 2)
        (connection,) = make_client(store).connection_pool._available_connections
        with monkeypatch.context() as patch:
            patch.setattr(connection, "read_response", _strange)
            gc.disable()
            try:
                await store.get(0)
            except Strange as error:
                alive = weakref.ref(error)
            finally:
                gc.enable()
            await asyncio.sleep(0)
            assert alive() is None
        assert not connection.is_connected
        assert await values(store.get(1)) == [1]

    @in_virtual_time
    async def test_a_signal_that_got_lost_is_noticed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A pool that swallows the end of the time-out does not make the trip endless."""
        store = await filled(FakeRedis(Hanging(10, 1_000)), 1)
        pool = make_client(store).connection_pool

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
        """A client that waits for ever does so here, too."""
        server = FakeRedis(Slow(10, 20, 5.0), timeout_s=None)
        store = await filled(server, 1)
        await until(10)
        assert await store.get(0) == Entry(0, FOREVER)
        assert now() == pytest.approx(15.001)

    @in_virtual_time
    async def test_the_clients_own_commands_keep_their_time_out(self) -> None:
        """A trip gives each connection back as it was."""
        server = FakeRedis(Hanging(10, 20), timeout_s=0.1)
        store = await filled(server, 1)
        await store.get(0)
        await until(10)
        with pytest.raises(RedisTimeoutError):
            await make_client(store).get("x")
        assert now() == pytest.approx(10.1)

    @in_virtual_time
    async def test_a_fill_waits_for_half_a_time_out(self) -> None:
        """So a request that finds the store slow, and then hanging, waits for one and a half at most."""
        server, origin = FakeRedis(Slow(10, 10.05, 0.09), Hanging(10.05, 20), timeout_s=0.1), Origin(7, load_time_s=0.0)
        store = await filled(server, 1)
        async with Cache(store, origin, ttl=60.0) as cache:
            await until(10)
            assert await cache.get(99) == 7  # read in 91 ms, and filled in vain
            assert (cache.misses, cache.store_errors) == (1, 1)
            assert now() == pytest.approx(10.141)
        for write, took in ((store.set(0, Entry(1, FOREVER)), 0.05), (store.delete(0), 0.1)):
            began = now()
            with pytest.raises(RedisTimeoutError):
                await write
            assert now() - began == pytest.approx(took)

    @in_virtual_time
    async def test_a_pool_that_moves_is_asked_for_its_connection(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """redis-py holds a lock while it rewrites the pool, and only get_connection waits for that."""
        store = await filled(FakeRedis(), 1)
        pool, asked = make_client(store).connection_pool, []
        get_connection = pool.get_connection

        async def spied() -> Any:
            asked.append(now())
            return await get_connection()

        monkeypatch.setattr(pool, "get_connection", spied)
        pool._in_maintenance = False  # redis-py 7 has no such thing, and there it is always asked
        await store.get(0)
        assert asked == []
        pool._in_maintenance = True
        await store.get(0)
        assert len(asked) == 1

    @in_virtual_time
    async def test_a_time_out_that_somebody_has_set_stays(self) -> None:
        """It is the connection's own, and not the client's."""
        store = await filled(FakeRedis(), 1, max_connections=1)
        connection = await make_client(store).connection_pool.get_connection()
        connection.socket_timeout = 7.0
        await make_client(store).connection_pool.release(connection)
        await store.get(0)
        assert connection.socket_timeout == 7.0


class TestOnARealServer:
    """What only a server, or a broken line, can show."""

    def test_a_password_that_is_missing_is_each_readers_error(self, quiet: Callable[[], None]) -> None:
        """The one that the client itself would raise."""

        async def main(url: str) -> None:
            quiet()
            async with redis_client(url, timeout_s=5.0) as redis:
                with pytest.raises(RedisError) as raised:
                    await redis.get("x")
                answers = await values(*map(store_on(redis).get, range(3)))
                assert [(type(answer), str(answer)) for answer in answers] == [(raised.type, str(raised.value))] * 3

        with real_server("--requirepass", "secret") as (path, _):
            asyncio.run(main(f"unix://{path}"))

    def test_a_refusal_of_one_key_is_everybodys_on_that_trip(self) -> None:
        """NOPERM for two keys refuses the MGET; the next reader on that connection is answered, or refused, himself."""

        async def main(url: str) -> None:
            async with redis_client(url, timeout_s=5.0, max_connections=1) as redis:
                store = store_on(redis)
                await store.set(1, Entry(1, FOREVER))
                await make_client(store).execute_command("ACL", "SETUSER", "default", "resetkeys", f"~{store.key(1)}")
                answers = await values(*map(store.get, range(3)))
                assert {type(answer) for answer in answers} == {NoPermissionError}
                (connection,) = make_client(store).connection_pool._available_connections
                assert connection.is_connected
                assert await values(store.get(1)) == [1]
                assert [type(answer) for answer in await values(store.get(2))] == [NoPermissionError]

        with real_server() as (path, _):
            asyncio.run(main(f"unix://{path}"))

    def test_a_lone_key_has_a_get_and_several_have_an_mget(self) -> None:
        """Whichever costs less; and no other command is sent for a read."""

        async def main(url: str) -> None:
            async with redis_client(url, timeout_s=5.0) as redis:
                store = store_on(redis)
                await store.get(1)
                await store.get_many([1, 2, 3])
                asked = await redis.info("commandstats")
                calls = {name.removeprefix("cmdstat_"): asked[name]["calls"] for name in asked}
                assert {name: calls[name] for name in ("get", "mget", "pttl")} == {"get": 1, "mget": 1, "pttl": 4}

        with real_server() as (path, _):
            asyncio.run(main(f"unix://{path}"))

    def test_a_refusal_of_all_lives_is_everybodys(self) -> None:
        """NOPERM for PTTL: without its life no value is believed."""

        async def main(url: str) -> None:
            async with redis_client(url, timeout_s=5.0) as redis:
                store = store_on(redis)
                await store.set(1, Entry(1, FOREVER))
                await make_client(store).execute_command("ACL", "SETUSER", "default", "-pttl")
                assert [type(answer) for answer in await values(*map(store.get, range(2)))] == [NoPermissionError] * 2

        with real_server() as (path, _):
            asyncio.run(main(f"unix://{path}"))

    def test_a_node_of_a_cluster_is_asked_without_mget(self) -> None:
        """A client that knows of no clusters, as before a managed one of one shard: its keys have different slots."""

        async def main(url: str) -> None:
            async with redis_client(url, timeout_s=5.0) as redis:
                store = store_on(redis)
                for key in range(20):
                    await store.set(key, Entry(key, FOREVER))
                for _ in range(2):
                    assert await values(*map(store.get, range(21))) == [*range(20), MISS]

        with node_with_all_slots() as port:
            asyncio.run(main(f"redis://127.0.0.1:{port}"))

    @pytest.mark.parametrize("keys", [[1], [1, 2]])
    def test_a_life_is_asked_for_before_its_value(self, keys: list[int]) -> None:
        """Else a new value that comes in between would lend its long life to the old one."""
        writes = []

        async def main(path: Path) -> None:
            there = redis_client(f"unix://{path}", timeout_s=5.0)
            other = store_on(there)

            async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                up, down = await asyncio.open_unix_connection(str(path))

                async def back() -> None:
                    while data := await up.read(65_536):
                        writer.write(data)

                answers = asyncio.create_task(back())
                while data := await reader.read(65_536):
                    if questions := list(QUESTION.finditer(data)):
                        half = next(one.start() for one in questions if one[1] != questions[0][1])
                        down.write(data[:half])
                        await asyncio.sleep(0.02)  # between those for lives and those for values somebody else writes
                        await other.set(1, Entry(2, now() + 60))
                        writes.append(data[half:])
                        data = data[half:]
                    down.write(data)
                answers.cancel()
                down.close()
                writer.close()

            async with await asyncio.start_server(forward, "127.0.0.1") as proxy, there:
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

    def test_a_reply_that_is_cut_off_spoils_only_its_trip(self) -> None:
        """All on it get an error, and who comes later his own answer, over a new connection."""

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
        """An empty Redis, an empty memory above it that holds a tenth, 300 callers of Zipf traffic: a load a key."""

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
    """redis-py parses the replies in Python then, as it may in a service that has copied the store."""
    hidden = (
        "import sys; sys.modules['hiredis'] = None; import pytest; from redis.utils import HIREDIS_AVAILABLE as there; "
        "sys.exit('hiredis is there' if there else pytest.main(sys.argv[1:]))"
    )
    tests = ["tests/test_round_trips.py", "tests/test_redis_store.py", "tests/test_proxy.py"]
    command = [sys.executable, "-c", hidden, "-p", "no:cacheprovider", "-q", "--numprocesses=0", *tests]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout[-3_000:] + ran.stderr
