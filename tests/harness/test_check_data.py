"""The verb check-data: lines, exit status and the sheet."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from command import finish, start

from datasets.image import decode
from harness.cli.main import run_command_line

FILE = "annotations/instances_val2017.json"


def words(root: Path, *more: str) -> list[str]:
    return ["check-data", "--dataset", "coco", "--data-root", str(root), *more]


def test_a_good_set_exits_0_with_a_sheet(
    coco_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sheet = tmp_path / "sheet.png"
    assert run_command_line(words(coco_root, "--sheet", str(sheet))) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith("8 images looked at: ")
    assert "1 orientation warning" in last
    height, width = decode(sheet.read_bytes(), "sheet").shape[:2]
    assert width > 3 * 160
    assert height > 3 * 131


def test_errors_are_lines_and_exit_1(
    coco_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "coco"
    shutil.copytree(coco_root, root)
    content = json.loads((root / FILE).read_text())
    objects = content["annotations"]
    for entry in objects:
        entry["category_id"] = 99
    content["categories"][0]["name"] = "per\x1bson"
    (root / FILE).write_text(json.dumps(content))
    assert run_command_line(words(root)) == 1
    out = capsys.readouterr().out
    lines = out.splitlines()
    assert "\x1b" not in out
    assert sum("error: label: instances_val2017.json: annotations[" in line for line in lines) == 3
    assert f"error: label: and {len(objects) - 3} more" in lines
    assert f"{len(objects)} label errors" in lines[-1]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--against", "absent"], "--against absent: no such folder"),
        (["--sheet", "absent/sheet.png"], "absent is no folder"),
        (["--pair", "absent"], "--pair absent: no folder"),
        (["--split", "train2017"], "instances_train2017.json not found"),
    ],
)
def test_wrong_words_exit_2(
    more: list[str], said: str, coco_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command_line(words(coco_root, *more)) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_hostile_labels_end_no_process(coco_root: Path, tmp_path: Path) -> None:
    root = tmp_path / "coco"
    (root / "annotations").mkdir(parents=True)
    (root / "images").symlink_to(coco_root / "images")
    content = json.loads((coco_root / FILE).read_text())
    objects = content["annotations"]
    objects[0]["segmentation"] = [[float("nan")] * 6]
    objects[1]["segmentation"] = [[0, 0, 480, 360] * 40_000]
    objects[2]["segmentation"] = {"size": [120, 160], "counts": [0, 10**11]}
    objects[3]["segmentation"] = {"size": [131, 97], "counts": "o" * 100}
    objects[4]["bbox"] = [float("inf")] * 4
    (root / FILE).write_text(json.dumps(content))
    status, out, err = finish(start(*words(root)))
    assert status == 1, err  # a signal would be negative
    assert [f"annotations[{i}]" in out for i in range(6)] == [True] * 3 + [False, True, False]
    assert "error: outline: and 1 more" in out
    assert "8 images looked at: 1 label error, 4 outline errors" in out
    (root / FILE).write_text("[" * 100_000)
    status, _, err = finish(start(*words(root)))
    assert status == 2
    assert "nested too deep" in err
    assert err.count("\n") == 1


def test_labels_that_lie_elsewhere_are_looked_at(
    coco_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    labels = tmp_path / "result.json"
    labels.write_text((coco_root / FILE).read_text().replace('"area": ', '"size": ', 1))
    words = ["check-data", "--dataset", "coco", "--annotations", str(labels)]
    run_command_line([*words, "--data-root", str(coco_root / "images" / "val2017")])
    assert "8 images looked at" in capsys.readouterr().out
    assert (
        run_command_line(["check-data", "--dataset", "camvid", *words[3:], "--data-root", "."]) == 2
    )
    assert "only coco and yolo take a label file" in capsys.readouterr().err
