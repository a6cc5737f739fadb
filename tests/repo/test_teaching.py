"""What the guide for those who teach says of a chapter is what the chapter says, and the times of all paths add up.

The guide is `notebooks/teaching.ipynb`. The paths for learners stand at the end of chapter 0.
"""

import errno
import os
import re
from functools import cache
from itertools import pairwise

import pytest
from nbformat import NotebookNode

from cachelab.__main__ import MODULE
from tests.support.notebooks import (
    NOTEBOOKS,
    ROOT,
    TEACHING,
    bold_numbers,
    chapters,
    code_cells,
    load,
    markdown_cells,
    numbers,
    output_text,
    tagged,
    tags,
)
from tests.tools.minutes import FURTHER, minutes, promised_minutes

MINUTES_TO_READ = 15
FOR_90_MINUTES = (1, 5)
"""The chapters whose sections have to be read, besides all that stands above the sections, to teach 90 minutes."""

HEADING = re.compile(r"^#{2,} +(.+?) *$", re.MULTILINE)
TITLE = re.compile(r"^### (\d+ · .+)$", re.MULTILINE)
QUESTION = re.compile(r"^> (.+)\n\nMeasured: \*\*([^*]+)\*\*\.", re.MULTILINE)
GUESS = re.compile(r"^- \*([^*]+):\* .{20,}", re.MULTILINE)
TO_LEAVE_OUT = re.compile(r"^\*\*Short of time:\*\* (.+)$", re.MULTILINE)
PART_OF_A_CHAPTER = re.compile(r"\*([^*]+)\* of chapter (\d+)")
TIMETABLE = re.compile(r"^### (.+?)\n(.+?)\n\| from \|[^\n]+\n\|[-|]+\|\n(.+?)(?:\n\n|\Z)", re.MULTILINE | re.DOTALL)
OF_NOTEBOOKS = re.compile(r"(\d+) minutes of notebooks")

CELLS = {cell.id: cell.source for cell in load(TEACHING).cells}
SECTIONS = {int(title[1].partition(" ")[0]): text for text in CELLS.values() if (title := TITLE.match(text))}
FRONT = [text for text in CELLS.values() if not TITLE.match(text)]
CHAPTERS = {int(path.stem[:2]): path for path in chapters()}

every_chapter = pytest.mark.parametrize("number", CHAPTERS, ids=lambda number: CHAPTERS[number].stem)


@cache
def chapter(number: int) -> NotebookNode:
    """The notebook of a chapter, which no test changes."""
    return load(CHAPTERS[number])


def promised(number: int) -> int:
    """The minutes of a chapter."""
    return promised_minutes(chapter(number))


def label(number: int) -> str:
    """The title of a chapter up to its question: "5 · Stampedes"."""
    return str(chapter(number).cells[0].source.splitlines()[0].removeprefix("# ").partition(":")[0])


def compared_outputs(notebook: NotebookNode) -> str:
    """All outputs of a notebook that nbval compares."""
    compared = (cell for cell in code_cells(notebook) if "nbval-ignore-output" not in tags(cell))
    return "\n".join(map(output_text, compared))


def above_going_further(notebook: NotebookNode) -> list[NotebookNode]:
    """The cells of the main part."""
    cells = list(notebook.cells)
    end = next(i for i, cell in enumerate(cells) if cell.cell_type == "markdown" and FURTHER.search(cell.source))
    return cells[:end]


def headings(cells: list[NotebookNode]) -> set[str]:
    """The headings in some cells, without their `#`."""
    return {title for cell in cells if cell.cell_type == "markdown" for title in HEADING.findall(cell.source)}


def questions(notebook: NotebookNode) -> list[tuple[str, str]]:
    """Each prediction of a chapter, with what was measured: its question, and "160 requests/s"."""
    shown = [output for cell in code_cells(notebook) for output in cell.outputs if "data" in output]
    about = [output.metadata.get("cachelab", {}) for output in shown]
    asked = {one["prediction"]["name"]: one["prediction"]["question"] for one in about if "prediction" in one}
    found = {one["measurement"]["name"]: one["measurement"] for one in about if "measurement" in one}
    return [(asked[name], f"{found[name]['truth']:g} {found[name]['unit']}") for name in asked]


def test_each_chapter_has_a_section() -> None:
    """They stand in reading order, below everything else, and have the chapters' titles."""
    assert [TITLE.findall(text) for text in SECTIONS.values()] == [[label(number)] for number in CHAPTERS]
    assert list(CELLS.values()) == [*FRONT, *SECTIONS.values()]


@every_chapter
def test_a_section_has_the_minutes_of_its_chapter(number: int) -> None:
    """Below its title."""
    assert f"\n*{promised(number)} minutes · [the chapter]({CHAPTERS[number].name})*\n" in SECTIONS[number]


