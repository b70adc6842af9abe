"""The rain of image editors: noise, motion blur, levels, screen.

The deraining papers made COCO350, BDD350, Rain800 and Rain1400 with this recipe and published no
numbers; those here are ours. Every step is integer arithmetic on table entries, so the bytes are
the same on every machine and with every build of NumPy and OpenCV.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import cv2
import numpy as np

from datasets.image import NDArrayByte, NDArrayFloat
from datasets.rain import streaks
from datasets.rain.rain import RainyImage, check

VERSION = 1
"""Raised whenever the same parameters give other bytes."""


@dataclass(frozen=True)
class StreakLayer:
    """One layer of noise that became streaks."""

    length_px: int
    """Length of the motion blur along the streak, 1 to 250."""
    width_px: int
    """Width of a grain of noise across the streak, 1 to 8."""
    coverage: float
    """Largest share of the pixels that the black point of the levels leaves above 0, in [0, 1]."""
    full: float
    """Largest share of the pixels that the white point makes fully bright, in [0, coverage]."""
    opacity: float
    """Brightness of a full streak, in [0, 1]."""

    def __post_init__(self) -> None:
        """Refuse what the docstrings above exclude."""
        check(self, {"length_px": (1, 250), "width_px": (1, 8), "coverage": (0, 1)})
        check(self, {"full": (0, self.coverage), "opacity": (0, 1)})


@dataclass(frozen=True)
class PhotoshopRain:
    """Streak layers screened over the image, all falling in one direction.

    A pixel of the result is 255 − (255 − image)(255 − streak)/255 for each layer in turn.
    """

    layers: tuple[StreakLayer, ...]
    """Layers of streaks, the farthest first."""
    angle_deg: float = 0.0
    """Mean direction of fall against the vertical, positive to the right, in [-50, 50]."""
    angle_spread_deg: float = 15.0
    """Each image's direction is drawn from angle ± spread; ``|angle|`` + spread ≤ 60."""

    family = "photoshop"

    def __post_init__(self) -> None:
        """Refuse directions that the shear cannot draw."""
        check(self, {"angle_deg": (-50, 50)})
        check(self, {"angle_spread_deg": (0, 60 - abs(self.angle_deg))})

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
            depth: Not used: editors know no depth.

        Returns:
            The rainy image and the one streak layer that all layers together amount to.
        """
        height, width = clean.shape[:2]
        steps = 1000
        draw = int(rng.integers(-steps, steps + 1))
        slope = streaks.slope_of(self.angle_deg + self.angle_spread_deg * draw / steps)
        light = np.zeros((height, width), np.uint8)
        for layer in self.layers:
            light = streaks.screen(light, drawn(height, width, layer, slope, rng))
        return RainyImage(image=streaks.screen(clean, light), streaks=light)


def drawn(
    height: int, width: int, layer: StreakLayer, slope: float, rng: np.random.Generator
) -> NDArrayByte:
    """One streak layer, ``uint8 (H, W)``: noise, blurred along the fall, stretched by levels."""
    grain = layer.width_px
    columns = -(-(width + streaks.lean_px(height, slope)) // grain) + 1
    rows = streaks.rows_of(layer.length_px, slope)
    noise = np.frombuffer(rng.bytes((height + rows) * columns), np.uint8)
    fallen = streaks.fall(cv2.LUT(noise.reshape(height + rows, columns), _NOISE), rows)[:height]
    fallen *= 65535 // (255 * rows)
    if grain > 1:
        fallen = np.repeat(fallen, grain, axis=1)
    return _levels(streaks.shear(fallen, width, slope), layer)


def _levels(field: NDArrayFloat, layer: StreakLayer) -> NDArrayByte:
    """Stretch so that ``coverage`` of the pixels are above 0 and ``full`` of them fully opaque."""
    top = int(layer.opacity * 255 + 0.5)
    if field.size == 0 or layer.coverage == 0 or top == 0:
        return np.zeros(field.shape, np.uint8)
    field *= 1 / streaks.SUBPIXEL
    values = field.astype(np.uint16)
    counts = cv2.calcHist([values], [0], None, [65536], [0, 65536]).ravel()
    from_above = np.cumsum(counts[::-1], dtype=np.float64)[::-1]
    black = int(np.count_nonzero(from_above > layer.coverage * values.size))
    white = int(np.count_nonzero(from_above > layer.full * values.size))
    # Quotients of whole numbers below 2²⁴: float32 never rounds one up to the next whole number
    # below 256, so cutting off their digits is integer division.
    np.copyto(field, values)
    field -= black
    field *= top
    field /= max(white - black, 1)
    return np.clip(field, 0, top, out=field).astype(np.uint8)


def _half_normal_bytes() -> NDArrayByte:
    """Photoshop's Gaussian noise on black: 256 equally likely bytes of a clipped normal."""
    return np.array([min(255, round(84 * max(0.0, q))) for q in streaks.normal_quantiles()]).astype(
        np.uint8
    )


_NOISE = _half_normal_bytes()
