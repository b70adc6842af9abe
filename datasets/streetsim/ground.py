"""Road, markings, pavements and grass: a plane, with shadows and light pools on it."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from datasets.image import NDArrayByte, NDArrayFloat
from datasets.streetsim.camera import NEAR_M, Camera, Points, clipped
from datasets.streetsim.canvas import SCALE, Canvas, Colour, packed, three
from datasets.streetsim.classes import ROAD as ROAD_CLASS
from datasets.streetsim.classes import SIDEWALK, TERRAIN
from datasets.streetsim.light import Light, pools
from datasets.streetsim.noise import SIDE, Chance, fractal, grain
from datasets.streetsim.street import Street

FARTHEST_M = 450.0
"""The road ends here, a fraction of a pixel below the horizon."""
_FINE = 32
"""Steps of a metre in the table across the street."""
_ALONG = 16
"""Steps of a metre in the table along it."""

ROAD, PAINT, GUTTER, KERB, SLAB, JOINT, GRASS = range(7)
_CLASS = [ROAD_CLASS] * 3 + [SIDEWALK] * 3 + [TERRAIN]
_LEVELS = 128
"""Steps of brightness; the middle one shows a colour as it is."""
# Columns of the table of zones: what a place along the street does to a place across it.
PLAIN, DASH, ZEBRA, STOP, ACROSS, SEAM = range(6)


class Paint:
    """What darkens the ground, drawn in the camera's view before the ground is coloured."""

    def __init__(self, canvas: Canvas, camera: Camera) -> None:
        self._camera = camera
        self._patches: list[tuple[int, Points]] = []
        self.shadow = np.full((canvas.height_px, canvas.width_px), 255, np.uint8)
        """Light that is left, 255 for all; known once `settle` was called."""

    def darken(self, x_m: Points, z_m: Points, level: int) -> None:
        """Leave this much light on a convex polygon of the ground, where there is not less."""
        self._patches.append((level, np.stack([x_m, np.zeros(len(x_m)), z_m], axis=1)))

    def settle(self) -> None:
        """Draw all polygons, the darkest last."""
        if not self._patches:
            return
        patches = sorted(self._patches, key=lambda patch: -patch[0])
        ends = np.cumsum([len(corners) for _, corners in patches])
        turned = self._camera.turned(np.concatenate([corners for _, corners in patches]))
        depth = np.maximum(turned[:, 2], NEAR_M)
        whole = _fixed(self._camera.project(np.stack([turned[:, 0], turned[:, 1], depth], axis=1)))
        near = np.minimum.reduceat(turned[:, 2], np.concatenate([[0], ends[:-1]])) < NEAR_M
        start = 0
        for (level, _), end, is_cut in zip(patches, ends.tolist(), near.tolist(), strict=True):
            corners = whole[start:end]
            if is_cut:
                rest = clipped(turned[start:end])
                corners = _fixed(self._camera.project(rest)) if len(rest) > 2 else corners[:0]
            if len(corners):
                cv2.fillConvexPoly(self.shadow, corners, level, cv2.LINE_8, 4)
            start = end

    def is_dark(self, x_m: float, z_m: float) -> bool:
        """Whether a place on the ground lies in the shadow of something large."""
        turned = self._camera.turned(np.array([[x_m, 0.0, z_m]]))
        if turned[0, 2] < 1:
            return False
        column, row, _ = self._camera.project(turned)[0].tolist()
        height, width = self.shadow.shape
        if not (0 <= column < width and 0 <= row < height):
            return False
        return bool(self.shadow[int(row), int(column)] <= 134)


def _fixed(seen: Points) -> NDArray[np.int32]:
    """Corners in 1/16 of a sub-pixel."""
    return np.clip(np.rint((seen[:, :2] - 0.5) * 16), -(1 << 20), 1 << 20).astype(np.int32)


