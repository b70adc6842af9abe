"""Walls in perspective, and the rows of buildings along a street."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from datasets.image import NDArrayByte
from datasets.streetsim.camera import NEAR_M, Camera, Points
from datasets.streetsim.canvas import Canvas, Colour, Shape, packed
from datasets.streetsim.classes import BUILDING, VEGETATION
from datasets.streetsim.facades import Style, draw_style, lighted, paint_front
from datasets.streetsim.ground import Paint
from datasets.streetsim.light import Light, Triple
from datasets.streetsim.noise import SIDE, Chance, fractal
from datasets.streetsim.street import Street

SUN_SHADE = 132
"""Light left in the shadow of a building, of 255."""

Place = tuple[float, float]
"""X and Z in metres."""


@dataclass(frozen=True)
class View:
    """The columns of the canvas that a wall reaches over."""

    left: int
    share: Points
    """Share of the wall's length at every edge between columns, ``(n + 1,)``."""
    depth: Points
    """Depth at every column, ``(n,)``."""

    @staticmethod
    def of(camera: Camera, ends: tuple[Place, Place]) -> View | None:
        """None where the wall is not in view."""
        (x0, z0), (x1, z1) = ends
        world = np.array([[x0, 0.0, z0], [x1, 0.0, z1]])
        (xa, _, za), (xb, _, zb) = camera.turned(world).tolist()
        if max(za, zb) < NEAR_M:
            return None
        columns = _columns(camera, (xa, za), (xb, zb))
        if columns is None:
            return None
        left, right = columns
        edges = (np.arange(left, right + 1) - camera.middle_px) / camera.focal_px
        across, along = xb - xa, zb - za
        bottom = across - edges * along
        share = (edges * za - xa) / np.where(np.abs(bottom) < 1e-9, 1e-9, bottom)
        share = np.clip(share, 0, 1)
        depth = za + (share[:-1] + share[1:]) / 2 * along
        return View(left, share, np.maximum(depth, NEAR_M))

    def shown_m(self, camera: Camera, height_m: float) -> float:
        """Height of the wall that reaches into the frame."""
        top = camera.height_m + camera.horizon_px * float(self.depth.max()) / camera.focal_px
        return min(height_m, max(1.0, top + 0.3))

    def is_hidden(self, canvas: Canvas, camera: Camera, height_m: float) -> bool:
        """Whether something nearer covers it all, as far as its upper edge and feet tell."""
        top = camera.horizon_px - camera.focal_px * (height_m - camera.height_m) / self.depth
        columns = self.left + np.arange(len(self.depth))
        for part in (0.02, 0.5, 0.98):
            row = top + part * (camera.horizon_px - top)
            row = np.clip(row, 0, canvas.height_px - 1).astype(np.intp)
            if (canvas.nearness[row, columns] < 1 / self.depth).any():
                return False
        return True


def draw_wall(
    canvas: Canvas, camera: Camera, view: View, height_m: float, strip: NDArrayByte, owner: int
) -> None:
    """An upright wall.

    Args:
        canvas: To draw on.
        camera: That looks.
        view: The columns it covers.
        height_m: Height of the wall.
        strip: Its picture with a column for each of the view's; colour 0, 0, 0 is a hole.
        owner: A class.
    """
    depth, left = view.depth, view.left
    colours = packed(strip)
    per_row = strip.shape[0] / height_m
    top = camera.horizon_px - camera.focal_px * (height_m - camera.height_m) / depth
    bottom = camera.horizon_px + camera.focal_px * camera.height_m / depth
    first = max(0, int(top.min()))
    last = min(canvas.height_px, int(bottom.max()) + 1)
    if last <= first:
        return
    rows = (np.arange(first, last) + 0.5).astype(np.float32)[:, None]
    step = (per_row * depth / camera.focal_px).astype(np.float32)
    row = ((rows - top.astype(np.float32)) * step).astype(np.int32)
    inside = (rows >= top.astype(np.float32)) & (row < strip.shape[0])
    np.clip(row, 0, strip.shape[0] - 1, out=row)
    colour = colours.ravel().take(
        row * np.int32(len(depth)) + np.arange(len(depth), dtype=np.int32)
    )
    near = np.broadcast_to((1 / depth).astype(np.float32), inside.shape)
    canvas.paint((first, left), inside & (colour > 0), near, colour, owner)


