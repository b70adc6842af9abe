"""CARLARain: scenes with and without rain, their classes, objects and distances."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from datasets import DATASETS, Dataset, DatasetError, labels
from datasets.class_png import CLASSES
from datasets.image import UnreadableImageError, decode
from datasets.masks import decode as pixels_of
from datasets.rain import RAINS
from harness.runs.rainy_copy import Recipe, synthesize


@pytest.fixture
def make(maker: Callable[[str], Any]) -> Any:
    return maker("carla")


@pytest.fixture
def root(tmp_path: Path, make: Any) -> Path:
    made: Path = make.make(tmp_path / "carlarain")
    return made


def opened(root: Path, split: str | None = None, **options: Any) -> Dataset:
    dataset: Dataset = DATASETS["carla"].open(root, split, **options)
    return dataset


def test_a_scene_has_all_that_its_pictures_say(root: Path, make: Any) -> None:
    dataset = opened(root, masks=True)
    assert [s.id for s in dataset.samples] == list(make.STEMS)
    first, second = dataset.samples
    assert first.attributes == {"town": "Town01", "timeofday": "day"}
    assert second.attributes == {"town": "Town03", "timeofday": "night"}
    assert second.group == "seqTown03ClearNight"
    names = list(CLASSES)
    label_map = first.label_map()
    assert label_map[0, 0] == names.index("sky")
    assert label_map[62, 0] == label_map[30, 0] == names.index("road")
    assert label_map[22, 90] == 255
    found = first.annotations
    assert found is not None
    assert found.boxes_xyxy_px.tolist() == [list(map(float, box)) for box in make.BOXES.values()]
    assert [dataset.categories[c] for c in found.categories.tolist()] == ["car", "car"]
    assert pixels_of(found.masks[0]).sum() == found.areas_px2[0] == 30 * 20
    assert first.given_rain().mean() > first.image().mean() + 40
    depth = first.depth_m()
    assert depth is not None
    assert depth[0, 0] == pytest.approx(1000)
    assert depth[-1, 0] == pytest.approx(1000 * np.exp((120 / 255 - 1) * 5.70378), rel=1e-6)


def test_the_authors_names_of_folders(root: Path) -> None:
    expected = [s.annotations.sha256() for s in opened(root).samples if s.annotations]
    (root / "clean").rename(root / "background")
    (root / "semantic").rename(root / "semantic_segmentation")
    (root / "instance").rename(root / "instance_segmentation")
    for file in (root / "background").iterdir():  # as they are written there
        file.rename(file.with_name(f"{file.stem}..jpg"))
    shutil.rmtree(root / "depth")
    dataset = opened(root)
    assert [s.annotations.sha256() for s in dataset.samples if s.annotations] == expected
    assert dataset.samples[0].depth_m() is None


def test_24_bits_of_distance(root: Path) -> None:
    from datasets.carla import CarlaDepth
    from datasets.image import encode_png

    levels = np.array([[[0, 0, 1], [255, 255, 255], [128, 0, 0]]], np.uint8)
    found = CarlaDepth()(encode_png(levels), "depth.png")
    steps = np.array([65536, 2**24 - 1, 128])
    assert found[0] == pytest.approx(np.maximum(1000 * steps / (2**24 - 1), 0.01), rel=1e-6)


def test_what_is_missing_or_strange_is_named(root: Path, make: Any) -> None:
    import cv2

    file = root / "semantic" / f"{make.STEMS[0]}.png"
    picture = cv2.imread(str(file))
    assert picture is not None
    picture[3, 5] = (1, 2, 3)
    cv2.imwrite(str(file), picture)
    with pytest.raises(UnreadableImageError, match="the colour at x 5, y 3 is no class's"):
        opened(root).samples[0].label_map()
    (root / "instance" / f"{make.STEMS[1]}.png").unlink()
    with pytest.raises(DatasetError, match=f"{make.STEMS[1]} has no picture in instance"):
        opened(root)
    problems: list[str] = []
    assert len(opened(root, problems=problems).samples) == 1
    assert len(problems) == 1
    shutil.rmtree(root / "semantic")
    with pytest.raises(DatasetError, match="no folder semantic or semantic_segmentation there"):
        opened(root)


def test_specks_are_ignored_and_the_run_says_of_how_many(root: Path, make: Any) -> None:
    file = root / "instance" / f"{make.STEMS[0]}.png"
    picture = np.array(Image.open(file))
    for number, column in enumerate((5, 7, 9)):
        picture[58, column] = (14, 1, number)
    picture[58, 20:22] = (14, 1, 9)  # 60 pixels at 640x480 are 1.2 here
    Image.fromarray(picture).save(file)
    dataset = opened(root)
    found = dataset.samples[0].annotations
    assert found is not None
    order = np.lexsort((found.boxes_xyxy_px[:, 0], found.areas_px2))
    assert found.areas_px2[order].tolist() == [1, 1, 1, 2, 100, 600]
    assert found.is_crowd[order].tolist() == [True] * 3 + [False] * 3
    assert "objects of fewer than 60 pixels, at 640x480, are ignored" in dataset.notes
    assert labels.notes(dataset.samples, dataset.categories) == []
    picture[58, 60:70] = np.stack([[14, 2, n] for n in range(10)])
    Image.fromarray(picture).save(file)
    dataset = opened(root)
    (said,) = labels.notes(dataset.samples, dataset.categories)
    assert said.startswith("13 of 18 labelled objects are ignored, as groups or as too small: ")


@pytest.mark.parametrize("is_there", [True, False])
def test_numbers_of_old_carla_are_refused(is_there: bool, root: Path, make: Any) -> None:
    """Its sky would be riders, and no car would be one."""
    old = {make.SKY: 13, make.ROAD: 7, make.LINE: 6, make.CAR: 10, make.STATIC: 19}
    for stem in make.STEMS:
        colours = np.array(Image.open(root / "semantic" / f"{stem}.png"))
        picture = np.array(Image.open(root / "instance" / f"{stem}.png"))
        for colour, number in old.items():
            picture[(colours == colour).all(2), 0] = number
        Image.fromarray(picture).save(root / "instance" / f"{stem}.png")
    first = root / "semantic" / f"{make.STEMS[0]}.png"
    if not is_there:
        first.write_bytes(first.read_bytes()[:60])
    says = r"numbers its classes as CARLA 0\.9\.13 and earlier do .*: record the scenes with 0\.9"
    with pytest.raises(DatasetError, match=f"{make.STEMS[not is_there]}.*{says}"):
        opened(root)


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
@pytest.mark.parametrize("brings_rain", [True, False])
def test_a_copy_opens_and_goes_on(
    suffix: str, brings_rain: bool, root: Path, tmp_path: Path
) -> None:
    for file in (root / "clean").iterdir():
        with Image.open(file) as picture:
            picture.save(file.with_suffix(suffix))
        if suffix != file.suffix:
            file.unlink()
    if not brings_rain:
        shutil.rmtree(root / "rainy")
    dataset, copy = opened(root), tmp_path / "copy"
    for written in (2, 0):
        made = synthesize(dataset, root, Recipe("rain100l", RAINS["rain100l"]), copy)
        assert (made.written, made.kept) == (written, 2 - written)
    again = opened(copy).samples
    assert [s.id for s in again] == [s.id for s in dataset.samples]
    assert (again[0].rainy_path is not None) == brings_rain
    same = np.array_equal(again[0].image(), dataset.samples[0].image())
    assert same == brings_rain


@pytest.mark.data
def test_23_real_scenes_agree_with_themselves(data: Path) -> None:
    root = data / "carlarain"
    dataset = opened(root, masks=True)
    assert len(dataset.samples) == 23
    names, both = list(CLASSES), np.zeros(2)
    for sample in dataset.samples:
        found, label_map = sample.annotations, sample.label_map()
        assert found is not None
        colours = decode((root / "instance" / f"{sample.id}.png").read_bytes(), "instance")
        for mask, category in zip(found.masks, found.categories.tolist(), strict=True):
            pixels = pixels_of(mask)
            assert len(np.unique(colours[pixels], axis=0)) == 1
            assert {int(v) for v in np.unique(colours[pixels][:, 0])} == {category}
        cars = colours[:, :, 0] == 14
        both += np.array([cars.sum(), (label_map[cars] == names.index("car")).sum()])
        assert sample.depth_m() is not None
        assert sample.given_rain().shape == sample.image().shape
    # The renderer drew both pictures, glass apart: what is a car in one is one in the other.
    assert both[1] / both[0] > 0.94
