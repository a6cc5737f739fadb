"""Every page of the site in a real browser: it works, nobody is kept out, and nothing moves by itself.

The long tier opens three pages, narrow and wide; the soak tier all pages at four widths, light and dark.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.notebooks import paths

PAGES = ["index", *(path.stem for path in paths()), "reference", "reference-cache", "reference-lab-traffic-workload"]
FEW = ["index", "00_start_here", "04_eviction"]
NARROW, WIDE = 360, 1280
SHIFTS = """() => { window.shifted = 0; new PerformanceObserver(list => {
    for (const entry of list.getEntries()) window.shifted += entry.value;
}).observe({ type: "layout-shift" }); }"""
BOXES = """() => [...document.querySelectorAll('main *')].filter(one => one.checkVisibility()).map(one => {
    const { x, y, width, height } = one.getBoundingClientRect();
    return [x, y + scrollY, width, height].join(); }).join(" ")"""
LOADED = "() => Promise.all([...document.images].map(one => { one.loading = 'eager'; return one.decode(); }))"
TOO_WIDE = "() => document.documentElement.scrollWidth - innerWidth"
CLOSE = """() => [...document.querySelectorAll("tr")].flatMap(row => {
    const [range, sides] = [document.createRange(), []];
    for (const cell of row.cells) {
        range.selectNodeContents(cell);
        const { left, right, width } = range.getBoundingClientRect();
        if (width) sides.push([left, right]);
    }
    return sides.slice(1).flatMap(([left], i) => left - sides[i][1] < 8 ? [row.innerText] : []);
})"""
"""The rows of tables in which two cells stand so close that their words read as one."""
SHRUNK = "() => [...document.images].map(one => one.clientWidth).filter(width => width < 600)"
UNFOLD = "() => document.querySelectorAll('details').forEach(one => { one.open = true; })"

long = [pytest.mark.long, pytest.mark.timeout(300)]
soak = [pytest.mark.soak, pytest.mark.timeout(300)]


@contextmanager
def opened(browser: Any, address: str, **options: Any) -> Iterator[Any]:
    """A page of its own, which remembers nothing; at its end, no error was reported and nothing foreign was loaded."""
    width = options.pop("width", WIDE)
    context = browser.new_context(viewport={"width": width, "height": 800}, **options)
    page = context.new_page()
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text) if message.type in {"error", "warning"} else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on(
        "requestfailed",  # what is still under way when the page is left is given up, and is no failure
        lambda r: None if r.failure == "net::ERR_ABORTED" else problems.append(f"{r.url} was not loaded: {r.failure}"),
    )
    origin = address.rpartition("/")[0]
    page.on(
        "request", lambda r: None if r.url.startswith((origin, "data:")) else problems.append(f"{r.url} is foreign")
    )
    page.goto(address)
    yield page
    context.close()
    assert problems == []


def check_page(browser: Any, address: str, width: int, scheme: str) -> None:
    """With all folds open, a page fits its window, tables and pictures can be read, and axe finds nothing."""
    from axe_playwright_python.sync_playwright import Axe

    with opened(browser, address, width=width, color_scheme=scheme) as page:
        page.evaluate(UNFOLD)
        page.evaluate(LOADED)
        page.wait_for_timeout(100)  # what is wider than its place gets a tab stop a moment after it is laid out
        assert page.evaluate(TOO_WIDE) <= 0
        assert page.evaluate(CLOSE) == []
        assert page.evaluate(SHRUNK) == []
        violations = Axe().run(page).response["violations"]
        assert [(one["id"], [node["html"][:200] for node in one["nodes"]]) for one in violations] == []


@pytest.mark.parametrize("width", [NARROW, WIDE])
@pytest.mark.parametrize("name", [pytest.param(name, marks=long) for name in FEW])
def test_a_page_keeps_nobody_out(name: str, width: int, browser: Any, server: str) -> None:
    """Three pages, on a telephone and on a laptop."""
    check_page(browser, f"{server}/{name}.html", width, "light")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [NARROW, 900, WIDE, 1600])
@pytest.mark.parametrize("name", [pytest.param(name, marks=soak) for name in PAGES])
def test_every_page_keeps_nobody_out(name: str, width: int, scheme: str, browser: Any, server: str) -> None:
    """All pages at four widths, light and dark."""
    check_page(browser, f"{server}/{name}.html", width, scheme)


@pytest.mark.parametrize("name", [pytest.param(name, marks=soak) for name in PAGES])
def test_every_page_opens_from_a_folder(name: str, browser: Any, folder: Path) -> None:
    """Without a server, too, all pictures of a page are there, and nothing is reported."""
    with opened(browser, f"{folder.as_uri()}/{name}.html") as page:
        page.evaluate(UNFOLD)
        page.evaluate(LOADED)


@pytest.fixture(params=["http", "file"])
def site(request: pytest.FixtureRequest, folder: Path) -> str:
    """The site's address by http, under a strict policy, and as files that somebody opens from a folder."""
    return str(request.getfixturevalue("server")) if request.param == "http" else folder.as_uri()


