"""Predictions as files that are damaged, hostile, or of another data set: one line each."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command import finish, start
from labelled import filled

import datasets
from datasets.label_png import encode_labels
from datasets.masks import encode
from harness import RunSpec
from harness.cli.main import run_command_line
from harness.scores.predictions import score_predictions
from harness.spec import UsageError
from tasks.task import TaskError

GOOD = {"image_id": 1, "category_id": 3, "bbox": [10, 10, 20, 20], "score": 0.5}
RUNS = {"size": [120, 160], "counts": [19200]}
DEEP = "[" * 10**5 + "]" * 10**5
BAD: dict[str, tuple[str, str]] = {
    "no JSON": ("{", "not a JSON file"),
    "no list": ('{"images": []}', "an object without frames or annotations"),
    "ends early": (json.dumps([GOOD])[:-1], "it ends early"),
    "more": (json.dumps([GOOD]) + "[]", "more follows"),
    "deep": (DEEP, "nested too deep"),
    "deep image": (json.dumps([GOOD]).replace("1,", f"{'[' * 400}{']' * 400},", 1), "image_id []"),
    "no object": ("[3]", "result 0: expected an object, got int"),
    "missing": (json.dumps([GOOD, {"image_id": 1}]), "result 1: 'category_id' is missing"),
    "image": (json.dumps([GOOD | {"image_id": 99}]), "result 0: image_id 99 is not in the data"),
    "image's kind": (json.dumps([GOOD | {"image_id": {}}]), "image_id dict is not in the data"),
    "category": (json.dumps([GOOD | {"category_id": 2}]), "category_id 2 is not in the data set"),
    "category's text": (json.dumps([GOOD | {"category_id": "2"}]), "category_id 2 is not in the"),
    "category's kind": (json.dumps([GOOD | {"category_id": [3]}]), "category_id [3] is not"),
    "NaN score": (json.dumps([GOOD | {"score": math.nan}]), "score must be a finite number"),
    "infinite score": (json.dumps([GOOD | {"score": math.inf}]), "score must be a finite number"),
    "words": (json.dumps([GOOD | {"score": "much"}]), "finite number, got 'much'"),
    "percent": (json.dumps([GOOD | {"score": 87.5}]), "score 87.5 lies outside [0, 1]"),
    "logit": (json.dumps([GOOD | {"score": -2}]), "score -2 lies outside [0, 1]"),
    "huge": ("[1" + "0" * 5000 + "]", "not a JSON file"),
    "NaN box": (json.dumps([GOOD | {"bbox": [math.nan] * 4}]), "bbox must be four finite numbers"),
    "three": (json.dumps([GOOD | {"bbox": [1, 2, 3]}]), "bbox must be four finite numbers"),
    "beyond": (json.dumps([GOOD | {"bbox": [0, 0, 1e6, 1]}]), "lies far outside the image"),
    "negative": (json.dumps([GOOD | {"bbox": [9, 9, -1, 1]}]), "has a negative size"),
}
SHARES = [GOOD | {"bbox": [0.1 * i, 0.25, 0.1, 0.5]} for i in range(9)]
CORNERS = [GOOD | {"bbox": [60 + i, 70, 90 + i, 110]} for i in range(12)]
BAD |= {
    "shares": (json.dumps(SHARES), "no number in 9 boxes is above 0.8, so they are shares of"),
    "corners": (json.dumps(CORNERS), "12 of 12 boxes reach beyond their picture, and none"),
}
BAD_MASKS: dict[str, tuple[Any, str]] = {
    "size": ({"size": [1, 2], "counts": "0"}, "run lengths of size [120, 160], got [1, 2]"),
    "polygon": ([[1, 2, 3]], "polygon 0 must be [x, y, x, y, …] with at least 3 points"),
    "no polygon": ([], "must be polygons or run lengths"),
    "text": ("a", "must be polygons or run lengths of size [120, 160], got 'a'"),
    "none": ({"size": [120, 160]}, "segmentation has no run lengths"),
    "not ASCII": ({"size": [120, 160], "counts": "é"}, "segmentation has no run lengths"),
    "listed": (RUNS | {"counts": [1, 2]}, "the run lengths do not fill the image"),
    "negative": (RUNS | {"counts": [-1, 19201]}, "the run lengths do not fill the image"),
    "overlong": (RUNS | {"counts": "o" * 10**5 + "0"}, "run lengths of mask 0 are damaged"),
    "too short": (RUNS | {"counts": "5"}, "run lengths of mask 0 are damaged"),
}


BDD_GOOD: dict[str, Any] = {"name": "000000000001.jpg", "labels": []}
BDD_BAD: dict[str, tuple[dict[str, Any], str]] = {
    "image": ({"name": "a.jpg"}, "frame 0: name 'a.jpg' is no image of the data set"),
    "no name": ({"name": 3}, "frame 0: name '3' is no image of the data set"),
    "labels": ({"labels": 3}, "frame 0: 'labels' must be a list, got int"),
    "label": ({"labels": [3]}, "frame 0: labels[0]: expected an object, got int"),
    "category": ({"labels": [{"category": "ox"}]}, "labels[0]: category 'ox' is not in the"),
    "score": ({"labels": [{"category": "car"}]}, "labels[0]: 'score' is missing"),
    "box": (
        {"labels": [{"category": "car", "score": 1, "box2d": {"x1": None}}]},
        "labels[0]: box2d must have the numbers x1, y1, x2, y2",
    ),
}
BAD |= {f"BDD100K: {k}": (json.dumps([BDD_GOOD | v]), says) for k, (v, says) in BDD_BAD.items()}


def scoring(coco_root: Path, task: str, file: Path) -> list[str]:
    where = ("--dataset", "coco", "--data-root", str(coco_root))
    return ["score", "--task", task, "--predictions", str(file), *where]


@pytest.mark.parametrize("case", BAD)
def test_bad_results_are_one_line(
    case: str, coco_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content, says = BAD[case]
    (tmp_path / "a.json").write_text(content)
    assert run_command_line(scoring(coco_root, "detection", tmp_path / "a.json")) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: a.json")
    assert err.count("\n") == 1
    assert len(err) < 300
    assert says in err


@pytest.mark.parametrize("case", BAD_MASKS)
def test_bad_masks_are_one_line(case: str, labelled: str, coco_root: Path, tmp_path: Path) -> None:
    shape, says = BAD_MASKS[case]
    (tmp_path / "a.json").write_text(json.dumps([GOOD | {"segmentation": shape}]))
    spec = RunSpec(dataset=labelled, data_root=str(coco_root), task=("instance",))
    with pytest.raises(TaskError) as caught:
        score_predictions(tmp_path / "a.json", spec)
    assert str(caught.value).startswith("a.json: result 0")
    assert says in str(caught.value)


def test_boxes_that_may_be_centres_are_told(coco_root: Path, tmp_path: Path) -> None:
    spec = RunSpec(dataset="coco", data_root=str(coco_root), task=("detection",))
    truth = json.loads((coco_root / "annotations/instances_val2017.json").read_text())
    boxes = [(entry, *entry["bbox"]) for entry in truth["annotations"]]

    def notes(rows: list[list[float]]) -> list[str]:
        found = [
            {**GOOD, "image_id": b[0]["image_id"], "bbox": row}
            for b, row in zip(boxes, rows, strict=True)
        ]
        (tmp_path / "a.json").write_text(json.dumps(found))
        told = score_predictions(tmp_path / "a.json", spec).provenance.data_notes
        return [note for note in told if note.startswith("a.json") and "boxes reach" in note]

    assert notes([[x, y, w, h] for _, x, y, w, h in boxes]) == []
    [said] = notes([[x + w / 2, y + h / 2, w, h] for _, x, y, w, h in boxes])
    assert "if they are centres and sizes: are they left, top, width and height?" in said


@pytest.mark.parametrize("form", ["rows", "folder"])
def test_masks_elsewhere_than_their_boxes_are_told(
    form: str, coco_root: Path, tmp_path: Path
) -> None:
    spec = RunSpec(dataset="coco", data_root=str(coco_root), task=("instance",))
    shape = encode(filled(np.array([[10, 10, 30, 30]]), (120, 160))[0])
    mask = {"segmentation": {"size": [120, 160], "counts": shape.counts.decode()}}

    def told(box: list[int]) -> list[str]:
        row = {**GOOD, "bbox": box}
        if form == "rows":
            (tmp_path / "a").write_text(json.dumps([row | mask]))
        else:
            (tmp_path / "a").mkdir(exist_ok=True)
            (tmp_path / "a" / "boxes.json").write_text(json.dumps([row]))
            (tmp_path / "a" / "masks.json").write_text(json.dumps([GOOD | mask]))
        notes = score_predictions(tmp_path / "a", spec).provenance.data_notes
        return [note for note in notes if "than their boxes" in note]

    assert told([11, 9, 22, 20]) == []
    [said] = told([20, 20, 40, 40])
    assert said.startswith("a: the masks of 1 of 1 objects lie elsewhere than their boxes")


def test_hostile_files_do_not_end_a_process_by_a_signal(coco_root: Path, tmp_path: Path) -> None:
    for name, content in {"deep": DEEP, "nan": BAD["NaN box"][0], "huge": BAD["huge"][0]}.items():
        (tmp_path / f"{name}.json").write_text(content)
        command = scoring(coco_root, "detection", tmp_path / f"{name}.json")
        status, out, err = finish(start(*command))
        assert (status, out) == (2, ""), err
        assert err.startswith(f"error: {name}.json")


def test_masks_alone_and_listed_run_lengths_score(
    labelled: str, coco_root: Path, tmp_path: Path
) -> None:
    spec = RunSpec(dataset=labelled, data_root=str(coco_root), task=("instance",))
    everything = datasets.DATASETS[labelled].open(coco_root, None, masks=True)
    rows = []
    for sample in everything.samples:
        truth = sample.annotations
        assert truth is not None
        drawn = filled(truth.boxes_xyxy_px, sample.image().shape[:2])
        for k in np.flatnonzero(~truth.is_crowd):
            column = drawn[k].ravel(order="F")
            edges = [0, *(np.flatnonzero(np.diff(column)) + 1).tolist(), column.size]
            counts = ([0] if column[0] else []) + np.diff(edges).tolist()
            size = list(drawn[k].shape)
            rows.append(
                {
                    "image_id": sample.id,
                    "category_id": int(truth.categories[k]),
                    "score": 0.9,
                    "segmentation": {"size": size, "counts": counts},
                }
            )
    (tmp_path / "masks.json").write_text(json.dumps(rows))
    results = score_predictions(tmp_path / "masks.json", spec)
    record = results.value("given", "dir:masks.json", "instance", "mask_ap")
    assert record is not None
    assert record.value == 1


def remove(folder: Path) -> None:
    next(folder.glob("*.png")).unlink()


def rename(folder: Path) -> None:
    next(folder.glob("*.png")).rename(folder / "other.png")


def damage(folder: Path) -> None:
    next(folder.glob("*.png")).write_bytes(b"no PNG")


def enlarge(folder: Path) -> None:
    next(folder.glob("*.png")).write_bytes(encode_labels(np.zeros((7, 9), np.uint8)))


def number_otherwise(folder: Path) -> None:
    labels = np.full((120, 160), 26, np.uint8)
    labels[:30] = 7
    (folder / "000000000001.png").write_bytes(encode_labels(labels))


def double(folder: Path) -> None:
    file = folder / "000000000001.png"
    (folder / "000000000001.jpg.png").write_bytes(file.read_bytes())


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (
            number_otherwise,
            r"1\.png: 100\.0% of the pixels hold 7, 26, which is no class .*0 to 18",
        ),
        (double, r"1\.jpg\.png and 000000000001\.png are of one image"),
        (remove, r"has no \d+\.png for image"),
        (rename, r"other\.png: .* no image of that stem: call a label map as its image, 0+\d"),
        (damage, r"\d+\.png: not a PNG"),
        (enlarge, r"\d+\.png: 9x7 pixels, the image \d has 1\d+x1\d+"),
    ],
)
def test_bad_label_maps_are_told(
    spoil: Callable[[Path], None], says: str, labelled: str, coco_root: Path, tmp_path: Path
) -> None:
    spec = RunSpec(dataset=labelled, data_root=str(coco_root), task=("semantic",))
    folder = tmp_path / "maps"
    folder.mkdir()
    for sample in datasets.DATASETS[labelled].open(coco_root, None).samples:
        (folder / f"{sample.path.stem}.png").write_bytes(encode_labels(sample.label_map()))
    found = ("given", "dir:maps", "semantic", "miou")
    perfect = score_predictions(folder, spec).value(*found)
    assert perfect is not None
    assert perfect.value == 1
    (folder / "000000000002.png").rename(folder / "000000000002.jpg.png")
    assert score_predictions(folder, spec).value(*found) == perfect
    inner = shutil.copytree(folder, tmp_path / "above" / "maps" / "city").parent
    assert score_predictions(inner, spec).value(*found) == perfect
    spoil(folder)
    with pytest.raises(TaskError, match=says):
        score_predictions(folder, spec)


def test_a_data_set_without_the_labels_is_told(coco_root: Path, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("[]")
    spec = RunSpec(dataset="coco", data_root=str(coco_root), task=("semantic",))
    with pytest.raises(UsageError, match="coco val2017 lacks label maps of 8 of its 8 images"):
        score_predictions(tmp_path / "a.json", spec)
    with pytest.raises(UsageError, match="no such file or folder"):
        score_predictions(tmp_path / "b.json", spec)


@pytest.mark.parametrize("task", ["quality", "detection"])
def test_what_a_task_needs_is_told(task: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line(["score", "--task", task]) == 2
    assert "needs --" in capsys.readouterr().err
