"""The site as a whole: its files, its links, and the folder that it goes to."""

from pathlib import Path
from typing import Any

import pytest

from cachelab.book import __main__ as command
from cachelab.book.site import DeadLinks, NotOurs, build
from tests.support.project import code, png, prose, shown, write_project

NOTEBOOKS: dict[str, list[Any]] = {
    "glossary": [prose("# Glossary\n\n## TTL\n\nTime to live.")],
    "01_one": [prose("# 1 · One: what?\n\n[the words](glossary.ipynb#TTL)"), prose("## Part"), code("a = 1")],
    "00_zero": [prose("# 0 · Zero: why?\n\n**Promise:** this."), prose("[next](01_one.ipynb)")],
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project with two chapters and a glossary."""
    return write_project(tmp_path / "project", NOTEBOOKS)


def test_chapters_come_first_and_the_rest_after_them(root: Path, tmp_path: Path) -> None:
    """A notebook without a number, such as the glossary, follows the chapters, in the menus and in reading order."""
    assert build(root, tmp_path / "site") == ["index", "00_zero", "01_one", "glossary"]
    page = (tmp_path / "site" / "01_one.html").read_text(encoding="utf-8")
    assert '<a rel="prev" href="00_zero.html">' in page
    assert '<a rel="next" href="glossary.html">' in page
    assert page.index('href="00_zero.html"') < page.index('href="01_one.html" aria-current=page')


def test_the_first_page_lists_every_chapter(root: Path, tmp_path: Path) -> None:
    """It has the opening of the README, and each chapter's question and promise."""
    build(root, tmp_path / "site")
    page = (tmp_path / "site" / "index.html").read_text(encoding="utf-8")
    assert "All about it." in page
    assert "Not on the first page." not in page
    assert "<span>Why?</span></a><p>This.</p>" in page


@pytest.mark.parametrize(
    ("link", "leads_to"),
    [
        ("02_two.ipynb", "02_two.html"),
        ("glossary.ipynb#Nothing", "glossary.html#Nothing"),
        ("#Nowhere", "#Nowhere"),
        ("picture.png", "picture.png"),
    ],
)
def test_a_dead_link_fails_the_build(link: str, leads_to: str, tmp_path: Path) -> None:
    """The error names the page and the link, and no file is written."""
    root = write_project(tmp_path / "project", NOTEBOOKS | {"02_x": [prose(f"# 2 · X: y?\n\n[z]({link})")]})
    with pytest.raises(DeadLinks, match=f"^02_x.html: {leads_to}$"):
        build(root, tmp_path / "site")
    assert not (tmp_path / "site").exists()


def test_a_foreign_folder_is_refused(root: Path, tmp_path: Path) -> None:
    """A folder with other files is left as it is."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").touch()
    with pytest.raises(NotOurs, match="Name an empty folder"):
        build(root, tmp_path / "mine")
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.txt"]


def test_a_new_build_replaces_the_old_one_only(root: Path, tmp_path: Path) -> None:
    """Files of an earlier build disappear; a file that somebody put beside them stays."""
    out = tmp_path / "site"
    figure = shown("[figure: T]", {"image/png": png()}, figure={"title": "T", "words": ""})
    before = write_project(tmp_path / "before", NOTEBOOKS | {"02_old": [prose("# 2 · Old: gone?"), code("p", figure)]})
    build(before, out)
    assert list(out.glob("img/*.png"))
    (out / "CNAME").write_text("example.org")
    build(root, out)
    assert not (out / "02_old.html").exists()
    assert list(out.glob("img/*.png")) == []
    assert (out / "CNAME").read_text() == "example.org"


def test_a_list_of_files_deletes_nothing_outside(root: Path, tmp_path: Path) -> None:
    """Whatever the list in the folder says, what is not in the folder stays."""
    out = tmp_path / "site"
    build(root, out)
    (tmp_path / "outside").touch()
    (out / ".made-by-cachelab-book").write_text("../outside\n")
    build(root, out)
    assert (tmp_path / "outside").exists()


def test_two_builds_are_equal(root: Path, tmp_path: Path) -> None:
    """The same notebooks make the same bytes."""
    build(root, tmp_path / "a")
    build(root, tmp_path / "b")
    a, b = (
        {p.relative_to(o): p.read_bytes() for p in o.rglob("*") if p.is_file()}
        for o in (tmp_path / "a", tmp_path / "b")
    )
    assert a == b


@pytest.mark.parametrize(
    ("urls", "shown_links"),
    [
        ("", []),
        (
            'Repository = "https://github.com/a/b.git"',
            ["mybinder.org/v2/gh/a/b/HEAD?labpath=notebooks%2F", "github.com/a/b/issues/new"],
        ),
        ('Repository = "https://example.org/b"', ["https://example.org/b/issues/new"]),
    ],
    ids=["none", "github", "elsewhere"],
)
def test_links_to_the_repository(urls: str, shown_links: list[str], tmp_path: Path) -> None:
    """They need the repository's address in pyproject.toml; Binder is offered for what it can reach."""
    build(write_project(tmp_path / "project", NOTEBOOKS, urls), tmp_path / "site")
    page = (tmp_path / "site" / "00_zero.html").read_text(encoding="utf-8")
    assert [link for link in shown_links if link not in page] == []
    assert ("mybinder" in page, "issues/new" in page) == ("github" in urls, bool(urls))


def test_the_command_says_where_the_pages_are(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a folder it makes `site` in the project; what went wrong is one sentence and the exit code 1."""
    monkeypatch.setattr(command, "ROOT", root)
    assert command.main([]) == 0
    assert str(root / "site" / "index.html") in capsys.readouterr().out
    assert command.main(["notebooks"]) == 1
    assert "Name an empty folder" in capsys.readouterr().err
    assert command.main(["--no-browser"]) == 2
