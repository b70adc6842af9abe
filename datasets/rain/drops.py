"""Drops in front of a camera, one by one: where they are, and how much of the light they take.

Each leaves a streak as Garg and Nayar describe it ("Vision and Rain", IJCV 2007): as wide as the
drop, as long as it falls during the exposure, of the opacity D/(v·t), rippled by the drop's
oscillation ("Photorealistic Rendering of Rain Streaks", SIGGRAPH 2006). Most drops are so far away
that they cover a part of one column and at most three rows: these are points of the same light.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from datasets.image import NDArrayByte, NDArrayFloat

NEAREST_M = 0.5
"""Drops nearer than this are left out: they would hit lens hood or windscreen."""
LARGEST_MM = 6.0
"""Larger drops break up as they fall."""
FINE_WIDTH_PX, FINE_LENGTH_PX = 0.5, 3.0
"""A streak that is narrower and shorter is drawn as points."""
POINTS = 3
"""Points of a fine drop, evenly along its streak."""

_QUANTILES = 4096
_FINE_KINDS = 1 << 14
_CHUNK, _FINE_CHUNK = 1 << 15, 1 << 17
"""Drops drawn at a time, so that memory does not grow with the rate."""
_UNIT = float(1 << 16)
"""Opacities are summed in 1/65536."""
_SUBPIXEL = 16
_MARGIN_PX = 4
"""Room around the image for fine drops that reach into it."""


@dataclass(frozen=True)
class Fall:
    """Drops in the air and the camera that sees them."""

    per_m3: float
    """Drops of at least the smallest diameter in a cubic metre."""
    slope_per_mm: float
    """Λ of their sizes, exp(−Λ D)."""
    smallest_mm: float
    exposure_ms: float
    focal_mm: float
    f_number: float
    reach_m: float
    """Distance up to which drops are drawn."""
    widest_wind_m_s: float
    """The strongest wind across the view of any image."""

    def expected(self, frame: tuple[int, int], focal_px: float) -> float:
        """Mean number of drops in the view of a frame of that height and width."""
        if self.per_m3 == 0:
            return 0.0
        above, beside = _margins(self, focal_px)
        area = (frame[0] + 2 * above) * (frame[1] + 2 * beside)
        return area / focal_px**2 * self.reach_m**3 / 3 * self.per_m3


class Kinds(NamedTuple):
    """Kinds of drop, each ``float64 (4096,)``, all equally likely."""

    width_m: NDArray[np.float64]
    """Width of the streak in the drop's own plane, blur included."""
    length_m: NDArray[np.float64]
    """Length of the streak in the drop's own plane, blur included."""
    speed_m_s: NDArray[np.float64]
    """Terminal velocity."""
    cycles: NDArray[np.float64]
    """Oscillations during the exposure."""
    opacity: NDArray[np.float64]
    """Share of the exposure during which a point of the streak lay behind the drop."""


class Drops(NamedTuple):
    """Drops as they appear, each ``float32 (N,)``; lengths in pixels unless named otherwise."""

    x: NDArrayFloat
    y: NDArrayFloat
    z_m: NDArrayFloat
    width: NDArrayFloat
    length: NDArrayFloat
    lean: NDArrayFloat
    cycles: NDArrayFloat
    phase: NDArrayFloat
    opacity: NDArrayFloat


class Fine(NamedTuple):
    """Kinds of fine drop, all equally likely, each ``(16384,)``."""

    z_m: NDArrayFloat
    amount: NDArray[np.float64]
    """Opacity of each of its points in 1/65536, whole numbers."""
    apart: NDArrayFloat
    """Rows between its points, in 1/16 pixel."""
    speed_m_s: NDArrayFloat


