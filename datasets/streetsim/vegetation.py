"""Trees and bushes: pictures of crowns made of thousands of leaves, and their trunks."""

from __future__ import annotations

import math
from functools import cache

import cv2
import numpy as np

from datasets.image import NDArrayByte
from datasets.streetsim.camera import NEAR_M, Camera
from datasets.streetsim.canvas import Canvas, Colour, look_up, packed
from datasets.streetsim.classes import VEGETATION
from datasets.streetsim.light import Light
from datasets.streetsim.noise import Chance
from datasets.streetsim.solids import Limbs

_SIZE = 256
LEVELS = 64
"""Brightness steps of a crown's picture; 0 is a hole."""
ROUND, TALL, CONE, BARE = range(4)
VARIANTS = 3
"""Pictures of each form."""


@cache
def crown(form: int, variant: int) -> NDArrayByte:
    """A crown lit from the upper left, ``uint8 (256, 256)``: 0 or a brightness of 1 to 63."""
    rng = np.random.Generator(np.random.PCG64(500 + 10 * form + variant))
    if form == BARE:
        return _branches(rng)
    picture = np.zeros((_SIZE, _SIZE), np.uint8)
    clumps = 90
    for k in range(clumps):
        # Clumps of the far side first and darker, then towards the viewer.
        depth = k / clumps
        while True:
            x, y = (rng.integers(-1000, 1001, 2) / 1000).tolist()
            if x * x + y * y < 1:
                break
        if form == CONE:
            y = 2 * depth - 1 if k % 2 else y
            x *= 0.12 + 0.42 * (y + 1)
        elif form == TALL:
            x *= 0.62
        radius = 0.2 if form != CONE else 0.13
        bright = 15 + 24 * depth - 11 * x * 0.7 - 13 * y + int(rng.integers(-5, 6))
        leaves = rng.integers(-1000, 1001, (70, 2)) / 1000
        tones, sizes = rng.integers(-9, 10, 70).tolist(), rng.integers(1, 5, 70).tolist()
        for (u, v), tone, size in zip(leaves.tolist(), tones, sizes, strict=True):
            if u * u + v * v > 1:
                continue
            column = round((0.5 + 0.4 * (x + u * radius)) * _SIZE)
            row = round((0.5 + 0.4 * (y + v * radius)) * _SIZE)
            light = bright - 8 * v - 5 * u + tone
            cv2.circle(
                picture,
                (column, row),
                size,
                int(min(LEVELS - 1, max(3, light))),
                -1,
            )
    return picture


def _branches(rng: np.random.Generator) -> NDArrayByte:
    """A crown in winter."""
    picture = np.zeros((_SIZE, _SIZE), np.uint8)

    def grow(x: float, y: float, angle: float, length: float, thick: float) -> None:
        end_x = x + length * round(math.sin(angle), 6)
        end_y = y - length * round(math.cos(angle), 6)
        level = int(24 + rng.integers(0, 12))
        cv2.line(
            picture, (round(x), round(y)), (round(end_x), round(end_y)), level, max(1, round(thick))
        )
        if length < 9:
            return
        for _ in range(3):
            turn = angle + int(rng.integers(-620, 621)) / 1000
            grow(end_x, end_y, turn, length * int(rng.integers(62, 84)) / 100, thick * 0.62)

    grow(_SIZE / 2, _SIZE - 6.0, 0.0, 62.0, 9.0)
    return picture


def draw_tree(
    canvas: Canvas,
    camera: Camera,
    light: Light,
    place: tuple[float, float],
    size: tuple[float, float, float],
    form: int,
    colour: Colour,
    chance: Chance,
) -> None:
    """A tree or, without a trunk, a bush.

    Args:
        canvas: What to draw on.
        camera: The camera that looks.
        light: The scene's light.
        place: X and Z in metres.
        size: Width and height of the crown, and height of the trunk below it, in metres.
        form: The crown's form.
        colour: The leaves' colour.
        chance: Decides about the rest.
    """
    x, z = place
    wide, tall, trunk = size
    base = camera.turned(np.array([[x, 0.0, z]]))[0]
    flip, variant = chance.happens(0.5), chance.whole(0, VARIANTS - 1)
    if base[2] < NEAR_M + 0.5 * wide:
        return
    lamps = light.lamplight(x, z, 3.0)
    if trunk > 0:
        bark = light.lit((92, 76, 62), (0.0, 0.0, -0.7), lamps)
        stem = Limbs(camera)
        overlap = 0.4 * tall if form != BARE else 0.05
        thick = 0.03 + 0.02 * wide
        # A little behind the leaves, which hide its upper end.
        foot_x, foot_z = x + 0.1 * camera.sin, z + 0.1 * camera.cos
        top = trunk + overlap
        stem.add(((foot_x, 0.0, foot_z), (foot_x, top, foot_z)), (thick, thick * 0.8), bark)
        canvas.draw(stem.shape(), VEGETATION)
    scale = camera.focal_px / float(base[2])
    left = camera.middle_px + float(base[0]) * scale - wide * scale / 2
    top = camera.horizon_px - (trunk + tall - camera.height_m) * scale
    x0, x1 = max(0, int(left)), min(canvas.width_px, int(left + wide * scale))
    y0, y1 = max(0, int(top)), min(canvas.height_px, int(top + tall * scale))
    if x1 <= x0 or y1 <= y0 or canvas.hides(y0, y1, x0, x1, 1 / float(base[2])):
        return
    columns = ((np.arange(x0, x1) + 0.5 - left) * (_SIZE / (wide * scale))).astype(np.intp)
    rows = ((np.arange(y0, y1) + 0.5 - top) * (_SIZE / (tall * scale))).astype(np.intp)
    columns, rows = np.clip(columns, 0, _SIZE - 1), np.clip(rows, 0, _SIZE - 1)
    if flip:
        columns = _SIZE - 1 - columns
    levels = crown(form, variant)[rows][:, columns]
    own = np.array(light.on((0.0, 0.4, -0.6))) + np.array(lamps) * 0.6
    steps = np.arange(LEVELS)[:, None] / 30
    rgb = np.array((104, 88, 74) if form == BARE else colour) * steps * own
    table = np.zeros(256, np.uint32)
    table[:LEVELS] = packed(np.minimum(np.rint(rgb), 255).astype(np.uint8))
    near = np.full((1, 1), 1 / float(base[2]), np.float32)
    canvas.paint((y0, x0), levels > 0, near, look_up(levels, table), VEGETATION)
