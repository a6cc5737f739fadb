"""What the picture of timelines says in words."""

from cachelab import Cache, MemoryStore, RedisStore, lab
from tests.support.fakes import in_virtual_time


@in_virtual_time
async def test_the_round_trip_of_a_hit_is_no_wait() -> None:
    """Over Redis every read takes some time, but only a read that causes a query at the origin counts as a wait."""
    db = lab.SlowDatabase(users=5, service_s=0.05)
    store = RedisStore(lab.FakeRedis(latency_s=0.001).client(), lab.UserProfile, namespace="user", version=1)
    cache = Cache(store, db.fetch_user, ttl=60, listen=lab.listen)
    result = await lab.replay([lab.Request(float(n), 0, 1) for n in range(4)], cache, db=db)
    words = lab.plot_timelines({"over Redis": result}, "title").words
    assert min(row.latency_s for row in result.reads) > 0
    assert words.endswith("of 4 reads 1 waits.")


@in_virtual_time
async def test_failures_are_counted_during_and_after_the_outage() -> None:
    """Of the two requests during the outage the miss fails, and after it none does."""
    db = lab.SlowDatabase(users=5, service_s=0.05)
    load = lab.Faulty(db.fetch_user, lab.Down(1.0, 3.0))
    cache = Cache(MemoryStore(10), load, ttl=60)
    requests = [lab.Request(when, 0, user) for when, user in [(0.0, 1), (1.5, 1), (2.5, 2), (3.5, 2)]]
    result = await lab.replay(requests, cache, db=db)
    words = lab.plot_failures({"one": result}, "title", outages=[(1.0, 3.0)]).words
    assert words == "one: 50.0% failed during the outage, 0.0% afterwards."
