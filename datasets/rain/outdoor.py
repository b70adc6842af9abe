"""Streaks under a veil, as in Outdoor-Rain: I = T·min(1, J + S) + (1 − T)·A.

Li, Cheong and Tan, "Heavy Rain Image Restoration", CVPR 2019, with the numbers of their generator
(github.com/liruoteng/HeavyRainRemoval, ``datagen/render_rain.m`` and ``render_haze.m``, as the
files stand). Departures: noise, filters and enlargement in whole numbers and bilinear instead of
bicubic; three box filters instead of the Gaussian on the depth, which is scaled by a constant
instead of its maximum; the borders mirrored, not black. The rain-free
truth is the image before it is softened, as theirs is.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import cv2
import numpy as np

from datasets.image import NDArrayByte, NDArrayFloat
from datasets.rain import streaks
from datasets.rain.depth import Street, distances
from datasets.rain.rain import RainyImage, check, uniform
from datasets.rain.veil import lay_veil, transmission

VERSION = 2
"""Raised whenever the same parameters give other bytes."""

ANGLES_DEG = (-10.0, -5.0, 0.0, 5.0, 10.0)
"""Directions of fall against the vertical; theirs are counted from the horizontal, 80 to 100."""
FOCAL_SHARE = 1.0
"""Focal length of the made-up road scene's camera, in image widths."""
STANDING_M = 24.0
"""Distance of what rises above the made-up horizon."""
SKY_M = 60.0
"""Distance of the sky there. Both leave a quarter of the light at the top and 0.6 at the bottom as
four of their test pairs do (0.16 to 0.35 and 0.54 to 0.61 in the outer quarters)."""


