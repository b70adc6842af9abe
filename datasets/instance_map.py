"""Objects from a picture of numbers: all pixels of one number are one object."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from datasets.masks import encode
from datasets.sample import LabelledObject


class Region(NamedTuple):
    """All pixels of one number."""

    number: int
    inside: NDArray[np.bool_]
    """Which pixels of the window."""
    window: tuple[slice, slice]
    """Rows and columns of the smallest box around them."""


def regions(numbers: NDArray[Any]) -> list[Region]:
    """Every number above 0 in ``int (H, W)``, rising."""
    from scipy import ndimage

    names, places = np.unique(numbers, return_inverse=True)
    first = int(np.searchsorted(names, 1))
    # find_objects takes time for every number up to the largest, so they are counted anew.
    dense = np.maximum(places.reshape(numbers.shape) - (first - 1), 0).astype(np.int32)
    found = enumerate(ndimage.find_objects(dense), start=1)
    return [
        Region(int(names[first + n - 1]), dense[window] == n, window)
        for n, window in found
        if window is not None
    ]


def labelled(
    region: Region, shape: tuple[int, ...], category: int, is_crowd: bool, masks: bool
) -> LabelledObject:
    """A row from a region of a picture of this shape."""
    rows, columns = region.window
    box = (float(columns.start), float(rows.start), float(columns.stop), float(rows.stop))
    mask = None
    if masks:
        pixels = np.zeros(shape[:2], np.bool_, order="F")
        pixels[region.window] = region.inside
        mask = encode(pixels)
    return LabelledObject(box, category, float(region.inside.sum()), is_crowd, mask)