@pytest.mark.long
def test_a_slider_follows_keys_buttons_and_mouse(browser: Any, site: str) -> None:
    """One frame is visible, with its label as the value that a screen reader says, and nothing moves on the page."""
    with opened(browser, f"{site}/04_eviction.html") as page:
        figure = page.locator(".slider").first
        range_, frames = figure.get_by_role("slider"), figure.locator("li")
        labels = frames.evaluate_all("all => all.map(one => one.dataset.label)")
        assert range_.evaluate("one => one.labels[0].textContent") == "request"
        page.evaluate(LOADED)
        range_.scroll_into_view_if_needed()
        page.evaluate(SHIFTS)
        before = page.evaluate(BOXES)
        for press, number in (("ArrowRight", 1), ("End", len(labels) - 1), ("ArrowLeft", len(labels) - 2), ("Home", 0)):
            range_.press(press)
            assert range_.get_attribute("aria-valuetext") == labels[number]
            assert figure.locator("output").text_content() == labels[number]
            (alternative,) = figure.locator("img").evaluate_all(
                "all => all.filter(one => one.checkVisibility({ visibilityProperty: true })).map(one => one.alt)"
            )
            assert f"= {labels[number]})" in alternative
        figure.get_by_role("button", name="step on").click()
        assert range_.get_attribute("aria-valuetext") == labels[1]
        box = range_.bounding_box()
        page.mouse.click(box["x"] + box["width"] - 8, box["y"] + box["height"] / 2)
        assert range_.get_attribute("aria-valuetext") == labels[-1]
        figure.get_by_role("status").filter(has_text=labels[-1]).wait_for(state="attached")
        assert page.evaluate("() => window.shifted") == 0
        range_.press("Home")
        assert page.evaluate(BOXES) == before


def check_sliders(browser: Any, address: str, width: int) -> None:
    """Whatever the labels of a slider are, nothing moves from one frame to the next."""
    with opened(browser, address, width=width) as page:
        page.evaluate(UNFOLD)
        page.evaluate(LOADED)
        page.wait_for_timeout(100)
        for range_ in page.get_by_role("slider").all():
            before = page.evaluate(BOXES)
            for _ in range(int(range_.get_attribute("max"))):
                range_.press("ArrowRight")
                assert page.evaluate(BOXES) == before


@pytest.mark.parametrize("width", [NARROW, WIDE])
@pytest.mark.long
def test_long_labels_of_a_slider_move_nothing(width: int, browser: Any, server: str) -> None:
    """The slider with the longest labels."""
    check_sliders(browser, f"{server}/02_writes.html", width)


@pytest.mark.parametrize("width", [NARROW, 900, WIDE, 1600])
@pytest.mark.parametrize("name", [pytest.param(name, marks=soak) for name in PAGES])
def test_no_slider_moves_anything(name: str, width: int, browser: Any, server: str) -> None:
    """All sliders at four widths."""
    check_sliders(browser, f"{server}/{name}.html", width)


def come_late(route: Any) -> None:
    """Answer a request after half a second."""
    time.sleep(0.5)
    route.continue_()


