"""A plan is tried safely: a good one gets a score, a bad one a sentence, and the kernel goes on."""

import asyncio
import time
from typing import Any

import pytest

from cachelab import lab
from cachelab.lab.day import trial
from cachelab.lab.day.plans import CHEATS
from cachelab.lab.day.run import run_day
from cachelab.lab.day.score import GOALS
from cachelab.lab.day.site import Site


@pytest.mark.long
def test_the_score_is_printed_and_returned(capsys: pytest.CaptureFixture[str]) -> None:
    """Five goals, the reasons, the costs; it is the score of the run."""
    score = lab.try_plan(CHEATS["refuse everybody"])
    assert score == run_day(CHEATS["refuse everybody"])
    lines = capsys.readouterr().out.splitlines()
    assert [line[18:] for line in lines[: len(GOALS)]] == list(GOALS.values())
    assert "readers failed or waited for more than 300 ms" in lines[5]


def spins(site: Site) -> Any:
    """A plan that does not come back."""
    while True:
        pass


def yields(site: Site) -> Any:
    """A plan whose answers let others run for ever, and never come."""

    async def get(user_id: int) -> Any:
        while True:
            await asyncio.sleep(0)

    return get


def raises(site: Site) -> Any:
    """A plan with a misspelt name."""
    return site.laod  # type: ignore[attr-defined]


def exits(site: Site) -> Any:
    """A plan that would end the kernel."""
    raise SystemExit


@pytest.mark.parametrize(
    ("plan", "sentence"),
    [
        (raises, r"raised AttributeError: .*laod.*at line \d+: `return site.laod"),
        (spins, "did not come back"),
        (yields, "did not come back"),
        (exits, "SystemExit"),
        (lambda site: None, "returns a Cache"),
        (None, "A plan is a function of the site, not None"),
    ],
)
def test_a_bad_plan_gets_a_sentence(plan: Any, sentence: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It names the learner's line, and it comes within seconds."""
    monkeypatch.setattr(trial, "SECONDS", 1.0)
    began = time.monotonic()
    with pytest.raises(lab.BadPlan, match=sentence):
        lab.try_plan(plan)
    assert time.monotonic() - began < 5


def test_a_plan_that_never_answers_has_its_day() -> None:
    """Its readers lose patience: all of them have failed."""

    def waits(site: Site) -> Any:
        async def get(user_id: int) -> Any:
            await asyncio.Event().wait()

        return get

    score = lab.try_plan(waits)
    assert score.count("failed") == score.count("readers")
