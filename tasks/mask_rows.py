"""Masks of results files, in whatever form of COCO's."""

from __future__ import annotations

from typing import Any

import numpy as np

from datasets import masks as outlines
from datasets.sample import DatasetError, Mask
from tasks import rle
from tasks.json_rows import shown
from tasks.task import TaskError


def mask_of(shape: Any, size_px: tuple[int, int], where: str) -> Mask:
    """A result's mask: run lengths, compressed or listed, or polygons as labels have them.

    Args:
        shape: As it stands in a file.
        size_px: Height and width of the image.
        where: What to call it in an error.

    Raises:
        TaskError: If it is none of these, or not of the image's size.
    """
    if isinstance(shape, list):
        try:
            return outlines.from_coco(shape, *size_px, where)
        except DatasetError as error:
            raise TaskError(str(error)) from error
    if not isinstance(shape, dict) or shape.get("size") != list(size_px):
        size = shown(shape.get("size") if isinstance(shape, dict) else shape)
        raise TaskError(
            f"{where}: segmentation must be polygons or run lengths of size {list(size_px)}, got "
            f"{size}"
        )
    counts = shape.get("counts")
    if isinstance(counts, list):
        total = size_px[0] * size_px[1]
        if not all(type(c) is int and 0 <= c <= total for c in counts) or sum(counts) != total:
            raise TaskError(f"{where}: the run lengths do not fill the image")
        return outlines.of_runs(np.array(counts, np.int64), *size_px)
    if not isinstance(counts, str) or not counts.isascii():
        raise TaskError(f"{where}: segmentation has no run lengths")
    mask = Mask(*size_px, counts.encode())
    rle.check([mask], size_px, where)
    return mask
