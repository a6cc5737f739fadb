"""The picture of the timetables: what it says in words, and where each part stands."""

import json
from pathlib import Path

import pytest

from cachelab import lab
from cachelab.lab.plots import timetables

TABLES = """\
### A morning

Text, 1 | 2.

| from | what | notebook | other |
|---|---|---|---|
| 9:00 | Every notebook opens | | 15 |
| 9:15 | [3 · Third](#3) | 30 | 10 |
| 9:55 | break | | 5 |
| 10:00 | end | | |

### No timetable

### An hour
One.

| from | what | notebook | other |
|---|---|---|---|
| 0:00 | [4 · Fourth](#4) | 50 | 10 |
| 1:00 | end | | |

After it."""


@pytest.fixture
def notebook(tmp_path: Path) -> Path:
    """A notebook with two timetables."""
    path = tmp_path / "guide.ipynb"
    cells = [{"cell_type": "code", "source": ["### not this"]}, {"cell_type": "markdown", "source": [TABLES]}]
    path.write_text(json.dumps({"cells": cells}), encoding="utf-8")
    return path


def test_the_timetables_in_words(notebook: Path) -> None:
    """The minutes of each kind, and the chapters."""
    assert lab.plot_timetables(notebook, "title").words == (
        "Minutes. A morning: 30 notebook, 25 talk and own work, 5 break, chapters 3; "
        "An hour: 50 notebook, 10 talk and own work, 0 break, chapters 4."
    )


def test_each_part_begins_where_the_one_before_it_ends(notebook: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the order of the table; what stands beside a chapter follows it."""
    drawn = []
    monkeypatch.setattr(timetables, "finish", lambda figure, *_: drawn.append(figure))
    lab.plot_timetables(notebook, "title")
    bars = [bar for bar in drawn[0].axes[0].patches if bar.get_width() > 0 and bar.get_y() < 0.5]
    places = [(round(60 * bar.get_x()), round(60 * bar.get_width())) for bar in bars]
    assert places == [(0, 15), (15, 30), (45, 10), (55, 5)]
