"""Two type checkers accept what must pass, and refuse a store of one type under a loader of another."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.notebooks import ROOT

FILES = ["tests/typing/accepted.py", "tests/typing/refused.py"]

pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]


def run_mypy(*files: str) -> subprocess.CompletedProcess[str]:
    """mypy in the project's own settings, which are strict."""
    command = [sys.executable, "-m", "mypy", *files]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def run_pyright(*files: str) -> subprocess.CompletedProcess[str]:
    """pyright; the first line of each file asks for its strictest mode, and that no ignore is needless."""
    command = [sys.executable, "-m", "pyright", "--pythonpath", sys.executable, *files]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def test_mypy_agrees() -> None:
    """Each line that must be refused has an ignore, and mypy would report an ignore without an error."""
    done = run_mypy(*FILES)
    assert done.returncode == 0, done.stdout


def test_pyright_agrees() -> None:
    """The same by pyright."""
    done = run_pyright(*FILES)
    assert done.returncode == 0, done.stdout


def test_a_needless_ignore_is_noticed(tmp_path: Path) -> None:
    """The two tests above can fail: a good line with an ignore is an error to both."""
    text = (
        (ROOT / FILES[1])
        .read_text(encoding="utf-8")
        .replace("MemoryStore[str](1_000), fetch,", "MemoryStore(1_000), fetch,")
    )
    (tmp_path / "needless.py").write_text(text, encoding="utf-8")
    assert "unused" in run_mypy("--no-incremental", str(tmp_path / "needless.py")).stdout.lower()
    assert "nnecessary" in run_pyright(str(tmp_path / "needless.py")).stdout
