"""A fixture that writes the files from which the tests of this folder read traces."""

from pathlib import Path

import pytest

from tests.support.key_files import Write


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """A function that writes bytes or a text into a new file and returns its path."""

    def to(content: bytes | str, name: str = "trace.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return to
