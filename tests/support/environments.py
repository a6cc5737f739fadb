"""Virtual environments of their own, and other Pythons than the running one."""

import os
import subprocess
import sys
from pathlib import Path
from shutil import which

__all__ = ["Environment", "python_since"]


class Environment:
    """A virtual environment of its own, and what the tests do with it. By default it has the running Python."""

    def __init__(self, folder: Path, python: str = sys.executable) -> None:
        subprocess.run([python, "-m", "venv", str(folder)], check=True)
        self.folder = folder
        self.python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")

    def install(self, *arguments: str) -> None:
        """Let pip install these."""
        pip = [str(self.python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        done = subprocess.run([*pip, *arguments], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr

    def installed(self) -> set[str]:
        """The names of the packages that are there."""
        code = "import importlib.metadata as m; print(*{each.name for each in m.distributions()})"
        return set(self.run("-c", code).split())

    def run(self, *arguments: str, cwd: Path | None = None) -> str:
        """What the environment's Python writes when it ends well. It sees the checkout only if it runs there."""
        done = subprocess.run([self.python, *arguments], capture_output=True, text=True, cwd=cwd or self.folder)
        assert done.returncode == 0, (done.stdout + done.stderr)[-6_000:]
        return done.stdout


def python_since(version: tuple[int, int]) -> str | None:
    """A Python of this version or a later one: the running one, one on the PATH, or one of pyenv. None if none is."""
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    on_path = (which(f"python3.{minor}") for minor in range(version[1], version[1] + 5))
    others = [*filter(None, on_path), *map(str, sorted(pyenv.glob("versions/3.*/bin/python")))]
    for python in [sys.executable, *others]:
        asked = subprocess.run([python, "-c", f"import sys; print(sys.version_info >= {version})"], capture_output=True)
        if asked.stdout.strip() == b"True":
            return python
    return None
