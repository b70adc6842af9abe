"""A metric that only the run itself tells of stands in every table, as its row says."""

from __future__ import annotations

import csv
import html
import io
from dataclasses import replace
from pathlib import Path

import pytest

from reports.findings.effects import effects
from reports.pages.runs import board
from reports.results.metrics import MetricRow
from reports.results.results import Results
from reports.tables.answers import answers
from reports.tables.summary import summary
from reports.write import write
from tests.reports.test_effects import CELLS, study

SHARPNESS = MetricRow(
    "sharpness", "score", 3, higher_is_better=False, caption="how dull edges are", is_column=True
)


def run(row: MetricRow = SHARPNESS) -> Results:
    """Image quality with a metric that was made up."""
    known = study(CELLS, metric="psnr_y_db", unit="dB")
    more = [replace(r, metric="sharpness", unit="score") for r in known.records]
    draws = {new.cell: known.draws[old.cell] for new, old in zip(more, known.records, strict=True)}
    return replace(
        known,
        spec={"dataset": "coco", "split": "val", "seed": 0},
        records=[*known.records, *more],
        draws=known.draws | draws,
        metrics=known.metrics | {"sharpness": row},
    )


def test_it_stands_in_every_table(tmp_path: Path) -> None:
    headings, rows, notes = summary(run())
    assert headings == ["rain", "derainer", "PSNR-Y [dB]", "against rainy", "sharpness"]
    shown = {(row[0], row[1]): row[-1] for row in rows}
    assert shown["heavy", "bad"] == "0.200"
    assert shown["clean", "–"] == "0.600"
    assert any("how dull edges are" in note for note in notes)
    write(run(), tmp_path)
    files = {f.name: f.read_text(encoding="utf-8") for f in tmp_path.glob("*.*") if f.suffix in
             (".md", ".tex", ".csv", ".html")}  # fmt: skip
    assert "| heavy | bad | 0.20 | -0.10 " in files["results.md"]
    assert " | 0.200 |\n" in files["results.md"]
    assert "how dull edges are" in files["results.md"]
    lines = {line.split(" & ")[1]: line for line in files["results.tex"].splitlines()
             if line.startswith("heavy & ")}  # fmt: skip
    assert [name for name, line in lines.items() if r"\textbf{0.200}" in line] == ["bad"]
    assert "0.300" in lines["rainy"]
    assert "underline" not in lines["rainy"]  # "flat" is no surer
    assert "0.450" in lines["good"]
    assert r"{0.450}" not in lines["good"]
    assert r"\textbf{0.45}" in lines["good"]  # decibels: more is better
    of = {
        (row["derainer"], row["rain"]): row
        for row in csv.DictReader(io.StringIO(files["results.csv"]))
        if row["metric"] == "sharpness"
    }
    assert float(of["bad", "heavy"]["value"]) == 0.2
    assert float(of["bad", "heavy"]["change"]) == pytest.approx(-0.1)
    assert of["bad", "heavy"]["unit"] == "score"
    page = html.unescape(files["report.html"])
    assert page.count("sharpness") >= 2
    assert "0.200" in page


def test_its_row_decides_what_is_better() -> None:
    known = run(replace(SHARPNESS, primary=True))
    plain = known.metrics["psnr_y_db"]
    known = replace(known, metrics=known.metrics | {"psnr_y_db": replace(plain, primary=False)})
    assert known.primary("quality") == "sharpness"
    assert {e.condition.name: e.verdict for e in effects(known)} == {
        "good": "worse",
        "bad": "better",
        "idle": "no significant difference",
    }
    (answer,) = answers(known)
    assert answer.headline == "Yes: bad helps; good makes it worse."
    assert answer.derainers[0].startswith("bad: 0.200, 0.100 better than the rainy input")
    assert [row[1] for row in board([known])[1] if row[0] == "heavy"] == [
        "bad",
        "rainy",
        "idle",
        "good",
    ]
