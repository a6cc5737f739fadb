"""Open the notebooks in JupyterLab in a real browser, run them as a learner does, and keep pictures of the pages.

python -m tests.browser.run_in_lab [NOTEBOOK ...] --out DIR       default: every notebook of the course

For each notebook it runs all cells and prints how long that took, and which cells raised. It keeps each figure as
displayed, and the whole page screen by screen, and measures how long a slider takes to show its next frame. Then it
interrupts simulations that never end. It exits with 1 if a cell raised, if a slider changed nothing or has no list
beside it with a name, or if an interrupt did not work. It needs the extra `browser`, and Chromium on the
PATH or in the variable CHROMIUM.
"""

import argparse
import re
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_notebook
from playwright.sync_api import Browser, Locator, Page, TimeoutError as TookTooLong, sync_playwright

from tests.browser.chromium import FLAGS, chromium
from tests.browser.lab_server import LabServer, lab_server
from tests.support.notebooks import NOTEBOOKS, paths
from tests.tools.store_notebooks import KERNELSPEC

OPEN_MS = 60_000
RUN_MS = 180_000
SLIDER_STEPS = 20
FRAME_MS = 5_000
INTERRUPT_S = 1.0

OPENED = "() => window.jupyterapp?.shell.currentWidget?.context?.sessionContext?.session?.kernel?.status === 'idle'"
CELLS = "[...window.jupyterapp.shell.currentWidget.content.widgets].filter(c => c.model.type === 'code')"
TAGGED = "(c.model.getMetadata('tags') ?? []).includes('raises-exception')"
ERRORS = f"""() => {CELLS}.flatMap((c, i) => {TAGGED} ? [] : c.model.outputs.toJSON()
    .filter(o => o.output_type === 'error').map(o => `code cell ${{i}}: ${{o.ename}}: ${{o.evalue}}`))"""
DONE = f"""() => ({OPENED})() && (({ERRORS})().length > 0 ||
    {CELLS}.every(c => c.model.executionCount !== null || !c.model.sharedModel.source.trim()))"""
COMMAND = "name => window.jupyterapp.commands.execute(name)"
ACTIVATE = "i => { window.jupyterapp.shell.currentWidget.content.activeCellIndex = i }"
TEXTS = f"() => {CELLS}.map(c => c.model.outputs.toJSON().map(o => o.ename ?? o.data?.['text/plain'] ?? o.text).join())"
FRAME = "[...cell.querySelectorAll('.jp-OutputArea img')].map(i => i.src).join()"
SHOWS = f"cell => {FRAME}"
SHOWS_ANOTHER = f"([cell, before]) => {FRAME} !== before"

ENDLESS = """\
import asyncio
from cachelab import lab

async def endless():
    while True:
        {step}

print(await lab.simulate(endless))
"""
INTERRUPTED = [["KeyboardInterrupt", "2"], ["CancelledError", "2"]]
"""What the endless cell and the next one may show: the error of an interrupt depends on what the kernel waits for."""
ENDLESS_STEPS = {"waiting in virtual time": "await asyncio.sleep(1)", "never giving way": "pass"}


