"""Circuit breakers, one of them right and each of the others wrong in one point, for the breaker exam.

They are other breakers than the package's: its own is examined as well.
"""

from __future__ import annotations

import asyncio
from typing import Any

from cachelab.events import Refused

__all__ = ["ZOO", "BlocksTheLoop", "Correct", "HangsWhenOpen", "ReadsWhatIsNotThere"]


class Correct:
    """Each step is a method, so that a subclass can get it wrong."""

    def __init__(self, load: Any, failures: int, open_s: float) -> None:
        self.load, self.failures, self.open_s = load, failures, open_s
        self.failed, self.until, self.epoch = 0, None, 0
        self.trial: object | None = None

    until: float | None

    def now(self) -> float:
        return asyncio.get_running_loop().time()

    async def __call__(self, key: Any) -> Any:
        me = object()
        if self.until is not None:
            if not self.may_try():
                return await self.refuse()
            self.trial = me
        epoch = self.epoch
        try:
            answer = await self.load(key)
        except asyncio.CancelledError:
            self.cancelled(me)
            raise
        except Exception as error:
            if self.counts(error, epoch):
                self.note_failure(me)
            self.ended(me)
            raise
        if epoch == self.epoch or self.late_answers_count:
            self.note_answer()
        self.ended(me)
        return answer

    late_answers_count = False

    def may_try(self) -> bool:
        return self.trial is None and self.until is not None and self.now() >= self.until

    async def refuse(self) -> Any:
        raise Refused("open")

    def is_failure(self, error: Exception) -> bool:
        return not isinstance(error, AttributeError | Refused)

    def counts(self, error: Exception, epoch: int) -> bool:
        return epoch == self.epoch and self.is_failure(error)

    def note_failure(self, me: object) -> None:
        self.failed += 1
        if self.trial is me or self.failed >= self.failures:
            self.open()

    def open(self) -> None:
        self.failed, self.until = 0, self.now() + self.open_s
        self.epoch += 1

    def note_answer(self) -> None:
        self.failed, self.until = 0, None

    def cancelled(self, me: object) -> None:
        self.ended(me)

    def ended(self, me: object) -> None:
        if self.trial is me:
            self.trial = None


class NeverOpens(Correct):
    """It counts, and does nothing."""

    def open(self) -> None:
        self.failed = 0


class OpensTooEarly(Correct):
    """At the second failure."""

    def __init__(self, load: Any, failures: int, open_s: float) -> None:
        super().__init__(load, failures - 1, open_s)


class OpensTooLate(Correct):
    """At the fourth failure."""

    def note_failure(self, me: object) -> None:
        self.failed += 1
        if self.trial is me or self.failed > self.failures:
            self.open()


class CountsAllFailures(Correct):
    """Not only those in a row."""

    def note_answer(self) -> None:
        self.until = None


class OpensForHalfAsLong(Correct):
    """It lets a call through too early."""

    def __init__(self, load: Any, failures: int, open_s: float) -> None:
        super().__init__(load, failures, open_s / 2)


class AnswersNone(Correct):
    """Where it should raise an error."""

    async def refuse(self) -> Any:
        return None


class AdmitsACrowd(Correct):
    """When its time is over, everybody may try."""

    def may_try(self) -> bool:
        return self.until is not None and self.now() >= self.until


class NeverTries(Correct):
    """Once open, always open."""

    def may_try(self) -> bool:
        return False


class ForgetsItsTrial(Correct):
    """Those who come during the trial wait, and nobody tells them."""

    async def refuse(self) -> Any:
        if self.trial is not None:
            await asyncio.Event().wait()
        raise Refused("open")


class NeedsThreeTrials(Correct):
    """One answer does not close it."""

    good = 0

    def note_answer(self) -> None:
        self.good += self.until is not None
        if self.until is None or self.good >= 3:
            super().note_answer()


class TriesAgainAtOnce(Correct):
    """A failed trial does not open it again."""

    def note_failure(self, me: object) -> None:
        if self.trial is not me:
            super().note_failure(me)


