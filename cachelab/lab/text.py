"""Text in a notebook: small tables, numbers in short forms, and lines that fit the page."""

from __future__ import annotations

import html
import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence

from cachelab.lab.output import show_output

__all__ = ["PAGE", "evidence_table", "in_words", "ms", "printable", "short", "table"]

PAGE = 92  # characters of a line that fits beside the file browser


def table(rows: Iterable[Mapping[str, object]]) -> None:
    """Show rows, each a mapping with the same columns, as a table: in HTML, and as aligned text beside it."""
    import pandas as pd

    frame = pd.DataFrame(list(rows)).astype(str)
    widths = [2 + max(len(name), int(frame[name].str.len().max())) for name in frame.columns]
    text = frame.to_string(index=False, col_space=widths)
    show_output(text, {"text/html": _html_table(list(frame.columns), frame.to_numpy().tolist())}, table={})


def _html_table(names: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A row a line. A column whose cells all begin with a digit or a sign is aligned right, any other one left.

    A column without a name holds the names of the rows.
    """
    columns = zip(*rows, strict=True)
    sides = ["right" if all(re.match("[-−+±]?[0-9]", cell) for cell in column) else "left" for column in columns]
    scopes = ["" if name else "row" for name in names]
    head = _html_row(names, sides, ["col" if name else "" for name in names])
    body = [_html_row(row, sides, scopes) for row in rows]
    return "\n".join(["<table>", f"<thead>{head}</thead>", "<tbody>", *body, "</tbody>", "</table>"])


def _html_row(cells: Sequence[str], sides: Sequence[str], scopes: Sequence[str]) -> str:
    """A row, in which a cell with a scope is a head. JupyterLab aligns all cells right unless they have a style."""
    row = ""
    for cell, side, scope in zip(cells, sides, scopes, strict=True):
        opening = f'th scope="{scope}"' if scope else "td"
        row += f'<{opening} style="text-align: {side}">{html.escape(cell)}</{opening[:2]}>'
    return f"<tr>{row}</tr>"


def evidence_table(header: Sequence[str], rows: Iterable[Sequence[object]], wrong_row: int | None = None) -> str:
    """A counter-example as an aligned table, with a mark at the row that shows the mistake."""
    cells = [list(header), *([str(cell) for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]
    if wrong_row is not None:
        lines[wrong_row + 1] += "   <-- here"
    return "\n".join(lines)


def in_words(words: str) -> str:
    """The text twin of a picture, in lines that fit the page."""
    return textwrap.fill(f"In words: {words}", PAGE, subsequent_indent="    ")


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
