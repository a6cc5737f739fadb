"""FakeRedis, the Redis of simulations: its clock is virtual, its latency exact, and its faults follow a schedule."""

import asyncio
import os
import signal
from pathlib import Path
from random import Random
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError, RedisError

from cachelab import lab
from cachelab.lab.sim.fake_redis import FakeRedis, Hanging
from tests.support.fakes import in_virtual_time, now, until
from tests.support.servers import real_server


async def run_command(client: Any, *command: object) -> tuple[Any, float]:
    """The answer to a command or the name of its error, and the seconds until then."""
    began = now()
    try:
        answer = await client.execute_command(*command)
    except RedisError as error:
        answer = type(error).__name__
    return answer, round(now() - began, 6)


@in_virtual_time
async def test_two_clients_share_one_server() -> None:
    """Both see the same keys. A new connection costs one round trip, and each command costs one."""
    redis = FakeRedis(latency_s=0.002)
    one, two = redis.client(), redis.client(decode_responses=True)
    assert await run_command(one, "SET", "k", "v") == (True, 0.004)
    assert await run_command(two, "GET", "k") == ("v", 0.004)
    assert await run_command(two, "GET", "k") == ("v", 0.002)
    assert (redis.packets, redis.connections) == (3, 2)


@in_virtual_time
async def test_keys_expire_on_the_virtual_clock() -> None:
    """A key expires after its TTL in virtual seconds, also for SCAN, and PTTL reads the same clock."""
    redis = FakeRedis(latency_s=0)
    client = redis.client()
    await client.set("k", "v", ex=3600)
    assert await client.pttl("k") == 3_600_000
    await until(3599.9)
    assert await client.pttl("k") == 100
    assert await client.exists("k") == 1
    await until(3600.1)
    assert await client.get("k") is None
    assert [key async for key in client.scan_iter()] == []


@in_virtual_time
async def test_faults_follow_the_schedule() -> None:
    """Down breaks or refuses a connection, Hanging costs the time-out, Slow makes a round trip longer. Each ends."""
    redis = FakeRedis(lab.Down(10, 20), Hanging(30, 40), lab.Slow(50, 60, extra_s=0.05), latency_s=0.002)
    client = redis.client()
    await client.set("k", "v")
    at = {10: ("ConnectionError", 0.001), 15: ("ConnectionError", 0.002), 20: (b"v", 0.004), 29: (b"v", 0.002)}
    at |= {30: ("TimeoutError", 0.1), 35: ("TimeoutError", 0.1), 40: (b"v", 0.004), 50: (b"v", 0.052)}
    at |= {60: (b"v", 0.002)}
    seen = {}
    for second in at:
        await until(second)
        seen[second] = await run_command(client, "GET", "k")
    assert seen == at
    assert redis.connections == 3


@in_virtual_time
async def test_a_cancelled_command_is_still_executed() -> None:
    """A command that was sent is not stopped by a cancellation, and no other command gets its reply."""
    client = FakeRedis(latency_s=0.01).client()
    await client.set("a", "old")
    call = asyncio.create_task(run_command(client, "SET", "a", "new"))
    await asyncio.sleep(0.001)
    call.cancel()
    await asyncio.wait([call])
    assert await client.get("b") is None
    assert await client.get("a") == b"new"


@in_virtual_time
async def test_a_pipeline_is_one_packet() -> None:
    """Its commands travel together, in one round trip."""
    redis = FakeRedis(latency_s=0.002)
    client = redis.client()
    await client.ping()
    began = now()
    pipeline = client.pipeline()
    pipeline.set("k", "v")
    pipeline.get("k")
    assert await pipeline.execute() == [True, b"v"]
    assert (redis.packets, round(now() - began, 6)) == (2, 0.002)


@in_virtual_time
async def test_without_a_time_out_a_client_waits_for_ever() -> None:
    """The reply of a server that is a thousand seconds away comes."""
    client = FakeRedis(lab.Slow(10, 20, 1_000.0), timeout_s=None).client()
    await client.ping()
    await until(10)
    assert await run_command(client, "PING") == (True, 500.001)  # on its way back the packet is no longer slowed


