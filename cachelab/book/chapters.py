"""A stored notebook as the body of a page, with its outline and what the search knows of it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat

from cachelab.book.outputs import Outputs
from cachelab.book.text import Heading, Markdown, code_block, plain

__all__ = ["Chapter", "Passage", "read_chapter"]

CHECK = "The check runs an experiment on your code, in the notebook. To the code above it says:"
SPACE = re.compile(r"\s+")


@dataclass
class Passage:
    """What stands under one heading, for the search."""

    heading: Heading
    words: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Chapter:
    """A page: the name of its file without the ending, its title and promise, its body, and what belongs to it."""

    name: str
    title: str
    promise: str
    body: str
    headings: list[Heading]
    passages: list[Passage]
    pictures: dict[str, bytes]
    """The files of its pictures, by their names in the site."""

    @property
    def label(self) -> str:
        """The title up to its question, for menus."""
        return self.title.partition(":")[0]


def read_chapter(path: Path) -> Chapter:
    """The page of a notebook."""
    notebook: Any = nbformat.read(path, as_version=4)
    builder = _Builder(path.stem)
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            builder.add_prose(cell)
        elif cell.cell_type == "code" and cell.source.strip():
            builder.add_code(cell)
    return builder.chapter()


class _Builder:
    """Collects the cells of a chapter. What the notebook keeps collapsed under a heading is folded here too."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.markdown, self.outputs = Markdown(), Outputs(name)
        self.parts: list[str] = []
        self.passages: list[Passage] = []
        self.promise = ""
        self.folded = 0  # the level of the heading under which the cells are folded, or 0

    def add_prose(self, cell: Any) -> None:
        """A cell of Markdown. One that begins with a heading ends what is folded under headings of its level."""
        known = len(self.markdown.headings)
        html = self.markdown.html(cell.source)
        new = self.markdown.headings[known:]
        self._note(html, new)
        begins = bool(new) and html.startswith(f"<h{new[0].level}")
        if begins and new[0].level <= self.folded:
            self._unfold()
        if begins and cell.metadata.get("jp-MarkdownHeadingCollapsed"):
            heading, _, below = html.partition("\n")
            heading = re.sub(r'<a class="anchor".*?</a>', "", heading)  # a summary is a control: it holds no other one
            self.parts.append(f'<details class="further"><summary>{heading}</summary>\n{below}')
            self.folded = new[0].level
        else:
            self.parts.append(html)

    def _unfold(self) -> None:
        if self.folded:
            self.parts.append("</details>\n")
            self.folded = 0

    def _note(self, html: str, new: list[Heading]) -> None:
        """Give the words of a cell to the passages under their headings, and find the promise of the chapter."""
        for text, heading in zip(re.split(r"<h\d id=[^\n]*</h\d>\n", html), [None, *new], strict=True):
            if heading:
                self.passages.append(Passage(heading))
            self._say(plain(text))
        promise = re.search(r"<p><strong>Promise:</strong> (.*?)</p>", html, re.DOTALL)
        if promise and not self.promise:
            words = plain(promise[1])
            self.promise = words[:1].upper() + words[1:]

    def _say(self, words: str) -> None:
        if words and self.passages:
            self.passages[-1].words.append(SPACE.sub(" ", words))

    def add_code(self, cell: Any) -> None:
        """A code cell with its outputs. What a check says to the unsolved exercise is folded."""
        self._say(cell.source)
        shown = "".join(self.outputs.html(output) for output in cell.outputs)
        if any(tag.startswith("check:") for tag in cell.metadata.get("tags", [])):
            shown = f'<details class="check"><summary>{CHECK}</summary>\n{shown}</details>\n'
        self.parts.append(f'<div class="cell">\n{code_block(cell.source)}{shown}</div>\n')

    def chapter(self) -> Chapter:
        """The chapter, once all cells were added."""
        self._unfold()
        title, *headings = self.markdown.headings
        body, pictures = "".join(self.parts), self.outputs.pictures
        return Chapter(self.name, title.words, self.promise, body, headings, self.passages, pictures)
