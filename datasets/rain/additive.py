"""Streaks added to the image, as in Rain100L (one direction) and Rain100H (five).

O = min(255, B + Σ S_d), Yang et al., "Deep Joint Rain Detection and Removal from a Single Image",
CVPR 2017, equation 2. The sets' streak images are not published as parameters; those in the table
of rains were fitted to the real pairs' residual, see ``docs/rain.md``.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import cv2
import numpy as np

from datasets.image import NDArrayByte, NDArrayFloat
from datasets.rain import streaks
from datasets.rain.rain import RainyImage, check, uniform

VERSION = 1
"""Raised whenever the same parameters give other bytes."""

_UNIT = 16
"""Brightness before the shear is counted in 1/16 of a grey level."""


@dataclass(frozen=True)
class Strokes:
    """Streaks of one length and width, each with a brightness of its own."""

    length_px: int
    """Length, 3 to 250; both ends taper off over a third of the shortest strokes' length."""
    width_px: int
    """Width across, 1 to 8; a lean softens it by up to a pixel."""
    per_mpx: float
    """Mean number of streaks per million pixels, 0 to 200,000."""
    brightness: float
    """Brightness of the brightest ones in [0, 1]; the others' is a product of two uniform draws."""

    def __post_init__(self) -> None:
        """Refuse what the docstrings above exclude."""
        check(self, {"length_px": (3, 250), "width_px": (1, 8), "per_mpx": (0, 200_000)})
        check(self, {"brightness": (0, 1)})


@dataclass(frozen=True)
class AdditiveRain:
    """Strokes of several sizes, added to the image in one or more directions."""

    strokes: tuple[Strokes, ...]
    """What each direction draws."""
    directions: int = 1
    """Number of directions, each drawn anew, 1 to 8."""
    angle_deg: float = 0.0
    """Mean direction of fall against the vertical, positive to the right, in [-50, 50]."""
    angle_spread_deg: float = 28.0
    """Directions are drawn from angle ± spread; ``|angle|`` + spread ≤ 60."""
    density: float = 1.0
    """Factor on the number of streaks, 0 to 10."""
    density_spread: float = 0.6
    """Each image's number is drawn from (1 ± spread) times the mean, in [0, 1]."""
    magnitude: float = 1.0
    """Factor on the brightness, 0 to 4."""
    magnitude_spread: float = 0.4
    """Each image's brightness is drawn from (1 ± spread) times the mean, in [0, 1]."""

    family = "additive"

    def __post_init__(self) -> None:
        """Refuse what the docstrings above exclude."""
        check(self, {"directions": (1, 8), "angle_deg": (-50, 50)})
        check(self, {"angle_spread_deg": (0, 60 - abs(self.angle_deg))})
        check(self, {"density": (0, 10), "density_spread": (0, 1)})
        check(self, {"magnitude": (0, 4), "magnitude_spread": (0, 1)})

    def parameters(self) -> dict[str, Any]:
        """All parameters and the version of the code, as plain JSON values."""
        return {"model": self.family, "version": VERSION, **asdict(self)}

    def render(
        self, clean: NDArrayByte, rng: np.random.Generator, depth: NDArrayFloat | None = None
    ) -> RainyImage:
        """Rain on one image.

        Args:
            clean: ``uint8 (H, W, 3) RGB``, left as it is.
            rng: Generator of this image; nothing else is random.
            depth: Not used: the sets know no depth.

        Returns:
            The rainy image and the sum of all streaks.
        """
        number = self.density * uniform(rng, 1 - self.density_spread, 1 + self.density_spread)
        bright = self.magnitude * uniform(rng, 1 - self.magnitude_spread, 1 + self.magnitude_spread)
        layer = np.zeros(clean.shape[:2], np.uint8)
        for _ in range(self.directions):
            low, high = (
                self.angle_deg - self.angle_spread_deg,
                self.angle_deg + self.angle_spread_deg,
            )
            slope = streaks.slope_of(uniform(rng, low, high))
            drawn = _direction(layer.shape, self.strokes, slope, (number, bright), rng)
            layer = np.asarray(cv2.add(layer, drawn), np.uint8)
        image = cv2.add(clean, cv2.cvtColor(layer, cv2.COLOR_GRAY2RGB))
        return RainyImage(image=np.asarray(image, np.uint8), streaks=layer, blend="add")


def _direction(
    shape: tuple[int, ...],
    strokes: tuple[Strokes, ...],
    slope: float,
    factors: tuple[float, float],
    rng: np.random.Generator,
) -> NDArrayByte:
    """The streaks of one direction, ``uint8 (H, W)``: seeds that fall, fall again, and lean.

    The second, short fall tapers both ends. It is one for all sizes, a third of the shortest.
    """
    height, width = shape
    wide = width + streaks.lean_px(height, slope)
    lengths = [streaks.rows_of(stroke.length_px, slope) for stroke in strokes]
    taper = max(1, min(lengths, default=1) // 3)
    fallen = np.zeros((height + taper, wide), np.float32)
    for stroke, rows in zip(strokes, lengths, strict=True):
        body = rows - taper + 1
        seeds = _seeds(height + taper + body, wide, stroke, factors, rng)
        window = stroke.width_px, body
        sums = cv2.boxFilter(seeds, cv2.CV_32F, window, normalize=False, anchor=(0, 0))
        fallen += sums[: height + taper]
    fallen = streaks.fall(fallen, taper)[:height]
    return laid(fallen, width, taper, slope)


def laid(fallen: NDArrayFloat, width: int, taper: int, slope: float) -> NDArrayByte:
    """Streaks that stood upright, leaning, ``uint8 (H, W)``.

    Args:
        fallen: Sum of all streaks in grey levels times ``taper``, whole numbers, ``float32 (H, ≥ W
            + lean_px(H, slope))``; it is changed.
        width: Columns of the result.
        taper: Rows over which the ends faded.
        slope: Columns per row; positive leans to the right.
    """
    fallen *= _UNIT / taper
    np.floor(fallen, out=fallen)
    cv2.threshold(fallen, 255 * _UNIT, 0, cv2.THRESH_TRUNC, dst=fallen)
    sheared = streaks.shear(fallen, width, slope)
    return np.asarray(cv2.convertScaleAbs(sheared, alpha=1 / (_UNIT * streaks.SUBPIXEL)), np.uint8)


def _seeds(
    height: int,
    width: int,
    stroke: Strokes,
    factors: tuple[float, float],
    rng: np.random.Generator,
) -> NDArrayByte:
    """Where streaks end at the bottom and how bright they are, ``uint8 (H, W)``."""
    density, magnitude = factors
    seeds = np.zeros(height * width, np.uint8)
    count = round(stroke.per_mpx * density * seeds.size / 1e6)
    first, second = rng.integers(0, 256, (2, count), dtype=np.uint16)
    bright = ((first * second) >> 8) * np.float32(stroke.brightness * magnitude)
    seeds[rng.integers(0, seeds.size, count)] = np.minimum(bright, 255).astype(np.uint8)
    return seeds.reshape(height, width)
