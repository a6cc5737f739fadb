"""A Redis Cluster for tests: three masters, which share all slots and end with the test process."""

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

from tests.support.servers import need_server, running_server, wait_until_accepting

HOST = "127.0.0.1"
SLOTS = 16_384
BUS_OFFSET = 10_000
"""A node talks to the other nodes on a second port, its bus, whose number is higher by this much."""


@dataclass(frozen=True)
class Node:
    """A master: its port, its process id, its id in the cluster, and the slots that it has at first."""

    port: int
    pid: int
    id: str
    slots: range

    def run(self, *command: object) -> Any:
        """Run one command on this node, and return the answer as text."""
        return _run(self.port, *command)


@dataclass(frozen=True)
class RealCluster:
    """Three masters. `url` names the first one, and a client learns of the others from it."""

    nodes: tuple[Node, ...]

    @property
    def url(self) -> str:
        return f"redis://{HOST}:{self.nodes[0].port}"

    def first_owner(self, slot: int) -> Node:
        """The node that had the slot when the cluster began."""
        return next(node for node in self.nodes if slot in node.slots)

    def begin_move(self, slot: int, to: Node) -> None:
        """Move the keys of a slot away from its first owner, which then redirects clients to the new one (ASK)."""
        owner = self.first_owner(slot)
        to.run("CLUSTER", "SETSLOT", slot, "IMPORTING", owner.id)
        owner.run("CLUSTER", "SETSLOT", slot, "MIGRATING", to.id)
        if keys := owner.run("CLUSTER", "GETKEYSINSLOT", slot, 1_000):
            owner.run("MIGRATE", HOST, to.port, "", 0, 5_000, "KEYS", *keys)

    def end_move(self, slot: int, to: Node) -> None:
        """Give the slot to its new owner. A client that asks the old owner is told so (MOVED)."""
        for node in (to, *(node for node in self.nodes if node is not to)):
            node.run("CLUSTER", "SETSLOT", slot, "NODE", to.id)


@contextmanager
def real_cluster() -> Iterator[RealCluster]:
    """Run an empty cluster. When a node ends, its slots are lost, and the other nodes go on."""
    binary = need_server()
    with ExitStack() as stack:
        nodes = []
        for number in range(3):
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="cluster"))
            port = free_port_with_bus()
            options = ["--bind", HOST, "--port", str(port), "--dir", folder, "--save", "", "--appendonly", "no"]
            options += ["--cluster-enabled", "yes", "--cluster-require-full-coverage", "no"]
            pid = stack.enter_context(running_server(str(binary), *options))
            wait_until_accepting((HOST, port))
            slots = range(SLOTS * number // 3, SLOTS * (number + 1) // 3)
            nodes.append(Node(port, pid, _run(port, "CLUSTER", "MYID"), slots))
        for epoch, node in enumerate(nodes, 1):
            node.run("CLUSTER", "SET-CONFIG-EPOCH", epoch)
            node.run("CLUSTER", "ADDSLOTS", *node.slots)
        for node in nodes[1:]:
            node.run("CLUSTER", "MEET", HOST, nodes[0].port)
        _wait_until_whole(nodes)
        yield RealCluster(tuple(nodes))


@contextmanager
def node_with_all_slots() -> Iterator[int]:
    """Run a cluster of one node, and yield its port. A client that knows nothing of clusters can use it, too."""
    port = free_port_with_bus()
    options = ["--bind", HOST, "--port", str(port), "--cluster-enabled", "yes", "--save", ""]
    with tempfile.TemporaryDirectory() as folder, running_server(str(need_server()), *options, "--dir", folder):
        wait_until_accepting((HOST, port))
        _run(port, "CLUSTER", "ADDSLOTS", *range(SLOTS))
        while "cluster_state:ok" not in _run(port, "CLUSTER", "INFO"):
            time.sleep(0.01)
        yield port


def cluster_client(url: str, timeout_s: float = 5.0) -> RedisCluster:
    """A client as a cache needs it. It never retries, but follows keys that have moved."""
    retry = Retry(NoBackoff(), 0)
    return RedisCluster.from_url(url, socket_timeout=timeout_s, socket_connect_timeout=timeout_s, retry=retry)


def need_listening_clients() -> None:
    """Skip the test if the client of a cluster cannot listen: leases and the bus need redis-py 8 there, and say so."""
    if not hasattr(RedisCluster, "pubsub"):
        pytest.skip("redis-py before 8 cannot listen on a cluster")


def free_port_with_bus() -> int:
    """A TCP port that is free now, and so is the port of its bus."""
    while True:
        with socket.socket() as client_side, socket.socket() as bus_side:
            client_side.bind((HOST, 0))
            port = int(client_side.getsockname()[1])
            try:
                bus_side.bind((HOST, port + BUS_OFFSET))
            except (OSError, OverflowError):  # it is in use, or above the last port
                continue
            return port


def _wait_until_whole(nodes: list[Node], seconds: float = 30.0) -> None:
    """Wait until every node knows the others, and which node has which slots."""
    deadline = time.monotonic() + seconds
    whole = {(node.slots[0], node.slots[-1], node.port) for node in nodes}
    while True:
        infos = [node.run("CLUSTER", "INFO") for node in nodes]
        views = [{(first, last, owner[1]) for first, last, owner, *_ in node.run("CLUSTER", "SLOTS")} for node in nodes]
        if all("cluster_state:ok" in info for info in infos) and all(view == whole for view in views):
            return
        if time.monotonic() > deadline:
            pytest.fail(f"The cluster was not whole after {seconds:.0f} seconds. Its nodes say: {infos} {views}")
        time.sleep(0.02)


def _run(port: int, *command: object) -> Any:
    with Redis(host=HOST, port=port, decode_responses=True) as redis:
        return redis.execute_command(*command)