@every_chapter
def test_a_section_asks_what_the_chapter_asks(number: int) -> None:
    """All its predictions, word for word, each with what was measured."""
    assert QUESTION.findall(SECTIONS[number]) == questions(chapter(number))


@every_chapter
def test_what_the_room_has_to_know_stands_in_the_chapter(number: int) -> None:
    """The paragraph above the question: each number in it stands in the main part, in text or code."""
    (known,) = re.findall(r"\n\n([^*\n][^\n]+)\n\n> ", SECTIONS[number].partition("\nMeasured:")[0])
    said = "\n".join(cell.source for cell in above_going_further(chapter(number)))
    assert [one for one in numbers(known) if one not in numbers(said)] == []


@every_chapter
def test_a_section_has_three_wrong_guesses(number: int) -> None:
    """None of them is what was measured, and each has its reason."""
    guesses = GUESS.findall(SECTIONS[number])
    assert len(guesses) == SECTIONS[number].count("\n- ") == 3
    (_, measured), *_ = questions(chapter(number))
    assert [guess for guess in guesses if numbers(guess) == numbers(measured)[:1]] == []
    assert all(numbers(guess) for guess in guesses)


@every_chapter
def test_bold_numbers_were_measured_in_the_chapter(number: int) -> None:
    """Each stands, as a number of its own, in an output of the chapter that nbval compares."""
    measured = set(numbers(compared_outputs(chapter(number))))
    assert [one for one in bold_numbers(SECTIONS[number]) if one not in measured] == []


def test_no_other_number_is_bold() -> None:
    """Elsewhere in the guide nothing would measure it."""
    assert [number for text in FRONT for number in bold_numbers(text)] == []


@every_chapter
def test_what_can_be_left_out_is_there(number: int) -> None:
    """Headings of the main part, in italics, and exercises of the chapter; at least one exercise."""
    notebook = chapter(number)
    (what,) = TO_LEAVE_OUT.findall(SECTIONS[number])
    named = set(re.findall(r"\*([^*]+)\*", what))
    exercises = set(re.findall(r"\b\d+\.\d\b", what))
    assert named <= headings(above_going_further(notebook))
    assert exercises
    assert exercises <= tagged(notebook, "exercise").keys()


def test_parts_of_chapters_are_there() -> None:
    """Where the guide names a heading of a chapter, the chapter has it."""
    named = [found for text in FRONT for found in PART_OF_A_CHAPTER.findall(text)]
    assert len(named) >= 2
    assert [(part, number) for part, number in named if part not in headings(chapter(int(number)).cells)] == []


def rows_of(timetable: str) -> list[list[str]]:
    """The cells of each row: from, what, minutes of notebook, minutes of talk."""
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in timetable.splitlines()]


def clock(time: str) -> int:
    """Minutes after midnight."""
    hours, minutes_past = time.split(":")
    return 60 * int(hours) + int(minutes_past)


TIMETABLES = {name: (text, rows_of(table)) for name, text, table in TIMETABLE.findall(CELLS["teaching-paths"])}
every_timetable = pytest.mark.parametrize("name", TIMETABLES)


def test_each_path_has_its_timetable() -> None:
    """A day has one of its own, and no row of a table is left over."""
    assert list(TIMETABLES) == ["90 minutes", "A day", "Two days: the first", "Two days: the second"]
    found = sum(2 + len(rows) for _, rows in TIMETABLES.values())
    assert found == sum(line.startswith("|") for line in CELLS["teaching-paths"].splitlines())


@every_timetable
def test_a_timetable_adds_up(name: str) -> None:
    """A row begins when the one before it ends. The last is the end, of 90 minutes or of a day until 17:00."""
    rows = TIMETABLES[name][1]
    for (begin, what, *parts), (following, *_) in pairwise(rows):
        assert clock(following) - clock(begin) == sum(int(part or 0) for part in parts), (begin, what)
    assert rows[-1][1:] == ["end", "", ""]
    assert (rows[0][0], rows[-1][0]) == (("0:00", "1:30") if name == "90 minutes" else ("9:00", "17:00"))


def taught(name: str) -> list[int]:
    """The chapters of a timetable. The title of each is a link to its section."""
    titles = {f"[{label(number)}](#{label(number).replace(' ', '-')})": number for number in CHAPTERS}
    return [titles[what] for _, what, notebook, _ in TIMETABLES[name][1] if notebook]


