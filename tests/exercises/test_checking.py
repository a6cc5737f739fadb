"""`lab.check` and `lab.hint`: a check ends in a sentence whatever the code does, and so does a wrong number."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from functools import partial
from typing import Any

import pytest

from cachelab import lab
from cachelab.lab.exercises import checking
from cachelab.lab.sandbox import run_sandboxed
from tests.support.ttl_cache_zoo import Right


class Awaits(Right):
    async def get(self, key: int) -> Any:
        await asyncio.get_running_loop().create_future()


class Sleeps(Right):
    async def get(self, key: int) -> Any:
        time.sleep(3)  # noqa: ASYNC251 - the mistake that the check must survive


class Spins(Right):
    async def get(self, key: int) -> Any:
        while True:
            await asyncio.sleep(1)


class Yields(Right):
    async def get(self, key: int) -> Any:
        while True:
            await asyncio.sleep(0)


class Exits(Right):
    async def get(self, key: int) -> Any:
        raise SystemExit


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Awaits, "waits for something that never comes. Nothing can happen any more: every task waits and no timer "),
        (Awaits, "in get, line "),
        pytest.param(Sleeps, "It was at line ", marks=pytest.mark.long),
        (Spins, "did not come back"),
        pytest.param(Spins, "It was at line ", marks=pytest.mark.long),
        (Yields, "It was at line "),
        (Exits, "Your code raised SystemExit"),
        (lambda: 7, "Your code raised TypeError"),
    ],
)
def test_a_check_ends_in_a_sentence_whatever_the_code_does(
    answer: Any, words: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An endless loop, a deadlock, a blocking call and an exit each get a sentence with the line; stderr is empty."""
    monkeypatch.setattr(checking, "run_sandboxed", partial(run_sandboxed, seconds=0.3))
    lab.check("1.3", answer)
    gc.collect()
    printed = capsys.readouterr()
    assert words in " ".join(printed.out.split())
    assert not printed.err


class CatchesEverything(Right):
    """Nothing can end it from outside, until the test lets it end."""

    over = threading.Event()

    async def get(self, key: int) -> Any:
        while True:
            try:
                while not self.over.is_set():
                    pass
                return None
            except BaseException:
                continue


@pytest.mark.long
def test_what_still_runs_is_named_in_place_of_a_verdict(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """While code of an earlier check runs, a right answer is still right, and a wrong one is not judged."""
    monkeypatch.setattr(checking, "run_sandboxed", partial(run_sandboxed, seconds=0.3))
    lab.check("1.3", CatchesEverything)
    assert "did not come back" in " ".join(capsys.readouterr().out.split())
    monkeypatch.undo()
    lab.check("1.3", dict)
    assert " ".join(capsys.readouterr().out.split()).startswith(
        "Not judged: code of an earlier check, which had not come back, is still running, at line "
    )
    lab.check("1.3", Right)
    assert capsys.readouterr().out.startswith("Correct.")
    CatchesEverything.over.set()
    time.sleep(0.2)
    lab.check("1.3", dict)
    assert capsys.readouterr().out.startswith("Not yet.")


def test_a_call_in_place_of_a_function_gets_a_sentence(
    capsys: pytest.CaptureFixture[str], recwarn: pytest.WarningsRecorder
) -> None:
    """`check("7.1", allow(…))` is not "never awaited", and says that the parentheses are too many."""
    lab.check("7.1", Right(None, 1.0, time.monotonic).get(1))
    assert "without the parentheses" in " ".join(capsys.readouterr().out.split())
    gc.collect()
    assert not recwarn.list


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("1.flow", "There is no exercise '1.flow': chapter 1 has 1.1, 1.2 and 1.3."),
        ("5.survive", "There is no exercise '5.survive': chapter 5 has 5.1 and 5.2."),
        ("5.3", "There is no exercise '5.3': chapter 5 has 5.1 and 5.2."),
        ("5", "There is no exercise '5': chapter 5 has 5.1 and 5.2."),
        ("99.9", "There is no exercise '99.9': chapter 99 has none, and the exercises are 0.1, 0.2, 1.1,"),
        ("", "There is no exercise '': the exercises are 0.1, 0.2, 1.1,"),
        ("ch05_1_survive", "There is no exercise 'ch05_1_survive': the exercises are 0.1, 0.2, 1.1,"),
        (5.1, 'Put the number of the exercise in quotes, for example "5.1": chapter 5 has 5.1 and 5.2.'),
        (5, 'Put the number of the exercise in quotes, for example "5.1": chapter 5 has 5.1 and 5.2.'),
        (99.9, 'Put the number of the exercise in quotes, for example "0.1": chapter 99 has none, and the exercises'),
        (Right, 'The number of the exercise comes first and in quotes, for example "0.1": the exercises are 0.1, 0.2,'),
        (None, 'The number of the exercise comes first and in quotes, for example "0.1": the exercises are 0.1, 0.2,'),
    ],
)
def test_a_wrong_number_gets_one_sentence(name: Any, sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A number that no exercise has, or one without quotes, gets a sentence with the exercises of its chapter."""
    for printing in (partial(lab.check, name, Right), partial(lab.hint, name)):
        printing()
        printed = " ".join(capsys.readouterr().out.split())
        assert printed.startswith(sentence)
        assert printed.count(". ") == 0


def test_hints_come_in_steps(capsys: pytest.CaptureFixture[str]) -> None:
    """Hints are numbered, and a number past the last hint gives the last."""
    lab.hint("1.1", 1)
    lab.hint("1.1", 9)
    hints = capsys.readouterr().out
    assert [hints.count(f"Hint {step} of 3") for step in (1, 2, 3)] == [1, 0, 1]
