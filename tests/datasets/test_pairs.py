"""Rainy images and their clean ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from datasets import DATASETS, DatasetError
from datasets.image import encode_png


def tree(root: Path, rainy: dict[str, int], clean: dict[str, int], names: str = "in:gt") -> Path:
    """Folders of small images of one brightness each."""
    for folder, images in zip(names.split(":"), (rainy, clean), strict=True):
        (root / folder).mkdir(parents=True)
        for name, level in images.items():
            data = encode_png(np.full((12, 16, 3), level, np.uint8))
            (root / folder / name).write_bytes(data)
    return root


@pytest.mark.parametrize("names", ["input:target", "rainy:norain", "inputcrop:cleancrop", "in:gt"])
def test_known_layouts_are_found(names: str, tmp_path: Path) -> None:
    tree(tmp_path, {"a.png": 9, "b.png": 8}, {"a.png": 7, "b.png": 6, "c.png": 5}, names)
    dataset = DATASETS["pairs"](tmp_path, None)
    assert [s.id for s in dataset.samples] == ["a", "b"]
    assert dataset.samples[0].given_rain().max() == 9
    assert dataset.samples[0].image().max() == 7


def test_a_longer_name_belongs_to_its_beginning(tmp_path: Path) -> None:
    rainy = {"im_1_s80_a04.png": 9, "im_1_s85_a04.png": 8, "im_10_s80.png": 7}
    tree(tmp_path, rainy, {"im_1.png": 1, "im_10.png": 2})
    samples = {s.id: s for s in DATASETS["pairs"](tmp_path, None).samples}
    assert samples["im_1_s80_a04"].group == samples["im_1_s85_a04"].group == "im_1"
    assert samples["im_10_s80"].image().max() == 2


def test_folders_may_be_named(tmp_path: Path) -> None:
    tree(tmp_path / "test", {"a.png": 9}, {"a.jpg": 7}, "wet:dry")
    assert len(DATASETS["pairs"](tmp_path, "test", pair="wet:dry").samples) == 1
    with pytest.raises(DatasetError, match=r"no folders wet/moist there.*--pair RAINY:CLEAN"):
        DATASETS["pairs"](tmp_path, "test", pair="wet:moist")
    with pytest.raises(DatasetError, match="expected RAINY:CLEAN"):
        DATASETS["pairs"](tmp_path, "test", pair="wet")


def test_what_cannot_be_paired_is_named(tmp_path: Path) -> None:
    tree(tmp_path / "a", {"x.png": 9}, {"y.png": 7})
    with pytest.raises(DatasetError, match=r"x\.png in in has no clean image in gt"):
        DATASETS["pairs"](tmp_path / "a", None)
    tree(tmp_path / "b", {"x.png": 9, "x.jpg": 9}, {"x.png": 7})
    with pytest.raises(DatasetError, match="have one stem"):
        DATASETS["pairs"](tmp_path / "b", None)
    tree(tmp_path / "c", {}, {"x.png": 7})
    with pytest.raises(DatasetError, match="no image there"):
        DATASETS["pairs"](tmp_path / "c", None)


def test_a_set_without_rain_says_so(tmp_path: Path) -> None:
    tree(tmp_path, {"a.png": 9}, {"a.png": 7})
    with pytest.raises(DatasetError, match="brings no rain"):
        DATASETS["folder"](tmp_path / "gt", None).samples[0].given_rain()
