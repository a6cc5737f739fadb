"""The visual language: where the labels at the ends of lines stand, and that drawing says nothing."""

import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cachelab.lab.plots.style import axes, label_ends
from tests.support.notebooks import ROOT


@pytest.mark.parametrize("scale", ["linear", "log"])
def test_labels_are_moved_apart_only_where_they_would_overlap(scale: str) -> None:
    """The distance is the same to the eye; on a logarithmic axis it is a factor."""
    _, (ax,) = axes()
    ax.set_yscale(scale)
    ax.set_ylim(1, 1_000)
    label_ends(ax, [(0, 100.0, "low", "k"), (0, 101.0, "near", "k"), (0, 900.0, "far", "k")])
    places = {note.get_text(): note.xy[1] for note in ax.texts}  # type: ignore[attr-defined]
    seen = {name: math.log10(y) if scale == "log" else y for name, y in places.items()}
    height = 3 if scale == "log" else 999
    assert (places["low"], places["far"]) == pytest.approx((100.0, 900.0))
    assert (seen["near"] - seen["low"]) / height == pytest.approx(0.062)


def test_where_home_cannot_be_written_to(tmp_path: Path) -> None:
    """A picture is drawn without a word on standard error, also by a Matplotlib that has no place for its cache."""
    (tmp_path / "a file").touch()
    nowhere = str(tmp_path / "a file" / "folder")
    code = "from cachelab import lab; lab.plot_curve({'a': ([1, 2], [1, 2])}, 'A title', x='x', y='y')"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=os.environ | {"MPLCONFIGDIR": nowhere, "HOME": nowhere},
    )
    assert (done.returncode, done.stderr) == (0, "")