@pytest.mark.parametrize("command", [("BLPOP", "queue", 1), ("XREAD", "BLOCK", 1_000, "STREAMS", "events", "$")])
@in_virtual_time
async def test_a_command_that_blocks_on_the_server_is_refused(command: tuple[Any, ...]) -> None:
    """The caller is told so when the command has come back, and the client works on."""
    client = FakeRedis(latency_s=0.002).client()
    with pytest.raises(NotImplementedError, match="no commands that block"):
        await client.execute_command(*command)  # type: ignore[no-untyped-call]
    assert now() == 0.004
    assert await client.ping()


@in_virtual_time
async def test_callers_wait_for_a_free_connection() -> None:
    """When every connection is in use, a caller waits for one, and gets an error after the time-out."""
    client = FakeRedis(latency_s=0.04, timeout_s=0.1).client(max_connections=1)
    await client.ping()
    answers = await asyncio.gather(*(run_command(client, "PING") for _ in range(5)))
    assert answers == [(True, 0.04), (True, 0.08), (True, 0.12), *[("ConnectionError", 0.1)] * 2]


@in_virtual_time
async def test_a_message_reaches_every_subscriber() -> None:
    """It arrives half a round trip after the server has got it."""
    redis = FakeRedis(latency_s=0.002)
    nodes = [redis.client().pubsub(ignore_subscribe_messages=True) for _ in range(3)]
    for node in nodes:
        await node.subscribe("changes")
        assert await node.get_message(timeout=1) is None
    await until(5)
    await redis.client().publish("changes", "42")
    for node in nodes:
        message = await node.get_message(timeout=1)
        assert message is not None
        assert message["data"] == b"42"
        await node.aclose()  # type: ignore[no-untyped-call]


async def subscriber(redis: FakeRedis, **options: Any) -> Any:
    """A subscription to "changes" that the server has confirmed."""
    subscription = redis.client(**options).pubsub(ignore_subscribe_messages=True)
    await subscription.subscribe("changes")
    assert await subscription.get_message(timeout=1) is None
    return subscription


@pytest.mark.parametrize("timeout_s", [None, 100.0])
@in_virtual_time
async def test_an_outage_breaks_the_connection_of_a_subscriber(timeout_s: float | None) -> None:
    """It waits for a message, and learns of the outage half a round trip after that has begun."""
    redis = FakeRedis(lab.Down(10, 20), latency_s=0.002)
    subscription = await subscriber(redis, socket_timeout=None)  # before redis-py 8, it ends a wait without `timeout`
    with pytest.raises(RedisConnectionError):
        await subscription.get_message(timeout=timeout_s)
    assert 10.001 <= now() < 10.01  # redis-py tries to connect again
    await subscription.aclose()


@in_virtual_time
async def test_after_an_outage_a_subscriber_subscribes_again() -> None:
    """It missed what was published in between; redis-py subscribes again, and the next message comes."""
    redis = FakeRedis(lab.Down(10, 20))
    subscription, publisher = await subscriber(redis, socket_timeout=None), redis.client()
    with pytest.raises(RedisConnectionError):
        await subscription.get_message(timeout=None)
    await until(20)
    assert await publisher.publish("changes", "missed") == 0
    assert await subscription.get_message(timeout=1) is None
    assert await publisher.publish("changes", "42") == 1
    assert (await subscription.get_message(timeout=1))["data"] == b"42"
    await subscription.aclose()


@pytest.mark.parametrize("second", [15, 25])
@in_virtual_time
async def test_an_outage_breaks_idle_connections(second: float) -> None:
    """They are replaced when they are next used: during the outage the server refuses, afterwards it accepts."""
    redis = FakeRedis(lab.Down(10, 20), latency_s=0.002)
    client = redis.client()
    await asyncio.gather(*(client.ping() for _ in range(3)))
    assert redis.connections == 3
    await until(second)
    answers = await asyncio.gather(*(run_command(client, "PING") for _ in range(3)))
    expected = [("ConnectionError", 0.002)] * 3 if second < 20 else [(True, 0.004)] * 3
    assert (answers, redis.connections) == (expected, 3 if second < 20 else 6)


