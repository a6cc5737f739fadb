"""Text in a notebook: small tables, numbers in short forms, and lines that fit the page."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence

__all__ = ["PAGE", "evidence_table", "ms", "printable", "say", "short", "table"]

PAGE = 92  # characters of a line that fits beside the file browser


def table(rows: Iterable[Mapping[str, object]]) -> None:
    """Print rows, each a mapping with the same columns, as an aligned table."""
    import pandas as pd

    frame = pd.DataFrame(list(rows)).astype(str)
    widths = [2 + max(len(name), int(frame[name].str.len().max())) for name in frame.columns]
    print(frame.to_string(index=False, col_space=widths))


def evidence_table(header: Sequence[str], rows: Iterable[Sequence[object]], wrong_row: int | None = None) -> str:
    """A counter-example as an aligned table, with a mark at the row that shows the mistake."""
    cells = [list(header), *([str(cell) for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]
    if wrong_row is not None:
        lines[wrong_row + 1] += "   <-- here"
    return "\n".join(lines)


def say(words: str) -> None:
    """Print the text twin of a picture, in lines that fit the page."""
    print(textwrap.fill(f"In words: {words}", PAGE, subsequent_indent="    "))


def short(number: float) -> str:
    """A number with four significant digits, or as a whole one from 1,000 on: "7.206", "14,660"."""
    return f"{number:,.0f}" if abs(number) >= 1_000 else f"{number:.4g}"


def ms(seconds: float) -> str:
    """Seconds in a short form: "0 ms", "50 ms", "1.2 s"."""
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def printable(text: str, width: int) -> str:
    """The text in at most `width` characters, with control characters escaped and an ellipsis where it is cut."""
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text[: width + 1])
    return shown if len(shown) <= width else shown[: width - 1] + "…"