@contextmanager
def laptop_page(browser: Browser) -> Iterator[Page]:
    """A browser page of the size of a small laptop, closed at the end."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    yield page
    page.close()


def open_notebook(page: Page, server: LabServer, name: str) -> None:
    """Load the page, wait for the kernel, and clear the outputs, so that the numbers of the cells are of this run."""
    page.goto(server.page(name))
    page.wait_for_function(OPENED, timeout=OPEN_MS)
    page.evaluate(COMMAND, "notebook:clear-all-cell-outputs")


def run_all(page: Page) -> float:
    """Choose Run All Cells in the menu. Returns the seconds until the kernel is idle and every cell has its number."""
    page.get_by_role("menuitem", name="Run", exact=True).click()
    started = time.perf_counter()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    page.wait_for_function(DONE, timeout=RUN_MS)
    return time.perf_counter() - started


def keep_pictures(page: Page, folder: Path) -> int:
    """Save each figure as displayed, then the notebook screen by screen. Returns the number of figures."""
    figures = page.locator(".jp-OutputArea-output img:visible").all()
    for number, figure in enumerate(figures):
        figure.scroll_into_view_if_needed()
        figure.screenshot(path=folder / f"figure-{number:02}.png")
    view = page.locator(".jp-WindowedPanel-outer:visible")
    view.evaluate("v => { v.scrollTop = 0 }")
    number = 0
    while True:
        page.wait_for_timeout(200)  # the cells that have come into view are drawn meanwhile
        page.screenshot(path=folder / f"screen-{number:02}.png")
        before = view.evaluate("v => v.scrollTop")
        if view.evaluate("v => { v.scrollTop += v.clientHeight - 40; return v.scrollTop }") == before:
            return len(figures)
        number += 1


def slider_ms(page: Page, handle: Locator) -> list[float]:
    """Move a slider step by step with the arrow keys, back from its end. Returns the milliseconds until each frame."""
    cell = handle.evaluate_handle("handle => handle.closest('.jp-CodeCell')")
    handle.scroll_into_view_if_needed()
    handle.focus()
    key, took = "ArrowRight", []
    for _ in range(SLIDER_STEPS):
        if handle.get_attribute("aria-valuenow") == handle.get_attribute("aria-valuemax"):
            key = "ArrowLeft"
        elif handle.get_attribute("aria-valuenow") == handle.get_attribute("aria-valuemin"):
            key = "ArrowRight"
        before = page.evaluate(SHOWS, cell)
        started = time.perf_counter()
        page.keyboard.press(key)
        try:
            page.wait_for_function(SHOWS_ANOTHER, arg=[cell, before], timeout=FRAME_MS)
        except TookTooLong:
            continue
        took.append(1000 * (time.perf_counter() - started))
    return took


def silent_slider(page: Page, handle: Locator) -> list[str]:
    """What is wrong with the list beside a slider, from which a screen reader has the name and the value."""
    figure = page.locator(".jp-CodeCell").filter(has=handle)
    listed = figure.get_by_role("combobox", name=re.compile(r"\w"))
    if listed.count() != 1:
        return [f"a slider has {listed.count()} lists with a name beside it"]
    before = listed.evaluate("list => list.value")
    listed.press("Home")
    listed.press("End")
    return [] if listed.evaluate("list => list.value") != before else ["the list beside a slider cannot be moved"]


def visit(page: Page, server: LabServer, notebook: Path, out: Path) -> list[str]:
    """Run one notebook and look at it. Returns what went wrong."""
    folder = out / notebook.stem
    folder.mkdir(parents=True, exist_ok=True)
    open_notebook(page, server, notebook.name)
    seconds = run_all(page)
    problems: list[str] = page.evaluate(ERRORS)
    print(f"{notebook.name}: Run All took {seconds:.1f} s, {keep_pictures(page, folder)} figures")
    for number, handle in enumerate(page.locator(".noUi-handle:visible").all()):
        took = slider_ms(page, handle)
        if took:
            print(f"  slider {number}: {len(took)} steps of {SLIDER_STEPS}, median {statistics.median(took):.0f} ms")
        else:
            problems.append(f"slider {number} changes nothing")
        problems += silent_slider(page, handle)
    return [f"{notebook.name}: {problem}" for problem in problems]


def interrupt(page: Page, server: LabServer, step: str) -> list[str]:
    """Interrupt a simulation that never ends, as the stop button does, then run a cell. Returns what went wrong."""
    name = "interrupted.ipynb"
    scratch = new_notebook(cells=[new_code_cell(ENDLESS.format(step=step)), new_code_cell("1 + 1")])
    scratch.metadata.kernelspec = KERNELSPEC
    nbformat.write(scratch, server.folder / name)
    open_notebook(page, server, name)
    page.evaluate(ACTIVATE, 0)
    page.evaluate("() => void window.jupyterapp.commands.execute('notebook:run-cell')")
    page.wait_for_timeout(2_000)  # let the simulation run
    if page.evaluate(OPENED):
        return [f"the endless cell ended by itself: {page.evaluate(TEXTS)[0]}"]
    sessions = server.request("GET", "api/sessions")
    (kernel,) = [session["kernel"]["id"] for session in sessions if session["name"] == name]
    started = time.perf_counter()
    server.request("POST", f"api/kernels/{kernel}/interrupt")
    try:
        page.wait_for_function(OPENED, timeout=10_000)
    except TookTooLong:
        return ["the kernel is still busy 10 s after the interrupt"]
    seconds = time.perf_counter() - started
    print(f"  stopped {seconds:.2f} s after the interrupt")
    page.evaluate(ACTIVATE, 1)
    page.evaluate(COMMAND, "notebook:run-cell")
    page.wait_for_function(DONE, timeout=10_000)
    texts = page.evaluate(TEXTS)
    problems = [] if texts in INTERRUPTED else [f"the cells show {texts}"]
    return problems + ([f"stopping took {seconds:.1f} s"] if seconds > INTERRUPT_S else [])


def main() -> int:
    """Visit the notebooks, then interrupt simulations. Returns 1 if anything went wrong."""
    parser = argparse.ArgumentParser(description="Run the notebooks in a real browser and keep pictures of them.")
    parser.add_argument("notebooks", nargs="*", type=Path, help="files in notebooks/ (default: all)")
    parser.add_argument("--out", type=Path, required=True, help="folder for the pictures")
    options = parser.parse_args()
    program = chromium()
    if program is None:
        sys.exit("No Chromium found: install it, or name its program in the variable CHROMIUM.")
    problems: list[str] = []
    with lab_server(NOTEBOOKS) as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        for notebook in options.notebooks or paths():
            with laptop_page(browser) as page:
                problems += visit(page, server, notebook, options.out)
        for what, step in ENDLESS_STEPS.items():
            print(f"an endless simulation, {what}:")
            with laptop_page(browser) as page:
                problems += interrupt(page, server, step)
        browser.close()
    for problem in problems:
        print(f"PROBLEM {problem}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
