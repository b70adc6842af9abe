"""Labels that gave a wrong number: refused before a run, or told wherever its numbers stand."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from harness import run
from harness.cli.main import run_command_line
from harness.scores.predictions import score_predictions
from harness.spec import RunSpec, UsageError

FILE = "annotations/instances_val2017.json"
Edit = Callable[[dict[str, Any]], object]


@pytest.fixture
def coco(coco_root: Path, tmp_path: Path) -> Path:
    """A copy to spoil."""
    return Path(shutil.copytree(coco_root, tmp_path / "coco"))


@pytest.fixture
def detect(
    detector_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Runs detection on clean images; gives status, standard output and error."""

    def done(root: Path, *more: str) -> tuple[int, str, str]:
        status = run_command_line(
            [
                *("run", "--dataset", "coco", "--data-root", str(root), "--rain", "none"),
                *("--derainer", "identity", "--task", "detection", "--quality", "none"),
                *("--model", f"detection={detector_file}", "--no-images"),
                *("--workspace", str(tmp_path / "runs"), "--out", str(tmp_path / "out"), *more),
            ]
        )
        out, err = capsys.readouterr()
        return status, " ".join(out.split()), err

    return done


def edit(root: Path, change: Edit) -> None:
    content = json.loads((root / FILE).read_text())
    change(content)
    (root / FILE).write_text(json.dumps(content))


def value(folder: Path, metric: str) -> float | None:
    records = json.loads((folder / "results.json").read_text())["records"]
    [found] = [r["value"] for r in records if r["metric"] == metric]
    return None if found is None else float(found)


