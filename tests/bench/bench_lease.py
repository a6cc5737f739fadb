"""What a cold key costs a fleet: loads, the last answer, and commands sent, with leases and with what others do.

Four processes with fifty callers each ask for the same cold key at once; a load takes 300 ms. The ways take turns. The
peers are set up as their documentation recommends, and without time-outs of their own. MONITOR counts the commands that
clients send; what a script does inside Redis is not sent.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from redis import Redis

from tests.bench.lease_worker import SETTINGS, WAYS
from tests.support.notebooks import ROOT
from tests.support.servers import free_port, need_server, running_server, wait_until_accepting

__all__ = ["LOAD_S", "PROCESSES", "Cost", "measure"]

PROCESSES, CALLERS, LOAD_S = 4, 50, 0.3
HANDSHAKE = ("HELLO", "CLIENT", "AUTH", "SELECT", "PING")
"""What clients send when they connect, and to test a connection."""


@dataclass(frozen=True)
class Cost:
    """Medians over the rounds: the loads of the fleet, the seconds until its last answer, commands sent, and errors."""

    loads: float
    last_s: float
    commands: float
    errors: float


class _Monitor:
    """Counts the commands that reach a server, from the moment it is made."""

    def __init__(self, port: int) -> None:
        self.sent = 0
        self._monitor: Any = Redis(port=port).monitor()  # type: ignore[no-untyped-call]
        self._monitor.__enter__()
        threading.Thread(target=self._count, daemon=True).start()

    def _count(self) -> None:
        try:
            while True:
                seen = self._monitor.next_command()
                is_inside = seen["client_type"] == "lua"
                self.sent += not is_inside and seen["command"].partition(" ")[0].upper() not in HANDSHAKE
        except Exception:  # the server has ended
            return


@contextmanager
def _workers(port: int) -> Iterator[list["subprocess.Popen[str]"]]:
    settings = json.dumps({"port": port, "load_s": LOAD_S, "callers": CALLERS})
    command = [sys.executable, "-m", "tests.bench.lease_worker", settings]
    workers = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        for _ in range(PROCESSES)
    ]
    try:
        yield workers
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()
            assert worker.stdin is not None
            assert worker.stdout is not None
            worker.stdin.close()
            worker.stdout.close()


def _read(worker: "subprocess.Popen[str]") -> Any:
    assert worker.stdout is not None
    return json.loads(worker.stdout.readline())


def measure(rounds: int = 9) -> dict[str, Cost]:
    """The cost of each way that runs here."""
    with ExitStack() as stack:
        port = free_port()
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="bench"))
        options = ["--port", str(port), "--bind", "127.0.0.1", "--dir", folder, "--save", "", "--appendonly", "no"]
        stack.enter_context(running_server(str(need_server()), *options))
        wait_until_accepting(("127.0.0.1", port))
        workers = stack.enter_context(_workers(port))
        ready = [_read(worker) for worker in workers]
        runs = [name for name in WAYS if all(name in ways for ways in ready)]
        monitor = _Monitor(port)
        seen: dict[str, list[tuple[float, ...]]] = {name: [] for name in runs}
        for number in range(rounds + 1):
            for name in runs:
                answers, commands = _one_round(workers, monitor, name, f"{number}")
                if number:  # the first round makes connections
                    loads, last_s, errors = zip(*answers, strict=True)
                    seen[name].append((sum(loads), max(last_s), commands, sum(errors)))
        return {name: Cost(*map(statistics.median, zip(*values, strict=True))) for name, values in seen.items()}


def _one_round(
    workers: list["subprocess.Popen[str]"], monitor: _Monitor, name: str, key: str
) -> tuple[list[list[float]], int]:
    before = monitor.sent
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write(json.dumps([name, key]) + "\n")
        worker.stdin.flush()
    answers = [_read(worker) for worker in workers]
    time.sleep(0.05)  # for what is sent behind the last answer
    return answers, monitor.sent - before


if __name__ == "__main__":
    print(f"{PROCESSES} processes with {CALLERS} callers each, one cold key, a load of {LOAD_S * 1000:.0f} ms, medians")
    for way, cost in measure().items():
        errors = f", {cost.errors:g} errors" if cost.errors else ""
        print(
            f"{way:<20} {cost.loads:>4g} loads  last answer {cost.last_s / LOAD_S:>5.2f} x the load  "
            f"{cost.commands:>6g} commands{errors}   ({SETTINGS[way]})"
        )
