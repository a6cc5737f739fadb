"""Small chapters, and what a learner does with a copy of one, for the tests of the working copy."""

import json
from pathlib import Path
from typing import Any

__all__ = ["answer", "cells", "write_chapter"]


def write_chapter(path: Path, *sources: str) -> None:
    """Write a notebook with a code cell for each of these sources."""
    made: list[dict[str, Any]] = [
        {
            "cell_type": "code",
            "id": f"c{number}",
            "metadata": {},
            "execution_count": None,
            "outputs": [],
            "source": source,
        }
        for number, source in enumerate(sources)
    ]
    notebook = {"cells": made, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    path.write_text(json.dumps(notebook, indent=1), encoding="utf-8")


def answer(path: Path, source: str) -> None:
    """Replace the first cell, and save as JupyterLab does: with an output, and with metadata of its own."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    output = {"name": "stdout", "output_type": "stream", "text": ["Correct.\n"]}
    notebook["cells"][0] |= {"source": source, "execution_count": 1, "outputs": [output]}
    notebook["metadata"]["language_info"] = {"name": "python", "version": "3.13.1"}
    path.write_text(json.dumps(notebook, indent=1), encoding="utf-8")


def cells(path: Path) -> list[Any]:
    """The sources of a notebook's cells."""
    return ["".join(cell["source"]) for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]]
