"""A claim: a sentence of a notebook about a random sample, and a function that checks it on several samples.

Problem: a sentence such as "the load falls by half" was written beside the outputs of one seed. With another seed of
    the same traffic it may be false, and nbval, which compares outputs, can't know.
Idea: run the notebook's own cells again, with other random numbers. So a check follows the notebook when its
    workload changes, and it fails by name when a variable has gone.

A module `chNN.py` has the claims of a chapter:

    claim = Chapter("01")

    @claim("The hit ratio falls with every node.")
    def falls(fleets: Any) -> None:
        assert fleets[1].hit_ratio > fleets[10].hit_ratio > fleets[100].hit_ratio

The sentence stands in the notebook word for word, in prose, in code (the title of a picture) or in an output. The
parameters of the function are names of the notebook, with the values that they have after the last cell. Of the
notebook only those cells run that these names depend on. What the function runs itself gets the same random numbers.
"""

import ast
import asyncio
import dis
import functools
import inspect
import io
import random
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, redirect_stdout
from dataclasses import dataclass, field
from types import CodeType, ModuleType
from typing import Any
from unittest.mock import MagicMock, patch

from nbformat import NotebookNode

from cachelab import lab
from cachelab.lab.traffic import workload
from tests.support.notebooks import code_cells, load, output_text, paths, tags

__all__ = ["SAMPLES", "Chapter", "Claim", "needed_cells", "sample", "shuffled"]

SAMPLES = 5
"""How many samples a sentence is checked on. Number 0 is the notebook's own, the others have other random numbers."""
LEFT_OUT = ("nbval-ignore-output", "raises-exception", "exercise:", "check:")
"""Cells with these tags do not run here: they measure time, need a real server, fail on purpose, or are a learner's."""
NAMES_OF_THE_LAB: list[str] = vars(lab)["__all__"]
DRAWINGS = [name for name in NAMES_OF_THE_LAB if name.startswith("plot_")] + ["slider", "eviction_steps"]
Check = Callable[..., None]


@dataclass(frozen=True)
class Claim:
    """A sentence of a chapter, and the function that raises AssertionError where it is false."""

    chapter: "Chapter" = field(repr=False)
    sentence: str
    check: Check

    @property
    def names(self) -> list[str]:
        """The names of the notebook that the check looks at."""
        return list(inspect.signature(self.check).parameters)

    def stands_in(self, notebook: NotebookNode) -> bool:
        """Whether the sentence stands in a source or in an output. Line breaks do not count, nor do stars for bold."""
        texts = [text for cell in notebook.cells for text in (cell.source, output_text(cell))]
        return any(words(self.sentence) in words(text) for text in texts)

    def check_on(self, number: int) -> None:
        """Check the sentence on a sample. It is an AssertionError if the sentence is false of it."""
        values = sample(self.chapter, number)
        with shuffled(number):
            self.check(**{name: values[name] for name in self.names})


class Chapter:
    """The claims of the chapter whose notebook begins with `number`, in the order of the notebook."""

    def __init__(self, number: str) -> None:
        self.number, self.claims = number, list[Claim]()

    def __call__(self, sentence: str) -> Callable[[Check], Check]:
        """A decorator for the function that checks this sentence."""

        def register(check: Check) -> Check:
            self.claims.append(Claim(self, sentence, check))
            return check

        return register

    def names(self) -> set[str]:
        """The names of the notebook that the checks look at."""
        return {name for claim in self.claims for name in claim.names}

    def notebook(self) -> NotebookNode:
        """The stored notebook of this chapter."""
        (path,) = (path for path in paths() if path.stem.startswith(self.number))
        return load(path)


def words(text: str) -> str:
    """A text in one line, without the stars of bold and italic type."""
    return re.sub(r"\s+", " ", text.replace("*", ""))


class Reseeded(random.Random):
    """A generator whose seed is joined with the number of the sample. Without a number it is Python's own."""

    number = 0

    def __init__(self, seed: Any = None) -> None:
        super().__init__(f"{seed}, sample {self.number}" if self.number else seed)


@contextmanager
def shuffled(number: int) -> Iterator[None]:
    """In this block each generator that the package or a notebook makes belongs to this sample; no picture is made."""
    for name in NAMES_OF_THE_LAB:
        getattr(lab, name)  # so that all modules are there, and none keeps the class from here
    plain = random.Random
    ours = [module for name, module in sys.modules.items() if name.split(".")[0] == "cachelab"]
    with ExitStack() as stack:
        stack.enter_context(patch.object(Reseeded, "number", number))
        for module in [random, *(module for module in ours if vars(module).get("Random") is plain)]:
            stack.enter_context(patch.object(module, "Random", Reseeded))
        for name in DRAWINGS:
            stack.enter_context(patch.object(lab, name, MagicMock()))
        workload._requests.cache_clear()  # the requests of a workload are kept under its numbers
        stack.callback(workload._requests.cache_clear)
        yield


@functools.lru_cache(maxsize=1)  # the tests are in order of sample, and a sample holds some 100 MB
def sample(chapter: Chapter, number: int) -> dict[str, Any]:
    """The names of a notebook after its cells have run on this sample: those that the chapter's claims depend on."""
    module = ModuleType(f"notebook_{chapter.number}")
    sys.modules[module.__name__] = module  # pickle looks for the notebook's classes there
    with shuffled(number), asyncio.Runner() as runner, redirect_stdout(io.StringIO()):
        for cell in needed_cells(chapter.notebook(), chapter.names()):
            runner.run(execute(compiled(cell), vars(module)))
    return vars(module)


async def execute(code: CodeType, names: dict[str, Any]) -> None:
    """Run a compiled cell, which may have an `await` at its top level."""
    waiting = eval(code, names)
    if waiting is not None:
        await waiting


def compiled(cell: NotebookNode) -> CodeType:
    """A code cell as code that can be run."""
    code: CodeType = compile(cell.source, "<cell>", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    return code


def needed_cells(notebook: NotebookNode, names: set[str]) -> list[NotebookNode]:
    """The code cells that give these names their values, and those that they depend on, in order.

    It is an error if no cell gives one of the names a value.
    """
    chosen, wanted = [], set(names)
    for cell in reversed(
        [cell for cell in code_cells(notebook) if not any(t.startswith(LEFT_OUT) for t in tags(cell))]
    ):
        stored, read = stored_and_read(compiled(cell))
        if stored & wanted:
            names = names - stored
            wanted |= read
            chosen.append(cell)
    assert not names, f"no cell that is run here defines {names}"
    return chosen[::-1]


def stored_and_read(code: CodeType) -> tuple[set[str], set[str]]:
    """The names that a cell gives a value, and those that it, or a function inside it, has from cells before."""
    stored, read = set[str](), set[str]()
    for instruction in dis.get_instructions(code):
        if instruction.opname == "STORE_NAME":
            stored.add(instruction.argval)
        elif instruction.opname in {"LOAD_NAME", "LOAD_GLOBAL"} and instruction.argval not in stored:
            read.add(instruction.argval)
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            read |= inner_reads(inner) - stored
    return stored, read


def inner_reads(code: CodeType) -> set[str]:
    """The global names that a function reads, with those of the functions inside it."""
    read = {i.argval for i in dis.get_instructions(code) if i.opname in {"LOAD_NAME", "LOAD_GLOBAL"}}
    return read.union(*(inner_reads(inner) for inner in code.co_consts if isinstance(inner, CodeType)))
