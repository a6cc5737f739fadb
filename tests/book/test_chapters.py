"""How a stored notebook becomes the body of a page."""

import base64
import re
from pathlib import Path
from typing import Any

import pytest
from nbformat.v4 import new_output

from cachelab.book.chapters import Chapter, read_chapter
from tests.support.project import code, png, prose, shown, write_project

FRAMES = [
    {"label": str(number), "title": "Steps", "words": f"it was {number}", "png": png(colour=number)}
    for number in (1, 2, 3)
]


@pytest.fixture
def page(tmp_path: Path) -> Any:
    """A function that makes the chapter of some cells; the first is a title unless they bring one."""

    def make(*cells: Any) -> Chapter:
        root = write_project(tmp_path / "project", {"01_one": [prose("# 1 · One: what is it?"), *cells]})
        return read_chapter(root / "notebooks" / "01_one.ipynb")

    return make


def test_the_title_is_a_label_and_a_question(page: Any) -> None:
    """Menus have what stands before the colon."""
    chapter = page()
    assert (chapter.title, chapter.label) == ("1 · One: what is it?", "1 · One")
    assert "What is it?</h1>" in chapter.body


def test_headings_have_the_anchors_of_jupyterlab(page: Any) -> None:
    """A space becomes a hyphen and nothing else changes, so that links work in both; a second one of a name differs."""
    chapter = page(prose("## Two *clocks*, `now`?\n\n## Same\n\n## Same"))
    assert [heading.anchor for heading in chapter.headings] == ["Two-clocks,-now?", "Same", "Same-"]
    assert 'href="#Two-clocks%2C-now%3F"' in chapter.body


def test_links_between_notebooks_lead_to_pages(page: Any) -> None:
    """A link to a notebook leads to its page, and keeps its anchor. Others stay as they are."""
    body = page(prose("[a](02_two.ipynb#Some-part) [b](02_two.ipynb) [c](https://example.org/x.ipynb)")).body
    assert re.findall('href="([^"]*)"', body) == ["02_two.html#Some-part", "02_two.html", "https://example.org/x.ipynb"]


def test_the_promise_is_found(page: Any) -> None:
    """The promise stands on the first page as a sentence."""
    assert page(prose("**Promise:** you will `see` it.")).promise == "You will see it."


def test_a_page_without_a_promise_has_its_first_sentence(page: Any) -> None:
    """The glossary promises nothing; its card on the first page is not empty."""
    assert page(prose("The `words`\nof 1.5 courses. And more."), prose("Another one.")).promise == (
        "The words of 1.5 courses."
    )


def test_what_the_notebook_collapses_is_folded(page: Any) -> None:
    """A fold ends at the next heading of its level or above it, and its summary holds no link."""
    body = page(
        prose("### A\n\nabove", folded=True), code("in_a"), prose("#### deeper"), prose("### B", folded=True)
    ).body
    first, second = re.findall(r'<details class="further">.*?</details>', body, re.DOTALL)
    assert all(words in first for words in ("above", "in_a", "deeper"))
    assert "B" in second
    assert not any("<a " in summary for summary in re.findall("<summary>.*?</summary>", body, re.DOTALL))


def test_a_heading_within_a_cell_ends_a_fold(page: Any) -> None:
    """As in JupyterLab, what stands under a heading in the middle of a cell is not folded under the one before it."""
    body = page(prose("### A", folded=True), prose("still A\n\n### B\n\nbelow"), code("in_b")).body
    folded, _, open_ = body.partition("</details>")
    assert "still A" in folded
    assert all(words in open_ for words in (">B<", "below", "in_b"))


def test_a_solution_stays_folded(page: Any) -> None:
    """The `<details>` of a solution is kept, with coloured code in it."""
    body = page(prose("<details><summary>Solution</summary>\n\n```python\nreturn 1\n```\n\n</details>")).body
    assert re.search(r"<details><summary>Solution</summary>.*keyword.*</details>", body, re.DOTALL)


def test_code_and_text_are_escaped(page: Any) -> None:
    """Nothing that code or an output says is taken for HTML."""
    output = new_output("stream", text="<b>&")
    body = page(code("a < b  # <i>", output)).body
    assert "&lt;b&gt;&amp;" in body
    assert "<i>" not in body


