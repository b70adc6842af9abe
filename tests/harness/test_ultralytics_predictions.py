"""``predictions.json`` as ultralytics writes it of a YOLO data set: classes counted from 1."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from datasets.yolo import open_yolo
from harness import RunSpec
from harness.scores.predictions import score_predictions
from reports.results.results import Results
from tasks.task import TaskError
from tests.miniatures import miniature

Rows = list[dict[str, Any]]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return miniature("yolo", tmp_path_factory.mktemp("yolo"))


def perfect(root: Path, first: int) -> Rows:
    """Every labelled box, classes counted from ``first``."""
    rows = []
    for sample in open_yolo(root, None).samples:
        truth = sample.annotations
        assert truth is not None
        for (x1, y1, x2, y2), category in zip(truth.boxes_xyxy_px, truth.categories, strict=True):
            found = {"bbox": [x1, y1, x2 - x1, y2 - y1], "score": 0.9}
            place = {"image_id": sample.id, "file_name": sample.path.name}
            rows.append({**place, "category_id": int(category) + first, **found})
    return rows


def scored(root: Path, rows: Rows, file: Path) -> Results:
    file.write_text(json.dumps(rows))
    spec = RunSpec(dataset="yolo", data_root=str(root), task=("detection",))
    return score_predictions(file, spec)


def metric(results: Results, name: str) -> float | None:
    return next(r.value for r in results.records if r.metric == name)


NOTE = "predictions.json: classes counted from 1, as ultralytics writes them"


def test_rows_with_file_names_are_counted_from_one(root: Path, tmp_path: Path) -> None:
    file = tmp_path / "predictions.json"
    rows = perfect(root, 1)
    results = scored(root, rows, file)
    assert metric(results, "ap") == pytest.approx(1)
    assert NOTE in results.provenance.data_notes
    # Where the last class was not found, no number is outside of the data set's own.
    fewer = scored(root, [row for row in rows if row["category_id"] < 3], file)
    assert metric(fewer, "ap/person") == pytest.approx(1)


def test_other_rows_are_counted_from_zero(root: Path, tmp_path: Path) -> None:
    file = tmp_path / "predictions.json"
    rows = perfect(root, 0)
    bare = [{k: v for k, v in row.items() if k != "file_name"} for row in rows]
    for given in (rows, bare):  # class 0 is there
        results = scored(root, given, file)
        assert metric(results, "ap") == pytest.approx(1)
        assert NOTE not in results.provenance.data_notes
    for row in bare:
        row["category_id"] += 1
    with pytest.raises(TaskError, match="whose ids are 0 to 2: count yours from 0"):
        scored(root, bare, file)
