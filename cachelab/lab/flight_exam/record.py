"""The record of an exam's item: who did what, in words that are the same on each machine and in each run."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass

__all__ = ["Step", "StepRecord", "describe_error", "describe_step", "in_likely_order", "lane"]

LANES = 3  # loads that have a lane of their own in the record; all others share one
LIKELY_ORDER = ["calls", "is", "fails", "ends", "leaves", "begins,", "begins", "returns", "gets", "waits"]


@dataclass
class Step:
    """Who did what in which phase of the script. `count` says how many did the same in that phase."""

    phase: int
    actor: str
    did: str
    count: int = 1


class StepRecord:
    """The steps of an item, in order. Equal steps of one phase are kept as one step with a count.

    The script starts a new phase with each of its own actions. While `paused`, nothing is recorded.
    """

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.paused = False
        self._phase = 0
        self._lock = threading.RLock()

    def next_phase(self) -> None:
        """Begin the next phase of the script."""
        self._phase += 1

    def add(self, actor: str, did: str, count: int = 1) -> None:
        """Record a step of the present phase."""
        with self._lock:
            if self.paused:
                return
            step = Step(self._phase, actor, did, count)
            for earlier in self.steps:
                if (earlier.phase, earlier.actor, earlier.did) == (step.phase, actor, did):
                    earlier.count += count
                    if did == "calls":  # the first of these calls stands for all; of other steps, the last one does
                        return
                    self.steps.remove(earlier)
                    step = earlier
                    break
            self.steps.append(step)

    def has(self, actor: str, did: str) -> bool:
        """Whether such a step has been recorded, in any phase."""
        with self._lock:
            return any((step.actor, step.did) == (actor, did) for step in self.steps)


def lane(load: int) -> str:
    """The actor under whose name the load of this number is recorded."""
    return f"load {load}" if load <= LANES else "more loads"


def in_likely_order(steps: list[Step]) -> list[Step]:
    """The steps of threads in a likely order: within a phase of the script, their real order is a matter of chance."""
    phases_with_calls = {step.phase for step in steps if step.did == "calls"}

    def place(step: Step) -> tuple[int, int, str]:
        verb = step.did.partition(" ")[0]
        if verb == "begins," and step.phase in phases_with_calls:
            return step.phase, 1, step.actor
        return step.phase, LIKELY_ORDER.index(verb) if verb in LIKELY_ORDER else len(LIKELY_ORDER), step.actor

    return sorted(steps, key=place)


def describe_step(step: Step) -> str:
    """What the actor of a step did, in the plural if several did it, and how many they were."""
    if not step.actor.endswith("s"):
        return step.did
    verb, _, rest = step.did.partition(" ")
    plural = {"is": "are", "begins,": "begin,"}.get(verb, verb.removesuffix("s"))
    rest = rest.replace("reads", "read")
    return f"{plural} {rest}".strip() + (f" (×{step.count})" if step.count > 1 else "")


def describe_error(error: BaseException) -> str:
    """An error in words, without addresses and without the numbers of keys: "KeyError: the key"."""
    text = re.sub(r"( object)? at 0x[0-9a-fA-F]+", "", re.sub(r"\bkey \d+", "the key", str(error))).strip().splitlines()
    return f"{type(error).__name__}: {text[0][:80]}" if text else type(error).__name__
