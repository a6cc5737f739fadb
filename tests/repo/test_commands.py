"""The commands of the README: what they install, and what they say when they cannot.

Nothing is downloaded here: the tests record the commands instead of running them.
"""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cachelab import __main__ as commands
from tests.support.notebooks import ROOT
from tests.support.requirements import required_by
from tests.support.working_copies import write_chapter


class Recorder:
    """Takes the place of subprocess.run: records each command and answers with an exit code that a test may choose."""

    def __init__(self) -> None:
        """Every command succeeds, unless `codes` has another exit code for a word in it.

        A Python that is asked about itself says `version`.
        """
        self.codes: dict[str, int] = {}
        self.version = "True 3.13"
        self.commands: list[list[str]] = []

    def __call__(self, command: list[Any], **_: Any) -> subprocess.CompletedProcess[str]:
        """Record the command. The first of its words that is in `codes` decides the exit code."""
        words = [str(word) for word in command]
        if commands.ABOUT in words:
            return subprocess.CompletedProcess(words, 0, self.version)
        self.commands.append(words)
        return subprocess.CompletedProcess(words, next((self.codes[word] for word in words if word in self.codes), 0))

    def runs(self, word: str) -> list[list[str]]:
        """The recorded commands that contain this word."""
        return [command for command in self.commands if word in command]


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Recorder:
    """Commands are recorded instead of run, and the project's environment is a folder that does not exist yet."""
    recorder = Recorder()

    def become(command: list[str]) -> int:
        return recorder(command).returncode

    monkeypatch.setattr(subprocess, "run", recorder)
    monkeypatch.setattr(commands, "become", become)
    monkeypatch.setattr(commands, "opened", lambda: ["--opened"])
    monkeypatch.setenv("CACHELAB_VENV", str(tmp_path / "environment"))
    return recorder


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """The environment's folder, with an empty file in the place of its Python."""
    python = tmp_path / "environment" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    python.parent.mkdir(parents=True)
    python.touch()
    return python.parent.parent


def test_first_run_makes_the_environment(recorder: Recorder, tmp_path: Path) -> None:
    """Without an environment the command makes one where CACHELAB_VENV says."""
    recorder.codes["venv"] = 1
    with pytest.raises(SystemExit, match=r"Delete .*environment and repeat"):
        commands.main(["lab"])
    assert recorder.commands == [[sys.executable, "-m", "venv", str(tmp_path / "environment")]]


def test_second_run_installs_nothing(recorder: Recorder, made: Path) -> None:
    """Nothing is installed again as long as pyproject.toml stays the same."""
    assert commands.main(["test"]) == commands.main(["test"]) == 0
    assert len(recorder.runs("install")) == 1
    assert len(recorder.runs("pytest")) == 2


def test_lab_after_test_installs_nothing(recorder: Recorder, made: Path) -> None:
    """What the tests need includes what the notebooks need, whichever command comes first and however often."""
    for command in ("test", "lab", "test", "lab"):
        commands.main([command])
    assert [command[-1] for command in recorder.runs("install")] == [f"{ROOT}[test]"]


def test_an_extra_that_serves_a_command_contains_what_it_installs() -> None:
    """Each further extra in `EXTRAS` asks for all that the first one asks for."""
    for installed, *others in commands.EXTRAS.values():
        assert [other for other in others if not required_by(installed).keys() <= required_by(other).keys()] == []


def test_book_installs_little_and_nothing_after_the_others(recorder: Recorder, made: Path) -> None:
    """Web pages need three packages; where the course or its tests are installed, these are there."""
    for command in ("book", "book", "lab", "book"):
        commands.main([command])
    assert [command[-1] for command in recorder.runs("install")] == [f"{ROOT}[book]", f"{ROOT}[lab]"]


def test_book_passes_the_folder_on(recorder: Recorder) -> None:
    """What follows `book` is the folder of the pages."""
    assert commands.main(["book", "--here", "pages"]) == 0
    assert recorder.commands == [[sys.executable, "-m", "cachelab.book", "pages"]]


def test_test_after_lab_installs_the_rest(recorder: Recorder, made: Path) -> None:
    """What the notebooks need is not enough for the tests; after that, both commands have what they need."""
    for command in ("lab", "test", "lab", "test"):
        commands.main([command])
    assert [command[-1] for command in recorder.runs("install")] == [f"{ROOT}[lab]", f"{ROOT}[test]"]


