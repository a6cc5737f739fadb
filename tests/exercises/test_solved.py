"""Which exercises are solved: what is remembered, where, and what is printed of it."""

from pathlib import Path

import pytest

from cachelab.lab.exercises import solved as module
from cachelab.lab.exercises.checking import check
from cachelab.lab.exercises.solved import note_verdict, solved
from cachelab.lab.working_copy import SOLVED, fill
from tests.support.working_copies import write_chapter


@pytest.fixture(autouse=True)
def kernel(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A kernel that has just started, in a folder that is no working copy."""
    monkeypatch.chdir(tmp_path)
    restart(monkeypatch)
    return tmp_path


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch, kernel: Path) -> Path:
    """A kernel that has just started in the working copy."""
    (kernel / "notebooks").mkdir()
    write_chapter(kernel / "notebooks" / "05_stampedes.ipynb", "...")
    fill(kernel / "notebooks", kernel / "work")
    monkeypatch.chdir(kernel / "work")
    return kernel / "work"


def restart(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget what the kernel remembers."""
    monkeypatch.setattr(module, "_in_this_kernel", set())


def test_nothing_is_said_of_an_unsolved_chapter(capsys: pytest.CaptureFixture[str]) -> None:
    """A check of an untouched stub prints what it always did, also if an exercise of another chapter is solved."""
    note_verdict("1.1", True)
    capsys.readouterr()
    note_verdict("5.1", False)
    assert capsys.readouterr().out == ""


@pytest.mark.long
def test_a_check_ends_with_what_is_solved(capsys: pytest.CaptureFixture[str]) -> None:
    """The last line of a check names the solved exercises of the chapter, and one that was solved once stays so."""
    check("0.1", lambda rate, service_s: int(rate * service_s + 1e-9) + 1)
    assert capsys.readouterr().out.endswith("\n\nSolved in this chapter: 0.1.\n")
    check("0.1", lambda rate, service_s: 1)
    out = capsys.readouterr().out
    assert out.startswith("Not yet.")
    assert out.endswith("\n\nSolved in this chapter: 0.1.\n")


def test_the_end_of_a_chapter(capsys: pytest.CaptureFixture[str]) -> None:
    """The line says which exercises are solved and which are not, in the order of the chapter."""
    for number, expected in [
        ("4.1", "Not solved yet: 5.1, 5.2."),
        ("5.2", "Solved in this chapter: 5.2. Not solved yet: 5.1."),
        ("5.1", "Solved in this chapter: 5.1, 5.2. Those are all its exercises."),
    ]:
        note_verdict(number, True)
        capsys.readouterr()
        solved("5.1", "5.2")
        assert capsys.readouterr().out == f"{expected}\n"


def test_the_working_copy_remembers(
    work: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In `work` a solved exercise is still solved when another kernel starts."""
    note_verdict("5.10", True)
    note_verdict("5.2", True)
    restart(monkeypatch)
    note_verdict("5.1", False)
    assert capsys.readouterr().out.endswith("Solved in this chapter: 5.2, 5.10.\n")
    assert sorted(path.name for path in (work / SOLVED).iterdir()) == ["5.10", "5.2"]


def test_elsewhere_it_is_remembered_until_the_kernel_ends(
    kernel: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Outside the working copy nothing is written."""
    note_verdict("5.1", True)
    assert list(kernel.iterdir()) == []
    restart(monkeypatch)
    capsys.readouterr()
    solved("5.1")
    assert capsys.readouterr().out == "Not solved yet: 5.1.\n"


def test_a_folder_that_cannot_be_written_to(
    work: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The check says what it always does, and the kernel remembers."""

    def touch(_path: Path) -> None:
        raise PermissionError("read only")

    monkeypatch.setattr(Path, "touch", touch)
    note_verdict("5.1", True)
    assert capsys.readouterr().out == "\nSolved in this chapter: 5.1.\n"
