"""Whether boxes that should be in pixels are shares of their picture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

SHARES_MAX = 1.1
"""Of one picture: no number of a box in shares is larger, with room for what reaches beyond. A set
has a wider bound, since a network may well find one box of two pixels in the corner of a picture.
"""
SMALL_PX = 8
"""A picture with a side of no more may hold nothing but boxes as small as shares."""


def are_shares(boxes: NDArray[np.floating], size_px: Sequence[int]) -> bool:
    """Whether all boxes of a picture are too small for pixels.

    Args:
        boxes: ``(N, 4)``, left, top, right, bottom.
        size_px: The picture's sides.
    """
    return len(boxes) > 0 and min(size_px) > SMALL_PX and bool(np.abs(boxes).max() <= SHARES_MAX)
