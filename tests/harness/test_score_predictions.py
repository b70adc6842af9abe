"""Predictions as files: written by a run, scored again without a network."""

from __future__ import annotations

import contextlib
import copy
import io
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from labelled import filled
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

import datasets
from datasets.image import decode
from datasets.sample import Dataset
from harness import RunSpec, run
from harness.runs.export import folder_names
from harness.scores.predictions import score_predictions
from harness.spec import UsageError
from reports.results.results import Results
from tasks import rle
from tasks.task import TaskError

FACTORY = """
import torch

class Shades(torch.nn.Module):
    names = ["dog", "ground", "person", "car"]

    def __init__(self):
        super().__init__()
        self.one = torch.nn.Conv2d(3, 4, 1)
        torch.nn.init.normal_(self.one.weight, generator=torch.Generator().manual_seed(0))
        torch.nn.init.zeros_(self.one.bias)

    def forward(self, images):
        return self.one(images - 0.5)
"""


@pytest.fixture
def models(detector_file: Path, tmp_path: Path) -> dict[str, tuple[str, ...]]:
    """A network per task: two untrained ones and a user's function."""
    import torch
    from ultralytics.nn.tasks import SegmentationModel

    torch.manual_seed(0)
    model = SegmentationModel("yolov8n-seg.yaml", ch=3, nc=3, verbose=False)
    model.names = {0: "person", 1: "car", 2: "dog"}
    for branch in model.model[-1].cv3:
        branch[-1].bias.data += 6.0
    torch.save({"model": model, "train_args": {}}, tmp_path / "tiny-seg.pt")
    (tmp_path / "mine.py").write_text(FACTORY)
    return {
        "detection": (str(detector_file),),
        "instance": (str(tmp_path / "tiny-seg.pt"),),
        "semantic": (f"{tmp_path / 'mine.py'}:Shades",),
    }


def made(results: Results, task: str) -> dict[str, tuple[Any, ...]]:
    """What a run says of a task on clean images."""
    return {
        r.metric: (r.value, r.n, r.ci, r.why)
        for r in results.records
        if r.task == task and r.rain in {"none", "given"}
    }


PLACES = {"detection": "detection.json", "instance": "instance", "semantic": "semantic"}


@pytest.mark.slow
def test_a_runs_predictions_score_the_same_again(
    labelled: str, models: dict[str, tuple[str, ...]], coco_root: Path, tmp_path: Path
) -> None:
    spec = RunSpec(
        dataset=labelled,
        data_root=str(coco_root),
        derainer=("median",),
        rain=("photoshop-heavy",),
        task=tuple(PLACES),
        model=models,
        quality=("none",),
        limit=6,
        workspace=str(tmp_path / "runs"),
        out=str(tmp_path / "out"),
    )
    first = run(spec.model_copy(update={"out": None}))
    results = run(spec.model_copy(update={"save": ("predictions",)}))
    assert results.records == first.records
    folder = tmp_path / "out" / "predictions"
    cells = {str(f.relative_to(folder)) for f in folder.glob("*/*")}
    assert cells == {"none/identity", "photoshop-heavy/identity", "photoshop-heavy/median"}
    assert len(results.gallery) == 3 * len({g.sample for g in results.gallery})
    for item in results.gallery:
        plain = decode(item.jpeg, "").astype(int)
        for task in ("instance", "semantic"):
            coloured = decode(item.labelled[task], "").astype(int)
            assert np.abs(coloured - plain).mean() > 5
        assert set(item.labelled) == {"instance", "semantic"}
        assert item.boxes
    for task, name in PLACES.items():
        again = score_predictions(
            folder / "none" / "identity" / name,
            RunSpec(dataset=labelled, data_root=str(coco_root), task=(task,), limit=6),
        )
        found = made(results, task)
        # These hold an image's predictions against those of its clean one, which a file has not.
        before = {m: v for m, v in found.items() if not m.startswith(("flips@", "recall@fppi"))}
        assert len(before) > 5
        assert made(again, task) == before, task
    metrics = made(results, "instance")
    assert {"box_ap", "mask_ap", "mask_ap75", "mask_ap_small", "mask_ap/car"} <= set(metrics)


