"""Predictions as files: written by a run, scored again without a network, hostile ones told."""

from __future__ import annotations

import contextlib
import copy
import io
import json
import math
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command import finish, start
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

import datasets
from datasets.image import decode, encode_indices
from datasets.sample import Annotations, Dataset, Sample
from harness import RunSpec, run
from harness.cli.main import run_command_line
from harness.runs.export import folder_names
from harness.scores.predictions import score_predictions
from harness.spec import UsageError
from reports.results.results import Results
from tasks import rle
from tasks.task import TaskError


def filled(boxes: np.ndarray[Any, Any], size_px: tuple[int, ...]) -> np.ndarray[Any, Any]:
    """A mask per box: its rectangle without the first row."""
    masks = np.zeros((len(boxes), *size_px), np.uint8)
    for mask, (left, top, right, bottom) in zip(masks, boxes.astype(int), strict=True):
        mask[top + 1 : bottom, left:right] = 1
    return masks


@pytest.fixture
def labelled(coco_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The miniature COCO with masks and label maps, as a data set of its own name."""

    def open_miniature(root: Path, split: str | None, masks: bool = False) -> Dataset:
        plain = datasets.coco.open_coco(root, split)
        samples = []
        for sample in plain.samples:
            truth = sample.annotations
            assert truth is not None
            drawn = filled(truth.boxes_xyxy_px, sample.image().shape[:2])
            areas = drawn.sum((1, 2)).astype(float)
            fields = (truth.boxes_xyxy_px, truth.categories, areas, truth.is_crowd)
            with_masks = Annotations(*fields, rle.encoded(drawn) if masks else ())
            labels = (drawn * truth.categories[:, None, None]).max(0, initial=0).astype(np.uint8)
            file = tmp_path / f"{sample.id}.label.png"
            file.write_bytes(encode_indices(labels))
            samples.append(
                Sample(sample.id, sample.path, sample.group, with_masks, label_map_path=file)
            )
        classes = {0: "ground", **plain.categories}
        return Dataset("miniature", "all", samples, plain.categories, classes)

    row = datasets.DatasetRow(open_miniature, has_masks=True)
    for table in ("datasets.DATASETS", "harness.plan.data.DATASETS"):
        monkeypatch.setattr(table, {**datasets.DATASETS, "miniature": row})
    return "miniature"


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
        before = made(results, task)
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
BAD_MASKS: dict[str, tuple[Any, str]] = {
    "size": ({"size": [1, 2], "counts": "0"}, "run lengths of size [120, 160], got [1, 2]"),
    "polygon": ([[1, 2, 3]], "run lengths of size [120, 160], got []"),
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
    next(folder.glob("*.png")).write_bytes(encode_indices(np.zeros((7, 9), np.uint8)))


def number_otherwise(folder: Path) -> None:
    labels = np.full((120, 160), 26, np.uint8)
    labels[:30] = 7
    (folder / "000000000001.png").write_bytes(encode_indices(labels))


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
        (rename, r"other\.png: the data set has no image of that stem"),
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
        (folder / f"{sample.path.stem}.png").write_bytes(encode_indices(sample.label_map()))
    found = ("given", "dir:maps", "semantic", "miou")
    perfect = score_predictions(folder, spec).value(*found)
    assert perfect is not None
    assert perfect.value == 1
    (folder / "000000000002.png").rename(folder / "000000000002.jpg.png")
    assert score_predictions(folder, spec).value(*found) == perfect
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


def test_every_name_has_a_folder_of_its_own() -> None:
    names = ("lab/net", "lab_net", "LAB_NET", "granet", "..", "", "雨", "physical:rate_mm_h=1")
    folders = folder_names(names)
    assert len({folder.casefold() for folder in folders.values()}) == len(names)
    assert folders["granet"] == "granet"
    assert folders["雨"] == "雨"
    assert folders["physical:rate_mm_h=1"] == "physical_rate_mm_h=1"
    assert not {".", "..", ""} & set(folders.values())
    assert all("/" not in folder for folder in folders.values())
