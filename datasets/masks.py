"""Masks of objects: COCO's polygons and run lengths, checked before they reach C code.

pycocotools trusts what it is given: coordinates that are no numbers end the process, and run
lengths that overrun the image are written or waited for without end. So nothing passes here that
is not finite, near the frame and of its size, and run lengths are rewritten from plain pixels.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from datasets.sample import DatasetError, Mask

FAR = 4
"""Boxes and polygons may reach at most this many frame sizes outside the frame."""
MAX_SIDE_PX = 2**15
MAX_PIXELS = 2**27
MAX_OUTLINE_PX = 2**22
"""Longest outline of one polygon: pycocotools takes memory for each step along it."""


def encode(pixels: NDArray[np.bool_]) -> Mask:
    """The mask of ``bool (H, W)`` pixels."""
    from pycocotools import mask as coco

    run_lengths = coco.encode(np.asfortranarray(pixels, np.uint8))
    height_px, width_px = pixels.shape
    return Mask(height_px, width_px, run_lengths["counts"])


def of_runs(counts: NDArray[np.int64], height_px: int, width_px: int) -> Mask:
    """The mask of run lengths of our own: column by column, the first outside the object."""
    from pycocotools import mask as coco

    plain = {"size": [height_px, width_px], "counts": counts.tolist()}
    return Mask(height_px, width_px, coco.frPyObjects(plain, height_px, width_px)["counts"])


def decode(mask: Mask) -> NDArray[np.bool_]:
    """The pixels of a mask that one of these functions made, ``bool (H, W)``."""
    pixels = _pixels(run_lengths(mask.counts, "mask"), mask.height_px, mask.width_px)
    return np.ascontiguousarray(pixels)


def _pixels(runs: NDArray[np.int64], height_px: int, width_px: int) -> NDArray[np.bool_]:
    """Pixels from run lengths, column by column, the first outside the object."""
    pixels = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
    return pixels.reshape(width_px, height_px).T


def area_px2(mask: Mask) -> float:
    """Number of pixels."""
    from pycocotools import mask as coco

    return float(coco.area(_coco(mask)))


def box_xyxy_px(mask: Mask) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of the smallest box around the mask; zeros where it is empty."""
    from pycocotools import mask as coco

    x, y, w, h = (float(v) for v in coco.toBbox(_coco(mask)))
    return x, y, x + w, y + h


def _coco(mask: Mask) -> dict[str, Any]:
    return {"size": [mask.height_px, mask.width_px], "counts": mask.counts}


def from_coco(segmentation: Any, height_px: int, width_px: int, where: str) -> Mask:
    """The mask of an annotation's ``segmentation``.

    Args:
        segmentation: A list of polygons ``[x, y, x, y, …]`` that together are the object, or
            ``{"size": [height, width], "counts": …}`` with counts as a list or compressed.
        height_px: Height of the image.
        width_px: Width of the image.
        where: What to call the annotation in an error.

    Raises:
        DatasetError: If it is anything else, or does not fit the image.
    """
    if max(height_px, width_px) > MAX_SIDE_PX or height_px * width_px > MAX_PIXELS:
        raise DatasetError(f"{where}: an image of {width_px}x{height_px} pixels is too large")
    if isinstance(segmentation, dict):
        return from_run_lengths(segmentation, height_px, width_px, where)
    return from_polygons(segmentation, height_px, width_px, where)


def from_polygons(polygons: Any, height_px: int, width_px: int, where: str) -> Mask:
    """The union of polygons ``[x, y, x, y, …]``; see `from_coco`."""
    from pycocotools import mask as coco

    if not isinstance(polygons, list) or not polygons:
        raise DatasetError(f"{where}: 'segmentation' must be polygons or run lengths")
    checked = [
        _polygon(polygon, height_px, width_px, f"{where}: 'segmentation' polygon {i}")
        for i, polygon in enumerate(polygons)
    ]
    merged = coco.merge(coco.frPyObjects(checked, height_px, width_px))
    return Mask(height_px, width_px, merged["counts"])


def _polygon(polygon: Any, height_px: int, width_px: int, where: str) -> list[float]:
    """One polygon, safe to draw."""
    if not isinstance(polygon, list) or len(polygon) % 2 or len(polygon) < 6:
        raise DatasetError(f"{where} must be [x, y, x, y, …] with at least 3 points")
    if not all(isinstance(v, int | float) and not isinstance(v, bool) for v in polygon):
        raise DatasetError(f"{where} holds what is not a number")
    if not all(abs(v) < 1e15 for v in polygon):  # NaN compares false
        raise DatasetError(f"{where} holds a coordinate that is not finite")
    points = np.array(polygon, np.float64).reshape(-1, 2)
    if (np.abs(points) > FAR * np.array([width_px, height_px])).any():
        raise DatasetError(f"{where} lies far outside the image of {width_px}x{height_px}")
    if np.abs(np.diff(points, axis=0, append=points[:1])).max(1).sum() > MAX_OUTLINE_PX:
        raise DatasetError(f"{where} has an outline of more than {MAX_OUTLINE_PX} pixels")
    return points.ravel().tolist()


def from_run_lengths(entry: Any, height_px: int, width_px: int, where: str) -> Mask:
    """The mask of COCO's run lengths, ``{"size": …, "counts": …}``; see `from_coco`."""
    if not isinstance(entry, dict) or entry.get("size") != [height_px, width_px]:
        size = entry.get("size") if isinstance(entry, dict) else None
        raise DatasetError(
            f"{where}: run lengths of size {str(size)[:40]}, "
            f"the image has [{height_px}, {width_px}]"
        )
    counts = entry.get("counts")
    if isinstance(counts, str):
        runs = run_lengths(counts.encode(errors="surrogatepass"), where)
    elif isinstance(counts, list) and all(type(v) is int and abs(v) < 2**40 for v in counts):
        runs = np.array(counts, np.int64)
    else:
        raise DatasetError(f"{where}: 'counts' must be a string or a list of integers")
    if (runs < 0).any():
        raise DatasetError(f"{where}: 'counts' holds a negative run")
    if runs.sum() != height_px * width_px:
        raise DatasetError(
            f"{where}: 'counts' sum to {runs.sum()}, the image has {height_px * width_px} pixels"
        )
    return encode(_pixels(runs, height_px, width_px))


def run_lengths(text: bytes, where: str) -> NDArray[np.int64]:
    """Run lengths of COCO's compressed text: 5 bits per character, most runs as differences.

    Args:
        text: As in `Mask.counts`.
        where: What to call it in an error.

    Raises:
        DatasetError: If it is no such text.

    Reference:
        cocoapi, ``common/maskApi.c``, rleToString.
    """
    codes = np.frombuffer(text, np.uint8).astype(np.int64) - 48
    last = (codes & 32) == 0
    if not len(codes) or not last[-1] or (codes >> 6).any():
        raise DatasetError(f"{where}: 'counts' is no compressed run-length text")
    starts = np.r_[0, np.flatnonzero(last)[:-1] + 1]
    place = np.arange(len(codes)) - np.repeat(starts, np.diff(np.r_[starts, len(codes)]))
    if place.max() > 6:
        raise DatasetError(f"{where}: 'counts' holds a run of more than 32 bits")
    values = np.add.reduceat((codes & 31) << (5 * place), starts)
    negative = (codes[last] & 16) != 0
    values -= np.where(negative, np.int64(1) << (5 * (place[last] + 1)), 0)
    for first in (1, 2):  # From the fourth on, a run is told by its difference to the last but one.
        values[first::2] = np.cumsum(values[first::2])
    return values
