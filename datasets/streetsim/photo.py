"""From the canvas to a photograph: haze, glare, lens and sensor, in whole numbers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from datasets.image import NDArrayByte, NDArrayFloat
from datasets.streetsim.camera import Camera, Points
from datasets.streetsim.canvas import SCALE, Canvas, Colour
from datasets.streetsim.light import Light
from datasets.streetsim.noise import Chance

_STEPS = 2048
"""Steps of nearness in the table of haze."""


@dataclass(frozen=True)
class Glow:
    """A light that the lens spreads."""

    place: Points
    """Where it stands in the world, ``(3,)``."""
    colour: Colour
    strength: float
    size_m: float = 0.12


def develop(
    canvas: Canvas, camera: Camera, light: Light, glows: list[Glow], chance: Chance
) -> NDArrayByte:
    """The photograph, ``uint8 (H, W, 3) RGB`` of half the canvas's size."""
    levels = _mean(canvas)
    _haze(levels, canvas, light)
    for glow in glows:
        _spread(levels, canvas, camera, glow)
    _soften(levels, chance.one((0, 0, 1, 2)))
    height, width = levels.shape[1:]
    down, across = np.arange(height) * 2 - height, np.arange(width) * 2 - width
    reach = height * height + width * width
    fall = round(chance.between(0.05, 0.24) * 4096)
    edge = 4096 - ((down * down)[:, None] + (across * across)[None, :]) * fall // reach
    levels *= edge.astype(np.int32)
    levels >>= 12
    np.minimum(levels, 1023, out=levels)
    noise = _noise(chance, (height, width))
    strength = _strength(light)
    image = np.empty((height, width, 3), np.uint8)
    for i, tone in enumerate(_tone(light, chance)):
        # Both tables in one: what the sensor makes of a level, and how much noise it adds.
        both = (tone << 8) | strength[tone >> 2]
        seen = both.take(levels[i])
        level = (seen >> 8) * 64 + noise[i] * (seen & 255)
        level += 128
        level >>= 8
        np.clip(level, 0, 255, out=level)
        image[:, :, i] = level
    return image


def _mean(canvas: Canvas) -> NDArray[np.int32]:
    """Sum of four sub-pixels, 0 to 1020, ``int32 (3, H, W)``."""
    upper, lower = canvas.colour[::SCALE], canvas.colour[1::SCALE]
    # Red and blue share a word without overflow: each sum has 10 bits of the 16 it may take.
    mask = np.uint32(0xFF00FF)
    outer = (upper & mask) + (lower & mask)
    outer = outer[:, ::SCALE] + outer[:, 1::SCALE]
    mask = np.uint32(0xFF00)
    inner = (upper & mask) + (lower & mask)
    inner = inner[:, ::SCALE] + inner[:, 1::SCALE]
    total = np.empty((3, *outer.shape), np.int32)
    total[0] = outer & np.uint32(0xFFFF)
    total[1] = inner >> np.uint32(8)
    total[2] = outer >> np.uint32(16)
    return total


def _haze(levels: NDArray[np.int32], canvas: Canvas, light: Light) -> None:
    """Mix what is far with the colour of the horizon; the sky is that already."""
    nearness = canvas.nearness[1::SCALE, 1::SCALE]
    far = np.arange(_STEPS) + 0.5
    # exp(−β z) by (1 + βz/8)^-8: products only, the same on every machine.
    share = 1 + light.haze_per_m * (_STEPS / far) / 8
    share = share * share
    share = share * share
    share = 1 / (share * share)
    table = np.rint(share * 1024).astype(np.int32)
    at = np.minimum(nearness * np.float32(_STEPS), _STEPS - 1).astype(np.int32)
    through = table.take(at)
    sky = canvas.owner[1::SCALE, 1::SCALE] == 9
    through[sky] = 1024
    for i in range(3):
        air = 4 * light.horizon[i]
        levels[i] = (levels[i] * through + air * (1024 - through)) >> 10


