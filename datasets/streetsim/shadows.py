"""Shadows on the ground: of the sun, and the dark under everything that stands."""

from __future__ import annotations

import numpy as np

from datasets.streetsim.camera import Points
from datasets.streetsim.ground import Paint
from datasets.streetsim.layout import Thing
from datasets.streetsim.light import Light
from datasets.streetsim.people import Person
from datasets.streetsim.roadside import Roadside, Tree
from datasets.streetsim.solids import Pose, circle
from datasets.streetsim.vegetation import BARE
from datasets.streetsim.vehicles import Vehicle

SUN = 130
"""Light left in the sun's shadow, of 255."""
_RING = np.array(circle(12))


def cast(paint: Paint, light: Light, things: list[Thing], roadside: Roadside) -> None:
    """Darken the ground around and behind everything."""
    for thing in things:
        look, pose = thing.look, thing.pose
        if isinstance(look, Vehicle):
            half, length = look.half, look.length / 2
            for grown, level in ((0.3, 205), (0.18, 160), (0.05, 95), (-0.15, 50)):
                _rectangle(paint, pose, half + grown, length + grown, level)
            if light.is_sunny:
                _box(paint, light, pose, (half, length, look.height * 0.85))
        else:
            tall = look.height if isinstance(look, Person) else 1.0
            for radius, level in ((0.3, 215), (0.16, 160)):
                _disc(paint, pose.x_m, pose.z_m, radius, radius, level)
            if light.is_sunny:
                _streak(paint, light, pose.x_m, pose.z_m, 0.2, tall * 0.95)
    for tree in roadside.trees:
        _tree(paint, light, tree)
    for x, z in roadside.posts:
        _disc(paint, x, z, 0.16, 0.16, 170)
        if light.is_sunny:
            _streak(paint, light, x, z, 0.05, 3.0)


def _tree(paint: Paint, light: Light, tree: Tree) -> None:
    """A crown's shadow: several discs, since leaves end in no smooth line."""
    x, z = tree.place
    wide, tall, trunk = tree.size
    _disc(paint, x, z, 0.45, 0.45, 150)
    if light.is_sunny:
        _streak(paint, light, x, z, 0.05 + 0.02 * wide, trunk + tall / 2)
        if tree.form != BARE:
            sx, sy, sz = light.towards_sun
            high = trunk + tall / 2
            at_x, at_z = x - sx / sy * high, z - sz / sy * high
            _disc(paint, at_x, at_z, wide * 0.3, wide * 0.34, SUN)
            for k, (a, b) in enumerate(_RING[::2].tolist()):
                size = wide * (0.16 + 0.03 * ((k * 5) % 4))
                _disc(paint, at_x + a * wide * 0.3, at_z + b * wide * 0.36, size, size, SUN)
    elif not light.is_dark and tree.form != BARE:
        for share, level in ((0.5, 228), (0.38, 205), (0.25, 186)):
            _disc(paint, x, z, wide * share, wide * share, level)


def _rectangle(paint: Paint, pose: Pose, half: float, length: float, level: int) -> None:
    corners = pose.world(
        np.array([[-half, 0, -length], [half, 0, -length], [half, 0, length], [-half, 0, length]])
    )
    paint.darken(corners[:, 0], corners[:, 2], level)


def _box(paint: Paint, light: Light, pose: Pose, size: tuple[float, float, float]) -> None:
    half, length, height = size
    sx, sy, sz = light.towards_sun
    away = np.array([-sx / sy * height, 0, -sz / sy * height])
    base = pose.world(
        np.array([[-half, 0, -length], [half, 0, -length], [half, 0, length], [-half, 0, length]])
    )
    top = base + away
    paint.darken(top[:, 0], top[:, 2], SUN)
    for i in range(4):
        j = (i + 1) % 4
        side: Points = np.array([base[i], base[j], top[j], top[i]])
        paint.darken(side[:, 0], side[:, 2], SUN)


def _streak(
    paint: Paint, light: Light, x_m: float, z_m: float, half_m: float, height_m: float
) -> None:
    """The shadow of something thin and upright."""
    sx, sy, sz = light.towards_sun
    flat = float(np.sqrt(sx * sx + sz * sz))
    aside_x, aside_z = sz / flat * half_m, -sx / flat * half_m
    end_x, end_z = x_m - sx / sy * height_m, z_m - sz / sy * height_m
    paint.darken(
        np.array([x_m + aside_x, x_m - aside_x, end_x - aside_x, end_x + aside_x]),
        np.array([z_m + aside_z, z_m - aside_z, end_z - aside_z, end_z + aside_z]),
        SUN,
    )


def _disc(
    paint: Paint, x_m: float, z_m: float, radius_x: float, radius_z: float, level: int
) -> None:
    paint.darken(x_m + _RING[:, 0] * radius_x, z_m + _RING[:, 1] * radius_z, level)
