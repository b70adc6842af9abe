"""The pages for people name files that exist."""

from __future__ import annotations

import importlib
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from derainers.published import PUBLISHED
from harness.runs.power import OF_PHOTOGRAPHS

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "README.md", "docs/adding.md"])
def test_paths_on_a_page_exist(page: str) -> None:
    named = re.findall(r"[`(]((?:\w[\w-]*/)+[\w.-]*)[`)]", (ROOT / page).read_text())
    assert named
    for path in named:
        if not path.startswith(("demo/", "out/", "plots/", "pictures/")):
            assert (ROOT / path).exists(), path


def test_the_promises_of_safety_name_tests_that_exist() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", (ROOT / "SECURITY.md").read_text())
    assert len(named) > 15
    for file, test in named:
        assert f"def {test}(" in (ROOT / file).read_text(), f"{file}::{test}"


def test_the_table_of_attacks_is_that_of_its_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    attack = importlib.import_module("attack")
    text, pieces = attack.PAGE.read_text(), json.loads(attack.KEPT.read_text())
    assert text == attack.filled(text, attack.table(pieces)), (
        "run: python benchmarks/attack.py table"
    )
    assert {piece["kind"] for piece in pieces} == {"mutations", "kills"}
    assert not any(piece["wrong"] for piece in pieces)


def test_the_tables_of_published_weights_are_those_of_their_numbers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    page = importlib.import_module("rain100l")
    text, numbers = page.PAGE.read_text(), json.loads(page.KEPT.read_text())
    assert text == page.filled(text, page.tables(numbers)), "run: python benchmarks/rain100l.py"
    for rows in numbers.values():
        of = {PUBLISHED[name].derainer for name in rows if name in PUBLISHED}
        assert {"prenet", "vrgnet", "sapnet", "spanet", "umrl", "urie"} <= of
    assert all(name in numbers[data] for data, name in page.PRINTED)


def test_the_suite_of_published_weights_names_what_its_page_shows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    page = importlib.import_module("rain100l")
    named: Counter[tuple[str, str, int]] = Counter()
    shown: Counter[tuple[str, str, int]] = Counter()
    for run in yaml.safe_load(page.SUITE.read_text()):
        words = (word.partition("@")[0] for word in run["derainer"])
        data = run["name"].removesuffix(page.TEN)
        named.update((data, word, run.get("limit", 100)) for word in words)
    for data, rows in json.loads(page.KEPT.read_text()).items():
        of = {name: PUBLISHED[name].derainer if name in PUBLISHED else name for name in rows}
        shown.update((data, of[name], row["n"]) for name, row in rows.items())
        assert shown.pop((data, "identity", 100)) == 1
    assert named == shown


@pytest.fixture
def simulated(monkeypatch: pytest.MonkeyPatch) -> tuple[Any, list[dict[str, Any]]]:
    """The script of the page of statistics, and what was simulated."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    page = importlib.import_module("coverage_page")
    return page, json.loads(page.KEPT.read_text())


def test_the_tables_of_statistics_are_those_of_their_simulations(
    simulated: tuple[Any, list[dict[str, Any]]],
) -> None:
    page, cells = simulated
    text = page.PAGE.read_text()
    assert text == page.filled(text, page.tables(cells)), "run: python benchmarks/coverage_page.py"


def test_what_was_simulated_holds_what_is_promised(
    simulated: tuple[Any, list[dict[str, Any]]],
) -> None:
    """Intervals where printed, families' errors, and power: each within chance of its bounds."""
    page, cells = simulated
    assert not [name for cell in cells for name in page.missed(cell)]


def test_intervals_of_few_images_may_be_wide_but_not_narrow(
    simulated: tuple[Any, list[dict[str, Any]]],
) -> None:
    page, _ = simulated
    of = next(q for q in page.QUANTITIES if not q.is_level)
    said = {}
    for images in (20, 32):
        for outside in (0, 25, 100):
            cell = {"cell": f"coco128/psnr/{images}", f"{of.name}: printed": [500, outside, 0]}
            said[images, outside] = page.holds(cell, of)
    assert said == {
        **{(20, 0): "wide", (20, 25): "yes", (20, 100): "no"},
        **{(32, 0): "no", (32, 25): "yes", (32, 100): "no"},
    }


def test_power_is_planned_by_the_deviations_that_were_measured(
    simulated: tuple[Any, list[dict[str, Any]]],
) -> None:
    names = {"ap_pooled": "ap_pooled", "mask_ap_pooled": "mask_ap_pooled", "psnr": "psnr_y_db"}
    measured = {
        names[cell["cell"].split("/")[-1]]: cell["deviations"]["median"]
        for cell in simulated[1]
        if "deviations" in cell
    }
    assert measured.keys() == OF_PHOTOGRAPHS.keys()
    for metric, value in OF_PHOTOGRAPHS.items():
        assert value == pytest.approx(measured[metric], rel=0.006)


def test_the_zoo_is_what_can_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    page = importlib.import_module("zoo")
    text = page.PAGE.read_text()
    assert text == page.filled(text), "run: python benchmarks/zoo.py"
    assert text.count("| granet |") == 1
