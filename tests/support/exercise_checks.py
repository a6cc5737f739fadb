"""What the tests of all exercises ask: each answer gets its own words, and what is wrong comes with its evidence."""

from collections.abc import Sequence
from typing import Any, TypeAlias

import pytest

from cachelab import lab

__all__ = ["Answers", "assert_evidence_follows", "assert_verdict", "each_answer"]

Answers: TypeAlias = Sequence[tuple[str, Any, str]]
"""The name of an exercise, an answer to it, and words of the verdict, "Correct. …" for right ones only."""


def each_answer(answers: Answers) -> pytest.MarkDecorator:
    """A test of `name`, `answer` and `words` for each."""
    ids = [f"{name}-{number}" for number, (name, _, _) in enumerate(answers)]
    return pytest.mark.parametrize(("name", "answer", "words"), answers, ids=ids)


def assert_verdict(name: str, answer: Any, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The words are said; it is called correct if, and only if, they begin with "Correct."."""
    lab.check(name, answer)
    verdict = " ".join(capsys.readouterr().out.split())
    assert words.lower() in verdict.lower()
    assert verdict.startswith("Correct.") == words.startswith("Correct.")


def assert_evidence_follows(name: str, answers: Answers, capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever is wrong with an answer to `name`, the sentence is followed by what happened."""
    for exercise, answer, words in answers:
        if exercise == name and words[:7] not in ("Correct", "Nothing"):
            lab.check(name, answer)
            sentence, _, evidence = capsys.readouterr().out.partition("\n\n")
            assert sentence.startswith("Not yet.")
            assert evidence.strip()
