"""Exercise 4.1: SIEVE, compared with the package's own and with the policies that are often taken for it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from cachelab.eviction import SIEVE
from cachelab.lab.exercises.exercise import Exercise, NotYet, Wrong
from cachelab.lab.text import evidence_table

__all__ = ["EXERCISE", "KNOWN_MISTAKES"]

LETTERS = "ABCDEFGH"


def _make_traces() -> list[tuple[int, str]]:
    """Bounds, each with the requested keys; the short ones first, so that a counter-example is short."""
    random = Random("sieve")
    traces = []
    for length in (8, 12, 16, 40):
        for _ in range(12):
            bound = random.choice([2, 3, 4])
            traces.append((bound, "".join(random.choice(LETTERS[: bound + 3]) for _ in range(length))))
    for bound in (1, 1, 5, 5, 5):
        traces.append((bound, "".join(random.choice(LETTERS[: bound + 3]) for _ in range(60))))
    return traces


TRACES = _make_traces()


class _Queue:
    """A queue of keys, the oldest first, with marks and a hand. Each subclass differs from SIEVE in one point."""

    adds_marked = moves_on_hit = checks_marks = survivors_stay = False
    restarts = wraps_late = skips_one = backwards = False

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
        if self.adds_marked:
            self.marked.add(key)

    def evict(self) -> str:
        queue = self.queue
        self.hand = -1 if self.backwards else 0 if self.restarts else self.hand % len(queue)
        while self.checks_marks and queue[self.hand] in self.marked:
            self.marked.remove(queue[self.hand])
            if self.backwards:
                self.hand = (self.hand - 1) % len(queue)
            elif self.survivors_stay:
                self.hand = (self.hand + 1) % len(queue)
            else:
                queue.append(queue.pop(self.hand))
        key = queue.pop(self.hand)
        self.marked.discard(key)
        self.hand += self.skips_one
        if self.hand >= len(queue) and not self.wraps_late:
            self.hand = 0
        return key


class _LRU(_Queue):
    moves_on_hit = restarts = True


class _FIFO(_Queue):
    restarts = True


class _SecondChance(_Queue):
    checks_marks = restarts = True


class _Restarts(_Queue):
    checks_marks = survivors_stay = restarts = True


class _AddsMarked(_Queue):
    checks_marks = survivors_stay = adds_marked = True


class _WrapsLate(_Queue):
    checks_marks = survivors_stay = wraps_late = True


class _SkipsOne(_Queue):
    checks_marks = survivors_stay = skips_one = True


class _Backwards(_Queue):
    checks_marks = survivors_stay = backwards = True


class _MarksAndMoves(_Queue):
    checks_marks = survivors_stay = moves_on_hit = True


KNOWN_MISTAKES: list[tuple[type[_Queue], str]] = [
    (_LRU, "This is LRU: a hit moves the key to the end. In SIEVE a hit only marks the key, and no key moves."),
    (
        _FIFO,
        "This is FIFO: it evicts the oldest key, marked or not. SIEVE removes the mark and keeps the key.",
    ),
    (
        _SecondChance,
        "This is second chance (CLOCK): your survivors go to the newest end. In SIEVE they stay where they are.",
    ),
    (
        _Restarts,
        "Your hand starts at the oldest key each time. It has to go on from where it evicted the last one.",
    ),
    (
        _AddsMarked,
        "Your new keys are marked at once. Only a hit may mark a key: else a scan looks as popular as the rest.",
    ),
    (
        _SkipsOne,
        "Your hand moves on once more after the eviction, and passes over a key that it has not looked at.",
    ),
    (_Backwards, "Your hand moves from the newest to the oldest: it evicts new keys before they can be hit."),
    (_MarksAndMoves, "A hit sets the mark, and moves the key as well: in SIEVE no key moves."),
    (
        _WrapsLate,
        (
            "Past the newest key the hand goes back to the oldest at once. Yours waits at the end and meets the key "
            "that is added next, before that key can be hit."
        ),
    ),
]
UNNAMED = "These are not SIEVE's evictions, nor those of a known mistake: read the steps; the marked one differs."


def _play(policy: Any, bound: int, requests: str) -> list[str]:
    """What each request did: "hit", "added" for a new key, or "evicts A" for a new key that evicted A."""
    inside: set[str] = set()
    steps = []
    for key in requests:
        if key in inside:
            _refuse_async("hit", policy.hit(key))
            steps.append("hit")
            continue
        evicted = policy.evict() if len(inside) == bound else None
        if len(inside) == bound and not (isinstance(evicted, str) and evicted in inside):
            _refuse_async("evict", evicted)
            raise _not_inside(evicted, requests[: len(steps)])
        if evicted is not None:
            inside.remove(evicted)
        _refuse_async("add", policy.add(key))
        inside.add(key)
        steps.append(f"evicts {evicted}" if evicted else "added")
    return steps


def _refuse_async(name: str, returned: Any) -> None:
    """Raises `Wrong` if a method has returned a coroutine."""
    if inspect.iscoroutine(returned):
        returned.close()
        raise Wrong(f"{name} is a plain function: `def`, not `async def`.", f"{name} returned a coroutine")


def _not_inside(evicted: Any, requests: str) -> Wrong:
    """The verdict on an eviction of something that is not in."""
    evidence = f"It returned {evicted!r:.60}."
    if evicted is None:
        return Wrong("evict returns None: is a return missing?", evidence)
    if isinstance(evicted, str) and evicted in set(LETTERS) - set(requests):
        words = (
            "evict returns a key that this object was never given: the queue belongs to the class, and all objects "
            "share it. Make it in __init__."
        )
        return Wrong(words, evidence)
    return Wrong("evict() has to return the key that it evicts, one that is in the cache.", evidence)


def _play_all(make: Callable[[int], Any]) -> list[list[str]]:
    return [_play(make(bound), bound, requests) for bound, requests in TRACES]


def _sieve_queue(bound: int, requests: Sequence[str]) -> str:
    """SIEVE's queue after these requests, for the last column of the counter-example."""
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


