"""A slider that shows one of several pictures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cachelab.lab.plots.style import Picture
from cachelab.lab.text import say

__all__ = ["slider"]


def slider(name: str, frames: Mapping[Any, Picture]) -> None:
    """Show the first picture, with a slider under it that shows the others, and print the words of all of them.

    The pictures are drawn before, so that a move of the slider only sends one. Where there are no widgets, as on a web
    page, only the first picture is shown. Raises ValueError if there is no picture.
    """
    from IPython.display import display
    from ipywidgets import SelectionSlider

    pictures = {f"{label}": picture for label, picture in frames.items()}
    if not pictures:
        raise ValueError("A slider needs at least one picture.")
    shown = next(iter(pictures.values()))._display()
    control = SelectionSlider(options=list(pictures), description=name, style={"description_width": "initial"})
    control.layout.width = "60%"
    control.observe(lambda change: shown.update(*pictures[change["new"]]._bundle(), raw=True), names="value")
    bundle = control._repr_mimebundle_() or {}
    bundle["text/plain"] = f"[slider: {name} = {', '.join(pictures)}; it moves while the notebook is running]"
    display(bundle, raw=True)  # type: ignore[no-untyped-call]
    for label, picture in pictures.items():
        say(f"{name} = {label}: {picture.words}")
