"""The page in a real browser: it works, asks for nothing, and can be read by everyone."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect, sync_playwright

from harness import RunSpec, run
from harness.plan.rows import task_row
from reports.pages.run import page as made
from reports.plots.plots import plots
from reports.results.record import ImageError
from tasks.rows import TASKS
from tests.reports.made import cost
from tests.reports.test_reports import results

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    took = [cost("photoshop-heavy", d, s) for d, s in (("identity", 0.5), ("b", 3.853))]
    run = replace(results(), cost=took, errors=[ImageError("a", "decode", "damaged")])
    coloured = {"semantic": task_row(TASKS["semantic"].scores)}
    run = replace(run, tasks={**run.tasks, **coloured})
    folder = tmp_path_factory.mktemp("page")
    (folder / "report.html").write_text(made(run, plots(run)), encoding="utf-8")
    return folder / "report.html"


@contextmanager
def opened(browser: Browser, file: Path) -> Iterator[Page]:
    """The page, which must say nothing on the console and ask for nothing but itself."""
    context = browser.new_context(viewport={"width": 1400, "height": 900})
    page = context.new_page()
    page.set_default_timeout(120_000)
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(file.as_uri())
    yield page
    assert said == []
    assert [url for url in asked if not url.startswith("data:")] == [file.as_uri()]
    context.close()


@pytest.fixture
def page(browser: Browser, file: Path) -> Iterator[Page]:
    with opened(browser, file) as page:
        yield page


def test_the_first_screen_has_verdict_plot_and_picture(page: Page) -> None:
    for what in (".first .headline", ".first .plot img", ".first .before img"):
        box = page.locator(what).first.bounding_box()
        assert box is not None
        assert box["y"] + box["height"] < 900


def test_a_narrow_screen_is_told_that_a_table_goes_on(page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    scroll = page.get_by_role("region", name="What each derainer costs")
    cue = scroll.locator("xpath=preceding-sibling::p[@class='cue'][1]")
    expect(cue).to_be_visible()
    scroll.evaluate("it => it.scrollTo(it.scrollWidth, 0)")
    expect(cue).to_be_hidden()


def test_what_is_missing_stands_last_either_way(page: Page) -> None:
    table = page.locator("table").first
    for _ in range(2):
        table.get_by_role("button", name="AP pooled").click()
        cells = [row.split("\t")[2] for row in table.inner_text().splitlines()[1:]]
        assert cells[-1] == "–"


def test_tables_sort_and_filter(page: Page) -> None:
    before = check_sorting(page)
    page.get_by_role("searchbox").first.fill("clean")
    rows = page.locator("table").first.locator("tbody tr").all()
    shown = [row for row in rows if row.is_visible()]
    assert len(shown) == sum("clean" in text for text in before)


def test_thousands_sort_as_such(page: Page) -> None:
    table = page.get_by_role("region", name="What each derainer costs")
    table.get_by_role("button", name="ms/image").click()
    assert table.locator("tbody td:nth-child(3)").all_inner_texts() == ["3,853", "500"]


def check_sorting(page: Page) -> list[str]:
    """Sort the first table by its third column; returns the rows as they stood."""
    table = page.locator("table.sortable").first
    rows = table.locator("tbody tr")
    before = rows.all_inner_texts()
    head = table.locator("thead th").nth(2)
    head.get_by_role("button").press("Enter")
    expect(head).to_have_attribute("aria-sort", "descending")
    falling = [text.split("\t")[2] for text in rows.all_inner_texts()]
    assert falling == sorted(falling, key=lambda text: "" if text == "–" else text, reverse=True)
    head.get_by_role("button").click()
    expect(head).to_have_attribute("aria-sort", "ascending")
    assert sorted(rows.all_inner_texts()) == sorted(before)
    return before


def test_the_slider_moves_the_edge(page: Page) -> None:
    chosen = page.locator(".compare select option:checked").all_inner_texts()[:2]
    assert chosen == ["photoshop-heavy · rainy", "photoshop-heavy · b"]
    check_slider(page)


def check_slider(page: Page) -> None:
    stage = page.locator(".compare .stage").first
    page.locator(".compare input[type=range]").first.press("Home")
    assert stage.evaluate("e => e.style.getPropertyValue('--at')") == "0%"
    page.locator(".compare input[type=range]").first.press("End")
    assert stage.evaluate("e => e.style.getPropertyValue('--at')") == "100%"
    select = page.get_by_label("Left: ").first
    options = select.locator("option").all_inner_texts()
    select.select_option(options[0])
    alt = stage.locator("img:not(.view)").first.get_attribute("alt")
    assert alt is not None
    assert options[0] in alt


def test_boxes_and_label_maps_are_switched(page: Page) -> None:
    found = page.locator(".compare .found").first
    truth = page.locator(".compare .truth").first
    expect(found).to_be_visible()
    expect(truth).to_be_hidden()
    page.get_by_label("boxes found", exact=True).uncheck()
    page.get_by_label("labelled boxes (dashed)").check()
    expect(found).to_be_hidden()
    expect(truth).to_be_visible()
    view = page.locator(".compare .view[data-view='classes found']").first
    expect(view).to_be_hidden()
    page.get_by_label("classes found", exact=True).check()
    expect(view).to_be_visible()
    page.get_by_label("photographs").check()
    expect(view).to_be_hidden()


@pytest.mark.parametrize("width", [1400, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everyone_can_read_it(browser: Browser, file: Path, width: int, scheme: str) -> None:
    examine(browser, file, width, scheme)


def examine(browser: Browser, file: Path, width: int, scheme: str) -> None:
    """Nothing serious is amiss for those who read otherwise, and nothing sticks out."""
    context = browser.new_context(
        viewport={"width": width, "height": 800},
        color_scheme=scheme,  # type: ignore[arg-type]
        bypass_csp=True,  # for the checker alone
    )
    page = context.new_page()
    page.goto(file.as_uri())
    found = Axe().run(page).response["violations"]
    grave = [v for v in found if v["impact"] in ("serious", "critical")]
    assert [(v["id"], [n["html"] for n in v["nodes"]][:3]) for v in grave] == []
    overflow = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    assert overflow <= 0
    context.close()


@pytest.mark.data
@pytest.mark.slow
def test_the_page_of_a_real_run(browser: Browser, data: Path, tmp_path: Path) -> None:
    spec = RunSpec(
        dataset="coco",
        data_root=str(data / "coco128"),
        split="train2017",
        rain=("photoshop-heavy",),
        derainer=("median",),
        model={"detection": (str(data / "weights" / "yolov8n.pt"),)},
        limit=20,
        workspace=str(tmp_path / "runs"),
        out=str(tmp_path / "out"),
    )
    run(spec)
    file = tmp_path / "out" / "report.html"
    with opened(browser, file) as page:
        answer = page.locator(".answer .headline").first
        assert answer.inner_text().startswith(("Yes: median helps", "No", "Too"))
        check_sorting(page)
        check_slider(page)
        expect(page.locator(".compare .found rect").first).to_be_attached()
        page.get_by_label("boxes found", exact=True).uncheck()
        expect(page.locator(".compare .found").first).to_be_hidden()
        for picture in page.locator(".plot img, .picture img:not(.view)").all():
            assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") > 0
    examine(browser, file, 390, "light")


def test_without_a_script_everything_is_there(browser: Browser, file: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(file.as_uri())
    assert page.locator("th button").count() == 0
    expect(page.locator("table").first).to_be_visible()
    expect(page.locator(".pictures img").first).to_be_visible()
    context.close()
