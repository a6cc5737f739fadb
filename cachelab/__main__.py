"""`python -m cachelab lab` opens the course in JupyterLab, `test` checks it, and `book` makes web pages of it.

They work with a bare Python, so this file uses nothing but the standard library. They make the project's own
environment, which is the folder `.venv` in the project (CACHELAB_VENV names another place). Into it they install the
extra of pyproject.toml that the command needs, and they install again only when that file has changed.

The course is opened in `work`, the learner's own copy of the chapters; `python -m cachelab fresh 03` lays a new copy of
a chapter there (`cachelab/lab/working_copy.py`).
"""

import hashlib
import importlib.util
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

from cachelab.lab import working_copy

__all__ = ["become", "environment", "fresh", "install", "main", "opened", "unusable"]

USAGE = """\
usage: python -m cachelab lab  [--here] [options of jupyter lab ...]    open the course in JupyterLab
       python -m cachelab test [--here] [options of pytest ...]         check the package and every notebook
       python -m cachelab fresh CHAPTER ...                             lay a new copy of a chapter, such as 03, in work
       python -m cachelab book [--here] [FOLDER]                        make web pages, in `site` or in FOLDER

--here uses the Python that runs this command, as it is, instead of the project's own environment."""

ROOT = Path(__file__).resolve().parent.parent
EXTRAS = {"lab": ["lab", "test"], "test": ["test"], "book": ["book", "lab", "test"]}
"""For each command, the extra of pyproject.toml that it installs, and after it the extras that contain this one."""
MODULE = {"lab": "jupyterlab", "test": "pytest", "book": "cachelab.book"}
"""The module that a command runs in the project's folder."""
NEEDED = {"lab": "jupyterlab", "test": "pytest", "book": "mistune"}
"""The module without which `--here` cannot carry out a command."""
FIRST = "00_start_here.ipynb"
OUR_SETTINGS = ROOT / "cachelab" / "lab" / "jupyter"
"""A folder of Jupyter's settings, which apply where the user has none: JupyterLab does not ask about its news."""
ABOUT = "import sys; print(sys.version_info >= (3, 11), '%d.%d' % sys.version_info[:2])"
"""What a Python prints about itself: whether it is new enough, and its version."""


def main(arguments: list[str]) -> int:
    """Carry out one command and return its exit code. A failure is a sentence (SystemExit), never a traceback."""
    command, *options = arguments or [""]
    if command in {"-h", "--help"}:
        print(USAGE)
        return 0
    if command not in {*MODULE, "fresh"} or (command == "fresh" and not options):
        print(USAGE, file=sys.stderr)
        return 2
    if not (ROOT / "pyproject.toml").is_file():
        raise SystemExit("This cachelab was installed without its notebooks. Repeat the command in a clone of it.")
    if command == "fresh":
        return fresh(options)
    module = MODULE[command]
    if "--here" in options:
        options.remove("--here")
        python = Path(sys.executable)
        if importlib.util.find_spec(NEEDED[command]) is None:
            raise SystemExit(f"This Python has no {NEEDED[command]}. Repeat the command without --here.")
    else:
        folder = Path(os.environ.get("CACHELAB_VENV") or ROOT / ".venv").absolute()
        python = environment(folder)
        install(python, folder / "cachelab-installed", EXTRAS[command])
    before = opened() if command == "lab" else []
    return become([str(python), "-m", module, *before, *options])


def opened() -> list[str]:
    """Make the working copy complete, and return the arguments with which JupyterLab opens its first chapter.

    The root is the whole project, so that a chapter and the code that it names can be opened beside each other. Where
    the project cannot be written to, the notebooks are opened where they are.
    """
    notebooks, work = ROOT / "notebooks", ROOT / "work"
    try:
        working_copy.fill(notebooks, work)
    except OSError as error:
        print(f"There is no working copy ({error}), so this opens the folder notebooks.", flush=True)
        work = notebooks
    for name in working_copy.outdated(notebooks, work):
        print(
            f"{name} has changed since your copy of it in work was made. To lay the new one beside your answers: "
            f"python -m cachelab fresh {name.partition('_')[0].removesuffix('.ipynb')}",
            flush=True,
        )
    return [f"--ServerApp.root_dir={ROOT}", f"--LabApp.default_url=/lab/tree/{work.name}/{FIRST}"]


def fresh(chapters: list[str]) -> int:
    """Lay a new copy of each of these chapters in `work`, and say where it is. The copies that are there stay."""
    for chapter in chapters:
        try:
            target = working_copy.lay_fresh(ROOT / "notebooks", ROOT / "work", chapter)
        except LookupError as error:
            raise SystemExit(str(error.args[0])) from None
        print(f"{target.relative_to(ROOT)} is the chapter as it is now. Your other copies of it are as they were.")
    return 0


def environment(folder: Path) -> Path:
    """The Python of the virtual environment in `folder`, which is made if it isn't there."""
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if python.exists() or (folder / "pyvenv.cfg").exists():
        reason = unusable(python, folder / "pyvenv.cfg")
        if reason:
            raise SystemExit(f"{folder} {reason}. Delete that folder and repeat the command.")
    else:
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


def unusable(python: Path, made_by: Path) -> str:
    """Why the `python` of a virtual environment cannot be used, or "". `made_by` is the environment's pyvenv.cfg."""
    try:
        asked = subprocess.run([str(python), "-c", ABOUT], capture_output=True, text=True)
        new_enough, runs = asked.stdout.split()
    except (OSError, ValueError):  # not there, not for this system, or it cannot start
        return "belongs to a Python that is no longer there, or to another system"
    if new_enough != "True":
        return f"belongs to Python {runs}, and cachelab needs Python 3.11 or newer"
    lines = made_by.read_text(encoding="utf-8", errors="replace").splitlines() if made_by.is_file() else []
    settings = {key.strip(): value.strip() for key, _, value in (line.partition("=") for line in lines)}
    made = ".".join((settings.get("version") or settings.get("version_info") or runs).split(".")[:2])
    return "" if made == runs else f"was made by Python {made}, in whose place there is now Python {runs}"


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

    The first variable makes Jupyter prefer the kernels of this Python to those in the user's folder, which may belong
    to another Python. The second adds our settings to the user's. With the third, a notebook in any folder finds this
    cachelab, also if this Python has another one or none.
    """
    os.environ["JUPYTER_PREFER_ENV_PATH"] = "1"
    for variable, folder in (("JUPYTER_CONFIG_PATH", OUR_SETTINGS), ("PYTHONPATH", ROOT)):
        os.environ[variable] = os.pathsep.join(filter(None, [str(folder), os.environ.get(variable)]))
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
