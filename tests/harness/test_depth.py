"""Distances of a data set reach the rain, and the keys of what it made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from datasets import DatasetError
from datasets.image import UnreadableImageError, decode, encode_depth
from datasets.rain import PhysicalRain, RainError, generator, parse
from datasets.streetsim import files
from derainers.training.data import Crops
from derainers.training.recipes import PAPER
from harness import run
from harness.plan import keys
from harness.plan.data import open_dataset, root_of
from harness.plan.plan import make_plan
from harness.plan.unit_keys import Entry
from harness.runs.rainy_copy import Recipe, synthesize
from harness.spec import RunSpec, UsageError
from harness.training.validation import Validation
from harness.training.weather import View


@pytest.fixture
def spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunSpec:
    """Two small scenes."""
    monkeypatch.setitem(files.COUNTS, "demo", 2)
    monkeypatch.setitem(files.SIZES, "demo", (96, 64))
    return RunSpec(dataset="streetsim", data_root=str(tmp_path / "root"))


def test_a_copy_is_rained_on_at_its_true_distances(spec: RunSpec, tmp_path: Path) -> None:
    dataset, rain = open_dataset(spec), PhysicalRain(rate_mm_h=100)
    synthesize(dataset, root_of(spec), Recipe("physical", rain), tmp_path / "copy")
    for sample in dataset.samples:
        file = tmp_path / "copy" / files.tree_name() / "images" / "demo" / sample.path.name
        made = [
            rain.render(sample.image(), generator(0, rain, sample.id), depth).image
            for depth in (sample.depth_m(), None)
        ]
        assert np.array_equal(decode(file.read_bytes(), file.name), made[0])
        assert not np.array_equal(made[0], made[1])


def test_keys_tell_depths_apart_and_are_as_ever_without(spec: RunSpec, tmp_path: Path) -> None:
    sample = open_dataset(spec).samples[0]
    entry, bare = Entry.of(sample), Entry.of(replace(sample, depth_path=None))
    other = tmp_path / "other.png"
    other.write_bytes(encode_depth(np.ones((64, 96), np.float32)))
    assert (
        len({entry.content, bare.content, Entry.of(replace(sample, depth_path=other)).content}) == 3
    )
    assert entry.image == bare.image
    assert bare.content == keys.key("content", image=bare.image, rainy=None)


RAMP_M = np.linspace(2, 80, 64 * 96, dtype=np.float32).reshape(64, 96)


def written(file: Path, values: Any) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    if file.suffix == ".npz":
        np.savez_compressed(file, depth=values, other=np.zeros(3))
    elif file.suffix == ".npy":
        np.save(file, values)
    else:
        cv2.imwrite(str(file), values)
    return file


@pytest.fixture
def photo(tmp_path: Path) -> RunSpec:
    """A folder of one photograph."""
    rng = np.random.default_rng(0)
    written(tmp_path / "photos" / "sub" / "a.png", rng.integers(0, 255, (64, 96, 3), np.uint8))
    return RunSpec(dataset="folder", data_root=str(tmp_path / "photos"))


FORMS: dict[str, tuple[str, Any, str]] = {
    "NPZ in metres": ("sub/a.npz", RAMP_M, ""),
    "NPY of double": ("a.npy", RAMP_M.astype(np.float64), ""),
    "PNG of half centimetres": (
        "a_depth.png",
        np.rint(RAMP_M * 200).astype(np.uint16),
        ":per_m=200",
    ),
    "KITTI's PNG": ("a.png", np.rint(RAMP_M * 256).astype(np.uint16), ":per_m=256"),
    "NPZ of kilometres": ("a.npz", RAMP_M / 1000, ":per_m=0.001"),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_folder_gives_photographs_their_distances(
    form: str, photo: RunSpec, tmp_path: Path
) -> None:
    name, values, scale = FORMS[form]
    written(tmp_path / "far" / name, values)
    spec = photo.model_copy(update={"depth": f"{tmp_path / 'far'}{scale}"})
    assert spec.public()["depth"] == f"far{scale}"
    sample = open_dataset(spec).samples[0]
    found = sample.depth_m()
    assert found is not None
    assert found.dtype == np.float32
    assert np.abs(found - RAMP_M).max() < 0.01
    rain = PhysicalRain(rate_mm_h=100)
    made = rain.render(sample.image(), generator(0, rain, sample.id), found)
    assert made.depth_source == "given"
    assert open_dataset(spec).notes == ("depth from far",)


def test_keys_tell_scales_apart(photo: RunSpec, tmp_path: Path) -> None:
    written(tmp_path / "far" / "a.png", np.full((64, 96), 2000, np.uint16))
    specs = [
        photo.model_copy(update={"depth": f"{tmp_path / 'far'}:per_m={n}"}) for n in (100, 1000)
    ]
    contents = {Entry.of(open_dataset(spec).samples[0]).depth for spec in specs}
    assert len(contents) == 2


def test_the_sky_may_be_infinitely_far(photo: RunSpec, tmp_path: Path) -> None:
    values = RAMP_M.copy()
    values[:9] = np.inf
    written(tmp_path / "far" / "a.npy", values)
    spec = photo.model_copy(update={"depth": str(tmp_path / "far")})
    found = open_dataset(spec).samples[0].depth_m()
    assert found is not None
    assert found[0, 0] == np.float32(655.35)


BAD: dict[str, tuple[str, Any, str, str]] = {
    "a hole": ("a.npy", np.where(RAMP_M < 3, 0, RAMP_M), "", "pixels hold no distance"),
    "no number": ("a.npy", np.where(RAMP_M < 3, np.nan, RAMP_M), "", "pixels hold no distance"),
    "8 bits": ("a.png", RAMP_M.astype(np.uint8), "", "8 bits hold no metres"),
    "millimetres": ("a.npy", RAMP_M * 1000, "", "these are no metres"),
    "a colour": ("a.npy", np.ones((4, 4, 3)), "", r"expected numbers \(H, W\)"),
    "words": ("a.npy", np.array([["x"]]), "", r"expected numbers \(H, W\)"),
    "another": ("b.npy", RAMP_M, "", "nothing there for image sub/a.png"),
    "no scale": ("a.npy", RAMP_M, ":per_m=far", "needs a number above 0"),
}


@pytest.mark.parametrize("case", BAD)
def test_distances_that_may_be_others_are_refused(
    case: str, photo: RunSpec, tmp_path: Path
) -> None:
    name, values, scale, words = BAD[case]
    written(tmp_path / "far" / name, values)
    spec = photo.model_copy(update={"depth": f"{tmp_path / 'far'}{scale}"})
    with pytest.raises((DatasetError, UnreadableImageError), match=words):
        open_dataset(spec).samples[0].depth_m()


def test_one_file_is_of_no_two_images(photo: RunSpec, tmp_path: Path) -> None:
    second = tmp_path / "photos" / "other" / "a.png"
    written(second, np.full((64, 96, 3), 90, np.uint8))
    written(tmp_path / "far" / "a.npy", RAMP_M)
    spec = photo.model_copy(update={"depth": str(tmp_path / "far")})
    with pytest.raises(DatasetError, match=r"a\.npy would be of (sub|other)/a\.png and of"):
        open_dataset(spec)
    written(tmp_path / "far" / "other" / "a.npy", RAMP_M + 1)
    files = {s.id: s.depth_path for s in open_dataset(spec).samples}
    assert files == {
        "sub/a.png": tmp_path / "far" / "a.npy",
        "other/a.png": tmp_path / "far" / "other" / "a.npy",
    }


def test_inverse_distances_are_doubted(photo: RunSpec, tmp_path: Path) -> None:
    for name in ("b", "c", "d"):
        written(tmp_path / "photos" / "sub" / f"{name}.png", np.full((64, 96, 3), 90, np.uint8))
    spec = photo.model_copy(update={"depth": str(tmp_path / "far")})
    for metres, said in ((RAMP_M[::-1], []), (RAMP_M, ["4 of 4 images are smaller above than"])):
        for name in "abcd":
            written(tmp_path / "far" / f"{name}.npy", metres)
        _, *doubts = open_dataset(spec).notes
        assert [text in note for text, note in zip(said, doubts, strict=True)] == [True] * len(said)


def test_a_file_that_is_no_array_is_refused(photo: RunSpec, tmp_path: Path) -> None:
    for data in (b"", b"PK\x03\x04", b"\x93NUMPY", b"\x89PNG", b"\x80\x04N."):
        (tmp_path / "far").mkdir(exist_ok=True)
        (tmp_path / "far" / "a.npz").write_bytes(data)
        spec = photo.model_copy(update={"depth": str(tmp_path / "far")})
        with pytest.raises(UnreadableImageError, match=r"a\.npz"):
            open_dataset(spec).samples[0].depth_m()


@pytest.mark.parametrize("rain", ["physical", "rain100l+wet"])
def test_a_training_names_the_image_whose_distances_are_another_s(
    rain: str, photo: RunSpec, tmp_path: Path
) -> None:
    written(tmp_path / "far" / "a.npy", RAMP_M[1:])
    (sample,) = open_dataset(photo.model_copy(update={"depth": str(tmp_path / "far")})).samples
    ((_, made),) = parse(rain)
    recipe = replace(PAPER["granet"], patch_px=32)
    sees: dict[str, Callable[[], Any]] = {
        "a derainer": lambda: Crops([sample], (made,), recipe, 1, 16)[0],
        "its validation": lambda: Validation([sample], {rain: made}, 0),
        "a task network": lambda: View((made,), 0, {sample.id: 0}, None)(sample, sample.image(), 0),
    }
    for see in sees.values():
        with pytest.raises(RainError, match=r"^image sub/a.png: depth is \(63, 96\): must be"):
            see()


def test_what_a_derainer_should_give_back_is_the_wet_scene(spec: RunSpec, tmp_path: Path) -> None:
    """Without drops and veil the rainy image is the reference, in a run as in training."""
    word = "rain100l:density=0+overcast+wet"
    changes = {"rain": (word,), "derainer": ("identity",), "task": ("none",)}
    folders = {"workspace": str(tmp_path / "w"), "out": str(tmp_path / "out")}
    results = run(spec.model_copy(update={**changes, **folders, "quality": ("ssim_y",)}))
    assert not results.errors
    found = results.value(word, "identity", "quality", "ssim_y")
    assert found is not None
    assert found.value == 1
    samples = open_dataset(spec).samples
    ((_, rain),) = parse(word)
    crops = Crops(samples, (rain,), replace(PAPER["granet"], patch_px=32), 1, 16)
    ((rainy, clean), *_) = crops[0]
    assert np.array_equal(rainy, clean)
    dry = Crops(samples, (None,), replace(PAPER["granet"], patch_px=32), 1, 16)
    assert not any(np.array_equal(clean, other) for _, other in dry[0])


def test_wet_ground_is_refused_before_the_first_image_where_distances_are_absent(
    coco_root: Path,
) -> None:
    spec = RunSpec(dataset="coco", data_root=str(coco_root), rain=("physical+wet",), task=("none",))
    with pytest.raises(UsageError, match=r"--rain physical\+wet: .* has none: give --depth DIR"):
        make_plan(spec, {})
