"""The page in a real browser: it works, asks for nothing, and can be read by everyone."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect, sync_playwright

from reports.page import page as made
from reports.plots import plots
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
    cost = [
        {
            "rain": "photoshop-heavy",
            "derainer": d,
            "median_s_per_image": 0.5,
            "n": 100,
            "device": "cpu",
            "workers": 2,
        }
        for d in ("identity", "b")
    ]
    errors = [{"sample": "a", "stage": "decode", "message": "damaged"}]
    run = replace(results(), cost=cost, errors=errors)
    folder = tmp_path_factory.mktemp("page")
    (folder / "report.html").write_text(made(run, plots(run)), encoding="utf-8")
    return folder / "report.html"


@pytest.fixture
def page(browser: Browser, file: Path) -> Iterator[Page]:
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


def test_tables_sort_and_filter(page: Page) -> None:
    table = page.locator("table.sortable").first
    rows = table.locator("tbody tr")
    before = rows.all_inner_texts()
    head = table.locator("thead th").nth(2)
    head.get_by_role("button").press("Enter")
    expect(head).to_have_attribute("aria-sort", "descending")
    falling = [text.split("\t")[2] for text in rows.all_inner_texts()]
    assert falling == sorted(falling, reverse=True)
    head.get_by_role("button").click()
    expect(head).to_have_attribute("aria-sort", "ascending")
    assert sorted(rows.all_inner_texts()) == sorted(before)
    page.get_by_role("searchbox").first.fill("clean")
    shown = [row for row in rows.all() if row.is_visible()]
    assert len(shown) == sum("clean" in text for text in before)


def test_the_slider_moves_the_edge(page: Page) -> None:
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
    view = page.locator(".compare .view[data-view=semantic]").first
    expect(view).to_be_hidden()
    page.get_by_label("semantic", exact=True).check()
    expect(view).to_be_visible()
    page.get_by_label("photographs").check()
    expect(view).to_be_hidden()


@pytest.mark.parametrize("width", [1400, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everyone_can_read_it(browser: Browser, file: Path, width: int, scheme: str) -> None:
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


def test_without_a_script_everything_is_there(browser: Browser, file: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(file.as_uri())
    assert page.locator("th button").count() == 0
    expect(page.locator("table").first).to_be_visible()
    expect(page.locator(".pictures img").first).to_be_visible()
    context.close()
