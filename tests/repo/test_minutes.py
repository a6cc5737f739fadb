"""A learner gets through a chapter in the minutes that its first cell promises, exercises included.

`tests/tools/minutes.py` reckons them: `python -m tests.tools.minutes` prints the table.
"""

from pathlib import Path

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from tests.support.notebooks import chapters, load
from tests.tools.minutes import Minutes, main, minutes, promised_minutes

MOST = 35
MOST_OF_CHAPTER_0 = 25
EXERCISES = 2

every_chapter = pytest.mark.parametrize("path", chapters(), ids=lambda path: path.stem)


def kept(path: Path) -> bool:
    """Whether a chapter takes no more than the minutes that it promises."""
    notebook = load(path)
    return minutes(notebook).total <= promised_minutes(notebook)


@every_chapter
def test_promise_is_kept(path: Path) -> None:
    """A chapter takes no more than it promises."""
    assert kept(path), f"{minutes(load(path)).total:.1f} minutes"


@every_chapter
def test_promise_is_short(path: Path) -> None:
    """No chapter promises more than 35 minutes, and chapter 0 no more than 25."""
    assert promised_minutes(load(path)) <= (MOST_OF_CHAPTER_0 if path.stem.startswith("00") else MOST)


@every_chapter
def test_two_exercises_belong_to_the_main_part(path: Path) -> None:
    """At least two exercises stand above "Going further"."""
    assert minutes(load(path)).exercises >= EXERCISES


def test_what_is_counted() -> None:
    """Text, code, figures, predictions, exercises and displayed Markdown count; solutions and other outputs do not."""
    printed = new_output("stream", text="many words in an output")
    shown = new_output("display_data", {"text/markdown": "five words are shown here"})
    figure = new_output("display_data", {"image/png": "", "text/plain": "a figure"})
    counted = minutes(
        new_notebook(
            cells=[
                new_markdown_cell("# Two words\n\n```python\ncache.get(42)\n```\n\n<details>read me</details>"),
                new_code_cell("lab.predict('x')", outputs=[printed, shown, figure]),
                new_code_cell("...", metadata={"tags": ["exercise:1.1"]}),
                new_markdown_cell("<details>no\n\nword</details>\n\nafter", metadata={"tags": ["solution:1.1"]}),
            ]
        )
    )
    # Text: "Two words", "details read me details", "five words are shown here", "after".
    # Code: "python", "cache", "get", "42", and "lab", "predict", "x".
    assert counted == Minutes(text_words=12, code_words=7, figures=1, predictions=1, exercises=1)


def test_what_stands_under_going_further_is_not_counted() -> None:
    """The count ends at the heading, also if text stands above it in the same cell."""
    above = new_markdown_cell("one two\n\n## Going further\n\nthree")
    assert minutes(new_notebook(cells=[above, new_code_cell("four")])) == Minutes(text_words=2)


def test_minutes_add_up() -> None:
    """200 words of text, 100 of code, two figures, a prediction and an exercise are nine minutes."""
    assert Minutes(text_words=200, code_words=100, figures=2, predictions=1, exercises=1).total == 9


def test_the_table_has_each_chapter(capsys: pytest.CaptureFixture[str]) -> None:
    """The command prints a row for each chapter."""
    main([])
    rows = capsys.readouterr().out.splitlines()[1:]
    assert [row.split()[0] for row in rows] == [path.stem for path in chapters()]
