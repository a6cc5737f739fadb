"""What the tests of all exercises share: each answer gets its own words, and a wrong one comes with its evidence."""

from collections.abc import Sequence
from typing import Any, TypeAlias

import pytest

from cachelab import lab

__all__ = ["Answers", "assert_evidence_follows", "assert_verdict", "each_answer"]

Answers: TypeAlias = Sequence[tuple[Any, str]]
"""Answers to one exercise, each with words of its verdict; only the words for a right answer begin with "Correct."."""


def each_answer(answers: Answers, *, quick: int = 1) -> pytest.MarkDecorator:
    """Run a test with each `answer` and its `words`. Of a slow check, only every `quick`-th is in the quick tier."""
    cases = []
    for number, (answer, words) in enumerate(answers):
        name = getattr(answer, "__name__", type(answer).__name__)
        marks = [pytest.mark.long] if number % quick else []
        cases.append(pytest.param(answer, words, id=f"{number}-{name}", marks=marks))
    return pytest.mark.parametrize(("answer", "words"), cases)


def assert_verdict(exercise: str, answer: Any, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The verdict has these words, and it begins with "Correct." if and only if they do."""
    lab.check(exercise, answer)
    verdict = " ".join(capsys.readouterr().out.split())
    assert words.lower() in verdict.lower(), verdict
    assert verdict.startswith("Correct.") == words.startswith("Correct.")


def assert_evidence_follows(exercise: str, answers: Answers, capsys: pytest.CaptureFixture[str]) -> None:
    """Each sentence about a wrong answer is followed by what happened, and three or more of them are different.

    A sentence about code that raises, hangs or never ends says where that happened, and nothing follows it.
    """
    sentences = set()
    for answer, words in answers:
        if not words.startswith(("Correct.", "Nothing to check yet")):
            lab.check(exercise, answer)
            sentence, _, evidence = capsys.readouterr().out.partition("\n\n")
            assert sentence.startswith("Not yet.")
            assert evidence.strip() or sentence.startswith("Not yet. Your code")
            sentences.add(sentence)
    assert len(sentences) >= 3