class GivesUpAfterOneTrial(Correct):
    """A failed trial opens it for good."""

    def note_failure(self, me: object) -> None:
        super().note_failure(me)
        if self.trial is me:
            self.until = float("inf")


class LateAnswersClose(Correct):
    """A call from before it opened closes it."""

    late_answers_count = True


class LateFailuresOpen(Correct):
    """A call from before it opened opens it anew."""

    def counts(self, error: Exception, epoch: int) -> bool:
        if epoch != self.epoch and self.until is not None and self.trial is None:
            self.until = self.now() + self.open_s
        return super().counts(error, epoch)


class AnyAnswerEndsTheTrial(Correct):
    """The place of the trial is free when any call has its answer."""

    def ended(self, me: object) -> None:
        self.trial = None

    def cancelled(self, me: object) -> None:
        super().ended(me)


class AnyCancellationEndsTheTrial(Correct):
    """The place of the trial is free when any caller leaves."""

    def cancelled(self, me: object) -> None:
        self.trial = None


class ForgetsHowToOpen(Correct):
    """It opens once."""

    def open(self) -> None:
        if not self.epoch or self.until is not None:
            super().open()


class ReadsWhatIsNotThere(Correct):
    """A mistake in its own code, where it should refuse."""

    async def refuse(self) -> Any:
        return self.nothing  # type: ignore[attr-defined]


class KeepsThePlace(Correct):
    """A trial that is cancelled keeps its place for ever."""

    def cancelled(self, me: object) -> None:
        pass


class OverlooksTimeouts(Correct):
    """It counts only what is no TimeoutError."""

    def is_failure(self, error: Exception) -> bool:
        return super().is_failure(error) and not isinstance(error, TimeoutError)


class CountsMistakes(Correct):
    """A mistake in the program opens it."""

    def is_failure(self, error: Exception) -> bool:
        return not isinstance(error, Refused)


class CountsRefusals(Correct):
    """A refusal by a guard inside opens it."""

    def is_failure(self, error: Exception) -> bool:
        return not isinstance(error, AttributeError)


class WrapsErrors(Correct):
    """The caller gets another error than the origin raised."""

    async def __call__(self, key: Any) -> Any:
        try:
            return await super().__call__(key)
        except OSError as error:
            raise RuntimeError("failed") from error
        except Exception as error:
            if isinstance(error, Refused | AttributeError | TimeoutError):
                raise
            raise RuntimeError("failed") from error


class TakesNoneForAFailure(Correct):
    """An answer that is None becomes an error."""

    async def __call__(self, key: Any) -> Any:
        answer = await super().__call__(key)
        if answer is None:
            raise LookupError
        return answer


class HangsWhenOpen(Correct):
    """A caller that should be refused waits for ever."""

    async def refuse(self) -> Any:
        await asyncio.Event().wait()


class BlocksTheLoop(Correct):
    """It does not come back."""

    async def __call__(self, key: Any) -> Any:
        while True:
            pass


ZOO: dict[type[Correct], set[int]] = {
    NeverOpens: {1},
    OpensTooEarly: {1},
    OpensTooLate: {1},
    CountsAllFailures: {2},
    OpensForHalfAsLong: {3, 6},
    AnswersNone: {3},
    AdmitsACrowd: {4},
    NeverTries: {4},
    ForgetsItsTrial: {4},
    NeedsThreeTrials: {5},
    TriesAgainAtOnce: {6},
    GivesUpAfterOneTrial: {6},
    LateAnswersClose: {7},
    LateFailuresOpen: {7},
    AnyAnswerEndsTheTrial: {7},
    AnyCancellationEndsTheTrial: {8},
    ForgetsHowToOpen: {5},
    KeepsThePlace: {8},
    OverlooksTimeouts: {9},
    CountsMistakes: {10},
    CountsRefusals: {10},
    WrapsErrors: {11},
    TakesNoneForAFailure: {11},
}
"""Each broken breaker, and the items of the exam that it fails."""
