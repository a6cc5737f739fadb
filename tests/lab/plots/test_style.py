"""The visual language: the labels at the ends of lines, what a finished picture is, and that drawing says nothing."""

import io
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from cachelab.lab.plots.style import PALETTE, axes, finish, label_ends
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


@pytest.mark.long
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


def test_a_label_is_dark_and_has_a_mark_in_its_colour() -> None:
    """A colour that is good for a line is often too pale for text."""
    _, (ax,) = axes()
    label_ends(ax, [(0.5, 0.5, "hits", PALETTE[5])])
    (mark,) = ax.lines
    assert mark.get_color() == PALETTE[5]
    assert ax.texts[0].get_color() == "#222222"


def test_a_picture_has_a_palette_and_stays_white() -> None:
    """Few colours make the file small. The paper is not tinted, and a colour of ours hardly changes."""
    figure, (ax,) = axes()
    ax.axhspan(0, 1, color=PALETTE[1])
    with Image.open(io.BytesIO(finish(figure, "title", "words").png)) as image:
        assert image.mode == "P"
        shown = image.convert("RGB")
    assert shown.getpixel((0, 0)) == (255, 255, 255)
    middle = shown.getpixel((shown.width // 2, shown.height // 2))
    assert isinstance(middle, tuple)
    assert all(abs(a - b) <= 4 for a, b in zip(middle, (0xD5, 0x5E, 0x00), strict=True))
