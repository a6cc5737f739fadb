"""What the pictures of curves say in words."""

from cachelab import lab
from tests.support.fakes import in_virtual_time

SECONDS = 3


def test_requests_are_described_by_their_latencies() -> None:
    """Of a thousand requests, three times what the database can answer, the words give the first and the slowest."""

    async def scenario() -> lab.ReplayResult:
        db = lab.SlowDatabase(users=5, connections=1, service_s=0.01)
        requests = [lab.Request(n * SECONDS / 900, 0, 1) for n in range(900)]
        return await lab.replay(requests, db.fetch_user, db=db)

    picture = lab.plot_requests(lab.run(scenario), "title", top_s=7)
    assert picture.words == "900 requests; the first takes 10 ms, the last 6.0 s, the slowest 6.0 s."


def test_the_ladder_counts_in_multiples_of_the_cheapest() -> None:
    """The cheapest comes first, in whichever order the calls were measured. A large multiple is a whole number."""
    words = lab.plot_ladder({"a": 3e-6, "b": 1e-6, "c": 1.6e-3}, "title").words
    assert words == "b 1 times, a 3 times, c 1,600 times."


@in_virtual_time
async def test_the_load_is_what_is_asked() -> None:
    """Eight queries in a second at an origin that serves two a second: the picture has the demand, and the capacity."""
    db = lab.SlowDatabase(users=8, connections=1, service_s=0.5)
    result = await lab.replay([lab.Request(n / 8, 0, 1 + n) for n in range(8)], db.fetch_user, db=db)
    words = lab.plot_load({"a": result}, "title", moments={"deploy": 0.5}).words
    assert words == "a: mean 8, peak 8 queries/s; capacity: 2 queries/s; deploy: at 0.5 s."
