"""The table that says which class means which."""

from __future__ import annotations

import itertools

import pytest

from datasets import DatasetError
from datasets.categories import INTO, SAME, SETS, translate

PAIRS = list(itertools.product(SETS, SETS))


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


def test_the_table_names_classes_that_exist_and_each_once() -> None:
    for name, classes in SETS.items():
        said = [row[name] for row in SAME if name in row]
        assert len(set(said)) == len(said)
        assert set(said) <= set(classes)
    for (source, target), meanings in INTO.items():
        assert set(meanings) <= set(SETS[source])
        assert set(meanings.values()) <= set(SETS[target])
        same = {row[source] for row in SAME if source in row and target in row}
        assert not same & set(meanings), "a class is both the same and part of another"


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_what_means_the_same_comes_back(source: str, target: str) -> None:
    there, back = translate(source, target), translate(target, source)
    assert set(there) <= set(SETS[source])
    assert set(there.values()) <= set(SETS[target])
    first, second = (name.removesuffix("-instances") for name in (source, target))
    for name in there:
        if name not in INTO.get((first, second), {}):
            assert back[there[name]] == name


def test_sets_are_held_where_they_should_be() -> None:
    assert translate("coco", "coco") == {name: name for name in SETS["coco"]}
    assert set(translate("bdd100k", "coco")) == set(SETS["bdd100k"]) - {"traffic sign"}
    assert set(translate("bdd100k-instances", "cityscapes")) == set(SETS["bdd100k-instances"])
    assert set(translate("cityscapes", "camvid")) == set(SETS["cityscapes"])
    assert set(translate("cityscapes", "camvid").values()) == set(SETS["camvid"])
    assert translate("coco", "bdd100k")["person"] == "pedestrian"
    with pytest.raises(DatasetError, match="unknown classes 'voc': known are coco, bdd100k"):
        translate("voc", "coco")


def test_the_names_are_those_of_the_toolkits() -> None:
    ultralytics = pytest.importorskip("ultralytics")
    from pathlib import Path

    import yaml

    listed = Path(ultralytics.__file__).parent / "cfg" / "datasets" / "coco.yaml"
    assert tuple(yaml.safe_load(listed.read_text())["names"].values()) == SETS["coco"]
