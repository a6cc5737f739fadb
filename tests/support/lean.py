"""A pytest plugin that saves time which has nothing to do with the tests.

Garbage collections ignore what pytest itself holds, which is several thousand tests: otherwise each `gc.collect()` of a
test takes up to a second. And jsonschema, which nbval imports, finds no rfc3987_syntax, a package whose import takes
seconds in each process. It serves to check addresses in a schema, which no notebook needs.
"""

import gc
import sys
from pathlib import Path

import pytest

__all__ = ["pytest_collection_finish", "pytest_runtest_setup"]

if "jsonschema" not in sys.modules:
    sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment]

_file_of_the_last_test: list[Path | None] = [None]


def pytest_collection_finish() -> None:
    """Every test is there now."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """With each file anew: some parts of the lab freeze the heap for a while, and unfreeze everything at their end.

    (To ask `gc.get_freeze_count()` would take longer than most tests: it counts all objects.)
    """
    if _file_of_the_last_test[0] != item.path:
        _file_of_the_last_test[0] = item.path
        gc.freeze()
