"""COCO's run lengths, checked before C code sees them, and made of binary masks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from datasets.sample import Mask
from tasks.task import TaskError

LONGEST = 7
"""Characters of 5 bits each that a count may take: more would not fit the scorer's integers."""


def encoded(masks: NDArray[np.uint8]) -> tuple[Mask, ...]:
    """Binary masks ``uint8 (N, H, W)`` of 0 and 1 as run lengths."""
    from pycocotools import mask as coco_mask

    height, width = masks.shape[1:]
    return tuple(
        Mask(height, width, coco_mask.encode(np.asfortranarray(mask))["counts"]) for mask in masks
    )


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
        runs = run_lengths(mask.counts)
        if runs is None or (runs < 0).any() or runs.sum() != size_px[0] * size_px[1]:
            raise TaskError(
                f"{where}: the run lengths of mask {i} are damaged or do not fill "
                f"{size_px[1]}x{size_px[0]} pixels"
            )


def run_lengths(counts: bytes) -> NDArray[np.int64] | None:
    """The lengths inside COCO's compressed text; None where it is no such text.

    Each length is written in characters of five bits, low bits first, from the sign ``0``; bit six
    says that more follow. From the fourth on, it is the difference to the last but one.
    """
    characters = np.frombuffer(counts, np.uint8).astype(np.int64) - 48
    if not characters.size or characters.min() < 0 or characters.max() > 63 or characters[-1] & 32:
        return None
    ends = np.flatnonzero(characters & 32 == 0)
    starts = np.concatenate([[0], ends[:-1] + 1])
    if (ends - starts).max() >= LONGEST:
        return None
    places = np.arange(len(characters)) - np.repeat(starts, ends - starts + 1)
    lengths = np.add.reduceat((characters & 31) << (5 * places), starts)
    negative = characters[ends] & 16 > 0
    lengths[negative] -= 1 << (5 * (ends - starts + 1)[negative])
    lengths[1::2] = np.cumsum(lengths[1::2])
    lengths[2::2] = np.cumsum(lengths[2::2])
    return lengths
