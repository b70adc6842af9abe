"""A task network that finds what is bright."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from datasets.image import NDArrayByte
from tasks.coco_ap import Detections
from tasks.models.rows import ModelRow


class Finder:
    """One box around everything that is brighter than the level in its file."""

    names = ("square",)

    def __init__(self, file: Path, device: str) -> None:
        """Read the level, a number in text."""
        self._level = int(file.read_text())

    def detect(self, images: list[NDArrayByte]) -> list[Detections]:
        """Find the square."""
        return [self._one(image) for image in images]

    def _one(self, image: NDArrayByte) -> Detections:
        rows, columns = np.nonzero(image.min(2) > self._level)
        ends = [[columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]] if len(rows) else []
        return Detections(
            np.array(ends, np.float32).reshape(-1, 4),
            np.full(len(ends), 0.9, np.float32),
            np.zeros(len(ends), np.int64),
        )


FINDER = ModelRow("detection", Finder, {}, ("numpy",), "Apache-2.0", needs="numpy")