def _columns(camera: Camera, a: Place, b: Place) -> tuple[int, int] | None:
    """Columns of the canvas that a wall reaches over."""
    ends = []
    for (x, z), (other_x, other_z) in ((a, b), (b, a)):
        part = max(0.0, (NEAR_M - z) / (other_z - z)) if z < NEAR_M else 0.0
        cut_x, cut_z = x + (other_x - x) * part, max(z, NEAR_M)
        ends.append(camera.middle_px + camera.focal_px * cut_x / cut_z)
    left = max(0, int(np.floor(min(ends))))
    right = min(camera.width_px, int(np.ceil(max(ends))))
    return (left, right) if right > left else None


def strip_of(picture: NDArrayByte, view: View) -> NDArrayByte:
    """One column of the picture for each of the view's: of it, or of halved copies far away."""
    length = picture.shape[1]
    share = (view.share[:-1] + view.share[1:]) / 2
    texels = np.abs(np.diff(view.share)) * length
    strip = picture[:, np.minimum((share * length).astype(np.intp), length - 1)]
    halved, size = picture, 1.5
    while texels.max() > size and halved.shape[1] > 1:
        even = halved.shape[1] // 2 * 2
        pair = halved[:, 0:even:2].astype(np.uint16) + halved[:, 1:even:2]
        halved = (pair >> np.uint16(1)).astype(np.uint8)
        wide = texels > size
        at = np.minimum((share[wide] * halved.shape[1]).astype(np.intp), halved.shape[1] - 1)
        strip[:, wide] = halved[:, at]
        size *= 2
    return strip


@dataclass(frozen=True)
class Plot:
    """Where one building stands and how it looks."""

    style: Style
    side: int
    """1 to the right of the street, −1 to the left."""
    near: tuple[Place, Place]
    """Corners of the end that is nearer along the street: at the street, at the back."""
    far: tuple[Place, Place]
    is_free: bool
    """Whether its near end stands free, not against the one before."""


def plan_buildings(street: Street, light: Light, chance: Chance) -> list[Plot]:
    """Rows of buildings at both sides, from near to far."""
    lit = {"day": 0.0, "dusk": 0.22, "night": 0.34}[light.timeofday]
    plots = []
    for side in (-1, 1):
        z = chance.between(-14, -4)
        before = 0.0
        while z < 150:
            length = chance.between(9, 24) if street.is_city else chance.between(8, 13)
            style = draw_style(chance, street.is_city, lit)
            setback = chance.one((0.0, 0.0, 1.5)) if street.is_city else chance.between(0, 3)
            deep = chance.between(9, 14)
            gap = chance.one((0.0, 0.0, 0.0, 3.0)) if street.is_city else chance.between(3, 9)
            if not street.crosses(z + length / 2, length / 2 + 1.5):
                wall = street.wall_m + setback
                near, far = (
                    (
                        (street.middle_m(at) + side * wall, at),
                        (street.middle_m(at) + side * (wall + deep), at),
                    )
                    for at in (z, z + length)
                )
                is_free = style.height_m > before or setback > 0
                plots.append(Plot(style, side, near, far, is_free))
                before = style.height_m if gap == 0 else 0.0
            z += length + gap
            if street.crosses(z, 1.5) and street.crossing_m is not None:
                z = street.crossing_m + street.crossing_width_m + chance.between(1.5, 3)
                before = 0.0
    return sorted(plots, key=lambda plot: plot.near[0][1])


