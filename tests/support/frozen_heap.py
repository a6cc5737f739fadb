"""A pytest plugin: garbage collections ignore what pytest itself holds, which is some ten thousand tests.

Otherwise each `gc.collect()` of a test takes up to a second, and each collection that Python starts by itself a part of
one.
"""

import gc

import pytest

__all__ = ["pytest_collection_finish", "pytest_runtest_setup"]


def pytest_collection_finish() -> None:
    """Every test is there now."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Some parts of the lab freeze the heap for a while, and unfreeze everything at their end."""
    if not gc.get_freeze_count():
        gc.freeze()
