"""`lab.predict` and `lab.reveal`: a learner's guess is compared with the measurement."""

from __future__ import annotations

from typing import Any

import pytest

from cachelab import lab


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (..., "You made no guess"),
        (150, "within a tenth"),
        (80, "too little"),
        (400, "too much"),
        ("80", "plain number"),
    ],
)
def test_a_prediction_is_compared_with_the_measurement(
    answer: Any, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """No guess, a good one, one too low, one too high, and one that is no number are each answered in words."""
    lab.predict("knee", "How many?", unit="requests/s", answer=answer)
    lab.reveal("knee", 160, unit="requests/s", too_low="too little", too_high="too much")
    assert words in capsys.readouterr().out
