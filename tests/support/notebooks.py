"""Find, read, take apart and run the notebooks of the course: the helpers that tests and tools share."""

import ast
import re
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = ROOT / "notebooks"
GLOSSARY = NOTEBOOKS / "glossary.ipynb"
TEACHING = NOTEBOOKS / "teaching.ipynb"
"""The guide for those who teach."""
CELL_TIMEOUT = 60
"""How many seconds one cell may take. nbval gets the same limit in pyproject.toml."""

NUMBER = re.compile(r"(?<![\w.])\d+(?:,\d{3}(?!\d))*(?:\.\d+)?")
FENCE = re.compile(r"^ *```.*?^ *``` *$", re.MULTILINE | re.DOTALL)
CODE_SPAN = re.compile(r"(`+).+?\1", re.DOTALL)
BOLD = re.compile(r"\*\*(.+?)\*\*", re.DOTALL)
LOCAL_LINK = re.compile(r"\]\((?![a-z]+:|#)([^)#\s]+)")
PYTHON_BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def chapters() -> list[Path]:
    """The notebooks with a number, in reading order."""
    return sorted(NOTEBOOKS.glob("[0-9]*.ipynb"))


def paths() -> list[Path]:
    """All notebooks of the course: the chapters in reading order, then the glossary, then the guide for teachers."""
    return [*chapters(), GLOSSARY, TEACHING]


def load(path: Path) -> NotebookNode:
    """The stored notebook, in format 4, with each source and each text of an output as one string."""
    notebook: NotebookNode = nbformat.reads(path.read_text(encoding="utf-8"), as_version=4)
    return notebook


def tags(cell: NotebookNode) -> list[str]:
    """The tags of a cell, in the order in which they were written."""
    return list(cell.metadata.get("tags", []))


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    """The code cells that are not empty; the kernel does not count empty ones."""
    return [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]


def markdown_cells(notebook: NotebookNode) -> list[NotebookNode]:
    """The cells of prose."""
    return [cell for cell in notebook.cells if cell.cell_type == "markdown"]


def tagged(notebook: NotebookNode, kind: str) -> dict[str, NotebookNode]:
    """The cells tagged `kind:NAME`, by NAME and in order. It is an error if a name is given twice."""
    found: dict[str, NotebookNode] = {}
    for cell in notebook.cells:
        for tag in tags(cell):
            if tag.startswith(f"{kind}:"):
                name = tag.removeprefix(f"{kind}:")
                assert name not in found, f"two cells are tagged {tag}"
                found[name] = cell
    return found


def tree(cell: NotebookNode) -> ast.Module:
    """The syntax tree of a code cell, which must be plain Python, without magics."""
    parsed: ast.Module = ast.parse(cell.source)
    return parsed


def pictures(cell: NotebookNode) -> list[str]:
    """The PNG pictures among the outputs of a cell, each in base64."""
    return [output.data["image/png"] for output in cell.get("outputs", []) if "image/png" in output.get("data", {})]


def output_text(cell: NotebookNode) -> str:
    """The outputs of a cell as plain text, one after the other: streams, and the text/plain of displays."""
    said = [output.get("text") or output.get("data", {}).get("text/plain", "") for output in cell.get("outputs", [])]
    return "\n".join(said)


def without_code(markdown: str) -> str:
    """Markdown without its fenced blocks and code spans."""
    return CODE_SPAN.sub("", FENCE.sub("", markdown))


def numbers(text: str) -> list[str]:
    """The whole numbers and decimals in a text, without thousands separators.

    A sign, a percent sign or a unit beside a number is no part of it, and digits inside a word (p99, L2) are no number.
    """
    return [token.replace(",", "") for token in NUMBER.findall(text)]


def bold_numbers(markdown: str) -> list[str]:
    """The numbers that stand in the bold spans of a markdown text, outside code."""
    return [number for span in BOLD.findall(without_code(markdown)) for number in numbers(span)]


def local_links(markdown: str) -> list[str]:
    """The files that links and pictures lead to, without what follows a `#`."""
    return LOCAL_LINK.findall(without_code(markdown))


def solution(cell: NotebookNode) -> str:
    """The code of a solution cell, which is its only Python block."""
    blocks = PYTHON_BLOCK.findall(cell.source)
    assert len(blocks) == 1, f"a solution holds exactly one Python block, this one {len(blocks)}:\n{cell.source}"
    return str(blocks[0]).rstrip()


def run(notebook: NotebookNode, folder: Path) -> None:
    """Run every cell, from the top, in a fresh kernel that starts in `folder`. The outputs go into `notebook`.

    Raises `nbclient.exceptions.CellExecutionError` at the first cell that raises without the tag raises-exception, and
    `CellTimeoutError` at the first that takes longer than `CELL_TIMEOUT`.
    """
    NotebookClient(
        notebook,
        kernel_name="python3",
        timeout=CELL_TIMEOUT,
        record_timing=False,
        store_widget_state=False,
        extra_arguments=["--IPKernelApp.log_level=ERROR"],  # a kernel on 127.0.0.1 warns about plain TCP at every start
        resources={"metadata": {"path": str(folder)}},
    ).execute()
