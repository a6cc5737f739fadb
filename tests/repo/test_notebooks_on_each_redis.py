"""Every notebook that calls `lab.connect`, on each kind of Redis: the same cells are compared with the same outputs.

The quick run compares them on fakeredis (`tests/support/on_fakeredis.py`). The other notebooks need no Redis.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from cachelab.lab.real_redis.url import URL_VARIABLE
from tests.support.cluster import real_cluster
from tests.support.notebooks import ROOT, load, paths
from tests.support.servers import need_server, running_server, wait_until_accepting

NOTEBOOKS_WITH_REDIS = [path for path in paths() if any("lab.connect(" in cell.source for cell in load(path).cells)]


def test_some_notebooks_use_a_redis() -> None:
    """Otherwise the tests below would run no notebook."""
    assert len(NOTEBOOKS_WITH_REDIS) >= 2


@contextmanager
def url_of(kind: str) -> Iterator[str]:
    """Start a Redis of this kind, and yield the value of the variable: empty for the private server, else a URL."""
    with ExitStack() as stack:
        if kind == "private":
            need_server()
            yield ""
        elif kind == "cluster":
            yield stack.enter_context(real_cluster()).url
        else:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="redis")))
            options = ["--port", "0", "--unixsocket", str(folder / "s"), "--requirepass", "secret", "--save", ""]
            stack.enter_context(running_server(str(need_server()), *options, "--dir", str(folder)))
            wait_until_accepting(folder / "s")
            yield f"unix://:secret@{folder / 's'}"


@pytest.mark.long
@pytest.mark.parametrize("kind", ["private", "server", "cluster"])
@pytest.mark.timeout(180)
def test_notebooks_have_the_same_outputs_on(kind: str) -> None:
    """The outputs are compared strictly, as in the quick run on fakeredis."""
    with url_of(kind) as url:
        names = [str(path.relative_to(ROOT)) for path in NOTEBOOKS_WITH_REDIS]
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", "--numprocesses=0", *names]
        ran = subprocess.run(command, cwd=ROOT, env=os.environ | {URL_VARIABLE: url}, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout[-3_000:]
