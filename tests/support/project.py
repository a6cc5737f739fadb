"""A small project with notebooks, from which the tests make web pages."""

import base64
import struct
import zlib
from pathlib import Path
from typing import Any

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output


def png(width: int = 6, height: int = 3, colour: int = 0) -> str:
    """A picture of one grey, as a notebook holds it."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = zlib.compress(bytes([0, *[colour] * width]) * height)
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    return base64.b64encode(data).decode()


def shown(text: str, more: dict[str, str] | None = None, **about: object) -> Any:
    """An output of the lab: its text, other forms of it, and what its metadata say."""
    return new_output("display_data", {"text/plain": text, **(more or {})}, metadata={"cachelab": about})


def code(source: str, *outputs: Any, tags: tuple[str, ...] = ()) -> Any:
    """A code cell that was run."""
    return new_code_cell(source, outputs=list(outputs), metadata={"tags": list(tags)})


def prose(markdown: str, *, folded: bool = False) -> Any:
    """A cell of Markdown; `folded` collapses what stands under its heading."""
    return new_markdown_cell(markdown, metadata={"jp-MarkdownHeadingCollapsed": True} if folded else {})


def write_project(root: Path, notebooks: dict[str, list[Any]], urls: str = "") -> Path:
    """Write a project with these notebooks, each a list of cells by its name; `urls` goes into its [project.urls]."""
    (root / "notebooks").mkdir(parents=True)
    (root / "README.md").write_text("# course\n\nAll about it.\n\n## Start\n\nNot on the first page.\n")
    (root / "pyproject.toml").write_text(f'[project]\nname = "course"\n[project.urls]\n{urls}\n')
    for name, cells in notebooks.items():
        nbformat.write(new_notebook(cells=cells), root / "notebooks" / f"{name}.ipynb")
    return root
