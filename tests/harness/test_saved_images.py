"""Derained images as files, and those files as a derainer."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from skimage.data import astronaut

from datasets.image import decode, encode_png
from harness import RunSpec, run
from harness.cli.main import run_command_line
from harness.ledger.runs import finished_runs
from harness.spec import UsageError
from reports.results.results import Results

SIZE = (40, 56)


def photographs(root: Path, *names: str) -> Path:
    """Cuts of one photograph under those names."""
    for i, name in enumerate(names):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        cut = np.ascontiguousarray(astronaut()[30 * i : 30 * i + SIZE[0], 50 : 50 + SIZE[1]])
        (root / name).write_bytes(encode_png(cut))
    return root


def ran(root: Path, tmp_path: Path, *derainers: str, **words: Any) -> Results:
    fields = {
        "dataset": "folder",
        "data_root": str(root),
        "derainer": derainers,
        "task": ("none",),
        "workspace": str(tmp_path / "runs"),
        "images": False,
        "device": "cpu",
        **words,
    }
    return run(RunSpec(**fields))


def numbers(results: Results, derainer: str) -> dict[tuple[str, str], float | None]:
    """Values of a derainer by rain and metric, but for those that tell of its cost."""
    return {(r.rain, r.metric): r.value for r in results.records if r.derainer == derainer}


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "manifest.jsonl").read_text().splitlines()]


def test_the_folder_gives_the_numbers_of_the_network(
    coco_root: Path, detector_file: Path, tmp_path: Path
) -> None:
    asked = {
        "dataset": "coco",
        "task": ("detection",),
        "model": {"detection": str(detector_file)},
        "rain": ("photoshop-light",),
        "quality": ("psnr", "ssim", "niqe"),
    }
    before = ran(
        coco_root, tmp_path, "median", **asked, save=("images",), out=str(tmp_path / "out")
    )
    folder = tmp_path / "out" / "images" / "photoshop-light" / "median"
    after = ran(coco_root, tmp_path, f"dir:{folder}", **asked, out=str(tmp_path / "again"))
    assert len(numbers(before, "median")) > 10
    assert numbers(after, "dir:median") == numbers(before, "median")
    assert before.cost
    assert not after.cost, "reading a file is not deraining"
    assert not any("dir:" in note for note in after.provenance.data_notes)
    head, *rest = lines(folder)
    assert (head["rain"], head["derainer"], head["seed"]) == ("photoshop-light", "median", 0)
    assert len(rest) == len(list(folder.rglob("*.png"))) == 8
    with pytest.raises(UsageError, match="dir:median was made of photoshop-light with seed 0"):
        ran(coco_root, tmp_path, f"dir:{folder}", **{**asked, "seed": 1})


@pytest.mark.parametrize(
    "names",
    [
        ("a.png", "b/a.png", "b/c/a.png"),
        ("a.png", "a.bmp", "a.PNG"),
        ("ü ø/日本 1.png", "ü ø/日本 2.png", "x y.png"),
        ("a.b.png", "a.png", "a.b.c.png"),
        ("A.png", "a.png", "a.png.png"),
    ],
)
def test_names_survive(names: tuple[str, ...], tmp_path: Path) -> None:
    root = photographs(tmp_path / "photos", *names)
    out = str(tmp_path / "out")
    asked = {"rain": ("photoshop-light", "none"), "quality": ("psnr_y_db",)}
    before = ran(root, tmp_path, "median", **asked, save=("images",), out=out)
    for rain in asked["rain"]:
        folder = tmp_path / "out" / "images" / rain / "median"
        files = [line["file"] for line in lines(folder)[1:]]
        assert len({file.casefold() for file in files}) == len(names)
        assert [Path(f).parent for f in sorted(files)] == [Path(n).parent for n in sorted(names)]
        after = ran(root, tmp_path, f"dir:{folder}", **{**asked, "rain": (rain,)})
        wanted = {k: v for k, v in numbers(before, "median").items() if k[0] == rain}
        assert numbers(after, "dir:median") == wanted


def spoil_the_file(folder: Path, photos: Path) -> None:
    file = next(folder.rglob("*.png"))
    file.write_bytes(encode_png(255 - decode(file.read_bytes(), "")))


@pytest.mark.parametrize("word", ["dir:{}", "median+dir:{}", "gate:dir:{}"])
def test_of_images_without_a_manifest_it_is_said_that_their_rain_is_unknown(
    word: str, tmp_path: Path
) -> None:
    root = photographs(tmp_path / "photos", "a.png", "b.png")
    found = ran(root, tmp_path, word.format(root), quality=("psnr_y_db",))
    assert found.provenance.data_notes == (
        "nothing says of which images those of dir:photos were made, and so whether of this rain",
    )


def cut_the_manifest(folder: Path, photos: Path) -> None:
    text = (folder / "manifest.jsonl").read_text()
    (folder / "manifest.jsonl").write_text(text.replace('"sample"', '"simple"'))


def lead_outside(folder: Path, photos: Path) -> None:
    text = (folder / "manifest.jsonl").read_text()
    (folder / "manifest.jsonl").write_text(text.replace('"file": "', '"file": "../'))


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (spoil_the_file, "is not the image that manifest.jsonl names: derain again"),
        (cut_the_manifest, "line 2 is damaged"),
        (lead_outside, "line 2 is damaged"),
    ],
)
def test_what_was_changed_is_refused(
    spoil: Callable[[Path, Path], None], said: str, tmp_path: Path
) -> None:
    root = photographs(tmp_path / "photos", "a.png", "b.png")
    ran(root, tmp_path, "median", save=("images",), out=str(tmp_path / "out"))
    folder = tmp_path / "out" / "images" / "real-like" / "median"
    spoil(folder, root)
    with pytest.raises(UsageError, match=said):
        ran(root, tmp_path, f"dir:{folder}")


def test_images_of_other_photographs_are_refused_one_by_one(tmp_path: Path) -> None:
    root = photographs(tmp_path / "photos", "a.png", "b.png")
    ran(root, tmp_path, "median", save=("images",), out=str(tmp_path / "out"))
    folder = tmp_path / "out" / "images" / "real-like" / "median"
    shutil.copy(root / "a.png", tmp_path / "kept")
    shutil.copy(root / "b.png", root / "a.png")
    failed = ran(root, tmp_path, f"dir:{folder}").errors
    assert [e.message for e in failed] == [
        "a.png was derained from another image than this: derain this one"
    ]


def test_images_that_vanished_or_broke_are_made_again(tmp_path: Path) -> None:
    root = photographs(tmp_path / "photos", "a.png", "b.png", "c.png")
    asked = {"save": ("images",), "rain": ("photoshop-light",)}
    ran(root, tmp_path, "median", **asked, out=str(tmp_path / "one"))
    cached = sorted((tmp_path / "runs" / "images").rglob("*.png"))
    assert len(cached) == 3
    cached[0].unlink()
    cached[1].write_bytes(b"cut")
    cached[2].write_bytes(encode_png(np.zeros((*SIZE, 3), np.uint8)))
    ran(root, tmp_path, "median", **asked, out=str(tmp_path / "two"), cache_gb=0)
    folders = [tmp_path / out / "images" / "photoshop-light" / "median" for out in ("one", "two")]
    made = [{f.name: f.read_bytes() for f in folder.iterdir()} for folder in folders]
    assert made[0] == made[1]
    assert len(made[0]) == 4
    assert not list((tmp_path / "runs" / "images").rglob("*.png"))


@pytest.mark.parametrize("named", [".", "images", "images/photoshop-light"])
def test_a_folder_above_is_held_to_the_manifest_below(named: str, tmp_path: Path) -> None:
    root = photographs(tmp_path / "photos", "a.png", "b/c.png")
    asked = {"rain": ("photoshop-light",), "quality": ("psnr_y_db",)}
    before = ran(root, tmp_path, "median", **asked, save=("images",), out=str(tmp_path / "out"))
    word = f"dir:{tmp_path / 'out' / named}"
    after = ran(root, tmp_path, word, **asked)
    (name,) = {r.derainer for r in after.records} - {"identity"}
    assert numbers(after, name) == numbers(before, "median")
    with pytest.raises(UsageError, match="dir:median was made of photoshop-light with seed 0"):
        ran(root, tmp_path, word, **asked, seed=1)
    shutil.copy(root / "a.png", root / "b" / "c.png")
    (failed,) = ran(root, tmp_path, word, **asked).errors
    assert failed.message == "c.png was derained from another image than this: derain this one"
    spoil_the_file(tmp_path / "out" / "images", root)
    with pytest.raises(UsageError, match=r"is not the image that manifest\.jsonl names"):
        ran(root, tmp_path, word, **asked)


def test_a_folder_below_is_held_to_the_manifest_above(tmp_path: Path) -> None:
    root = photographs(tmp_path / "photos", "film/a.png", "b.png")
    asked = {"rain": ("photoshop-light",), "quality": ("psnr_y_db",)}
    ran(root, tmp_path, "median", **asked, save=("images",), out=str(tmp_path / "out"))
    folder = tmp_path / "out" / "images" / "photoshop-light" / "median"
    word = f"dir:{folder / 'film'}"
    with pytest.raises(UsageError, match="dir:median was made of photoshop-light with seed 0"):
        ran(root / "film", tmp_path, word, **asked, seed=1)
    shutil.copy(root / "b.png", root / "film" / "a.png")
    with pytest.raises(UsageError, match=r"image a\.png was derained from another image"):
        ran(root / "film", tmp_path, word, **asked)
    (folder / "manifest.jsonl").write_text("a list of another program's\n")
    assert not ran(root / "film", tmp_path, word, **asked).errors


@pytest.mark.parametrize("word", ["dir:{}", "dir:{}+median", "gate:dir:{}", "old=dir:{}"])
def test_images_of_other_ids_have_other_rain_and_are_refused_before_work(
    word: str, tmp_path: Path
) -> None:
    root = photographs(tmp_path / "photos", "film/1.png", "film/2.png")
    asked = {"rain": ("photoshop-light",), "quality": ("psnr_y_db",)}
    ran(root, tmp_path, "median", **asked, save=("images",), out=str(tmp_path / "out"))
    named = word.format(tmp_path / "out" / "images" / "photoshop-light")
    with pytest.raises(UsageError, match="than this run shows: rain falls by an image's id, so"):
        ran(root / "film", tmp_path, "median", named, **asked)


def test_the_folder_of_a_chain_is_no_chain(tmp_path: Path) -> None:
    root = photographs(tmp_path / "photos", "a.png", "b.png")
    asked = {"rain": ("photoshop-light",), "quality": ("psnr_y_db",)}
    chain = "half:median+median"
    before = ran(root, tmp_path, chain, **asked, save=("images",), out=str(tmp_path / "out"))
    (folder,) = (tmp_path / "out" / "images" / "photoshop-light").iterdir()
    assert folder.name == "half_median_median"
    for name in (folder.name, "half_median+median"):
        folder = folder.rename(folder.with_name(name))
        after = ran(root, tmp_path, f"dir:{folder}", **asked)
        assert numbers(after, f"dir:{name}") == numbers(before, chain)


def test_a_run_that_only_saves_is_a_run_of_its_workspace(tmp_path: Path) -> None:
    root = photographs(tmp_path / "photographs", "a.png", "b.png")
    words = {"rain": ("photoshop-heavy",), "out": str(tmp_path / "out"), "images": True}
    found = ran(root, tmp_path, "median", quality=("none",), save=("images",), **words)
    assert not found.records
    (known,) = finished_runs([tmp_path / "runs"])
    assert known.run == found.run
    assert {g.condition.name for g in known.gallery} >= {"identity", "median"}
    report = ["report", str(tmp_path / "runs"), "--out", str(tmp_path / "page")]
    assert run_command_line(report) == 0
    assert run_command_line(["list", "runs", "--workspace", str(tmp_path / "runs")]) == 0


def test_there_must_be_something_to_save(tmp_path: Path) -> None:
    root = photographs(tmp_path / "photos", "a.png")
    with pytest.raises(UsageError, match="--save images needs --out"):
        ran(root, tmp_path, "median", save=("images",))
    with pytest.raises(UsageError, match="--save images: nothing is derained"):
        ran(root, tmp_path, "identity", save=("images",), out=str(tmp_path / "out"))
