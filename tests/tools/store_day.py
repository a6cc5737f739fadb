"""Play the day of chapter 14 with each of the lab's own plans, and write `cachelab/lab/day/scores.json`.

python -m tests.tools.store_day
"""

import json
import sys

from cachelab.lab.day.plans import CHEATS, PLANS
from cachelab.lab.day.run import run_day
from tests.support.notebooks import ROOT

SCORES = ROOT / "cachelab" / "lab" / "day" / "scores.json"


def main() -> int:
    """Write the file: a line for each plan."""
    lines = [f"{json.dumps(name)}: {json.dumps(run_day(plan).stored())}" for name, plan in (PLANS | CHEATS).items()]
    SCORES.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8", newline="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
