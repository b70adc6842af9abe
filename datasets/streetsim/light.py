"""What lights a scene: sky, sun and lamps, by time of day."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from datasets.streetsim.camera import Points
from datasets.streetsim.canvas import Colour, three
from datasets.streetsim.noise import Chance

TimeOfDay = Literal["day", "dusk", "night"]
Triple = tuple[float, float, float]


@dataclass(frozen=True)
class Lamp:
    """A light above or on the street."""

    x_m: float
    y_m: float
    z_m: float
    strength: float
    """Brightness on the ground right below."""
    colour: Triple = (1.0, 0.78, 0.5)
    reach_m: float = 5.0
    """Distance along the ground at which a quarter is left."""


@dataclass
class Light:
    """Light of one scene; brightness 1 shows a colour as it is."""

    timeofday: TimeOfDay
    sky: Triple
    """Light from all of the sky."""
    sun: Triple
    """Light of the sun on a surface that faces it; zeros under clouds."""
    towards_sun: Triple
    zenith: Colour
    horizon: Colour
    cloud: Colour
    cover: float
    """Share of the sky under clouds, roughly."""
    haze_per_m: float
    lamps: list[Lamp] = field(default_factory=list)

    @property
    def is_sunny(self) -> bool:
        """Whether objects throw shadows."""
        return self.sun[0] > 0.15

    @property
    def is_dark(self) -> bool:
        """Whether lamps and windows are lit."""
        return self.timeofday != "day"

    def on(self, normal: Triple) -> Triple:
        """Brightness of a surface by its normal, without lamps; the sky is above."""
        towards = sum(n * s for n, s in zip(normal, self.towards_sun, strict=True))
        from_sky = 0.62 + 0.38 * normal[1]
        return three(
            from_sky * sky + max(0.0, towards) * sun
            for sky, sun in zip(self.sky, self.sun, strict=True)
        )

    def lamplight(self, x_m: float, z_m: float, y_m: float = 1.0) -> Triple:
        """Brightness that lamps add at a point."""
        total = [0.0, 0.0, 0.0]
        for lamp in self.lamps:
            away = (x_m - lamp.x_m) ** 2 + (z_m - lamp.z_m) ** 2 + (y_m - 1.0) ** 2 / 4
            share = 1 + away / lamp.reach_m**2
            for i in range(3):
                total[i] += lamp.strength * lamp.colour[i] / (share * share)
        return total[0], total[1], total[2]

    def at(self, normal: Triple, lamps: Triple, in_shadow: bool = False) -> Triple:
        """Brightness of a surface, lamps included."""
        own = self.on(normal)
        if in_shadow:
            sky = 0.62 + 0.38 * normal[1]
            own = three(min(o, s * sky * 1.15) for o, s in zip(own, self.sky, strict=True))
        return own[0] + lamps[0], own[1] + lamps[1], own[2] + lamps[2]

    def lit(self, colour: Colour, normal: Triple, lamps: Triple, in_shadow: bool = False) -> Colour:
        """A surface's colour as it appears; may exceed 255, as what is overexposed does."""
        red, green, blue = self.at(normal, lamps, in_shadow)
        return round(colour[0] * red), round(colour[1] * green), round(colour[2] * blue)


def draw_light(chance: Chance) -> Light:
    """The light of a scene: half by day, a quarter each at dusk and at night."""
    kind = chance.one(("day", "day", "dusk", "night"))
    across = chance.between(0, 2 * math.pi)
    height = chance.between(0.45, 1.05) if kind == "day" else chance.between(0.08, 0.2)
    flat = round(math.cos(height), 6)
    towards = (
        round(flat * math.sin(across), 6),
        round(math.sin(height), 6),
        round(flat * math.cos(across), 6),
    )
    if kind == "day":
        return _day(chance, towards)
    if kind == "dusk":
        return _dusk(chance, towards)
    glow = chance.near((58, 44, 40), 12)
    return Light(
        "night",
        sky=(0.2, 0.21, 0.27),
        sun=(0.0, 0.0, 0.0),
        towards_sun=towards,
        zenith=chance.near((10, 12, 24), 5),
        horizon=glow,
        cloud=glow,
        cover=chance.between(0, 0.6),
        haze_per_m=chance.between(0.0004, 0.0016),
    )


def _day(chance: Chance, towards: Triple) -> Light:
    haze_per_m = chance.between(0.0004, 0.0022)
    if chance.happens(0.45):
        grey = chance.whole(178, 222)
        level = chance.between(0.95, 1.15)
        return Light(
            "day",
            sky=(level, level, level * 1.02),
            sun=(0.0, 0.0, 0.0),
            towards_sun=towards,
            zenith=(grey - 34, grey - 29, grey - 20),
            horizon=(grey, grey + 2, grey + 5),
            cloud=(grey + 14, grey + 15, grey + 16),
            cover=chance.between(0.85, 1.0),
            haze_per_m=haze_per_m * 1.5,
        )
    warm = chance.between(0.0, 0.12)
    return Light(
        "day",
        sky=(0.60, 0.65, 0.72),
        sun=(0.68, 0.63 - warm / 3, 0.54 - warm),
        towards_sun=towards,
        zenith=chance.near((72, 122, 190), 22),
        horizon=chance.near((186, 206, 224), 14),
        cloud=(244, 243, 240),
        cover=chance.between(0.1, 0.65),
        haze_per_m=haze_per_m,
    )


def _dusk(chance: Chance, towards: Triple) -> Light:
    level = chance.between(0.3, 0.5)
    return Light(
        "dusk",
        sky=(level * 0.96, level * 0.94, level * 1.08),
        sun=(level * 0.25, level * 0.14, level * 0.05),
        towards_sun=towards,
        zenith=chance.near((62, 76, 116), 14),
        horizon=chance.one(((226, 158, 108), (206, 150, 134), (158, 160, 178))),
        cloud=chance.near((170, 118, 112), 16),
        cover=chance.between(0.2, 0.8),
        haze_per_m=chance.between(0.0006, 0.002),
    )


def pools(lamps: list[Lamp], x_m: NDArray[np.float32], z_m: NDArray[np.float32]) -> Points:
    """Light of lamps on the ground at each point, ``float32 (3, H, W)``."""
    total = np.zeros((3, *x_m.shape), np.float32)
    for lamp in lamps:
        across, along = x_m - np.float32(lamp.x_m), z_m - np.float32(lamp.z_m)
        scale = np.float32(1 / lamp.reach_m**2)
        share = 1 + (across * across + along * along) * scale
        share = np.float32(lamp.strength) / (share * share)
        for i in range(3):
            total[i] += share * np.float32(lamp.colour[i])
    return total
