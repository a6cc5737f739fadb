"""What the tests of pictures share."""

import pytest
from matplotlib.figure import Figure

from cachelab.lab.plots import style


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures that are drawn, instead of their files."""
    figures: list[Figure] = []

    def keep(figure: Figure) -> bytes:
        figures.append(figure)
        return b""

    monkeypatch.setattr(style, "_png", keep)
    return figures
