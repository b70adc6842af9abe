"""Whatever a derainer or a class is called, its numbers come through: files, tables, plots."""

from __future__ import annotations

import csv
import html
import io
import re
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from harness.ledger.packed import pack, unpack
from reports.findings.effects import effects
from reports.layouts.table6 import table6
from reports.pages.run import page
from reports.pages.runs import board
from reports.plots.plots import plots
from reports.results.provenance import Provenance
from reports.results.results import ByImage, Results
from reports.results.written import arrays_of, draws_of, parse, to_json
from reports.tables import classes
from reports.tables.by_image import by_image_csv
from reports.tables.csv import csv_text, inert
from reports.tables.latex import escaped, latex
from reports.tables.markdown import markdown
from reports.tables.summary import summary
from reports.tables.text import cell, plain
from tests.reports.made import cost, record, rowed

NAMES = ("lab/net", "lab/mask", "a|b", "back\\slash|", "ünï 雨", " spaced  name ")
CLASS = "car/van|truck"
F1 = "f1@c25-iou50"
METRICS = {
    ("detection", "ap_pooled"): 0.3,
    ("detection", f"ap/{CLASS}"): 0.4,
    ("detection", "ap/person"): 0.5,
    ("detection", "recall@mspfn-table6"): 0.6,
    ("quality", "psnr_y_db"): 20.0,
}


def run_of(*conditions: tuple[str, str | None]) -> Results:
    """A run of derainers and their stages, each better than the one before."""
    rng = np.random.default_rng(0)
    records, draws, values, curves = [], {}, {}, {}
    places = [("none", "identity", None), ("heavy", "identity", None)]
    for place, (rain, derainer, stage) in enumerate(
        [*places, *(("heavy", *condition) for condition in conditions)]
    ):
        for (task, metric), value in METRICS.items():
            one = record(
                rain=rain,
                derainer=derainer,
                stage=stage,
                task=task,
                model=None if task == "quality" else "yolov8n",
                metric=metric,
                value=value * (1 + place / 20),
                n=100,
                unit="dB" if task == "quality" else "fraction",
            )
            records.append(one)
            noise = rng.normal(0, 0.001, 2000)
            draws[one.cell] = (value * (1 + place / 20) + noise).astype(np.float32)
            if metric == "ap_pooled":
                values[one.cell.of(F1)] = rng.random(6).astype(np.float32)
                curves[one.cell] = np.linspace(1, place / 20, 101, dtype=np.float32)
            elif task == "quality":
                values[one.cell] = rng.random(6).astype(np.float32)
    made = Results(
        run="f" * 64,
        spec={"dataset": "coco", "split": "val", "seed": 0},
        provenance=Provenance(groups=100),
        cost=[
            cost(c.rain, c.derainer, 0.1 + i, condition=c)
            for i, c in enumerate(dict.fromkeys(r.condition for r in records))
        ],
        errors=[],
        records=records,
        draws=draws,
        by_image=ByImage(
            tuple("uvwxyz"),
            tuple("uvwxyz"),
            values,
            {r.condition: ("0123",) * 6 for r in records},
        ),
        curves=curves,
    )
    return rowed(made)


@pytest.fixture(scope="module")
def run() -> Results:
    return run_of(*((name, None) for name in NAMES))


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def assert_same(kept: Results, known: Results) -> None:
    assert kept.records == known.records
    assert kept.cost == known.cost
    assert kept.by_image.pixels == known.by_image.pixels
    pairs: tuple[tuple[Any, Any], ...] = (
        (kept.draws, known.draws),
        (kept.by_image.values, known.by_image.values),
        (kept.curves, known.curves),
    )
    for found, wanted in pairs:
        assert found.keys() == wanted.keys()
        assert all(np.array_equal(found[place], wanted[place]) for place in wanted)


def again(known: Results) -> Results:
    """The results as they are read from a ledger's row."""
    arrays: dict[str, NDArray[Any]] = unpack(pack(arrays_of(known)))
    return parse(to_json(known), arrays)


def test_any_name_goes_through_files(run: Results) -> None:
    assert_same(again(run), run)
    assert len(draws_of(run)) == len(run.draws)


def test_a_stage_is_no_part_of_its_derainers_name() -> None:
    own = (("lab/mask", None), ("granet/fine", None))
    staged = run_of(("granet", None), ("granet", "coarse"), ("granet", "mask"), *own)
    assert_same(again(staged), staged)
    judged = {(e.condition.derainer, e.condition.stage) for e in effects(staged)}
    assert judged == {("granet", None), ("granet", "coarse"), *own}
    sixth = table6([staged], "md").splitlines()[0]
    assert sixth == "| Methods | Rain input | granet | lab/mask | granet/fine |"


def test_every_name_competes(run: Results) -> None:
    """Whatever it is called, a derainer has a verdict, a rank and its place in every plot."""
    judged = {e.condition.derainer: e.verdict for e in effects(run) if e.judge.task == "detection"}
    assert judged == dict.fromkeys(NAMES, "better")
    changes = {
        row["derainer"]: row["change"]
        for row in rows_of(csv_text(run, run.records))
        if row["metric"] == "ap_pooled" and row["rain"] == "heavy"
    }
    assert all(float(changes[inert(name)]) > 0 for name in NAMES)
    assert changes["identity"] == ""
    drawn = {plot.name: rows_of(plot.csv) for plot in plots(run)}
    assert {"change-detection", "images-detection", "classes-detection"} < set(drawn)
    assert {"cost-detection", "psnr-detection"} < set(drawn)
    for plot in ("cost", "psnr", "images", "change", "classes"):
        shown = {row["derainer"] for row in drawn[f"{plot}-detection"]}
        assert {inert(name) for name in NAMES} <= shown, plot
    ranked = [row[1] for row in board([run])[1] if row[3] == "detection" and row[0] == "heavy"]
    assert ranked == [*map(plain, reversed(NAMES)), "rainy"]


def test_every_name_stands_in_every_table(run: Results) -> None:
    names = [row[1] for row in summary(run)[1]]
    assert names[:2] == ["–", "rainy"]
    assert set(names[2:]) == set(map(plain, NAMES))
    headings, rows, _ = classes.table(run)
    assert {f"heavy · {plain(name)}" for name in NAMES} < set(headings)
    assert [row[1] for row in rows] == [CLASS, "person"]
    assert {row["derainer"] for row in rows_of(by_image_csv(run))} == {
        *map(inert, NAMES),
        "identity",
    }
    tex, md, shown = latex(run), markdown(run), html.unescape(page(run, []))
    sixth = {kind: table6([run], kind) for kind in ("md", "tex")}
    for name in map(plain, NAMES):
        assert re.search(rf"& {re.escape(escaped(name))} &", tex)
        assert f"| {cell(name)} |" in md
        assert f">{name}<" in shown
        assert f"| {cell(name)} |" in sixth["md"]
        assert re.search(rf"& {re.escape(escaped(name))}( &| \\\\)", sixth["tex"])
    assert f">{CLASS}<" in shown