def drawn_opacity(
    fall: Fall,
    distance: NDArrayFloat,
    shape: tuple[int, int],
    focal_px: float,
    wind_m_s: float,
    rng: np.random.Generator,
) -> NDArrayByte:
    """Opacity of all drops together, ``uint8 (H, W)``.

    Args:
        fall: Drops and camera.
        distance: Of what drops may be hidden behind, metres, ``float32 (H, W)`` or ``(H, 1)``.
        shape: Height and width.
        focal_px: Focal length.
        wind_m_s: Wind across the view, positive to the right.
        rng: Where drops are.
    """
    if fall.per_m3 == 0:
        return np.zeros(shape, np.uint8)
    total = _fine(fall, distance, shape, focal_px, wind_m_s, rng)
    near = _near(fall, focal_px)
    above, beside = _margins(fall, focal_px)
    tall, wide = shape[0] + 2 * above, shape[1] + 2 * beside
    left = int(rng.poisson(tall * wide / focal_px**2 / 3 * fall.per_m3 * near.volume))
    while left > 0:
        count = min(left, _CHUNK)
        left -= count
        kind = near.kinds.take(rng.integers(0, _FINE_KINDS, count))
        z = near.ends_m[kind] * _cube_roots().take(rng.integers(0, 1 << 16, count))
        y = rng.integers(0, tall * 256, count) / 256 - above
        x = rng.integers(0, wide * 256, count) / 256 - beside
        phase = rng.integers(0, 256, count)
        drops = _seen(kinds_of(fall), kind, (x, y, z, phase), focal_px, wind_m_s)
        total += _drawn(drops, distance, shape)
    total *= 255 / _UNIT
    np.rint(total, out=total)
    return np.minimum(total, 255, out=total).astype(np.uint8).reshape(shape)


def _margins(fall: Fall, focal_px: float) -> tuple[int, int]:
    """Rows above and columns beside the image from which streaks reach into it."""
    kinds = kinds_of(fall)
    above = math.ceil(focal_px * float(kinds.length_m.max()) / NEAREST_M / 2)
    beside = math.ceil(above * max(1.0, fall.widest_wind_m_s / float(kinds.speed_m_s.min())))
    return above, beside


@lru_cache(maxsize=16)
def kinds_of(fall: Fall) -> Kinds:
    """The 4,096 equally likely kinds of drop; all that is transcendental is rounded here."""
    diameter = [min(LARGEST_MM, fall.smallest_mm + q / fall.slope_per_mm) for q in _exponential()]
    # Atlas, Srivastava and Sekhon 1973.
    speed = np.array([round(9.65 - 10.3 * math.exp(-0.6 * d), 6) for d in diameter])
    # Lowest mode of a drop, ω = √(8σ/ρr³), with σ = 0.0728 N/m and ρ = 1000 kg/m³.
    ripple = [round(math.sqrt(8 * 0.0728 / 1000 / (d / 2000) ** 3), 3) for d in diameter]
    seconds = fall.exposure_ms / 1000
    wide_m = np.array(diameter) / 1000
    blur_m = fall.focal_mm / fall.f_number / 1000
    return Kinds(
        width_m=wide_m + blur_m,
        length_m=speed * seconds + wide_m + blur_m,
        speed_m_s=speed,
        cycles=np.array(ripple) * (seconds / 6.283185),
        # Blur spreads the same light over more width.
        opacity=np.minimum(1, wide_m / (speed * seconds)) * wide_m / (wide_m + blur_m),
    )


class Near(NamedTuple):
    """The drops that are not fine."""

    ends_m: NDArray[np.float64]
    """Distance at which each kind becomes fine, ``(4096,)``."""
    kinds: NDArray[np.intp]
    """Kinds, each as often as its drops are seen near, ``(16384,)``."""
    volume: float
    """Mean over the kinds of the cube of these distances."""


@lru_cache(maxsize=64)
def _near(fall: Fall, focal_px: float) -> Near:
    kinds = kinds_of(fall)
    tall_m = kinds.length_m * np.maximum(1, fall.widest_wind_m_s / kinds.speed_m_s)
    ends = np.maximum(kinds.width_m / FINE_WIDTH_PX, tall_m / FINE_LENGTH_PX) * focal_px
    ends = np.clip(ends, min(NEAREST_M, fall.reach_m), fall.reach_m)
    cubes = ends * ends * ends
    return Near(ends, _equally_likely(cubes), math.fsum(cubes.tolist()) / _QUANTILES)


@lru_cache(maxsize=64)
def _fine_kinds(fall: Fall, focal_px: float) -> tuple[Fine, float]:
    """Kinds of fine drops, and the mean over all kinds of the difference of cubed distances."""
    kinds, ends = kinds_of(fall), _near(fall, focal_px).ends_m
    cubes = np.maximum(fall.reach_m**3 - ends * ends * ends, 0)
    kind = _equally_likely(cubes)
    # The golden ratio's multiples fill distances evenly, whichever kinds come together.
    share = (np.arange(_FINE_KINDS) * 40503 % 65536 + 0.5) / 65536
    z = np.rint(np.cbrt(ends[kind] ** 3 + share * cubes[kind]) * 4096) / 4096
    scale = focal_px / z
    length = kinds.length_m[kind] - kinds.width_m[kind]
    light = kinds.opacity[kind] * kinds.width_m[kind] * length * scale * scale
    # One that no byte would show by itself is part of the veil.
    width, tall = kinds.width_m[kind] * scale, kinds.length_m[kind] * scale
    is_seen = kinds.opacity[kind] * np.minimum(width, 1) * np.minimum(tall, 1) > 1 / 512
    fine = Fine(
        z.astype(np.float32),
        np.rint(np.where(is_seen, light, 0) * (_UNIT / POINTS)),
        (length * scale * (_SUBPIXEL / POINTS)).astype(np.float32),
        kinds.speed_m_s[kind].astype(np.float32),
    )
    return fine, math.fsum(cubes.tolist()) / _QUANTILES


