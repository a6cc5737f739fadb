"""Which Redis `lab.connect` finds, what it says about it, and what it leaves behind."""

import ast
import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from redis import exceptions
from redis.asyncio import Redis, RedisCluster

from cachelab import lab
from cachelab.lab.real_redis import connect as connecting
from cachelab.lab.real_redis.connect import connect
from cachelab.lab.real_redis.private_server import DidNotStart, PrivateServer
from cachelab.lab.real_redis.url import VARIABLE, NoRedis
from tests.support.fakes import in_virtual_time
from tests.support.notebooks import ROOT, code_cells, load, paths, tree
from tests.support.servers import need_server, runs, soon

posix_only = pytest.mark.skipif(os.name == "nt", reason="a private server needs unix sockets")
NOTEBOOK = """
import asyncio, signal, sys
from cachelab import lab
signal.signal(signal.SIGINT, lambda *_: print("interrupted", flush=True))  # a kernel outlives it
async def main():
    redis = await lab.connect()
    server = await redis.client().info("server")
    print(redis.kind, redis.url.removeprefix("unix://"), server["process_id"], flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    print(await redis.client().ping(), flush=True)
asyncio.run(main())
"""


@pytest.fixture(autouse=True)
def no_url(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a URL in the environment, whatever the machine has there."""
    monkeypatch.delenv(VARIABLE, raising=False)


def free_port() -> int:
    """A TCP port on which nobody listens at present."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def answers(path: str) -> bool:
    """Whether somebody listens on this unix socket."""
    with socket.socket(socket.AF_UNIX) as sock:
        try:
            sock.connect(path)
        except OSError:
            return False
        return True


def test_fake_rung(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Where there is neither a URL nor a program, two clients share one fakeredis, and the detail says why."""
    monkeypatch.setattr(connecting, "server_binaries", list)

    async def scenario() -> None:
        async with await connect() as redis:
            assert (redis.kind, redis.url, redis.prefix) == ("fake", None, "cachelab.")
            assert "no redis-server" in redis.detail
            await redis.client().set(redis.prefix + "k", "v")
            assert await redis.client(decode_responses=True).get(redis.prefix + "k") == "v"

    asyncio.run(scenario())
    assert capsys.readouterr().out == "Redis: fakeredis, inside this process.\n"


def test_fakeredis_can_be_asked_for(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """As the quick tests and whole workshops do, whatever the machine has."""
    monkeypatch.setenv(VARIABLE, "fake")

    async def scenario() -> None:
        async with await connect() as redis:
            assert (redis.kind, redis.url) == ("fake", None)
            assert f"{VARIABLE} asks for it" in redis.detail

    asyncio.run(scenario())
    assert capsys.readouterr().out == "Redis: fakeredis, inside this process.\n"


@posix_only
def test_private_rung(capsys: pytest.CaptureFixture[str]) -> None:
    """With a program there is a server of our own, whose time-outs hold, and which is gone afterwards."""
    need_server()

    async def scenario() -> str:
        async with await connect() as redis:
            assert redis.kind == "private"
            client = redis.client()
            await client.set("k", "v")
            assert await client.get("k") == b"v"
            with pytest.raises(exceptions.TimeoutError):
                await client.blpop("nothing", timeout=5)
            assert redis.url is not None
            return redis.url.removeprefix("unix://")

    path = asyncio.run(scenario())
    assert not Path(path).parent.exists()
    assert not answers(path)
    assert capsys.readouterr().out == "Redis: a private server, started for this notebook and ended with it.\n"


@posix_only
@pytest.mark.parametrize("start", ["tcp", "unix"])
def test_server_rung(start: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """On a server that is not ours our keys are deleted at the end, and nobody else's."""
    binary, port = need_server(), free_port()

    async def scenario() -> None:
        server = await PrivateServer.start(binary, "--port", str(port), "--requirepass", "secret")
        url = f"redis://:secret@127.0.0.1:{port}" if start == "tcp" else f"unix://:secret@{server.path}"
        monkeypatch.setenv(VARIABLE, url)
        redis, other = await connect(), await connect()
        assert redis.kind == other.kind == "server"
        assert redis.prefix != other.prefix
        assert "secret" not in f"{redis.detail}{redis.url}"
        client = redis.client()
        for number in range(50):
            await client.set(f"{redis.prefix}{number}", "ours")
        await client.set("theirs", 1)
        await client.set(other.prefix + "1", 1)
        await redis.aclose()
        assert sorted(await other.client().keys("*")) == sorted([(other.prefix + "1").encode(), b"theirs"])
        server.close()
        with pytest.raises(NoRedis, match="once it is back, delete the keys that begin with 'cachelab\\."):
            await other.aclose()

    asyncio.run(scenario())
    assert capsys.readouterr().out == 2 * f"Redis: the server that {VARIABLE} names.\n"


@posix_only
def test_cluster_rung(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A cluster is recognised by asking it, gets a client for clusters, and is left without our keys."""
    binary = need_server()
    port = next(port for port in iter(free_port, 0) if port <= 55_535)  # it also listens 10,000 above

    async def scenario() -> None:
        server = await PrivateServer.start(binary, "--port", str(port), "--cluster-enabled", "yes")
        node: Any = Redis(port=port, decode_responses=True)
        async with node as one:
            await one.execute_command("CLUSTER", "ADDSLOTS", *range(16384))
            while "cluster_state:ok" not in str(await one.execute_command("CLUSTER", "INFO")).replace("': '", ":"):
                await asyncio.sleep(0.01)
        monkeypatch.setenv(VARIABLE, f"redis://127.0.0.1:{port}")
        async with await connect() as redis:
            assert redis.kind == "cluster"
            client = redis.client()
            assert isinstance(client, RedisCluster)
            for number in range(5):
                await client.set(f"{redis.prefix}{number}", "ours")
        async with Redis(port=port) as one:
            assert await one.dbsize() == 0
        server.close()

    asyncio.run(scenario())
    assert capsys.readouterr().out == f"Redis: the cluster that {VARIABLE} names.\n"


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("localhost:6379", "is no URL of a Redis: write it like redis://localhost:6379"),
        ("http://localhost:6379", "is no URL of a Redis"),
        ("redis://localhost:port", "is no URL of a Redis"),
        ("redis://", "is no URL of a Redis"),
        ("unix://", "is no URL of a Redis"),
        ("redis://127.0.0.1:{free}", "No Redis answers at 127.0.0.1:{free}: start it there, correct"),
        ("redis://user:secret@127.0.0.1:{free}", "No Redis answers at 127.0.0.1:{free}: start it there, correct"),
    ],
)
def test_sentences(url: str, sentence: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A URL that is wrong, or where nobody answers, ends in one sentence that says what to do, without the password."""
    port = str(free_port())
    monkeypatch.setenv(VARIABLE, url.replace("{free}", port))
    with pytest.raises(NoRedis) as raised:
        asyncio.run(connect())
    assert sentence.replace("{free}", port) in str(raised.value)
    assert "secret" not in str(raised.value)


@posix_only
def test_unix_url_that_leads_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path with no server behind it, be it free or a file, is named in the sentence."""
    (tmp_path / "file").touch()
    for name in ("free", "file"):
        monkeypatch.setenv(VARIABLE, f"unix://{tmp_path / name}")
        with pytest.raises(NoRedis, match=f"No Redis answers at .*{name}: start it there"):
            asyncio.run(connect())


@posix_only
@pytest.mark.parametrize("password", ["", ":wrong@"])
def test_wrong_password(password: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong password, or none where one is needed, is called that."""
    binary, port = need_server(), free_port()

    async def scenario() -> None:
        server = await PrivateServer.start(binary, "--port", str(port), "--requirepass", "secret")
        try:
            monkeypatch.setenv(VARIABLE, f"redis://{password}127.0.0.1:{port}")
            with pytest.raises(NoRedis, match="does not accept this user or password: correct"):
                await connect()
        finally:
            server.close()

    asyncio.run(scenario())


def test_not_a_redis(monkeypatch: pytest.MonkeyPatch) -> None:
    """Something else that answers there is not taken for a Redis."""

    async def scenario() -> None:
        async def web(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            await writer.drain()
            writer.close()

        async with await asyncio.start_server(web, "127.0.0.1", 0) as server:
            monkeypatch.setenv(VARIABLE, f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}")
            with pytest.raises(NoRedis, match="is no Redis that lets us in"):
                await connect()

    asyncio.run(scenario())


@posix_only
def test_broken_program_falls_to_the_next_rung(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs that are missing, are none, or end at once are passed over, and the detail says so."""
    script = tmp_path / "redis-server"
    script.write_text("#!/bin/sh\necho no luck today\nexit 3\n")
    script.chmod(0o755)
    text = tmp_path / "text"
    text.touch()
    monkeypatch.setattr(connecting, "server_binaries", lambda: [script, text, tmp_path / "missing"])

    async def scenario() -> str:
        async with await connect() as redis:
            assert redis.kind == "fake"
            return redis.detail

    detail = asyncio.run(scenario())
    assert "ended at once with code 3: no luck today." in detail
    assert "Permission denied." in detail
    assert "No such file or directory." in detail


@posix_only
def test_a_guard_that_cannot_start_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that lets us start no process gets a sentence, and keeps no folder of ours."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "nowhere"))
    with pytest.raises(DidNotStart, match="redis-server cannot be started: No such file or directory"):
        asyncio.run(PrivateServer.start(Path("redis-server")))
    assert list(tmp_path.iterdir()) == []


@in_virtual_time
async def test_connect_has_no_place_in_a_simulation() -> None:
    """In virtual time there are no sockets, and the sentence names what there is."""
    with pytest.raises(NoRedis, match=r"use lab\.FakeRedis\(\)"):
        await lab.connect()


def a_notebook() -> tuple[subprocess.Popen[str], str, int]:
    """A process that has connected, in a process group of its own, and the socket and the id of its server."""
    need_server()
    child = subprocess.Popen(
        [sys.executable, "-c", NOTEBOOK],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        start_new_session=True,
    )
    assert child.stdout is not None
    assert child.stdout.readline().startswith("Redis: a private server")
    kind, path, pid = child.stdout.readline().split()
    assert kind == "private"
    assert answers(path)
    return child, path, int(pid)


@posix_only
@pytest.mark.parametrize("name", ["SIGKILL", "SIGTERM"])
def test_killed_kernel_leaves_no_server(name: str) -> None:
    """A kernel that is killed leaves no server process and no folder behind."""
    child, path, pid = a_notebook()
    with child:
        child.send_signal(signal.Signals[name])
        child.wait(10)
        assert soon(lambda: not runs(pid))
        assert soon(lambda: not Path(path).parent.exists())


@posix_only
def test_interrupted_kernel_keeps_its_server() -> None:
    """An interrupt of the whole process group, as Jupyter sends it, reaches the kernel and not the server."""
    child, _, pid = a_notebook()
    with child:
        assert child.stdout is not None
        os.killpg(child.pid, signal.SIGINT)
        assert child.stdout.readline() == "interrupted\n"
        assert not soon(lambda: not runs(pid), 0.5)  # a server that was interrupted takes a moment to end
        assert child.communicate("\n", timeout=10)[0] == "True\n"
    assert soon(lambda: not runs(pid))


COMMAND = r"(flush(all|db)|config|debug|shutdown)"
METHOD = re.compile(r"(flush(all|db)|(config|debug|(script|function)_flush)\w*|shutdown)", re.IGNORECASE)
WORDS = re.compile(rf"{COMMAND}( +[a-z-]+)*|(?s:.*)\bp?call\(\s*.{COMMAND}\b(?s:.*)", re.IGNORECASE)


def harms(node: ast.AST) -> list[str]:
    """The commands in some code that empty, change or stop a whole Redis: as methods, as words, and inside Lua."""
    found = []
    for each in ast.walk(node):
        if isinstance(each, ast.Attribute) and METHOD.fullmatch(each.attr):
            found.append(each.attr)
        if isinstance(each, ast.Constant) and isinstance(each.value, str | bytes):
            text = each.value if isinstance(each.value, str) else each.value.decode("latin-1")
            if WORDS.fullmatch(text.strip()):
                found.append(text)
    return found


@pytest.mark.parametrize(
    "line",
    [
        "redis.flushall()",
        "redis.flushdb(asynchronous=True)",
        "redis.config_set('maxmemory', 1)",
        "redis.debug_segfault()",
        "redis.shutdown()",
        "redis.script_flush()",
        "redis.execute_command('FLUSHALL')",
        "redis.execute_command('flushdb', 'async')",
        "redis.execute_command('Config', 'Set', 'maxmemory', 1)",
        "redis.execute_command(b'DEBUG SLEEP', 1)",
        "redis.eval('local x = 1 redis.call(\\'flushall\\')', 0)",
        'redis.eval("""return redis.pcall( "CONFIG", "GET", "*")""", 0)',
    ],
)
def test_each_command_that_harms_others_would_be_found(line: str) -> None:
    """However it is written."""
    assert harms(ast.parse(line))


def test_no_command_that_harms_others() -> None:
    """No module and no notebook sends a command that empties, changes or stops a Redis that may be somebody else's."""
    modules = (ROOT / "cachelab").rglob("*.py")
    trees = {str(path.relative_to(ROOT)): ast.parse(path.read_text(encoding="utf-8")) for path in modules}
    for path in paths():
        trees |= {f"{path.name}, {number}": tree(cell) for number, cell in enumerate(code_cells(load(path)))}
    assert {name: found for name, code in trees.items() if (found := harms(code))} == {}
