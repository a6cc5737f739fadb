"""Docstrings as HTML: the forms that they have in this package."""

import pytest

from cachelab.book.docstrings import docstring_html, first_sentence


@pytest.mark.parametrize(
    ("docstring", "html"),
    [
        ("One sentence,\nin two lines.", "<p>One sentence, in two lines.</p>"),
        ("One.\n\nTwo.", "<p>One.</p><p>Two.</p>"),
        ("a < b & `c < d`", "<p>a &lt; b &amp; <code>c &lt; d</code></p>"),
        ("See https://a.org/b_c.", '<p>See <a href="https://a.org/b_c">https://a.org/b_c</a>.</p>'),
        ("An *outcome* of 2 * 3 or r ** -a", "<p>An <em>outcome</em> of 2 * 3 or r ** -a</p>"),
        ("- one\n  and more\n- two", "<ul><li>one and more</li><li>two</li></ul>"),
        (
            "`ttl`   seconds,\n        or `inf`\n`a`, `b`  two",
            (
                '<dl class="arguments"><dt><code>ttl</code></dt><dd>seconds, or <code>inf</code></dd>'
                "<dt><code>a</code>, <code>b</code></dt><dd>two</dd></dl>"
            ),
        ),
        (
            "`ttl`  seconds\nThe others as ever.",
            '<dl class="arguments"><dt><code>ttl</code></dt><dd>seconds</dd></dl><p>The others as ever.</p>',
        ),
        (
            "Problem: slow.\nNot guaranteed: that\n    it is quick.",
            ('<dl class="labels"><dt>Problem</dt><dd>Slow.</dd><dt>Not guaranteed</dt><dd>That it is quick.</dd></dl>'),
        ),
        (
            "Idea: two answers.\n    one    the first,\n           again\n    other  the second\nCost: none.",
            (
                '<dl class="labels"><dt>Idea</dt><dd><p>Two answers.</p><dl class="arguments"><dt>one</dt>'
                "<dd>the first, again</dd><dt>other</dt><dd>the second</dd></dl></dd><dt>Cost</dt><dd>None.</dd></dl>"
            ),
        ),
    ],
)
def test_each_form_has_its_html(docstring: str, html: str) -> None:
    """Paragraphs, code, addresses, lists, arguments in two columns, and the labels of a strategy."""
    assert docstring_html(docstring).replace("\n", "") == html


def test_an_example_keeps_its_lines() -> None:
    """Indented lines after a blank one are code, also with a blank line between them."""
    html = docstring_html("Like this:\n\n    for key in keys:\n        get(key)\n\n    print(keys)\n\nAnd so on.")
    assert html.count("<pre") == 1
    assert "keys:\n    get(key)" in html.replace('<span class="keyword">', "").replace("</span>", "")
    assert html.endswith("<p>And so on.</p>\n")


def test_only_python_is_coloured_as_python() -> None:
    """A drawing that stands like an example keeps its plain words. One with `await` is Python."""
    assert "<span" not in docstring_html("Tree:\n\n    error\n      this is it   for all\n\nEnd.")
    assert "<span" in docstring_html("So:\n\n    await get(7)\n\nEnd.")


def test_code_leads_where_it_is_explained() -> None:
    """Code with an address is a link, but not the arguments that are explained: they are names of their own."""
    html = docstring_html("`a` and `b`.\n\n`a`  is `a`", {"a": "x.html"}.get)
    link = '<a href="x.html"><code>a</code></a>'
    assert html.replace("\n", "") == (
        f'<p>{link} and <code>b</code>.</p><dl class="arguments"><dt><code>a</code></dt><dd>is {link}</dd></dl>'
    )


def test_the_first_sentence_is_one_line() -> None:
    """It ends with its full stop, or with the paragraph."""
    assert first_sentence("One,\n    two: `a.b`. Three.") == "One, two: `a.b`."
    assert first_sentence("No end\n\nMore.") == "No end"
