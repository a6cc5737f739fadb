"""The service of chapter 15 for real: two workers, a Redis, the traffic of a load balancer, and what is done to them.

The client and the workers are on one machine, so they read one clock, `time.time`. The database itself notes when each
user was written: a trigger adds a line to `history` with each new address.
"""

import asyncio
import json
import signal
import sqlite3
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, NamedTuple, TypeVar

import httpx

from cachelab import MISS, LeasedStore, lab, redis_client
from cachelab.lab.real_redis.pods import Pod
from tests.support.servers import RestartableServer

__all__ = ["ROUND_S", "Commit", "RealService", "Traffic", "Visit", "a_round", "running_service"]

T = TypeVar("T")

USERS = 200
NAMESPACE = "service"
REDIS_TIMEOUT_S = 0.25
PATIENCE_S = 10.0
"""After so many seconds the client gives up a request."""
TRIES = 4
"""So often a request is sent if its connections break, each time to another worker as far as there are."""
ROUND_S = 20
HISTORY = """
CREATE TABLE history (number INTEGER PRIMARY KEY, user_id INTEGER, email TEXT, at REAL);
CREATE TRIGGER note_the_time AFTER UPDATE ON users BEGIN
  INSERT INTO history (user_id, email, at) VALUES (NEW.id, NEW.email, (julianday('now') - 2440587.5) * 86400.0);
END;
"""


class Commit(NamedTuple):
    """A line of the history: this user got this address at this second of `time.time`, to a millisecond."""

    user_id: int
    email: str
    at: float


class Visit(NamedTuple):
    """A request and what came of it. `due`, `sent` (the last time) and `ended` are seconds of `time.time`.

    `status`  that of the answer; 0 if there was none
    `email`   the address that was read, or written
    """

    user_id: int
    write: bool
    due: float
    sent: float
    ended: float
    status: int
    email: str


class Worker(Pod):
    """A worker of one release. `url` is where it answers, and `under_way` the requests that it has not answered yet."""

    def __init__(self, number: int, job: dict[str, Any]) -> None:
        super().__init__(number, "web_app.worker_process")
        self.pid = self._process.pid
        self.url = ""
        self.under_way = 0
        self.send(json.dumps(job))

    def wait_until_answering(self) -> None:
        """Return when it takes requests. Raises `PodFailed` if it ends instead."""
        self.url = f"http://127.0.0.1:{int(self.receive())}"

    def end(self) -> int:
        """Ask it to end, as a deploy does, and return its exit code. Raises subprocess.TimeoutExpired after 10 s."""
        self._process.terminate()
        return self._process.wait(10)

    def close(self) -> str:
        """Close its pipes, and return all that it wrote to stderr. It has to have ended."""
        self._stderr.seek(0)
        printed = self._stderr.read().decode(errors="replace")
        self.__exit__()
        return printed


