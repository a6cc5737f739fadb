"""A pytest plugin: notebooks that call `lab.connect` get fakeredis, unless CACHELAB_REDIS_URL names a server.

So the quick run compares the same outputs on every machine; the long tests run the notebooks on the other kinds of
Redis. A kernel inherits the variable when nbval starts it, in the setup of a notebook's first cell.
"""

import os
from collections.abc import Generator

import pytest

from cachelab.lab.real_redis.url import URL_VARIABLE

__all__ = ["pytest_runtest_setup"]


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, None, None]:
    """Set the variable for as long as a kernel may start."""
    chosen = item.path.suffix == ".ipynb" and URL_VARIABLE not in os.environ
    if chosen:
        os.environ[URL_VARIABLE] = "fake"
    try:
        yield
    finally:
        if chosen:
            del os.environ[URL_VARIABLE]
