"""What is drawn on: colour, nearness and owner of every sub-pixel, hidden surfaces removed.

The canvas has twice the image's width and height. A sub-pixel shows what is nearest; a pixel's
colour is the mean of its four, its labels and depth are those of its lower right one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from datasets.image import NDArrayByte, NDArrayFloat
from datasets.streetsim.camera import Points

SCALE = 2
"""Sub-pixels of a pixel, along a row and along a column."""
FIRST_OBJECT = 32
"""Owners below are classes of surfaces that are no objects; from here on objects are counted."""
_SHIFT = 4
"""Corners are drawn to 1/16 of a sub-pixel."""

Colour = tuple[int, int, int]
T = TypeVar("T", np.uint32, np.float32)
V = TypeVar("V")


def three(values: Iterable[V]) -> tuple[V, V, V]:
    """Three values as a colour or a point."""
    first, second, third = values
    return first, second, third


def packed(rgb: NDArrayByte) -> NDArray[np.uint32]:
    """``uint8 (…, 3)`` as one number per colour, red lowest."""
    red, green, blue = (rgb[..., i].astype(np.uint32) for i in range(3))
    return np.asarray(red | (green << np.uint32(8)) | (blue << np.uint32(16)), np.uint32)


def look_up(index: NDArrayByte, table: NDArray[T]) -> NDArray[T]:
    """An entry of a table of 256 four-byte numbers for each index."""
    found = cv2.LUT(index, table.view(np.int32))
    return np.asarray(found, np.int32).reshape(index.shape).view(table.dtype)


@dataclass
class Shape:
    """Flat polygons that cover each other in the order in which they were added."""

    outlines: list[Points] = field(default_factory=list)
    """Each ``(N, 3)``: column, row, reciprocal of the depth; convex."""
    colours: list[Colour] = field(default_factory=list)
    shades: list[tuple[float, float]] = field(default_factory=list)
    """Brightness at the top and at the bottom of each polygon, 1 for its colour as it is."""
    flat: bool = False
    """Whether every polygon has one depth, that of its first corner."""

    def add(self, outline: Points, colour: Colour, top: float = 1.0, bottom: float = 1.0) -> None:
        """One more polygon, over the others."""
        self.outlines.append(outline)
        self.colours.append(colour)
        self.shades.append((top, bottom))


class Canvas:
    """Colour, nearness and owner of every sub-pixel."""

    def __init__(self, width_px: int, height_px: int, farthest_m: float) -> None:
        self.width_px, self.height_px = width_px, height_px
        self.colour = np.zeros((height_px, width_px), np.uint32)
        self.nearness = np.full((height_px, width_px), 1 / farthest_m, np.float32)
        """Reciprocal of the depth."""
        self.owner = np.zeros((height_px, width_px), np.uint16)
        self.alone_px: dict[int, int] = {}
        """Pixels that each object would have without the others, inside the frame."""

    def paint(
        self,
        corner: tuple[int, int],
        mask: NDArray[np.bool_],
        nearness: NDArrayFloat,
        colour: NDArray[np.uint32],
        owner: int,
    ) -> None:
        """Put a picture where it is nearer than what is there.

        Args:
            corner: Top row and left column on the canvas; the picture must lie inside.
            mask: Where the picture is, ``(h, w)``.
            nearness: Reciprocals of its depth, of a shape that spreads to ``(h, w)``.
            colour: Packed colours, likewise.
            owner: Whose sub-pixels they become.
        """
        top, left = corner
        area = slice(top, top + mask.shape[0]), slice(left, left + mask.shape[1])
        if owner >= FIRST_OBJECT:
            own = mask[(top + 1) % SCALE :: SCALE, (left + 1) % SCALE :: SCALE]
            self.alone_px[owner] = self.alone_px.get(owner, 0) + int(np.count_nonzero(own))
        shown = mask & (nearness > self.nearness[area])
        np.copyto(self.nearness[area], nearness, where=shown)
        np.copyto(self.colour[area], colour, where=shown)
        np.copyto(self.owner[area], np.uint16(owner), where=shown)

    def hides(self, top: int, bottom: int, left: int, right: int, nearness: float) -> bool:
        """Whether all of a part of the frame shows what is nearer, seen at every fourth point."""
        area = self.nearness[max(0, top) : max(0, bottom), max(0, left) : max(0, right)]
        return not area.size or float(area[::4, ::4].min()) > nearness

    def draw(self, shape: Shape, owner: int) -> None:
        """Draw polygons with their own depths; at most 255 of them."""
        if not shape.outlines:
            return
        points = np.concatenate(shape.outlines)
        left, top = (max(0, int(np.floor(v)) - 1) for v in points[:, :2].min(0))
        right, bottom = points[:, :2].max(0)
        right = min(self.width_px, int(np.ceil(right)) + 2)
        bottom = min(self.height_px, int(np.ceil(bottom)) + 2)
        if right <= left or bottom <= top:
            return
        which = np.zeros((bottom - top, right - left), np.uint8)
        corners = np.rint((points[:, :2] - (left + 0.5, top + 0.5)) * (1 << _SHIFT))
        corners = np.clip(corners, -(1 << 20), 1 << 20).astype(np.int32)
        start = 0
        for i, outline in enumerate(shape.outlines):
            end = start + len(outline)
            cv2.fillConvexPoly(which, corners[start:end], i + 1, cv2.LINE_8, _SHIFT)
            start = end
        x = np.arange(right - left, dtype=np.float32)
        y = np.arange(bottom - top, dtype=np.float32)
        lengths = [len(outline) for outline in shape.outlines]
        starts = np.cumsum([0, *lengths[:-1]], dtype=np.intp)
        points = points - (left + 0.5, top + 0.5, 0)
        planes = _planes(shape, points, starts)
        if shape.flat:
            nearness = look_up(which, planes[2])
        else:
            a, b, c, low, high = (look_up(which, row) for row in planes)
            nearness = a * x + b * y[:, None] + c
            np.minimum(np.maximum(nearness, low, out=nearness), high, out=nearness)
        colour = _colours(shape, points[:, 1], starts, y, which)
        self.paint((top, left), which > 0, nearness, colour, owner)


def _planes(shape: Shape, points: Points, starts: NDArray[np.intp]) -> NDArrayFloat:
    """Slopes, constant and bounds of each polygon's nearness, ``(5, 256)``, from 1 on.

    Args:
        shape: The polygons.
        points: All their corners, relative to the picture's first sub-pixel.
        starts: Where each polygon's corners begin.
    """
    rows = np.zeros((5, 256))
    drawn = slice(1, len(starts) + 1)
    first = points[starts]
    if shape.flat:
        rows[2, drawn] = first[:, 2]
        return rows.astype(np.float32)
    low = np.minimum.reduceat(points[:, 2], starts)
    high = np.maximum.reduceat(points[:, 2], starts)
    # Two edges that span the polygon: from the first corner to those one and two thirds on.
    count = np.diff(starts, append=len(points))
    p = points[starts + count // 3] - first
    q = points[starts + (2 * count) // 3] - first
    area = p[:, 0] * q[:, 1] - p[:, 1] * q[:, 0]
    is_flat = (np.abs(area) < 2) | (high - low < 1e-6)
    area = np.where(is_flat, 1, area)
    a = np.where(is_flat, 0, (p[:, 2] * q[:, 1] - p[:, 1] * q[:, 2]) / area)
    b = np.where(is_flat, 0, (p[:, 0] * q[:, 2] - p[:, 2] * q[:, 0]) / area)
    c = np.where(is_flat, (low + high) / 2, first[:, 2] - a * first[:, 0] - b * first[:, 1])
    rows[:, drawn] = a, b, c, low, high
    return rows.astype(np.float32)


_LEVELS = 64


def _colours(
    shape: Shape, rows: Points, starts: NDArray[np.intp], y: NDArrayFloat, which: NDArrayByte
) -> NDArray[np.uint32]:
    """Colour of every sub-pixel: of 64 steps between a polygon's brightness above and below."""
    count = len(shape.outlines)
    above, below = np.minimum.reduceat(rows, starts), np.maximum.reduceat(rows, starts)
    shades = np.array(shape.shades)
    steps = np.arange(_LEVELS) / (_LEVELS - 1)
    levels = shades[:, :1] + (shades[:, 1:] - shades[:, :1]) * steps
    rgb = np.array(shape.colours, np.float64)[:, None, :] * levels[:, :, None]
    table = np.zeros((count + 1, _LEVELS), np.uint32)
    table[1:] = packed(np.minimum(np.rint(np.maximum(rgb, 0)), 255).astype(np.uint8))
    slope = np.zeros(count + 1, np.float32)
    slope[1:] = (_LEVELS - 1) / np.maximum(below - above, 1)
    offset = np.zeros(count + 1, np.float32)
    offset[1:] = -above * slope[1:]
    # One row of steps for each polygon and row of the picture, then one look-up per sub-pixel.
    at = np.clip(slope[:, None] * y + offset[:, None], 0, _LEVELS - 1).astype(np.intp)
    by_row = np.take_along_axis(table, at, axis=1)
    flat = which.astype(np.intp)
    flat *= len(y)
    flat += np.arange(len(y))[:, None]
    return by_row.ravel().take(flat)