@dataclass
class RealService:
    """Two workers, their Redis and their database, and what was done to them.

    `rotation`  the workers among which a load balancer chooses. One that was killed is still there: nobody knows yet
    `release`   the release of the workers that are started now
    `started`   the process ids of all that was started
    `killed`    the numbers of the workers that were killed
    `deploys`   how many there were
    `away`      from when to when Redis was killed or hung, in seconds of `time.time`
    `failing`   the same for the database
    `printed`   what the workers have written to stderr
    """

    server: RestartableServer
    database: str
    stack: ExitStack = field(repr=False)
    rotation: list[Worker] = field(default_factory=list)
    release: int = 1
    started: list[int] = field(default_factory=list)
    killed: set[int] = field(default_factory=set)
    deploys: int = 0
    away: list[tuple[float, float]] = field(default_factory=list)
    failing: list[tuple[float, float]] = field(default_factory=list)
    printed: str = ""
    _workers: int = 0
    _one_at_a_time: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def start_worker(self) -> None:
        """Start a worker of the current release. It is in rotation when it answers."""
        self._workers += 1
        job = {"database": self.database, "namespace": NAMESPACE, "release": self.release, "is_cluster": False}
        job |= {"url": f"unix://{self.server.path}", "timeout_s": REDIS_TIMEOUT_S}
        worker = Worker(self._workers, job)
        self.stack.enter_context(worker)
        self.started.append(worker.pid)
        await to_its_end(worker.wait_until_answering)
        self.rotation.append(worker)

    async def start_redis(self) -> None:
        """Start the server, empty."""
        await to_its_end(self.server.start)
        self.started.append(self.server.pid)

    async def kill_a_worker(self) -> None:
        """SIGKILL for the worker that has run longest. A new one is started, and then takes its place."""
        async with self._one_at_a_time:
            worker = self.rotation[0]
            self.killed.add(worker.number)
            worker.kill()
            await self.start_worker()
            self.rotation.remove(worker)
            self.printed += worker.close()

    async def deploy(self) -> None:
        """Replace the workers by those of the next release, one by one. None gets a request after it was told to end.

        Raises AssertionError if one of them does not end as it was asked to.
        """
        async with self._one_at_a_time:
            self.release += 1
            for worker in list(self.rotation):
                await self.start_worker()
                await self.end(worker)
            self.deploys += 1

    async def end(self, worker: Worker) -> None:
        """Take it out of rotation, and end it when it has answered what was sent to it."""
        self.rotation.remove(worker)
        while worker.under_way:
            await asyncio.sleep(0.01)
        code = await to_its_end(worker.end)
        self.printed += worker.close()
        assert code in (0, -signal.SIGTERM), f"worker {worker.number} ended with code {code}"

    async def kill_redis(self, seconds: float) -> None:
        """SIGKILL for the server, which starts again, empty, so many seconds later."""
        began = time.time()
        await to_its_end(self.server.kill)
        await asyncio.sleep(seconds)
        await self.start_redis()
        self.away.append((began, time.time()))

    async def hang_redis(self, seconds: float) -> None:
        """Stop the server for so many seconds: it takes what is sent, and answers later."""
        began = time.time()
        self.server.hang()
        await asyncio.sleep(seconds)
        self.server.resume()
        self.away.append((began, time.time()))

    async def fail_the_database(self, seconds: float) -> None:
        """For so many seconds each query is an error. No worker starts meanwhile: it would make a new table."""
        async with self._one_at_a_time:
            began = time.time()
            self._sql("ALTER TABLE users RENAME TO users_elsewhere")
            await asyncio.sleep(seconds)
            self._sql("ALTER TABLE users_elsewhere RENAME TO users")
            self.failing.append((began, time.time()))

    def history(self) -> list[Commit]:
        """All commits, in their order."""
        return [Commit(*row) for row in self._sql("SELECT user_id, email, at FROM history ORDER BY number")]

    def notes(self) -> int:
        """How many notes are in the outbox."""
        return len(self._sql("SELECT number FROM outbox"))

    async def old_entries(self) -> list[str]:
        """A sentence for each entry in Redis that differs from its row. Ask when nothing is written."""
        rows, wrong = dict(self._sql("SELECT id, email FROM users")), []
        async with redis_client(f"unix://{self.server.path}", timeout_s=5.0) as redis:
            for version in (self.release - 1, self.release, self.release + 1):
                async with LeasedStore(redis, lab.Profile, namespace=NAMESPACE, version=version) as store:
                    for user_id in range(1, USERS + 1):
                        entry = await store.get(user_id)
                        if entry is not MISS and entry.value.email != rows[user_id]:
                            wrong.append(f"release {version}: user {user_id} is {entry.value.email}")
        return wrong

    def _sql(self, statement: str) -> list[Any]:
        with closing(sqlite3.connect(self.database, timeout=20)) as connection, connection:
            return connection.execute(statement).fetchall()


