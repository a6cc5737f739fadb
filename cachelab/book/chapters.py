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
PROMISE = re.compile(r"<p><strong>Promise:</strong> (.*?)</p>", re.DOTALL)
PARAGRAPH = re.compile(r"<p>(.*?)</p>", re.DOTALL)
SENTENCE = re.compile(r".*?\.(?=\s|$)")


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
    notebook: bool = True
    """Whether it was made of a notebook, which can be run."""

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


def _promise(html: str) -> str:
    """What a cell says of its page: the promise of a chapter, or else the first sentence of its first paragraph."""
    if found := PROMISE.search(html):
        words = plain(found[1])
        return words[:1].upper() + words[1:]
    paragraph = PARAGRAPH.search(html)
    sentence = paragraph and SENTENCE.match(SPACE.sub(" ", plain(paragraph[1])))
    return sentence[0] if sentence else ""


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
        """A cell of Markdown. Each heading in it ends what is folded under headings of its level."""
        known = len(self.markdown.headings)
        html = self.markdown.html(cell.source)
        new = self.markdown.headings[known:]
        self._note(html, new)
        before, *parts = re.split(r"^(?=<h\d id=)", html, flags=re.MULTILINE)
        self.parts.append(before)
        for heading, part in zip(new, parts, strict=True):
            if heading.level <= self.folded:
                self._unfold()
            if heading is new[0] and not before and cell.metadata.get("jp-MarkdownHeadingCollapsed"):
                self._fold(heading, part)
            else:
                self.parts.append(part)

    def _fold(self, heading: Heading, part: str) -> None:
        summary, _, below = part.partition("\n")
        summary = re.sub(r'<a class="anchor".*?</a>', "", summary)  # it is a control, which holds no other one
        self.parts.append(f'<details class="further"><summary>{summary}</summary>\n{below}')
        self.folded = heading.level

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
        if not self.promise:
            self.promise = _promise(html)

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
