"""What is wrong with a rainy image and its clean one, by looking at both."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from datasets.image import NDArrayByte, NDArrayFloat

SMALLEST_PX = 64
"""Shorter sides say too little."""
MOVED_PX = 0.35
"""A rainy image that lies so far beside its clean one is moved; of 227 pairs that are not, under
light rain and heavy, none was found farther than 0.2 px away."""
SURE = 0.15
"""Share of the correlation that its peak must hold for a shift to be believed."""
UNRELATED = 0.07
"""A peak that holds less is of images of two scenes: those of one gave 0.18 at least, of two 0.06
at most."""
FINE_PX = 3.0
"""Detail finer than this counts; a veil of rain and the light do not."""
STRONGEST = 20.0
"""Levels of 255 at which detail is cut, so that bright streaks do not outweigh the scene."""
FAINT = 0.5
"""Levels of 255: less detail, on average, shows nothing that could have moved."""


class Streaks(NamedTuple):
    """What one image has over another of the same scene."""

    across: float
    """Logarithm of the ratio of their mean steps from column to column."""
    upright: float
    """The same, less that of the steps from row to row: streaks that stand make it positive."""
    skewness: float
    """Of the difference's detail: positive where what one has over the other is bright and thin."""
    difference: float
    """Logarithm of the difference's own steps from column to column over those from row to row."""


def faults(rainy: NDArrayByte, clean: NDArrayByte) -> list[tuple[str, str]]:
    """Kinds and texts of what is wrong with a pair of one size.

    Args:
        rainy: ``uint8 (H, W, 3) RGB``.
        clean: Its clean image.
    """
    if np.array_equal(rainy, clean):
        return [("same", "the rainy image and the clean one are the same, pixel by pixel")]
    if min(rainy.shape[:2]) < SMALLEST_PX:
        return []
    wet, dry = (cv2.cvtColor(x, cv2.COLOR_RGB2GRAY).astype(np.float32) for x in (rainy, clean))
    found = []
    (right_px, down_px), peak = shift(wet, dry)
    if peak < UNRELATED:
        found.append(("scene", "the rainy image and the clean one seem to show different scenes"))
    elif peak > SURE and max(abs(right_px), abs(down_px)) >= MOVED_PX:
        moved = f"{right_px:.1f} px to the right and {down_px:.1f} px down"
        found.append(("shift", f"the rainy image lies {moved} from the clean one"))
    if has_rain_over(streaks(dry, wet)):
        found.append(("streaks", "the clean image has more streaks than the rainy one"))
    return found


def shift(rainy: NDArrayFloat, clean: NDArrayFloat) -> tuple[tuple[float, float], float]:
    """How far the scene has moved, right and down in pixels, and how sure that is, in [0, 1].

    Reference:
        Phase correlation, Kuglin and Hines 1975, of the fine detail.
    """
    height, width = rainy.shape
    window = cv2.createHanningWindow((width, height), cv2.CV_32F)
    wet, dry = _detail(rainy), _detail(clean)
    if min(wet.std(), dry.std()) < FAINT:
        return (0.0, 0.0), 1.0
    moved, peak = cv2.phaseCorrelate(dry, wet, window)
    return (float(moved[0]), float(moved[1])), float(peak)


def _detail(grey: NDArrayFloat) -> NDArrayFloat:
    fine = grey - cv2.GaussianBlur(grey, (0, 0), FINE_PX)
    return np.asarray(np.clip(fine, -STRONGEST, STRONGEST), np.float32)


def streaks(one: NDArrayFloat, other: NDArrayFloat) -> Streaks:
    """What the first image, grey ``(H, W)``, has over the second in streaks."""
    added = one - other
    (one_x, one_y), (other_x, other_y), (added_x, added_y) = map(_steps, (one, other, added))
    detail = added - cv2.blur(added, (31, 31))
    spread = float(np.sqrt((detail**2).mean())) + 1e-6
    return Streaks(
        across=float(np.log(one_x / other_x)),
        upright=float(np.log(one_x / one_y) - np.log(other_x / other_y)),
        skewness=float((detail**3).mean()) / spread**3,
        difference=float(np.log(added_x / added_y)),
    )


def _steps(grey: NDArrayFloat) -> tuple[float, float]:
    """Mean step from column to column, and from row to row."""
    across, down = (float(np.abs(np.diff(grey, axis=axis)).mean()) for axis in (1, 0))
    return across + 1e-6, down + 1e-6


def has_rain_over(added: Streaks) -> bool:
    """Whether what one image has over another looks like rain; rather not, where in doubt.

    Bright thin detail that stands a little more upright than the scene is rain; so is much detail
    that stands far more upright.
    """
    light = added.across > 0.05 and added.upright > 0.05 and added.skewness > 1
    heavy = added.across > 0.3 and added.upright > 0.35 and added.difference > 0.2
    return light or (heavy and added.skewness > 0.1)