@in_virtual_time
async def test_an_outage_shorter_than_the_way_there_loses_what_was_sent() -> None:
    """A packet that arrives after the outage, on a connection from before it, is lost. A reply on its way arrives."""
    redis = FakeRedis(lab.Down(10, 10.001), latency_s=0.01)
    clients = [redis.client(), redis.client()]
    for client in clients:
        await client.ping()
    answers = []
    for client, second in zip(clients, (9.993, 9.997), strict=True):  # these packets arrive at 9.998 and 10.002
        await until(second)
        answers.append(asyncio.create_task(run_command(client, "SET", second, "1")))
    assert await asyncio.gather(*answers) == [(True, 0.01), ("ConnectionError", 0.008)]
    assert await clients[0].mget("9.993", "9.997") == [b"1", None]


@in_virtual_time
async def test_a_quiet_subscription_stays() -> None:
    """As with redis-py on a network, None says that no message came in time, and the connection is as it was."""
    redis = FakeRedis(latency_s=0.002, timeout_s=0.1)
    subscription, connections = await subscriber(redis), redis.connections
    began = now()
    assert [await subscription.get_message(timeout=second) for second in (0, 0.5, 2.5)] == [None] * 3
    assert now() - began == pytest.approx(3.0)
    await redis.client().publish("changes", "42")
    assert (await subscription.get_message(timeout=1))["data"] == b"42"
    assert redis.connections == connections + 1  # the publisher's
    await subscription.aclose()


@in_virtual_time
async def test_a_subscriber_that_has_gone_is_no_longer_counted() -> None:
    """Redis answers a PUBLISH with the number of those who get the message, whatever the garbage collector has done."""
    redis = FakeRedis()
    subscription, publisher = await subscriber(redis), redis.client()
    assert await publisher.publish("changes", "1") == 1
    await subscription.aclose()
    assert await publisher.publish("changes", "2") == 0


@pytest.mark.parametrize("fault", ["quiet", "dead"])
def test_a_real_server_does_the_same(fault: str) -> None:
    """No message within the time-out: None. The server is killed: ConnectionError."""

    async def scenario(path: Path, pid: int) -> None:
        client = Redis(unix_socket_path=str(path), socket_timeout=0.1, retry=Retry(NoBackoff(), 0))
        subscription = client.pubsub(ignore_subscribe_messages=True)
        await subscription.subscribe("changes")
        assert await subscription.get_message(timeout=1) is None
        if fault == "quiet":
            assert await subscription.get_message(timeout=0.2) is None
            assert await client.publish("changes", "42") == 1
            assert (await subscription.get_message(timeout=1))["data"] == b"42"
        else:
            os.kill(pid, signal.SIGKILL)
            with pytest.raises(RedisConnectionError):
                await subscription.get_message(timeout=5)
        await subscription.aclose()  # type: ignore[no-untyped-call]
        await client.aclose()

    with real_server() as (path, pid):
        asyncio.run(scenario(path, pid))


def test_the_same_seed_gives_the_same_events() -> None:
    """The same scenario with the same seed gives the same events at the same times."""

    async def scenario() -> list[tuple[float, int, Any, float]]:
        chance, events = Random("1/latency"), []
        redis = FakeRedis(
            lab.Down(2, 3), Hanging(5, 6), lab.Slow(7, 8, 0.2), latency_s=lambda: chance.uniform(0.001, 0.01)
        )

        async def node(number: int) -> None:
            client = redis.client()
            for turn in range(100):
                command = ("GET", f"k{turn % 7}") if (turn + number) % 3 else ("SET", f"k{turn % 7}", number, "PX", 300)
                events.append((now(), number, *await run_command(client, *command)))
                await asyncio.sleep(0.1)

        await asyncio.gather(*(node(number) for number in range(5)))
        return events

    first, second = lab.run(scenario), lab.run(scenario)
    assert len(first) == 500
    assert {answer for _, _, answer, _ in first} > {"ConnectionError", "TimeoutError", True, None, b"1"}
    assert first == second


@in_virtual_time
async def test_a_fault_that_ends_before_it_begins_is_refused() -> None:
    """The error says what a fault needs."""
    with pytest.raises(ValueError, match="A fault needs 0 <= start < end"):
        FakeRedis(Hanging(2, 1))