def draw_ground(
    canvas: Canvas, camera: Camera, street: Street, light: Light, paint: Paint, chance: Chance
) -> None:
    """Colour everything below the horizon."""
    first = max(0, int(camera.horizon_px) + 1)
    if first >= canvas.height_px:
        return
    below = np.arange(first, canvas.height_px) + 0.5 - camera.horizon_px
    depth = np.minimum(camera.focal_px * camera.height_m / below, FARTHEST_M).astype(np.float32)
    slope = ((np.arange(canvas.width_px) + 0.5 - camera.middle_px) / camera.focal_px).astype(
        np.float32
    )
    x = depth[:, None] * (slope * np.float32(camera.cos) + np.float32(camera.sin))
    x += np.float32(camera.x_m)
    z = depth[:, None] * (np.float32(camera.cos) - slope * np.float32(camera.sin))
    offset = x - np.float32(street.bend) * z * z
    across = np.clip((offset + 32) * _FINE, 0, 64 * _FINE - 1).astype(np.int32)
    along = np.clip(z * _ALONG, 0, 256 * _ALONG - 1).astype(np.int32)
    profile, tracks = _profile(street, chance)
    # Zone and tracks share an entry, so that one look-up finds both.
    both = ((profile.astype(np.int16) * 6) << 8 | (tracks + 128)).take(across)
    cell = (both >> 8).astype(np.uint8) + _course(street, chance).take(along)
    zone = cv2.LUT(cell, _zones())
    area = slice(first, canvas.height_px)
    level = _texture(x, z, depth, camera.focal_px)
    level += (both & np.int16(255)) - np.int16(128)
    np.clip(level, 8, 120, out=level)
    level = (level.astype(np.uint16) * paint.shadow[area]) >> 8
    canvas.owner[area] = cv2.LUT(zone, _classes())
    canvas.nearness[area] = (1 / depth)[:, None]
    index = zone.astype(np.uint16) * _LEVELS + level
    colours = _colours(chance)
    if not light.is_dark:
        table = _table(colours, light.on((0.0, 1.0, 0.0)))
        canvas.colour[area] = packed(table).ravel().take(index)
        return
    coarse = 2 * SCALE
    lamps = pools(light.lamps, x[::coarse, ::coarse], z[::coarse, ::coarse])
    rgb = _table(colours, (1.0, 1.0, 1.0)).reshape(-1, 3)
    own = light.on((0.0, 1.0, 0.0))
    shape = index.shape
    total = np.zeros(shape, np.uint32)
    for i in range(3):
        share = np.minimum((lamps[i] + np.float32(own[i])) * 256, 600).astype(np.uint16)
        share = share.repeat(coarse, 0).repeat(coarse, 1)[: shape[0], : shape[1]]
        channel = (rgb[:, i].astype(np.uint32).take(index) * share) >> 8
        total |= np.minimum(channel, 255) << np.uint32(8 * i)
    canvas.colour[area] = total


def _texture(
    x: NDArrayFloat, z: NDArrayFloat, depth: NDArrayFloat, focal_px: float
) -> NDArray[np.int16]:
    """Brightness of rough ground around the middle, fading where grains fall below a pixel."""
    row, column = (z * 48).astype(np.int32), (x * 48).astype(np.int32)
    small = slice(None, None, SCALE)
    at = (((row[small, small] >> 3) & (SIDE - 1)) << 9) | ((column[small, small] >> 2) & (SIDE - 1))
    coarse = (fractal(16, 256).ravel().take(at) >> 4).astype(np.int16) + np.int16(56)
    row &= SIDE - 1
    column &= SIDE - 1
    row <<= 9
    row |= column
    strength = (np.minimum(0.0012 * focal_px / depth, 1) * 64).astype(np.int16)
    level = grain().ravel().take(row).astype(np.int16)
    level -= 128
    level *= strength[:, None]
    level >>= 8
    level += coarse.repeat(SCALE, 0).repeat(SCALE, 1)[: level.shape[0], : level.shape[1]]
    return level


