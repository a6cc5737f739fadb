"""A docstring as HTML: paragraphs, the six labels of a strategy, arguments in two columns, lists and examples."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable, Iterable
from html import escape

from cachelab.book.text import code_block

__all__ = ["Links", "docstring_html", "first_sentence", "inline"]

LABEL = re.compile(r"(Problem|Idea|Guarantee|Not guaranteed|Cost|Source): +(.*)")
BULLET = re.compile(r"(?:-|\d+\.) +(.*)")
COLUMNS = re.compile(r"(\S.*?) {2,}(\S.*)")
MARKED = re.compile(r"`([^`\n]+)`|(https?://[^\s<>]*[^\s<>.,;:)])|(?<![\w*])\*(\w[\w ]*)\*(?![\w*])")
SENTENCE = re.compile(r".*?\.(?=\s|$)")

Links = Callable[[str], str | None]
"""The address to which a piece of code leads, or None."""


def first_sentence(docstring: str) -> str:
    """What a docstring says first, in one line, with its signs for code."""
    words = " ".join(inspect.cleandoc(docstring).partition("\n\n")[0].split())
    found = SENTENCE.match(words)
    return found[0] if found else words


def docstring_html(docstring: str, links: Links = lambda code: None) -> str:
    """The HTML of a docstring."""
    return "".join(_part(part, links) for part in _parts(inspect.cleandoc(docstring).split("\n")))


def inline(words: str, links: Links = lambda code: None) -> str:
    """The HTML of a line: code between backticks, addresses as links, emphasis between asterisks."""
    html, end = "", 0
    for found in MARKED.finditer(words):
        html += escape(words[end : found.start()], quote=False)
        code, address, stressed = found.groups()
        if code is not None:
            shown, leads_to = f"<code>{escape(code, quote=False)}</code>", links(code)
            html += f'<a href="{escape(leads_to)}">{shown}</a>' if leads_to else shown
        elif address is not None:
            html += f'<a href="{escape(address)}">{escape(address)}</a>'
        else:
            html += f"<em>{stressed}</em>"
        end = found.end()
    return html + escape(words[end:], quote=False)


def _parts(lines: Iterable[str]) -> list[tuple[str, list[list[str]]]]:
    """The parts of a text: the kind of each, and its items, which are lines. A blank line ends an item.

    A line that is indented continues an item. Where there is no item before it, it is an example.
    """
    parts: list[tuple[str, list[list[str]]]] = []
    after_blank = True
    for line in lines:
        if not line.strip():
            after_blank = True
            continue
        before = parts[-1][0] if parts else ""
        if line.startswith(" "):
            if before == "example" or after_blank or before == "text":
                kind, item = "example", [line]
            else:
                parts[-1][1][-1].append(line)
                continue
        elif found := LABEL.fullmatch(line):
            kind, item = "labels", [found[1], found[2][:1].upper() + found[2][1:]]
        elif found := BULLET.fullmatch(line):
            kind, item = "list", [found[1]]
        elif found := COLUMNS.fullmatch(line):
            kind, item = "columns", [found[1], found[2]]
        else:
            kind, item = "text", [line]
        if before == kind and kind == "text" and not after_blank:
            parts[-1][1][-1].append(line)
        elif before == kind and kind != "text":
            if kind == "example" and after_blank:
                item = ["", *item]
            parts[-1][1].append(item)
        else:
            parts.append((kind, [item]))
        after_blank = False
    return parts


def _part(part: tuple[str, list[list[str]]], links: Links) -> str:
    kind, items = part
    if kind == "example":
        example = inspect.cleandoc("\n" + "\n".join(line for item in items for line in item))
        return code_block(example, "python" if _is_python(example) else "text")
    if kind == "text":
        return "".join(f"<p>{inline(' '.join(item), links)}</p>\n" for item in items)
    if kind == "list":
        words = (" ".join(" ".join(item).split()) for item in items)
        return f"<ul>{''.join(f'<li>{inline(one, links)}</li>' for one in words)}</ul>\n"
    if kind == "labels":
        pairs = "".join(f"<dt>{name}</dt><dd>{_inside(words, links)}</dd>" for name, *words in items)
        return f'<dl class="labels">{pairs}</dl>\n'
    # What is explained here is an argument or a verb, and no public name that may be called the same.
    pairs = "".join(f"<dt>{inline(name)}</dt><dd>{_inside(words, links)}</dd>" for name, *words in items)
    return f'<dl class="arguments">{pairs}</dl>\n'


def _is_python(example: str) -> bool:
    try:
        compile(example, "example", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT | ast.PyCF_ONLY_AST)
    except SyntaxError:
        return False
    return True


def _inside(lines: list[str], links: Links) -> str:
    """What stands beside or under a name: words, or parts of its own."""
    first, *more = lines
    below = inspect.cleandoc("\n".join(["", *more])).split("\n") if more else []
    parts = _parts([first, *below])
    if [kind for kind, _ in parts] == ["text"]:
        return inline(" ".join(parts[0][1][0]), links)
    return "".join(_part(part, links) for part in parts)
