"""Rain so dense that streaks merge, as in the published test pairs of Rain100H.

O = min(255, B + S) as in `AdditiveRain` (Yang et al., CVPR 2017, equation 2), with streaks about
one direction an image that are about as long and as bright as each other. The numbers in the table
of rains were fitted to the residual of half of the real pairs by ``benchmarks/dense.py``, see
``docs/rain.md``.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import cv2
import numpy as np

from datasets.image import NDArrayByte, NDArrayFloat
from datasets.rain import streaks
from datasets.rain.additive import laid
from datasets.rain.rain import RainyImage, check, uniform

VERSION = 1
"""Raised whenever the same parameters give other bytes."""


@dataclass(frozen=True)
class DenseRain:
    """Streaks of a length, brightness and number that each image draws between two bounds.

    An image's value is low + (high − low)·u² with u even in [0, 1]: low ones are the likelier.
    """

    length_low_px: float
    """Shortest mean length of an image's streaks, 3 to 250."""
    length_high_px: float
    """Longest."""
    width_low_px: int
    """Width across of the narrowest streaks, 1 to 8; each direction draws one."""
    width_high_px: int
    """Of the widest."""
    layers_low: float
    """Streaks that lie over each other at a pixel in the mean, of the lightest rain, 0 to 10."""
    layers_high: float
    """Of the densest."""
    brightness_low: float
    """Brightness of the brightest streaks of an image in [0, 1], of the faintest rain."""
    brightness_high: float
    """Of the brightest."""
    fan_low_deg: float
    """How far directions are from their image's mean at most, 0 to 30; of the straightest rain."""
    fan_high_deg: float
    """Of the most crossed."""
    evenness: float = 0.6
    """Brightness of an image's faintest streaks by that of its brightest, in [0, 1]."""
    taper: int = 6
    """Both ends fade over the length divided by this, 1 to 20."""
    angle_spread_deg: float = 20.0
    """Bound of an image's mean direction against the vertical, 0 to 30; upright is likeliest."""
    directions: int = 5
    """Number of directions, 1 to 8."""
    magnitude: float = 1.0
    """Factor on the brightness, 0 to 4."""

    family = "additive"

    def __post_init__(self) -> None:
        """Refuse what the docstrings above exclude."""
        bounds: dict[str, tuple[float, float]] = {
            "length_{}_px": (3, 250),
            "width_{}_px": (1, 8),
            "layers_{}": (0, 10),
            "brightness_{}": (0, 1),
            "fan_{}_deg": (0, 30),
        }
        for name, (least, most) in bounds.items():
            low, high = (name.format(end) for end in ("low", "high"))
            check(self, {high: (least, most)})
            check(self, {low: (least, getattr(self, high))})
        check(self, {"evenness": (0, 1), "taper": (1, 20), "angle_spread_deg": (0, 30)})
        check(self, {"directions": (1, 8), "magnitude": (0, 4)})

    def parameters(self) -> dict[str, Any]:
        """All parameters and the version of the code, as plain JSON values."""
        return {"model": "dense", "version": VERSION, **asdict(self)}

    def render(
        self, clean: NDArrayByte, rng: np.random.Generator, depth: NDArrayFloat | None = None
    ) -> RainyImage:
        """Rain on one image.

        Args:
            clean: ``uint8 (H, W, 3) RGB``, left as it is.
            rng: Generator of this image; nothing else is random.
            depth: Not used: the set knows no depth.

        Returns:
            The rainy image and the sum of all streaks.
        """
        mean_deg = self.angle_spread_deg * (uniform(rng, 0, 1) - uniform(rng, 0, 1))
        fan_deg = _drawn(rng, self.fan_low_deg, self.fan_high_deg)
        length_px = _drawn(rng, self.length_low_px, self.length_high_px)
        layers = _drawn(rng, self.layers_low, self.layers_high) / self.directions
        bright = _drawn(rng, self.brightness_low, self.brightness_high)
        layer = np.zeros(clean.shape[:2], np.uint8)
        for _ in range(self.directions):
            slope = streaks.slope_of(mean_deg + fan_deg * uniform(rng, -1, 1))
            rows = streaks.rows_of(length_px * uniform(rng, 0.7, 1.3), slope)
            drawn = self._direction(layer.shape, rows, slope, (layers, bright), rng)
            layer = np.asarray(cv2.add(layer, drawn), np.uint8)
        image = cv2.add(clean, cv2.cvtColor(layer, cv2.COLOR_GRAY2RGB))
        return RainyImage(image=np.asarray(image, np.uint8), streaks=layer, blend="add")

    def _direction(
        self,
        shape: tuple[int, ...],
        rows: int,
        slope: float,
        amount: tuple[float, float],
        rng: np.random.Generator,
    ) -> NDArrayByte:
        """The streaks of one direction, ``uint8 (H, W)``: how many lie at a pixel, how bright."""
        (height, width), (layers, bright) = shape, amount
        across = int(rng.integers(self.width_low_px, self.width_high_px + 1))
        taper = max(1, rows // self.taper)
        body = rows - taper + 1
        size = height + taper + body, width + streaks.lean_px(height, slope)
        seeds = np.zeros(size[0] * size[1], np.float32)
        count = round(layers * seeds.size / (rows * across))
        high = min(255, round(255 * bright * self.magnitude))
        levels = rng.integers(round(high * self.evenness), high + 1, count)
        seeds[rng.integers(0, seeds.size, count)] = levels
        window = across, body
        seeds = np.asarray(
            cv2.boxFilter(seeds.reshape(size), cv2.CV_32F, window, normalize=False, anchor=(0, 0)),
            np.float32,
        )
        fallen = streaks.fall(seeds[: height + taper], taper)[:height]
        return laid(fallen, width, taper, slope)


def _drawn(rng: np.random.Generator, low: float, high: float) -> float:
    """An image's value between two bounds."""
    share = uniform(rng, 0, 1)
    return low + (high - low) * share * share
