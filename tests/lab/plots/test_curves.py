"""What the pictures of curves say in words."""

from cachelab import lab
from tests.support.fakes import in_virtual_time


def test_the_ladder_counts_in_multiples_of_the_cheapest() -> None:
    """The cheapest comes first, in whichever order the calls were measured."""
    assert lab.plot_ladder({"a": 3e-6, "b": 1e-6}, "title").words == "b 1 times, a 3 times."


@in_virtual_time
async def test_the_load_is_what_is_asked() -> None:
    """Eight queries in a second at an origin that serves two a second: the picture has the demand, and the capacity."""
    db = lab.SlowDatabase(users=8, connections=1, service_s=0.5)
    result = await lab.replay([lab.Request(n / 8, 0, 1 + n) for n in range(8)], db.fetch_user, db=db)
    assert lab.plot_load({"a": result}, "title").words == "a: mean 8, peak 8 queries/s; capacity: 2 queries/s."
