"""Sky: a gradient and clouds on a layer above the street."""

from __future__ import annotations

import numpy as np

from datasets.streetsim.camera import Camera
from datasets.streetsim.canvas import SCALE, Canvas, packed
from datasets.streetsim.light import Light
from datasets.streetsim.noise import SIDE, Chance, fractal

_LEVELS = 64


def draw_sky(canvas: Canvas, camera: Camera, light: Light, chance: Chance) -> None:
    """Fill the rows above the horizon; what stands before it is painted later."""
    rows = min(canvas.height_px, int(camera.horizon_px) + SCALE) // SCALE
    if rows <= 0:
        return
    columns = canvas.width_px // SCALE
    above = np.maximum(camera.horizon_px - (np.arange(rows) + 0.5) * SCALE, 4)
    height = above / camera.focal_px
    low = np.minimum(height / 0.75, 1)[:, None]
    climb = low * (2 - low)
    zenith, horizon = np.array(light.zenith, float), np.array(light.horizon, float)
    clear = horizon + (zenith - horizon) * climb
    cloud = np.array(light.cloud, float) + (horizon - light.cloud) * (1 - climb) * 0.7
    mix = (np.arange(_LEVELS) / (_LEVELS - 1))[None, :, None]
    table = np.clip(np.rint(clear[:, None] + (cloud - clear)[:, None] * mix), 0, 255)
    across = (np.arange(columns) + 0.5) * SCALE - camera.middle_px
    far = (1 / (height + 0.08)).astype(np.float32)
    stretch = np.float32(chance.between(26, 60))
    x = far[:, None] * (across / camera.focal_px * stretch).astype(np.float32)
    column = (x.astype(np.int32) + chance.whole(0, SIDE - 1)) & (SIDE - 1)
    row = ((far * stretch * np.float32(1.6)).astype(np.int32) + chance.whole(0, SIDE - 1)) & (
        SIDE - 1
    )
    shape = fractal(8, 256, chance.whole(0, 3)).ravel().take(row[:, None] * SIDE + column)
    threshold = round(225 - 190 * light.cover)
    level = np.clip((shape.astype(np.int16) - threshold) * 2 // 3 + 8, 0, _LEVELS - 1)
    colours = packed(table.astype(np.uint8)).ravel()
    image = colours.take(np.arange(rows)[:, None] * _LEVELS + level)
    canvas.colour[: rows * SCALE] = image.repeat(SCALE, 0).repeat(SCALE, 1)
    canvas.colour[rows * SCALE :] = canvas.colour[rows * SCALE - 1]
