"""The slider: what is stored of it, and that its list and its handle move together."""

import base64
from collections.abc import Iterator
from typing import Any

import ipywidgets
import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

from cachelab import lab
from cachelab.lab.plots.slider import _control
from cachelab.lab.plots.style import Picture

PICTURES = {number: Picture(f"png {number}".encode(), f"it was {number}", f"title {number}") for number in (8, 12)}


@pytest.fixture
def stored() -> Iterator[list[Any]]:
    """The outputs of a slider over two pictures: the first picture, the control, and the words."""
    InteractiveShell.instance()
    with capture_output() as captured:
        lab.slider("pool", PICTURES)
    yield captured.outputs
    InteractiveShell.clear_instance()


def test_every_frame_is_in_the_metadata(stored: list[Any]) -> None:
    """The edition on the web takes from there what the widget needs a kernel for."""
    first, control, words = stored
    slider = control.metadata["cachelab"]["slider"]
    assert slider["name"] == "pool"
    assert [(one["label"], one["title"], one["words"]) for one in slider["frames"]] == [
        ("8", "title 8", "it was 8"),
        ("12", "title 12", "it was 12"),
    ]
    assert [base64.b64decode(one["png"]) for one in slider["frames"]] == [b"png 8", b"png 12"]
    assert first.metadata == {"cachelab": {"first_frame": {}}, "image/png": {"alt": "title 8"}}
    assert words.data["text/plain"] == "In words: pool = 8: it was 8\nIn words: pool = 12: it was 12"


def test_the_control_says_what_to_do_when_nothing_moves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Under the slider stand two sentences: one for a page that was loaded again, one for a kernel that is gone."""
    notes: list[str] = []

    def html(value: str) -> Any:
        notes.append(value)
        return ipywidgets.Label(value)

    InteractiveShell.instance()
    monkeypatch.setattr(ipywidgets, "HTML", html)
    with capture_output():
        lab.slider("pool", PICTURES)
    InteractiveShell.clear_instance()
    (note,) = notes
    assert "run this cell again" in note
    assert "The kernel of this slider is gone" in note


def test_the_list_has_the_name_and_follows_the_handle() -> None:
    """The list is what a screen reader can say. It and the handle show the same frame, whichever is moved."""
    shown: list[str] = []
    choice, handle = _control("pool", ["8", "12", "16"], shown.append).children
    assert choice.description == "pool"
    handle.value = "12"
    assert choice.value == "12"
    choice.value = "16"
    assert handle.value == "16"
    assert shown == ["12", "16"]


def test_a_slider_needs_a_picture() -> None:
    """Without one there is nothing to show."""
    with pytest.raises(ValueError, match="at least one picture"):
        lab.slider("pool", {})
