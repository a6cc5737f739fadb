"""`python -m cachelab lab` opens the course in JupyterLab, `test` checks it, and `book` makes web pages of it.

They work with a bare Python, so this file uses nothing but the standard library. They make the project's own
environment, which is the folder `.venv` in the project (CACHELAB_VENV names another place). Into it they install the
extra of pyproject.toml that the command needs, and they install again only when that file has changed.
"""

import hashlib
import importlib.util
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

__all__ = ["become", "environment", "install", "main"]

USAGE = """\
usage: python -m cachelab lab  [--here] [options of jupyter lab ...]    open the course in JupyterLab
       python -m cachelab test [--here] [options of pytest ...]         check the package and every notebook
       python -m cachelab book [--here] [FOLDER]                        make web pages, in `site` or in FOLDER

--here uses the Python that runs this command, as it is, instead of the project's own environment."""

ROOT = Path(__file__).resolve().parent.parent
EXTRAS = {"lab": ["lab", "test"], "test": ["test"], "book": ["book", "lab", "test"]}
"""For each command, the extra of pyproject.toml that it installs, and after it the extras that contain this one."""
PROGRAM = {"lab": ["jupyterlab", "notebooks/00_start_here.ipynb"], "test": ["pytest"], "book": ["cachelab.book"]}
"""The module that a command runs in the project's folder, with its first arguments."""
NEEDED = {"lab": "jupyterlab", "test": "pytest", "book": "mistune"}
"""The module without which `--here` cannot carry out a command."""


def main(arguments: list[str]) -> int:
    """Carry out one command and return its exit code. A failure is a sentence (SystemExit), never a traceback."""
    command, *options = arguments or [""]
    if command in {"-h", "--help"}:
        print(USAGE)
        return 0
    if command not in PROGRAM:
        print(USAGE, file=sys.stderr)
        return 2
    if not (ROOT / "pyproject.toml").is_file():
        raise SystemExit("This cachelab was installed without its notebooks. Repeat the command in a clone of it.")
    if options[:1] == ["--here"]:
        options = options[1:]
        python = Path(sys.executable)
        if importlib.util.find_spec(NEEDED[command]) is None:
            raise SystemExit(f"This Python has no {NEEDED[command]}. Repeat the command without --here.")
    else:
        folder = Path(os.environ.get("CACHELAB_VENV") or ROOT / ".venv").absolute()
        python = environment(folder)
        install(python, folder / "cachelab-installed", EXTRAS[command])
    return become([str(python), "-m", *PROGRAM[command], *options])


def environment(folder: Path) -> Path:
    """The Python of the virtual environment in `folder`, which is made if it isn't there."""
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not python.exists():
        if any(importlib.util.find_spec(module) is None for module in ("venv", "ensurepip")):
            raise SystemExit(
                "This Python cannot make virtual environments. Install its venv module (Debian, Ubuntu: "
                "sudo apt install python3-venv) and repeat the command."
            )
        folder.parent.mkdir(parents=True, exist_ok=True)
        if not os.access(folder.parent, os.W_OK):
            raise SystemExit(f"{folder.parent} cannot be written to. Clone the project into a folder of your own.")
        print(f"Making the environment {folder} ...", flush=True)
        if subprocess.run([sys.executable, "-m", "venv", folder]).returncode:
            raise SystemExit(f"The environment could not be made. Delete {folder} and repeat the command.")
    return python


def install(python: Path, stamp: Path, extras: list[str]) -> None:
    """Install the project with the first of `extras` by `python`, unless `stamp` says that one of them is installed.

    The stamp is a hash of what pyproject.toml says and of where it is, followed by the extra that was installed. An
    extra that contains the first one serves as well, so `lab` after `test` installs nothing.
    """
    digest = hashlib.sha256((ROOT / "pyproject.toml").read_bytes() + os.fsencode(ROOT)).hexdigest()
    if stamp.is_file() and stamp.read_text() in {f"{digest}[{extra}]" for extra in extras}:
        return
    print("Installing what the course needs; the first time this takes a few minutes ...", flush=True)
    pip = [str(python), "-m", "pip"]
    if subprocess.run([*pip, "--version"], capture_output=True).returncode:  # an environment made by uv has no pip
        subprocess.run([str(python), "-m", "ensurepip"])
    command = [*pip, "install", "--disable-pip-version-check", "--editable", f"{ROOT}[{extras[0]}]"]
    if subprocess.run(command).returncode:
        shown = subprocess.list2cmdline(command) if os.name == "nt" else shlex.join(command)
        raise SystemExit(f"Installing failed for the reason given above. When that is mended, repeat\n  {shown}")
    stamp.write_text(f"{digest}[{extras[0]}]")


def become(command: list[str]) -> int:
    """Hand the terminal over to `command`, run in the project's folder, and return its exit code.

    The variable makes Jupyter prefer the kernels of this Python to those in the user's folder, which may belong to
    another Python.
    """
    os.environ["JUPYTER_PREFER_ENV_PATH"] = "1"
    os.chdir(ROOT)
    if os.name != "nt":
        os.execv(command[0], command)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Windows has no exec: this process waits, and Ctrl-C is for the child
    return subprocess.run(command).returncode


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit("Stopped.")
    except OSError as error:
        sys.exit(f"{error}. Mend that and repeat the command.")
