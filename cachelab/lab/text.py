"""Text in a notebook: small tables, numbers as people say them, and lines that fit the page."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence

__all__ = ["PAGE", "evidence_table", "ms", "say", "short", "table"]

PAGE = 92  # characters that fit beside the file browser


def table(rows: Iterable[Mapping[str, object]]) -> None:
    """Print rows of the same columns as an aligned table."""
    import pandas as pd

    frame = pd.DataFrame(list(rows)).astype(str)
    widths = [2 + max(len(name), int(frame[name].str.len().max())) for name in frame.columns]
    print(frame.to_string(index=False, col_space=widths))


def evidence_table(header: Sequence[str], rows: Iterable[Sequence[object]], wrong_row: int | None = None) -> str:
    """A counter-example as an aligned table; the row that decides is marked."""
    cells = [list(header), *([str(cell) for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]
    if wrong_row is not None:
        lines[wrong_row + 1] += "   <-- here"
    return "\n".join(lines)


def say(words: str) -> None:
    """Print the twin of a picture, in lines that fit the page."""
    print(textwrap.fill(f"In words: {words}", PAGE, subsequent_indent="    "))


def short(number: float) -> str:
    """A number in four digits, and without an exponent: "7.206", "14,660"."""
    return f"{number:,.0f}" if abs(number) >= 1_000 else f"{number:.4g}"


def ms(seconds: float) -> str:
    """Seconds as people say them: "0 ms", "50 ms", "1.2 s"."""
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"
