"""What paths and tables say of images: in --where, and as slices."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import cv2
import numpy as np
import pytest

from datasets import DATASETS, Dataset, DatasetError
from datasets.attributes import with_attributes
from datasets.weather import taken_for_rain
from datasets.where import select
from harness.scores.parts import parts

NAMES = ("rain/night/a1.png", "rain/day/a2.png", "sun/day/b1.png", "sun/day/c/b2.png")


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    for name in NAMES:
        file = tmp_path / "root" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(file), np.zeros((8, 8, 3), np.uint8))
    return DATASETS["folder"].open(tmp_path / "root", None)


def table(tmp_path: Path, text: str, encoding: str = "utf-8") -> str:
    file = tmp_path / "weather.csv"
    file.write_bytes(text.encode(encoding))
    return str(file)


def test_groups_of_an_expression_are_attributes(dataset: Dataset, tmp_path: Path) -> None:
    word = r"^(?P<weather>rain|sun)/(?P<timeofday>[a-z]{3,5})/"
    found = with_attributes(dataset, tmp_path / "root", [word])
    by_id = {s.id: s.attributes for s in found.samples}
    assert by_id["rain/night/a1.png"] == {"weather": "rain", "timeofday": "night"}
    assert {s.id for s in select(found, ["timeofday=day", "weather=sun"]).samples} == set(NAMES[2:])
    assert set(parts(found.samples)) == {
        *("weather=rain", "weather=sun", "timeofday=day", "timeofday=night")
    }
    assert found.notes == (f"attributes of 4 of 4 images from {word}",)


def test_what_is_undefined_is_not_known(dataset: Dataset, tmp_path: Path) -> None:
    word = table(tmp_path, "image,weather,camera\na1,undefined,left\nb1,Undefined,\n")
    found = with_attributes(dataset, tmp_path / "root", [word])
    assert [s.attributes for s in found.samples if s.attributes] == [{"camera": "left"}]
    assert len(taken_for_rain(found).notes) == len(found.notes) + 1


def test_rain_that_is_known_is_no_clean_condition(dataset: Dataset, tmp_path: Path) -> None:
    found = with_attributes(dataset, tmp_path / "root", ["^(?P<weather>rain|sun)"])
    kept = select(found, [])
    assert {s.id for s in kept.samples} == set(NAMES[2:])
    assert kept.notes[-1] == "left out as unclean by weather: 2 rain"
    rainy = select(found, ["weather=rain"])
    assert all(s.rainy_path == s.path and not s.has_clean for s in rainy.samples)


def test_a_table_names_images_in_any_way(dataset: Dataset, tmp_path: Path) -> None:
    rows = "image;weather;camera\nrain/night/a1.png;heavy;left\na2.png;light;\nb1;none;right\nx;y;z"
    for encoding in ("utf-8", "utf-8-sig"):
        word = table(tmp_path, rows, encoding)
        found = with_attributes(dataset, tmp_path / "root", [word])
        assert {s.id: dict(s.attributes) for s in found.samples} == {
            "rain/night/a1.png": {"weather": "heavy", "camera": "left"},
            "rain/day/a2.png": {"weather": "light"},
            "sun/day/b1.png": {"weather": "none", "camera": "right"},
            "sun/day/c/b2.png": {},
        }
        assert found.notes == ("attributes of 3 of 4 images from weather.csv",)


def test_accents_are_the_same_however_they_are_coded(tmp_path: Path) -> None:
    file = tmp_path / "root" / unicodedata.normalize("NFD", "é.png")
    file.parent.mkdir()
    cv2.imwrite(str(file), np.zeros((8, 8, 3), np.uint8))
    word = table(tmp_path, unicodedata.normalize("NFC", "image,x\né.png,1\n"))
    found = with_attributes(DATASETS["folder"].open(file.parent, None), file.parent, [word])
    assert found.samples[0].attributes == {"x": "1"}


BAD = {
    "a hole": ("a(", "no table .* and no regex"),
    "no group": ("rain", "name what it finds"),
    "nowhere": ("(?P<x>snow)", "found in no path, e.g. not in rain/"),
    "no file": ("none.csv", "no such file"),
}


@pytest.mark.parametrize("case", BAD)
def test_words_that_say_nothing_are_refused(case: str, dataset: Dataset, tmp_path: Path) -> None:
    word, words = BAD[case]
    with pytest.raises(DatasetError, match=words):
        with_attributes(dataset, tmp_path / "root", [word])


BAD_TABLES = {
    "no columns": ("image\na1", "expected a first line"),
    "two of a name": ("image,x,x\na1,1,2", "expected a first line"),
    "short": ("image,x,y\na1,1", "line 2: 2 cells, expected 3"),
    "twice": ("image,x\na1,1\na1.png,2", "line 3: a1.png stands there twice"),
    "of another set": ("image,x\nz,1", "names no image of the data set"),
    "no text": ("image,x\n\udcff,1", "no table in UTF-8"),
}


@pytest.mark.parametrize("case", BAD_TABLES)
def test_tables_that_are_wrong_are_refused(case: str, dataset: Dataset, tmp_path: Path) -> None:
    text, words = BAD_TABLES[case]
    file = tmp_path / "weather.csv"
    file.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(DatasetError, match=words):
        with_attributes(dataset, tmp_path / "root", [str(file)])


def test_a_name_of_two_images_is_refused(dataset: Dataset, tmp_path: Path) -> None:
    twin = tmp_path / "root" / "sun" / "a1.png"
    cv2.imwrite(str(twin), np.zeros((8, 8, 3), np.uint8))
    again = DATASETS["folder"].open(tmp_path / "root", None)
    with pytest.raises(DatasetError, match=r"a1.png may be rain/night/a1.png or sun/a1.png"):
        with_attributes(again, tmp_path / "root", [table(tmp_path, "image,x\na1.png,1")])


def test_a_pair_is_named_by_its_rainy_image_too(tmp_path: Path) -> None:
    """Where several have one clean image, that says nothing of them."""
    for name in ("input/light/1.png", "input/heavy/1.png", "gt/1.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(tmp_path / name), np.zeros((8, 8, 3), np.uint8))
    pairs = DATASETS["pairs"].open(tmp_path, None)
    rows = "input/light/1.png,light\ninput/heavy/1.png,heavy\n"
    for word in ("(?P<rain>light|heavy)/", table(tmp_path, f"image,rain\n{rows}")):
        found = with_attributes(pairs, tmp_path, [word])
        said = {s.id: s.attributes for s in found.samples}
        assert said == {"light/1": {"rain": "light"}, "heavy/1": {"rain": "heavy"}}


def test_a_table_of_the_package_is_named_without_a_folder(tmp_path: Path) -> None:
    for name in ("000000000009", "000000000025", "other"):
        cv2.imwrite(str(tmp_path / f"{name}.png"), np.zeros((8, 8, 3), np.uint8))
    opened = DATASETS["folder"].open(tmp_path, None)
    found = with_attributes(opened, tmp_path, ["coco128-scenes.csv"])
    kept = select(found, ["scene=outdoor"])
    assert [s.path.stem for s in kept.samples] == ["000000000025"]
    with pytest.raises(DatasetError, match=r"no such file; coco128-scenes\.csv comes with"):
        with_attributes(opened, tmp_path, ["none.csv"])
