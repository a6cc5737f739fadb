"""Run notebooks and store them with their outputs, in the one form in which the tests compare them.

python -m tests.tools.store_notebooks [NOTEBOOK ...]      default: every notebook of the course

Each notebook runs from the top in a fresh kernel. When it runs again, the file stays the same to the last byte, unless
an output has changed. A notebook in which a cell fails is left as it was.
"""

import sys
import time
from pathlib import Path

import nbformat
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode

from tests.support.notebooks import code_cells, load, paths, pictures, run

KERNELSPEC = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
WIDGET = "application/vnd.jupyter.widget-view+json"


def normalise(notebook: NotebookNode) -> None:
    """Remove from an executed notebook what differs from run to run or from machine to machine."""
    notebook.metadata.pop("widgets", None)
    notebook.metadata.kernelspec = dict(KERNELSPEC)
    notebook.metadata.language_info = {"name": "python"}
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code":
            cell.outputs = normalised_outputs(cell.outputs)
            if not cell.source.strip():
                cell.execution_count = None


def stored_form(notebook: NotebookNode) -> str:
    """The text of the file in which an executed notebook is stored. This changes the notebook: see `normalise`."""
    normalise(notebook)
    return f"{nbformat.writes(notebook)}\n"


def normalised_outputs(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """The outputs without widget models, whose ids are random. Neighbouring streams of one name are joined.

    Of an error, only the last line stays: the frames above it name files of this machine, and nbval ignores them.
    """
    kept: list[NotebookNode] = []
    for output in outputs:
        if output.output_type in {"display_data", "execute_result"}:
            output.data.pop(WIDGET, None)
            if not output.data:
                continue
        elif output.output_type == "error":
            output.traceback = [f"{output.ename}: {output.evalue}"]
        elif kept and kept[-1].output_type == "stream" and kept[-1].name == output.name:
            kept[-1].text += output.text
            continue
        kept.append(output)
    return kept


def last_begun(notebook: NotebookNode) -> int:
    """The index of the cell that was running when the kernel stopped, which is the last cell with a number."""
    return max((i for i, cell in enumerate(notebook.cells) if cell.get("execution_count") is not None), default=0)


def store(path: Path) -> bool:
    """Run one notebook, store it in place and print a line about it. False if a cell failed."""
    notebook = load(path)
    for cell in code_cells(notebook):
        cell.execution_count, cell.outputs = None, []
    started = time.perf_counter()
    try:
        run(notebook, path.parent)
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
        print(f"{path.name}, cell {last_begun(notebook)}: {error}", file=sys.stderr)
        return False
    seconds = time.perf_counter() - started
    path.write_text(stored_form(notebook), encoding="utf-8", newline="\n")
    images = sum(len(pictures(cell)) for cell in code_cells(notebook))
    kilobytes = path.stat().st_size / 1000
    print(f"{path.name}: {seconds:.1f} s, {len(notebook.cells)} cells, {kilobytes:.0f} kB, {images} images")
    return True


def main(arguments: list[str]) -> int:
    """Store the notebooks that are named, or all of them. Returns 1 if any failed, otherwise 0."""
    chosen = [Path(argument).resolve() for argument in arguments] or paths()
    failed = [path for path in chosen if not store(path)]
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
