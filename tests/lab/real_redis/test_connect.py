"""Which Redis `lab.connect` finds, what it says about it, and what it leaves behind."""

import asyncio
import os
from pathlib import Path
from traceback import format_exception
from typing import Any

import pytest
from redis import exceptions
from redis.asyncio import Redis, RedisCluster

from cachelab import lab
from cachelab.lab.real_redis import connect as connecting
from cachelab.lab.real_redis.connect import connect
from cachelab.lab.real_redis.private_server import PrivateServer
from cachelab.lab.real_redis.url import URL_VARIABLE, RedisNotUsable
from tests.support.fakes import in_virtual_time
from tests.support.servers import accepts, free_port, need_server

posix_only = pytest.mark.skipif(os.name == "nt", reason="a private server needs unix sockets")


@pytest.fixture(autouse=True)
def no_url(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove the URL from the environment, in case this machine has one there."""
    monkeypatch.delenv(URL_VARIABLE, raising=False)


def test_without_url_and_program_it_finds_fakeredis(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two clients share one fakeredis, and the detail says why there is nothing better."""
    monkeypatch.setattr(connecting, "server_binaries", list)

    async def scenario() -> None:
        async with await connect() as redis:
            assert (redis.kind, redis.url, redis.prefix) == ("fake", None, "cachelab.")
            assert "no redis-server" in redis.detail
            await redis.client().set(redis.prefix + "k", "v")
            assert await redis.client(decode_responses=True).get(redis.prefix + "k") == "v"

    asyncio.run(scenario())
    assert capsys.readouterr().out == "Redis: fakeredis, inside this process.\n"


def test_the_variable_can_name_fakeredis(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The quick tests and whole workshops use fakeredis, whatever the machine has."""
    monkeypatch.setenv(URL_VARIABLE, "fake")

    async def scenario() -> None:
        async with await connect() as redis:
            assert (redis.kind, redis.url) == ("fake", None)
            assert f"{URL_VARIABLE} asks for it" in redis.detail

    asyncio.run(scenario())
    assert capsys.readouterr().out == "Redis: fakeredis, inside this process.\n"


@posix_only
def test_with_a_program_it_starts_a_private_server(capsys: pytest.CaptureFixture[str]) -> None:
    """The time-outs of its clients hold, and the server and its folder are gone afterwards."""
    need_server()

    async def scenario() -> Path:
        async with await connect() as redis:
            assert redis.kind == "private"
            client = redis.client()
            await client.set("k", "v")
            assert await client.get("k") == b"v"
            with pytest.raises(exceptions.TimeoutError):
                await client.blpop("nothing", timeout=5)
            assert redis.url is not None
            return Path(redis.url.removeprefix("unix://"))

    path = asyncio.run(scenario())
    assert not path.parent.exists()
    assert not accepts(path)
    assert capsys.readouterr().out == "Redis: a private server, started for this notebook and ended with it.\n"


@posix_only
@pytest.mark.parametrize("start", ["tcp", "unix"])
def test_on_a_server_it_deletes_its_own_keys_only(
    start: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On a server that the lab did not start, keys below the prefix and their leases are deleted, and no other keys."""
    binary, port = need_server(), free_port()

    async def scenario() -> None:
        server = await PrivateServer.start(binary, "--port", str(port), "--requirepass", "secret")
        url = f"redis://:secret@127.0.0.1:{port}" if start == "tcp" else f"unix://:secret@{server.path}"
        monkeypatch.setenv(URL_VARIABLE, url)
        redis, other = await connect(), await connect()
        assert redis.kind == other.kind == "server"
        assert redis.prefix != other.prefix
        assert "secret" not in f"{redis.detail}{redis.url}"
        client = redis.client()
        for number in range(50):
            await client.set(f"{redis.prefix}{number}", "ours")
            await client.set(f"{{{redis.prefix}u:v1:{number}}}:lease", "ours")
        await client.set("theirs", 1)
        await client.set(other.prefix + "1", 1)
        await redis.aclose()
        assert sorted(await other.client().keys("*")) == sorted([(other.prefix + "1").encode(), b"theirs"])
        server.close()
        with pytest.raises(RedisNotUsable, match="Once it is back, delete the keys that begin with 'cachelab\\."):
            await other.aclose()

    asyncio.run(scenario())
    assert capsys.readouterr().out == 2 * f"Redis: the server that {URL_VARIABLE} names.\n"


@posix_only
def test_a_cluster_is_recognised(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A server that is part of a cluster gets a client for clusters, and no key below the prefix is left on it."""
    binary = need_server()
    port = next(port for port in iter(free_port, 0) if port <= 55_535)  # it also listens on a port 10,000 higher

    async def scenario() -> None:
        server = await PrivateServer.start(binary, "--port", str(port), "--cluster-enabled", "yes")
        node: Any = Redis(port=port, decode_responses=True)
        async with node as one:
            await one.execute_command("CLUSTER", "ADDSLOTS", *range(16384))
            while "cluster_state:ok" not in str(await one.execute_command("CLUSTER", "INFO")).replace("': '", ":"):
                await asyncio.sleep(0.01)
        monkeypatch.setenv(URL_VARIABLE, f"redis://127.0.0.1:{port}")
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
    assert capsys.readouterr().out == f"Redis: the cluster that {URL_VARIABLE} names.\n"


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("localhost:6379", "is not a URL of a Redis: write it like redis://localhost:6379"),
        ("http://localhost:6379", "is not a URL of a Redis"),
        ("redis://localhost:port", "is not a URL of a Redis"),
        ("redis://", "is not a URL of a Redis"),
        ("unix://", "is not a URL of a Redis"),
        ("redis://127.0.0.1:{free}", "No Redis answers at 127.0.0.1:{free}: start it there, correct"),
        ("redis://user:secret@127.0.0.1:{free}", "No Redis answers at 127.0.0.1:{free}: start it there, correct"),
        ("redis://user:secret#s@127.0.0.1:{free}", "In a password, write '#' as %23"),
        ("redis://user:secret/s@127.0.0.1:{free}", "In a password, write '#' as %23"),
        ("redis://user:secret?s@127.0.0.1:{free}", "In a password, write '#' as %23"),
        ("redis://user:secret[s@127.0.0.1:{free}", "In a password, write '#' as %23"),
        ("redis://user:s#secret@127.0.0.1:{free}", "In a password, write '#' as %23"),
        ("redis://user:1/secret@127.0.0.1:{free}", "In a password, write '#' as %23"),
        ("redis://secret:1#s@127.0.0.1:{free}", "In a password, write '#' as %23"),
        ("redis://user:s@secret/s@127.0.0.1:{free}", "In a password, write '#' as %23"),
        ("unix://user:1/secret@/run/redis.sock", "In a password, write '#' as %23"),
        ("unix://user:secret#s@/run/redis.sock", "In a password, write '#' as %23"),
        ("redis://user:secret@127.0.0.1:{free}?socket_timeout=secret", "In a password, write '#' as %23"),
    ],
)
def test_a_wrong_url_ends_in_a_sentence(url: str, sentence: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """For a malformed URL, or one where nothing answers, a sentence says what to do. Nothing shows the password."""
    port = str(free_port())
    monkeypatch.setenv(URL_VARIABLE, url.replace("{free}", port))
    with pytest.raises(RedisNotUsable) as raised:
        asyncio.run(connect())
    assert sentence.replace("{free}", port) in str(raised.value)
    assert "secret" not in "".join(format_exception(raised.value))  # a notebook stores it whole


@posix_only
def test_a_unix_url_without_a_server_ends_in_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sentence names the path, whether there is nothing at the path or a plain file."""
    (tmp_path / "file").touch()
    for name in ("free", "file"):
        monkeypatch.setenv(URL_VARIABLE, f"unix://{tmp_path / name}")
        with pytest.raises(RedisNotUsable, match=f"No Redis answers at .*{name}: start it there"):
            asyncio.run(connect())


@posix_only
@pytest.mark.parametrize("password", ["", ":wrong@"])
def test_a_wrong_password_is_named(password: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sentence says that the password is wrong, or that one is needed, and not that nothing answers."""
    binary, port = need_server(), free_port()

    async def scenario() -> None:
        server = await PrivateServer.start(binary, "--port", str(port), "--requirepass", "secret")
        try:
            monkeypatch.setenv(URL_VARIABLE, f"redis://{password}127.0.0.1:{port}")
            with pytest.raises(RedisNotUsable, match="does not accept this user or password: correct"):
                await connect()
        finally:
            server.close()

    asyncio.run(scenario())


def test_another_program_is_not_taken_for_a_redis(monkeypatch: pytest.MonkeyPatch) -> None:
    """A web server at the address ends in a sentence."""

    async def scenario() -> None:
        async def web(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readline()
            writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            await writer.drain()
            writer.close()

        async with await asyncio.start_server(web, "127.0.0.1", 0) as server:
            monkeypatch.setenv(URL_VARIABLE, f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}")
            with pytest.raises(RedisNotUsable, match="is not a Redis that accepts this connection"):
                await connect()

    asyncio.run(scenario())


@posix_only
def test_after_a_broken_program_it_finds_fakeredis(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that is missing, cannot run, or ends at once is passed over, and the detail says so."""
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


@in_virtual_time
async def test_connect_is_refused_in_a_simulation() -> None:
    """In virtual time there are no sockets, and the sentence names what to use there."""
    with pytest.raises(RedisNotUsable, match=r"use lab\.FakeRedis\(\)"):
        await lab.connect()
