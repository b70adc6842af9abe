"""Rain from millimetres per hour: drops in front of a camera, and the veil of all the others.

Drops have the sizes of Marshall and Palmer (1948), fall at Atlas's terminal velocity and lie at
random in the camera's frustum. Each leaves a streak as Garg and Nayar describe it ("Vision and
Rain", IJCV 2007): as wide as the drop, as long as it falls during the exposure, of the opacity
D/(v·t), brighter than what is behind it and rippled by the drop's oscillation ("Photorealistic
Rendering of Rain Streaks", SIGGRAPH 2006). Attenuation and airlight are those of Halder et al.
(ICCV 2019) and Tremblay et al. (IJCV 2020), and so is the camera. It shares no streak code with
the other models, so that it can be the rain that no derainer was trained on.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from functools import cache, lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from datasets.image import NDArrayByte, NDArrayFloat
from datasets.rain.depth import depth_or_road
from datasets.rain.rain import RainError, RainyImage, check, uniform
from datasets.rain.veil import transmission, veil

VERSION = 1
"""Raised whenever the same parameters give other bytes."""

FARTHEST_M = 150.0
"""End of the made-up road scene."""
NEAREST_M = 0.5
"""Drops nearer than this are left out: they would hit lens hood or windscreen."""
LARGEST_MM = 6.0
"""Larger drops break up as they fall."""

MOST_DROPS = 5_000_000
"""A view with more is refused: drawing it would take seconds and show a grey image."""

_QUANTILES = 4096
_CHUNK = 1 << 15
"""Drops drawn at a time, so that memory does not grow with the rate."""
_UNIT = float(1 << 16)
"""Opacities are summed in 1/65536."""


@dataclass(frozen=True)
class PhysicalRain:
    """Rain of a rate, seen by a camera."""

    rate_mm_h: float = 25.0
    """Rain rate; 1 is drizzle, 25 heavy, 100 a cloudburst; 0 to 300 mm/h."""
    wind_m_s: float = 0.0
    """Mean wind across the view, positive to the right, in [-20, 20] m/s."""
    wind_spread_m_s: float = 1.5
    """Each image's wind is drawn from the mean ± spread, 0 to 10 m/s."""
    exposure_ms: float = 2.0
    """Exposure time, 0.1 to 100 ms."""
    focal_mm: float = 6.0
    """Focal length, 1 to 200 mm."""
    f_number: float = 6.0
    """Focal length over aperture, 0.7 to 64; focused far away, drops blur by the aperture."""
    pixel_um: float = 4.65
    """Pitch of the sensor's pixels, 0.5 to 50 µm."""
    frame_px: int = 1242
    """Width of the sensor in pixels, 64 to 20,000; other images are its frame resized."""
    smallest_mm: float = 1.0
    """Diameter from which on drops are drawn one by one, 0.5 to 5 mm."""
    reach_m: float = 10.0
    """Distance up to which drops are drawn one by one, 1 to 20 m."""
    airlight_ratio: float = 1.99
    """Brightness of the airlight over the image's mean, 0 to 10. 1.99 is what Tremblay's formula
    gives at this camera, gain 20, sun at 90° and a Henyey-Greenstein g of 0.97."""
    airlight_limit: float = 0.9
    """Brightest that the airlight can be, in [0, 1]: a rainy sky."""
    drop_ratio: float = 3.0
    """Brightness of drops over the image's mean, at most white, 0 to 10. A drop shows 165° of the
    scene, mostly sky (Garg and Nayar); an overcast sky is as bright as a scene over its albedo."""

    family = "physical"

    def __post_init__(self) -> None:
        """Refuse what the docstrings above exclude."""
        check(self, {"rate_mm_h": (0, 300), "wind_m_s": (-20, 20), "wind_spread_m_s": (0, 10)})
        check(self, {"exposure_ms": (0.1, 100), "focal_mm": (1, 200), "f_number": (0.7, 64)})
        check(self, {"pixel_um": (0.5, 50), "frame_px": (64, 20_000)})
        check(self, {"smallest_mm": (0.5, 5), "reach_m": (1, 20)})
        check(self, {"airlight_ratio": (0, 10), "airlight_limit": (0, 1)})
        check(self, {"drop_ratio": (0, 10)})
        frame = round(0.75 * self.frame_px), self.frame_px
        most = self._view(frame, self.focal_mm * 1000 / self.pixel_um).expected
        if not most <= MOST_DROPS:
            raise RainError(
                f"rate_mm_h={self.rate_mm_h}: would draw {most / 1e6:.0f} million drops in a 4:3 "
                f"frame, must be at most {MOST_DROPS / 1e6:g} million: lower reach_m or exposure_ms"
            )

    def parameters(self) -> dict[str, Any]:
        """All parameters and the version of the code, as plain JSON values."""
        return {"model": self.family, "version": VERSION, **asdict(self)}

    @property
    def attenuation_per_km(self) -> float:
        """β = 0.312 R^0.67, Tremblay et al. 2020."""
        return round(0.312 * math.pow(self.rate_mm_h, 0.67), 9)

    @property
    def slope_per_mm(self) -> float:
        """Λ = 4.1 R^−0.21 of the drop sizes N(D) = 8000 exp(−Λ D), Marshall and Palmer 1948."""
        return round(4.1 * math.pow(self.rate_mm_h, -0.21), 9)

    @property
    def drops_per_m3(self) -> float:
        """Drops of at least ``smallest_mm`` in a cubic metre: 8000/Λ · exp(−Λ D)."""
        if self.rate_mm_h == 0:
            return 0.0
        steep = self.slope_per_mm
        return round(8000 / steep * math.exp(-steep * self.smallest_mm), 6)

    def render(
        self, clean: NDArrayByte, rng: np.random.Generator, depth: NDArrayFloat | None = None
    ) -> RainyImage:
        """Rain on one image.

        Args:
            clean: ``uint8 (H, W, 3) RGB``, left as it is.
            rng: Generator of this image; nothing else is random.
            depth: Distance in metres, ``float32 (H, W)``; without it a flat road scene.

        Returns:
            The rainy image; its veil lies behind the drops, whose layer holds opacities.

        Raises:
            RainError: If the depth does not fit the image.
        """
        height, width = clean.shape[:2]
        focal_px = self.focal_mm * 1e3 / self.pixel_um * width / self.frame_px
        distance, source = depth_or_road(depth, clean.shape, focal_px, FARTHEST_M)
        through = transmission(distance * (self.attenuation_per_km / 1000))
        mean = int(clean.sum(dtype=np.int64)) / clean.size
        airlight = round(min(self.airlight_ratio * mean, 255 * self.airlight_limit))
        light = round(min(self.drop_ratio * mean, 255))
        wind = uniform(
            rng, self.wind_m_s - self.wind_spread_m_s, self.wind_m_s + self.wind_spread_m_s
        )
        opacity = self._drops(np.broadcast_to(distance, (height, width)), focal_px, wind, rng)
        behind = veil(clean, through, airlight)
        return RainyImage(
            image=_over(behind, opacity, light),
            streaks=opacity,
            transmission=np.broadcast_to(through, (height, width)),
            airlight=airlight / 255,
            blend="over",
            light=light / 255,
            veil_first=True,
            depth_source=source,
        )

    def _drops(
        self, distance: NDArrayFloat, focal_px: float, wind: float, rng: np.random.Generator
    ) -> NDArrayByte:
        """Opacity of all drops together, ``uint8 (H, W)``."""
        height, width = distance.shape
        total = np.zeros(height * width)
        view = self._view((height, width), focal_px)
        left = int(rng.poisson(view.expected))
        while left > 0:
            count = min(left, _CHUNK)
            left -= count
            total += _drawn(self._scatter(count, view, focal_px, wind, rng), distance)
        opacity = np.minimum(np.rint(total * (255 / _UNIT)), 255)
        return opacity.astype(np.uint8).reshape(height, width)

    def _view(self, frame: tuple[int, int], focal_px: float) -> View:
        """The frustum up to ``reach_m``, with a margin for streaks that only reach into it."""
        if self.rate_mm_h == 0:
            return View(*frame, above=0, beside=0, expected=0.0)
        kinds = _kinds(self)
        above = math.ceil(focal_px * float(kinds.length_m.max()) / NEAREST_M / 2)
        wind = abs(self.wind_m_s) + self.wind_spread_m_s
        beside = math.ceil(above * max(1.0, wind / float(kinds.speed_m_s.min())))
        tall, wide = frame[0] + 2 * above, frame[1] + 2 * beside
        volume_m3 = tall * wide / focal_px**2 * self.reach_m**3 / 3
        return View(tall, wide, above, beside, volume_m3 * self.drops_per_m3)

    def _scatter(
        self,
        count: int,
        view: View,
        focal_px: float,
        wind: float,
        rng: np.random.Generator,
    ) -> Drops:
        """Place drops evenly in the frustum and see how each appears."""
        kinds = _kinds(self)
        kind = rng.integers(0, _QUANTILES, count)
        # The largest of three uniform numbers is distributed as the distance in a pyramid.
        z = rng.integers(1, 65537, (3, count)).max(axis=0) * (self.reach_m / 65536)
        y = rng.integers(0, view.tall * 256, count) / 256 - view.above
        x = rng.integers(0, view.wide * 256, count) / 256 - view.beside
        phase = rng.integers(0, 256, count)
        scale = focal_px / z
        lean = wind / kinds.speed_m_s[kind]
        width, length = kinds.width_m[kind] * scale, kinds.length_m[kind] * scale
        opacity = kinds.opacity[kind]
        # One that no byte would show by itself is part of the veil.
        seen = (z >= NEAREST_M) & (opacity * np.minimum(width, 1) * np.minimum(length, 1) > 1 / 512)
        columns = (x, y, z, width, length, lean, kinds.cycles[kind], phase, opacity)
        return Drops(*(column[seen].astype(np.float32) for column in columns))


