"""Overcast light: shadows lifted, highlights lowered, colours greyer, all a little darker.

J' = b·g·(Y + (1 − s)·(J − Y)): Y is a pixel's brightness, s the greyness, larger in the sky, and
g = 1/(1 − e + e·L/m) evens the light L of the surroundings out towards the image's mean m. Sharp
edges of shadows stay, fainter.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import cv2
import numpy as np

from datasets.image import NDArrayByte, NDArrayFloat
from datasets.rain import sky
from datasets.rain.rain import check

VERSION = 1
"""Raised whenever the same parameters give other bytes."""

_UNIT = 256


@dataclass(frozen=True)
class Overcast:
    """The light under clouds."""

    evenness: float = 0.4
    """e, how far large shadows are lifted and bright parts lowered, in [0, 1]."""
    greyness: float = 0.3
    """s, share of the colour that is lost, in [0, 1]; of the sky 0.8 is lost at least."""
    brightness: float = 0.85
    """b, factor on all, in [0.2, 1]."""

    needs_depth = False

    def __post_init__(self) -> None:
        """Refuse what the docstrings above exclude."""
        check(self, {"evenness": (0, 1), "greyness": (0, 1), "brightness": (0.2, 1)})

    def parameters(self) -> dict[str, Any]:
        """All parameters and the version of the code, as plain JSON values."""
        return {"layer": "overcast", "version": VERSION, **asdict(self)}

    def changed(
        self, scene: NDArrayByte, rng: np.random.Generator, depth: NDArrayFloat | None
    ) -> NDArrayByte:
        """The scene under clouds; see `datasets.rain.composed.SceneLayer`."""
        seen = sky.features(scene)
        share = sky.ramped(sky.likely(seen, sky.WEIGHTS))
        light = sky.ramped(seen[sky.FEATURES.index("brightness")])
        level = sum(cv2.sumElems(scene)) / scene.size / 255 + 1 / 64
        even = self.evenness * (1 - share)
        gain = np.clip(1 / (1 - even + even * (light / level)), 0.5, 2) * self.brightness
        grey = self.greyness + share * max(0.0, 0.8 - self.greyness)
        # Weights of the brightness and of the pixel itself, each up to 2 · 256.
        of_grey, of_own = (_large(gain * part, scene.shape) for part in (grey, 1 - grey))
        red, green, blue = (cv2.extractChannel(scene, i).astype(np.uint32) for i in range(3))
        added = ((red + green + green + blue) >> 2) * of_grey + _UNIT // 2
        mixed = np.asarray(cv2.merge([of_own.astype(np.int32)] * 3), np.int32)
        mixed *= scene
        mixed += cv2.merge([added.astype(np.int32)] * 3)
        mixed >>= 8
        return np.minimum(mixed, 255, out=mixed).astype(np.uint8)


def _large(cells: sky.Cells, shape: tuple[int, ...]) -> Any:
    """Weights of cells in 1/256 for every pixel, whole numbers."""
    levels = np.rint(cells * (64 * _UNIT)).astype(np.uint16)
    size = shape[1], shape[0]
    large = cv2.resize(levels, size, interpolation=cv2.INTER_LINEAR_EXACT)
    return np.asarray(large, np.uint32) >> 6