def _spread(levels: NDArray[np.int32], canvas: Canvas, camera: Camera, glow: Glow) -> None:
    """Add the glare of a light that is seen."""
    turned = camera.turned(glow.place[None])
    if turned[0, 2] < 1:
        return
    column, row, near = camera.project(turned)[0].tolist()
    x, y = int(column), int(row)
    if not (0 <= x < canvas.width_px and 0 <= y < canvas.height_px):
        return
    if float(canvas.nearness[y, x]) > near * 1.06 + 0.003:
        return
    height, width = levels.shape[1:]
    radius = max(1.0, camera.focal_px / SCALE * glow.size_m * near)
    reach = int(min(radius * 9, 110) + 4)
    x, y = x // SCALE, y // SCALE
    y0, y1 = max(0, y - reach), min(height, y + reach + 1)
    x0, x1 = max(0, x - reach), min(width, x + reach + 1)
    down = (np.arange(y0, y1) - y).astype(np.float32)[:, None]
    across = (np.arange(x0, x1) - x).astype(np.float32)
    square = down * down + across * across
    fall = 1 - square / np.float32(reach * reach)
    share = np.maximum(fall, 0) * fall / (1 + square / np.float32(radius * radius))
    for i in range(3):
        added = share * np.float32(glow.strength * glow.colour[i] * 3.2)
        levels[i, y0:y1, x0:x1] += added.astype(np.int32)


def _soften(levels: NDArray[np.int32], amount: int) -> None:
    """Blur by (a, 16 − 2a, a)/16 along rows and columns."""
    if not amount:
        return
    middle = 16 - 2 * amount
    source = levels.copy()
    levels[:, 1:-1] = (source[:, 1:-1] * middle + (source[:, :-2] + source[:, 2:]) * amount) >> 4
    np.copyto(source, levels)
    levels[..., 1:-1] = (
        source[..., 1:-1] * middle + (source[..., :-2] + source[..., 2:]) * amount
    ) >> 4


def _tone(light: Light, chance: Chance) -> list[NDArray[np.int32]]:
    """Curve of each channel from 0…1023 to 0…1023: exposure, white balance, contrast."""
    exposure = chance.between(0.9, 1.15) * (1.25 if light.timeofday == "night" else 1.0)
    warmth = chance.between(-0.05, 0.05)
    contrast = chance.between(0.0, 0.35)
    lift = chance.between(0, 10) if not light.is_dark else chance.between(0, 16)
    x = np.arange(1024) / 1023
    curves = []
    for gain in (1 + warmth, 1.0, 1 - warmth):
        y = np.minimum(x * exposure * gain, 1.25)
        # A shoulder instead of a hard limit, then a gentle S.
        y = np.where(y > 0.8, 0.8 + (y - 0.8) * 0.2 / (0.2 + (y - 0.8)), y)
        y = y + contrast * (y * y * (3 - 2 * y) - y)
        curves.append(np.clip(np.rint(y * (1023 - lift) + lift), 0, 1023).astype(np.int32))
    return curves


def _strength(light: Light) -> NDArray[np.int32]:
    """Noise at each of 256 levels: read noise and shot noise, the latter as the root."""
    gain = {"day": 5, "dusk": 9, "night": 13}[light.timeofday]
    root = np.sqrt(np.arange(256) / 255)
    return np.rint(gain * (0.35 + root)).astype(np.int32)


def _noise(chance: Chance, shape: tuple[int, int]) -> NDArray[np.int8]:
    """Bell-shaped whole numbers around 0, a deviation of about 37, ``int8 (3, H, W)``."""
    field = _field()
    tall, wide = (-(-side // limit) for side, limit in zip(shape, _ROOM, strict=True))
    top, left = chance.whole(0, _FIELD[0] - _ROOM[0]), chance.whole(0, _FIELD[1] - _ROOM[1])
    part = field[:, top : top + _ROOM[0], left : left + _ROOM[1]]
    return np.tile(part, (1, tall, wide))[:, : shape[0], : shape[1]]


_FIELD, _ROOM = (1024, 2048), (720, 1280)


@cache
def _field() -> NDArray[np.int8]:
    """Noise that images take a part of, since drawing it anew would take as long as the rest."""
    rng = np.random.Generator(np.random.PCG64(4))
    bits = rng.integers(0, 64, (4, 3, *_FIELD), dtype=np.uint8).sum(0, dtype=np.int16)
    return np.asarray(bits - np.int16(126), np.int8)


def depth_m(canvas: Canvas) -> NDArrayFloat:
    """Distance of every pixel along the view, ``float32 (H, W)`` in metres."""
    return np.ascontiguousarray(1 / canvas.nearness[1::SCALE, 1::SCALE], np.float32)
