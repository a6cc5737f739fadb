"""The working copy survives an update: answers stay, newer chapters are named, nothing is overwritten."""

import errno
import multiprocessing
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from cachelab.lab.working_copy import SOLVED, fill, lay_fresh, outdated
from tests.support.notebooks import NOTEBOOKS, ROOT, load, local_links, markdown_cells, paths
from tests.support.working_copies import answer, cells, write_chapter

CHAPTER = "03_in_process.ipynb"


def names(folder: Path) -> list[str]:
    """The names of what is in a folder, hidden files among them."""
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def notebooks(tmp_path: Path) -> Path:
    """A folder with one chapter."""
    folder = tmp_path / "notebooks"
    folder.mkdir()
    write_chapter(folder / CHAPTER, "...", "the rest")
    return folder


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """Where the working copy will be."""
    return tmp_path / "work"


def test_only_what_is_missing_is_filled(notebooks: Path, work: Path) -> None:
    """An answer stays at the next start, and a chapter that came with an update is added."""
    fill(notebooks, work)
    answer(work / CHAPTER, "my answer")
    write_chapter(notebooks / "04_eviction.ipynb", "new")
    fill(notebooks, work)
    assert cells(work / CHAPTER) == ["my answer", "the rest"]
    assert cells(work / "04_eviction.ipynb") == ["new"]


def test_a_copy_says_what_the_chapter_says(work: Path) -> None:
    """The real chapters are copied with all their cells and outputs, and the copies are valid notebooks."""
    fill(NOTEBOOKS, work)
    for path in paths():
        assert load(work / path.name).cells == load(path).cells


def test_answers_do_not_make_a_copy_old(notebooks: Path, work: Path) -> None:
    """What the learner and JupyterLab write into a copy does not hide from which version it came."""
    fill(notebooks, work)
    answer(work / CHAPTER, "my answer")
    assert outdated(notebooks, work) == []


def test_a_changed_chapter_is_named_until_a_fresh_copy_is_there(notebooks: Path, work: Path) -> None:
    """After an update the chapter is outdated. A fresh copy lies beside the old answers, which stay as they are."""
    fill(notebooks, work)
    answer(work / CHAPTER, "my answer")
    write_chapter(notebooks / CHAPTER, "...", "the rest, mended")
    fill(notebooks, work)
    assert outdated(notebooks, work) == [CHAPTER]
    target = lay_fresh(notebooks, work, "03")
    assert target.name == "03_in_process-2.ipynb"
    assert cells(target) == ["...", "the rest, mended"]
    assert cells(work / CHAPTER) == ["my answer", "the rest"]
    assert outdated(notebooks, work) == []


def test_new_outputs_alone_are_no_new_version(notebooks: Path, work: Path) -> None:
    """A chapter that was only stored again, with other times in its outputs, is not announced."""
    fill(notebooks, work)
    answer(notebooks / CHAPTER, "...")
    assert outdated(notebooks, work) == []


@pytest.mark.parametrize("name", ["03", "3", "03_in_process", "03_in_process.ipynb", "work/03_in_process.ipynb"])
def test_a_chapter_can_be_named_in_several_ways(notebooks: Path, work: Path, name: str) -> None:
    """A number, a file name, or a path with the slashes of any system."""
    assert lay_fresh(notebooks, work, name) == work / CHAPTER
    assert lay_fresh(notebooks, work, name.replace("/", "\\")) == work / "03_in_process-2.ipynb"


def test_other_files_in_the_folder_do_no_harm(notebooks: Path, work: Path) -> None:
    """The learner may keep anything in `work`, also files that are no notebooks though they are named as such."""
    work.mkdir()
    (work / "mine.ipynb").write_text("no notebook")
    (work / "list.ipynb").write_text("[]")
    (work / "other.ipynb").write_text('{"metadata": {"cachelab": 1}, "cells": []}')
    fill(notebooks, work)
    assert outdated(notebooks, work) == []
    assert (work / "mine.ipynb").read_text() == "no notebook"


def test_two_starts_at_once(notebooks: Path, work: Path) -> None:
    """Processes that start together fill the folder once, and leave nothing else in it."""
    context = multiprocessing.get_context("spawn")
    starts = [context.Process(target=fill, args=(notebooks, work)) for _ in range(3)]
    for start in starts:
        start.start()
    for start in starts:
        start.join(30)
    assert [start.exitcode for start in starts] == [0, 0, 0]
    assert names(work) == [SOLVED, CHAPTER]


def test_a_file_that_appears_meanwhile_stays(notebooks: Path, work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What another start has laid, and the learner has answered, between the look and the copy is not overwritten."""
    work.mkdir()
    write_chapter(work / CHAPTER, "my answer")
    exists = Path.exists
    monkeypatch.setattr(Path, "exists", lambda path: path.name != CHAPTER and exists(path))
    fill(notebooks, work)
    assert cells(work / CHAPTER) == ["my answer"]


def test_a_file_system_without_links(notebooks: Path, work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where files cannot be linked, a copy is renamed into its place, and still replaces nothing."""

    def link(_source: Path, _target: Path) -> None:
        raise OSError(errno.ENOTSUP, "no links here")

    monkeypatch.setattr(os, "link", link)
    fill(notebooks, work)
    answer(work / CHAPTER, "my answer")
    assert lay_fresh(notebooks, work, "3").name == "03_in_process-2.ipynb"
    assert cells(work / CHAPTER)[0] == "my answer"
    assert names(work) == [SOLVED, "03_in_process-2.ipynb", CHAPTER]


def test_links_of_a_copy_lead_somewhere(tmp_path: Path) -> None:
    """Links to other chapters and to code arrive from `work` as they do from `notebooks`."""
    shutil.copytree(ROOT / "cachelab", tmp_path / "cachelab", ignore=shutil.ignore_patterns("__pycache__"))
    fill(NOTEBOOKS, tmp_path / "work")
    for path in (tmp_path / "work").glob("*.ipynb"):
        for cell in markdown_cells(load(path)):
            assert [link for link in local_links(cell.source) if not (path.parent / link).is_file()] == []


def test_the_folder_is_neither_committed_nor_tested() -> None:
    """Git ignores the working copy, and pytest never looks into it."""
    done = subprocess.run(["git", "check-ignore", "work/00_start_here.ipynb"], capture_output=True, text=True, cwd=ROOT)
    if done.returncode == 128:
        pytest.skip("not a git checkout")
    assert done.stdout.strip() == "work/00_start_here.ipynb"
    assert '"--ignore=work"' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")