def test_code_has_colours(page: Any) -> None:
    """Keywords, strings, numbers, comments and the names that are defined have a class; what is plain has none."""
    body = page(code('def f(x):  # why\n    return "a" + 1')).body
    for kind, words in {
        "keyword": "def",
        "name": "f",
        "comment": "# why",
        "string": '"a"',
        "number": "1",
    }.items():
        assert f'<span class="{kind}">{words}' in body
    assert body.count("<span") == 8  # two of them are in the title, and two keywords are here


def test_a_figure_has_its_title_and_its_words(page: Any) -> None:
    """The picture is a file with a size and the title as its alternative; the words come from the metadata alone."""
    figure = shown("[figure: T]", {"image/png": png()}, figure={"title": 'T "quoted"', "words": "it rises"})
    chapter = page(code("plot()", figure, shown("In words: it rises", words={})))
    assert 'width="4" height="2" alt="T &quot;quoted&quot;"' in chapter.body
    assert chapter.body.count("it rises") == 1
    assert list(chapter.pictures.values()) == [base64.b64decode(png())]


def test_a_slider_brings_every_frame_once(page: Any) -> None:
    """The stored first frame gives way to the slider; one frame and its words are marked as shown."""
    first = shown("[figure: Steps]", {"image/png": FRAMES[0]["png"]}, first_frame={})
    slider = shown("[slider: ...]", slider={"name": "n", "frames": FRAMES})
    body = page(code("slide()", first, slider, shown("In words: ...", words={}))).body
    assert body.count("<img") == len(FRAMES)
    assert "[figure" not in body
    assert "In words: ..." not in body
    assert re.findall(r'alt="([^"]*)"[^>]*class="now"', body) == ["Steps (n = 1)"]
    assert re.findall(r"<b>n = (\d):</b> (it was \d)", body) == [(str(n), f"it was {n}") for n in (1, 2, 3)]
    assert body.count('class="now"') == 2


def test_equal_pictures_share_a_file(page: Any) -> None:
    """A picture's file is named for its content."""
    figure = shown("[figure: T]", {"image/png": png()}, figure={"title": "T", "words": ""})
    assert len(page(code("plot()", figure, figure)).pictures) == 1


def test_a_prediction_and_its_measurement_know_each_other(page: Any) -> None:
    """Both have the same key, and the measured number is there without a script."""
    asked = shown("?", prediction={"name": "knee", "question": "How many?", "unit": "/s"})
    measured = {"name": "knee", "truth": 160.0, "unit": "/s", "too_low": "more", "too_high": "less"}
    body = page(code("predict()", asked), code("reveal()", shown("Measured", measurement=measured))).body
    assert re.findall('data-key="([^"]*)"', body) == ["01_one:knee", "01_one:knee"]
    assert "<b>160 /s</b>" in body
    assert '<label for="guess-knee">How many?</label>' in body


def test_a_table_of_the_lab_is_a_table(page: Any) -> None:
    """Its alignment becomes a class, since a strict page has no styles of its own."""
    html = '<table>\n<tr><td style="text-align: right">1</td></tr>\n</table>'
    body = page(code("table()", shown("1", {"text/html": html}, table={}))).body
    assert '<td class="right">1</td>' in body
    assert "style=" not in body


def test_foreign_html_is_not_trusted(page: Any) -> None:
    """Of an output that is not ours, the text is shown."""
    output = shown("plain words", {"text/html": "<script>bad()</script>"})
    assert "bad()" not in page(code("thing", output)).body


def test_what_a_check_says_is_folded(page: Any) -> None:
    """The reply to the unsolved exercise would tell too much too early."""
    reply = new_output("stream", text="Not yet.")
    assert re.search(
        r'<details class="check">.*Not yet\..*</details>', page(code("c", reply, tags=("check:1.1",))).body, re.DOTALL
    )


def test_the_search_knows_text_and_code_by_heading(page: Any) -> None:
    """Each passage has the words and the code under its heading."""
    chapter = page(prose("opening"), prose("## Part\n\nSome *words*."), code("count_hits()"))
    assert {one.heading.words: " ".join(one.words) for one in chapter.passages} == {
        "1 · One: what is it?": "opening",
        "Part": "Some words. count_hits()",
    }
