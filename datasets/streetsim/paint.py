"""Strokes on the picture of a front: pictures, bands and shadows."""

from __future__ import annotations

import numpy as np

from datasets.image import NDArrayByte
from datasets.streetsim.canvas import Colour


def paste(front: NDArrayByte, picture: NDArrayByte, top: int, left: int) -> None:
    """Lay a picture over the front, cut where it does not fit."""
    rows, columns = front.shape[:2]
    y0, x0 = max(0, top), max(0, left)
    y1, x1 = min(rows, top + picture.shape[0]), min(columns, left + picture.shape[1])
    if y1 > y0 and x1 > x0:
        front[y0:y1, x0:x1] = picture[y0 - top : y1 - top, x0 - left : x1 - left]


def paste_colour(
    front: NDArrayByte, top: int, bottom: int, left: int, right: int, colour: Colour, glow: int = 0
) -> None:
    """Fill a rectangle, as far as it lies on the front."""
    if bottom > top and right > left and bottom > 0 and right > 0:
        front[max(0, top) : bottom, max(0, left) : right] = (*colour, glow)


def darken(front: NDArrayByte, top: int, bottom: int, left: int, right: int, level: int) -> None:
    """Darken a rectangle to level/256, as far as it lies on the front."""
    if bottom > top and right > left and bottom > 0 and right > 0:
        shade_area(front, top, bottom, left, right, level)


def band(front: NDArrayByte, top: int, bottom: int, colour: Colour) -> None:
    """Fill rows."""
    paste_colour(front, top, bottom, 0, front.shape[1], colour)


def shade(front: NDArrayByte, top: int, bottom: int, level: int) -> None:
    """Darken rows to level/256."""
    shade_area(front, top, bottom, 0, front.shape[1], level)


def shade_area(
    front: NDArrayByte, top: int, bottom: int, left: int, right: int, level: int
) -> None:
    """Darken what of a rectangle lies on the front to level/256."""
    area = front[max(0, top) : max(0, bottom), max(0, left) : max(0, right), :3]
    area[:] = ((area.astype(np.uint16) * level) >> 8).astype(np.uint8)
