"""The reference: every public name is in it, with all that its docstring says."""

import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import cachelab
from cachelab import lab
from cachelab.book.chapters import Chapter
from cachelab.book.reference import NoDocstring, read_reference
from cachelab.book.site import build, dead_links
from cachelab.book.text import plain
from tests.support.notebooks import ROOT
from tests.support.project import prose, write_project

FACADE = """
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    {imports}
"""
MODULE = '''
"""A module: it has a tool.

Problem: none.
"""

from cachelab.base import Base

LIMIT: int = 3
"""The most: 3 tools."""

class Tool(Base):
    """A tool. See `lab.use` and `LIMIT`.

    Raises ValueError for less than 1 second.
    """

    size_s: float

    def __init__(self, size_s: float, *names: str, deep: bool = False) -> None:
        pass

    async def get(self, key: int, /, *, ttl: float = 1.0) -> str:
        """What the key has."""
'''
BASE = '''
"""What tools share."""

class Base:
    """The base."""

    def close(self) -> None:
        """End it."""

    def _private(self) -> None:
        pass
'''
USE = '''
"""Uses."""

def use(tool):
    """Use a `Tool`, or listen to it: `use`."""
'''


def write_package(root: Path, **changed: str) -> Path:
    """A project with a small package, and a notebook."""
    write_project(root, {"00_zero": [prose("# 0 · Zero: why?\n\n**Promise:** this.")]})
    files = {
        "__init__": FACADE.format(imports="from cachelab.tool import LIMIT as LIMIT, Tool as Tool"),
        "lab/__init__": FACADE.format(imports="from cachelab.lab.use import use as use"),
        "tool": MODULE,
        "base": BASE,
        "lab/use": USE,
    }
    (root / "cachelab" / "lab").mkdir(parents=True)
    for name, text in (files | changed).items():
        (root / "cachelab" / f"{name}.py").write_text(text, encoding="utf-8")
    return root


def words_of(html: str) -> list[str]:
    """The words that a page shows."""
    return re.sub("[`*]", "", plain(re.sub(r"<(?!/?(?:code|a|em|span)\b)", " <", html))).split()


def contains(words: list[str], part: list[str]) -> bool:
    """Whether these words follow one another there."""
    return f" {' '.join(part)} ".casefold() in f" {' '.join(words)} ".casefold()


@pytest.fixture(scope="module")
def pages() -> dict[str, Chapter]:
    """The reference of this package, by the names of its pages."""
    return {page.name: page for page in read_reference(ROOT)}


def test_every_public_name_is_there(pages: dict[str, Chapter]) -> None:
    """The list has each name of the two packages, with a link to the place that explains it."""
    links = re.findall(r'<dt><a href="([\w-]+)\.html#(\w+)"><code>(\w+)</code></a></dt>', pages["reference"].body)
    assert sorted(name for _, _, name in links) == sorted(name for package in (cachelab, lab) for name in dir(package))
    for page, anchor, name in links:
        assert anchor == name
        assert name in [heading.anchor for heading in pages[page].headings]


def public() -> Iterator[tuple[str, Any]]:
    """Each public name with what it stands for, and each public method."""
    for package in (cachelab, lab):
        for name in dir(package):
            thing = getattr(package, name)
            yield name, thing
            if inspect.isclass(thing):
                for method, function in inspect.getmembers(thing, inspect.isfunction):
                    is_ours = function.__module__.startswith("cachelab.")
                    if is_ours and (not method.startswith("_") or method == "__call__"):
                        yield f"{name}.{method}", function


