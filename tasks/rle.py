"""Masks of predictions: checked before C code sees them, and made of binary pixels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from datasets import masks as outlines
from datasets.sample import DatasetError, Mask
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
