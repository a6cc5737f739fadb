"""Exercise 4.1: SIEVE, on the same requests as the real one and the policies it is often mistaken for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from cachelab.eviction import SIEVE
from cachelab.lab.exercises.exercise import Exercise, NotYet, Wrong
from cachelab.lab.text import evidence_table

__all__ = ["EXERCISE", "MISTAKEN"]

LETTERS = "ABCDEFGH"


def _traces() -> list[tuple[int, str]]:
    """A bound and the requests: short ones first, so that a counter-example is short."""
    chance = Random("sieve")
    found = []
    for length in (8, 12, 16, 40):
        for _ in range(12):
            bound = chance.choice([2, 3, 4])
            found.append((bound, "".join(chance.choice(LETTERS[: bound + 3]) for _ in range(length))))
    return found


TRACES = _traces()


class _Queue:
    """A queue with marks and a hand, oldest first; the subclasses each get one thing wrong."""

    born_marked = stays = False
    moves_on_hit = looks = restarts = wraps_late = skips = backwards = False

    def __init__(self, bound: int) -> None:
        self.queue: list[str] = []
        self.marked: set[str] = set()
        self.hand = 0

    def hit(self, key: str) -> None:
        self.marked.add(key)
        if self.moves_on_hit:
            self.queue.remove(key)
            self.queue.append(key)

    def add(self, key: str) -> None:
        self.queue.append(key)
        if self.born_marked:
            self.marked.add(key)

    def evict(self) -> str:
        queue = self.queue
        self.hand = -1 if self.backwards else 0 if self.restarts else self.hand % len(queue)
        while self.looks and queue[self.hand] in self.marked:
            self.marked.remove(queue[self.hand])
            if self.backwards:
                self.hand = (self.hand - 1) % len(queue)
            elif self.stays:
                self.hand = (self.hand + 1) % len(queue)
            else:
                queue.append(queue.pop(self.hand))
        key = queue.pop(self.hand)
        self.marked.discard(key)
        self.hand += self.skips
        if self.hand >= len(queue) and not self.wraps_late:
            self.hand = 0
        return key


class _LRU(_Queue):
    moves_on_hit = restarts = True


class _FIFO(_Queue):
    restarts = True


class _SecondChance(_Queue):
    looks = restarts = True


class _Restarts(_Queue):
    looks = stays = restarts = True


class _BornMarked(_Queue):
    looks = stays = born_marked = True


class _WrapsLate(_Queue):
    looks = stays = wraps_late = True


class _Skips(_Queue):
    looks = stays = skips = True


class _Backwards(_Queue):
    looks = stays = backwards = True


class _MarksAndMoves(_Queue):
    looks = stays = moves_on_hit = True


MISTAKEN: list[tuple[type[_Queue], str]] = [
    (_LRU, "This is LRU: a hit moves the key to the end. In SIEVE a hit only sets a mark, and nobody moves."),
    (_FIFO, "This is FIFO: the oldest leaves, marked or not. Who has a mark loses it and stays; the hand moves on."),
    (
        _SecondChance,
        "This is second chance (CLOCK): your survivors go to the newest end. In SIEVE they stay where they are.",
    ),
    (
        _Restarts,
        "Your hand starts at the oldest each time. It has to rest where the last one left, and go on from there.",
    ),
    (
        _BornMarked,
        "Your new keys come in with a mark. A hit earns it; else a scan looks as popular as the rest.",
    ),
    (_Skips, "Your hand moves on once more after the eviction, and passes a key over that it has not looked at."),
    (_Backwards, "Your hand walks from the newest to the oldest: newcomers leave before they had a chance."),
    (_MarksAndMoves, "A hit sets the mark, and moves the key as well: in SIEVE nobody moves."),
    (
        _WrapsLate,
        (
            "Past the newest the hand goes back to the oldest at once. Yours waits at the end and meets the key that "
            "comes next, who had no chance yet."
        ),
    ),
]


def _play(policy: Any, bound: int, requests: str) -> list[str]:
    """What each request did: "hit", "comes", or who had to leave."""
    inside: set[str] = set()
    did = []
    for key in requests:
        if key in inside:
            policy.hit(key)
            did.append("hit")
            continue
        left = policy.evict() if len(inside) == bound else None
        if len(inside) == bound and left not in inside:
            raise Wrong("evict() has to return the key that leaves, one that is in.", f"It returned {left!r}.")
        if left is not None:
            inside.remove(left)
        policy.add(key)
        inside.add(key)
        did.append(f"{left} leaves" if left else "comes")
    return did


def _all(make: Callable[[int], Any]) -> list[list[str]]:
    return [_play(make(bound), bound, requests) for bound, requests in TRACES]


def _queue(bound: int, requests: Sequence[str]) -> str:
    sieve: SIEVE[str] = SIEVE(bound)
    for key in requests:
        if key in sieve.resident:
            sieve.hit(key)
            continue
        if len(sieve) == bound:
            sieve.evict()
        sieve.add(key)
    hand = getattr(sieve._hand, "key", next(iter(sieve.resident)))
    marks = ((key, "*" if node.visited else "") for key, node in sieve.resident.items())
    return " ".join(f"[{key}{mark}]" if key == hand else f"{key}{mark}" for key, mark in marks)


def examine(make: Any) -> str:
    """Replay short traces; where an eviction differs, show the steps that lead there, and whose evictions they are."""
    if make is ...:
        raise NotYet("write the name of your class in place of the ...")
    if not callable(make):
        raise Wrong("The check needs the class itself, without ().", f"It was given {type(make).__name__}.")
    expected, got = _all(SIEVE), _all(make)
    if got == expected:
        return f"Your evictions are SIEVE's in all {len(TRACES)} traces."
    words = "These are not SIEVE's evictions, and nobody's I know: read the steps, the marked one differs."
    words = next((named for model, named in MISTAKEN if got == _all(model)), words)
    first = {
        number: next(i for i, (a, b) in enumerate(zip(got[number], expected[number], strict=True)) if a != b)
        for number in range(len(TRACES))
        if got[number] != expected[number]
    }
    number = min(first, key=lambda one: (first[one], one))
    bound, requests = TRACES[number]
    rows = [
        [requests[i], got[number][i], expected[number][i], _queue(bound, requests[: i + 1])]
        for i in range(first[number] + 1)
    ]
    header = [f"request ({bound} places)", "yours", "SIEVE", "SIEVE's queue after it, * mark, [ ] hand"]
    raise Wrong(words, evidence_table(header, rows, len(rows) - 1))


EXERCISE = Exercise(
    examine,
    [
        "Three changes: what a hit does, what a hand is, and what evict does on its way.",
        "A hit puts the key into a set. evict moves the hand: who is in the set leaves it and stays in the queue.",
        "After queue.pop(hand) the hand already points at the next newer key; past the newest it goes back to 0.",
    ],
)
