"""Real workers: they answer, share a database, and none of them outlives the notebook."""

import asyncio
import subprocess
import sys
import time
from pathlib import Path
from textwrap import indent

import httpx
import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager

from cachelab import lab
from cachelab.lab.real_redis.url import URL_VARIABLE
from tests.support.notebooks import ROOT

CELL = """
import asyncio
from cachelab import lab
async with await lab.connect() as redis, lab.real_workers(2, redis) as service:
    print(*service.urls, service.database, flush=True)
    await asyncio.sleep(60)
"""
SCRIPT = f"import asyncio\nasync def main():{indent(CELL, '    ')}\nasyncio.run(main())"


@pytest.fixture(autouse=True)
def on_fakeredis(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each worker has a fakeredis of its own."""
    monkeypatch.setenv(URL_VARIABLE, "fake")


def answers(url: str) -> bool:
    """Whether a worker answers there."""
    try:
        return httpx.get(f"{url}/users/7", timeout=2).status_code == 200
    except httpx.HTTPError:
        return False


def none_answers(urls: list[str], seconds: float = 10.0) -> bool:
    """Whether all of them end before the deadline."""
    deadline = time.monotonic() + seconds
    while any(answers(url) for url in urls):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def test_two_workers_share_a_database_and_end_with_the_block() -> None:
    """A write through one is read through the other, which had no copy. Afterwards nothing is left."""

    async def scenario() -> lab.RealService:
        async with await lab.connect() as redis, lab.real_workers(2, redis) as service, httpx.AsyncClient() as client:
            one, two = (f"{url}/users/7" for url in service.urls)
            assert (await client.put(one, json={"email": "new@example.com"})).status_code == 204
            assert (await client.get(two)).json()["email"] == "new@example.com"
            assert "cachelab_gets_total" in (await service.get(1, "/metrics")).text
            return service

    service = asyncio.run(scenario())
    assert none_answers(service.urls)
    assert not Path(service.database).parent.exists()


def test_no_part_of_an_answer_is_held_back() -> None:
    """A hit takes some milliseconds. It takes 40 ms if the body waits until the client has confirmed the headers."""

    async def scenario() -> float:
        async with await lab.connect() as redis, lab.real_workers(1, redis) as service:
            took, clock = [], asyncio.get_running_loop().time
            for _ in range(30):
                began = clock()
                await service.get(0, "/users/7")
                took.append(clock() - began)
            return min(took)

    assert asyncio.run(scenario()) < 0.03


@pytest.mark.long
def test_they_end_when_the_notebook_is_killed() -> None:
    """SIGKILL gives the notebook no chance to end them: their input closes, and they end, and remove the database."""
    with subprocess.Popen([sys.executable, "-c", SCRIPT], stdout=subprocess.PIPE, cwd=ROOT, text=True) as notebook:
        assert notebook.stdout is not None
        assert notebook.stdout.readline().startswith("Redis: ")
        *urls, database = notebook.stdout.readline().split()
        assert all(answers(url) for url in urls)
        notebook.kill()
    assert none_answers(urls)
    assert not Path(database).parent.exists()


@pytest.mark.long
def test_they_end_when_the_kernel_is_killed_in_a_cell() -> None:
    """As above, with a kernel of Jupyter."""
    manager = KernelManager(kernel_name="python3")
    manager.start_kernel(extra_arguments=["--IPKernelApp.log_level=ERROR"], cwd=str(ROOT))
    try:
        client = manager.blocking_client()
        client.start_channels()
        client.wait_for_ready(timeout=60)
        client.execute(CELL)
        assert line_of(client).startswith("Redis: ")
        *urls, database = line_of(client).split()
        client.stop_channels()
        assert all(answers(url) for url in urls)
    finally:
        manager.shutdown_kernel(now=True)  # with SIGKILL
    assert none_answers(urls)
    assert not Path(database).parent.exists()


def line_of(client: BlockingKernelClient) -> str:
    """The next line that the cell prints."""
    while True:
        message = client.get_iopub_msg(timeout=60)
        if message["msg_type"] == "stream":
            return str(message["content"]["text"])


def test_no_workers_get_a_sentence() -> None:
    """There has to be one at least."""

    async def scenario() -> None:
        async with await lab.connect() as redis, lab.real_workers(0, redis):
            pass

    with pytest.raises(ValueError, match=r"^workers must be a whole number of at least 1, not 0\.$"):
        asyncio.run(scenario())