def test_a_class_spelt_otherwise_scores_the_same_and_is_told(
    coco: Path, detect: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    _, out, _ = detect(coco)
    assert "Data:" not in out
    plain = value(tmp_path / "out", "ap"), value(tmp_path / "out", "ap/person")
    edit(coco, lambda content: content["categories"][0].update(name="Person"))
    status, out, _ = detect(coco)
    assert status == 0
    said = "detection by tiny: classes of other names are matched: Person as person"
    assert f"Data: {said}" in out
    assert said in (tmp_path / "out" / "results.md").read_text()
    assert said in (tmp_path / "out" / "report.html").read_text()
    assert (value(tmp_path / "out", "ap"), value(tmp_path / "out", "ap/Person")) == plain
    again = detect(coco)[1]
    assert said in again  # also where nothing was left to compute


def test_objects_that_the_network_has_no_class_for_are_told_with_their_share(
    coco: Path, detect: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    edit(coco, lambda content: content["categories"][0].update(name="human"))
    status, out, _ = detect(coco)
    assert status == 0
    said = (
        "detection by tiny: 7 of 21 labelled objects (33%) are of classes that it does not know, "
        "and so count as missed: human (7)"
    )
    assert said in out
    assert said in (tmp_path / "out" / "results.md").read_text()
    assert said in (tmp_path / "out" / "report.html").read_text()
    assert value(tmp_path / "out", "ap/human") == 0


def test_rainy_images_of_another_size_end_a_run_before_it_computes(
    coco: Path, detect: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    (coco / "rainy").mkdir()
    for photo in (coco / "images" / "val2017").iterdir():
        with Image.open(photo) as picture:
            picture.resize((80, 60)).save(coco / "rainy" / photo.name)
    status, _, err = detect(coco, "--pair", "rainy", "--rain", "given")
    assert status == 2
    assert "picture of 160x120 pixels, its rainy image 000000000003.jpg has 80x60" in err
    assert err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_crowds_alone_give_no_number_and_the_reason(
    coco: Path, detect: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    edit(coco, lambda content: [o.update(iscrowd=1) for o in content["annotations"]])
    status, out, _ = detect(coco)
    assert status == 0
    assert value(tmp_path / "out", "ap") is None
    assert "AP: all 21 labelled objects are crowds (iscrowd 1), which COCO does not count" in out
    assert "AP pooled: all 21 labelled objects are crowds" in out


def test_images_without_an_object_give_no_number_and_the_reason(
    coco: Path, detect: Callable[..., tuple[int, str, str]]
) -> None:
    edit(coco, lambda content: content["annotations"].clear())
    assert "AP: no object is labelled in these images" in detect(coco)[1]


def test_pictures_of_another_size_end_a_run_before_it_computes(
    coco: Path, detect: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    for photo in (coco / "images/val2017").iterdir():
        with Image.open(photo) as picture:
            picture.resize((picture.width * 2, picture.height * 2)).save(photo)
    status, out, err = detect(coco)
    assert (status, out) == (2, "")
    assert "8 of 8 images: " in err
    assert "are of a picture of 160x120 pixels, " in err
    assert " has 320x240" in err
    assert err.count("\n") == 1
    assert not (tmp_path / "out").exists()
    spec = RunSpec(dataset="coco", data_root=str(coco), task=("none",), quality=("psnr_y_db",))
    spec = spec.model_copy(update={"limit": 2, "workspace": str(tmp_path / "runs")})
    assert not run(spec).errors  # quality needs no labels


def test_boxes_without_an_area_are_told(coco: Path, tmp_path: Path) -> None:
    (tmp_path / "found.json").write_text("[]")
    spec = RunSpec(dataset="coco", data_root=str(coco), task=("detection",))

    def told() -> list[str]:
        found = score_predictions(tmp_path / "found.json", spec)
        return [note for note in found.provenance.data_notes if "empty box" in note]

    assert told() == []
    edit(coco, lambda content: content["annotations"][0].update(bbox=[10, 10, 0, 20], area=5))
    (note,) = told()
    assert "1 of " in note
    assert " labelled objects have an empty box, which nothing can match: image " in note


def test_an_instance_run_on_turned_pictures_blames_the_labels(coco: Path, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    photo = coco / "images/val2017/000000000001.jpg"
    with Image.open(photo) as picture:
        picture.save(photo, exif=exif)
    row: dict[str, Any] = {"image_id": 1, "category_id": 1, "score": 0.5}
    row["segmentation"] = {"size": [120, 160], "counts": [0, 120 * 160]}
    (tmp_path / "found.json").write_text(json.dumps([row]))
    spec = RunSpec(dataset="coco", data_root=str(coco), task=("instance",))
    with pytest.raises(ValueError, match="image 1: the labels are of a picture of 160x120") as told:
        score_predictions(tmp_path / "found.json", spec)
    assert "has 120x160 once its EXIF orientation turns it" in str(told.value)


def test_a_set_without_labels_is_refused_before_the_run(
    bdd100k_root: Path, detector_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(bdd100k_root / "labels")
    words = [
        *("--dataset", "bdd100k", "--data-root", str(bdd100k_root), "--split", "100k/val"),
        *("--rain", "none", "--derainer", "identity", "--quality", "none"),
        *("--model", f"detection={detector_file}", "--workspace", str(tmp_path / "runs")),
    ]
    assert run_command_line(["run", "--task", "detection", *words]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "lacks boxes of 6 of its 6 images (no labels there: labels/det_20/det_val.json" in err
    assert not (tmp_path / "runs").exists()
    (tmp_path / "found.json").write_text("[]")
    spec = RunSpec(
        dataset="bdd100k", data_root=str(bdd100k_root), split="100k/val", task=("detection",)
    )
    with pytest.raises(UsageError, match="lacks boxes of 6 of its 6"):
        score_predictions(tmp_path / "found.json", spec)


def test_photographs_of_a_folder_are_still_looked_at(
    coco: Path, detector_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [
        *("run", "--dataset", "folder", "--data-root", str(coco / "images/val2017")),
        *("--rain", "none", "--derainer", "identity", "--quality", "none", "--limit", "2"),
        *("--task", "detection", "--model", f"detection={detector_file}"),
        *("--workspace", str(tmp_path / "runs"), "--out", str(tmp_path / "out")),
    ]
    assert run_command_line(words) == 0
    assert "AP: no labels to score against" in capsys.readouterr().out
    names = json.loads(next((tmp_path / "out").glob("results.json")).read_text())["records"]
    assert {r["value"] for r in names if r["task"] == "detection"} == {None}
    assert "person" in (tmp_path / "out" / "report.html").read_text()  # found, in a picture


def test_check_data_asks_a_network_whether_it_knows_the_classes(
    coco: Path, detector_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    edit(coco, lambda content: content["categories"][0].update(name="human"))
    words = ["check-data", "--dataset", "coco", "--data-root", str(coco)]
    assert run_command_line(words) == 0
    assert "class" not in capsys.readouterr().out
    assert run_command_line([*words, "--model", f"detection={detector_file}"]) == 0
    out = capsys.readouterr().out
    assert "warning: class: detection by tiny: 7 of 21 labelled objects (33%) are of classes" in out
    edit(coco, lambda content: [c.update(name=f"x{c['id']}") for c in content["categories"]])
    assert run_command_line([*words, "--model", f"detection={detector_file}"]) == 1
    assert "knows none of the data set's categories" in capsys.readouterr().out


def test_check_data_says_why_a_task_has_no_masks(
    coco: Path, detector_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    edit(coco, lambda content: content["annotations"][0].update(segmentation=[[1, 2, 3, 4]]))
    words = ["check-data", "--dataset", "coco", "--data-root", str(coco)]
    words += ["--model", f"instance={detector_file}"]
    assert run_command_line(words) == 1
    out = capsys.readouterr().out
    assert "error: outline: instances_val2017.json: annotations[0]: 'segmentation' polygon" in out
    assert "lacks masks" not in out
    edit(coco, lambda content: content["annotations"][0].update(segmentation=[]))
    assert run_command_line(words) == 1
    out = capsys.readouterr().out
    assert "note: 1 of 21 objects have no outline: good for detection, not for instances" in out
    assert "error: task: --task instance: coco val2017 lacks masks of 1 of its 8 images" in out


def test_check_data_says_that_a_task_has_no_labels(
    bdd100k_root: Path, detector_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(bdd100k_root / "labels")
    words = ["check-data", "--dataset", "bdd100k", "--data-root", str(bdd100k_root)]
    words += ["--split", "100k/val"]
    assert run_command_line([*words, "--model", f"detection={detector_file}"]) == 1
    assert "error: task: --task detection: bdd100k 100k/val lacks boxes" in capsys.readouterr().out