def test_all_of_each_docstring_is_shown(pages: dict[str, Chapter]) -> None:
    """Shapes, units, errors and sources: whatever a docstring says stands on the page of its module, in its order."""
    words = {name: words_of(page.body) for name, page in pages.items()}
    shown = 0
    for name, thing in public():
        if not (inspect.isclass(thing) or inspect.isfunction(thing)):
            continue
        home = thing.__module__ if inspect.isclass(thing) else inspect.unwrap(thing).__module__
        page = "-".join(["reference", *home.split(".")[1:]])
        for docstring in (thing.__doc__, importlib.import_module(home).__doc__):
            assert docstring
            for line in re.sub("[`*]", "", inspect.cleandoc(docstring)).splitlines():
                line = re.sub(r"^ *(?:- |\d+\. |(?:[A-Z][a-z ]+): )", "", line)
                if line.strip():
                    assert contains(words[page], line.split()), (name, line)
                    shown += 1
    assert shown > 1_000


def test_a_page_shows_what_can_be_used(tmp_path: Path) -> None:
    """How a name is imported, its signature, its fields, its methods and those that it inherits; nothing private."""
    pages = {page.name: page for page in read_reference(write_package(tmp_path))}
    assert list(pages) == ["reference", "reference-base", "reference-lab-use", "reference-tool"]
    tool = pages["reference-tool"]
    text = plain(tool.body)
    assert [heading.anchor for heading in tool.headings] == ["LIMIT", "Tool", "Tool.get", "Tool.close"]
    for shown in (
        "from cachelab import Tool",
        "LIMIT: int = 3",
        "The most: 3 tools.",
        "class Tool(Base):\n    size_s: float\n    def __init__(self, size_s: float, *names: str, deep: bool = False)",
        "async def get(self, key: int, /, *, ttl: float = 1.0) -> str",
        "Raises ValueError for less than 1 second.",
        "End it.",
    ):
        assert shown in text
    assert "_private" not in text
    assert '<a href="reference-lab-use.html#use"><code>lab.use</code></a>' in tool.body
    assert '<a href="reference-tool.html#Tool"><code>Tool</code></a>, or listen to it: <code>use</code>' in (
        pages["reference-lab-use"].body
    )


@pytest.mark.parametrize(
    ("file", "docstring", "missing"),
    [
        ("tool", '"""A module: it has a tool.\n\nProblem: none.\n"""', "cachelab.tool"),
        ("tool", '"""The most: 3 tools."""', "cachelab.tool.LIMIT"),
        ("tool", '"""What the key has."""', "cachelab.tool.Tool.get"),
        ("base", '"""The base."""', "cachelab.base.Base"),
        ("lab/use", '"""Use a `Tool`, or listen to it: `use`."""', "cachelab.lab.use.use"),
    ],
)
def test_what_has_no_docstring_fails_the_build(file: str, docstring: str, missing: str, tmp_path: Path) -> None:
    """The error names it, and no file is written."""
    text = {"tool": MODULE, "base": BASE, "lab/use": USE}[file]
    assert docstring in text
    root = write_package(tmp_path / "project", **{file: text.replace(docstring, "1")})
    with pytest.raises(NoDocstring, match=rf"^{re.escape(missing)}$"):
        build(root, tmp_path / "site")
    assert not (tmp_path / "site").exists()


def test_the_site_has_it(tmp_path: Path) -> None:
    """The list stands in the menu after the chapters; its pages can be searched, and lead back to it."""
    pages = build(write_package(tmp_path / "project"), tmp_path / "site")
    assert pages == ["index", "00_zero", "reference", "reference-base", "reference-lab-use", "reference-tool"]
    files = {path.name: path.read_bytes() for path in (tmp_path / "site").iterdir() if path.is_file()}
    assert dead_links(files) == []
    assert '"link":"reference-tool.html#Tool.get","text":"What the key has."' in files["search.js"].decode()
    for page in pages[1:]:
        html = files[f"{page}.html"].decode()
        assert 'href="reference.html"' in html
        assert ("This page is the notebook" in html) == (page == "00_zero")
    assert '<a rel="up" href="reference.html">' in files["reference-tool.html"].decode()


def test_a_project_without_a_package_has_none(tmp_path: Path) -> None:
    """Then the site is the chapters alone."""
    assert read_reference(tmp_path) == []