def shade_street(plots: list[Plot], light: Light, paint: Paint) -> None:
    """The shadows that fronts throw onto the ground."""
    if not light.is_sunny:
        return
    sx, sy, sz = light.towards_sun
    for plot in plots:
        away_x, away_z = (-s / sy * plot.style.height_m for s in (sx, sz))
        (ax, az), (bx, bz) = plot.near[0], plot.far[0]
        paint.darken(
            np.array([ax, bx, bx + away_x, ax + away_x]),
            np.array([az, bz, bz + away_z, az + away_z]),
            SUN_SHADE,
        )


def draw_buildings(
    canvas: Canvas, camera: Camera, plots: list[Plot], light: Light, chance: Chance
) -> None:
    """Draw buildings, the nearest first."""
    for plot in plots:
        style, side = plot.style, plot.side
        walls: list[tuple[Place, Place, Triple]] = [
            (plot.near[0], plot.far[0], (-float(side), 0.0, 0.0))
        ]
        if plot.is_free:
            walls.append((plot.near[1], plot.near[0], (0.0, 0.0, -1.0)))
        for a, b, normal in walls:
            _wall(canvas, camera, light, style, (a, b), normal, chance)
        if style.has_roof:
            _roof(canvas, camera, light, chance, plot)


def _wall(
    canvas: Canvas,
    camera: Camera,
    light: Light,
    style: Style,
    ends: tuple[Place, Place],
    normal: Triple,
    chance: Chance,
) -> None:
    """One side of a building."""
    view = View.of(camera, ends)
    if view is None or view.is_hidden(canvas, camera, style.height_m):
        return
    (ax, az), (bx, bz) = ends
    length = float(np.sqrt((bx - ax) * (bx - ax) + (bz - az) * (bz - az)))
    shown = view.shown_m(camera, style.height_m)
    nearest = max(4.0, float(view.depth.min()))
    per_m = int(np.clip(camera.focal_px / nearest / 2.4, 6, 28))
    strip = strip_of(paint_front(style, length, shown, per_m, chance), view)
    shade = np.array(light.on(normal))[None, None, :]
    if light.is_dark:
        middle = (view.share[:-1] + view.share[1:]) / 2
        shade = shade + _lamplight(light, ends, middle, shown, strip.shape[0])
    draw_wall(canvas, camera, view, shown, lighted(strip, shade), BUILDING)


def _lamplight(
    light: Light, ends: tuple[Place, Place], share: Points, shown_m: float, rows: int
) -> Points:
    """Brightness that street lamps add on a wall, stronger low down, ``(rows, columns, 3)``."""
    count = 12
    (ax, az), (bx, bz) = ends
    along = np.array(
        [
            light.lamplight(ax + (bx - ax) * i / count, az + (bz - az) * i / count)
            for i in range(count + 1)
        ]
    )
    at = share * count
    low = np.minimum(at.astype(np.intp), count - 1)
    part = (at - low)[:, None]
    columns = along[low] * (1 - part) + along[low + 1] * part
    up = np.maximum((rows - np.arange(rows)) * shown_m / rows - 3, 0) / 4
    return np.asarray((1 / (1 + up * up))[:, None, None] * columns[None, :, :] * 0.9)


