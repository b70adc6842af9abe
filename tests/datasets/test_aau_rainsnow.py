"""AAU RainSnow: what lies outside the labelled region is neither missed nor a false alarm."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from datasets import DATASETS, Dataset, DatasetError
from datasets.masks import encode
from tasks.coco_ap import Detections
from tasks.detection import Detection
from tasks.instance import Instance


@pytest.fixture
def root(tmp_path: Path, maker: Callable[[str], Any]) -> Path:
    made: Path = maker("aau_rainsnow").make(tmp_path / "aau")
    return made


def opened(root: Path, **options: Any) -> Dataset:
    dataset: Dataset = DATASETS["aau-rainsnow"].open(root, None, **options)
    return dataset


def test_frames_are_real_rain_and_objects_outside_the_region_are_left_out(root: Path) -> None:
    dataset = opened(root)
    assert not dataset.has_clean
    for sample in dataset.samples:
        found = sample.annotations
        assert found is not None
        # The box of negative size is that of its outline.
        assert found.boxes_xyxy_px.tolist() == [[20, 50, 50, 70], [70, 60, 78, 80]]
        assert sample.rainy_path == sample.path
    said = [dict(s.attributes) for s in dataset.samples]
    assert said[0] == {"place": "Egensevej", "sequence": "Egensevej-1"}
    assert dataset.samples[1].group == "Egensevej-5"


BOXES = np.array([[20, 50, 50, 70], [10, 2, 50, 14], [90, 30, 100, 55], [90, 20, 100, 55]], "f4")
"""A hit; a detection outside of the region; one mostly inside; one mostly outside."""


def found(masks: bool) -> Detections:
    pixels = np.zeros((len(BOXES), 120, 160), np.bool_)
    for window, (left, top, right, bottom) in zip(pixels, BOXES.astype(int), strict=True):
        window[top:bottom, left:right] = True
    return Detections(
        BOXES,
        np.array([0.9, 0.8, 0.7, 0.6], np.float32),
        np.full(len(BOXES), 3),
        tuple(encode(p) for p in pixels) if masks else (),
    )


def test_detections_outside_the_region_do_not_count(root: Path) -> None:
    sample = opened(root, masks=True).samples[0]
    names = opened(root).categories
    boxes = Detection(names).evidence(found(masks=False), sample)
    assert boxes["score"].tolist() == pytest.approx([0.9, 0.7])
    assert boxes["matched"][0, 0].tolist() == [True, False]
    masks = Instance(names).evidence(found(masks=True), sample)
    assert masks["mask_score"].tolist() == pytest.approx([0.9, 0.7])


def test_what_is_missing_is_named(root: Path) -> None:
    (root / "Egensevej" / "Egensevej-1-mask.png").unlink()
    with pytest.raises(DatasetError, match=r"Egensevej-1-mask.png not found: add the picture"):
        opened(root)
    (root / "aauRainSnow-rgb.json").unlink()
    with pytest.raises(DatasetError, match="give the folder that holds it with --data-root"):
        opened(root)
    with pytest.raises(DatasetError, match="AAU RainSnow's frames in colour are rgb"):
        DATASETS["aau-rainsnow"].open(root, "thermal")


def test_a_copy_takes_regions_along(root: Path, tmp_path: Path) -> None:
    dataset = opened(root)
    assert dataset.export_labels is not None
    places: Any = {s.id: s.path.relative_to(root) for s in dataset.samples}
    for sample in dataset.samples:
        copy = tmp_path / "copy" / places[sample.id]
        copy.parent.mkdir(parents=True)
        shutil.copy(sample.path, copy)
    dataset.export_labels(tmp_path / "copy", places)
    ours, theirs = opened(root).samples, opened(tmp_path / "copy").samples
    assert [s.annotations.sha256() for s in ours if s.annotations] == [
        s.annotations.sha256() for s in theirs if s.annotations
    ]
