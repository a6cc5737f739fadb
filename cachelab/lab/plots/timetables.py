"""The timetables of the guide for those who teach, as bars."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import NamedTuple

from cachelab.lab.plots.style import COLOURS, INK, Picture, axes, finish, outlined

__all__ = ["plot_timetables"]

TIMETABLE = re.compile(r"^### (.+)\n(?:(?!###).*\n)*?\| from \|.*\n\|[-|]+\|\n((?:\|.*\n?)+)", re.MULTILINE)
CHAPTER = re.compile(r"\[(\d+) ·")
LOOKS = {
    "notebook": outlined(COLOURS["origin"], 0.45),
    "talk and own work": outlined(COLOURS["stale"], 0.6) | {"hatch": "///"},
    "break": outlined(COLOURS["wait"], 0.35),
}
"""How each kind of time looks."""


class _Part(NamedTuple):
    kind: str
    minutes: int
    label: str


def plot_timetables(notebook: str | Path, title: str) -> Picture:
    """A bar for each timetable of a notebook: minutes at chapters, whose numbers stand in it, of talk, and of breaks.

    A timetable is a table of Markdown under a heading of its own, with the columns from, what, notebook and other. The
    horizontal axis has the hours since its beginning.
    """
    cells = json.loads(Path(notebook).read_text(encoding="utf-8"))["cells"]
    text = "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    tables = {name: _parts(rows) for name, rows in TIMETABLE.findall(text)}
    figure, (ax,) = axes(height=2.6)
    for row, parts in enumerate(tables.values()):
        begin = 0
        for part in parts:
            ax.barh(row, part.minutes / 60, left=begin / 60, height=0.62, **LOOKS[part.kind])
            ax.text((begin + part.minutes / 2) / 60, row, part.label, ha="center", va="center", color=INK, fontsize=9)
            begin += part.minutes
    for kind, look in LOOKS.items():
        ax.barh(0, 0, label=kind, **look)
    ax.set_yticks(range(len(tables)), list(tables))
    ax.invert_yaxis()
    ax.grid(visible=False)
    ax.set_xlabel("hours since the beginning; the numbers are those of the chapters")
    figure.legend(loc="outside lower right", ncols=3, frameon=False, fontsize=9)
    return finish(figure, title, _in_words(tables))


def _parts(rows: str) -> list[_Part]:
    """The parts of a timetable in their order. The last row is its end."""
    parts = []
    for row in rows.strip().splitlines()[:-1]:
        _, what, at_notebook, other = (column.strip() for column in row.strip("|").split("|"))
        if at_notebook:
            parts.append(_Part("notebook", int(at_notebook), CHAPTER.findall(what)[0]))
        if other:
            parts.append(_Part("break" if what in {"break", "lunch"} else "talk and own work", int(other), ""))
    return parts


def _in_words(tables: dict[str, list[_Part]]) -> str:
    """The minutes of each kind, and the chapters."""
    said = []
    for name, parts in tables.items():
        spent = [f"{sum(part.minutes for part in parts if part.kind == kind)} {kind}" for kind in LOOKS]
        said.append(f"{name}: {', '.join(spent)}, chapters {', '.join(part.label for part in parts if part.label)}")
    return f"Minutes. {'; '.join(said)}."
