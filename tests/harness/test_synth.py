"""Rainy copies of data sets."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from command import start

from datasets import DATASETS
from datasets.coco import open_coco
from datasets.image import encode_png
from datasets.rain import RAINS, RainyImage, recompose
from harness import RunSpec, run
from harness.cli.main import run_command_line
from harness.runs.rainy_copy import Recipe, synthesize
from reports.results.said import image_count

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
    copied = open_coco(tmp_path / "rainy", None).samples
    assert len(copied) == 3
    for sample in copied:
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
    layers = sorted(out.rglob("*.npz"))
    layers[2].unlink()
    layers[3].write_bytes(b"cut")
    lines = (out / "manifest.jsonl").read_text()
    (out / "manifest.jsonl").write_text(lines[:-20])  # killed while it wrote
    capsys.readouterr()
    assert run_command_line(words(coco_root, out, "--layers", "--workers", "1")) == 0
    assert "5 images written, 3 were there already" in capsys.readouterr().out
    assert {k: v for k, v in tree(out).items() if k != "manifest.jsonl"} == {
        k: v for k, v in first.items() if k != "manifest.jsonl"
    }


def photographs(folder: Path, shade: int, names: str = "abc") -> list[str]:
    """Photographs of one shade; and the words that make a rainy copy of them in ``rainy``."""
    folder.mkdir(exist_ok=True)
    for name in names:
        file = folder / f"{name}.png"
        file.write_bytes(encode_png(np.full((20, 30, 3), shade, np.uint8)))
    out = str(folder.parent / "rainy")
    return ["synth", "--dataset", "folder", "--data-root", str(folder), "--out", out]


def test_other_photographs_are_written_anew(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, other = photographs(tmp_path / "one", 40), photographs(tmp_path / "other", 90)
    run_command_line(one)
    first = tree(tmp_path / "rainy")
    capsys.readouterr()
    assert run_command_line(one) == 0
    assert "0 images written, 3 were there already" in capsys.readouterr().out
    assert run_command_line(other) == 0
    assert "3 images written, 0 were there already" in capsys.readouterr().out
    second = tree(tmp_path / "rainy")
    assert all(second[name] != first[name] for name in ("a.png", "b.png", "c.png"))
    photographs(tmp_path / "other", 40, "b")
    assert run_command_line(other) == 0
    assert "1 image written, 2 were there already" in capsys.readouterr().out
    third = tree(tmp_path / "rainy")
    told = [json.loads(line) for line in third["manifest.jsonl"].splitlines()[1:]]
    assert sorted((e["file"], e["sha256"]) for e in told) == [
        (name, hashlib.sha256(third[name]).hexdigest()) for name in ("a.png", "b.png", "c.png")
    ]
    assert [third[f"{n}.png"] for n in "abc"] == [
        second["a.png"],
        first["b.png"],
        second["c.png"],
    ]


def test_other_distances_are_written_anew(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = [*photographs(tmp_path / "one", 90), "--rain", "outdoor-rain", "--depth"]
    for folder, metres in (("near", 9.0), ("far", 90.0)):
        (tmp_path / folder).mkdir()
        for name in "abc":
            np.save(tmp_path / folder / f"{name}.npy", np.full((20, 30), metres, np.float32))
    for folder, written in (("near", 3), ("far", 3), ("far", 0)):
        assert run_command_line([*command, str(tmp_path / folder)]) == 0
        assert f"{written} images written, {3 - written} were there" in capsys.readouterr().out


def test_what_cannot_be_rained_on_is_named_and_the_others_are_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = [*photographs(tmp_path / "one", 90), "--rain", "physical", "--workers", "1"]
    command += ["--depth", str(tmp_path / "far")]
    (tmp_path / "far").mkdir()
    for name, size in (("a", (20, 30)), ("b", (19, 29)), ("c", (20, 30))):
        np.save(tmp_path / "far" / f"{name}.npy", np.full(size, 9, np.float32))
    (tmp_path / "one" / "a.png").write_bytes(b"cut")
    for written in (1, 0):
        assert run_command_line(command) == 1
        out, err = capsys.readouterr()
        assert f"{image_count(written)} written, {1 - written} were there already" in out
        assert sorted(line for line in err.splitlines() if "failed" in line) == [
            "failed: a.png (decode): a.png: not an image, or damaged; copy or download the file "
            "again",
            "failed: b.png (rain): depth is (19, 29): must be (20, 30) as the image is",
        ]
        assert set(tree(tmp_path / "rainy")) == {"c.png", "manifest.jsonl"}
        _, only = (tmp_path / "rainy" / "manifest.jsonl").read_text().splitlines()
        assert json.loads(only)["file"] == "c.png"
    photographs(tmp_path / "one", 90, "a")
    np.save(tmp_path / "far" / "b.npy", np.full((20, 30), 9, np.float32))
    assert run_command_line(command) == 0
    assert "2 images written, 1 were there already" in capsys.readouterr().out


def test_a_copy_without_a_damaged_image_opens_as_its_set_does(
    coco_root: Path, tmp_path: Path
) -> None:
    root = tmp_path / "coco"
    shutil.copytree(coco_root, root)
    first, *others = open_coco(root, None).samples
    first.path.write_bytes(b"cut")
    assert run_command_line(words(root, tmp_path / "rainy")) == 1
    found = open_coco(tmp_path / "rainy", None).samples
    assert {sample.id for sample in found} == {sample.id for sample in others}


@pytest.mark.parametrize("is_damaged_later", [False, True])
@pytest.mark.parametrize(
    ("name", "split"),
    [("voc", None), ("carla", None), ("yolo", None), ("cityscapes", "val"), ("camvid", "test")],
)
def test_a_copy_of_any_form_opens_without_a_damaged_image(
    name: str,
    split: str | None,
    is_damaged_later: bool,
    tmp_path: Path,
    maker: Callable[[str], Any],
) -> None:
    root = maker(name).make(tmp_path / "set")
    command = ["synth", "--dataset", name, "--data-root", str(root)]
    command += ["--out", str(tmp_path / "rainy"), *(["--split", split] if split else [])]
    first, *others = DATASETS[name].open(root, split).samples
    if is_damaged_later:
        assert run_command_line(command) == 0
    first.path.write_bytes(b"cut")
    if is_damaged_later and name == "carla":  # whose copies hold the clean image too
        assert run_command_line(command) == 2
        return
    assert run_command_line(command) == 1
    found = DATASETS[name].open(tmp_path / "rainy", split).samples
    assert {sample.id for sample in found} == {sample.id for sample in others}
    assert all(sample.annotations or sample.label_map_path for sample in found)


@pytest.mark.parametrize("place", ["d.png", "layers/d.npz"])
def test_what_lies_in_a_copy_is_not_written_over(
    place: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = [*photographs(tmp_path / "one", 40), "--layers"]
    run_command_line(command)
    (tmp_path / "rainy" / place).write_text("mine")
    photographs(tmp_path / "one", 40, "abcd")
    before = tree(tmp_path / "rainy")
    assert run_command_line(command) == 2
    assert f"{place} is there, and synth did not write it: name a new folder" in (
        capsys.readouterr().err
    )
    assert tree(tmp_path / "rainy") == before


def test_rain_does_not_fall_on_a_copy_in_its_own_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = photographs(tmp_path / "one", 40)
    run_command_line(command)
    before = tree(tmp_path / "rainy")
    command[command.index(str(tmp_path / "one"))] = str(tmp_path / "rainy")
    assert run_command_line(command) == 2
    assert "rainy are a rainy copy already (real-like, seed 0)" in capsys.readouterr().err
    assert tree(tmp_path / "rainy") == before


def test_a_copy_among_its_photographs_is_none_of_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "one"
    command = [*photographs(root, 40)[:-1], str(root / "rainy"), "--limit", "2"]
    for written in (2, 0):
        assert run_command_line(command) == 0
        assert f"{written} images written, {2 - written} were there" in capsys.readouterr().out
    assert len(tree(root / "rainy")) == 3
    words = ["derain", str(root), "--derainer", "median", "--out", str(tmp_path / "derained")]
    assert run_command_line([*words, "--workspace", str(tmp_path / "w")]) == 0
    assert "3 images derained" in capsys.readouterr().out


def test_labels_of_another_set_are_not_taken_for_the_copy_s(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for folder, shade in (("one", 40), ("other", 90)):
        root = tmp_path / folder / "photos"  # whose name is the split's
        root.mkdir(parents=True)
        for half in ("input", "target"):
            photographs(root / half, shade, "a")
        command = ["synth", "--dataset", "pairs", "--data-root", str(root)]
        status = run_command_line([*command, "--out", str(tmp_path / "rainy")])
        assert status == (0 if folder == "one" else 2)
    assert f"target/a.png is not {tmp_path}/other/photos/target/a.png: n" in capsys.readouterr().err


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


ELSEWHERE = (
    *("folder:{0}/rainy", "folder:../../rainy", "pairs:{0}/rainy:a", "pairs:../rainy:a"),
    *("pairs:rainy:{0}/a", "pairs:rainy:../a"),
)


@pytest.mark.parametrize("words", ELSEWHERE)
def test_images_and_labels_from_elsewhere_are_refused_in_one_line(
    words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("set/a", "set/rainy", "a", "rainy"):
        (tmp_path / "set").mkdir(exist_ok=True)
        photographs(tmp_path / name, 40, "xy")
    kind, _, pair = words.format(tmp_path).partition(":")
    root = tmp_path / "set" / ("a" if kind == "folder" else "")
    command = ["synth", "--dataset", kind, "--data-root", str(root), "--pair", pair]
    assert run_command_line([*command, "--out", str(tmp_path / "to" / "out")]) == 2
    err = capsys.readouterr().err
    assert f".png lies outside of {root}, so a copy has no place for it: give the folder" in err
    assert err.count("\n") == 1
    assert not list((tmp_path / "to").rglob("*.png"))


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
