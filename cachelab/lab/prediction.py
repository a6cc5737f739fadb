"""A guess before a measurement, and the comparison of the two after it.

Nothing waits for an answer, so Run All goes through. The learner can put in a guess at any time and run the cell again.
"""

from __future__ import annotations

from numbers import Real
from types import EllipsisType

from cachelab.lab.output import show_output

__all__ = ["predict", "reveal"]

_predictions: dict[str, float] = {}


def predict(name: str, question: str, *, unit: str, answer: float | EllipsisType = ...) -> None:
    """Show the question, and remember the guess under `name`: the number in place of the `...` in `answer=...`."""
    _predictions.pop(name, None)
    if isinstance(answer, EllipsisType):
        reply = f"Your guess? Put a number ({unit}) in place of ... and run this cell again, or go on without one."
    elif not isinstance(answer, Real) or isinstance(answer, bool):
        reply = f"A guess is a plain number of {unit}, for example answer=10, not {answer!r}."
    else:
        _predictions[name] = float(answer)
        reply = f"Your guess: {answer:g} {unit}."
    show_output(f"{question}\n{reply}", prediction={"name": name, "question": question, "unit": unit})


def reveal(name: str, truth: float, *, unit: str, too_low: str = "", too_high: str = "") -> None:
    """Show the measured number and the guess. If they differ by more than 10 %, add `too_low` or `too_high`."""
    guess = _predictions.get(name)
    if guess is None:
        reply = "You made no guess. You can still put one in above and run both cells again."
    elif abs(guess - truth) <= 0.1 * abs(truth):
        reply = f"You said {guess:g}: within a tenth."
    else:
        reply = f"You said {guess:g}. {too_low if guess < truth else too_high}".rstrip()
    measured = {"name": name, "truth": float(truth), "unit": unit, "too_low": too_low, "too_high": too_high}
    show_output(f"Measured: {truth:g} {unit}. {reply}", measurement=measured)
