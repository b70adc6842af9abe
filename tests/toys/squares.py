"""A data set of bright squares on dark ground."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image

from datasets import fields
from datasets.fields import Problems
from datasets.sample import Annotations, Dataset, DatasetError, LabelledObject, Sample

SIDE_PX = 64


def open_squares(root: Path, split: str | None, problems: Problems | None = None) -> Dataset:
    """Read ``<split>.json``, a box by image file.

    Raises:
        DatasetError: If there is no such split.
    """
    file = root / f"{split}.json"
    if not file.is_file():
        raise DatasetError(f"--split {split}: no {file.name} in {root.name}")
    samples = []
    for name, box in json.loads(file.read_bytes()).items():
        with fields.told(problems):
            area = (box[2] - box[0]) * (box[3] - box[1])
            labels = Annotations.of([LabelledObject(tuple(box), 1, area, is_crowd=False)])
            stem = Path(name).stem
            samples.append(Sample(stem, root / name, group=stem, labels=labels))
    return Dataset("squares", str(split), samples, categories={1: "square"})


def make(root: Path, images: int = 24) -> Path:
    """Write a miniature of the split ``all``."""
    root.mkdir(parents=True, exist_ok=True)
    rng, boxes = np.random.default_rng(0), {}
    for number in range(images):
        picture = rng.integers(0, 60, (SIDE_PX, SIDE_PX, 3)).astype(np.uint8)
        left, top = (int(side) for side in rng.integers(4, 30, 2))
        width, height = (int(side) for side in rng.integers(12, 30, 2))
        picture[top : top + height, left : left + width] = 200
        Image.fromarray(picture).save(root / f"{number:02}.png")
        boxes[f"{number:02}.png"] = [left, top, left + width, top + height]
    (root / "all.json").write_text(json.dumps(boxes))
    return root
