"""Small cuts of photographs under known rain, on which a derainer's convention is judged."""

from __future__ import annotations

import importlib.resources

import cv2
import numpy as np

from datasets.image import NDArrayByte, decode
from datasets.rain import RAINS

SIDE_PX = 64
ROCKET = ("skimage", "data/rocket.jpg")
CAT = ("skimage", "data/chelsea.png")
PILOT = ("skimage", "data/astronaut.png")
PORTRAIT = ("matplotlib", "mpl-data/sample_data/grace_hopper.jpg")
LIGHT, HEAVY = RAINS["rain100l"], RAINS["rain100h"]
CUTS = (
    (ROCKET, LIGHT),
    (PORTRAIT, LIGHT),
    (ROCKET, LIGHT),
    (CAT, LIGHT),
    (ROCKET, LIGHT),
    (PORTRAIT, LIGHT),
    (ROCKET, HEAVY),
    (PILOT, HEAVY),
)
"""Photographs that base dependencies ship, all CC0 or in the public domain, and the rain on each:
sky, skin and fur, whose colours tell the order of channels, under light streaks, which hide little,
and under heavy ones for networks that know no others."""


def known_rain(seed: int = 0) -> list[tuple[NDArrayByte, NDArrayByte]]:
    """Rainy and clean images, ``uint8 (H, W, 3) RGB``; each seed has other cuts and rain."""
    pairs = []
    for i, ((package, name), rain) in enumerate(CUTS):
        rng = np.random.default_rng([seed, i])
        file = importlib.resources.files(package) / name
        clean = _cut(decode(file.read_bytes(), name), rng)
        pairs.append((rain.render(clean, rng).image, clean))
    return pairs


def _cut(photograph: NDArrayByte, rng: np.random.Generator) -> NDArrayByte:
    """A part of a photograph at about half its size, which hides what its JPEG file did to it."""
    height, width = photograph.shape[:2]
    side = int(rng.integers(110, 171))
    top, left = rng.integers(0, height - side + 1), rng.integers(0, width - side + 1)
    part = np.ascontiguousarray(photograph[top : top + side, left : left + side])
    small = cv2.resize(part, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA)
    return small.astype(np.uint8)
