"""The rows of metrics and tasks: those of version 0.1, which wrote none, come from the names."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness import load
from harness.plan.rows import with_rows
from reports.results.provenance import Provenance
from reports.results.results import Results
from reports.results.written import draws_of, parse, to_json
from reports.tables.summary import summary
from tasks import TASKS
from tests.reports.made import cost, record

NAMES = {
    "detection": (
        *("ap", "ap/car", "ap50", "ap_pooled", "ap_pooled/time=night", "ap_small", "ar100"),
        "recall@c25-iou50",
    ),
    "instance": ("box_ap", "box_ap/car", "mask_ap", "mask_ap/car", "mask_ap_pooled"),
    "quality": ("niqe", "psnr_rgb_db", "psnr_y_db", "psnr_y_db@pil-y", "ssim_y"),
    "robustness": ("harm/ap_pooled", "recovery/ap_pooled", "worse/ap_pooled"),
    "semantic": ("iou/road", "miou", "mpa"),
}
"""Metrics by task, as version 0.1 sorted its records."""
CONDITIONS = (
    ("none", "identity", None),
    ("heavy", "identity", None),
    ("heavy", "granet", None),
    ("heavy", "granet", "mask"),
    ("heavy", "lab/net", None),
)


def known(images: int = 100) -> Results:
    """A run of every task, without rows."""
    records = [
        record(
            rain=rain,
            derainer=derainer,
            stage=stage,
            task=task,
            model=None if task == "quality" else f"{task}.pt",
            metric=metric,
            value=0.5,
            n=images,
            unit="dB" if "_db" in metric else "score" if metric == "niqe" else "fraction",
        )
        for task, metrics in NAMES.items()
        for metric in metrics
        for rain, derainer, stage in CONDITIONS
        if stage is None or task == "quality"
    ]
    rng = np.random.default_rng(0)
    return Results(
        run="f" * 64,
        spec={"dataset": "coco", "split": "val", "seed": 0, "intermediate": ["mask"]},
        provenance=Provenance(groups=images, versions={"numpy": "2"}),
        cost=[cost("heavy", "granet", 0.5), cost("heavy", "lab/net", 0.25)],
        errors=[],
        records=records,
        draws={r.cell: rng.random(50).astype(np.float32) for r in records if "/" not in r.metric},
    )


def of_version_0_1(results: Results) -> str:
    """``results.json`` as version 0.1 wrote it: no rows, and a stage in the name alone."""
    written: dict[str, Any] = json.loads(to_json(results))
    assert written.pop("metrics") == {}
    assert written.pop("tasks") == {}
    for row in written["records"]:
        row.pop("stage", None)
    names = {row["derainer"] for row in written["records"]}
    assert names == {"identity", "granet", "granet/mask", "lab/net"}
    return json.dumps(written)


def folder_of(results: Results, folder: Path) -> Path:
    (folder / "results.json").write_text(of_version_0_1(results))
    buffer = io.BytesIO()
    draws: dict[str, Any] = {**draws_of(results)}
    np.savez_compressed(buffer, **draws)
    (folder / "draws.npz").write_bytes(buffer.getvalue())
    return folder


def test_a_folder_of_version_0_1_is_read(tmp_path: Path) -> None:
    before = known()
    after = load(folder_of(before, tmp_path))
    assert after.records == before.records
    assert after.cost == before.cost
    assert after.provenance == before.provenance
    assert after.draws.keys() == before.draws.keys()
    assert all(np.array_equal(after.draws[cell], before.draws[cell]) for cell in before.draws)
    masks = {(r.derainer, r.stage) for r in after.records if r.condition.name == "granet/mask"}
    assert masks == {("granet", "mask")}
    assert list(after.tasks) == ["detection", "instance", "semantic", "quality"]
    assert {task: after.primary(task) for task in after.tasks} == {
        "detection": "ap_pooled",
        "instance": "mask_ap_pooled",
        "semantic": "miou",
        "quality": "psnr_y_db",
    }
    rows = after.metrics
    assert rows["psnr_y_db@pil-y"].heading == "PSNR-Y pil-y [dB]"
    assert (rows["psnr_y_db"].decimals, rows["ap"].decimals) == (2, 3)
    assert (rows["niqe"].title, rows["niqe"].higher_is_better) == ("NIQE", False)
    assert (rows["iou/road"].by, rows["iou/road"].label) == ("class", "road")
    assert (rows["ap/car"].by, rows["mask_ap/car"].by) == ("class", "class")
    assert (rows["ap_small"].by, rows["ap_small"].label) == ("size", "small")
    night = rows["ap_pooled/time=night"]
    assert (night.by, night.label, night.of) == ("part", "time=night", "ap_pooled")
    assert not night.primary
    assert {name for name, row in rows.items() if row.is_judged} == {
        *("ap_pooled", "mask_ap_pooled", "miou", "psnr_y_db", "psnr_y_db@pil-y", "ssim_y")
    }
    headings, lines, notes = summary(after)
    assert headings.count("against rainy") == 4
    assert {line[1] for line in lines} == {"–", "rainy", "granet", "granet/mask", "lab/net"}
    assert any(note.startswith("…/mask") for note in notes)
    written = to_json(after)
    assert parse(written, {}).metrics == rows
    lacking = replace(parse(written, {}), metrics=dict(list(rows.items())[1:]))
    with pytest.raises(ValueError, match="no row of the metric"):
        parse(to_json(lacking), {})
    assert to_json(with_rows(parse(written, {}))) == written


@pytest.mark.parametrize(("images", "metric"), [(999, "ap_pooled"), (1000, "ap")])
def test_the_images_of_version_0_1_decide_on_the_primary_metric(images: int, metric: str) -> None:
    assert with_rows(known(images)).primary("detection") == metric


def test_a_mask_that_was_not_asked_for_is_a_name() -> None:
    named = replace(known(), spec={**known().spec, "intermediate": []})
    after = with_rows(parse(of_version_0_1(named), {}))
    assert {(r.derainer, r.stage) for r in after.records if r.task == "quality"} == {
        *(("identity", None), ("granet", None), ("granet/mask", None), ("lab/net", None))
    }


def test_metrics_of_version_0_1_stand_in_the_order_of_tables() -> None:
    after = with_rows(known())
    assert [metric for _, metric in after.columns] == [
        *(
            "ap",
            "ap50",
            "ap_pooled",
            "recall@c25-iou50",
            "mask_ap",
            "mask_ap_pooled",
            "box_ap",
            "miou",
            "mpa",
        ),
        *("psnr_y_db", "ssim_y", "psnr_y_db@pil-y", "niqe"),
    ]
    of = {r.metric: r.task for r in after.records}
    tasks = list(dict.fromkeys(of[metric] for metric in after.metrics if metric in of))
    assert tasks == ["detection", "instance", "semantic", "quality", "robustness"]


def test_less_worsened_images_are_better_in_version_0_1_too() -> None:
    rows = with_rows(known()).metrics
    assert not rows["worse/ap_pooled"].higher_is_better
    assert rows["recovery/ap_pooled"].higher_is_better


def test_rows_that_a_run_wrote_are_kept() -> None:
    after = with_rows(known())
    assert with_rows(after) is after
    assert with_rows(parse(to_json(after), {})).metrics == after.metrics


@pytest.mark.parametrize("task", TASKS)
def test_a_caption_of_a_metric_says_what_its_tasks_does_not(task: str) -> None:
    """It ends the notes of every table: a title there would stand as a stray word."""
    for metric, row in TASKS[task].metrics.items():
        assert not row.caption or len(row.caption.split()) > 4, metric


def test_the_drives_of_version_0_1_decide_where_they_are_known() -> None:
    results = known(1100)
    told = replace(results, provenance=replace(results.provenance, groups=22))
    assert with_rows(told).primary("detection") == "ap_pooled"
