"""What every stored notebook must be, whatever it teaches.

The gates read files and run nothing. nbval compares the outputs, and test_notebooks_solved.py tries the solutions.
"""

import ast
import html
import itertools
import json
import re
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode

from cachelab.lab.text import in_words
from tests.support.notebooks import (
    FENCE,
    GLOSSARY,
    NOTEBOOKS,
    ROOT,
    TEACHING,
    bold_numbers,
    chapters,
    code_cells,
    load,
    local_links,
    markdown_cells,
    numbers,
    output_text,
    paths,
    pictures,
    solution,
    tagged,
    tags,
    tree,
)
from tests.support.source import bare, definitions, imports, shipped
from tests.tools.store_notebooks import stored_form

MAX_BYTES = 1_000_000
MAX_CELLS = 42
MAX_SHOWN_LINES = 30
FIGURE_WITHIN = 6
FIGURE_WITHIN_FIRST = 12
"""Chapter 0 has to say first what the course is, so its first figure may come later."""
FORBIDDEN_IMPORTS = {"urllib", "requests", "socket", "http", "httpx", "aiohttp"}
HEADING = re.compile(r"^(#{1,6}) +(.+?) *$", re.MULTILINE)
MACHINE_PATH = re.compile(r"(?<![\w.])(?:/(?:home|Users|root|tmp|private|usr|opt|var|mnt|etc)/\w|[A-Z]:\\\w)")
UNSTABLE = {
    "an address": re.compile(r"\b0x[0-9a-fA-F]{4,}"),
    "a warning": re.compile(r"\w*Warning\b"),
    "a URL": re.compile(r"\b\w+://\w"),
}

every_notebook = pytest.mark.parametrize("path", paths(), ids=lambda path: path.stem)
every_chapter = pytest.mark.parametrize("path", chapters(), ids=lambda path: path.stem)


def headings(cell: NotebookNode) -> list[tuple[int, str]]:
    """The headings of a cell, each with its level. A code cell has none: there a `#` begins a comment."""
    if cell.cell_type != "markdown":
        return []
    return [(len(marks), title) for marks, title in HEADING.findall(FENCE.sub("", cell.source))]


@every_notebook
def test_outputs_are_stored_in_order(path: Path) -> None:
    """The file holds the outputs of one run from the top, in the form that tests/tools/store_notebooks.py writes."""
    notebook = load(path)
    counts = [cell.execution_count for cell in code_cells(notebook)]
    assert counts == list(range(1, len(counts) + 1))
    assert path.read_text(encoding="utf-8") == stored_form(notebook)


@every_notebook
def test_file_is_valid_and_small(path: Path) -> None:
    """The file is a valid notebook, smaller than a megabyte."""
    nbformat.validate(load(path))
    assert path.stat().st_size < MAX_BYTES


@every_notebook
def test_only_announced_errors_are_stored(path: Path) -> None:
    """A cell has an error among its outputs if, and only if, it is tagged raises-exception."""
    for cell in code_cells(load(path)):
        raised = any(output.output_type == "error" for output in cell.outputs)
        assert raised == ("raises-exception" in tags(cell)), cell.source


@every_notebook
def test_outputs_are_the_same_everywhere(path: Path) -> None:
    """No output has an address, a warning, standard error or a URL, and nothing names a folder of some machine."""
    notebook = load(path)
    for cell in notebook.cells:
        for text in (cell.source, output_text(cell)):
            assert not MACHINE_PATH.search(text), text
            assert str(ROOT) not in text, text
            assert sys.prefix not in text, text
    for cell in code_cells(notebook):
        for output in cell.outputs:
            assert output.get("name") != "stderr", output.text
            said = "\n".join([output.get("text", ""), *map(str, text_forms(output))])
            for what, pattern in UNSTABLE.items():
                assert not pattern.search(said), f"{what} in the output of\n{cell.source}\n{said}"