@dataclass(frozen=True)
class OutdoorRain:
    """Motion-blurred noise, added; then a veil by inverse depth."""

    noise_mean_low: float = -1.0
    """Noise before blurring is normal and clipped to [0, 1]; least mean, -4 × 0.25, in [-5, 1]."""
    noise_mean_high: float = -0.8
    """Largest mean, -4 × 0.2; not below the least, up to 1."""
    noise_variance_low: float = 0.7
    """Least variance of the noise, 0 to 4."""
    noise_variance_high: float = 1.0
    """Largest variance; not below the least, up to 4."""
    length_low_px: int = 21
    """Least length of the motion blur, 1 to 250."""
    length_high_px: int = 60
    """Largest length; not below the least, up to 250."""
    gain: float = 1.0
    """Factor on their brightness of streaks, 0.04 × length + 0.2 … 0.25; 0 to 4."""
    beta_low: float = 2.6
    """Least attenuation over the normalised depth, 0 to 20."""
    beta_high: float = 4.6
    """Largest attenuation; not below the least, up to 20."""
    airlight_low: float = 0.25
    """Least brightness of the veil, in [0, 1]."""
    airlight_high: float = 0.95
    """Largest brightness; not below the least, up to 1."""
    blur_px: float = 1.0
    """Largest σ of the softening filter, whose σ is min(largest, ``|N(0.5, 0.5²)|``); 0 to 1.5."""

    family = "outdoor-rain"

    def __post_init__(self) -> None:
        """Refuse what the docstrings above exclude."""
        check(self, {"noise_mean_low": (-5, 1), "noise_variance_low": (0, 4), "gain": (0, 4)})
        check(self, {"length_low_px": (1, 250), "beta_low": (0, 20), "airlight_low": (0, 1)})
        check(self, {"noise_mean_high": (self.noise_mean_low, 1), "blur_px": (0, 1.5)})
        check(self, {"noise_variance_high": (self.noise_variance_low, 4)})
        check(self, {"length_high_px": (self.length_low_px, 250)})
        check(self, {"beta_high": (self.beta_low, 20), "airlight_high": (self.airlight_low, 1)})

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
            depth: Distance in metres, ``float32 (H, W)``; without it a street whose sky is
                found in the pixels.

        Returns:
            The rainy image with its streak layer, its veil and the source of the depth.

        Raises:
            RainError: If the depth does not fit the image.
        """
        height, width = clean.shape[:2]
        street = Street(FOCAL_SHARE * width, STANDING_M, SKY_M)
        distance = distances(clean, depth, street)
        nearest = distance.ground_m.min()
        weights = _softening(self.blur_px, rng)
        layer = self._streaks(height, width, rng)
        beta = uniform(rng, self.beta_low, self.beta_high)
        airlight = round(255 * uniform(rng, self.airlight_low, self.airlight_high))
        through = distance.through(lambda m: transmission(beta * _normalised(m, nearest)))
        image = _soften(clean, weights)
        image = np.asarray(cv2.add(image, cv2.cvtColor(layer, cv2.COLOR_GRAY2RGB)), np.uint8)
        return RainyImage(
            image=lay_veil(image, through, airlight),
            streaks=layer,
            transmission=through,
            airlight=airlight / 255,
            blend="add",
            blur=weights,
            depth_source=distance.source,
        )

    def _streaks(self, height: int, width: int, rng: np.random.Generator) -> NDArrayByte:
        """The streak layer, ``uint8 (H, W)``."""
        mean = uniform(rng, self.noise_mean_low, self.noise_mean_high)
        variance = uniform(rng, self.noise_variance_low, self.noise_variance_high)
        length = int(rng.integers(self.length_low_px, self.length_high_px + 1))
        gain = self.gain * (0.04 * length + uniform(rng, 0.2, 0.25))
        slope = streaks.slope_of(ANGLES_DEG[int(rng.integers(len(ANGLES_DEG)))])
        scale = uniform(rng, 1.01, 1.21)

        rows = streaks.rows_of(length, slope)
        tall, wide = height + rows, width + streaks.lean_px(height, slope)
        seed_tall, seed_wide = math.ceil(tall / scale), math.ceil(wide / scale)
        deviation = math.sqrt(variance)
        table = [mean + deviation * q for q in streaks.normal_quantiles()]
        levels = np.array([round(255 * min(1.0, max(0.0, v))) for v in table]).astype(np.uint8)
        seeds = np.frombuffer(rng.bytes(seed_tall * seed_wide), np.uint8)
        noise = cv2.resize(
            np.asarray(cv2.LUT(seeds.reshape(seed_tall, seed_wide), levels), np.uint8),
            (wide, tall),
            interpolation=cv2.INTER_LINEAR_EXACT,
        )
        # At most 255 per row of the blur and 16 parts: below 2²⁰.
        drawn = streaks.shear(
            streaks.fall(np.asarray(noise, np.uint8), rows)[:height], width, slope
        )
        drawn *= gain / (streaks.SUBPIXEL * rows)
        return np.rint(np.minimum(drawn, 255, out=drawn)).astype(np.uint8)


def _softening(largest_px: float, rng: np.random.Generator) -> tuple[int, ...]:
    """Weights of the softening Gaussian, summing to 256; none where it does nothing."""
    quantile = streaks.normal_quantiles()[int(rng.integers(256))]
    sigma = min(largest_px, abs(0.5 + 0.5 * quantile))
    if sigma < 0.2:
        return ()
    side = [round(256 * math.exp(-0.5 * (i / sigma) ** 2)) for i in range(1, 5)]
    total = 256 + 2 * sum(side)
    weights = [round(256 * w / total) for w in side]
    return (*reversed(weights), 256 - 2 * sum(weights), *weights)


def _soften(image: NDArrayByte, weights: tuple[int, ...]) -> NDArrayByte:
    """Filter along rows and columns; sums stay below 2²⁴, so float32 holds them exactly."""
    if not weights:
        return image
    kernel = np.array(weights, np.float32)
    mirrored = cv2.BORDER_REFLECT_101
    sums = cv2.sepFilter2D(image, cv2.CV_32F, kernel, kernel, borderType=mirrored)
    sums = np.asarray(sums, np.float32).reshape(image.shape)
    return np.rint(sums / 65536).astype(np.uint8)


def _normalised(distance: NDArrayFloat, nearest: np.float32) -> NDArrayFloat:
    """Depth as their veil takes it: 0.1/(x + 0.1), x = nearest/distance, smoothed.

    Their depth maps hold inverse depth (near is bright), so x is 1 at the nearest point and falls
    towards 0; the result grows with distance. They divide 1/(x + 0.1) by its maximum in the image,
    here it is the largest possible, 10, so that one far pixel does not clear the rest. Box filters
    of 9, 11 and 11 pixels stand for the Gaussian of σ = 5 (theirs: 5.2).
    """
    levels = np.rint(np.float32(6553.5) / (nearest / distance + np.float32(0.1)))
    for side in (9, 11, 11):
        window = (min(side, 2 * levels.shape[1] - 1), min(side, 2 * levels.shape[0] - 1))
        sums = cv2.boxFilter(levels, cv2.CV_32F, window, normalize=False).reshape(distance.shape)
        levels = np.rint(np.asarray(sums, np.float32) / np.float32(window[0] * window[1]))
    return np.asarray(levels / np.float32(65535), np.float32)
