"""Run the check of an exercise on the mutants of its solution, each in a process of its own, and judge them.

A mutant is *killed* if the check does not call it correct. One that is called correct has to be listed by its code and
with a reason in `tests/exercises/mutants/chNN.toml`: as *equivalent* if it is another right answer, or as *tolerated*
if it is wrong, and whoever has written it has still understood what the exercise is about. Any other *survives*, and
that is a fault of the check.
"""

from __future__ import annotations

import ast
import gc
import io
import linecache
import os
import select
import signal
import tomllib
from collections.abc import Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, NoReturn, TypeAlias

from tests.support.mutants import Mutant, derive
from tests.support.notebooks import ROOT, chapters, code_cells, load, solution, tagged

__all__ = ["LISTS", "Judged", "Listed", "Material", "judge", "listed", "material", "numbers", "verdict_on"]

Verdict: TypeAlias = Literal["killed", "equivalent", "tolerated", "survives", "listed, but killed", "hangs"]

LISTS = ROOT / "tests" / "exercises" / "mutants"
TIME_LIMIT_S = 60.0
"""A check returns within seconds whatever the code does; one that takes so long is at fault itself."""
PIPE_BYTES = 4_096
"""So much can be written into a pipe at once."""


@dataclass(frozen=True)
class Listed:
    """The mutants of an exercise that its check may call correct: their code, and the reason."""

    equivalent: dict[str, str]
    tolerated: dict[str, str]


@dataclass(frozen=True)
class Material:
    """What a trial needs of an exercise: its chapter's imports, its solution, and the cell that checks it."""

    imports: str
    solution: str
    check: str


class Judged(NamedTuple):
    """A mutant, what became of it, and the first line of what the check said."""

    mutant: Mutant
    verdict: Verdict
    words: str


def numbers() -> list[str]:
    """The numbers of all exercises, in the order of the course."""
    return [number for path in chapters() for number in tagged(load(path), "solution")]


def material(number: str) -> Material:
    """What the notebook of a chapter holds of an exercise."""
    chapter = int(number.partition(".")[0])
    (path,) = [path for path in chapters() if int(path.stem[:2]) == chapter]
    notebook = load(path)
    imports = [
        ast.unparse(statement)
        for cell in code_cells(notebook)
        for statement in ast.parse(cell.source, mode="exec").body
        if isinstance(statement, ast.Import | ast.ImportFrom)
    ]
    answer, check = tagged(notebook, "solution")[number], tagged(notebook, "check")[number]
    return Material("\n".join(dict.fromkeys(imports)), solution(answer), check.source)


def listed(number: str) -> Listed:
    """The mutants that are listed for an exercise."""
    path = LISTS / f"ch{int(number.partition('.')[0]):02}.toml"
    lists = tomllib.loads(path.read_text(encoding="utf-8")).get(number, {}) if path.exists() else {}
    return Listed(lists.get("equivalent", {}), lists.get("tolerated", {}))


def judge(number: str) -> Iterator[Judged]:
    """Try all mutants of an exercise. The calling process must have a single thread.

    The solution itself is tried first, in this process: what the check needs is imported then, once for all mutants.
    Raises `AssertionError` if the check does not call it correct.
    """
    of_exercise, allowed = material(number), listed(number)
    names: dict[str, Any] = {"__name__": "__main__"}
    exec(of_exercise.imports, names)
    words: str | None = _words_of_check(dict(names), of_exercise.solution, of_exercise.check)
    assert (words or "").startswith("Correct."), f"the check of {number} says of its own solution: {words}"
    gc.freeze()  # else each fork would copy the whole heap when it collects garbage
    for mutant in derive(of_exercise.solution):
        words = _words_in_a_fork(names, mutant.source, of_exercise.check)
        yield Judged(mutant, verdict_on(mutant, words, allowed), words or "")


def verdict_on(mutant: Mutant, words: str | None, allowed: Listed) -> Verdict:
    """What becomes of a mutant of which the check says this; None if the check has said nothing in time."""
    if words is None:
        return "hangs"
    is_listed = mutant.code in allowed.equivalent or mutant.code in allowed.tolerated
    if not words.startswith("Correct."):
        return "listed, but killed" if is_listed else "killed"
    if not is_listed:
        return "survives"
    return "equivalent" if mutant.code in allowed.equivalent else "tolerated"


def _words_of_check(names: dict[str, Any], source: str, check: str) -> str:
    """Run an answer and the cell that checks it, and return the sentence that is printed first."""
    file = "<answer>"
    linecache.cache[file] = len(source), None, source.splitlines(keepends=True), file
    printed = io.StringIO()
    with redirect_stdout(printed):
        exec(compile(source, file, "exec"), names)
        exec(check, names)
    return " ".join(printed.getvalue().partition("\n\n")[0].split())


def _words_in_a_fork(names: dict[str, Any], source: str, check: str) -> str | None:
    """What the check says of this answer, in a fork of this process; None if it takes too long."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        _end_with_words(names, source, check, writing)
    os.close(writing)
    try:
        ended, _, _ = select.select([reading], [], [], TIME_LIMIT_S)
        return os.read(reading, PIPE_BYTES).decode(errors="replace") if ended else None
    finally:
        os.close(reading)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def _end_with_words(names: dict[str, Any], source: str, check: str, writing: int) -> NoReturn:
    """In the fork: write what the check says, and end the process, whatever is still running in it."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    try:
        words = _words_of_check(names, source, check)
    except BaseException as error:
        words = f"The cell itself raises {type(error).__name__}: {error}"
    os.write(writing, (words or "Nothing was printed.").encode()[:PIPE_BYTES])
    os._exit(0)