class View(NamedTuple):
    """What is filled with drops."""

    tall: int
    """Rows, margins included."""
    wide: int
    """Columns, margins included."""
    above: int
    """Rows above the image, and as many below."""
    beside: int
    """Columns on each side of the image."""
    expected: float
    """Mean number of drops."""


class Kinds(NamedTuple):
    """Kinds of drop, each ``float64 (4096,)``."""

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


@lru_cache(maxsize=16)
def _kinds(rain: PhysicalRain) -> Kinds:
    """The 4,096 equally likely kinds of drop; all that is transcendental is rounded here."""
    steep = rain.slope_per_mm
    diameter = [min(LARGEST_MM, rain.smallest_mm + q / steep) for q in _exponential()]
    # Atlas, Srivastava and Sekhon 1973.
    speed = np.array([round(9.65 - 10.3 * math.exp(-0.6 * d), 6) for d in diameter])
    # Lowest mode of a drop, ω = √(8σ/ρr³), with σ = 0.0728 N/m and ρ = 1000 kg/m³.
    ripple = [round(math.sqrt(8 * 0.0728 / 1000 / (d / 2000) ** 3), 3) for d in diameter]
    seconds = rain.exposure_ms / 1000
    wide_m = np.array(diameter) / 1000
    blur_m = rain.focal_mm / rain.f_number / 1000
    return Kinds(
        width_m=wide_m + blur_m,
        length_m=speed * seconds + wide_m + blur_m,
        speed_m_s=speed,
        cycles=np.array(ripple) * (seconds / 6.283185),
        # Blur spreads the same light over more width.
        opacity=np.minimum(1, wide_m / (speed * seconds)) * wide_m / (wide_m + blur_m),
    )


