"""How many minutes a learner needs for each chapter, reckoned from its notebook, as a table.

python -m tests.tools.minutes [NOTEBOOK ...]      default: every chapter

What is counted, from the title down to the heading "Going further":

- the words of the text, 200 a minute. What a `solution:` cell has inside `<details>` is not counted.
- the words of the code, 100 a minute: code cells, and the fenced blocks of the text. Prose that a cell prints stands in
  it as a string, so it is counted here.
- the words that a cell displays as Markdown, as text. All other outputs are not counted.
- half a minute for a figure, a minute for a prediction, five minutes for an exercise.

A word is what the regular expression `\\w+` finds: `cache.get(42)` is three words.

A chapter is a notebook whose name begins with two digits. So the glossary is none.
"""

import re
import sys
from dataclasses import dataclass
from pathlib import Path

from nbformat import NotebookNode

from cachelab.lab.text import table
from tests.support.notebooks import FENCE, chapters, load, pictures, tags

__all__ = ["Minutes", "minutes", "promised_minutes"]

FURTHER = re.compile(r"^## +Going further *$", re.MULTILINE)
DETAILS = re.compile(r"<details>.*?</details>", re.DOTALL)
PREDICTION = re.compile(r"\blab\.predict\(")
PROMISE = re.compile(r"^\*(\d+) minutes\b", re.MULTILINE)
WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class Minutes:
    """What a learner has to read and to do in the main part of a chapter."""

    text_words: int = 0
    code_words: int = 0
    figures: int = 0
    predictions: int = 0
    exercises: int = 0

    def __add__(self, other: "Minutes") -> "Minutes":
        return Minutes(*(mine + theirs for mine, theirs in zip(self._counts(), other._counts(), strict=True)))

    def _counts(self) -> tuple[int, ...]:
        return self.text_words, self.code_words, self.figures, self.predictions, self.exercises

    @property
    def total(self) -> float:
        """The sum in minutes."""
        reading = self.text_words / 200 + self.code_words / 100 + self.figures / 2
        return reading + self.predictions + 5 * self.exercises


def minutes(notebook: NotebookNode) -> Minutes:
    """What the notebook has above the heading "Going further"."""
    total = Minutes()
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            above, *below = FURTHER.split(cell.source, maxsplit=1)
            total += _of_text(above, is_solution=any(tag.startswith("solution:") for tag in tags(cell)))
            if below:
                break
        elif cell.cell_type == "code":
            total += _of_code(cell)
    return total


def promised_minutes(notebook: NotebookNode) -> int:
    """The minutes that the first cell promises: "*30 minutes · before: …*"."""
    found = PROMISE.search(notebook.cells[0].source)
    assert found, 'The first cell has no line that begins with "*30 minutes".'
    return int(found[1])


def _of_text(markdown: str, *, is_solution: bool) -> Minutes:
    read = DETAILS.sub("", markdown) if is_solution else markdown
    fenced = "\n".join(block[0] for block in FENCE.finditer(read))
    return Minutes(text_words=_words(FENCE.sub("", read)), code_words=_words(fenced))


def _of_code(cell: NotebookNode) -> Minutes:
    shown = [output.get("data", {}).get("text/markdown", "") for output in cell.get("outputs", [])]
    return Minutes(
        text_words=sum(map(_words, shown)),
        code_words=_words(cell.source),
        figures=len(pictures(cell)),
        predictions=len(PREDICTION.findall(cell.source)),
        exercises=sum(tag.startswith("exercise:") for tag in tags(cell)),
    )


def _words(text: str) -> int:
    return len(WORD.findall(text))


def main(arguments: list[str]) -> None:
    """Print the table for the notebooks that are named, or for all chapters."""
    rows = []
    for path in [Path(argument) for argument in arguments] or chapters():
        notebook = load(path)
        found = minutes(notebook)
        rows.append(
            {
                "chapter": path.stem,
                "words of text": found.text_words,
                "of code": found.code_words,
                "figures": found.figures,
                "predictions": found.predictions,
                "exercises": found.exercises,
                "minutes": f"{found.total:.1f}",
                "promised": promised_minutes(notebook),
            }
        )
    table(rows)


if __name__ == "__main__":
    main(sys.argv[1:])
