"""The slider over pictures: what is shown and said, and what it says once nothing moves any more."""

from typing import Any

import pytest
from ipywidgets.widgets.widget import _instances

from cachelab.lab.plots.slider import slider
from cachelab.lab.plots.style import Picture


@pytest.fixture
def displayed(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What a notebook would show, in order."""
    shown: list[dict[str, Any]] = []
    monkeypatch.setattr("IPython.display.display", lambda bundle, **_: shown.append(bundle))
    return shown


def test_the_control_says_what_to_do_when_nothing_moves(
    displayed: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    """Under the slider stand two sentences: one for a page that was loaded again, one for a kernel that is gone."""
    slider("rate", {1: Picture(b"one", "First words.", "One"), 2: Picture(b"two", "Second words.", "Two")})
    picture, control = displayed
    assert picture["text/plain"] == "[figure: One]"
    assert control["text/plain"] == "[slider: rate = 1, 2; it moves while the notebook is running]"
    box = _instances[control["application/vnd.jupyter.widget-view+json"]["model_id"]]
    note = box.children[1].value
    assert "run this cell again" in note
    assert "The kernel of this slider is gone" in note
    assert "In words: rate = 2: Second words." in capsys.readouterr().out
