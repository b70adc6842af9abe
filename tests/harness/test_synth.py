"""Rainy copies of data sets."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from command import start

from datasets.coco import open_coco
from datasets.rain import RAINS, RainyImage, recompose
from harness import RunSpec, run
from harness.cli.main import run_command_line
from harness.runs.rainy_copy import Recipe, synthesize

RAIN = "real-like"


def words(root: Path, out: Path, *more: str) -> list[str]:
    return ["synth", "--dataset", "coco", "--data-root", str(root), "--out", str(out), *more]


def tree(folder: Path) -> dict[str, bytes]:
    files = (f for f in sorted(folder.rglob("*")) if f.is_file())
    return {f.relative_to(folder).as_posix(): f.read_bytes() for f in files}


def test_a_copy_is_the_rain_that_run_shows(coco_root: Path, tmp_path: Path) -> None:
    assert run_command_line(words(coco_root, tmp_path / "rainy", "--limit", "4")) == 0
    copy = open_coco(tmp_path / "rainy", None)
    assert len(copy.samples) == 4
    spec = {
        "dataset": "coco",
        "task": ("none",),
        "quality": ("psnr_y_db",),
        "workspace": str(tmp_path / "w"),
    }
    results = run(
        RunSpec(
            **spec,  # type: ignore[arg-type]
            data_root=str(coco_root),
            limit=4,
            derainer=("dir:" + str(tmp_path / "rainy"),),
        )
    )
    rainy, restored = (
        results.value(RAIN, name, "quality", "psnr_y_db") for name in ("identity", "dir:rainy")
    )
    assert rainy is not None
    assert restored is not None
    assert rainy.value == restored.value


def test_annotations_are_those_of_the_copied_images(coco_root: Path, tmp_path: Path) -> None:
    run_command_line(words(coco_root, tmp_path / "rainy", "--limit", "3"))
    before = {s.id: s for s in open_coco(coco_root, None).samples}
    for sample in open_coco(tmp_path / "rainy", None).samples:
        assert sample.path.suffix == ".png"
        assert sample.annotations is not None
        original = before[sample.id].annotations
        assert original is not None
        assert sample.annotations.sha256() == original.sha256()


def test_a_second_call_writes_what_is_missing(
    coco_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "rainy"
    run_command_line(words(coco_root, out, "--layers"))
    first = tree(out)
    pictures = sorted(out.rglob("*.png"))
    pictures[0].unlink()
    pictures[1].write_bytes(b"cut")
    lines = (out / "manifest.jsonl").read_text()
    (out / "manifest.jsonl").write_text(lines[:-20])  # killed while it wrote
    capsys.readouterr()
    assert run_command_line(words(coco_root, out, "--layers", "--workers", "1")) == 0
    assert "3 images written, 5 were there already" in capsys.readouterr().out
    assert {k: v for k, v in tree(out).items() if k != "manifest.jsonl"} == {
        k: v for k, v in first.items() if k != "manifest.jsonl"
    }


def test_killed_at_any_moment_it_goes_on(coco_root: Path, tmp_path: Path) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    run_command_line(words(coco_root, whole))
    for _ in range(3):
        process = start(*words(coco_root, broken))
        while not list(broken.rglob("*.png")) and process.poll() is None:
            time.sleep(0.002)
        process.kill()
        process.communicate()
    assert run_command_line(words(coco_root, broken)) == 0
    kept = {k: v for k, v in tree(broken).items() if not k.endswith((".tmp", "manifest.jsonl"))}
    assert kept == {k: v for k, v in tree(whole).items() if k != "manifest.jsonl"}


@pytest.mark.parametrize("rain", [RAIN, "outdoor-rain", "physical:rate_mm_h=100"])
def test_layers_make_the_image_again(coco_root: Path, tmp_path: Path, rain: str) -> None:
    out = tmp_path / "rainy"
    run_command_line(words(coco_root, out, "--limit", "2", "--layers", "--rain", rain))
    for sample in open_coco(coco_root, None).limited(2).samples:
        place = f"images/val2017/{sample.path.stem}"
        with np.load(out / "layers" / f"{place}.npz", allow_pickle=False) as arrays:
            layers: dict[str, Any] = {k: v if v.ndim else v.item() for k, v in arrays.items()}
        layers["blur"] = tuple(layers["blur"])
        clean = sample.image()
        again = recompose(clean, RainyImage(image=clean, **layers)).astype(np.int16)
        rainy = np.asarray(cv2.imread(str(out / f"{place}.png")))[:, :, ::-1]
        assert np.abs(again - rainy).max() <= 1
        assert not np.array_equal(rainy, clean)


def test_pairs_and_folders_keep_their_layout(tmp_path: Path) -> None:
    picture = np.full((20, 30, 3), 90, np.uint8)
    for place in ("pairs/input/a_1.png", "pairs/target/a.png", "photos/sub/b.jpg"):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(tmp_path / place), picture)
    for dataset, root in (("pairs", "pairs"), ("folder", "photos")):
        command = ["synth", "--dataset", dataset, "--data-root", str(tmp_path / root)]
        out = tmp_path / f"{root}-rainy"
        assert run_command_line([*command, "--out", str(out), "--jpeg", "90"]) == 0
    assert set(tree(tmp_path / "pairs-rainy")) == {
        *("input/a_1.jpg", "target/a.png", "manifest.jsonl")
    }
    assert set(tree(tmp_path / "photos-rainy")) == {"sub/b.jpg", "manifest.jsonl"}


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (["--seed", "3"], "was begun with another seed: name a new folder"),
        (["--jpeg", "90"], "was begun with another jpeg_quality"),
        (["--jpeg", "0"], "--jpeg 0: a quality from 1 to 100"),
        (["--rain", "drizzle"], "unknown rain 'drizzle'"),
        (["--rain", "physical:rate_mm_h=1/5"], "a copy is of one rain, name a single one"),
        (["--rain", "none"], "a copy is of one rain, name a single one"),
        (["--out", "{photos}"], "holds files that synth did not write"),
    ],
)
def test_what_it_did_not_write_stays(
    coco_root: Path,
    tmp_path: Path,
    more: list[str],
    says: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out, photos = tmp_path / "rainy", tmp_path / "photos"
    photos.mkdir()
    (photos / "mine.txt").write_text("mine")
    run_command_line(words(coco_root, out, "--limit", "1"))
    before = tree(tmp_path)
    capsys.readouterr()
    changed = [word.format(photos=photos) for word in more]
    assert run_command_line(words(coco_root, out, "--limit", "1", *changed)) == 2
    err = capsys.readouterr().err
    assert says in err
    assert err.count("\n") == 1
    assert tree(tmp_path) == before


def test_restored_images_of_another_rain_are_refused(coco_root: Path, tmp_path: Path) -> None:
    dataset = open_coco(coco_root, None)
    synthesize(dataset, coco_root, Recipe(RAIN, RAINS[RAIN], seed=1), tmp_path / "rainy")
    head = json.loads((tmp_path / "rainy" / "manifest.jsonl").read_text().splitlines()[0])
    assert head["seed"] == 1
    spec = {
        "dataset": "coco",
        "data_root": str(coco_root),
        "task": ("none",),
        "derainer": ("dir:" + str(tmp_path / "rainy"),),
        "workspace": str(tmp_path / "w"),
    }
    with pytest.raises(ValueError, match="made of real-like with seed 1, this run is of"):
        run(RunSpec(**spec))  # type: ignore[arg-type]
    assert run(RunSpec(**spec, seed=1)).records  # type: ignore[arg-type]
