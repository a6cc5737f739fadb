"""The site that the stored notebooks make: what a reader has to load, and that nothing comes from elsewhere."""

import re
import socket
from pathlib import Path
from typing import NoReturn

import pytest

from cachelab.book.site import SHARED, build, dead_links
from tests.support.notebooks import ROOT, code_cells, load, paths, pictures, tags

PAGE_BYTES = 200_000
"""The HTML of a page with the style sheet and the scripts."""
CHAPTER_BYTES = 600_000
"""The same with all pictures, those of every frame of a slider among them."""
FETCHED = re.compile(r'<(?:script|link|img|iframe|source|video|audio|object|embed)\b[^>]*(?:src|href|data)="([^"]*)"')

every_notebook = pytest.mark.parametrize("path", paths(), ids=lambda path: path.stem)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built while nothing can open a connection."""
    out = tmp_path_factory.mktemp("site")

    def refuse(*_: object) -> NoReturn:
        raise AssertionError("the build opens a connection")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "socket", refuse)
        patch.setattr(socket, "getaddrinfo", refuse)
        build(ROOT, out)
    return out


@every_notebook
def test_a_page_is_small(path: Path, site: Path) -> None:
    """A page keeps its budget, and so does a chapter with all frames of its sliders."""
    text = sum((site / name).stat().st_size for name in (f"{path.stem}.html", *SHARED))
    html = (site / f"{path.stem}.html").read_text(encoding="utf-8")
    images = sum((site / name).stat().st_size for name in set(re.findall(r'<img src="([^"]*)"', html)))
    assert text <= PAGE_BYTES
    assert text + images <= CHAPTER_BYTES


def test_the_pages_of_the_reference_are_small(site: Path) -> None:
    """They keep the budget of a chapter."""
    shared = sum((site / name).stat().st_size for name in SHARED)
    sizes = [path.stat().st_size for path in site.glob("reference*.html")]
    assert len(sizes) > 50
    assert max(sizes) + shared <= PAGE_BYTES


def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    """Scripts, styles and pictures are files of the site; the style sheet names no file at all."""
    for page in site.glob("*.html"):
        loaded = FETCHED.findall(page.read_text(encoding="utf-8"))
        assert loaded
        assert [name for name in loaded if name != "data:," and not (site / name).is_file()] == []
    assert not re.search(r"url\(|@import", (site / "book.css").read_text(encoding="utf-8"))
    assert "://" not in (site / "book.js").read_text(encoding="utf-8")


def test_pages_allow_a_strict_policy(site: Path) -> None:
    """No page has a script, a style or a handler of its own, which a content policy would have to allow."""
    for page in site.glob("*.html"):
        html = re.sub(r"<pre.*?</pre>", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
        assert not re.search(r"<style|<script(?! src=)|<[a-z][^>]*\s(?:style|on[a-z]+)=", html), page.name


def test_what_the_search_knows_can_be_reached(site: Path) -> None:
    """Every place in its index is one to which a link would lead."""
    files = {path.relative_to(site).as_posix(): path.read_bytes() for path in site.rglob("*") if path.is_file()}
    links = re.findall(r'"link":"([^"]*)"', files["search.js"].decode())
    assert links
    assert dead_links(files | {"links.html": "".join(f'<a href="{link}">' for link in links).encode()}) == []


@every_notebook
def test_a_page_has_what_its_notebook_shows(path: Path, site: Path) -> None:
    """Every picture and every frame has an alternative text; sliders, predictions, tables and code are all there."""
    html = (site / f"{path.stem}.html").read_text(encoding="utf-8")
    cells = code_cells(load(path))
    about = [output.metadata.get("cachelab", {}) for cell in cells for output in cell.outputs if "data" in output]
    frames = [frame for one in about for frame in one.get("slider", {}).get("frames", [])]
    figures = sum(len(pictures(cell)) for cell in cells) - sum("first_frame" in one for one in about)
    alternatives = re.findall(r'<img [^>]*alt="([^"]*)"', html)
    assert len(alternatives) == figures + len(frames)
    assert all(alternatives)
    for kind, marker in {
        "slider": '<figure class="slider">',
        "prediction": '<form class="prediction"',
        "measurement": '<div class="measurement"',
    }.items():
        assert html.count(marker) == sum(kind in one for one in about)
    assert html.count('<div class="cell">') == len(cells)
    assert html.count('<details class="check">') == sum(
        "check" in {tag.partition(":")[0] for tag in tags(cell)} for cell in cells
    )
