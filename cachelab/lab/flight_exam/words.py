"""The words of the single-flight exam: keys that can be watched, steps, answers, and how errors are told."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from typing import Any

__all__ = ["Answer", "Fails", "Hangs", "Key", "NotApplicable", "OriginDown", "Step", "one_of", "sentence"]

_numbers = itertools.count(1)  # also for those who make strings of their keys


class OriginDown(Exception):
    """What a load raises when the script lets it fail."""


class Fails(Exception):
    """What was seen that should not be."""


class NotApplicable(Exception):
    """Why an item cannot be judged here."""


class Hangs(Exception):
    """Somebody waits for ever; the text says who."""


class Key:
    """A key that is equal to nothing else, and that can be watched: does anybody still hold it?"""

    def __init__(self) -> None:
        self._number = next(_numbers)

    def __repr__(self) -> str:
        return f"key {self._number}"


@dataclass
class Step:
    """Who did what; `count` tells how many did so in the same phase of the script."""

    phase: int
    actor: str
    did: str
    count: int = 1


@dataclass(frozen=True)
class Answer:
    """What a caller was given: a value, or an error (then the value is None)."""

    value: Any
    error: BaseException | None = None


def sentence(error: BaseException) -> str:
    """An error in words without addresses and numbers of keys: "KeyError: the key"."""
    text = re.sub(r"( object)? at 0x[0-9a-fA-F]+", "", re.sub(r"\bkey \d+", "the key", str(error))).strip().splitlines()
    return f"{type(error).__name__}: {text[0][:80]}" if text else type(error).__name__


def one_of(name: str) -> str:
    """The beginning of a sentence about somebody of that name."""
    return "One of the callers" if name == "callers" else name[0].upper() + name[1:]
