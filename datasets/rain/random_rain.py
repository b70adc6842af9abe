"""RandomRain of albumentations, as a familiar reference (Buslaev et al., Information 2020).

Its lines, colour and darkening are the library's. Another version of it may draw other bytes, so
its version is one of the parameters: records, cached images and random draws of two versions never
mix, and the golden bytes of the tests hold for the version they name.
"""

from __future__ import annotations

import importlib.metadata
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

import numpy as np

from datasets.image import NDArrayByte, NDArrayFloat
from datasets.rain.rain import RainyImage, check

VERSION = 1
"""Raised whenever the same parameters and library give other bytes."""


@dataclass(frozen=True)
class RandomRain:
    """Lines added to the image, then the whole darkened; defaults are the library's."""

    slant_px: float = 10.0
    """Largest lean of a line from its top to its bottom, in pixels, 0 to 20."""
    width_px: int = 1
    """Width of a line, 1 to 5."""
    blur_px: int = 7
    """Side of the box that softens the lines, 1 to 15."""
    brightness: float = 0.7
    """Factor on the image after the lines were added, in [0.05, 1]."""

    family = "albumentations"

    def __post_init__(self) -> None:
        """Refuse what the docstrings above exclude."""
        check(self, {"slant_px": (0, 20), "width_px": (1, 5)})
        check(self, {"blur_px": (1, 15), "brightness": (0.05, 1)})

    def parameters(self) -> dict[str, Any]:
        """All parameters and the versions of the code and the library, as plain JSON values."""
        return {"model": self.family, "version": VERSION, "library": _library(), **asdict(self)}

    def render(
        self, clean: NDArrayByte, rng: np.random.Generator, depth: NDArrayFloat | None = None
    ) -> RainyImage:
        """Rain on one image.

        Args:
            clean: ``uint8 (H, W, 3) RGB``, left as it is.
            rng: Generator of this image, which gives the library its seed.
            depth: Not used: the library knows no depth.

        Returns:
            The library's image. The streak layer is what it adds to a black image; the darkening
            is a veil of no light.
        """
        seed = int(rng.integers(2**31))
        image = self._applied(clean, self.brightness, seed)
        lines = self._applied(np.zeros_like(clean), 1.0, seed)[:, :, 0]
        # Images of one or two rows get no line, and then no darkening either.
        through = self.brightness if lines.any() else 1.0
        return RainyImage(
            image=image,
            streaks=lines,
            transmission=np.broadcast_to(np.float32(through), lines.shape),
            airlight=0.0,
            blend="add",
        )

    def _applied(self, image: NDArrayByte, brightness: float, seed: int) -> NDArrayByte:
        """The library's transform, made anew because one that threads share would mix its draws."""
        import albumentations

        drawn = albumentations.RandomRain(
            slant_range=(-self.slant_px, self.slant_px),
            drop_width=self.width_px,
            drop_color=(200, 200, 200),
            blur_value=self.blur_px,
            brightness_coefficient=brightness,
            p=1.0,
        )
        done = albumentations.Compose([drawn], seed=seed)(image=image)
        return np.array(done["image"], np.uint8)


@cache
def _library() -> str:
    return importlib.metadata.version("albumentations")
