"""The site in a real browser. Without Chromium or the extra `browser`, these tests are skipped."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cachelab.book.site import build
from tests.browser.chromium import FLAGS, chromium
from tests.browser.serving import served
from tests.support.notebooks import ROOT


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium, started once for a module: as long as Playwright runs, no other test can run an event loop."""
    playwright = pytest.importorskip("playwright.sync_api", reason="the extra `browser` is not installed")
    pytest.importorskip("axe_playwright_python", reason="the extra `browser` is not installed")
    program = chromium()
    if program is None:
        pytest.skip("there is no Chromium on the PATH or in the variable CHROMIUM")
    with playwright.sync_playwright() as started:
        running = started.chromium.launch(executable_path=program, args=FLAGS)
        yield running
        running.close()


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the site."""
    out = tmp_path_factory.mktemp("site")
    build(ROOT, out)
    return out


@pytest.fixture(scope="session")
def server(folder: Path) -> Iterator[str]:
    """The site's address by http, under the strict policy."""
    with served(folder) as address:
        yield address
