"""How many requests through a `Cache` over Redis in virtual time the lab simulates in a second of real time."""

import time

from cachelab import Cache, RedisStore, lab

__all__ = ["measure"]

TRAFFIC = lab.Workload(rate=200.0, seconds=50.0, keys=1_000, zipf=1.0, write_rate=1.0, seed=1)


async def _scenario() -> lab.Trace:
    db = lab.SlowDatabase(users=1_000, connections=8, service_s=0.05)
    store = RedisStore(lab.FakeRedis().client(), lab.UserProfile | None, namespace="user", version=1)
    cache = Cache(store, db.fetch_user, ttl=30.0, listen=lab.listen)
    return await lab.replay(TRAFFIC, cache, db=db)


def measure(rounds: int = 3) -> float:
    """The best rate of so many runs, in requests per second of real time; making the workload is not counted."""
    requests = len(TRAFFIC.requests())
    best = float("inf")
    for _ in range(rounds):
        start = time.process_time()
        lab.run(_scenario)
        best = min(best, time.process_time() - start)
    return requests / best


if __name__ == "__main__":
    print(f"{measure():,.0f} requests per second")