class Traffic:
    """Visitors that come when they come, and a load balancer that sends each to one of the workers in turn.

    `visits`    each request, in the order of their ends
    `broken`    for each connection that broke or was refused, the number of the worker, and the second of `time.time`
    """

    def __init__(self, service: RealService) -> None:
        self.visits: list[Visit] = []
        self.broken: list[tuple[int, float]] = []
        self._service = service
        self._turn = 0

    async def run(self, *, rate: float, write_rate: float, seconds: float, seed: int) -> None:
        """So many reads and writes a second. Each is sent when it is due, whatever became of those before."""
        workload = lab.Workload(rate=rate, write_rate=write_rate, seconds=seconds, keys=USERS, seed=seed)
        # The client closes an idle connection before the worker does, which is after 5 s.
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=50, keepalive_expiry=2)
        loop, began_at = asyncio.get_running_loop(), time.time()
        began = loop.time()
        async with httpx.AsyncClient(timeout=PATIENCE_S, limits=limits) as client, asyncio.TaskGroup() as visitors:
            for number, request in enumerate(workload.requests()):
                await asyncio.sleep(began + request.when - loop.time())
                write = number if request.write else None
                visitors.create_task(self._visit(client, request.key, began_at + request.when, write))

    async def _visit(self, client: httpx.AsyncClient, user_id: int, due: float, write: int | None) -> None:
        tried: list[Worker] = []
        status, email = 0, ""
        while len(tried) < TRIES and not status:
            worker = self._next(tried)
            tried.append(worker)
            email = f"{write}.{len(tried)}@example.com"  # each attempt writes an address of its own
            sent = time.time()
            worker.under_way += 1
            try:
                url = f"{worker.url}/users/{user_id}"
                answer = await (client.get(url) if write is None else client.put(url, json={"email": email}))
            except httpx.TimeoutException:
                break
            except httpx.TransportError:
                self.broken.append((worker.number, time.time()))
            else:
                status = answer.status_code
                if write is None:
                    email = answer.json()["email"] if status == 200 else ""
            finally:
                worker.under_way -= 1
        self.visits.append(Visit(user_id, write is not None, due, sent, time.time(), status, email))

    def _next(self, tried: list[Worker]) -> Worker:
        self._turn += 1
        workers = [worker for worker in self._service.rotation if worker not in tried] or self._service.rotation
        return workers[self._turn % len(workers)]


async def a_round(service: RealService, chance: Random) -> None:
    """Twenty seconds: Redis is killed, later it hangs, and about then a worker is killed; a deploy; no database."""
    loop = asyncio.get_running_loop()
    began, hang_at, hang_s, away_s = loop.time(), chance.uniform(7, 9), chance.uniform(1, 3), chance.uniform(0.2, 2)
    plan: list[tuple[float, Callable[[], Any]]] = [
        (chance.uniform(1, 3), lambda: service.kill_redis(away_s)),
        (chance.uniform(1, 9), service.deploy),
        (hang_at, lambda: service.hang_redis(hang_s)),
        (hang_at + chance.uniform(-0.5, hang_s + 0.5), service.kill_a_worker),
        (chance.uniform(13, 15), lambda: service.fail_the_database(chance.uniform(0.2, 1))),
    ]

    async def carry_out(second: float, action: Callable[[], Any]) -> None:
        await asyncio.sleep(began + second - loop.time())
        await action()

    async with asyncio.TaskGroup() as actions:
        for second, action in plan:
            actions.create_task(carry_out(second, action))
    await asyncio.sleep(began + ROUND_S - loop.time())


@asynccontextmanager
async def running_service() -> AsyncIterator[RealService]:
    """Two workers and an empty Redis. Whatever happens, all processes have ended at the end of the block."""
    with tempfile.TemporaryDirectory(prefix="soak", ignore_cleanup_errors=True) as folder, ExitStack() as stack:
        server = RestartableServer(folder)
        stack.callback(server.stop)
        (Path(folder) / "rows").mkdir()  # a worker that outlives this process removes the folder of the database
        database = lab.ProfileDatabase(Path(folder) / "rows" / "users.db", users=USERS).path
        with closing(sqlite3.connect(database)) as connection:
            connection.executescript(HISTORY)
        service = RealService(server, database, stack)
        await service.start_redis()
        await asyncio.gather(service.start_worker(), service.start_worker())
        yield service


async def to_its_end(function: Callable[[], T]) -> T:
    """What the function returns. It runs in a thread, and a cancellation waits for its end."""
    running = asyncio.ensure_future(asyncio.to_thread(function))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait([running])
        raise
