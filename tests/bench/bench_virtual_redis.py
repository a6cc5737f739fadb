"""How many requests through a `Cache` over a simulated Redis the lab plays in a second of real time."""

from dataclasses import replace

from cachelab import Cache, RedisStore, lab
from tests.bench import bench_simulation

__all__ = ["measure"]

TRAFFIC = replace(bench_simulation.TRAFFIC, seconds=50.0)


async def _scenario() -> lab.ReplayResult:
    db = lab.SlowDatabase(users=1_000, connections=8, service_s=0.05)
    store = RedisStore[lab.UserProfile | None](
        lab.FakeRedis().client(), lab.UserProfile | None, namespace="user", version=1
    )
    cache = Cache(store, db.fetch_user, ttl=30.0, listen=lab.listen)
    return await lab.replay(TRAFFIC, cache, db=db)


def measure() -> float:
    """Requests per second of real time, measured as `bench_simulation` measures them over memory."""
    return bench_simulation.measure(_scenario, TRAFFIC)


if __name__ == "__main__":
    print(f"{measure():,.0f} requests per second")
