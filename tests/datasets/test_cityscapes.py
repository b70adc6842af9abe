"""Cityscapes and its kin: every form of labels says the same, and weather is told."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from datasets import DATASETS, Dataset, DatasetError, Sample
from datasets.check import check
from datasets.cityscapes_labels import TRAIN_IDS, decode_train_ids
from datasets.image import UnreadableImageError
from datasets.label_png import decode_labels, encode_labels
from datasets.labels import require_fitting
from datasets.masks import box_xyxy_px, decode, encode
from datasets.rain import RAINS
from datasets.where import select
from harness.runs.rainy_copy import Recipe, synthesize
from tasks.coco_ap import Detections
from tasks.detection import Detection
from tasks.instance import Instance


@pytest.fixture
def make(maker: Callable[[str], Any]) -> Any:
    return maker("cityscapes")


@pytest.fixture
def root(tmp_path: Path, make: Any) -> Path:
    made: Path = make.make(tmp_path / "cityscapes")
    return made


def opened(root: Path, split: str | None = "val", **options: Any) -> Dataset:
    dataset: Dataset = DATASETS["cityscapes"].open(root, split, **options)
    return dataset


def first(dataset: Dataset) -> Sample:
    return min(dataset.samples, key=lambda s: s.id)


def test_label_ids_become_the_classes_that_count(root: Path, make: Any) -> None:
    dataset = opened(root)
    assert [s.id for s in dataset.samples] == [f"{key}_leftImg8bit" for key in make.KEYS]
    ids, _ = make.drawn(0)
    found = first(dataset).label_map()
    by_id = {7: 0, 23: 10, 24: 11, 26: 13}
    expected = np.full(ids.shape, 255, np.uint8)
    for label, train_id in by_id.items():
        expected[ids == label] = train_id
    assert np.array_equal(found, expected)
    assert dataset.classes[13] == "car"
    assert first(dataset).attributes == {"city": "frankfurt"}
    assert first(dataset).group == "frankfurt_000000"
    assert dataset.notes == ("labels from gtFine_labelIds.png, gtFine_instanceIds.png",)


def test_objects_are_the_numbers_of_instances_and_groups_are_crowds(root: Path, make: Any) -> None:
    dataset = opened(root, masks=True)
    found = first(dataset).annotations
    assert found is not None
    _, numbers = make.drawn(0)
    named = [dataset.categories[c] for c in found.categories.tolist()]
    assert named == ["car", "person", "car", "car"]
    assert found.is_crowd.tolist() == [True, False, False, False]
    for mask, number in zip(found.masks, (26, 24000, 26000, 26001), strict=True):
        assert np.array_equal(decode(mask), numbers == number)
    for box, area, mask in zip(
        found.boxes_xyxy_px.tolist(), found.areas_px2.tolist(), found.masks, strict=True
    ):
        rows, columns = np.nonzero(decode(mask))
        assert box == [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        assert area == len(rows)


SCENE = {
    "car": (26000, [(20, 20, 60, 50)]),
    "speck": (26001, [(100, 30, 108, 38)]),
    "caravan": (29000, [(150, 40, 190, 70)]),
    "static": (4, [(200, 20, 240, 60)]),
    "bicycle": (33000, [(200, 20, 206, 60), (200, 54, 240, 60)]),
    "bonnet": (1, [(0, 100, 256, 128)]),
}
"""What lies on a road, the later over the earlier: its number, and left, top, right, bottom."""


def drawn(word: str) -> Any:
    """The pixels of one thing of `SCENE`."""
    pixels = np.zeros((128, 256), np.bool_)
    for left, top, right, bottom in SCENE[word][1]:
        pixels[top:bottom, left:right] = True
    return pixels


@pytest.mark.parametrize("prefix", ["", "mask_"])
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["car", "bicycle"], 1.0),  # a speck that nothing finds counts as little as one that is
        (["speck", "car", "bicycle"], 1.0),
        (["bonnet", "car", "bicycle"], 1.0),
        (["caravan", "car", "bicycle"], 0.5),
    ],
)
def test_what_no_score_counts_is_ignored_as_by_the_official_script(
    words: list[str], expected: float, prefix: str, root: Path, make: Any
) -> None:
    """``evalInstanceLevelSemanticLabeling.py`` takes a caravan's instance for no void either."""
    numbers = np.full((128, 256), 7, np.uint16)
    for word, (number, _) in SCENE.items():
        numbers[drawn(word)] = number
    key = "val/aachen/aachen_000000_000000"
    make.save(root / f"leftImg8bit/{key}_leftImg8bit.png", np.zeros((128, 256, 3), np.uint8))
    make.save(root / f"gtFine/{key}_gtFine_instanceIds.png", numbers)
    make.save(root / f"gtFine/{key}_gtFine_labelIds.png", np.zeros((128, 256), np.uint8))
    dataset = opened(root, masks=True)
    masks = [encode(drawn(word)) for word in words]
    found = Detections(
        np.array([box_xyxy_px(mask) for mask in masks], np.float32),
        np.linspace(0.9, 0.5, len(words), dtype=np.float32),
        np.array([33 if word == "bicycle" else 26 for word in words]),
        tuple(masks) if prefix else (),
    )
    task = (Instance if prefix else Detection)(dataset.categories)
    scores = task.reduce([task.evidence(found, first(dataset))])
    assert scores[f"{prefix}ap/car"].value == pytest.approx(expected)
    assert scores[f"{prefix}ap/bicycle"].value == pytest.approx(1)


