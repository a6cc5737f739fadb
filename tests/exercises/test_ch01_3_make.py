"""Exercise 1.3: right answers, also unusual ones, and wrong ones with their mistakes."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.exercise_checks import assert_evidence_follows, assert_verdict, each_answer
from tests.support.ttl_cache_zoo import (
    RIGHT,
    AnswersForAnother,
    DeleteIsAStub,
    DeleteLoads,
    DeleteRaises,
    DeletesAll,
    DeletesNothing,
    DeleteWithoutAwait,
    ForgetsTheAwait,
    KeepsTheOldAfterAnError,
    LoadsNothing,
    LoadsTwice,
    Milliseconds,
    NoneIsNothing,
    PlainDelete,
    PlainGet,
    RaisesAnotherError,
    RemembersErrors,
    ReturnsNothing,
    ReturnsThePair,
    ServesTheOldOnError,
    Stub,
    SwallowsErrors,
    TriesAgain,
)

MUST_REACH = "An error is no value: it must reach the caller as it is"
MUST_LOAD = "after a load that has failed, the next read must load again"

ANSWERS: list[tuple[Any, str]] = [
    *[(right, "Correct.") for right in RIGHT],
    (Stub, "Nothing to check yet: the class still has ..."),
    (DeleteIsAStub, "Nothing to check yet: get is right so far; delete still has ..."),
    (NoneIsNothing, "The origin answered None"),
    (RemembersErrors, MUST_LOAD),
    (KeepsTheOldAfterAnError, MUST_LOAD),
    (ServesTheOldOnError, "the old value is served in place of the error"),
    (SwallowsErrors, MUST_REACH),
    (TriesAgain, MUST_REACH),
    (RaisesAnotherError, "Your code raised LookupError: 13, at line"),
    (ReturnsNothing, "get returns None: is a return missing? Expected here: 'user 42, load 1'"),
    (LoadsNothing, "get returns None, and has not loaded"),
    (LoadsTwice, "One call loads its key twice"),
    (ForgetsTheAwait, "get returns something that still has to be awaited"),
    (PlainGet, "get has to be an async function"),
    (AnswersForAnother, "get(key) has to return what load(key) has returned"),
    (ReturnsThePair, "get(key) has to return what load(key) has returned"),
    (DeletesNothing, "After a delete the next read has to load"),
    (DeletesAll, "A delete of one key drops others with it"),
    (DeleteLoads, "A delete has nothing to load"),
    (DeleteRaises, "Your code raised KeyError: 42, at line"),
    (PlainDelete, "delete has to be an async function"),
    (DeleteWithoutAwait, "delete returns a coroutine that nobody awaits"),
    (Milliseconds, "An entry expires too early: ttl is in seconds"),
]


@each_answer(ANSWERS, quick=3)
def test_each_answer_gets_its_own_words(answer: Any, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The right answers pass, and each wrong one is told its own mistake."""
    assert_verdict("1.3", answer, words, capsys)


@pytest.mark.long
def test_wrong_answers_come_with_evidence(capsys: pytest.CaptureFixture[str]) -> None:
    """The sentence about each wrong answer is followed by what happened."""
    assert_evidence_follows("1.3", ANSWERS, capsys)