def test_saved_predictions_score_in_pycocotools_alone(
    coco_root: Path, detector_file: Path, tmp_path: Path
) -> None:
    results = run(
        RunSpec(
            dataset="coco",
            data_root=str(coco_root),
            derainer=("identity",),
            model={"detection": (str(detector_file),)},
            quality=("none",),
            workspace=str(tmp_path / "runs"),
            out=str(tmp_path),
            save=("predictions",),
        )
    )
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(coco_root / "annotations" / "instances_val2017.json"))
        found = truth.loadRes(str(tmp_path / "predictions/none/identity/detection.json"))
        evaluation = COCOeval(truth, found, "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    record = results.value("none", "identity", "detection", "ap")
    assert record is not None
    assert record.value == pytest.approx(evaluation.stats[0], abs=1e-12)


def test_bdd100ks_frames_are_written_and_score_the_same(
    coco_root: Path, detector_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def open_renamed(root: Path, split: str | None) -> Dataset:
        return replace(datasets.coco.open_coco(root, split), name="bdd100k")

    row = datasets.DatasetRow(open_renamed)
    monkeypatch.setattr("harness.plan.data.DATASETS", {**datasets.DATASETS, "bdd100k": row})
    spec = RunSpec(
        dataset="bdd100k",
        data_root=str(coco_root),
        derainer=("identity",),
        model={"detection": (str(detector_file),)},
        quality=("none",),
        workspace=str(tmp_path / "runs"),
        out=str(tmp_path),
        save=("predictions",),
    )
    before = made(run(spec), "detection")
    file = tmp_path / "predictions/none/identity/detection-bdd100k.json"
    after = made(score_predictions(file, spec), "detection")
    assert before["ap"][0] == pytest.approx(after["ap"][0], abs=1e-9)
    assert set(json.loads(file.read_text())[0]) == {"name", "labels"}


def numbers(root: Path, task: str, rows: Any, folder: Path) -> dict[str, float | None]:
    """What `score` says of results that are written to a file."""
    file = folder / "found.json"
    file.write_text(rows if isinstance(rows, str) else json.dumps(rows), encoding="utf-8")
    results = score_predictions(file, RunSpec(dataset="coco", data_root=str(root), task=(task,)))
    return {r.metric: r.value for r in results.records}


def plain_coco(root: Path, rows: list[dict[str, Any]], kind: str) -> float:
    """AP by pycocotools alone."""
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(root / "annotations" / "instances_val2017.json"))
        evaluation = COCOeval(truth, truth.loadRes(copy.deepcopy(rows)), kind)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return float(evaluation.stats[0])


def found_rows(root: Path, step: float = 0.01) -> list[dict[str, Any]]:
    """A few boxes near each object and as many elsewhere, of scores ``step`` apart."""
    truth = json.loads((root / "annotations" / "instances_val2017.json").read_text())
    rng, rows = np.random.default_rng(0), []
    for entry in truth["annotations"]:
        for reach in (1, 4, 15):
            x, y, w, h = (float(v) for v in np.array(entry["bbox"]) + rng.normal(0, reach, 4))
            box = [x, y, max(w, 1), max(h, 1)]
            rows.append({"image_id": entry["image_id"], "category_id": entry["category_id"]})
            rows[-1] |= {"bbox": box, "score": 0.5 + step * int(rng.integers(40))}
    return rows


def test_scores_that_single_precision_cannot_tell_apart_rank_as_written(
    coco_root: Path, tmp_path: Path
) -> None:
    rows = found_rows(coco_root, 1e-10)
    expected = plain_coco(coco_root, rows, "bbox")
    assert numbers(coco_root, "detection", rows, tmp_path)["ap"] == pytest.approx(
        expected, abs=1e-12
    )
    ranks = {row["score"]: rank for rank, row in enumerate(sorted(rows, key=lambda r: r["score"]))}
    flat = [{**row, "score": 0.5} for row in rows]
    assert len(ranks) > 20
    assert plain_coco(coco_root, flat, "bbox") != pytest.approx(expected, abs=1e-3)


def test_boxes_of_rows_with_masks_are_those_written(coco_root: Path, tmp_path: Path) -> None:
    sizes = {s.id: s.image().shape[:2] for s in datasets.coco.open_coco(coco_root, None).samples}
    rows = found_rows(coco_root)
    for number, row in enumerate(rows):
        box = np.array(row["bbox"])
        box[2:] += box[:2]
        [mask] = rle.encoded(filled(box[None].clip(0), sizes[str(row["image_id"])]))
        counts = {"size": list(sizes[str(row["image_id"])]), "counts": mask.counts.decode()}
        row["segmentation"] = counts
        if number % 3 == 0:  # a box unlike its mask
            row["bbox"] = [row["bbox"][0], row["bbox"][1], *(0.6 * v for v in row["bbox"][2:])]
    masks = [{k: v for k, v in row.items() if k != "bbox"} for row in rows]
    scored = numbers(coco_root, "instance", rows, tmp_path)
    boxes = plain_coco(coco_root, rows, "bbox")
    assert scored["box_ap"] == pytest.approx(boxes, abs=1e-12)
    assert scored["mask_ap"] == pytest.approx(plain_coco(coco_root, masks, "segm"), abs=1e-12)
    alone = numbers(coco_root, "instance", masks, tmp_path)
    assert alone["mask_ap"] == scored["mask_ap"]
    assert alone["box_ap"] != pytest.approx(boxes, abs=1e-2)
    empty = [row | {"bbox": []} for row in rows]
    assert numbers(coco_root, "instance", empty, tmp_path) == alone


def test_masks_may_be_polygons_as_in_labels(coco_root: Path, tmp_path: Path) -> None:
    """As SAHI and many a script write them."""
    file = coco_root / "annotations" / "instances_val2017.json"
    labels = [e for e in json.loads(file.read_text())["annotations"] if not e["iscrowd"]]
    keys = ("image_id", "category_id", "segmentation")
    rows = [{key: entry[key] for key in keys} | {"score": 0.5} for entry in labels]
    assert all(isinstance(row["segmentation"], list) for row in rows)
    assert numbers(coco_root, "instance", rows, tmp_path)["mask_ap"] == 1


FORMS: dict[str, Callable[[int], Any]] = {
    "text": str,
    "float": float,
    "file name": lambda i: f"{i:012d}.jpg",
    "path": lambda i: f"images/val2017/{i:012d}.jpg",
    "path of Windows": lambda i: f"C:\\data\\{i:012d}.jpg",
    "stem": lambda i: f"{i:012d}",
}


@pytest.mark.parametrize("form", FORMS)
def test_images_go_by_id_stem_or_file_name(form: str, coco_root: Path, tmp_path: Path) -> None:
    rows = found_rows(coco_root)
    expected = numbers(coco_root, "detection", rows, tmp_path)
    named = [{**row, "image_id": FORMS[form](row["image_id"])} for row in rows]
    assert numbers(coco_root, "detection", named, tmp_path) == expected
    named[3]["image_id"] = "absent.jpg"
    with pytest.raises(TaskError, match="is not in the data set"):
        numbers(coco_root, "detection", named, tmp_path)


def test_results_are_read_with_a_mark_of_their_bytes_and_in_an_object(
    coco_root: Path, tmp_path: Path
) -> None:
    rows = found_rows(coco_root)
    expected = numbers(coco_root, "detection", rows, tmp_path)
    for text in (
        "\ufeff" + json.dumps(rows),
        json.dumps({"info": {}, "annotations": rows}),
        "\ufeff " + json.dumps({"annotations": rows}) + " \n",
        json.dumps([{**row, "category_id": float(row["category_id"])} for row in rows]),
    ):
        assert numbers(coco_root, "detection", text, tmp_path) == expected
    names = {1: "person", 3: "car", 18: "dog"}
    frames = [
        {
            "name": f"{row['image_id']:012d}.jpg",
            "labels": [
                {
                    "category": names[row["category_id"]],
                    "score": row["score"],
                    "box2d": dict(zip(("x1", "y1"), row["bbox"], strict=False))
                    | {"x2": row["bbox"][0] + row["bbox"][2] - 1}
                    | {"y2": row["bbox"][1] + row["bbox"][3] - 1},
                }
            ],
        }
        for row in rows
    ]
    listed = numbers(coco_root, "detection", frames, tmp_path)
    assert numbers(coco_root, "detection", {"frames": frames}, tmp_path) == listed
    assert listed["ap"] == pytest.approx(expected["ap"], abs=1e-9)


@pytest.mark.parametrize("form", [str, float])
def test_classes_go_by_ids_as_text_or_floats(
    form: Callable[[int], Any], coco_root: Path, tmp_path: Path
) -> None:
    rows = found_rows(coco_root)
    expected = numbers(coco_root, "detection", rows, tmp_path)
    written = [{**row, "category_id": form(row["category_id"])} for row in rows]
    assert numbers(coco_root, "detection", written, tmp_path) == expected


def test_numbers_of_files_name_images_where_they_are_no_ids(
    coco_root: Path, tmp_path: Path
) -> None:
    """As ultralytics writes ``predictions.json``: the stem as a number."""
    root = tmp_path / "coco"
    shutil.copytree(coco_root, root)
    file = root / "annotations" / "instances_val2017.json"
    content = json.loads(file.read_text())
    for entry in content["images"]:
        entry["id"] += 100
    for entry in content["annotations"]:
        entry["image_id"] += 100
    file.write_text(json.dumps(content))
    rows = found_rows(coco_root)
    expected = numbers(root, "detection", found_rows(root), tmp_path)
    assert numbers(root, "detection", rows, tmp_path) == expected
    # An id that is another image's stem may mean either.
    for entry in content["images"]:
        entry |= {"id": 101 + entry["id"] % 8, "width": 160, "height": 120}
        entry["file_name"] = f"{entry['id'] - 1 if entry['id'] > 101 else 108}.jpg"
        (root / "images" / "val2017" / entry["file_name"]).write_bytes(
            next(coco_root.glob("images/*/*1.jpg")).read_bytes()
        )
    for entry in content["annotations"]:
        entry["image_id"] = 101 + entry["image_id"] % 8
    file.write_text(json.dumps(content))
    unsure = [{**row, "image_id": "102"} for row in rows[:1]]
    with pytest.raises(
        TaskError, match="'102' is the id of one image and the file name of another"
    ):
        numbers(root, "detection", unsure, tmp_path)
    box = {"x1": 1, "y1": 1, "x2": 9, "y2": 9}
    frame = {"labels": [{"category": "car", "score": 0.5, "box2d": box}]}
    assert numbers(root, "detection", [{"name": "101.jpg", **frame}], tmp_path)  # names are names


def test_save_needs_a_folder(coco_root: Path, detector_file: Path) -> None:
    with pytest.raises(UsageError, match="--save predictions needs --out"):
        run(
            RunSpec(
                dataset="coco",
                data_root=str(coco_root),
                model={"detection": (str(detector_file),)},
                save=("predictions",),
            )
        )


def test_every_name_has_a_folder_of_its_own() -> None:
    names = (
        "lab/net",
        "lab_net",
        "LAB_NET",
        "granet",
        "..",
        "",
        "雨",
        "physical:rate_mm_h=1",
        "n" * 256,
    )
    folders = folder_names(names)
    assert len({folder.casefold() for folder in folders.values()}) == len(names)
    assert folders["granet"] == "granet"
    assert folders["雨"] == "雨"
    assert folders["physical:rate_mm_h=1"] == "physical_rate_mm_h=1"
    assert not {".", "..", ""} & set(folders.values())
    assert all("/" not in f and len(f.encode()) <= 255 for f in folders.values())
