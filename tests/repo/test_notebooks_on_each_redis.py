"""Every notebook that asks for a Redis, on each kind of the ladder: the same cells are compared with the same outputs.

The quick run has them on fakeredis (`tests/on_fakeredis.py`); the others never ask.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from cachelab.lab.real_redis.url import VARIABLE
from tests.support.cluster import real_cluster
from tests.support.notebooks import ROOT, load, paths
from tests.support.servers import guarded, need_server, wait_for

ASKING = [path for path in paths() if any("lab.connect(" in cell.source for cell in load(path).cells)]


def test_some_notebooks_ask_for_a_redis() -> None:
    """Or else the tests below would run nothing."""
    assert len(ASKING) >= 2


@contextmanager
def url_of(kind: str) -> Iterator[str]:
    """What the variable must say: nothing for the private server, else the URL of a server that is started here."""
    with ExitStack() as stack:
        if kind == "private":
            need_server()
            yield ""
        elif kind == "cluster":
            yield stack.enter_context(real_cluster()).url
        else:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="redis")))
            options = ["--port", "0", "--unixsocket", str(folder / "s"), "--requirepass", "secret", "--save", ""]
            stack.enter_context(guarded(str(need_server()), *options, "--dir", str(folder)))
            wait_for(folder / "s")
            yield f"unix://:secret@{folder / 's'}"


@pytest.mark.long
@pytest.mark.parametrize("kind", ["private", "server", "cluster"])
@pytest.mark.timeout(180)
def test_notebooks_compare_alike_on(kind: str) -> None:
    """Strictly, as in the quick run, which has compared them on fakeredis."""
    with url_of(kind) as url:
        names = [str(path.relative_to(ROOT)) for path in ASKING]
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", "--numprocesses=0", *names]
        ran = subprocess.run(command, cwd=ROOT, env=os.environ | {VARIABLE: url}, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout[-3_000:]
