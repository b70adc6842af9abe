"""Drops on the glass before the camera: each a small lens, far out of focus.

A drop shows the scene upside down and wide, dimmer towards its rim, as a ball of water does
(Halimeh and Roser, "Raindrop Detection on Car Windshields Using Geometric-Photometric Environment
Construction", IV 2009). The camera is focused far away, so that a point of the glass is spread over
a disc as large as the aperture: edges are ramps, and what the drops show is blurred.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import cv2
import numpy as np

from datasets.image import NDArrayByte, NDArrayFloat
from datasets.rain.rain import check, uniform

VERSION = 1
"""Raised whenever the same parameters give other bytes."""

_COARSE = 4
"""Drops are drawn at a quarter of the size: nothing in them is sharp."""
_FIELD = 0.6
"""How far from itself a drop's rim shows the scene, in image widths."""
_SIZES = (0.5, 1.5)
"""Radii are drawn from these shares of the mean."""


@dataclass(frozen=True)
class LensDrops:
    """Drops on lens or windscreen."""

    per_dm2: float = 60.0
    """Mean number of drops on a square decimetre of glass, 0 to 400."""
    radius_mm: float = 1.5
    """Mean radius, 0.2 to 6 mm; they are drawn from half of it to one and a half."""
    glass_width_mm: float = 70.0
    """Width of the glass that the image looks through, 5 to 1000 mm: a windscreen's part some
    hand's breadth before a camera of 50 degrees; of a lens's own front it is 5 to 20."""
    aperture_mm: float = 1.0
    """Diameter of the aperture, focal length over f-number, 0.1 to 20 mm."""
    strength: float = 0.9
    """Opacity of the middle of a drop, in [0, 1]."""

    def __post_init__(self) -> None:
        """Refuse what the docstrings above exclude."""
        check(self, {"per_dm2": (0, 400), "radius_mm": (0.2, 6), "glass_width_mm": (5, 1000)})
        check(self, {"aperture_mm": (0.1, 20), "strength": (0, 1)})

    def parameters(self) -> dict[str, Any]:
        """All parameters and the version of the code, as plain JSON values."""
        return {"layer": "lens", "version": VERSION, **asdict(self)}

    def drops(
        self, image: NDArrayByte, rng: np.random.Generator
    ) -> tuple[NDArrayByte, NDArrayByte]:
        """Opacity, ``uint8 (H, W)``, and what the drops show, ``uint8 (H, W, 3)``.

        Args:
            image: What the camera would see without, ``uint8 (H, W, 3) RGB``.
            rng: Where drops are and how large.
        """
        height, width = image.shape[:2]
        per_mm = width / self.glass_width_mm / _COARSE
        soft = max(1.0, self.aperture_mm * per_mm)
        small = _shrunk(image)
        tall, wide = small.shape[:2]
        opacity, shown = np.zeros((tall, wide), np.float32), small.copy()
        blurred = _blurred(small, max(3, round(2 * soft) | 1))
        reach = 1.2 * _SIZES[1] * self.radius_mm * per_mm + soft
        area_dm2 = (tall + 2 * reach) * (wide + 2 * reach) / per_mm**2 / 1e4
        for _ in range(int(rng.poisson(self.per_dm2 * area_dm2))):
            radius = self.radius_mm * per_mm * uniform(rng, *_SIZES)
            middle = (
                uniform(rng, -reach, tall + reach),
                uniform(rng, -reach, wide + reach),
            )
            _add(opacity, shown, blurred, middle, (radius, uniform(rng, 1.0, 1.2), soft))
        levels = np.rint(opacity * np.float32(255 * self.strength)).astype(np.uint8)
        return tuple(  # type: ignore[return-value]
            np.asarray(
                cv2.resize(part, (width, height), interpolation=cv2.INTER_LINEAR_EXACT), np.uint8
            )
            for part in (levels, shown)
        )


def _add(
    opacity: NDArrayFloat,
    shown: NDArrayByte,
    scene: NDArrayByte,
    middle: tuple[float, float],
    form: tuple[float, float, float],
) -> None:
    """Draw one drop into opacity and picture, each single operations.

    Args:
        opacity: ``float32 (h, w)``, changed.
        shown: ``uint8 (h, w, 3)``, changed.
        scene: What is seen through it, ``uint8 (h, w, 3)``.
        middle: Row and column.
        form: Radius, height over width, and how far its edge is spread.
    """
    height, width = opacity.shape
    radius, tall, soft = form
    reach = radius * tall + soft
    top, left = (max(0, math.floor(m - reach)) for m in middle)
    bottom = min(height, math.ceil(middle[0] + reach) + 1)
    right = min(width, math.ceil(middle[1] + reach) + 1)
    if top >= bottom or left >= right:
        return
    window = np.s_[top:bottom, left:right]
    down = ((np.arange(top, bottom) - middle[0]) / (radius * tall))[:, None]
    across = ((np.arange(left, right) - middle[1]) / radius)[None]
    away = np.sqrt(down * down + across * across)
    edge = np.clip((1 - away) * (radius / soft) + 0.5, 0, 1)
    edge = edge * edge * (3 - 2 * edge)
    # The rim refracts most: straight through in the middle, far and upside down at the rim.
    bent = np.minimum(away, 1)
    bent = -bent * _FIELD * width
    row = np.clip(np.rint(middle[0] + bent * down), 0, height - 1).astype(np.intp)
    column = np.clip(np.rint(middle[1] + bent * across), 0, width - 1).astype(np.intp)
    dim = 1 - 0.3 * np.minimum(away * away * away * away, 1)
    picture = np.rint(scene[row, column] * dim[:, :, None])
    is_new = edge > opacity[window]
    shown[window] = np.where(is_new[:, :, None], picture, shown[window])
    opacity[window] = np.maximum(opacity[window], edge)


def _shrunk(image: NDArrayByte) -> NDArrayByte:
    """Means of 4 by 4 pixels around every fourth, ``uint8``."""
    first = [min(_COARSE // 2, side - 1) for side in image.shape[:2]]
    part = _sums(image, (_COARSE, _COARSE))[first[0] :: _COARSE, first[1] :: _COARSE]
    return np.asarray(np.rint(part / np.float32(_COARSE**2)), np.uint8)


def _blurred(image: NDArrayByte, side: int) -> NDArrayByte:
    """Mean over a square window, rounded."""
    wide, tall = (min(side, 2 * length - 1) for length in image.shape[1::-1])
    return np.asarray(np.rint(_sums(image, (wide, tall)) / np.float32(wide * tall)), np.uint8)


def _sums(image: NDArrayByte, window: tuple[int, int]) -> NDArrayFloat:
    """Sums over windows of that width and height; of whole numbers, and so exact."""
    sums = cv2.boxFilter(image, cv2.CV_32F, window, normalize=False)
    return np.asarray(sums, np.float32).reshape(image.shape)
