"""Sign-ups and filters on three pods: every order of add, commit, rebuild and read, and who is told "not found".

A sign-up adds its key on the pods and commits the row. One pod rebuilds its filter: it begins, reads a snapshot of the
rows, and ends. At some moment after the commit, each pod is asked for the row. The filters and the guards are the real
ones, and the order of the steps is the test's.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from itertools import permutations
from random import Random
from typing import TypeAlias

import pytest

from cachelab import ABSENT, Bloom, Guarded
from tests.support.fakes import in_virtual_time
from tests.support.tiers import tiers

PODS = range(3)
OLD = (1, 2, 3)
SETTLE_S = 1.0
TURNS = 4  # of the loop after each step: enough for a rebuild to come to its next await
Order: TypeAlias = tuple[str, ...]


def orders(*actors: Sequence[str]) -> Iterator[Order]:
    """Every order of the steps of all actors in which each actor keeps its own order."""
    if not any(actors):
        yield ()
    for number, actor in enumerate(actors):
        if actor:
            for rest in orders(*actors[:number], actor[1:], *actors[number + 1 :]):
                yield (actor[0], *rest)


class Pods:
    """Three pods, each with a filter and a guard in front of the same rows. One of them rebuilds its filter.

    `newest` is the newest id that a pod's filter knows of, if the pods let newer ids pass.
    """

    def __init__(self, rebuilds: int, *, by_id: bool = False) -> None:
        self.rebuilds = rebuilds
        self.rows = set(OLD)
        self.newest, self.newest_read = [max(OLD) for _ in PODS], max(OLD)
        self.filters = [Bloom(100, 1e-9) for _ in PODS]
        for known in self.filters:
            for key in OLD:
                known.add(key)
        self.guards = [self._guard(pod, by_id) for pod in PODS]
        self.reads, self.ends = asyncio.Event(), asyncio.Event()
        self.seen: set[int] = set()
        self.rebuild: asyncio.Task[None] | None = None

    def _guard(self, pod: int, by_id: bool) -> Guarded[int, str]:
        async def load(key: int) -> str:
            return f"user {key}"

        return Guarded(load, self.filters[pod], upto=(lambda: self.newest[pod]) if by_id else None)

    async def snapshot(self) -> AsyncGenerator[int, None]:
        """The rows as they are at one moment; they arrive later."""
        await self.reads.wait()
        self.seen = self.rows.copy()
        await self.ends.wait()
        for key in self.seen:
            yield key

    async def denying(self, key: int) -> list[int]:
        """The pods that say of the key that it does not exist."""
        return [pod for pod in PODS if (await self.guards[pod](key)).value is ABSENT]


def begin(pods: Pods) -> None:
    """Our own rebuild, whose wait the order of the steps replaces."""
    pods.rebuild = asyncio.create_task(pods.filters[pods.rebuilds].rebuild(pods.snapshot, settle_s=0.0))


def begin_by_hand(pods: Pods) -> None:
    """A rebuild that reads the rows into a new filter, and then puts it in the place of the old one."""

    async def rebuild() -> None:
        new = Bloom(100, 1e-9)
        async for key in pods.snapshot():
            new.add(key)
        old = pods.filters[pods.rebuilds]
        old._array = new._array

    pods.rebuild = asyncio.create_task(rebuild())


def adds(pod: int) -> Callable[[Pods], None]:
    """The step in which a sign-up adds its key on this pod."""
    return lambda pods: pods.filters[pod].add(4)


Steps: TypeAlias = dict[str, Callable[[Pods], object]]
ADDS = tuple(f"add on {pod}" for pod in PODS)
REBUILD = ("begin", "snapshot", "end")
STEPS: Steps = {
    **{ADDS[pod]: adds(pod) for pod in PODS},
    "commit": lambda pods: pods.rows.add(4),
    "begin": begin,
    "snapshot": lambda pods: pods.reads.set(),
    "end": lambda pods: pods.ends.set(),
}


async def denying(order: Order, pods: Pods, steps: Steps) -> list[int]:
    """Run the steps in this order. Returns the pods that, when they are read, say that the new row does not exist."""
    denied: list[int] = []
    for step in order:
        if step == "read":
            denied = await pods.denying(4)
        else:
            steps[step](pods)
        for _ in range(TURNS):
            await asyncio.sleep(0)
    assert pods.rebuild is not None
    await pods.rebuild
    return denied


def is_before(order: Order, *steps: str) -> bool:
    """Whether these steps come one after the other."""
    places = [order.index(step) for step in steps]
    return places == sorted(places)


def is_late(order: Order, pod: int) -> bool:
    """Whether the commit comes more than `settle_s` after the add on this pod, which the recommended way rules out.

    The key was added before the rebuild began. The rows are read `settle_s` after that, and it is not among them.
    """
    return is_before(order, ADDS[pod], "begin", "snapshot", "commit")


async def count(actors: Sequence[Sequence[str]], steps: Steps, *, may_be_late: bool) -> tuple[int, int, int]:
    """In all orders in which the row is read after its commit, with a rebuild on each pod in turn.

    Returns how many there are, in how many of them a pod says "not found", and how often that is said.
    """
    tried = wrong = said = 0
    for pod in PODS:
        for order in orders(*actors):
            if is_before(order, "commit", "read") and (may_be_late or not is_late(order, pod)):
                denied = await denying(order, Pods(pod), steps)
                tried, wrong, said = tried + 1, wrong + bool(denied), said + len(denied)
    return tried, wrong, said


@in_virtual_time
async def test_nobody_is_told_not_found_if_a_key_is_added_everywhere_and_then_committed() -> None:
    """The recommended way, with the adds in any order: in none of these orders does a pod say it."""
    tried = 0
    for added in permutations(ADDS):
        tried_now, *wrong = await count([(*added, "commit"), REBUILD, ("read",)], STEPS, may_be_late=False)
        assert wrong == [0, 0]
        tried += tried_now
    assert tried == 798


@in_virtual_time
async def test_a_key_is_lost_exactly_if_its_commit_comes_later_than_the_time_to_settle() -> None:
    """The other orders of these steps: as soon as the rebuild has ended, its pod says "not found", and no other pod."""
    for pod in PODS:
        for order in orders((*ADDS, "commit"), REBUILD, ("read",)):
            if is_before(order, "commit", "read"):
                is_lost = is_late(order, pod) and is_before(order, "end", "read")
                assert await denying(order, Pods(pod), STEPS) == [pod] * is_lost


WRONG_WAYS: dict[str, tuple[tuple[str, ...], Callable[[Pods], None], tuple[int, int, int]]] = {
    "never added": (("commit",), begin, (30, 30, 84)),
    "added on one pod": (("add on 0", "commit"), begin, (60, 60, 116)),
    "added after the commit": (("commit", *ADDS), begin, (672, 488, 972)),
    "a rebuild by hand": ((*ADDS, "commit"), begin_by_hand, (133, 50, 50)),
}
"""What a sign-up does, how a rebuild begins, and: how many orders, in how many somebody is told, and how often."""


@pytest.mark.parametrize("way", WRONG_WAYS)
@in_virtual_time
async def test_each_wrong_way_tells_somebody_not_found(way: str) -> None:
    """A key that is not added on all pods before its commit; and a rebuild that does not take adds from its start.

    Orders in which a commit comes too late for the recommended way are counted only where no add comes before it.
    """
    sign_up, begins, counts = WRONG_WAYS[way]
    may_be_late = begins is begin
    assert await count([sign_up, REBUILD, ("read",)], STEPS | {"begin": begins}, may_be_late=may_be_late) == counts


# Ids that grow


def begin_by_id(pods: Pods) -> None:
    """A rebuild of a pod whose guard lets newer ids pass: it uses the newest id that it read when it has ended."""

    async def rebuild() -> None:
        await pods.filters[pods.rebuilds].rebuild(pods.snapshot, settle_s=0.0)
        pods.newest[pods.rebuilds] = pods.newest_read

    pods.rebuild = asyncio.create_task(rebuild())


async def count_by_id(reads_newest: str) -> tuple[int, int]:
    """Two sign-ups take the ids 4 and 5, and commit in any order; no key is added. 4 is read after its commit.

    The newest id is read in the step `reads_newest` of the rebuild. Returns how many orders there are, and in how many
    of them a pod says "not found". In each, what was taken before the rebuild began is committed when the rows are
    read.
    """

    def also_read_newest(pods: Pods) -> None:
        pods.newest_read = max(pods.rows)
        steps[reads_newest](pods)

    steps = STEPS | {"begin": begin_by_id, "take 4": id, "take 5": id}
    steps |= {f"commit {key}": lambda pods, key=key: pods.rows.add(key) for key in (4, 5)}  # type: ignore[misc]
    tried = wrong = 0
    for order in orders(("take 4", "commit 4", "read"), ("take 5", "commit 5"), REBUILD):
        late = [key for key in "45" if is_before(order, f"take {key}", "begin", "snapshot", f"commit {key}")]
        if is_before(order, "take 4", "take 5") and not late:
            denied = await denying(order, Pods(0, by_id=True), steps | {reads_newest: also_read_newest})
            tried, wrong = tried + 1, wrong + bool(denied)
    return tried, wrong


@in_virtual_time
async def test_ids_that_are_newer_than_the_filter_need_no_message() -> None:
    """The newest id is read when the rebuild begins: whatever was taken before it is in the snapshot."""
    assert await count_by_id("begin") == (243, 0)


@in_virtual_time
async def test_the_newest_id_of_the_snapshot_is_too_new() -> None:
    """Rows are not committed in the order of their ids: 5 is in the snapshot, and 4 is not, although it is older."""
    assert await count_by_id("snapshot") == (243, 2)


# At random


class BusyPods(Pods):
    """Pods that all rebuild their filters again and again, while users sign up and are read."""

    def __init__(self, chance: Random, *, by_id: bool) -> None:
        super().__init__(0, by_id=by_id)
        self.chance, self.by_id = chance, by_id
        self.reads_so_far = self.wrong = 0

    async def wait(self, most_s: float) -> None:
        """Sleep for a random time."""
        await asyncio.sleep(most_s * self.chance.random())

    async def rows_of_a_moment(self) -> AsyncGenerator[int, None]:
        """The rows when the query begins; they arrive later."""
        rows = sorted(self.rows)
        for number, key in enumerate(rows):
            if number % 100 == 0:
                await self.wait(0.2)
            yield key

    async def rebuild_for_ever(self, pod: int, settle_s: float) -> None:
        """As the docstring of `Guarded` has it."""
        while True:
            await self.wait(2.0)
            newest = max(self.rows)
            await self.filters[pod].rebuild(self.rows_of_a_moment, settle_s=settle_s)
            self.newest[pod] = newest

    async def sign_up(self, key: int) -> None:
        """Add the key on all pods unless the guards go by ids, commit within a second, and then ask for the row."""
        for pod in self.chance.sample(PODS, 3):
            if not self.by_id:
                self.filters[pod].add(key)
            await self.wait(0.3 * SETTLE_S)
        self.rows.add(key)
        for _ in range(3):
            self.wrong += (await self.guards[self.chance.choice(PODS)](key)).value is ABSENT
            self.reads_so_far += 1
            await self.wait(3.0)


@pytest.mark.parametrize("by_id", [False, True], ids=["added everywhere", "newer ids pass"])
@pytest.mark.parametrize("count", tiers(6_000, quick=300, soak_timeout_s=900))
@in_virtual_time
async def test_at_random_nobody_who_has_signed_up_is_told_not_found(count: int, by_id: bool) -> None:
    """Ten sign-ups a second, all pods rebuilding all the time. Without the time to settle some are told."""
    for settle_s in (SETTLE_S, 0.0):
        pods = BusyPods(Random(f"{count}/{by_id}"), by_id=by_id)
        rebuilds = [asyncio.create_task(pods.rebuild_for_ever(pod, settle_s)) for pod in PODS]
        async with asyncio.TaskGroup() as group:
            for key in range(4, 4 + count):
                group.create_task(pods.sign_up(key))
                await pods.wait(0.2)
        for rebuild in rebuilds:
            rebuild.cancel()
        await asyncio.wait(rebuilds)
        assert pods.reads_so_far == 3 * count
        assert (pods.wrong == 0) == (settle_s == SETTLE_S)
