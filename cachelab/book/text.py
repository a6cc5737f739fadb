"""Markdown and code as HTML: headings with anchors, links between pages, and code in colours."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import escape, unescape
from itertools import groupby
from typing import Any
from urllib.parse import quote

import mistune
from pygments.lexers import get_lexer_by_name
from pygments.token import Comment, Keyword, Name, Number, Operator, String
from pygments.util import ClassNotFound

__all__ = ["Heading", "Markdown", "code_block", "plain", "scrolling"]

NOTEBOOK = re.compile(r"(\w+)\.ipynb(#.*)?")
TAG = re.compile(r"<[^>]*>")
COLOURS = [
    (Keyword, "keyword"),
    (Operator.Word, "keyword"),
    (String, "string"),
    (Comment, "comment"),
    (Number, "number"),
    (Name.Function, "name"),
    (Name.Class, "name"),
    (Name.Decorator, "name"),
]
"""The kinds of tokens that have a colour, each with its class in the style sheet. The others stay plain."""


@dataclass(frozen=True)
class Heading:
    """A heading of a page: its level, the anchor that links lead to, and its words."""

    level: int
    anchor: str
    words: str


class Markdown(mistune.HTMLRenderer):
    """Turns the Markdown of one page into HTML, and keeps the headings that it meets."""

    def __init__(self) -> None:
        """An anchor is unique in a page, so each page has a renderer of its own."""
        super().__init__(escape=False)
        self.headings: list[Heading] = []
        self._parse = mistune.create_markdown(renderer=self, plugins=["table", "strikethrough"])

    def html(self, markdown: str) -> str:
        """The HTML of some Markdown."""
        return str(self._parse(markdown))

    def heading(self, text: str, level: int, **_: Any) -> str:
        """A heading with the anchor that JupyterLab would give it, and a link to itself."""
        words = plain(text)
        anchor = words.replace(" ", "-")
        taken = [one.anchor for one in self.headings]
        while anchor in taken:
            anchor += "-"
        self.headings.append(Heading(level, anchor, words))
        if level == 1:
            kicker, colon, question = text.partition(": ")
            if question:
                kicker = f'<span class="kicker">{kicker}<span class="unseen">{colon}</span></span>'
                text = kicker + question[:1].upper() + question[1:]
            return f'<h1 id="{escape(anchor)}">{text}</h1>\n'
        link = f'<a class="anchor" href="#{quote(anchor)}" aria-label="Link to {escape(words)}">#</a>'
        return f'<h{level} id="{escape(anchor)}">{text}{link}</h{level}>\n'

    def block_code(self, code: str, info: str | None = None) -> str:
        """A fenced block, in colours if its language is named."""
        return code_block(code, (info or "text").split()[0])

    def link(self, text: str, url: str, title: str | None = None) -> str:
        """A link. One to a notebook leads to its page."""
        notebook = NOTEBOOK.fullmatch(url)
        if notebook:
            url = f"{notebook[1]}.html{notebook[2] or ''}"
        return super().link(text, url, title)

    def table(self, text: str) -> str:
        """A table that can be scrolled where it is wider than the page."""
        return scrolling(f"<table>\n{text}</table>\n")


def code_block(code: str, language: str = "python") -> str:
    """Code in colours. The script adds a button that copies it."""
    try:
        lexer = get_lexer_by_name(language)
    except ClassNotFound:
        lexer = get_lexer_by_name("text")
    runs = groupby(lexer.get_tokens(code), key=lambda token: _colour(token[0]))
    coloured = "".join(_run(name, "".join(text for _, text in tokens)) for name, tokens in runs)
    return f'<div class="code"><pre class="scroll"><code>{coloured.rstrip()}</code></pre></div>\n'


def _colour(kind: Any) -> str:
    return next((name for kinds, name in COLOURS if kind in kinds), "")


def _run(name: str, text: str) -> str:
    """Neighbouring tokens of one colour."""
    shown = escape(text, quote=False)
    return f'<span class="{name}">{shown}</span>' if name else shown


def scrolling(table: str) -> str:
    """A table in a box of its own, which is scrolled instead of the page."""
    return f'<div class="table scroll">{table}</div>\n'


def plain(html: str) -> str:
    """The words of some HTML."""
    return unescape(TAG.sub("", html)).strip()
