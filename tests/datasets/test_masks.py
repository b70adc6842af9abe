"""Masks: what pycocotools makes of them, and what never reaches it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from datasets import DATASETS, DatasetError
from datasets.masks import area_px2, box_xyxy_px, decode, encode, from_coco

FILE = "annotations/instances_val2017.json"
BLOB = np.zeros((30, 40), np.bool_)
BLOB[5:9, 10:16] = True


@settings(max_examples=60)
@given(
    arrays(np.bool_, st.tuples(st.integers(1, 12), st.integers(1, 12))),
)
def test_every_way_to_write_a_mask_gives_the_same(pixels: np.ndarray[Any, Any]) -> None:
    height, width = pixels.shape
    mask = encode(pixels)
    assert (decode(mask) == pixels).all()
    assert area_px2(mask) == pixels.sum()
    compressed = {"size": [height, width], "counts": mask.counts.decode()}
    assert from_coco(compressed, height, width, "here") == mask
    column_by_column = pixels.T.ravel()
    ends = np.flatnonzero(np.diff(column_by_column, prepend=False)).tolist()
    runs = np.diff([0, *ends, pixels.size]).tolist()
    assert from_coco({"size": [height, width], "counts": runs}, height, width, "here") == mask
    padded = [0, 0, *runs, 0, 0]
    assert from_coco({"size": [height, width], "counts": padded}, height, width, "here") == mask


def test_polygons_are_joined() -> None:
    left, right = [10, 5, 13, 5, 13, 9, 10, 9], [13, 5, 16, 5, 16, 9, 13, 9]
    mask = from_coco([left, right], 30, 40, "here")
    assert mask == encode(BLOB)
    assert box_xyxy_px(mask) == (10, 5, 16, 9)


def test_a_polygon_may_leave_the_frame() -> None:
    assert decode(from_coco([[-20, -20, 60, -20, 60, 50, -20, 50]], 30, 40, "here")).all()


def test_coco_brings_masks_where_they_are_asked_for(coco_root: Path) -> None:
    plain = DATASETS["coco"].open(coco_root, None)
    assert all(s.annotations is not None and s.annotations.masks == () for s in plain.samples)
    for sample in DATASETS["coco"].open(coco_root, None, masks=True).samples:
        assert sample.annotations is not None
        assert len(sample.annotations.masks) == len(sample.annotations.categories)
        for mask, box in zip(
            sample.annotations.masks, sample.annotations.boxes_xyxy_px.tolist(), strict=True
        ):
            assert (mask.height_px, mask.width_px) == sample.image().shape[:2]
            assert list(box_xyxy_px(mask)) == box


HOSTILE: dict[str, tuple[str, str]] = {
    "NaN": ("[[NaN, 1, 2, 3, 4, 5]]", "NaN is not a number"),
    "infinite": ("[[1e999, 1, 2, 3, 4, 5]]", "not finite"),
    "huge": ("[[1e9, 1, 2, 3, 4, 5]]", "far outside the image"),
    "two points": ("[[1, 2, 3, 4]]", "at least 3 points"),
    "odd": ("[[1, 2, 3, 4, 5, 6, 7]]", "at least 3 points"),
    "words": ('[["a", 2, 3, 4, 5, 6]]', "not a number"),
    "nested": ("[[[1, 2, 3, 4, 5, 6]]]", "at least 3 points"),
    "none": ("[]", "is a box without an outline"),
    "null": ("null", "is a box without an outline"),
    "a word": ('"?"', "must be polygons or run lengths"),
    "long outline": (json.dumps([[0, 0, 480, 360] * 40_000]), "outline of more than"),
    "overlong": ('{"size": [120, 160], "counts": [0, 99999999999]}', "counts' sum to"),
    "short": ('{"size": [120, 160], "counts": [5, 5]}', "counts' sum to 10"),
    "negative": ('{"size": [120, 160], "counts": [-5, 19205]}', "negative run"),
    "other size": ('{"size": [160, 120], "counts": [19200]}', "run lengths of size"),
    "no size": ('{"counts": [19200]}', "run lengths of size None"),
    "fractions": ('{"size": [120, 160], "counts": [0.5, 19199.5]}', "list of integers"),
    "endless text": ('{"size": [120, 160], "counts": "oooo"}', "no compressed run-length"),
    "wide text": ('{"size": [120, 160], "counts": "oooooooooooooooo0"}', "more than 32 bits"),
    "foreign text": ('{"size": [120, 160], "counts": "\\u20ac\\ud800"}', "no compressed"),
    "empty text": ('{"size": [120, 160], "counts": ""}', "no compressed run-length"),
    "falling text": ('{"size": [120, 160], "counts": "1111J"}', "negative run"),
    "deep": ("[" * 100_000 + "]" * 100_000, "nested too deep"),
}

LOOP = """
import sys
from pathlib import Path
from datasets import DATASETS, DatasetError
for root in sys.argv[1:]:
    try:
        [s.annotations for s in DATASETS["coco"].open(Path(root), None, masks=True).samples]
        print("accepted")
    except DatasetError as error:
        print(error)
"""


def test_hostile_masks_are_refused_in_one_line_and_end_no_process(
    coco_root: Path, tmp_path: Path
) -> None:
    for case, (segmentation, _) in HOSTILE.items():
        root = tmp_path / case
        (root / "annotations").mkdir(parents=True)
        (root / "images").symlink_to(coco_root / "images")
        content = (coco_root / FILE).read_text()
        first = json.dumps(json.loads(content)["annotations"][0]["segmentation"])
        (root / FILE).write_text(content.replace(first, segmentation, 1))
    done = subprocess.run(
        [sys.executable, "-c", LOOP, *(str(tmp_path / case) for case in HOSTILE)],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr  # a signal would be negative
    lines = done.stdout.splitlines()
    assert len(lines) == len(HOSTILE)
    for line, (case, (_, words)) in zip(lines, HOSTILE.items(), strict=True):
        assert words in line, case
        assert "instances_val2017.json" in line, case


def test_a_huge_image_is_refused() -> None:
    with pytest.raises(DatasetError, match="too large"):
        from_coco([[0, 0, 1, 1, 2, 2]], 10**6, 10**6, "here")
    with pytest.raises(DatasetError, match="too large"):
        from_coco([[0, 0, 1, 1, 2, 2]], 2**15, 2**15, "here")


@pytest.mark.data
def test_real_masks_are_those_of_pycocotools(data: Path) -> None:
    from pycocotools.coco import COCO

    official = COCO(str(data / "coco128" / "annotations" / "instances_train2017.json"))
    total = 0
    for sample in DATASETS["coco"].open(data / "coco128", None, masks=True).samples:
        assert sample.annotations is not None
        entries = official.imgToAnns[int(sample.id)]
        theirs = [official.annToRLE(entry)["counts"] for entry in entries]
        assert [mask.counts for mask in sample.annotations.masks] == theirs
        total += len(theirs)
    assert total == 939
