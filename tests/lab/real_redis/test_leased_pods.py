"""Real processes that share a load through a lease, and a process that is killed while it loads."""

import asyncio
from collections.abc import Iterator

import pytest

from cachelab import lab
from cachelab.lab.real_redis.url import URL_VARIABLE
from tests.support.servers import real_server


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A real server that the notebook did not start."""
    with real_server() as (path, _):
        monkeypatch.setenv(URL_VARIABLE, f"unix://{path}")
        yield


def rounds(lease_s: float | None, *kills: float | None) -> list[lab.LeasedRound]:
    """What two processes do, in a round for each of `kills`."""

    async def scenario() -> list[lab.LeasedRound]:
        async with await lab.connect() as redis:
            return await lab.leased_pods(redis, lease_s=lease_s, kills=kills, processes=2, load_s=0.4)

    return asyncio.run(scenario())


@pytest.mark.usefixtures("server")
def test_without_a_lease_each_process_loads() -> None:
    """Two processes, two loads, a hundred answers."""
    (only,) = rounds(None, None)
    assert (only.loads, only.answers, only.values, only.errors) == (2, 100, ["user 0"], 0)


@pytest.mark.long
@pytest.mark.usefixtures("server")
def test_with_a_lease_one_loads_and_a_death_costs_one_more() -> None:
    """A killed process answers nobody; the other one waits for lease and load."""
    calm, killed = rounds(1.0, None, 0.05)
    assert (calm.loads, calm.answers, calm.killed_after) == (1, 100, None)
    assert (killed.loads, killed.answers, killed.values, killed.killed_after) == (2, 50, ["user 1"], 0.05)
    assert 1.0 < killed.longest_wait < 3.0


def test_processes_cannot_share_a_fakeredis(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says what to do."""
    monkeypatch.setenv(URL_VARIABLE, "fake")
    with pytest.raises(lab.RedisNotUsable, match="install redis-server"):
        rounds(0.5, None)