@every_timetable
def test_a_timetable_has_the_minutes_of_the_chapters(name: str) -> None:
    """For each chapter, and their sum in the text above."""
    text, rows = TIMETABLES[name]
    assert [int(notebook) for *_, notebook, _ in rows if notebook] == [promised(number) for number in taught(name)]
    assert OF_NOTEBOOKS.findall(text) == [str(sum(map(promised, taught(name))))]


def test_a_path_has_its_chapters_in_order() -> None:
    """The two days have all of them."""
    ninety, day, first, second = map(taught, TIMETABLES)
    assert tuple(ninety) == FOR_90_MINUTES
    assert day == sorted(set(day))
    assert first + second == list(CHAPTERS)


def test_a_quarter_of_an_hour_is_enough_to_read_for_90_minutes() -> None:
    """All that stands above the sections, and the sections of the two chapters."""
    notebook = load(TEACHING)
    read = [*FRONT, *(SECTIONS[number] for number in FOR_90_MINUTES)]
    notebook.cells = [cell for cell in notebook.cells if cell.source in read]
    assert minutes(notebook).total <= MINUTES_TO_READ, minutes(notebook)


def test_the_chapters_whose_numbers_differ_are_named() -> None:
    """Those with a cell in their main part whose output nbval does not compare."""
    (named,) = re.findall(r"^Three chapters have a figure .+$", CELLS["teaching-before"], re.MULTILINE)
    differing = [
        number
        for number in CHAPTERS
        if any("nbval-ignore-output" in tags(cell) for cell in above_going_further(chapter(number)))
    ]
    assert re.findall(r"\((\d\d_\w+\.ipynb)\)", named) == [CHAPTERS[number].name for number in differing]
    assert len(differing) == 3


def test_the_letter_has_a_number_of_chapter_0() -> None:
    """By it the others see that their installation works."""
    rate, p99 = re.findall(r"the row (\d+/s) has to end with ([\d.]+ s)\.", CELLS["teaching-before"])[0]
    assert re.search(rf"^ *{rate} .* {re.escape(p99)}$", compared_outputs(chapter(0)), re.MULTILINE)


def one_line(text: str) -> str:
    """Without quotation marks and breaks, so that a message is found that its source writes as several strings."""
    return re.sub(r"\s+", " ", text.replace('"', ""))


def test_the_messages_and_cures_are_real() -> None:
    """Each message in quotation marks, and each command and variable, stands in the README or in the code."""
    sources = [ROOT / "README.md", *(ROOT / "cachelab").rglob("*.py"), *NOTEBOOKS.glob("[0-9]*.ipynb")]
    known = one_line("\n".join([os.strerror(errno.ENOSPC), *(path.read_text(encoding="utf-8") for path in sources)]))
    laptops = CELLS["teaching-laptops"]
    messages = re.findall(r'"([^"]+)"', laptops)
    cures = [span for span in re.findall(r"`([^`]+)`", laptops) if " " in span or span.isupper()]
    assert len(messages) > 12
    assert len(cures) > 8
    parts = [part.strip(" …") for message in messages for part in message.split("…")]
    assert [part for part in [*parts, *map(one_line, cures)] if part not in known] == []


def test_the_commands_are_there() -> None:
    """What follows `python -m cachelab` is one of its commands."""
    named = re.findall(r"python -m cachelab (\w+)", "\n".join(CELLS.values()))
    assert set(named) == {*MODULE, "fresh"}


def test_the_learners_table_has_the_minutes() -> None:
    """The list of chapters in chapter 0."""
    text = "\n".join(cell.source for cell in markdown_cells(chapter(0)))
    rows = re.findall(r"^\| \[?(\d+) · [^|]+\| (\d+) \|", text, re.MULTILINE)
    assert {int(number): int(listed) for number, listed in rows} == {number: promised(number) for number in CHAPTERS}


def test_the_learners_paths_add_up() -> None:
    """In chapter 0: an evening, a day, and a workshop whose two days have all chapters."""
    text = "\n".join(cell.source for cell in markdown_cells(chapter(0)))
    paths = re.findall(r"^- \*\*(An evening|A day|Two days):\*\* (.+)$", text, re.MULTILINE)
    assert [name for name, _ in paths] == ["An evening", "A day", "Two days"]
    for name, said in paths:
        parts = re.findall(r"(\d[\d, ]*(?:(?:and|to) \d+)?)[^.\d]*?(\d+) minutes", said)
        taken: list[int] = []
        for listed, total in parts:
            first, *others = map(int, numbers(listed.replace(",", " ")))
            part = list(range(first, others[0] + 1)) if " to " in listed else [first, *others]
            assert sum(map(promised, part)) == int(total), said
            taken += part
        assert taken == sorted(set(taken))
        assert len(parts) == (2 if name == "Two days" else 1)
    assert taken == list(CHAPTERS)
