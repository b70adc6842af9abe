"""Editor's rain that differs from image to image, calibrated to the papers' detection sets.

COCO350, BDD350 and BDD150 were made in Photoshop and never published; what is printed is the mean
PSNR and SSIM of their rainy input: 14.79/0.648, 14.13/0.470 and 18.00/0.722 (Jiang et al.,
"Multi-Scale Progressive Fusion Network", CVPR 2020, table 6). The three rows of the table of rains
reach these means on such images, see ``docs/rain.md``.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from datasets.image import NDArrayByte, NDArrayFloat
from datasets.rain import streaks
from datasets.rain.photoshop import StreakLayer, drawn
from datasets.rain.rain import RainyImage, check, uniform

VERSION = 1
"""Raised whenever the same parameters give other bytes."""

_DAYLIGHT = 100
"""Mean grey level from which on a scene is in daylight: that of the calibration's images."""


@dataclass(frozen=True)
class VariedRain:
    """Streak layers of a direction, density and magnitude of their own, under a thin white veil.

    Streaks are screened over the image as in `PhotoshopRain`, then the veil I = T·J + (1 − T).
    """

    layers: tuple[StreakLayer, ...]
    """Layers of streaks at density and magnitude 1, the farthest first."""
    haze: float
    """Mean share of the light that the veil takes, 1 − T, in [0, 1]."""
    angle_spread_deg: float = 35.0
    """Each image's direction is drawn from 0 ± spread, at most 60."""
    density: float = 1.0
    """Factor on the layers' coverage, 0 to 4."""
    density_spread: float = 0.4
    """Each image's coverage is drawn from (1 ± spread) times the mean, in [0, 1]."""
    magnitude: float = 1.0
    """Factor on the opacity of streaks and on the veil, 0 to 4."""
    magnitude_spread: float = 0.3
    """Each image's opacities are drawn from (1 ± spread) times the mean, in [0, 1]."""
    night: float = 0.5
    """How much fainter the rain is in a black scene than in daylight, in [0, 1]: drops only pass
    on the light around them."""

    family = "photoshop"

    def __post_init__(self) -> None:
        """Refuse what the docstrings above exclude."""
        check(self, {"haze": (0, 1), "angle_spread_deg": (0, 60), "night": (0, 1)})
        check(self, {"density": (0, 4), "density_spread": (0, 1)})
        check(self, {"magnitude": (0, 4), "magnitude_spread": (0, 1)})

    def parameters(self) -> dict[str, Any]:
        """All parameters and the version of the code, as plain JSON values."""
        return {"model": "varied", "version": VERSION, **asdict(self)}

    def render(
        self, clean: NDArrayByte, rng: np.random.Generator, depth: NDArrayFloat | None = None
    ) -> RainyImage:
        """Rain on one image.

        Args:
            clean: ``uint8 (H, W, 3) RGB``, left as it is.
            rng: Generator of this image; nothing else is random.
            depth: Not used: editors know no depth.

        Returns:
            The rainy image, all streaks in one layer, and an even veil.
        """
        height, width = clean.shape[:2]
        slope = streaks.slope_of(uniform(rng, -self.angle_spread_deg, self.angle_spread_deg))
        density = self.density * uniform(rng, 1 - self.density_spread, 1 + self.density_spread)
        bright = self.magnitude * uniform(rng, 1 - self.magnitude_spread, 1 + self.magnitude_spread)
        daylight = min(1.0, int(clean.sum(dtype=np.int64)) / (clean.size * _DAYLIGHT))
        bright *= 1 - self.night * (1 - daylight)
        layer = np.zeros((height, width), np.uint8)
        for each in self.layers:
            full = StreakLayer(
                length_px=each.length_px,
                width_px=each.width_px,
                coverage=min(1.0, each.coverage * density),
                full=min(1.0, each.full * density),
                opacity=min(1.0, each.opacity * bright),
            )
            layer = streaks.screen(layer, drawn(height, width, full, slope, rng))
        haze = round(255 * min(1.0, self.haze * bright))
        light = streaks.screen(layer, np.full_like(layer, haze))
        return RainyImage(
            image=streaks.screen(clean, light),
            streaks=layer,
            transmission=np.broadcast_to(np.float32(1 - haze / 255), layer.shape),
            airlight=1.0,
        )
