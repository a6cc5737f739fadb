"""The learner's own copy of the chapters, in the folder `work` beside `notebooks`.

JupyterLab saves a notebook as soon as it is opened. In `notebooks` that would stand in the way of the next `git pull`,
so the course is opened in `work`, which git ignores. A chapter is copied there only where it is missing: what is in
`work` is never overwritten. Each copy says in its metadata of which chapter it is, and of which version.

This module uses nothing but the standard library, because the commands of the README run before anything is installed.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

__all__ = ["SOLVED", "fill", "lay_fresh", "outdated", "version"]

SOLVED = ".solved"
"""The folder inside `work` that has an empty file for each exercise that was solved there, named as its number."""
_KEY = "cachelab"  # of the notebook's metadata
_COPY_NUMBERS = range(2, 1_000)


def fill(notebooks: Path, work: Path) -> None:
    """Copy each notebook that `work` has not. Raises OSError if the folder cannot be written to."""
    (work / SOLVED).mkdir(parents=True, exist_ok=True)
    for source in sorted(notebooks.glob("*.ipynb")):
        if not (work / source.name).exists():
            _lay(source, work / source.name)


def outdated(notebooks: Path, work: Path) -> list[str]:
    """The file names of the chapters that have changed in `notebooks` since each of their copies in `work` was made.

    A notebook that does not say which version it is, such as one that was copied by hand, is not counted.
    """
    copied: dict[str, set[str]] = {}
    for path in work.glob("*.ipynb"):
        origin = _read(path).get("metadata", {}).get(_KEY, {})
        if isinstance(origin, dict) and {"chapter", "version"} <= origin.keys():
            copied.setdefault(str(origin["chapter"]), set()).add(str(origin["version"]))
    present = sorted(path for path in notebooks.glob("*.ipynb") if path.name in copied)
    return [path.name for path in present if version(_read(path)) not in copied[path.name]]


def lay_fresh(notebooks: Path, work: Path, chapter: str) -> Path:
    """Lay a new copy of a chapter beside those that are in `work`, and return its path.

    `chapter` is a number, such as "03" or "3", or the name of a file with or without its folder and ending. Raises
    LookupError, whose text says which chapters there are, if there is no such chapter.
    """
    source = _find(notebooks, chapter)
    (work / SOLVED).mkdir(parents=True, exist_ok=True)
    for target in _free_names(work, source.stem):
        if _lay(source, target):
            return target
    raise LookupError(f"There are too many copies of {source.stem} in {work}. Delete some of them.")


def version(notebook: dict[str, Any]) -> str:
    """A hash of what the cells of a notebook say. Outputs are not part of it: they may differ where nothing changed."""
    cells = [[cell.get("cell_type"), "".join(cell.get("source", ""))] for cell in notebook.get("cells", [])]
    return hashlib.sha256(json.dumps(cells).encode()).hexdigest()[:16]


def _free_names(work: Path, stem: str) -> Iterator[Path]:
    yield work / f"{stem}.ipynb"
    for number in _COPY_NUMBERS:
        yield work / f"{stem}-{number}.ipynb"


def _find(notebooks: Path, chapter: str) -> Path:
    sources = sorted(notebooks.glob("*.ipynb"))
    wanted = chapter.replace("\\", "/").rpartition("/")[2].removesuffix(".ipynb")
    for source in sources:
        number = source.stem.partition("_")[0]
        if wanted == source.stem or (wanted.isdecimal() and number.isdecimal() and int(wanted) == int(number)):
            return source
    known = ", ".join(source.stem.partition("_")[0] for source in sources)
    raise LookupError(f"There is no chapter {chapter!r}. There are {known}.")


def _lay(source: Path, target: Path) -> bool:
    """Copy a notebook, with its version. False if `target` is there, also if another process has just made it."""
    notebook = _read(source)
    notebook.setdefault("metadata", {})[_KEY] = {"chapter": source.name, "version": version(notebook)}
    complete = target.with_name(f".{target.stem}.{os.getpid()}.tmp")
    text = json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True)
    complete.write_text(f"{text}\n", encoding="utf-8", newline="\n")
    try:
        os.link(complete, target)  # unlike a rename, it never replaces a file, and nobody sees half of one
    except FileExistsError:
        return False
    except OSError:  # a file system without links
        if target.exists():
            return False
        complete.replace(target)
    finally:
        complete.unlink(missing_ok=True)
    return True


def _read(path: Path) -> dict[str, Any]:
    """The notebook, or an empty one if the file is none: the learner may keep anything in `work`."""
    try:
        notebook = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return notebook if isinstance(notebook, dict) else {}
