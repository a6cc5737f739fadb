"""A worker of the service as a process, which `lab.real_workers` starts: python -m cachelab.lab.web_app.worker_process

It reads its job, a line of JSON, and writes the number of its port when it answers there. When its input closes, the
notebook that started it has ended or was killed. Then the process removes the folder of the database, and ends.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import uvicorn

from cachelab.lab.real_redis.url import make_client
from cachelab.lab.web_app.application import create, open_plain_store
from cachelab.lab.web_app.profiles import ProfileDatabase
from cachelab.lab.web_app.releases import store_of_release

__all__ = ["serve"]


async def serve(job: dict[str, Any], answering: Callable[[int], None]) -> None:
    """Serve until the task is cancelled. `answering` is called with the port when the first request may come."""
    namespace = job["namespace"]
    open_store = store_of_release(job["release"]) if "release" in job else open_plain_store
    app = create(
        lambda: ProfileDatabase(job["database"]), lambda: _open_redis(job), namespace=namespace, open_store=open_store
    )
    # Port 0: one that is free. The socket is left to the event loop, which sends the parts of an answer without delay.
    # On one of `socket.create_server` it does not, and each answer takes 40 ms more.
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning", access_log=False)
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:
        if serving.done():
            await serving
            raise RuntimeError("The server has not started.")
        await asyncio.sleep(0.01)
    answering(server.servers[0].sockets[0].getsockname()[1])
    await serving


def _open_redis(job: dict[str, Any]) -> Any:
    """The Redis that all workers share; without one, a fakeredis that belongs to this process."""
    if job["url"] is None:
        from fakeredis import FakeAsyncRedis

        return FakeAsyncRedis()
    return make_client(job["url"], job["timeout_s"], is_cluster=job["is_cluster"])


def _end_with_the_notebook(database: str) -> None:
    while os.read(0, 1):  # not from sys.stdin: while a thread waits inside sys.stdin, Python cannot end
        pass
    shutil.rmtree(Path(database).parent, ignore_errors=True)
    os._exit(1)


if __name__ == "__main__":
    if line := sys.stdin.buffer.readline():
        given = json.loads(line)
        threading.Thread(target=_end_with_the_notebook, args=[given["database"]], daemon=True).start()
        asyncio.run(serve(given, lambda port: print(port, flush=True)))
