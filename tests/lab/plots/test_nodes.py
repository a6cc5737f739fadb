"""What the picture of the lanes of nodes says in words: loads, commands, waits, and what was refused or killed."""

import asyncio
from typing import Any

from cachelab import Cache, Flight, LeasedStore, RedisStore, lab


async def scenario(store: Any, *, kill: bool = False, write: bool = False) -> tuple[lab.EventLog, lab.FakeRedis]:
    """Three nodes read a cold key. In mid-load the first one is killed, or the third one deletes the key."""
    log, redis = lab.EventLog(), lab.FakeRedis()
    caches = {}
    for name in "ABC":
        made = store(redis.client(name), int, namespace="user", version=1)
        caches[name] = Cache(made, load, ttl=60.0, flight=Flight(), name=name, listen=log)
    gets = [asyncio.create_task(cache.get(1)) for cache in caches.values()]
    await asyncio.sleep(0.15)
    if kill:
        redis.kill("A")
        await caches["A"].aclose()
    if write:
        await caches["C"].delete(1)
    await asyncio.gather(*gets, return_exceptions=True)
    return log, redis


async def load(_: object) -> int:
    """Takes 300 ms."""
    await asyncio.sleep(0.3)
    return 1


def words(store: Any, **options: Any) -> str:
    """What a picture of one run says."""
    return lab.plot_nodes({"run": lab.run(lambda: scenario(store, **options))}, "title").words


def test_the_words_count_loads_and_commands() -> None:
    """With leases the origin is asked once; each wait ends with the load."""
    plain = "run: 3 nodes, 3 loads, 9 commands (3 GET, 3 PTTL, 3 SET), the longest wait 302 ms"
    assert words(RedisStore).startswith(plain)
    leased = words(LeasedStore)
    assert "3 nodes, 1 load, 16 commands (7 EVAL claim, 1 EVAL settle, 3 GET, 3 PTTL, 2 SUBSCRIBE)" in leased
    assert "the longest wait 304 ms" in leased
    assert leased.count("fills") == 1


def test_the_words_name_a_refused_fill_and_a_killed_node() -> None:
    """A load of a node that was killed ends with it, and what its tasks still do is not drawn."""
    refused = words(LeasedStore, write=True)
    assert ", A fill refused at 0.304 s" in refused
    assert ", C deletes at 0.151 s" in refused
    killed = words(LeasedStore, kill=True)
    assert ", A killed at 0.15 s" in killed
    assert "2 loads" in killed
    assert "the longest wait 5.3 s" in killed


def test_a_hit_is_no_wait() -> None:
    """Only a caller that missed is drawn as waiting."""

    async def warm() -> tuple[lab.EventLog, lab.FakeRedis]:
        log, redis = lab.EventLog(), lab.FakeRedis()
        store: Any = RedisStore(redis.client("A"), int, namespace="user", version=1)
        cache: Cache[int, Any] = Cache(store, load, ttl=60.0, name="A", listen=log)
        await cache.get(1)
        for _ in range(3):
            await cache.get(1)
        return log, redis

    picture = lab.plot_nodes({"run": lab.run(warm)}, "title")
    assert "1 node, 1 load, 9 commands (4 GET, 4 PTTL, 1 SET), the longest wait 302 ms" in picture.words
