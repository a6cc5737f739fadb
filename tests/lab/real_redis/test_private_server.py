"""A private server ends with its kernel, however the kernel ends, and survives an interrupt."""

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from cachelab.lab.real_redis.private_server import PrivateServer, ServerDidNotStart
from cachelab.lab.real_redis.url import URL_VARIABLE
from tests.support.notebooks import ROOT
from tests.support.servers import accepts, becomes_true, is_running, need_server

pytestmark = pytest.mark.skipif(os.name == "nt", reason="a private server needs unix sockets")

NOTEBOOK = """
import asyncio, signal, sys
from cachelab import lab
signal.signal(signal.SIGINT, lambda *_: print("interrupted", flush=True))  # a kernel survives an interrupt
async def main():
    redis = await lab.connect()
    server = await redis.client().info("server")
    print(redis.kind, redis.url.removeprefix("unix://"), server["process_id"], flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    print(await redis.client().ping(), flush=True)
asyncio.run(main())
"""


def start_notebook(folder: Path = ROOT) -> tuple[subprocess.Popen[str], Path, int]:
    """A process in a process group of its own that has connected; and the socket and the process id of its server."""
    need_server()
    environment = {name: value for name, value in os.environ.items() if name != URL_VARIABLE}
    notebook = subprocess.Popen(
        [sys.executable, "-c", NOTEBOOK],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=folder,
        env=environment | {"PYTHONPATH": str(ROOT)},
        start_new_session=True,
    )
    assert notebook.stdout is not None
    assert notebook.stdout.readline().startswith("Redis: a private server")
    kind, path, pid = notebook.stdout.readline().split()
    assert kind == "private"
    assert accepts(Path(path))
    return notebook, Path(path), int(pid)


@pytest.mark.parametrize("name", ["SIGKILL", "SIGTERM"])
def test_a_killed_kernel_leaves_no_server(name: str, tmp_path: Path) -> None:
    """Neither the server process nor its folder is left, in whichever folder the kernel was started."""
    notebook, path, pid = start_notebook(tmp_path)
    with notebook:
        notebook.send_signal(signal.Signals[name])
        notebook.wait(10)
        assert becomes_true(lambda: not is_running(pid))
        assert becomes_true(lambda: not path.parent.exists())


def test_an_interrupted_kernel_keeps_its_server() -> None:
    """An interrupt of the whole process group, as Jupyter sends it, reaches the kernel and not the server."""
    notebook, _, pid = start_notebook()
    with notebook:
        assert notebook.stdout is not None
        os.killpg(notebook.pid, signal.SIGINT)
        assert notebook.stdout.readline() == "interrupted\n"
        assert not becomes_true(lambda: not is_running(pid), 0.5)  # an interrupted server would take a moment to end
        assert notebook.communicate("\n", timeout=10)[0] == "True\n"
    assert becomes_true(lambda: not is_running(pid))


def test_a_watchdog_that_cannot_start_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no process can be started, the error is a sentence, and the server's folder is removed."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "nowhere"))
    with pytest.raises(ServerDidNotStart, match="redis-server cannot be started: No such file or directory"):
        asyncio.run(PrivateServer.start(Path("redis-server")))
    assert list(tmp_path.iterdir()) == []