def test_changed_project_installs_again(
    recorder: Recorder, made: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """After a change in pyproject.toml the next command installs again."""
    monkeypatch.setattr(commands, "ROOT", tmp_path)
    for content in ("one", "two", "two"):
        (tmp_path / "pyproject.toml").write_text(content)
        commands.main(["test"])
    assert len(recorder.runs("install")) == 2


def test_failed_install_names_the_command(recorder: Recorder, made: Path) -> None:
    """When pip fails, the sentence ends with the command to repeat, and the next run tries again."""
    recorder.codes["install"] = 1
    for _ in range(2):
        with pytest.raises(SystemExit, match=r"repeat\n .* -m pip install .*\[test\]"):
            commands.main(["test"])
    assert len(recorder.runs("install")) == 2


def test_missing_pip_is_put_in(recorder: Recorder, made: Path) -> None:
    """pip is put into an environment that has none, as uv makes them."""
    recorder.codes["--version"] = 1
    commands.main(["lab"])
    assert len(recorder.runs("ensurepip")) == 1


def test_options_are_passed_on(recorder: Recorder, made: Path) -> None:
    """What follows the command goes to pytest, and pytest's exit code comes back."""
    recorder.codes["-k"] = 5
    assert commands.main(["test", "-k", "nothing"]) == 5
    assert recorder.commands[-1][1:] == ["-m", "pytest", "-k", "nothing"]


@pytest.mark.parametrize("options", [["--here", "--no-browser"], ["--no-browser", "--here"]], ids=["first", "last"])
def test_here_installs_nothing(recorder: Recorder, options: list[str]) -> None:
    """With --here anywhere in the line, the Python that runs the command is used as it is."""
    assert commands.main(["lab", *options]) == 0
    assert recorder.commands == [[sys.executable, "-m", "jupyterlab", "--opened", "--no-browser"]]


@pytest.mark.parametrize(("command", "missing"), commands.NEEDED.items())
def test_here_without_the_packages(
    command: str, missing: str, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A Python without what the command runs cannot be used with --here, and the sentence says what to do instead."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(SystemExit, match=f"no {missing}.*without --here"):
        commands.main([command, "--here"])


def test_python_without_venv(recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    """For Debian's Python without its venv package, the sentence names that package."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda module: None if module == "ensurepip" else module)
    with pytest.raises(SystemExit, match="apt install python3-venv"):
        commands.main(["lab"])


@pytest.mark.parametrize(
    ("says", "made_by", "reason"),
    [
        ("False 3.9", "version = 3.9.2", r"belongs to Python 3\.9, and cachelab needs Python 3\.11"),
        ("True 3.13", "version = 3.11.2", r"was made by Python 3\.11, in whose place there is now Python 3\.13"),
        ("True 3.13", "version_info = 3.12.1.final.0", r"was made by Python 3\.12"),
        ("", "version = 3.11.2", "belongs to a Python that is no longer there"),
    ],
    ids=["too old", "replaced", "made by another tool", "does not start"],
)
def test_an_environment_of_another_python_is_the_reason(
    recorder: Recorder, made: Path, says: str, made_by: str, reason: str
) -> None:
    """The sentence names the environment and its Python, and what to do. Nothing is installed into it."""
    recorder.version = says
    (made / "pyvenv.cfg").write_text(f"home = /somewhere\n{made_by}\n")
    with pytest.raises(SystemExit, match=rf"environment {reason}.*Delete that folder"):
        commands.main(["lab"])
    assert recorder.commands == []


def test_an_environment_without_its_python_is_the_reason(recorder: Recorder, tmp_path: Path) -> None:
    """An environment from another system, or whose Python was removed, is not made again inside the old one."""
    (tmp_path / "environment").mkdir()
    (tmp_path / "environment" / "pyvenv.cfg").write_text("version = 3.11.2\n")
    recorder.version = ""
    with pytest.raises(SystemExit, match="no longer there, or to another system"):
        commands.main(["lab"])
    assert recorder.commands == []


@pytest.mark.parametrize("line", ["version = 3.13.1", "version_info = 3.13.1", "home = /somewhere"])
def test_an_environment_of_its_own_python_is_used(recorder: Recorder, made: Path, line: str) -> None:
    """Another patch release of the Python that made the environment is no reason to refuse it."""
    (made / "pyvenv.cfg").write_text(f"{line}\n")
    assert commands.main(["lab"]) == 0


@pytest.fixture
def clone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A project with two chapters, for which the commands are run."""
    root = tmp_path / "a clone"
    (root / "notebooks").mkdir(parents=True)
    (root / "pyproject.toml").touch()
    for name in ("00_start_here.ipynb", "03_in_process.ipynb"):
        write_chapter(root / "notebooks" / name, "as it was")
    monkeypatch.setattr(commands, "ROOT", root)
    return root


def test_lab_opens_the_first_chapter_of_the_working_copy(clone: Path) -> None:
    """The root is the project, so that code can be opened beside a chapter; the address is that of the copy."""
    arguments = commands.opened()
    assert arguments == [f"--ServerApp.root_dir={clone}", "--LabApp.default_url=/lab/tree/work/00_start_here.ipynb"]
    assert sorted(path.name for path in (clone / "work").glob("*.ipynb")) == [
        "00_start_here.ipynb",
        "03_in_process.ipynb",
    ]


def test_a_chapter_that_is_newer_is_announced(clone: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """At the start after an update a sentence names the chapter and the command; after that command it is silent."""
    commands.opened()
    assert capsys.readouterr().out == ""
    write_chapter(clone / "notebooks" / "03_in_process.ipynb", "as it is now")
    commands.opened()
    said = capsys.readouterr().out
    assert said.startswith("03_in_process.ipynb has changed")
    assert said.endswith(": python -m cachelab fresh 03\n")
    assert commands.main(["fresh", "03"]) == 0
    assert str(Path("work", "03_in_process-2.ipynb")) in capsys.readouterr().out
    commands.opened()
    assert capsys.readouterr().out == ""


def test_fresh_without_such_a_chapter(clone: Path) -> None:
    """The sentence says which chapters there are."""
    with pytest.raises(SystemExit, match=r"no chapter '12'. There are 00, 03\.") as said:
        commands.main(["fresh", "12"])
    assert str(said.value).endswith("There are 00, 03.")


def test_fresh_without_a_chapter_shows_the_usage(capsys: pytest.CaptureFixture[str]) -> None:
    """`fresh` alone does not lay new copies of everything."""
    assert commands.main(["fresh"]) == 2
    assert capsys.readouterr().err.startswith("usage: python -m cachelab")


def test_where_no_working_copy_can_be_made(clone: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The notebooks are opened where they are, and a sentence gives the reason."""
    (clone / "work").write_text("a file of the learner")
    assert commands.opened()[1] == "--LabApp.default_url=/lab/tree/notebooks/00_start_here.ipynb"
    assert capsys.readouterr().out.startswith("There is no working copy (")


def test_a_notebook_in_any_folder_finds_this_cachelab(tmp_path: Path) -> None:
    """A Python that the command starts, and the kernels that this one starts, import cachelab from the project."""
    code = "from cachelab import __main__ as m; import sys; sys.exit(m.become([sys.executable, '-c', sys.argv[1]]))"
    child = "import os; os.chdir(os.path.sep); import cachelab; print(cachelab.__file__)"
    done = subprocess.run([sys.executable, "-c", code, child], capture_output=True, text=True, cwd=ROOT, check=True)
    assert Path(done.stdout.strip()) == ROOT / "cachelab" / "__init__.py"


def test_folder_that_cannot_be_written(recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no environment can be made, the sentence names the folder."""
    monkeypatch.setattr(os, "access", lambda _path, _mode: False)
    with pytest.raises(SystemExit, match="cannot be written to"):
        commands.main(["lab"])


def test_installed_without_notebooks(recorder: Recorder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A cachelab that was installed from a wheel has no notebooks, and the sentence says to use a clone."""
    monkeypatch.setattr(commands, "ROOT", tmp_path)
    with pytest.raises(SystemExit, match="in a clone"):
        commands.main(["lab"])


@pytest.mark.parametrize("arguments", [[], ["tets"]], ids=["none", "unknown"])
def test_unknown_command_shows_the_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Without a command, or with an unknown one, the usage is shown and the exit code is 2."""
    assert commands.main(arguments) == 2
    assert capsys.readouterr().err.startswith("usage: python -m cachelab")


def test_help_is_no_error(capsys: pytest.CaptureFixture[str]) -> None:
    """--help shows the usage on standard output and exits with 0."""
    assert commands.main(["--help"]) == 0
    assert capsys.readouterr().out.startswith("usage: python -m cachelab")


@pytest.mark.long
def test_exit_code_of_pytest_comes_back() -> None:
    """The real command has the exit code of pytest, which is 4 for an unknown option."""
    command = [sys.executable, "-m", "cachelab", "test", "--here", "--no-such-option"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 4
    assert "--no-such-option" in done.stderr


@pytest.mark.long
def test_a_checkout_that_cannot_be_written_to(tmp_path: Path) -> None:
    """Where pytest cannot keep its cache, the test command ends as its tests do, without a traceback."""
    (tmp_path / "a file").touch()
    options = ["-q", "--numprocesses=0", f"--override-ini=cache_dir={tmp_path / 'a file' / 'cache'}"]
    command = [sys.executable, "-m", "cachelab", "test", "--here", *options, "tests/support/test_source.py"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert (done.returncode, done.stderr) == (0, "")
    assert " passed" in done.stdout
