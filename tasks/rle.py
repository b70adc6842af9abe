"""Masks of predictions: checked before C code sees them, and made of binary pixels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datasets import masks as outlines
from datasets.sample import DatasetError, Mask
from tasks.json_rows import shown
from tasks.task import TaskError


def encoded(pixels: NDArray[np.uint8]) -> tuple[Mask, ...]:
    """Binary masks ``uint8 (N, H, W)`` of 0 and 1 as run lengths."""
    return tuple(outlines.encode(mask.astype(np.bool_)) for mask in pixels)


def check(masks: Sequence[Mask], size_px: tuple[int, int], where: str) -> None:
    """Refuse masks that pycocotools could not survive.

    Args:
        masks: Run lengths, column by column.
        size_px: Height and width that they must have.
        where: What to call them in an error.

    Raises:
        TaskError: For another size, or run lengths that do not fill it.
    """
    for i, mask in enumerate(masks):
        if (mask.height_px, mask.width_px) != size_px:
            raise TaskError(
                f"{where}: mask {i} is {mask.width_px}x{mask.height_px}, "
                f"the image {size_px[1]}x{size_px[0]}"
            )
        try:
            runs = outlines.run_lengths(mask.counts, where)
        except DatasetError:
            runs = np.array([-1])
        if (runs < 0).any() or runs.sum() != size_px[0] * size_px[1]:
            raise TaskError(
                f"{where}: the run lengths of mask {i} are damaged or do not fill "
                f"{size_px[1]}x{size_px[0]} pixels"
            )


def read(shape: Any, size_px: tuple[int, int], where: str) -> Mask:
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
    check([mask], size_px, where)
    return mask
