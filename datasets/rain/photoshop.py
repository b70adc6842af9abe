"""The rain of image editors: noise, motion blur, levels, screen.

The deraining papers made COCO350, BDD350, Rain800 and Rain1400 with this recipe and published no
numbers; those here are ours. Every step is integer arithmetic on table entries, so the bytes are
the same on every machine and with every build of NumPy and OpenCV.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from datasets.image import NDArrayByte, NDArrayFloat
from datasets.rain.rain import RainyImage

VERSION = 1
"""Raised whenever the same parameters give other bytes."""

_SUBPIXEL = 16
"""Streaks are sheared in steps of 1/16 px."""


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
        for name, low, high in (
            ("length_px", 1, 250),
            ("width_px", 1, 8),
            ("coverage", 0.0, 1.0),
            ("full", 0.0, self.coverage),
            ("opacity", 0.0, 1.0),
        ):
            value = getattr(self, name)
            if not low <= value <= high:  # also false for NaN
                raise ValueError(f"{name}={value}: must lie in [{low}, {high}]")


@dataclass(frozen=True)
class PhotoshopRain:
    """Streak layers screened over the image, all falling in one direction.

    A pixel of the result is 255 − (255 − image)(255 − streak)/255 for each layer in turn.
    """

    layers: tuple[StreakLayer, ...]
    """From far to near."""
    angle_deg: float = 0.0
    """Mean direction of fall against the vertical, positive to the right, in [-50, 50]."""
    angle_spread_deg: float = 15.0
    """Each image's direction is drawn from angle ± spread; |angle| + spread ≤ 60."""

    family = "photoshop"

    def __post_init__(self) -> None:
        """Refuse directions that the shear cannot draw."""
        if not (abs(self.angle_deg) <= 50 and self.angle_spread_deg >= 0):
            raise ValueError(f"angle_deg={self.angle_deg}: must lie in [-50, 50]")
        if not abs(self.angle_deg) + self.angle_spread_deg <= 60:
            raise ValueError(
                f"angle_spread_deg={self.angle_spread_deg}: |angle| + spread must not exceed 60"
            )

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
        tangent = math.tan(math.radians(self.angle_deg + self.angle_spread_deg * draw / steps))
        # Rounding absorbs the last digit, in which mathematical libraries differ.
        slope = round(tangent * 4096) / 4096
        dark = np.full((height, width), 255, np.uint8)
        for layer in self.layers:
            streaks = _streaks(height, width, layer, slope, rng)
            dark = _multiply(dark, 255 - streaks)
        image = 255 - _multiply(255 - clean, dark[:, :, None])
        return RainyImage(image=image, streaks=255 - dark)


def _multiply(a: NDArrayByte, b: NDArrayByte) -> NDArrayByte:
    """a·b/255, rounded to nearest, exactly."""
    product = a.astype(np.uint16) * b
    product += 128
    product += product >> 8
    product >>= 8
    return product.astype(np.uint8)


def _streaks(
    height: int, width: int, layer: StreakLayer, slope: float, rng: np.random.Generator
) -> NDArrayByte:
    """One streak layer, ``uint8 (H, W)``: noise, blurred along the fall, stretched by levels."""
    lean_px = math.ceil(abs(slope) * height) + 1
    grain = layer.width_px
    columns = -(-(width + lean_px) // grain) + 1
    # A streak of length L leaning by t covers L/√(1+t²) rows.
    rows = max(1, round(layer.length_px / math.sqrt(1 + slope * slope)))
    noise = _NOISE[np.frombuffer(rng.bytes((height + rows) * columns), np.uint8)]
    noise = noise.reshape(height + rows, columns)
    # Sums of bytes: exact in float32 up to 65,793 rows, whatever the order of addition.
    fall = cv2.boxFilter(noise, cv2.CV_32F, (1, rows), normalize=False, anchor=(0, 0))[:height]
    blurred = fall.astype(np.uint32) * np.uint32(65535 // (255 * rows))
    if grain > 1:
        blurred = np.repeat(blurred, grain, axis=1)
    return _levels(_shear(blurred, width, slope, lean_px), layer)


def _shear(field: NDArray[np.uint32], width: int, slope: float, lean_px: int) -> NDArray[np.uint32]:
    """Shift each row by slope × row, with exact linear interpolation in 1/16 px."""
    height = field.shape[0]
    sheared = np.empty((height, width), np.uint32)
    offset = lean_px - 1 if slope > 0 else 0
    for row in range(height):
        whole, part = divmod(offset * _SUBPIXEL - round(slope * row * _SUBPIXEL), _SUBPIXEL)
        line = field[row, whole : whole + width + 1]
        sheared[row] = line[:-1] * np.uint32(_SUBPIXEL - part) + line[1:] * np.uint32(part)
    return sheared


def _levels(field: NDArray[np.uint32], layer: StreakLayer) -> NDArrayByte:
    """Stretch so that ``coverage`` of the pixels are above 0 and ``full`` of them fully opaque."""
    top = int(layer.opacity * 255 + 0.5)
    values = (field >> 4).astype(np.uint16)
    if values.size == 0 or layer.coverage == 0 or top == 0:
        return np.zeros(field.shape, np.uint8)
    from_above = np.cumsum(np.bincount(values.ravel(), minlength=65536)[::-1])[::-1]
    black = int(np.count_nonzero(from_above > layer.coverage * values.size))
    white = int(np.count_nonzero(from_above > layer.full * values.size))
    ramp = np.arange(65536, dtype=np.int64) - black
    table = np.clip(ramp * top // max(white - black, 1), 0, top).astype(np.uint8)
    return table[values]


def _half_normal_bytes() -> NDArrayByte:
    """Photoshop's Gaussian noise on black: 256 equally likely bytes of a clipped normal.

    Entry i is 100·Φ⁻¹((i + ½)/256), negative values cut to 0; the quantiles come from bisection of
    the error function and are rounded, so every machine holds the same table.
    """
    table = np.zeros(256, np.uint8)
    for i in range(128, 256):
        low, high = 0.0, 8.0
        for _ in range(60):
            middle = (low + high) / 2
            if 0.5 * (1 + math.erf(middle / math.sqrt(2))) < (i + 0.5) / 256:
                low = middle
            else:
                high = middle
        table[i] = min(255, round(84 * low))
    return table


_NOISE = _half_normal_bytes()