@in_virtual_time
async def test_what_a_client_with_a_name_sends_is_noted() -> None:
    """Each command of a pipeline, and a script by the comment in its first line. The handshake is not noted."""
    redis = FakeRedis(latency_s=0.002)
    client, nameless = redis.client("A"), redis.client()
    pipeline = client.pipeline(transaction=False)
    pipeline.set("key", b"*3\r\nSET")
    pipeline.pttl("key")
    await pipeline.execute()
    await nameless.get("key")
    await until(1.0)
    for script in ("-- claim\nreturn 1", "return 1", "--\nreturn 1"):
        await client.eval(script, 0)
    await client.execute_command("get", "key")  # type: ignore[no-untyped-call]
    assert [sent.command for sent in redis.commands] == ["SET", "PTTL", "EVAL claim", "EVAL", "EVAL", "GET"]
    assert redis.commands[2] == lab.SentCommand(1.0, "A", "EVAL claim")
    assert redis.packets == 6


@in_virtual_time
async def test_a_killed_node_is_cut_off() -> None:
    """What it sent before still arrives. Then Redis hears nothing of it, and forgets what it has subscribed to."""
    redis = FakeRedis(latency_s=0.002)
    client, other = redis.client("A"), redis.client("B")
    async with client.pubsub() as subscription:
        await subscription.subscribe("changes")
        await subscription.get_message(timeout=1.0)
        await client.set("key", "before")
        task = asyncio.create_task(run_command(client, "SET", "key", "on its way"))
        await asyncio.sleep(0.0005)
        redis.kill("A")
        assert (await task)[0] == "TimeoutError"
        assert await run_command(client, "SET", "key", "after") == ("TimeoutError", 0.1)
        assert await other.get("key") == b"on its way"
        assert await other.publish("changes", "1") == 0
        assert [sent.node for sent in redis.commands] == ["A", "A", "A", "B", "B"]


@pytest.mark.parametrize("share", [0.0, 0.1, 1.0])
@in_virtual_time
async def test_a_share_of_the_messages_is_lost(share: float) -> None:
    """Only those of the channel, within the time of the fault, and the same ones for the same seed."""
    heard = []
    for _ in range(2):
        began = now()
        redis = FakeRedis(lab.Losing(began + 1.0, began + 11.0, share, channel="a"))
        async with redis.client().pubsub() as subscription:
            await subscription.subscribe("a", "b")
            client = redis.client()
            for number in range(1_200):
                await until(began + 0.01 * (number + 1))
                await client.publish("a", number)
                await client.publish("b", number)
            messages = []
            while (message := await subscription.get_message(timeout=1.0)) is not None:
                if message["type"] == "message":
                    messages.append((message["channel"], int(message["data"])))
        heard.append(messages)
    of_a = [number for channel, number in heard[0] if channel == b"a"]
    assert heard[0] == heard[1]
    assert abs(len(of_a) - (1_200 - 1_000 * share)) < 30
    assert len(heard[0]) - len(of_a) == 1_200
    assert {*range(99), *range(1_100, 1_200)} <= set(of_a)


@in_virtual_time
async def test_at_the_end_of_a_loss_the_subscribers_may_learn_of_it() -> None:
    """Their connections break then, and no other connection does."""
    redis = FakeRedis(lab.Losing(1.0, 2.0, breaks=True))
    client = redis.client()
    await client.ping()
    async with redis.client().pubsub() as subscription:
        await subscription.subscribe("changes")
        await subscription.get_message(timeout=1.0)
        with pytest.raises(RedisConnectionError, match="Connection closed by server"):
            await subscription.get_message(timeout=10.0)
        assert round(now(), 2) == 2.0
    connections = redis.connections
    await client.ping()
    assert redis.connections == connections


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
@in_virtual_time
async def test_a_loss_is_a_share(share: float) -> None:
    """Of all messages, from none to each."""
    with pytest.raises(ValueError, match="The share of lost messages is between 0 and 1"):
        FakeRedis(lab.Losing(1.0, 2.0, share))
