"""Whose predictions are read: which image and which class a row of a file of others is of."""

from __future__ import annotations

import json
import shutil
import unicodedata
from pathlib import Path
from typing import Any

import pytest

from harness.cli.main import run_command_line
from harness.scores.predictions import score_predictions
from harness.spec import RunSpec
from reports.results.results import Results
from tasks.task import TaskError

FILE = "annotations/instances_val2017.json"


@pytest.fixture
def shifted(coco_root: Path, tmp_path: Path) -> Path:
    """A set whose image 1 is 2.jpg, 2 is 3.jpg and so on, the last being 1.jpg."""
    root = Path(shutil.copytree(coco_root, tmp_path / "coco"))
    content = json.loads((root / FILE).read_text())
    images = root / "images" / "val2017"
    numbers = sorted(entry["id"] for entry in content["images"])
    stems = dict(zip(numbers, [*numbers[1:], numbers[0]], strict=True))
    for entry in content["images"]:
        name = f"{stems[entry['id']]}.jpg"
        (images / entry["file_name"]).rename(images / name)
        entry["file_name"] = name
    (root / FILE).write_text(json.dumps(content))
    return root


def labelled(root: Path) -> list[dict[str, Any]]:
    """The labels as predictions."""
    content = json.loads((root / FILE).read_text())
    keys = ("image_id", "category_id", "bbox")
    rows = [entry for entry in content["annotations"] if not entry["iscrowd"]]
    return [{key: entry[key] for key in keys} | {"score": 0.5} for entry in rows]


def scored(root: Path, rows: Any, folder: Path, **more: Any) -> Results:
    file = folder / "found.json"
    file.write_text(json.dumps(rows))
    spec = RunSpec(dataset="coco", data_root=str(root), task=("detection",), **more)
    return score_predictions(file, spec)


def ap(results: Results) -> float | None:
    [found] = [r.value for r in results.records if r.metric == "ap"]
    return found


def test_the_file_name_of_a_row_says_which_image_it_is_of(shifted: Path, tmp_path: Path) -> None:
    """ultralytics takes the number in a file's name for the id."""
    content = json.loads((shifted / FILE).read_text())
    names = {entry["id"]: entry["file_name"] for entry in content["images"]}
    rows = labelled(shifted)
    plain = scored(shifted, rows, tmp_path)
    assert ap(plain) == 1
    by_stem = [
        row | {"image_id": int(Path(name).stem), "file_name": name}
        for row, name in ((row, names[row["image_id"]]) for row in rows)
    ]
    assert ap(scored(shifted, by_stem, tmp_path)) == 1
    bare = [{k: v for k, v in row.items() if k != "file_name"} for row in by_stem]
    said = "found.json: image_id 2 is taken for an id, that of 3.jpg, not for the number in a file"
    assert any(said in note for note in scored(shifted, bare, tmp_path).provenance.data_notes)
    elsewhere = [row | {"file_name": "elsewhere.jpg"} for row in rows]
    assert ap(scored(shifted, elsewhere, tmp_path)) == 1


def test_rows_of_images_that_are_not_chosen_are_passed_over(
    coco_root: Path, tmp_path: Path
) -> None:
    numbers = [entry["id"] for entry in json.loads((coco_root / FILE).read_text())["images"]]
    lines = [f"{number},{'rainy' if number % 2 else 'clear'}" for number in numbers]
    (tmp_path / "weather.csv").write_text("\n".join(["image,weather", *lines]))
    more = {"attributes": (str(tmp_path / "weather.csv"),)}
    for where in ((), ("weather=clear",), ("weather=rainy",)):
        found = scored(coco_root, labelled(coco_root), tmp_path, where=where, **more)
        assert ap(found) == 1
        assert 0 < len(found.by_image.samples) < len(numbers)


def test_classes_of_frames_are_matched_as_a_networks_are(coco_root: Path, tmp_path: Path) -> None:
    content = json.loads((coco_root / FILE).read_text())
    own = {entry["id"]: entry["name"] for entry in content["categories"]}
    called = {"person": "pedestrian", "car": "Car", "dog": "dog"}
    frames = [
        {
            "name": f"{row['image_id']:012d}.jpg",
            "labels": [
                {
                    "category": called[own[row["category_id"]]],
                    "score": 0.5,
                    "box2d": {
                        **{"x1": x, "y1": y},
                        **{"x2": x + w - 1, "y2": y + h - 1},
                    },
                }
            ],
        }
        for row in labelled(coco_root)
        for x, y, w, h in [row["bbox"]]
    ]
    found = scored(coco_root, frames, tmp_path)
    assert ap(found) == pytest.approx(1)
    said = "found.json: classes of other names are matched: person as pedestrian; car as Car"
    assert said in found.provenance.data_notes