def _first_difference(steps: Sequence[str], expected: Sequence[str]) -> int:
    """The number of the first step that differs, or how many there are if none does."""
    pairs = zip(steps, expected, strict=True)
    return next((number for number, (step, right) in enumerate(pairs) if step != right), len(expected))


def _examine(make: Any) -> str:
    """Play the traces on `make(bound)`; where an eviction differs, show the steps and name the mistake."""
    if make is ...:
        raise NotYet("write the name of your class in place of the ...")
    if not callable(make):
        raise Wrong("The check needs the class itself, without ().", f"It was given {type(make).__name__}.")
    expected, played = _play_all(SIEVE), _play_all(make)
    if played == expected:
        return f"Your evictions are SIEVE's in all {len(TRACES)} traces."
    words = next((words for mistake, words in KNOWN_MISTAKES if played == _play_all(mistake)), UNNAMED)
    differs_at = {
        number: _first_difference(played[number], expected[number])
        for number in range(len(TRACES))
        if played[number] != expected[number]
    }
    earliest = min(differs_at, key=lambda number: (differs_at[number], number))
    bound, requests = TRACES[earliest]
    rows = [
        [requests[step], played[earliest][step], expected[earliest][step], _sieve_queue(bound, requests[: step + 1])]
        for step in range(differs_at[earliest] + 1)
    ]
    header = [f"request ({bound} places)", "yours", "SIEVE", "SIEVE's queue after it, * mark, [ ] hand"]
    raise Wrong(words, evidence_table(header, rows, len(rows) - 1))


EXERCISE = Exercise(
    _examine,
    [
        "Three changes: what a hit does, what a hand is, and what evict does on its way.",
        "A hit puts the key into a set. If the hand is at such a key, evict takes it out of the set, and moves on.",
        "After queue.pop(hand) the hand already points at the next newer key; past the newest it goes back to 0.",
    ],
)