def _roof(canvas: Canvas, camera: Camera, light: Light, chance: Chance, plot: Plot) -> None:
    """A pitched roof whose ridge runs along the street."""
    (a, c), (b, d) = plot.near, plot.far
    height_m = plot.style.height_m
    rise = chance.between(2.2, 4.0)
    tiles = chance.near(chance.one(((124, 66, 50), (92, 84, 80), (78, 74, 78), (140, 88, 62))), 14)
    ridge_a = ((a[0] + c[0]) / 2, a[1])
    ridge_b = ((b[0] + d[0]) / 2, b[1])
    out = 0.35 if c[0] < a[0] else -0.35
    faces = [
        (
            [
                (a[0] + out, height_m - 0.2, a[1]),
                (b[0] + out, height_m - 0.2, b[1]),
                (ridge_b[0], height_m + rise, ridge_b[1]),
                (ridge_a[0], height_m + rise, ridge_a[1]),
            ],
            (0.7 if out > 0 else -0.7, 0.7, 0.0),
            tiles,
        ),
        (
            [
                (a[0], height_m, a[1]),
                (c[0], height_m, c[1]),
                (ridge_a[0], height_m + rise, ridge_a[1]),
            ],
            (0.0, 0.0, -1.0),
            chance.near((176, 160, 140), 24),
        ),
    ]
    shape = Shape()
    for corners, normal, colour in faces:
        turned = camera.turned(np.array(corners, np.float64))
        if turned[:, 2].min() < NEAR_M:
            continue
        lamps = light.lamplight(a[0], a[1], 9.0)
        shape.add(camera.project(turned), light.lit(colour, normal, lamps), 1.06, 0.92)
    canvas.draw(shape, BUILDING)


def draw_backdrop(
    canvas: Canvas, camera: Camera, street: Street, light: Light, chance: Chance
) -> None:
    """Distant blocks and trees across the view."""
    shade = np.array(light.on((0.0, 0.0, -1.0)))
    for z, owner in ((190.0, VEGETATION), (240.0, BUILDING), (300.0, BUILDING)):
        x = -z * 1.1
        while x < z * 1.1:
            wide = chance.between(14, 40) if owner == BUILDING else 60.0
            high = chance.between(8, 34) if owner == BUILDING else chance.between(9, 15)
            middle = street.middle_m(z) + x
            view = View.of(camera, ((middle, z), (middle + wide, z)))
            x += wide
            if view is None or not (owner == VEGETATION or chance.happens(0.6)):
                continue
            if view.is_hidden(canvas, camera, high):
                continue
            picture = _block(chance, wide, high, light) if owner == BUILDING else _trees(chance)
            picture = lighted(picture, shade[None, None, :] * 0.9)
            if owner == VEGETATION:
                picture = np.maximum(picture, 1)
                picture[_skyline(picture.shape[1], picture.shape[0], chance)] = 0
            draw_wall(canvas, camera, view, high, strip_of(picture, view), owner)


def _block(chance: Chance, wide_m: float, high_m: float, light: Light) -> NDArrayByte:
    """A far building, two points to the metre."""
    base: Colour = chance.near((146, 140, 134), 30)
    picture = np.zeros((int(high_m * 2), int(wide_m * 2), 4), np.uint8)
    picture[:, :, :3] = base
    rows, columns = np.arange(picture.shape[0]), np.arange(picture.shape[1])
    windows = (rows % 6 > 2)[:, None] & (columns % 5 > 2)[None, :]
    picture[windows, :3] = tuple(c * 6 // 10 for c in base)
    if light.is_dark:
        bits = chance.rng.integers(0, 100, (len(rows) // 6 + 1, len(columns) // 5 + 1)) < 22
        lit = windows & bits[rows // 6][:, columns // 5]
        picture[lit] = (226, 190, 120, 255)
    return picture


def _trees(chance: Chance) -> NDArrayByte:
    picture = np.zeros((40, 120, 4), np.uint8)
    tone = fractal(32, 256, 1)[:40, chance.whole(0, 380) :][:, :120].astype(np.int64)
    for i, c in enumerate(chance.near((78, 92, 58), 14)):
        picture[:, :, i] = np.minimum(c * (150 + tone * 3 // 4) >> 8, 255)
    return picture


def _skyline(
    wide: int, high: int, chance: Chance
) -> np.ndarray[tuple[int, int], np.dtype[np.bool_]]:
    """True above a bumpy line of crowns."""
    line = fractal(16, 256)[chance.whole(0, SIDE - 1), np.arange(wide) * 2 % SIDE]
    return np.asarray(np.arange(high)[:, None] < (line.astype(np.int64) * high // 420))
