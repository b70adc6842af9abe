"""The classes of sets, and other words for them."""

from __future__ import annotations

import unicodedata

import pytest

from datasets.categories import SETS, meaning, spelling


def test_every_set_has_its_number_of_classes() -> None:
    sizes = {name: len(classes) for name, classes in SETS.items()}
    assert sizes == {
        "coco": 80,
        "bdd100k": 10,
        "bdd100k-instances": 8,
        "cityscapes": 19,
        "camvid": 11,
    }
    assert all(len(set(classes)) == len(classes) for classes in SETS.values())


def test_other_words_for_a_class_mean_the_same() -> None:
    assert meaning("Pedestrian") == meaning("person") == "person"
    assert meaning("TV/Monitor") == meaning("tv")
    assert meaning("rider") == "rider"


def test_accents_are_the_same_however_they_are_coded_and_vowels_tell_words_apart() -> None:
    assert spelling(unicodedata.normalize("NFD", "Fußgänger")) == spelling("fussgänger")
    assert spelling("कार") != spelling("कर")
    assert spelling("☔️") != spelling("⚡️")


@pytest.mark.parametrize("name", SETS)
def test_no_set_has_two_classes_of_one_meaning(name: str) -> None:
    meanings = [meaning(each) for each in SETS[name]]
    assert len(set(meanings)) == len(meanings)


def test_the_names_are_those_of_the_toolkits() -> None:
    ultralytics = pytest.importorskip("ultralytics")
    from pathlib import Path

    import yaml

    listed = Path(ultralytics.__file__).parent / "cfg" / "datasets" / "coco.yaml"
    assert tuple(yaml.safe_load(listed.read_text())["names"].values()) == SETS["coco"]