FORMS = {
    "polygons": ("polygons",),
    "pictures": ("labelIds", "instanceIds"),
    "train ids": ("labelTrainIds", "instanceIds"),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_labels_says_the_same(
    form: str, root: Path, make: Any, tmp_path: Path
) -> None:
    other = make.make(tmp_path / "other", kinds=FORMS[form])
    for a, b in zip(
        opened(root, masks=True).samples, opened(other, masks=True).samples, strict=True
    ):
        assert np.array_equal(a.label_map(), b.label_map())
        assert a.annotations is not None
        assert b.annotations is not None
        assert a.annotations.sha256() == b.annotations.sha256()


def test_rendered_rain_has_the_clean_image_beside_it(root: Path, make: Any) -> None:
    make.make_weather(root, "leftImg8bit_rain", make.RAIN)
    dataset = opened(root, "leftImg8bit_rain/val")
    sample = first(dataset)
    assert sample.attributes == {
        **{"city": "frankfurt", "weather": "rainy", "alpha": "0.02", "beta": "0.01"},
        **{"dropsize": "0.005", "pattern": "4"},
    }
    assert sample.has_clean
    assert sample.path.parent.parent.parent.name == "leftImg8bit"
    assert np.array_equal(sample.given_rain(), make.noise(0) // 2 + 90)
    assert len(select(dataset, []).samples) == 3
    assert sample.label_map_path is not None
    assert "clean images from leftImg8bit" in dataset.notes
    assert len(opened(root).samples) == 3


def test_rendered_rain_without_the_clean_images_is_rain_alone(root: Path, make: Any) -> None:
    make.make_weather(root, "leftImg8bit_rain", make.RAIN)
    shutil.rmtree(root / "leftImg8bit")
    dataset = opened(root)
    assert not dataset.has_clean
    assert all(s.rainy_path == s.path for s in dataset.samples)


def test_archives_unpack_into_folders_of_their_own(root: Path, make: Any, tmp_path: Path) -> None:
    around = tmp_path / "around"
    shutil.move(root / "leftImg8bit", around / "leftImg8bit_trainvaltest" / "leftImg8bit")
    shutil.move(root / "gtFine", around / "gtFine_trainvaltest" / "gtFine")
    make.make_weather(around / "foggy", "leftImg8bit_foggy", make.FOG)
    assert first(opened(around)).label_map_path is not None
    foggy = opened(around, "leftImg8bit_foggy/val")
    assert first(foggy).attributes["weather"] == "foggy"
    assert first(foggy).attributes["beta"] == "0.02"
    assert first(foggy).has_clean


def test_acdc_has_its_conditions_as_weather(make: Any, tmp_path: Path) -> None:
    root = make.make_acdc(tmp_path / "acdc")
    dataset = opened(root)
    said = {s.group: dict(s.attributes) for s in dataset.samples}
    assert said == {
        "GOPR0000": {"condition": "fog", "weather": "foggy"},
        "GOPR0100": {"condition": "night", "timeofday": "night"},
        "GOPR0200": {"condition": "rain", "weather": "rainy"},
        "GOPR0300": {"condition": "snow", "weather": "snowy"},
    }
    assert dataset.name == "acdc"
    assert [s.group for s in select(dataset, []).samples] == ["GOPR0100"]
    (rainy,) = select(dataset, ["weather=rainy"]).samples
    assert not rainy.has_clean
    (same,) = opened(root, "rain/val").samples
    assert (same.id, same.path) == (rainy.id, rainy.path)
    assert set(np.unique(rainy.label_map()).tolist()) == {0, 10, 11, 13, 255}


@pytest.mark.parametrize("name", ["cityscapes", "acdc"])
def test_train_ids_under_the_name_of_label_ids_are_refused(
    name: str, make: Any, tmp_path: Path
) -> None:
    root = (make.make if name == "cityscapes" else make.make_acdc)(tmp_path / name)
    require_fitting(opened(root).samples)
    files = sorted(s.label_map_path for s in opened(root).samples if s.label_map_path)
    ids = [decode_labels(file.read_bytes(), "") for file in files]
    for file, labels in zip(files, ids, strict=True):
        file.write_bytes(encode_labels(TRAIN_IDS[labels]))
    said = f"none of {len(files)} has a value above 18, and .*_labelIds.png has 10"
    with pytest.raises(DatasetError, match=said) as caught:
        require_fitting(opened(root).samples)
    assert str(caught.value).endswith("call them labelTrainIds")
    assert [f.text for f in check("cityscapes", root, None).findings if f.is_error] == [
        str(caught.value).removeprefix("labels: ")
    ]
    # One that has label ids tells of all, and values of both kinds tell nothing.
    files[0].write_bytes(encode_labels(ids[0]))
    require_fitting(opened(root).samples)
    for file in files:
        file.write_bytes(encode_labels(np.full_like(ids[0], 7)))
    require_fitting(opened(root).samples)


@pytest.mark.parametrize(
    ("value", "says"), [(19, "void is written as 255"), (26, "Then call it labelIds")]
)
def test_no_train_id_is_told_what_it_may_be(value: int, says: str) -> None:
    data = encode_labels(np.array([[0, 18, 19, value]], np.uint8))
    with pytest.raises(UnreadableImageError, match=f"pixel {value} is none of .*{says}"):
        decode_train_ids(data, "a_labelTrainIds.png")


def test_label_ids_under_the_name_of_train_ids_are_refused(root: Path, make: Any) -> None:
    for file in (root / "gtFine").rglob("*_labelIds.png"):
        file.rename(file.with_name(file.name.replace("labelIds", "labelTrainIds")))
    with pytest.raises(UnreadableImageError, match="are these label ids"):
        first(opened(root)).label_map()


def test_what_is_missing_is_named(root: Path, make: Any, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no split test: known are val"):
        opened(root, "test")
    with pytest.raises(DatasetError, match="none of leftImg8bit, "):
        opened(tmp_path / "nothing")
    key = make.KEYS[2]
    (root / "gtFine" / "val" / "lindau" / f"{key}_gtFine_labelIds.png").unlink()
    with pytest.raises(DatasetError, match=r"labelIds\.png not found: add the labels or remove"):
        opened(root)
    problems: list[str] = []
    assert len(opened(root, problems=problems).samples) == 2
    assert len(problems) == 1
    shutil.rmtree(root / "gtFine")
    assert opened(root).notes == ("labels from nowhere: no labels there",)
    assert first(opened(root)).annotations is None


def change(entry: dict[str, Any], **fields: Any) -> Callable[[dict[str, Any]], None]:
    def apply(content: dict[str, Any]) -> None:
        content["objects"][2] = {**content["objects"][2], **fields}

    return apply


BAD: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "a label": (change({}, label="spaceship"), "'spaceship' is no label of Cityscapes"),
    "a point": (change({}, polygon=[[1, 2], [3]]), r"objects\[2\]: 'polygon' must be points"),
    "one point": (change({}, polygon=[[1, 2]]), "must be at least two points"),
    "far": (change({}, polygon=[[1, 2], [1e9, 2], [3, 3]]), "lies far outside"),
    "no size": (lambda c: c.pop("imgWidth"), "the key 'imgWidth' is missing"),
    "huge": (lambda c: c.update(imgWidth=10**9), "are no picture"),
}


@pytest.mark.parametrize("case", BAD)
def test_wrong_polygons_are_named(case: str, make: Any, tmp_path: Path) -> None:
    root = make.make(tmp_path / "a", kinds=("polygons",))
    spoil, words = BAD[case]
    file = next((root / "gtFine").rglob(f"{make.KEYS[0]}*.json"))
    content = json.loads(file.read_text())
    spoil(content)
    file.write_text(json.dumps(content))
    with pytest.raises(DatasetError, match=words):
        first(opened(root)).annotations  # noqa: B018
    with pytest.raises(UnreadableImageError, match=words):
        first(opened(root)).label_map()


def test_pictures_that_are_no_instances_are_refused(root: Path, make: Any) -> None:
    file = next((root / "gtFine").rglob(f"{make.KEYS[0]}*_instanceIds.png"))
    Image.new("RGB", (8, 8)).save(file)
    with pytest.raises(DatasetError, match="expected 16 bits per pixel, got RGB"):
        first(opened(root)).annotations  # noqa: B018


def test_a_copy_takes_labels_and_clean_images(root: Path, make: Any, tmp_path: Path) -> None:
    make.make_weather(root, "leftImg8bit_rain", make.RAIN)
    dataset = opened(root, "leftImg8bit_rain/val")
    assert dataset.export_labels is not None
    places: Any = {s.id: s.rainy_path.relative_to(root) for s in dataset.samples if s.rainy_path}
    shutil.copytree(root / "leftImg8bit_rain", tmp_path / "copy" / "leftImg8bit_rain")
    dataset.export_labels(tmp_path / "copy", places)
    again = opened(tmp_path / "copy", "leftImg8bit_rain/val")
    assert again.has_clean
    assert np.array_equal(first(again).label_map(), first(dataset).label_map())


def test_a_copy_of_jpegs_opens_as_the_set_does(root: Path, make: Any, tmp_path: Path) -> None:
    copy, recipe = tmp_path / "copy", Recipe("rain100l", RAINS["rain100l"], jpeg_quality=90)
    synthesize(opened(root), root, recipe, copy)
    again = opened(copy)
    assert [s.id for s in again.samples] == [s.id for s in opened(root).samples]
    assert np.array_equal(first(again).label_map(), first(opened(root)).label_map())
    make.make_weather(copy, "leftImg8bit_rain", make.RAIN)
    assert first(opened(copy, "leftImg8bit_rain/val")).path.suffix == ".jpg"
