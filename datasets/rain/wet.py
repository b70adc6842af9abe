"""Wet ground: darker, and a mirror of what stands on it, by the true distances.

A flat ground under a level camera is a line of reciprocal distance over rows, 1/z = k·(row − hor).
It is found from the distances themselves, never from labels: at each row nothing is farther than
the ground. What is seen at row r at distance z is mirrored at row 2·hor − r + 2/(k·z) of its column
(exact for a flat ground and what the camera sees; what it does not see, undersides and what lies
above the picture, is continued from the mirror's last pixel above). The mirror's share is Fresnel's
at the angle of view, by Schlick: R = 0.02 + 0.98·(1 − sin γ)⁵. J' = (1 − w·R)·a·J + w·R·M, with a
the albedo of wet asphalt over that of dry (Lekner and Dorf, "Why some things are darker when wet",
Applied Optics 1988, give 0.5 to 0.7) and w = 1 in puddles, less on the film between, whose mirror
is smeared along the columns. Grass, told by its green, is no mirror. All of it acts on bytes as
stored and not on light: a road whose bytes are 0.65 of the dry one's sends back some 0.4 of its
light, and 0.82 of its bytes are 0.65 of its light.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from datasets.image import NDArrayByte, NDArrayFloat
from datasets.rain.depth import require_fitting
from datasets.rain.rain import RainError, check

VERSION = 1
"""Raised whenever the same parameters give other bytes."""

CAMERA_HEIGHT_M = 1.5
"""Only the size of puddles depends on it: distances alone do not tell it."""
_STEP = 2
"""The mirror is made of every second row and column."""
_LEAST_SHARE = 0.05
"""Share of the lower half's pixels that must lie on the plane."""