def _profile(street: Street, chance: Chance) -> tuple[NDArrayByte, NDArray[np.int16]]:
    """Zone, and brightness beside the texture, at each 1/32 m across the street."""
    offset = (np.arange(64 * _FINE) + 0.5) / _FINE - 32
    away = np.abs(offset)
    # Rows of `_zones`: road, line, dashed line, gutter, kerb, pavement, grass, zebra stripe.
    zone = np.full(len(offset), 6 if not street.is_city else 5, np.uint8)
    pavement = street.kerb_m + street.pavement_m
    zone[away < pavement] = 5
    zone[away < street.kerb_m + 0.16] = 4
    zone[away < street.kerb_m] = 0
    zone[(away < street.kerb_m) & (away > street.kerb_m - 0.3)] = 3
    inner = away < street.kerb_m - 0.3
    zone[inner & (np.floor(offset + 64) % 2 == 0)] = 7
    solid = chance.happens(0.3)
    zone[away < 0.07] = 1 if solid else 2
    for lane in range(1, street.lanes):
        zone[np.abs(away - lane * street.lane_m) < 0.06] = 2
    if street.parking_m or chance.happens(0.4):
        edge = street.lanes * street.lane_m - (0 if street.parking_m else 0.35)
        zone[np.abs(away - edge) < 0.06] = 1 if chance.happens(0.5) else 2
    in_lane = np.where(away < street.lanes * street.lane_m, away % street.lane_m, 0.0)
    wheel = np.abs(np.abs(in_lane - street.lane_m / 2) - 0.75)
    tracks = np.where((wheel < 0.35) & (in_lane > 0), np.rint(-7 * (1 - wheel / 0.35)), 0)
    oil = np.abs(in_lane - street.lane_m / 2)
    tracks += np.where((oil < 0.3) & (in_lane > 0), np.rint(-4 * (1 - oil / 0.3)), 0)
    slabs = (zone == 5) & (np.floor(away * 100) % chance.one((40, 50, 75, 100)) < 3.2)
    tracks -= np.where(slabs, 9, 0)
    return zone, tracks.astype(np.int16)


def _course(street: Street, chance: Chance) -> NDArrayByte:
    """Column of `_zones` at each 1/16 m along the street."""
    z = (np.arange(256 * _ALONG) + 0.5) / _ALONG
    period, phase = chance.one((6.0, 9.0, 12.0)), chance.between(0, 9)
    course = np.where((z + phase) % period < period / 3, DASH, PLAIN).astype(np.uint8)
    joint = chance.one((0.5, 0.75, 1.0, 1.5))
    course[(course == PLAIN) & (z % joint < 0.06) & (z < 40)] = SEAM
    if street.zebra_m is not None:
        course[(z > street.zebra_m) & (z < street.zebra_m + 3.4)] = ZEBRA
        course[(z > street.zebra_m - 1.6) & (z < street.zebra_m - 1.2)] = STOP
    if street.crossing_m is not None:
        start, end = street.crossing_m, street.crossing_m + street.crossing_width_m
        course[(z > start) & (z < end)] = ACROSS
    return course


def _zones() -> NDArrayByte:
    """What lies where a place across the street meets one along it."""
    # Columns: plain, dash, zebra, stop, across, seam.
    rows = [
        (ROAD, ROAD, ROAD, PAINT, ROAD, ROAD),
        (PAINT, PAINT, ROAD, PAINT, ROAD, PAINT),
        (ROAD, PAINT, ROAD, PAINT, ROAD, ROAD),
        (GUTTER, GUTTER, GUTTER, GUTTER, ROAD, GUTTER),
        (KERB, KERB, KERB, KERB, ROAD, KERB),
        (SLAB, SLAB, SLAB, SLAB, ROAD, JOINT),
        (GRASS, GRASS, GRASS, GRASS, ROAD, GRASS),
        (ROAD, ROAD, PAINT, PAINT, ROAD, ROAD),
    ]
    return np.resize(np.array(rows, np.uint8), 256)


def _classes() -> NDArrayByte:
    """Class of each zone."""
    return np.resize(np.array(_CLASS, np.uint8), 256)


def _colours(chance: Chance) -> list[Colour]:
    """Colour of each zone."""
    grey = chance.whole(74, 118)
    road = (grey, grey + chance.whole(-2, 2), grey + chance.whole(-2, 6))
    white = chance.whole(188, 226)
    slab = chance.near(chance.one(((148, 144, 138), (160, 150, 136), (128, 128, 130))), 14)
    joint = three(c - 26 for c in slab)
    kerb = chance.near((164, 162, 158), 10)
    grass = chance.near(chance.one(((86, 112, 52), (104, 114, 60), (122, 112, 68))), 12)
    gutter = three(c - 10 for c in road)
    paint = (white, white, white - chance.whole(2, 14))
    return [road, paint, gutter, kerb, slab, joint, grass]


def _table(colours: list[Colour], light: tuple[float, float, float]) -> NDArrayByte:
    """Each zone's colour in each brightness, ``uint8 (zones, levels, 3)``."""
    steps = np.arange(_LEVELS)[None, :, None] / 64
    rgb = np.array(colours, np.float64)[:, None, :] * steps * np.array(light)
    return np.asarray(np.minimum(np.rint(rgb), 255), np.uint8)
