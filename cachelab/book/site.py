"""The site: every notebook a page, the reference, a home page with the list of them, the search, what all share."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from html import escape, unescape
from pathlib import Path
from string import Template
from urllib.parse import quote, unquote

from cachelab.book.chapters import Chapter, read_chapter
from cachelab.book.outputs import Outputs
from cachelab.book.reference import INDEX, read_reference
from cachelab.book.text import Markdown, plain

__all__ = ["DeadLinks", "NotOurs", "build", "dead_links"]

STATIC = Path(__file__).parent / "static"
SHARED = ["book.css", "book.js", "theme.js"]
MADE = ".made-by-cachelab-book"
"""The file in which a site lists its files, one a line, so that the next build can replace these and nothing else."""
LINK = re.compile(r'(?:href|src)="([^":]+)"')  # one with a colon leads out of the site
ANCHOR = re.compile(r'id="([^"]+)"')


class NotOurs(Exception):
    """The folder has files, and no site was made in it before."""


class DeadLinks(Exception):
    """Links of the site lead nowhere; the message lists them."""


def build(root: Path, out: Path) -> list[str]:
    """Make the site of the project in `root` in the folder `out`. Returns the names of its pages in reading order.

    A site that is there is replaced. Raises `NotOurs` for a folder with anything else in it, `DeadLinks` if a link of a
    page leads nowhere, and `NoDocstring` if something public has none; then the folder is left as it was.
    """
    earlier = _made_before(out)
    # A numbered chapter begins with a digit, so it comes before the glossary and whatever else has no number.
    chapters = [read_chapter(path) for path in sorted((root / "notebooks").glob("*.ipynb"))]
    reference = read_reference(root)
    chapters += reference[:1]  # its list of names
    files = _files(root, chapters, reference[1:])
    if dead := dead_links(files):
        raise DeadLinks("\n".join(dead))
    for file in earlier:
        file.unlink(missing_ok=True)
    files[MADE] = "".join(f"{name}\n" for name in sorted([MADE, *files])).encode()
    (out / "img").mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (out / name).write_bytes(data)
    return ["index", *(page.name for page in [*chapters, *reference[1:]])]


def _made_before(out: Path) -> list[Path]:
    """The files of an earlier build, which the new one replaces. Whatever its list says, none of them is outside."""
    if not out.exists() or not any(out.iterdir()):
        return []
    if not (out / MADE).is_file():
        raise NotOurs(f"{out} has files that this command did not make. Name an empty folder, or a new one.")
    files = [out / name for name in (out / MADE).read_text(encoding="utf-8").splitlines()]
    return [file for file in files if file.resolve().is_relative_to(out.resolve())]


def _files(root: Path, chapters: Sequence[Chapter], reference: Sequence[Chapter]) -> dict[str, bytes]:
    """All files of the site, by their names. The pages of the reference are not in the menu; its list is."""
    home = Outputs("index")
    texts = {"index.html": _home(root, chapters, home), "search.js": _search_index([*chapters, *reference])}
    texts |= {f"{chapter.name}.html": _page(root, chapters, number) for number, chapter in enumerate(chapters)}
    texts |= {f"{page.name}.html": _reference_page(chapters, page) for page in reference}
    files = {name: text.encode() for name, text in texts.items()} | home.pictures
    for chapter in chapters:
        files |= chapter.pictures
    return files | {name: (STATIC / name).read_bytes() for name in SHARED}


def dead_links(files: Mapping[str, bytes]) -> list[str]:
    """Each link of a page to a file or an anchor that the site does not have, with the page."""
    pages = {name: data.decode() for name, data in files.items() if name.endswith(".html")}
    anchors = {name: set(map(unescape, ANCHOR.findall(html))) for name, html in pages.items()}
    dead = []
    for name, html in pages.items():
        for link in map(unescape, LINK.findall(html)):
            file, _, anchor = unquote(link).partition("#")
            target = file or name
            if target not in files or (anchor and anchor not in anchors.get(target, ())):
                dead.append(f"{name}: {link}")
    return dead


def _home(root: Path, chapters: Sequence[Chapter], outputs: Outputs) -> str:
    """The first page: what the README says before its first section, its picture, and the promise of each chapter."""
    readme = (root / "README.md").read_text(encoding="utf-8")
    opening = re.split(r"^## ", readme, maxsplit=1, flags=re.MULTILINE)[0]
    words = re.sub(r"^(# |!\[|\[!).*", "", opening, flags=re.MULTILINE)  # without the title, pictures and badges
    opening_html = Markdown().html(words)
    shown = re.search(r"^!\[(.*)\]\((.*\.png)\)", opening, flags=re.MULTILINE)
    image = outputs.image((root / shown[2]).read_bytes(), shown[1]) if shown else ""
    picture = image and f'<div class="picture scroll">{image}</div>'
    cards = "".join(
        f'<li><a href="{chapter.name}.html">{_title(chapter)}</a><p>{escape(chapter.promise)}</p></li>'
        for chapter in chapters
    )
    template = Template((STATIC / "home.html").read_text(encoding="utf-8"))
    body = template.substitute(words=opening_html, picture=picture, cards=cards, first=f"{chapters[0].name}.html")
    return _fill(chapters, "index", "cachelab: a course on caching", body, plain(opening_html), "", "")


def _title(chapter: Chapter) -> str:
    label, _, question = chapter.title.partition(": ")
    if not question:
        return f"<span>{escape(label)}</span>"
    return f"<b>{escape(label)}</b> <span>{escape(question[:1].upper() + question[1:])}</span>"


def _page(root: Path, chapters: Sequence[Chapter], number: int) -> str:
    """The page of one chapter."""
    chapter = chapters[number]
    turn = ""
    if number:
        before = chapters[number - 1]
        turn += f'<a rel="prev" href="{before.name}.html"><span>Before</span>{escape(before.title)}</a>'
    if number + 1 < len(chapters):
        after = chapters[number + 1]
        turn += f'<a rel="next" href="{after.name}.html"><span>Next</span>{escape(after.title)}</a>'
    title = f"{chapter.title} · cachelab"
    first = re.search(r'<h2 |<div class="cell">|\Z', chapter.body)
    end = first.start() if first else 0  # of the opening, which is the cell with the title
    run_it = _run_it(root, chapter) if chapter.notebook else ""
    body = f"{chapter.body[:end]}{run_it}{chapter.body[end:]}"
    return _fill(chapters, chapter.name, title, body, chapter.promise, _outline(chapter), turn)


def _reference_page(chapters: Sequence[Chapter], page: Chapter) -> str:
    """The page of one module."""
    turn = f'<a rel="up" href="{INDEX}.html"><span>Up</span>All names</a>'
    return _fill(chapters, INDEX, f"{page.title} · cachelab", page.body, page.promise, _outline(page), turn)


def _outline(page: Chapter) -> str:
    """Links to the headings of a page."""
    return "".join(
        f'<li class="level-{heading.level}"><a href="#{quote(heading.anchor)}">{escape(heading.words)}</a></li>'
        for heading in page.headings
        if heading.level <= 3
    )


def _run_it(root: Path, chapter: Chapter) -> str:
    """How to come from reading to running; links to the repository are there if pyproject.toml has its address."""
    notebook = f"notebooks/{chapter.name}.ipynb"
    links = []
    if address := _repository(root):
        if host := re.fullmatch(r"https://github\.com/([\w.-]+/[\w.-]+)", address):
            binder = f"https://mybinder.org/v2/gh/{host[1]}/HEAD?labpath={quote(notebook, safe='')}"
            links.append(f'<a href="{binder}">Run it on Binder</a>')
        links.append(f'<a href="{address}">The repository</a>')
        links.append(f'<a href="{address}/issues/new?template=mistake_in_a_chapter.yml">Found a mistake?</a>')
    items = "".join(f"<li>{link}</li>" for link in links)
    return Template((STATIC / "run.html").read_text(encoding="utf-8")).substitute(notebook=notebook, links=items)


def _repository(root: Path) -> str | None:
    """The repository's address, which pyproject.toml has as `Repository` in its table of URLs; None without it."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    address = project.get("urls", {}).get("Repository")
    return address.rstrip("/").removesuffix(".git") if address else None


def _fill(chapters: Sequence[Chapter], name: str, title: str, body: str, about: str, outline: str, turn: str) -> str:
    """A page: the template with the menu, in which the page itself is marked, and the contents."""
    menu = "".join(
        f'<li><a href="{chapter.name}.html"{" aria-current=page" * (chapter.name == name)}>'
        f"{escape(chapter.label)}</a></li>"
        for chapter in chapters
    )
    template = Template((STATIC / "page.html").read_text(encoding="utf-8"))
    outline = outline and f"<details><summary>On this page</summary><ul>{outline}</ul></details>"
    return template.substitute(
        title=escape(title), about=escape(about), menu=menu, body=body, outline=outline, turn=turn, page=name
    )


def _search_index(chapters: Sequence[Chapter]) -> str:
    """A script that sets what the search looks through: a page that is opened as a file may load scripts, not data."""
    passages = [
        {
            "page": chapter.label,
            "heading": passage.heading.words,
            "link": f"{chapter.name}.html#{quote(passage.heading.anchor)}",
            "text": " ".join(passage.words),
        }
        for chapter in chapters
        for passage in chapter.passages
    ]
    return f"window.cachelabPassages = {json.dumps(passages, ensure_ascii=False, separators=(',', ':'))};\n"