def test_a_folder_of_predictions_is_told_which_file_to_give(
    coco_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "labels"
    folder.mkdir()
    words = ["score", "--task", "detection", "--predictions", str(folder)]
    words += ["--dataset", "coco", "--data-root", str(coco_root)]
    (folder / "000000000001.txt").write_text("0 .5 .5 .2 .2 .9\n")
    assert run_command_line(words) == 2
    assert "is a folder: give a file of COCO results or" in capsys.readouterr().err
    (folder / "detection.json").write_text("[]")
    assert run_command_line(words) == 2
    assert f"is a folder: give {folder / 'detection.json'}" in capsys.readouterr().err


def test_a_confidence_of_1_that_was_rounded_is_1(coco_root: Path, tmp_path: Path) -> None:
    rows = [row | {"score": 1.0000001192092896} for row in labelled(coco_root)]
    assert ap(scored(coco_root, rows, tmp_path)) == 1


def test_a_folder_of_score_is_told_how_it_is_checked(
    coco_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "found.json").write_text(json.dumps(labelled(coco_root)))
    words = ["--task", "detection", "--predictions", str(tmp_path / "found.json")]
    words += ["--dataset", "coco", "--data-root", str(coco_root), "--out", str(tmp_path / "out")]
    assert run_command_line(["score", *words]) == 0
    capsys.readouterr()
    assert run_command_line(["verify", str(tmp_path / "out")]) == 2
    assert "is of score, of what was made elsewhere: score the same" in capsys.readouterr().err


def test_predictions_without_a_task_are_told_to_name_one(
    coco_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["score", "--predictions", str(tmp_path), "--dataset", "coco"]
    assert run_command_line([*words, "--data-root", str(coco_root)]) == 2
    assert "--predictions belongs to the other tasks: give --task" in capsys.readouterr().err


@pytest.mark.parametrize("form", ["rows", "stems", "frames"])
def test_images_are_found_however_accents_are_coded(
    form: str, coco_root: Path, tmp_path: Path
) -> None:
    """An archive of macOS has them as characters of their own."""
    root = Path(shutil.copytree(coco_root, tmp_path / "coco"))
    content = json.loads((root / FILE).read_text())
    names = {}
    for entry in content["images"]:
        names[entry["id"]] = f"café-{entry['id']}.jpg"
        images = root / "images" / "val2017"
        (images / entry["file_name"]).rename(
            images / unicodedata.normalize("NFD", names[entry["id"]])
        )
        entry["file_name"] = names[entry["id"]]
    (root / FILE).write_text(json.dumps(content))
    rows: list[dict[str, Any]] = []
    for row in labelled(root):
        name, (x, y, w, h) = names[row["image_id"]], row["bbox"]
        if form == "frames":
            box = {"x1": x, "y1": y, "x2": x + w - 1, "y2": y + h - 1}
            classes = {entry["id"]: entry["name"] for entry in content["categories"]}
            label = {"category": classes[row["category_id"]], "score": 0.5, "box2d": box}
            rows.append({"name": name, "labels": [label]})
        elif form == "stems":
            rows.append(row | {"image_id": name.removesuffix(".jpg")})
        else:
            rows.append(row | {"image_id": -1, "file_name": name})
    assert ap(scored(root, rows, tmp_path)) == 1


def test_frames_without_labels_are_frames_in_which_nothing_was_found(
    coco_root: Path, tmp_path: Path
) -> None:
    """Scalabel leaves out what is empty."""
    names = [e["file_name"] for e in json.loads((coco_root / FILE).read_text())["images"]]
    frames: list[dict[str, Any]] = [{"name": name} for name in names]
    frames[-1]["labels"] = [{"category": "car", "score": 1, "box2d": dict.fromkeys(BOX, 5)}]
    found = scored(coco_root, frames, tmp_path)
    assert ap(found) == ap(scored(coco_root, [{"labels": []} | f for f in frames], tmp_path)) == 0


BOX = ("x1", "y1", "x2", "y2")


@pytest.fixture
def shared(coco_root: Path, tmp_path: Path) -> Path:
    """A set whose images are a/1.jpg, b/1.jpg, a/2.jpg, b/2.jpg and so on."""
    root = Path(shutil.copytree(coco_root, tmp_path / "coco"))
    content = json.loads((root / FILE).read_text())
    images = root / "images" / "val2017"
    for number, entry in enumerate(content["images"]):
        name = f"{'ab'[number % 2]}/{number // 2 + 1}.jpg"
        (images / name).parent.mkdir(exist_ok=True)
        (images / entry["file_name"]).rename(images / name)
        entry["file_name"] = name
    (root / FILE).write_text(json.dumps(content))
    return root


@pytest.mark.parametrize("place", ["{}", "/data/{}", "C:\\data\\{}"])
def test_images_of_one_name_are_told_apart_by_their_folders(
    place: str, shared: Path, tmp_path: Path
) -> None:
    content = json.loads((shared / FILE).read_text())
    names = {entry["id"]: place.format(entry["file_name"]) for entry in content["images"]}
    rows = labelled(shared)
    paths = [row | {"image_id": names[row["image_id"]]} for row in rows]
    assert ap(scored(shared, paths, tmp_path)) == 1
    beside = [row | {"image_id": 99, "file_name": names[row["image_id"]]} for row in rows]
    assert ap(scored(shared, beside, tmp_path)) == 1
    ids = [row | {"file_name": Path(names[row["image_id"]]).name} for row in rows]
    assert ap(scored(shared, ids, tmp_path)) == 1


def test_the_number_in_a_name_of_several_images_is_no_id(shared: Path, tmp_path: Path) -> None:
    """Rows of ultralytics went to the image that had the number as its id."""
    content = json.loads((shared / FILE).read_text())
    names = {entry["id"]: Path(entry["file_name"]).name for entry in content["images"]}
    rows = [
        row | {"image_id": int(Path(name).stem), "file_name": name}
        for row, name in ((row, names[row["image_id"]]) for row in labelled(shared))
    ]
    says = r"found.json: \d.jpg may be a/\d.jpg or b/\d.jpg: write paths, or the data set's ids"
    with pytest.raises(TaskError, match=says):
        scored(shared, rows, tmp_path)
    frames = [{"name": "1.jpg", "labels": []}]
    with pytest.raises(TaskError, match=r"frame 0: name '1.jpg' may be a/1.jpg or b/1.jpg"):
        scored(shared, frames, tmp_path)
    unknown = [row | {"image_id": 0} for row in rows]
    with pytest.raises(TaskError, match=r"result 0: '\d.jpg' may be a/\d.jpg or b/\d.jpg"):
        scored(shared, unknown, tmp_path)
