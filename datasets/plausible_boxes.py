"""Whether boxes can be what they are taken for, absolute pixels: others score near 0 in silence."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

SHARES_MAX = 2
"""No number of a box in shares of the picture is larger, with some room for what reaches beyond."""
SMALL_PX = 32
"""In a smaller picture boxes in pixels may be as small as that."""
SLACK = 0.02
"""How far boxes may reach beyond a picture, in shares of its side."""
FEWEST = 10
"""Of fewer boxes their order says nothing."""


def no_pixels(boxes: NDArray[np.float64], sizes_px: NDArray[np.float64]) -> str | None:
    """What to say where the boxes of a set cannot be pixels, but are shares of the picture.

    Args:
        boxes: ``(N, 4)``: all boxes of the set, corners or sizes or centres alike.
        sizes_px: ``(N, 2)``: height and width of the picture of each.

    Returns:
        None where they may be pixels: one large box, a small picture, or whole numbers alone.
    """
    largest = np.abs(boxes).max(initial=0)
    if not (boxes % 1).any() or largest > SHARES_MAX or sizes_px.min() <= SMALL_PX:
        return None
    return (
        f"no number in {len(boxes):,} boxes is above {largest:.4g}, so they are shares of the "
        "picture and no pixels: multiply them by its width and height"
    )


def no_sizes(boxes_xywh: NDArray[np.float64], sizes_px: NDArray[np.float64]) -> str | None:
    """What to say where the boxes of a set cannot be left, top, width and height, but are corners.

    Args:
        boxes_xywh: ``(N, 4)``: all boxes of the set, as they are read.
        sizes_px: ``(N, 2)``: height and width of the picture of each.

    Returns:
        None where they may be sizes: as corners some box is none, or most lie in their picture.
    """
    number, others = _beyond(boxes_xywh, sizes_px)
    if len(boxes_xywh) < FEWEST or 2 * number <= len(boxes_xywh) or others["corners"]:
        return None
    return (
        f"{number:,} of {len(boxes_xywh):,} boxes reach beyond their picture, and none does if "
        "they are corners [x1, y1, x2, y2]: write [x1, y1, x2 - x1, y2 - y1]"
    )


def no_centres(boxes_cxcywh: NDArray[np.float64]) -> str | None:
    """What to say where boxes in shares of the picture are corners, not centres and sizes.

    Args:
        boxes_cxcywh: ``(N, 4)``: all boxes of the set, as they are written.

    Returns:
        None where they may be centres: as corners some box is none, or nearly all lie inside.
    """
    number, others = _beyond_as_centres(boxes_cxcywh)
    if len(boxes_cxcywh) < FEWEST or 20 * number <= len(boxes_cxcywh) or others["corners"]:
        return None
    return (
        f"{number:,} of {len(boxes_cxcywh):,} boxes reach beyond their picture, and none does if "
        "they are corners x1 y1 x2 y2: write their centre, width and height"
    )


def doubt_centres(boxes_cxcywh: NDArray[np.float64]) -> str | None:
    """As `doubt`, of centres and sizes in shares of the picture."""
    number, others = _beyond_as_centres(boxes_cxcywh)
    return _doubt(number, others, len(boxes_cxcywh), "centres, widths and heights")


def doubt(boxes_xywh: NDArray[np.float64], sizes_px: NDArray[np.float64]) -> str | None:
    """What to say where boxes reach beyond their picture, and fewer do in another form.

    Args:
        boxes_xywh: ``(N, 4)``: left, top, width, height in pixels.
        sizes_px: ``(N, 2)``: height and width of the picture of each.
    """
    number, others = _beyond(boxes_xywh, sizes_px)
    return _doubt(number, others, len(boxes_xywh), "left, top, width and height")


def _doubt(number: int, others: dict[str, int], total: int, expected: str) -> str | None:
    """What to say where fewer than half as many boxes reach beyond their picture in another form.

    Args:
        number: How many do as they are read.
        others: How many do in other forms.
        total: All boxes.
        expected: The form as which they are read.
    """
    form = min(others, key=lambda name: others[name])
    if 20 * number <= total or 2 * others[form] >= number:
        return None
    return (
        f"{number:,} of {total:,} boxes reach beyond their picture, {others[form]:,} if they are "
        f"{form}: are they {expected}?"
    )


def _outside(first: NDArray[np.float64], last: NDArray[np.float64], sides: Any) -> int:
    """How many boxes are none, or reach beyond their picture."""
    is_inside = (first >= -SLACK * sides) & (first <= last) & (last <= (1 + SLACK) * sides)
    return int((~is_inside).any(axis=1).sum())


def _beyond_as_centres(boxes_cxcywh: NDArray[np.float64]) -> tuple[int, dict[str, int]]:
    """As `_beyond`, of centres and sizes in shares of the picture."""
    place, size = boxes_cxcywh[:, :2], boxes_cxcywh[:, 2:]
    others = {
        "corners": _outside(place, size, 1),
        "left, top, width and height": _outside(place, place + size, 1),
    }
    return _outside(place - size / 2, place + size / 2, 1), others


def _beyond(
    boxes_xywh: NDArray[np.float64], sizes_px: NDArray[np.float64]
) -> tuple[int, dict[str, int]]:
    """How many boxes reach beyond their picture, as they are and in other forms."""
    place, size, sides = boxes_xywh[:, :2], boxes_xywh[:, 2:], sizes_px[:, ::-1]
    others = {
        "corners": _outside(place, size, sides),
        "centres and sizes": _outside(place - size / 2, place + size / 2, sides),
    }
    return _outside(place, place + size, sides), others
