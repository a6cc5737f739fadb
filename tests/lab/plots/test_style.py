"""The visual language: where the labels at the ends of lines stand."""

import math

import pytest

from cachelab.lab.plots.style import axes, label_ends


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
