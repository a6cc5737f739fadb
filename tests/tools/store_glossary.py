"""Write `notebooks/glossary.ipynb` from the terms in `cachelab/lab/glossary_terms.py`.

python -m tests.tools.store_glossary

Then `python -m tests.tools.store_notebooks notebooks/glossary.ipynb` runs its one cell of code and stores the output.
"""

import itertools
import sys

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from cachelab.lab.glossary_terms import TERMS, Term
from tests.support.notebooks import GLOSSARY, chapters
from tests.tools.store_notebooks import stored_form

INTRODUCTION = """\
# Glossary

The words of the course, each with the chapter that introduces it. Other names of the same thing stand in \
brackets. In any chapter, `lab.glossary` shows the same text without leaving the page:"""
EXAMPLE = """\
from cachelab import lab

lab.glossary("open loop")"""


def entry(term: Term) -> str:
    """The line of a term, with a link to its chapter if that is there."""
    titles = {int(path.stem[:2]): path.name for path in chapters()}
    where = f"chapter {term.chapter}"
    link = f"[{where}]({titles[term.chapter]})" if term.chapter in titles else f"{where}, in preparation"
    others = f" ({', '.join(term.names[1:])})" if term.names[1:] else ""
    return f"- **{term.names[0]}**{others}: {term.meaning} ({link})"


def sources() -> list[str]:
    """The sources of the notebook's cells: the introduction, the example, and a cell for each initial letter."""
    letters = itertools.groupby(TERMS, key=lambda term: term.names[0][0].upper())
    cells = ["\n".join([f"## {letter}", "", *map(entry, terms)]) for letter, terms in letters]
    return [INTRODUCTION, EXAMPLE, *cells]


def main() -> int:
    """Write the notebook, with the stored output of its code cell still to come."""
    introduction, example, *letters = sources()
    cells = [new_markdown_cell(introduction), new_code_cell(example), *map(new_markdown_cell, letters)]
    for number, cell in enumerate(cells):
        cell.id = f"glossary-{number:02}"
    text = stored_form(new_notebook(cells=cells, nbformat_minor=5))
    GLOSSARY.write_text(text, encoding="utf-8", newline="\n")
    nbformat.validate(nbformat.reads(text, as_version=4))
    return 0


if __name__ == "__main__":
    sys.exit(main())
