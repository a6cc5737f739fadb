"""A slider that shows one of several pictures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cachelab.lab.plots.style import Picture
from cachelab.lab.text import say

__all__ = ["slider"]

# JupyterLab gives a control whose kernel is gone the class jupyter-widgets-disconnected. After the page was loaded
# again, the control has its kernel and no longer knows its picture, which nothing in the page shows: the first sentence
# is for that.
NOTE = """\
<style>
.cachelab-slider-gone { display: none; font-weight: bold; }
.jupyter-widgets-disconnected .cachelab-slider-gone { display: inline; }
.jupyter-widgets-disconnected .cachelab-slider-live { display: none; }
</style>
<span class="cachelab-slider-live">If the picture does not follow the slider, run this cell again.</span>
<span class="cachelab-slider-gone">The kernel of this slider is gone. To move it again, run all cells up to this \
one.</span>"""


def slider(name: str, frames: Mapping[Any, Picture]) -> None:
    """Show the first picture, with a slider under it that shows the others, and print the words of all of them.

    The pictures are drawn before, so that a move of the slider only sends one. Where there are no widgets, as on a web
    page, only the first picture is shown. Raises ValueError if there is no picture.
    """
    from IPython.display import display
    from ipywidgets import HTML, SelectionSlider, VBox

    pictures = {f"{label}": picture for label, picture in frames.items()}
    if not pictures:
        raise ValueError("A slider needs at least one picture.")
    shown = next(iter(pictures.values()))._display()
    control = SelectionSlider(options=list(pictures), description=name, style={"description_width": "initial"})
    control.layout.width = "60%"
    control.observe(lambda change: shown.update(*pictures[change["new"]]._bundle(), raw=True), names="value")
    bundle = VBox([control, HTML(NOTE)])._repr_mimebundle_() or {}
    bundle["text/plain"] = f"[slider: {name} = {', '.join(pictures)}; it moves while the notebook is running]"
    display(bundle, raw=True)  # type: ignore[no-untyped-call]
    for label, picture in pictures.items():
        say(f"{name} = {label}: {picture.words}")
