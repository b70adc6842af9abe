"""`regress` of folders that `score` wrote, of images and predictions that were made elsewhere."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from harness.cli.main import run_command_line


def folders(
    root: Path, count: int, size: tuple[int, int], noise: dict[str, tuple[int, int | None]]
) -> dict[str, Path]:
    """Clean images, and folders of them under noise of so many levels but for one that is equal."""
    rng = np.random.default_rng(2)
    found = {name: root / name for name in ("clean", *noise)}
    for folder in found.values():
        folder.mkdir()
    for i in range(count):
        clean = rng.integers(40, 200, (*size, 3), np.uint8)
        for name, (by, equal) in {"clean": (0, i), **noise}.items():
            added = rng.integers(0, by + 1, clean.shape, np.uint8)
            cv2.imwrite(str(found[name] / f"{i}.png"), clean + added * (i != equal))
    return found


@pytest.fixture
def restored(tmp_path: Path) -> dict[str, Path]:
    """Clean images, two folders of restored ones and a broken one."""
    levels = {"first": 8, "second": 8, "broken": 60}
    return folders(tmp_path, 5, (24, 32), {name: (by, None) for name, by in levels.items()})


def test_folders_of_score_compare_as_those_of_run_do(
    restored: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outs = {}
    for name in ("first", "second", "broken"):
        outs[name] = str(tmp_path / f"scored-{name}")
        words = ["--restored", str(restored[name]), "--reference", str(restored["clean"])]
        assert run_command_line(["score", "--task", "quality", *words, "--out", outs[name]]) == 0
    alone = str(tmp_path / "alone")
    words = ["--restored", str(restored["first"]), "--quality", "niqe", "--out", alone]
    assert run_command_line(["score", "--task", "quality", *words]) == 0
    capsys.readouterr()
    assert run_command_line(["regress", outs["first"], outs["first"]]) == 0
    assert "equivalent" in capsys.readouterr().out
    # The folders' names stand for the derainer, and are matched whatever they are.
    assert run_command_line(["regress", outs["first"], outs["second"]]) in (0, 3)
    assert "missing" not in capsys.readouterr().out
    assert run_command_line(["regress", outs["first"], outs["broken"]]) == 1
    assert "worse: given|dir:first|quality|psnr_y_db" in capsys.readouterr().err
    assert run_command_line(["regress", outs["first"], alone]) == 2
    assert "differ in the images" in capsys.readouterr().err


def test_scored_predictions_compare_with_each_other(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "coco"
    (root / "images" / "val").mkdir(parents=True)
    (root / "annotations").mkdir()
    images, labels, found = [], [], []
    for i in range(4):
        cv2.imwrite(str(root / "images" / "val" / f"{i}.png"), np.full((40, 40, 3), 99, np.uint8))
        images.append({"id": i, "file_name": f"{i}.png", "width": 40, "height": 40})
        box = {"image_id": i, "category_id": 1, "bbox": [5, 5, 20, 20]}
        labels.append({**box, "id": i + 1, "area": 400, "iscrowd": 0})
        found.append({**box, "score": 0.9})
    named = {"images": images, "annotations": labels, "categories": [{"id": 1, "name": "cat"}]}
    (root / "annotations" / "instances_val.json").write_text(json.dumps(named))
    outs = {}
    for name, rows in (("all", found), ("few", found[:1])):
        file, outs[name] = tmp_path / f"{name}.json", str(tmp_path / name)
        file.write_text(json.dumps(rows))
        words = ["--dataset", "coco", "--data-root", str(root), "--split", "val"]
        words += ["--predictions", str(file), "--out", outs[name]]
        assert run_command_line(["score", "--task", "detection", *words]) == 0
    capsys.readouterr()
    assert run_command_line(["regress", outs["all"], outs["all"]]) == 0
    assert "equivalent" in capsys.readouterr().out
    assert run_command_line(["regress", outs["all"], outs["few"]]) == 1
    assert "worse: given|dir:all.json|detection|ap_pooled" in capsys.readouterr().err


@pytest.fixture
def half_equal(tmp_path: Path) -> dict[str, Path]:
    """Clean images and restored ones of which one or another equals its clean image."""
    noise: dict[str, tuple[int, int | None]] = {"first": (4, 0), "broken": (50, 0), "other": (4, 1)}
    return folders(tmp_path, 22, (16, 16), noise)


def test_means_over_the_same_images_are_judged_and_those_over_others_are_not(
    half_equal: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clean, outs = str(half_equal["clean"]), {}
    for name in ("first", "broken", "other"):
        outs[name] = str(tmp_path / f"scored-{name}")
        words = ["--restored", str(half_equal[name]), "--reference", clean, "--quality", "psnr"]
        assert run_command_line(["score", *words, "--out", outs[name]]) == 0
    capsys.readouterr()
    assert run_command_line(["regress", outs["first"], outs["first"]]) == 0
    assert "no interval" not in capsys.readouterr().err
    assert run_command_line(["regress", outs["first"], outs["broken"]]) == 1
    assert "worse: given|dir:first|quality|psnr_y_db" in capsys.readouterr().err
    assert run_command_line(["regress", outs["first"], outs["other"]]) == 3
    assert "the two means are of other images" in capsys.readouterr().err
    out = str(tmp_path / "compared")
    assert run_command_line(["report", outs["first"], outs["broken"], "--out", out]) == 0
    assert "| lower |" in (tmp_path / "compared" / "compare.md").read_text()
