"""`lab.predict` and `lab.reveal`: a learner's guess is compared with the measurement."""

from __future__ import annotations

from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

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


def test_the_metadata_have_what_a_page_compares() -> None:
    """The question and the truth travel with the outputs, whatever this run's guess was."""
    InteractiveShell.instance()
    with capture_output() as captured:
        lab.predict("knee", "How many?", unit="/s", answer=80)
        lab.reveal("knee", 160, unit="/s", too_low="more", too_high="less")
    InteractiveShell.clear_instance()
    assert [output.metadata["cachelab"] for output in captured.outputs] == [
        {"prediction": {"name": "knee", "question": "How many?", "unit": "/s"}},
        {"measurement": {"name": "knee", "truth": 160.0, "unit": "/s", "too_low": "more", "too_high": "less"}},
    ]
