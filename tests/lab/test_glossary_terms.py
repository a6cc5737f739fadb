"""The glossary: one list of terms, which a notebook shows and `lab.glossary` prints."""

import re

import pytest

from cachelab import lab
from cachelab.lab.glossary_terms import TERMS, Term
from cachelab.lab.text import PAGE
from tests.support.notebooks import GLOSSARY, chapters, load
from tests.tools.store_glossary import sources

TITLES = {int(path.stem[:2]): path for path in chapters()}


def said(capsys: pytest.CaptureFixture[str]) -> str:
    """What was printed, without its line breaks."""
    lines = capsys.readouterr().out.splitlines()
    assert all(len(line) <= PAGE for line in lines)
    return " ".join(line.strip() for line in lines)


def test_the_notebook_is_the_list() -> None:
    """notebooks/glossary.ipynb has exactly the cells that tests/tools/store_glossary.py writes."""
    assert [cell.source for cell in load(GLOSSARY).cells] == sources()


def test_terms_are_in_order_and_named_once() -> None:
    """The order is that of the alphabet, whatever the capitals, and no name stands for two terms."""
    first = [term.names[0].casefold() for term in TERMS]
    names = [name.casefold() for term in TERMS for name in term.names]
    assert first == sorted(first)
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("term", [term for term in TERMS if term.chapter in TITLES], ids=lambda term: term.names[0])
def test_a_term_stands_in_its_chapter(term: Term) -> None:
    """The chapter that a term names uses one of its names."""
    text = "\n".join(cell.source for cell in load(TITLES[term.chapter]).cells)
    assert any(re.search(rf"(?<!\w){re.escape(name)}", text, re.IGNORECASE) for name in term.names)


def test_a_term_is_shown_with_its_chapter(capsys: pytest.CaptureFixture[str]) -> None:
    """`lab.glossary` prints the text of the list. Capitals, blanks and other names of the term do not matter."""
    lab.glossary("open loop")
    (term,) = (term for term in TERMS if term.names[0] == "open loop")
    expected = f"open loop: {term.meaning} (chapter 0)"
    assert said(capsys) == expected
    lab.glossary(" Open  LOOP ")
    assert said(capsys) == expected
    lab.glossary("request coalescing")
    assert said(capsys).startswith("single flight, request coalescing: ")


@pytest.mark.parametrize(
    ("asked", "hint"),
    [
        ("bloom", "Did you mean Bloom filter?"),
        ("opne loop", "Did you mean open loop or closed loop?"),
        ("qqq", "All terms are in glossary.ipynb."),
        ("", "All terms are in glossary.ipynb."),
    ],
)
def test_an_unknown_term_gets_a_hint(asked: str, hint: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What is written nearly as a term, or is a part of one, leads to it."""
    lab.glossary(asked)
    assert said(capsys) == f"The glossary has no {asked!r}. {hint}"