@pytest.mark.long
def test_nothing_moves_when_the_script_comes_late(browser: Any, server: str) -> None:
    """On a slow telephone the text is read before the script runs, which then adds controls and moves nothing."""
    with opened(browser, f"{server}/index.html", width=NARROW) as page:
        page.route("**/book.js", come_late)
        page.add_init_script(f"({SHIFTS})()")
        page.goto(f"{server}/04_eviction.html", wait_until="commit")
        page.get_by_role("heading", level=1).wait_for()
        assert not page.get_by_role("searchbox").is_visible()
        page.get_by_role("searchbox").wait_for()
        page.wait_for_timeout(100)
        assert page.evaluate("() => window.shifted") == 0


@pytest.mark.long
def test_the_contents_mark_the_part_that_is_read(browser: Any, server: str) -> None:
    """The mark follows the page down and up; at the top there is none, and at the end it is the last part."""
    with opened(browser, f"{server}/04_eviction.html", width=1600) as page:
        page.evaluate(LOADED)
        marked = page.locator(".outline [aria-current]")

        def scroll(script: str) -> Any:
            page.evaluate(f"() => {{ {script} }}")
            page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
            return marked.all_text_contents()

        assert marked.all_text_contents() == []
        assert scroll('document.getElementById("Your-turn").scrollIntoView()') == ["Your turn"]
        assert scroll("scrollBy(0, -200)") == ["When this advice is wrong"]
        assert scroll("scrollTo(0, document.body.scrollHeight)") == ["Entries that differ in size"]
        assert scroll("scrollTo(0, 0)") == []


@pytest.mark.long
def test_long_contents_keep_their_mark_in_sight(browser: Any, server: str) -> None:
    """Where the contents are longer than the window, they are scrolled with the page."""
    with opened(browser, f"{server}/07_redis.html", width=1600) as page:
        page.evaluate(LOADED)
        contents = page.locator(".outline")
        assert contents.evaluate("one => one.scrollHeight > one.clientHeight")
        page.evaluate("() => scrollTo(0, document.body.scrollHeight)")
        marked = contents.locator("[aria-current]", has_text="At a hundred nodes")
        marked.wait_for()
        below = "one => one.getBoundingClientRect().bottom - one.closest('nav').getBoundingClientRect().bottom"
        assert marked.evaluate(below) <= 0


@pytest.mark.parametrize("theme", ["auto", "dark"])
@pytest.mark.long
def test_on_paper_everything_can_be_read(theme: str, browser: Any, server: str) -> None:
    """Whatever colours the screen has, ink is dark on white; no line is cut, and a measured number is there."""
    with opened(browser, f"{server}/04_eviction.html", width=700, color_scheme="dark") as page:
        page.evaluate(f"() => localStorage.setItem('cachelab:theme', '{theme}')")
        page.reload()
        page.emulate_media(media="print", color_scheme="light" if theme == "dark" else None)
        assert page.evaluate("() => getComputedStyle(document.body).color") == "rgb(29, 32, 36)"
        assert page.evaluate("() => getComputedStyle(document.querySelector('img')).filter") == "none"
        assert page.locator(".truth").first.is_visible()
        for control in (".veil", ".answer", ".control", "header", ".side"):
            assert not page.locator(control).first.is_visible()
        cut = "all => all.filter(one => one.scrollWidth > one.clientWidth + 1).map(one => one.innerText.slice(0, 80))"
        assert page.locator("main :is(.scroll, pre)").evaluate_all(cut) == []


@pytest.mark.long
def test_a_guess_is_kept_compared_and_revealed(browser: Any, site: str) -> None:
    """The number is hidden until there is a guess; the next visit remembers it, and a new guess replaces it."""
    with opened(browser, f"{site}/04_eviction.html") as page:
        box, form = page.locator(".measurement").first, page.locator(".prediction").first
        field = form.get_by_role("textbox")
        assert not box.locator(".truth").is_visible()
        field.fill("a few")
        field.press("Enter")
        assert "plain number" in form.get_by_role("status").text_content()
        assert not box.locator(".truth").is_visible()
        field.fill("0,5")
        field.press("Enter")
        assert "You said 0.5. " in box.locator(".truth").text_content()
        field.fill("1,000 hits")
        field.press("Enter")
        assert "You said 1000. " in box.locator(".truth").text_content()
        assert box.get_attribute("data-high") in box.locator(".truth").text_content()
        field.fill(box.get_attribute("data-truth"))
        form.get_by_role("button").click()
        assert "within a tenth" in box.locator(".truth").text_content()
        page.reload()
        assert "within a tenth" in box.locator(".truth").text_content()
        assert float(field.input_value()) == float(box.get_attribute("data-truth"))