def _drawn(drops: Drops, distance: NDArrayFloat) -> NDArray[np.float64]:
    """Summed opacity in 1/65536, ``float64 (H·W,)`` of whole numbers.

    Each streak is cut into its pixels; a pixel's share is the covered part of its row times that
    of its column, more in the middle of the streak than at its sides. At both ends a streak fades
    over its width, since the drop began or ended its fall there.
    """
    height, width = distance.shape
    at_y = np.clip(drops.y, 0, height - 1).astype(np.intp)
    at_x = np.clip(drops.x, 0, width - 1).astype(np.intp)
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
    tall = _ramped(row - (drops.y - drops.length / 2)[of], drops.width[of])
    tall -= _ramped(row - (drops.y + drops.length / 2 - drops.width)[of], drops.width[of])
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


def _over(behind: NDArrayByte, opacity: NDArrayByte, light: int) -> NDArrayByte:
    """J + (light − J)·S/255, rounded to nearest, in whole numbers."""
    drops = opacity[:, :, None].astype(np.uint16)
    # Below 2¹⁶: 255·255 + 127.
    mixed = behind * (255 - drops) + light * drops + np.uint16(127)
    return (mixed // 255).astype(np.uint8)


@cache
def _exponential() -> tuple[float, ...]:
    """−ln(1 − (i + ½)/4096): as many equally likely draws of an exponential variable, rounded."""
    return tuple(round(-math.log1p(-(i + 0.5) / _QUANTILES), 6) for i in range(_QUANTILES))


@cache
def _ripples() -> NDArrayFloat:
    """Brightness along a streak over one oscillation, around 1."""
    waves = [round(1 + 0.4 * math.cos(2 * math.pi * i / 256), 4) for i in range(256)]
    return np.array(waves, np.float32)