def text_forms(output: NotebookNode) -> list[str]:
    """The data of a display in all its forms except pictures."""
    return [data for kind, data in output.get("data", {}).items() if not kind.startswith("image/")]


@every_notebook
def test_nothing_is_fetched(path: Path) -> None:
    """No cell imports a module that could open a connection."""
    for cell in code_cells(load(path)):
        top_levels = {module.partition(".")[0] for module in imports(tree(cell)) if module != "urllib.parse"}
        assert not top_levels & FORBIDDEN_IMPORTS, cell.source


@pytest.mark.parametrize("path", [path for path in paths() if path != TEACHING], ids=lambda path: path.stem)
def test_bold_numbers_were_measured(path: Path) -> None:
    """Each number in bold prose stands, as a number of its own, in an output that nbval compares.

    The guide for teachers has the numbers of the chapters; test_teaching.py looks for them there.
    """
    notebook = load(path)
    compared = [output_text(cell) for cell in code_cells(notebook) if "nbval-ignore-output" not in tags(cell)]
    measured = set(numbers("\n".join(compared)))
    for cell in markdown_cells(notebook):
        for number in bold_numbers(cell.source):
            assert number in measured, f"**{number}** stands in no compared output:\n{cell.source}"


@every_notebook
def test_uncompared_cells_assert_their_claim(path: Path) -> None:
    """nbval runs every cell, and a cell whose output it does not compare contains an assert."""
    for cell in code_cells(load(path)):
        assert "nbval-skip" not in tags(cell), cell.source
        assert "NBVAL_" not in cell.source, "use a tag, which the other gates see"
        if "nbval-ignore-output" in tags(cell):
            assert any(isinstance(node, ast.Assert) for node in ast.walk(tree(cell))), cell.source


@every_notebook
def test_shown_code_is_shipped_code(path: Path) -> None:
    """A function in a cell tagged shows:module:name is the one in the package, and short enough to read."""
    for where, cell in tagged(load(path), "shows").items():
        ours = bare(shipped(where))
        lengths = [
            (shown.end_lineno or 0) - shown.lineno + 1
            for shown in definitions(tree(cell), re.split(r"[:.]", where)[-1])
            if bare(shown) == ours
        ]
        assert lengths, f"{where} is\n{ours}\nand the cell shows\n{cell.source}"
        assert min(lengths) <= MAX_SHOWN_LINES


@every_notebook
def test_headings_form_an_outline(path: Path) -> None:
    """The only top heading is in the first cell, and no heading skips a level."""
    notebook = load(path)
    levels = [level for cell in markdown_cells(notebook) for level, _ in headings(cell)]
    assert levels.count(1) == 1
    assert notebook.cells[0].cell_type == "markdown"
    assert headings(notebook.cells[0])[0][0] == 1
    assert all(below <= above + 1 for above, below in itertools.pairwise(levels)), levels


@every_notebook
def test_main_loop_is_short(path: Path) -> None:
    """Before "Going further" a chapter has no more than a set number of cells."""
    notebook = load(path)
    further = [i for i, cell in enumerate(notebook.cells) if "Going further" in [title for _, title in headings(cell)]]
    assert (further or [len(notebook.cells)])[0] <= MAX_CELLS


@every_chapter
def test_first_figure_comes_early(path: Path) -> None:
    """A figure stands within the first cells."""
    within = FIGURE_WITHIN_FIRST if path.stem.startswith("00") else FIGURE_WITHIN
    assert any(pictures(cell) for cell in load(path).cells[:within])


@every_notebook
def test_figures_have_a_text_twin(path: Path) -> None:
    """A cell that draws also says in words what the figure shows."""
    for cell in code_cells(load(path)):
        if pictures(cell):
            assert re.search(r"^In words: \w", output_text(cell), re.MULTILINE), cell.source


