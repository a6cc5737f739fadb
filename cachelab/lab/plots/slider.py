"""A slider that shows one of several pictures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from cachelab.lab.output import base64_text, show_output
from cachelab.lab.plots.style import Picture
from cachelab.lab.text import in_words

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
    """Show the first picture, with a slider under it that shows the others, and the words of all of them.

    The pictures are drawn before, so that a move of the slider only sends one. Where there are no widgets, only the
    first picture is shown. All of them are in the metadata of the slider, from which the edition on the web takes them.
    Raises ValueError if there is no picture.
    """
    from ipywidgets import HTML, VBox

    pictures = {f"{label}": picture for label, picture in frames.items()}
    if not pictures:
        raise ValueError("A slider needs at least one picture.")
    first = next(iter(pictures.values()))
    shown = show_output(first.text, first.forms, alt=first.title, updatable=True, first_frame={})

    def show(label: str) -> None:
        picture = pictures[label]
        shown.update({**picture.forms, "text/plain": picture.text}, raw=True)

    stored = [
        {"label": label, "title": picture.title, "words": picture.words, "png": base64_text(picture.png)}
        for label, picture in pictures.items()
    ]
    text = f"[slider: {name} = {', '.join(pictures)}; it moves while the notebook is running]"
    widgets = VBox([_control(name, list(pictures), show), HTML(NOTE)])._repr_mimebundle_()
    show_output(text, widgets, slider={"name": name, "frames": stored})
    words = [in_words(f"{name} = {label}: {picture.words}") for label, picture in pictures.items()]
    show_output("\n".join(words), words={})


def _control(name: str, labels: list[str], show: Callable[[str], None]) -> Any:
    """The widgets: a list of the labels, and a slider over the same ones.

    A browser gives the list the name and the value that the slider's handle lacks, so a screen reader can say them.
    """
    from ipywidgets import Dropdown, HBox, SelectionSlider, link

    choice = Dropdown(
        options=labels, description=name, style={"description_width": "initial"}, layout={"width": "max-content"}
    )
    handle = SelectionSlider(options=labels, readout=False, layout={"width": "45%"})
    link((handle, "index"), (choice, "index"))
    handle.observe(lambda change: show(change["new"]), names="value")
    return HBox([choice, handle])
