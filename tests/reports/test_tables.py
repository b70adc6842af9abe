"""Tables: every difference has its interval, every mark and every absent interval is explained."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

import numpy as np
import pytest

from reports.results.provenance import Provenance
from reports.results.record import Correlation
from reports.results.results import Results
from reports.tables import predictors
from reports.tables.changes import others
from reports.tables.csv import csv_text
from reports.tables.markdown import parts
from reports.tables.summary import summary
from reports.tables.sweeps import table as sweep_table
from tests.reports.made import record as any_record
from tests.reports.made import rowed
from tests.reports.test_effects import CELLS, study
from tests.reports.test_reports import record, results


def with_ap() -> Results:
    """A study with AP beside its primary metric."""
    known = study(CELLS)
    more = [replace(r, metric="ap") for r in known.records]
    draws = {r.cell: known.draws[k.cell] for r, k in zip(more, known.records, strict=True)}
    return rowed(known, records=[*known.records, *more], draws=known.draws | draws)


def test_other_metrics_have_intervals_and_no_verdict() -> None:
    headings, rows, notes = others(with_ap())
    assert headings == ["rain", "derainer", "AP"]
    found = {(row[0], row[1]): row[2] for row in rows}
    assert found["heavy", "good"].startswith("+0.150 [+0.13")
    assert found["clean", "good"].startswith("-0.020 [-0.0")
    assert ("heavy", "rainy") not in found
    assert notes[0].startswith("Derained − rainy, in the first rows derained clean − clean; 95 %")
    assert "no verdicts" in notes[0]
    known = with_ap()
    wet = [r for r in known.records if r.condition.rain != "none" or r.condition.is_input]
    assert others(replace(known, records=wet))[2][0].startswith("Derained − rainy; 95 %")


def test_what_nobody_knows_is_told_from_nothing_in_csv_and_print() -> None:
    known = with_ap()
    told = {"good": None, "identity": ()}
    records = [replace(r, seen=told.get(r.derainer, ("rain",))) for r in known.records]
    run = replace(known, records=records)
    rows = csv.DictReader(io.StringIO(csv_text(run, run.records)))
    said = {row["derainer"]: row["seen"] for row in rows}
    assert said == dict.fromkeys(said, "rain") | {"good": "unknown", "identity": ""}
    record = run.value("heavy", "good", "detection", "ap_pooled")
    for shown in (repr(run), run._repr_html_()):
        assert f"{record.value:.3f}?" in shown
        assert "? whether the weights were trained on this is not known." in shown
        assert ("†" in shown) == (len(said) > 2)
    assert "?" not in repr(replace(known, records=[replace(r, seen=()) for r in known.records]))


def test_every_number_of_the_csv_has_its_change() -> None:
    run = with_ap()
    rows = list(csv.DictReader(io.StringIO(csv_text(run, run.records))))
    of = {(row["rain"], row["derainer"], row["metric"]): row for row in rows}
    for metric in ("ap", "ap_pooled"):
        row = of["heavy", "good", metric]
        assert float(row["change"]) == pytest.approx(0.15)
        assert float(row["change_low"]) < 0.15 < float(row["change_high"])
        assert of["heavy", "identity", metric]["change"] == ""
    few = study(CELLS, groups=19)
    rows = list(csv.DictReader(io.StringIO(csv_text(few, few.records))))
    assert {(row["change"] != "", row["change_low"]) for row in rows} == {(True, ""), (False, "")}


def test_every_mark_is_explained_below_its_table() -> None:
    rains = [f"physical:rate_mm_h={rate}" for rate in (1, 25, 100)]
    records = [record("identity", 0.5, rain="none")]
    for rain in rains:
        records += [record("identity", 0.3, rain=rain), record("b", 0.4, rain=rain)]
    records += [replace(r, metric="ap_pooled/time=night") for r in records]
    records += [replace(r, metric=m) for r in records[:7] for m in ("ap/car", "ap")]
    found = parts(rowed(results(), records=records))
    marked = [p for p in found if any("†" in cell or "‡" in cell for row in p.rows for cell in row)]
    assert {p.anchor for p in marked} == {"numbers", "real", "others", "sweep", "parts", "classes"}
    for part in marked:
        assert "† the derainer was trained on this kind of rain." in part.notes
        assert "‡ the task network was trained on these images." in part.notes


def test_a_sweep_of_unknown_training_says_so() -> None:
    rains = [f"physical:rate_mm_h={rate}" for rate in (1, 25, 100)]
    records = [replace(record("identity", 0.3, rain=rain), seen=None) for rain in rains]
    _, rows, notes = sweep_table(rowed(results(), records=records))
    assert rows[0][4] == "0.300?"
    assert notes[-1] == "? whether the weights were trained on this is not known."


def swept(rates: tuple[float, ...], psnr: bool = True) -> Results:
    """AP pooled 0.5 without rain and 0.1 less by each rate, and PSNR, which dry images have not."""
    made = [("none", 0.0), *((f"physical:rate_mm_h={rate:g}", rate) for rate in rates)]
    records = [record("identity", 0.5 - rate / 1000, rain=rain) for rain, rate in made]
    of_quality = {"derainer": "identity", "task": "quality", "metric": "psnr_y_db", "unit": "dB"}
    records += [
        any_record(**of_quality, rain=rain, n=6, value=30 - rate / 100, n_identical=0)
        if rate
        else any_record(**of_quality, rain=rain, n=6, value=None, n_identical=6)
        for rain, rate in made
        if psnr
    ]
    return rowed(results(), records=records, draws={})


def test_a_rain_that_changes_no_image_is_in_no_mean_over_a_sweep() -> None:
    _, wet, plainly = sweep_table(swept((10, 50, 100)))
    _, rows, notes = sweep_table(swept((0, 10, 50, 100)))
    assert rows == wet
    assert [row[:5] for row in rows] == [
        ["physical: rate_mm_h 10, 50, 100", "rainy", "detection", "AP pooled", "0.447"],
        ["physical: rate_mm_h 10, 50, 100", "rainy", "quality", "PSNR-Y [dB]", "29.47"],
    ]
    assert not any("Neither counts" in note for note in plainly)
    assert notes[1].startswith("Neither counts physical:rate_mm_h=0: every number there is that")
    assert sweep_table(swept((0, 50, 100)))[1] == [], "two values are no sweep"
    # Equal scores alone do not make a rain none: PSNR tells that images changed.
    known = swept((0, 10, 50, 100))
    changed = [
        replace(r, value=60.0, n_identical=0) if r.rain.endswith("=0") and r.unit == "dB" else r
        for r in known.records
    ]
    assert sweep_table(replace(known, records=changed))[1][0][4] == "0.460"
    assert sweep_table(swept((0, 10, 50, 100), psnr=False))[1][0][4] == "0.447"


def test_what_counts_as_independent_is_told() -> None:
    def notes(groups: int, blocks: bool = False) -> str:
        made = Provenance(groups=groups, blocks=blocks)
        return " ".join(summary(replace(results(), provenance=made))[2])

    assert "groups" not in notes(groups=100)
    assert "of 50 groups (drives, scenes), which alone are independent" in notes(groups=50)
    assert "of 2 drives or scenes, fewer than 20: no intervals; all" in notes(groups=2)
    assert "36 blocks of consecutive images" in notes(groups=36, blocks=True)  # of before


def test_the_number_of_resamples_is_that_of_the_run() -> None:
    known = results()
    fewer = replace(known, draws={cell: draws[:500] for cell, draws in known.draws.items()})
    assert "over 500 resamples" in summary(fewer)[2][0]


def test_a_value_without_interval_has_its_reason() -> None:
    reason = "Some values of AP pooled have no interval"
    assert any(note.startswith(reason) for note in summary(results())[2])
    held = [replace(r, ci=(0.1, 0.6)) for r in results().records]
    assert not any(reason in note for note in summary(replace(results(), records=held))[2])


def few_draws(known: Results) -> Results:
    """The run, resampled a hundred times only."""
    return replace(known, draws={cell: drawn[:100] for cell, drawn in known.draws.items()})


def test_draws_that_are_too_few_for_the_family_give_no_verdict_and_say_so() -> None:
    many = {("heavy", "identity"): 0.3} | {("heavy", f"d{i}"): 0.4 for i in range(60)}
    part = next(p for p in parts(few_draws(study(many))) if p.anchor == "real")
    assert {row[part.headings.index("verdict")] for row in part.rows} == {"–"}
    assert "No verdict (–): too few resamples for so many derainers." in part.notes
    assert np.unique([len(row) for row in part.rows]).tolist() == [len(part.headings)]


def means(number: int, groups: int = 100, step: float = 0.05) -> list[list[str]]:
    """Rows of the derainers' means, where PSNR and the score agree but for one swap."""
    names = [f"d{i}" for i in range(number)]
    scores = {("heavy", d): 0.3 + step * i for i, d in enumerate(names)}
    swapped = [names[1], names[0], *names[2:]]
    decibels = {("heavy", d): 20.0 + i for i, d in enumerate(swapped)}
    floor = {("heavy", "identity"): 0.1}
    task = study(floor | scores, groups=groups)
    quality = study(floor | decibels, metric="psnr_y_db", unit="dB", groups=groups)
    both = rowed(
        task,
        records=[*task.records, *quality.records],
        draws=task.draws | quality.draws,
    )
    return predictors.table(both)[1]


def test_a_score_without_a_caption_is_named_by_its_title() -> None:
    told = [
        Correlation("heavy", None, task, metric, "psnr_y_db", 0.5, None, 40)
        for task, metric in (("detection", "f1@c25-iou50"), ("semantic", "miou"))
    ]
    judged = [replace(record("identity", 0.4), task=c.task, metric=c.metric) for c in told]
    _, _, notes = predictors.table(rowed(results(), records=judged, correlations=told))
    assert "image: F1 at confidence 0.25 and IoU 0.5, or mIoU. 95 %" in notes[0]


def test_means_of_derainers_are_correlated_from_eight_on() -> None:
    assert means(7) == []
    (row,) = means(8)
    assert row[:4] == ["heavy", "across the means of 8 derainers", "detection", "PSNR-Y"]
    # Spearman: 1 - 6 (1 + 1) / (8 (64 - 1)).
    assert row[4:] == ["+0.98", "[+0.98, +0.98]", "100", "–", "–"]
    assert means(8, step=0) == [], "all scores tie"
    (few,) = means(8, groups=19)
    assert few[5] == "–"
