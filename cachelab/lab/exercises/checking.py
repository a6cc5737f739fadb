"""`check` runs the experiment of an exercise on the learner's code and prints the verdict; `hint` helps in steps.

Exercise 5.1 is the `EXERCISE` of the module in this folder whose name begins with `ch05_1_`. Whatever the learner's
code does, `check` prints a few lines and returns.
"""

from __future__ import annotations

import gc
import inspect
import re
import textwrap
import warnings
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from cachelab.lab.exercises.exercise import Exercise, NotYet, Wrong
from cachelab.lab.exercises.solved import note_verdict
from cachelab.lab.sandbox import explain_failure, left_running, run_sandboxed
from cachelab.lab.text import PAGE

__all__ = ["check", "exercise_modules", "hint"]

MODULE_NAME = re.compile(r"ch(\d+)_(\d+)_\w+")


def check(name: str, answer: Any) -> None:
    """Try `answer` on the exercise `name`, such as "5.1", and print the verdict.

    It never raises, and it returns within seconds.
    """
    exercise = _find(name)
    if exercise is None:
        return
    if inspect.iscoroutine(answer):
        answer.close()
        _print("Nothing to check yet: give the check the function itself, without the parentheses that call it.")
        return
    with warnings.catch_warnings():  # of a missing await Python warns late; the verdict says it in plain words
        warnings.filterwarnings("ignore", "coroutine .* was never awaited", RuntimeWarning)
        correct = _is_right(exercise, answer)
        if not correct:
            gc.collect(1)  # young objects, such as those of this answer
    note_verdict(name, correct)


def _is_right(exercise: Exercise, answer: Any) -> bool:
    """Run the experiment, print the verdict, and return whether the answer is right."""
    still_running = left_running()
    try:
        _print(f"Correct. {_sandboxed(exercise, answer)}")
        return True
    except NotYet as stub:
        _print(f"Nothing to check yet: {stub}")
    except KeyboardInterrupt:
        print("Interrupted: the check was not finished.")
    except BaseException as error:
        _print_failure(error, still_running)
    return False


def _sandboxed(exercise: Exercise, answer: Any) -> str:
    limit = {} if exercise.seconds is None else {"seconds": exercise.seconds}
    return run_sandboxed(lambda: exercise.examine(answer), **limit)


def _print_failure(error: BaseException, still_running: str | None) -> None:
    """Say why an answer fails; or, if code of an earlier check was running meanwhile, that nobody can tell."""
    if still_running is not None:
        at = f", at {still_running}" if still_running else ""
        _print(
            f"Not judged: code of an earlier check, which had not come back, is still running{at}. It disturbs this "
            "check. Restart the kernel (menu Kernel, Restart Kernel), run the cells above, and check again."
        )
    elif isinstance(error, Wrong):
        _print(f"Not yet. {error.words}")
        print(f"\n{error.evidence}")
    else:
        _print(f"Not yet. {explain_failure(error)}")


def hint(name: str, step: int = 1) -> None:
    """Print hint number `step` of the exercise `name`; a number past the last hint gives the last."""
    exercise = _find(name)
    if exercise is not None:
        number = min(max(step, 1), len(exercise.hints))
        _print(f"Hint {number} of {len(exercise.hints)}: {exercise.hints[number - 1]}")


def exercise_modules() -> dict[str, str]:
    """The number of each exercise and the name of its module, in the order of the course: {"0.1": "ch00_1_…", …}."""
    found = [MODULE_NAME.fullmatch(path.stem) for path in Path(__file__).parent.glob("*.py")]
    named = sorted((int(match[1]), int(match[2]), match[0]) for match in found if match)
    return {f"{chapter}.{number}": module for chapter, number, module in named}


def _print(sentence: str) -> None:
    print(textwrap.fill(sentence, PAGE))


def _find(name: str) -> Exercise | None:
    modules = exercise_modules()
    if isinstance(name, str) and name in modules:
        exercise: Exercise = import_module(f"{__package__}.{modules[name]}").EXERCISE
        return exercise
    _print(_no_exercise(name, list(modules)))
    return None


def _no_exercise(name: object, known: Sequence[str]) -> str:
    """One sentence: what is wrong with `name`, and which exercises its chapter has."""
    chapter = str(name).partition(".")[0]
    there = [number for number in known if number.partition(".")[0] == chapter]
    if there:
        has = f"chapter {chapter} has {' and '.join(filter(None, [', '.join(there[:-1]), there[-1]]))}"
    else:
        none = f"chapter {chapter} has none, and " if chapter.isdecimal() else ""
        has = f"{none}the exercises are {', '.join(known[:-1])} and {known[-1]}"
    if isinstance(name, str):
        return f"There is no exercise {name!r}: {has}."
    if isinstance(name, int | float):
        return f'Put the number of the exercise in quotes, for example "{(there or known)[0]}": {has}.'
    return f'The number of the exercise comes first and in quotes, for example "{known[0]}": {has}.'
