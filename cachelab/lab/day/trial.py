"""Try a plan safely: it gets its day in a thread of its own, and some seconds of real time."""

from __future__ import annotations

from cachelab.lab.day.run import BadPlan, run_day
from cachelab.lab.day.score import Score
from cachelab.lab.day.site import Plan
from cachelab.lab.sandbox import explain_failure, run_sandboxed

__all__ = ["SECONDS", "try_plan"]

SECONDS = 60.0
"""Real seconds for a day. A plan that does its work takes less than a tenth of that."""


def try_plan(plan: Plan, seed: int = 1) -> Score:
    """Let the plan live through the day, print its score, and return it.

    `plan` is called with a `site` once for each node and release, and returns a `Cache` or an async function of a
    user's id. Another `seed` gives another day of the same kind. The same plan always gets the same score.

    Raises `BadPlan` with a sentence if the plan raises, returns what is no cache, or does not come back.
    """
    scores: list[Score] = []

    def live() -> str:
        scores.append(run_day(plan, seed))
        return ""

    if not callable(plan):
        raise BadPlan(f"A plan is a function of the site, not {plan!r:.60}.")
    try:
        run_sandboxed(live, SECONDS)
    except BadPlan as error:
        raise BadPlan(str(error)) from None  # without the way through the lab
    except (Exception, SystemExit) as error:
        raise BadPlan(explain_failure(error)) from None
    print(scores[0].report)
    return scores[0]