@pytest.mark.long
def test_a_number_is_shown_without_a_guess_if_asked(browser: Any, site: str) -> None:
    """The page says that no guess was made."""
    with opened(browser, f"{site}/04_eviction.html") as page:
        box = page.locator(".measurement").first
        box.get_by_role("button").click()
        assert "made no guess" in box.locator(".truth").text_content()


@pytest.mark.long
def test_the_search_finds_and_arrives(browser: Any, site: str) -> None:
    """`/` leads to the field, arrows to the results, and a result to its place, which is unfolded."""
    with opened(browser, f"{site}/index.html") as page:
        page.keyboard.press("/")
        page.keyboard.type("che-formula simulation")
        page.locator("#cachelab-found a").first.wait_for()
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Enter")
        page.wait_for_url("**/04_eviction.html#Che*")
        assert page.get_by_role("heading", name="Che's line").is_visible()
        assert page.locator("details.further[open]").count() == 1
        page.keyboard.press("/")
        page.keyboard.type("xyzzy")
        page.locator("#cachelab-found p", has_text="Nothing found").wait_for()
        page.keyboard.press("Escape")
        assert not page.locator("#cachelab-found").is_visible()


@pytest.mark.long
def test_the_results_leave_with_the_focus(browser: Any, site: str) -> None:
    """Who tabs on is not left with a list over the text; back in the field, the list is there again."""
    with opened(browser, f"{site}/index.html") as page:
        field, found = page.get_by_role("searchbox"), page.locator("#cachelab-found")
        field.fill("jitter")
        found.locator("a").first.wait_for()
        assert page.get_by_role("status").first.text_content() == found.locator("p").text_content()
        for _ in range(found.locator("a").count()):
            page.keyboard.press("Tab")
            assert found.is_visible()
        page.keyboard.press("Tab")
        assert not found.is_visible()
        field.focus()
        assert found.is_visible()


@pytest.mark.long
def test_code_is_copied(browser: Any, server: str) -> None:
    """The button copies the code as the notebook has it."""
    with opened(browser, f"{server}/04_eviction.html", permissions=["clipboard-read", "clipboard-write"]) as page:
        box = page.locator(".code", has_text="class LRU(Policy)").first
        box.get_by_role("button").click()
        box.get_by_role("button", name="Copied").wait_for()
        copied = page.evaluate("() => navigator.clipboard.readText()")
        assert copied.splitlines()[:2] == ["class LRU(Policy):", "    def __init__(self, bound):"]


@pytest.mark.long
def test_the_theme_is_chosen_and_kept(browser: Any, site: str) -> None:
    """The button goes from the system's colours to light to dark, and the next page has the same."""
    paper = "() => getComputedStyle(document.body).backgroundColor"
    with opened(browser, f"{site}/index.html", color_scheme="dark") as page:
        assert page.evaluate(paper) == "rgb(20, 20, 20)"
        page.get_by_role("button", name="Colours").click()
        assert page.evaluate(paper) == "rgb(255, 255, 255)"
        page.goto(f"{site}/04_eviction.html")
        assert page.evaluate(paper) == "rgb(255, 255, 255)"


@pytest.mark.long
def test_without_a_script_everything_can_be_read(browser: Any, site: str) -> None:
    """The first frame, the words of every frame and the measured number are there, and no control that does nothing."""
    with opened(browser, f"{site}/04_eviction.html", java_script_enabled=False) as page:
        figure = page.locator(".slider").first
        assert figure.locator("img.now").is_visible()
        figure.get_by_text("In words, every step").click()
        assert figure.locator("li").last.is_visible()
        assert page.locator(".measurement .truth").first.is_visible()
        for control in (".control", ".answer", ".search", "#cachelab-theme", ".veil"):
            assert not page.locator(control).first.is_visible()
