"""A package whose names load when they are first used, so that importing the package costs little.

Type checkers read the names of such a package from its `if TYPE_CHECKING:` block. `lazy_names` reads them from there
too, so that they are written once:

    if TYPE_CHECKING:
        from cachelab.flight import Flight as Flight

    __all__, __getattr__, __dir__ = lazy_names(__name__)

`Flight as Flight` tells a type checker that the name is meant to be imported from here. Some names need a package that
cachelab does not require. Where it is missing, the import of such a name says which extra to install.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

__all__ = ["lazy_names", "public_names"]


def lazy_names(
    package: str, *, extra: str | None = None
) -> tuple[list[str], Callable[[str], Any], Callable[[], list[str]]]:
    """`__all__`, `__getattr__` and `__dir__` for the package of this name, which is being imported.

    `extra` is the extra of pyproject.toml that brings what its modules import from other packages.
    """
    module = sys.modules[package]
    home = dict(public_names(ast.parse(module.__spec__.loader.get_source(package))))  # type: ignore[union-attr]
    names = sorted(home)

    def load(name: str) -> Any:
        if name not in home:
            raise AttributeError(f"{package} has no {name!r}; it has {', '.join(names)}.")
        try:
            found = getattr(import_module(home[name]), name)
        except ModuleNotFoundError as error:
            if extra is None or error.name is None or error.name.partition(".")[0] == "cachelab":
                raise
            sentence = f'{name} needs {error.name}, which is not installed: pip install "cachelab[{extra}]"'
            raise ImportError(sentence, name=error.name) from error
        setattr(module, name, found)  # the next time it is found without this function
        return found

    return names, load, names.copy


def public_names(source: ast.Module) -> list[tuple[str, str]]:
    """Each name that the block `if TYPE_CHECKING:` imports, and the module where it is defined."""
    return [
        (alias.name, statement.module or "")
        for block in source.body
        if isinstance(block, ast.If) and isinstance(block.test, ast.Name) and block.test.id == "TYPE_CHECKING"
        for statement in block.body
        if isinstance(statement, ast.ImportFrom)
        for alias in statement.names
    ]
