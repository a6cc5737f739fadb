"""Exercise 10.2: right answers, and wrong ones with their mistakes."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.support.exercise_checks import assert_evidence_follows, assert_verdict, each_answer


async def solution(db: Any, pods: Any, user_id: Any) -> None:
    for pod in pods:
        await pod.add(user_id)
    await db.add_user(user_id)
    for pod in pods:
        await pod.delete(user_id)


async def together(db: Any, pods: Any, user_id: Any) -> int:
    await asyncio.gather(*(pod.add(user_id) for pod in pods))
    commit = await db.add_user(user_id)
    await asyncio.gather(*(pod.delete(user_id) for pod in pods))
    return int(commit)


async def task_groups(db: Any, pods: Any, user_id: Any) -> None:
    async with asyncio.TaskGroup() as group:
        for pod in pods:
            group.create_task(pod.add(user_id))
    await db.add_user(user_id)
    async with asyncio.TaskGroup() as group:
        for pod in reversed(pods):
            group.create_task(pod.delete(user_id))


async def deletes_twice(db: Any, pods: Any, user_id: Any) -> None:
    for pod in pods:
        await pod.delete(user_id)
        await pod.add(user_id)
    await db.add_user(user_id)
    await asyncio.wait([asyncio.ensure_future(pod.delete(user_id)) for pod in pods])


async def adds_again(db: Any, pods: Any, user_id: Any) -> None:
    await asyncio.gather(*[pod.add(user_id) for pod in pods])
    try:
        await db.add_user(user_id)
    finally:
        while pods:
            pod = pods.pop()
            await asyncio.gather(pod.add(user_id), pod.delete(user_id))


class Handler:
    """A sign-up as an object."""

    async def __call__(self, db: Any, pods: Any, user_id: Any) -> None:
        await together(db, pods, user_id)


async def as_it_was(db: Any, pods: Any, user_id: Any) -> None:
    for pod in pods:
        await pod.add(user_id)
    await db.add_user(user_id)
    await pods[0].delete(user_id)


async def no_delete(db: Any, pods: Any, user_id: Any) -> None:
    await asyncio.gather(*(pod.add(user_id) for pod in pods))
    await db.add_user(user_id)


async def deletes_before(db: Any, pods: Any, user_id: Any) -> None:
    for pod in pods:
        await pod.add(user_id)
        await pod.delete(user_id)
    await db.add_user(user_id)


async def adds_after(db: Any, pods: Any, user_id: Any) -> None:
    await db.add_user(user_id)
    for pod in pods:
        await pod.add(user_id)
        await pod.delete(user_id)


async def adds_meanwhile(db: Any, pods: Any, user_id: Any) -> None:
    await asyncio.gather(db.add_user(user_id), *(pod.add(user_id) for pod in pods))
    await asyncio.gather(*(pod.delete(user_id) for pod in pods))


async def own_pod(db: Any, pods: Any, user_id: Any) -> None:
    await pods[0].add(user_id)
    await db.add_user(user_id)
    for pod in pods:
        await pod.delete(user_id)


async def forgets_await(db: Any, pods: Any, user_id: Any) -> None:
    for pod in pods:
        pod.add(user_id)
    await db.add_user(user_id)
    for pod in pods:
        await pod.delete(user_id)


async def does_not_wait(db: Any, pods: Any, user_id: Any) -> None:
    for pod in pods:
        await pod.add(user_id)
    await db.add_user(user_id)
    does_not_wait.tasks = [asyncio.create_task(pod.delete(user_id)) for pod in pods]  # type: ignore[attr-defined]


async def signs_nobody_up(db: Any, pods: Any, user_id: Any) -> None:
    for pod in pods:
        await pod.add(user_id)


async def waits_for_ever(db: Any, pods: Any, user_id: Any) -> None:
    await asyncio.get_running_loop().create_future()


async def spins(db: Any, pods: Any, user_id: Any) -> None:
    while True:
        await asyncio.sleep(0)


async def misspells(db: Any, pods: Any, user_id: Any) -> None:
    await db.add_user(userid)  # type: ignore[name-defined] # noqa: F821


def not_async(db: Any, pods: Any, user_id: Any) -> None:
    return None


ANSWERS: list[tuple[Any, str]] = [
    (solution, "Correct."),
    (together, "Correct."),
    (task_groups, "Correct."),
    (deletes_twice, "Correct."),
    (adds_again, "Correct."),
    (Handler(), "Correct."),
    (as_it_was, "No delete has arrived there after the commit"),
    (no_delete, "No delete has arrived there after the commit"),
    (deletes_before, "Your delete came before the commit"),
    (adds_after, "is told after the commit"),
    (adds_meanwhile, "is told after the commit"),
    (own_pod, "No add has arrived at pod 2"),
    (forgets_await, "No add has arrived at pod 1"),
    (does_not_wait, "while messages were still on their way"),
    (signs_nobody_up, "the user is not in the database"),
    (waits_for_ever, "has not returned after a minute"),
    (spins, "Your code did not come back"),
    (misspells, "Your code raised NameError: name 'userid' is not defined, at line"),
    (not_async, "sign_up has to be async"),
    ("sign_up", "Give the check your function"),
    (..., "Nothing to check yet"),
]


@each_answer(ANSWERS, quick=3)
def test_each_answer_gets_its_own_words(answer: Any, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The right answers pass, and each wrong one is told its own mistake."""
    assert_verdict("10.2", answer, words, capsys)


@pytest.mark.long
def test_wrong_answers_come_with_evidence(capsys: pytest.CaptureFixture[str]) -> None:
    """The sentence about each wrong answer is followed by what happened."""
    assert_evidence_follows("10.2", ANSWERS, capsys)
