"""Exercise 2.1: right answers, and wrong ones with their mistakes."""

from __future__ import annotations

from typing import Any

import pytest

from cachelab import lab
from tests.support.exercise_checks import assert_evidence_follows, assert_verdict, each_answer


async def nothing(w: lab.World) -> None: ...


async def only_deletes(w: lab.World) -> None:
    await w.delete()


async def only_writes(w: lab.World) -> None:
    await w.write()


async def write_then_delete(w: lab.World) -> None:
    await w.write()
    await w.delete()


async def delete_then_write(w: lab.World) -> None:
    await w.delete()
    await w.write()


async def write_then_set(w: lab.World) -> None:
    await w.fill(await w.write())


async def double_delete(w: lab.World) -> None:
    await w.delete()
    await w.write()
    await w.delete()


async def four_steps(w: lab.World) -> None:
    for _ in range(2):
        await w.write()
        await w.delete()


async def for_ever(w: lab.World) -> None:
    while True:
        await w.write()


ANSWERS: list[tuple[Any, str]] = [
    (write_then_delete, "Correct."),
    (nothing, "Nothing to check yet"),
    (only_deletes, "The writer has to write"),
    (only_writes, "Nothing tells the cache"),
    (delete_then_write, "A delete before the last write is undone"),
    (write_then_set, "the writer that writes last need not be the last to fill"),
    (double_delete, "The first delete makes the cache cold"),
    (for_ever, "took more steps"),
    (four_steps, "At most three steps"),
]


@each_answer(ANSWERS)
def test_each_answer_gets_its_own_words(answer: Any, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The right answers pass, and each wrong one is told its own mistake."""
    assert_verdict("2.1", answer, words, capsys)


def test_wrong_answers_come_with_evidence(capsys: pytest.CaptureFixture[str]) -> None:
    """The sentence about each wrong answer is followed by what happened."""
    assert_evidence_follows("2.1", ANSWERS, capsys)