def _equally_likely(weights: NDArray[np.float64]) -> NDArray[np.intp]:
    """Indices in proportion to their weights, ``(16384,)``."""
    sums = np.cumsum(weights)
    marks = (np.arange(_FINE_KINDS) + 0.5) * (float(sums[-1]) / _FINE_KINDS)
    return np.minimum(np.searchsorted(sums, marks), len(weights) - 1)


def _fine(
    fall: Fall,
    distance: NDArrayFloat,
    shape: tuple[int, int],
    focal_px: float,
    wind_m_s: float,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Summed opacity of fine drops in 1/65536, ``float64 (H·W,)`` of whole numbers."""
    fine, volume = _fine_kinds(fall, focal_px)
    height, width = (side + 2 * _MARGIN_PX for side in shape)
    total = np.zeros(height * width)
    # Points are at most half the margin away from their drop's middle.
    edge = _MARGIN_PX // 2
    area = (height - 2 * edge) * (width - 2 * edge)
    left = int(rng.poisson(area / focal_px**2 / 3 * fall.per_m3 * volume))
    down = np.rint(fine.apart).astype(np.int32)
    across = np.rint(fine.apart * (np.float32(wind_m_s) / fine.speed_m_s)).astype(np.int32)
    walls = cv2.copyMakeBorder(distance, *(_MARGIN_PX,) * 4, cv2.BORDER_REPLICATE)
    hides = float(distance.min()) < fall.reach_m
    while left > 0:
        count = min(left, _FINE_CHUNK)
        left -= count
        places = rng.integers(0, 1 << 16, (3, count), dtype=np.uint16)
        kind = (places[0] & np.uint16(_FINE_KINDS - 1)).astype(np.intp)
        y = (places[1] * np.float32((height - 2 * edge) / 4096)).astype(np.int32)
        x = (places[2] * np.float32((width - 2 * edge) / 4096)).astype(np.int32)
        y += edge * _SUBPIXEL
        x += edge * _SUBPIXEL
        amount = fine.amount.take(kind)
        if hides:
            row, column = y >> 4, np.minimum(x >> 4, walls.shape[1] - 1)
            wall = walls[:, 0].take(row) if distance.shape[1] == 1 else walls[row, column]
            amount *= fine.z_m.take(kind) < wall
        apart, aside = down.take(kind), across.take(kind)
        y -= apart * (POINTS // 2)
        x -= aside * (POINTS // 2)
        pixels = np.empty((POINTS, count), np.intp)
        for points in pixels:
            np.add((y >> 4) * np.int32(width), x >> 4, out=points)
            y += apart
            x += aside
        total += np.bincount(pixels.ravel(), np.tile(amount, POINTS), len(total))
    inner = slice(_MARGIN_PX, -_MARGIN_PX)
    return total.reshape(height, width)[inner, inner].ravel()


def _seen(
    kinds: Kinds,
    kind: NDArray[np.intp],
    place: tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]],
    focal_px: float,
    wind_m_s: float,
) -> Drops:
    """How drops of these kinds at these places appear: those that are seen at all."""
    x, y, z, phase = place
    scale = focal_px / z
    lean = wind_m_s / kinds.speed_m_s[kind]
    width, length = kinds.width_m[kind] * scale, kinds.length_m[kind] * scale
    strength = kinds.opacity[kind]
    # One that no byte would show by itself is part of the veil.
    seen = (z >= NEAREST_M) & (strength * np.minimum(width, 1) * np.minimum(length, 1) > 1 / 512)
    columns = (x, y, z, width, length, lean, kinds.cycles[kind], phase, strength)
    return Drops(*(column[seen].astype(np.float32) for column in columns))


def _drawn(drops: Drops, distance: NDArrayFloat, shape: tuple[int, int]) -> NDArray[np.float64]:
    """Summed opacity in 1/65536, ``float64 (H·W,)`` of whole numbers.

    Each streak is cut into its pixels; a pixel's share is the covered part of its row times that
    of its column, more in the middle of the streak than at its sides. At both ends a streak fades
    over its width, since the drop began or ended its fall there.
    """
    height, width = shape
    at_y = np.clip(drops.y, 0, height - 1).astype(np.intp)
    at_x = np.clip(drops.x, 0, distance.shape[1] - 1).astype(np.intp)
    reach = np.float32(0.5) * (drops.length * np.abs(drops.lean) + drops.width)
    shown = (
        (drops.z_m < distance[at_y, at_x])
        & (np.abs(drops.y - height / 2) < (drops.length + height) / 2)
        & (np.abs(drops.x - width / 2) < reach + width / 2)
    )
    drops = Drops(*(column[shown] for column in drops))
    wide = drops.width / (drops.width + 1)
    fullest = drops.opacity / (1 - wide * wide / 3)

    top = np.floor(drops.y - drops.length / 2)
    of, down = _spread(np.ceil(drops.y + drops.length / 2) - top)
    row = top[of] + down
    inside = (row >= 0) & (row < height)
    of, row, down = of[inside], row[inside], down[inside]
    start = np.asarray(row - (drops.y - drops.length / 2)[of], np.float32)
    end = np.asarray(row - (drops.y + drops.length / 2 - drops.width)[of], np.float32)
    tall = _ramped(start, drops.width[of]) - _ramped(end, drops.width[of])
    ripple = drops.phase[of] + 256 * drops.cycles[of] * down / drops.length[of]
    light = fullest[of] * np.maximum(tall, 0) * _ripples()[ripple.astype(np.int32) & 255]
    middle = drops.x[of] + drops.lean[of] * (row + np.float32(0.5) - drops.y[of])
    half = drops.width[of] / 2

    left = np.floor(middle - half)
    of, across = _spread(np.ceil(drops.width)[of] + 1)
    column = left[of] + across
    inside = (column >= 0) & (column < width)
    of, column = of[inside], column[inside]
    middle, half = middle[of], half[of]
    covered = np.minimum(middle + half, column + 1) - np.maximum(middle - half, column)
    off = (column + np.float32(0.5) - middle) / (half + np.float32(0.5))
    amount = np.rint(light[of] * np.maximum(covered, 0) * (1 - off * off) * np.float32(_UNIT))
    pixel = row[of].astype(np.intp) * width + column.astype(np.intp)
    return np.asarray(np.bincount(pixel, amount, height * width), np.float64)


def _ramped(start: NDArrayFloat, width: NDArrayFloat) -> NDArrayFloat:
    """Mean over [start, start + 1] of a ramp that rises from 0 at 0 to 1 at ``width``."""
    low, high = (np.maximum(start + step, 0) for step in (np.float32(0), np.float32(1)))
    rise = np.minimum(high, width) ** 2 - np.minimum(low, width) ** 2
    level = np.maximum(high, width) - np.maximum(low, width)
    return np.asarray(rise / (2 * width) + level, np.float32)


def _spread(counts: NDArrayFloat) -> tuple[NDArray[np.int32], NDArrayFloat]:
    """For counts (2, 3): whose (0, 0, 1, 1, 1) and which (0, 1, 0, 1, 2)."""
    whole = counts.astype(np.int32)
    of = np.repeat(np.arange(len(whole), dtype=np.int32), whole)
    start = np.cumsum(whole, dtype=np.int32) - whole
    return of, (np.arange(len(of), dtype=np.int32) - start[of]).astype(np.float32)


@cache
def _exponential() -> tuple[float, ...]:
    """−ln(1 − (i + ½)/4096): as many equally likely draws of an exponential variable, rounded."""
    return tuple(round(-math.log1p(-(i + 0.5) / _QUANTILES), 6) for i in range(_QUANTILES))


@cache
def _cube_roots() -> NDArray[np.float64]:
    """Cube roots of the middles of 65,536 parts of [0, 1], rounded."""
    roots = np.cbrt((np.arange(1 << 16) + 0.5) / (1 << 16))
    return np.asarray(np.rint(roots * (1 << 20)) / (1 << 20), np.float64)


@cache
def _ripples() -> NDArrayFloat:
    """Brightness along a streak over one oscillation, around 1."""
    waves = [round(1 + 0.4 * math.cos(2 * math.pi * i / 256), 4) for i in range(256)]
    return np.array(waves, np.float32)
