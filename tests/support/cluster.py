"""A Redis Cluster for tests: three masters of our own, which share all slots and die with the test process."""

import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from redis import Redis
from redis.asyncio import RedisCluster
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from tests.support.servers import guarded, need_server, wait_for

HOST = "127.0.0.1"
SLOTS = 16_384
BUS = 10_000
"""The nodes talk to each other on a second port, which has this much more."""


@dataclass(frozen=True)
class Node:
    """A master: its port, the process, its id in the cluster, and its first slots."""

    port: int
    pid: int
    id: str
    slots: range

    def ask(self, *command: object) -> Any:
        """The answer to one command, as text."""
        return _ask(self.port, *command)


@dataclass(frozen=True)
class RealCluster:
    """Three masters. `url` names the first; a client finds the others by asking it."""

    nodes: tuple[Node, ...]

    @property
    def url(self) -> str:
        return f"redis://{HOST}:{self.nodes[0].port}"

    def owner(self, slot: int) -> Node:
        """Who was given the slot when the cluster began."""
        return next(node for node in self.nodes if slot in node.slots)

    def begin_move(self, slot: int, to: Node) -> None:
        """Move the keys of a slot from its first owner, who sends whoever asks for one of them to the new one (ASK)."""
        of = self.owner(slot)
        to.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", of.id)
        of.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", to.id)
        if keys := of.ask("CLUSTER", "GETKEYSINSLOT", slot, 1_000):
            of.ask("MIGRATE", HOST, to.port, "", 0, 5_000, "KEYS", *keys)

    def end_move(self, slot: int, to: Node) -> None:
        """Give the slot to its new owner. Clients learn it when they ask the old one (MOVED)."""
        for node in (to, *(node for node in self.nodes if node is not to)):
            node.ask("CLUSTER", "SETSLOT", slot, "NODE", to.id)


@contextmanager
def real_cluster() -> Iterator[RealCluster]:
    """An empty cluster. A node that dies takes its own slots with it, and the others go on."""
    binary = need_server()
    with ExitStack() as stack:
        nodes = []
        for number in range(3):
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="cluster"))
            port = free_port_with_bus()
            options = ["--bind", HOST, "--port", str(port), "--dir", folder, "--save", "", "--appendonly", "no"]
            options += ["--cluster-enabled", "yes", "--cluster-require-full-coverage", "no"]
            pid = stack.enter_context(guarded(str(binary), *options))
            wait_for((HOST, port))
            slots = range(SLOTS * number // 3, SLOTS * (number + 1) // 3)
            nodes.append(Node(port, pid, _ask(port, "CLUSTER", "MYID"), slots))
        for epoch, node in enumerate(nodes, 1):
            node.ask("CLUSTER", "SET-CONFIG-EPOCH", epoch)
            node.ask("CLUSTER", "ADDSLOTS", *node.slots)
        for node in nodes[1:]:
            node.ask("CLUSTER", "MEET", HOST, nodes[0].port)
        _wait_until_whole(nodes)
        yield RealCluster(tuple(nodes))


@contextmanager
def node_with_all_slots() -> Iterator[int]:
    """The port of a cluster's only node: a client that knows of no clusters can speak with it, too."""
    port = free_port_with_bus()
    options = ["--bind", HOST, "--port", str(port), "--cluster-enabled", "yes", "--save", ""]
    with tempfile.TemporaryDirectory() as folder, guarded(str(need_server()), *options, "--dir", folder):
        wait_for((HOST, port))
        _ask(port, "CLUSTER", "ADDSLOTS", *range(SLOTS))
        while "cluster_state:ok" not in _ask(port, "CLUSTER", "INFO"):
            time.sleep(0.01)
        yield port


def cluster_client(url: str, timeout_s: float = 5.0) -> RedisCluster:
    """A client for the path of a cache. Without retries of its own it still follows keys that have moved."""
    retry = Retry(NoBackoff(), 0)
    return RedisCluster.from_url(url, socket_timeout=timeout_s, socket_connect_timeout=timeout_s, retry=retry)


def free_port_with_bus() -> int:
    """A TCP port on which nobody listens at present, nor on the port of its bus."""
    while True:
        with socket.socket() as one, socket.socket() as other:
            one.bind((HOST, 0))
            port = int(one.getsockname()[1])
            try:
                other.bind((HOST, port + BUS))
            except (OSError, OverflowError):  # taken, or beyond the last port
                continue
            return port


def _wait_until_whole(nodes: list[Node], seconds: float = 30.0) -> None:
    """Wait until every node knows the others and who has which slots."""
    until = time.monotonic() + seconds
    whole = {(node.slots[0], node.slots[-1], node.port) for node in nodes}
    while True:
        infos = [node.ask("CLUSTER", "INFO") for node in nodes]
        views = [{(first, last, owner[1]) for first, last, owner, *_ in node.ask("CLUSTER", "SLOTS")} for node in nodes]
        if all("cluster_state:ok" in info for info in infos) and all(view == whole for view in views):
            return
        if time.monotonic() > until:
            pytest.fail(f"The cluster was not whole after {seconds:.0f} seconds. Its nodes say: {infos} {views}")
        time.sleep(0.02)


def _ask(port: int, *command: object) -> Any:
    with Redis(host=HOST, port=port, decode_responses=True) as redis:
        return redis.execute_command(*command)
