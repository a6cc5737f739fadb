"""What the pictures of curves say in words."""

from cachelab import lab

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
    """The cheapest comes first, in whichever order the calls were measured."""
    assert lab.plot_ladder({"a": 3e-6, "b": 1e-6}, "title").words == "b 1 times, a 3 times."