@dataclass(frozen=True)
class WetGround:
    """Water on a flat ground."""

    albedo: float = 0.65
    """a, brightness of the wet ground over the dry one's, in [0.2, 1]."""
    puddles: float = 0.3
    """Share of the ground under puddles, in [0, 1]."""
    film: float = 0.5
    """w of the wet ground between, in [0, 1]."""

    needs_depth = True

    def __post_init__(self) -> None:
        """Refuse what the docstrings above exclude."""
        check(self, {"albedo": (0.2, 1), "puddles": (0, 1), "film": (0, 1)})

    def parameters(self) -> dict[str, Any]:
        """All parameters and the version of the code, as plain JSON values."""
        return {"layer": "wet", "version": VERSION, **asdict(self)}

    def changed(
        self, scene: NDArrayByte, rng: np.random.Generator, depth: NDArrayFloat | None
    ) -> NDArrayByte:
        """The scene on wet ground; without flat ground in it, as it is.

        Raises:
            RainError: If there is no depth, or it is not this image's.
        """
        if depth is None:
            raise RainError(
                "wet ground needs distances: give --depth DIR, or a data set that has them, or "
                "leave +wet out"
            )
        require_fitting(depth, scene)
        noise = _noise(rng)
        small, metres = scene[::_STEP, ::_STEP], depth[::_STEP, ::_STEP]
        nearness = 1 / metres.astype(np.float64)
        ground = ground_of(nearness)
        if ground is None:
            return scene
        share, smooth = self._mirror(small, metres, ground, noise)
        seen = mirrored(small, nearness, ground)
        smeared = _smeared(seen, max(3, len(seen) // 12))
        shown = np.where(smooth[:, :, None], seen, smeared)
        return _laid(scene, shown, share, ground.mask, self.albedo)

    def _mirror(
        self, small: NDArrayByte, metres: NDArrayFloat, ground: Ground, noise: NDArrayByte
    ) -> tuple[NDArrayFloat, NDArray[np.bool_]]:
        """w·R of each pixel in [0, 1], ``float32 (h, w)``, and where puddles are."""
        height, width = metres.shape
        focal = 1 / (ground.slope * CAMERA_HEIGHT_M)
        below = np.maximum(np.arange(height) - ground.horizon, 0)
        sine = below / np.sqrt(below * below + focal * focal)
        left = 1 - sine
        fresnel = 0.02 + 0.98 * left * left * left * left * left
        along = (metres * 8).astype(np.int32) & 255
        across = (metres * ((np.arange(width) - width / 2) * (8 / focal))).astype(np.int32) & 255
        level = noise[along, across]
        smooth = level >= np.percentile(noise, 100 * (1 - self.puddles))
        if self.puddles == 0:
            smooth[:] = False
        share = np.where(smooth, 1.0, self.film) * fresnel[:, None]
        red, green, blue = (small[:, :, i].astype(np.int16) for i in range(3))
        is_grass = green * 20 > np.maximum(red, blue) * 21
        share[is_grass] *= 0.1
        return (share * ground.mask).astype(np.float32), smooth


class Ground(NamedTuple):
    """The plane, in the rows of the picture that it was found in."""

    slope: float
    """k, reciprocal distance per row."""
    horizon: float
    """Row at which it is infinitely far."""
    mask: NDArray[np.bool_]
    """Where it is seen, ``(h, w)``."""


def ground_of(nearness: NDArray[np.float64]) -> Ground | None:
    """The plane of the ground, None where there is none.

    Args:
        nearness: Reciprocal distance, ``(h, w)``.
    """
    height = len(nearness)
    first = int(height * 0.6)
    farthest = nearness.min(axis=1)
    lower = farthest[first:]
    span = max(1, len(lower) // 3)
    if len(lower) < 6:
        return None
    slope = float(np.median(lower[span:] - lower[:-span])) / span
    if not slope > 0:
        return None
    horizon = float(np.median(np.arange(first, height) - lower / slope))
    if not 0 <= horizon < first:
        return None
    expected = slope * (np.arange(height) - horizon)[:, None]
    # Half a row, and what 8 bits of a logarithm leave open.
    near = np.abs(nearness - expected) <= 0.5 * slope + 0.02 * expected
    mask = near & (expected > 0)
    if mask[height // 2 :].mean() < _LEAST_SHARE:
        return None
    return Ground(slope, horizon, mask)


def mirrored(scene: NDArrayByte, nearness: NDArray[np.float64], ground: Ground) -> NDArrayByte:
    """What a smooth water surface in the ground's place shows, ``uint8 (h, w, 3)``."""
    height, width = nearness.shape
    stands = ~ground.mask
    row, column = np.nonzero(stands)
    near = nearness[stands]
    at = np.rint(2 * ground.horizon - row + near * (2 / ground.slope)).astype(np.int64)
    inside = (at >= 0) & (at < height) & (at > ground.horizon)
    row, column, at, near = row[inside], column[inside], at[inside], near[inside]
    # The nearest is drawn last; whole numbers of 16 bits are sorted in one pass.
    order = np.argsort(np.minimum(near * 32768, 65535).astype(np.uint16), kind="stable")
    source = np.full((height, width), -1, np.int32)
    source[at[order], column[order]] = row[order]
    # Where nothing was mirrored, the last above goes on; above the first, the pixel itself.
    filled = np.where(source >= 0, np.arange(height)[:, None], 0)
    np.maximum.accumulate(filled, axis=0, out=filled)
    columns = np.arange(width)[None]
    source = source[filled, columns]
    rows = np.where(source >= 0, source, np.arange(height)[:, None])
    return scene[rows, columns]


def _smeared(image: NDArrayByte, rows: int) -> NDArrayByte:
    """Mean along the columns, rounded; sums of whole numbers are exact."""
    rows = min(rows, 2 * len(image) - 1)
    sums = cv2.boxFilter(np.ascontiguousarray(image), cv2.CV_32F, (1, rows), normalize=False)
    sums = np.asarray(sums, np.float32).reshape(image.shape)
    return np.asarray(np.rint(sums / np.float32(rows)), np.uint8)


def _noise(rng: np.random.Generator) -> NDArrayByte:
    """Smooth hills that tile, ``uint8 (256, 256)``: an eighth of a metre each."""
    cells = np.frombuffer(rng.bytes(16 * 16), np.uint8).reshape(16, 16)
    around = np.pad(cells, 1, mode="wrap")
    large = cv2.resize(around, (288, 288), interpolation=cv2.INTER_LINEAR_EXACT)
    return np.asarray(large, np.uint8)[16:-16, 16:-16]


def _laid(
    scene: NDArrayByte,
    shown: NDArrayByte,
    share: NDArrayFloat,
    mask: NDArray[np.bool_],
    albedo: float,
) -> NDArrayByte:
    """(1 − wR)·a·J + wR·M in whole numbers, of the whole size."""
    size = scene.shape[1], scene.shape[0]
    levels = np.rint(share * np.float32(255)).astype(np.uint8)
    dark = np.where(mask, np.uint8(round(255 * albedo)), np.uint8(255))
    of_mirror, of_ground, mirror = (
        np.asarray(cv2.resize(p, size, interpolation=cv2.INTER_LINEAR_EXACT), np.uint8)
        for p in (levels, dark, shown)
    )
    own = ((255 - of_mirror).astype(np.uint32) * of_ground + 127) // 255
    mixed = np.asarray(cv2.merge([own.astype(np.uint16)] * 3), np.uint16) * scene
    mixed += np.asarray(cv2.merge([of_mirror.astype(np.uint16)] * 3), np.uint16) * mirror
    return ((mixed + np.uint16(128)) // 255).astype(np.uint8)