@every_notebook
def test_metadata_say_what_the_outputs_say(path: Path) -> None:
    """What the edition on the web reads in an output's metadata agrees with its text; nbval compares the text only."""
    asked = set()
    for cell in code_cells(load(path)):
        outputs = [output for output in cell.outputs if "data" in output]
        for output, following in itertools.pairwise([*outputs, NotebookNode(data={})]):
            about, text = output.metadata.get("cachelab", {}), output.data.get("text/plain", "")
            if "image/png" in output.data:
                title = agreed_title(output, about, following)
                assert text == f"[figure: {title}]"
                assert output.metadata["image/png"]["alt"] == title
            if slider := about.get("slider"):
                assert text.startswith(f"[slider: {slider.name} = {', '.join(one.label for one in slider.frames)};")
                words = [in_words(f"{slider.name} = {one.label}: {one.words}") for one in slider.frames]
                assert following.data["text/plain"] == "\n".join(words)
            if prediction := about.get("prediction"):
                asked.add(prediction.name)
                assert text.startswith(f"{prediction.question}\nYour guess? Put a number ({prediction.unit}) in")
            if measurement := about.get("measurement"):
                assert measurement.name in asked
                assert text.startswith(f"Measured: {measurement.truth:g} {measurement.unit}.")
            if "table" in about:
                assert re.sub(r"<[^>]*>", " ", html.unescape(output.data["text/html"])).split() == text.split()


def agreed_title(output: NotebookNode, about: NotebookNode, following: NotebookNode) -> str:
    """The title of a stored picture, which is a figure with its words below, or the first frame of the slider below."""
    if "figure" in about:
        assert following.data["text/plain"].startswith("In words: ")
        assert "".join(following.data["text/plain"].split()).endswith("".join(about.figure.words.split()))
        return str(about.figure.title)
    first = following.metadata.cachelab.slider.frames[0]
    assert "first_frame" in about
    assert output.data["image/png"].strip() == first.png
    return str(first.title)


@every_notebook
def test_exercises_have_a_check_and_a_solution(path: Path) -> None:
    """Each exercise is followed by its check and, one click away, by a solution in one Python block."""
    notebook = load(path)
    exercises, checks, solutions = (tagged(notebook, kind) for kind in ("exercise", "check", "solution"))
    assert list(exercises) == list(checks) == list(solutions)
    for name, cell in exercises.items():
        assert cell.cell_type == checks[name].cell_type == "code"
        assert solutions[name].cell_type == "markdown"
        assert "<details>" in solutions[name].source
        assert solution(solutions[name])
        assert notebook.cells.index(cell) < notebook.cells.index(checks[name])
        assert notebook.cells.index(cell) < notebook.cells.index(solutions[name])


@every_chapter
def test_a_chapter_begins_with_a_link_to_the_glossary(path: Path) -> None:
    """The first cell links the glossary by its file alone: an anchor in another notebook is not always found."""
    assert f"[glossary]({GLOSSARY.name})" in load(path).cells[0].source


@every_chapter
def test_a_chapter_says_which_exercises_are_solved(path: Path) -> None:
    """After the exercises and before "Going further" one cell names all of them, stored as not solved."""
    notebook = load(path)
    numbers = list(tagged(notebook, "exercise"))
    (cell,) = (cell for cell in code_cells(notebook) if "lab.solved(" in cell.source)
    assert cell.source == "lab.solved({})".format(", ".join(json.dumps(number) for number in numbers))
    assert output_text(cell) == f"Not solved yet: {', '.join(numbers)}.\n"
    titles = {title: i for i, other in enumerate(notebook.cells) for _, title in headings(other)}
    assert titles["Synopsis"] < notebook.cells.index(cell) < titles["Going further"]


@every_notebook
def test_links_lead_somewhere(path: Path) -> None:
    """A link to a file, such as the next chapter, leads to one that exists."""
    for cell in markdown_cells(load(path)):
        for target in local_links(cell.source):
            assert (NOTEBOOKS / target).is_file(), target
