"""Print what becomes of the mutants of each exercise's solution: killed, equivalent, tolerated, or surviving.

python -m tests.tools.try_mutants [--words] [EXERCISE ...]      default: all exercises

A line follows for each mutant that is at fault: one that survives, one that is listed though its check refuses it, and
one whose check does not return. With `--words`, a line for each mutant, and what the check says of it. The exit code is
1 if there is a fault. It needs a system with `os.fork`.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from collections import Counter

from tests.support.mutant_trials import judge, listed, numbers

RIGHT = ("killed", "equivalent", "tolerated")


def main(arguments: list[str]) -> int:
    """Try the mutants of the exercises that are named, or of all. Returns 1 if any is at fault, otherwise 0."""
    parser = argparse.ArgumentParser(prog="python -m tests.tools.try_mutants", description=__doc__.partition("\n")[0])
    parser.add_argument("--words", action="store_true", help="a line for each mutant, with what the check says")
    parser.add_argument("exercises", nargs="*", metavar="EXERCISE")
    options = parser.parse_args(arguments)
    warnings.filterwarnings("ignore", ".*multi-threaded.*", DeprecationWarning)  # of the threads of numpy, at a fork
    print("exercise  mutants  killed  equivalent  tolerated  at fault  seconds")
    faults = 0
    for number in options.exercises or numbers():
        started, counts = time.perf_counter(), Counter[str]()
        lines = []
        for mutant, verdict, words in judge(number):
            counts[verdict] += 1
            reasons = listed(number).equivalent | listed(number).tolerated
            if options.words or verdict not in RIGHT:
                lines.append(f"    {verdict}: {mutant.code}\n        {reasons.get(mutant.code, words)}")
        wrong = counts.total() - sum(counts[verdict] for verdict in RIGHT)
        faults += wrong
        print(
            f"{number:8}  {counts.total():7}  {counts['killed']:6}  {counts['equivalent']:10}  {counts['tolerated']:9}"
            f"  {wrong:8}  {time.perf_counter() - started:7.1f}",
            *lines,
            sep="\n",
            flush=True,
        )
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
