"""The progress bar: in a terminal, in a notebook that somebody uses, and not in a stored one."""

import io
from threading import Thread

import pytest
from nbclient import NotebookClient
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_notebook

from cachelab.lab import progress_bar


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The bar's clock: the only element of this list is the time."""
    time = [0.0]
    monkeypatch.setattr(progress_bar, "monotonic", lambda: time[0])
    return time


class Terminal(io.StringIO):
    """A standard error stream that is a terminal."""

    def isatty(self) -> bool:
        return True


def work(clock: list[float], seconds: float) -> None:
    """Work that takes so many seconds, in steps of an eighth of a second."""
    steps = round(8 * seconds)
    with progress_bar.progress("Reading x", steps) as done:
        for step in range(steps):
            clock[0] += 0.125
            done(step)


@pytest.mark.parametrize(("seconds", "first"), [(0.875, None), (4.0, "\r\x1b[KReading x: 21%")])
def test_the_bar_shows_after_a_second(
    seconds: float, first: str | None, clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Shorter work shows nothing, and longer work leaves an empty line."""
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    work(clock, seconds)
    assert terminal.getvalue().startswith(first or "")
    assert terminal.getvalue().endswith("%\r\x1b[K" if first else "")
    assert (terminal.getvalue() == "") == (first is None)


def test_the_bar_is_erased_when_the_work_fails(clock: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the bar is left beside the error."""
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)

    def interrupted() -> None:
        with progress_bar.progress("Reading x", 10) as done:
            clock[0] = 2.0
            done(5)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert terminal.getvalue() == "\r\x1b[KReading x: 50%\r\x1b[K"


def test_without_a_terminal_there_is_no_bar(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    """A program whose standard error goes to a file writes no bar into it."""
    work(clock, 5.0)
    assert capsys.readouterr() == ("", "")


def test_another_thread_has_no_bar(clock: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    """The bar shows in the main thread only, because two bars would overwrite each other."""
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    thread = Thread(target=work, args=(clock, 5.0))
    thread.start()
    thread.join()
    assert (clock[0] > 4.9, terminal.getvalue()) == (True, "")


READ = """
from pathlib import Path
from tempfile import TemporaryDirectory
from cachelab import lab
from cachelab.lab import progress_bar
progress_bar.AFTER_S = progress_bar.EVERY_S = {wait}
print("before")
with TemporaryDirectory() as folder:
    trace = lab.read_access_log(lab.make_access_log(Path(folder) / "x.log", {lines}))
print("after")
"""


def outputs(source: str, *, accepts_input: bool) -> list[NotebookNode]:
    """The outputs of a cell with this source, run by a front end that does or does not accept answers to `input()`."""
    notebook = new_notebook(cells=[new_code_cell(source)])
    quiet = ["--IPKernelApp.log_level=ERROR"]  # a kernel on 127.0.0.1 warns about plain TCP at every start
    client = NotebookClient(notebook, kernel_name="python3", timeout=120, extra_arguments=quiet)
    with client.setup_kernel():
        assert client.kc is not None
        client.kc.allow_stdin = accepts_input
        client.execute_cell(notebook.cells[0], 0)
    found: list[NotebookNode] = notebook.cells[0].outputs
    return found


def test_a_stored_notebook_holds_no_bar() -> None:
    """If the front end accepts no input the bar never shows, however slow the machine is."""
    stored = outputs(READ.format(wait=0.0, lines=10_000), accepts_input=False)
    assert "".join(output.text for output in stored) == "before\nafter\n"


def test_in_a_notebook_the_bar_is_replaced_by_an_empty_output() -> None:
    """If the front end accepts input the bar shows. At the end an output without content is left in its place."""
    before, left, after = outputs(READ.format(wait=0.0, lines=10_000), accepts_input=True)
    assert (before.text, after.text) == ("before\n", "after\n")
    assert (left.output_type, left.data, left.metadata) == ("display_data", {}, {})


@pytest.mark.long
def test_a_million_lines_leave_no_bar_in_a_stored_notebook() -> None:
    """The bar has its usual delay of a second, and the work takes longer."""
    stored = outputs(READ.format(wait=1.0, lines=1_000_000), accepts_input=False)
    assert "".join(output.text for output in stored) == "before\nafter\n"
