"""One street scene with exact labels, rendered from (split, index) alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from datasets import masks
from datasets.image import NDArrayByte, NDArrayFloat
from datasets.sample import Annotations, LabelledObject
from datasets.streetsim import classes, furniture
from datasets.streetsim.buildings import (
    draw_backdrop,
    draw_buildings,
    plan_buildings,
    shade_street,
)
from datasets.streetsim.camera import Camera
from datasets.streetsim.canvas import FIRST_OBJECT, SCALE, Canvas, Shape
from datasets.streetsim.classes import SKY
from datasets.streetsim.ground import Paint, draw_ground
from datasets.streetsim.layout import Thing, draw_camera, draw_things
from datasets.streetsim.light import Lamp, Light, draw_light
from datasets.streetsim.lorries import vehicle_shape
from datasets.streetsim.noise import Chance
from datasets.streetsim.people import Person, bicycle_shape, person_shape, rider_shape
from datasets.streetsim.photo import Glow, depth_m, develop
from datasets.streetsim.roadside import Roadside, draw_roadside, plan_roadside
from datasets.streetsim.shadows import cast
from datasets.streetsim.sky import draw_sky
from datasets.streetsim.street import draw_street
from datasets.streetsim.vehicles import Vehicle, glows_of

VERSION = 1
"""Raised whenever the same (split, index, size) gives other bytes."""

FARTHEST_M = 600.0
"""Depth of the sky."""
LEAST_PX2 = 60
"""Objects that show fewer pixels are marked as crowd, which scorers ignore; at 640 by 480, and in
proportion to the number of pixels otherwise."""
LEAST_SHARE = 0.15
"""So are objects of whose pixels inside the frame less than this share is seen."""
TRACE_PX2 = 8
"""Objects with fewer pixels have no entry at all, only their class in the label map."""


@dataclass(frozen=True)
class Scene:
    """An image and all that is known of it."""

    image: NDArrayByte
    """``uint8 (H, W, 3) RGB``."""
    annotations: Annotations
    """Objects that are seen, with masks; categories as in `classes.CATEGORIES`."""
    label_map: NDArrayByte
    """``uint8 (H, W)``: places in `classes.CLASSES`."""
    depth_m: NDArrayFloat
    """Distance along the optical axis, ``float32 (H, W)``; `FARTHEST_M` for the sky."""
    attributes: Mapping[str, str]
    """``timeofday`` (day, dusk, night), ``sky`` (clear, overcast), ``place`` (city, suburb)."""


@dataclass(frozen=True)
class Object:
    """What an owner on the canvas stands for."""

    category: int
    label: int
    """Class in label maps."""


@dataclass
class Stage:
    """A scene before it is photographed."""

    canvas: Canvas
    camera: Camera
    light: Light
    objects: list[Object]
    """Owner `FIRST_OBJECT` + i is the i-th."""
    shapes: list[Shape]
    """Each object's polygons."""
    glows: list[Glow]
    attributes: Mapping[str, str]


def render(split: str, index: int, size_px: tuple[int, int]) -> Scene:
    """Render one scene.

    Args:
        split: Any name; scenes of different names have nothing in common.
        index: Number of the scene, from 0 on without end.
        size_px: Width and height, at least 32 each.

    Raises:
        ValueError: If index or size is out of range.
    """
    stage = build(split, index, size_px)
    canvas = stage.canvas
    chance = Chance(split, index, "photo")
    image = develop(canvas, stage.camera, stage.light, stage.glows, chance)
    owner = canvas.owner[1::SCALE, 1::SCALE]
    return Scene(
        image,
        _annotations(stage, owner),
        _labels(stage).take(owner),
        depth_m(canvas),
        stage.attributes,
    )


def build(split: str, index: int, size_px: tuple[int, int]) -> Stage:
    """Draw a scene's canvas; arguments as for `render`."""
    width, height = size_px
    if index < 0 or min(size_px) < 32:
        raise ValueError(f"scene {index} of {width}x{height}: index from 0, sides from 32 on")
    chance = Chance(split, index)
    street = draw_street(chance)
    light = draw_light(chance)
    camera = draw_camera(chance, street, size_px)
    things = draw_things(chance, street, camera)
    roadside = plan_roadside(chance, street)
    glows = _lamps(light, camera, things, roadside)
    canvas = Canvas(camera.width_px, camera.height_px, FARTHEST_M)
    canvas.owner[:] = SKY
    draw_sky(canvas, camera, light, chance)
    paint = Paint(canvas, camera)
    plots = plan_buildings(street, light, chance)
    shade_street(plots, light, paint)
    cast(paint, light, things, roadside)
    paint.settle()
    draw_ground(canvas, camera, street, light, paint, chance)
    draw_buildings(canvas, camera, plots, light, chance)
    draw_backdrop(canvas, camera, street, light, chance)
    draw_roadside(canvas, camera, light, roadside, chance)
    objects, shapes = _draw_things(canvas, camera, light, paint, things)
    for signal in roadside.signals:
        x, y, z = signal.place
        if camera.turned_z((x, z)) < 1.5:
            continue
        shape = furniture.signal_shape(camera, light, (x, z), y, signal.state, signal.faces_us)
        objects.append(Object(10, classes.TRAFFIC_LIGHT))
        shapes.append(shape)
        canvas.draw(shape, FIRST_OBJECT + len(objects) - 1)
    attributes = {
        "timeofday": light.timeofday,
        "sky": "overcast" if light.cover > 0.8 else "clear",
        "place": "city" if street.is_city else "suburb",
    }
    return Stage(canvas, camera, light, objects, shapes, glows, attributes)


def _lamps(light: Light, camera: Camera, things: list[Thing], roadside: Roadside) -> list[Glow]:
    """Light what shines in the dark; returns what the lens sees of it."""
    glows: list[Glow] = []
    if not light.is_dark:
        return glows
    dim = 1.0 if light.timeofday == "night" else 0.35
    for x, y, z in roadside.lamp_heads:
        glows.append(Glow(np.array([x, y, z]), (255, 214, 150), 0.9 * dim, 0.3))
        light.lamps.append(Lamp(x, y, z, 0.9 * dim, reach_m=7.5))
    if camera.height_m < 1.8:
        light.lamps.append(Lamp(camera.x_m, 0.7, 8.0, 0.5 * dim, (1.0, 0.95, 0.85), 6.0))
    for thing in things:
        if isinstance(thing.look, Vehicle) and not thing.is_parked:
            pose = thing.pose
            for place, colour, strength in glows_of(thing.look, pose):
                rear_light = colour[1] < 100
                faces = pose.cos * (1 if rear_light else -1)
                if faces > 0.2:
                    glows.append(Glow(place, colour, strength * dim * faces, 0.1))
            ahead = thing.look.length / 2 + 4
            x, z = pose.x_m + pose.sin * ahead, pose.z_m + pose.cos * ahead
            if pose.z_m < 45:
                light.lamps.append(Lamp(x, 0.7, z, 0.3 * dim, (1.0, 0.95, 0.85), 2.6))
    light.lamps.sort(key=lambda lamp: lamp.z_m)
    del light.lamps[14:]
    return glows


def _draw_things(
    canvas: Canvas, camera: Camera, light: Light, paint: Paint, things: list[Thing]
) -> tuple[list[Object], list[Shape]]:
    objects, shapes = [], []
    for thing in sorted(things, key=lambda each: camera.turned_z((each.pose.x_m, each.pose.z_m))):
        if _is_hidden(canvas, camera, thing):
            continue
        dark = light.is_sunny and paint.is_dark(
            thing.pose.x_m, thing.pose.z_m - (0.3 if isinstance(thing.look, Person) else 2.5)
        )
        look = thing.look
        if isinstance(look, Vehicle):
            kind = "truck" if look.kind == "pickup" else look.kind
            category = next(k for k, name in classes.CATEGORIES.items() if name == kind)
            one = Object(category, classes.CLASSES.index(kind))
            shape = vehicle_shape(look, camera, thing.pose, light, dark)
        elif isinstance(look, Person):
            one = Object(1, classes.RIDER if thing.is_rider else classes.PERSON)
            draw = rider_shape if thing.is_rider else person_shape
            shape = draw(look, camera, thing.pose, light, dark)
        else:
            one = Object(2, classes.BICYCLE)
            shape = bicycle_shape(look, camera, thing.pose, light, dark)
        objects.append(one)
        shapes.append(shape)
        canvas.draw(shape, FIRST_OBJECT + len(objects) - 1)
    return objects, shapes


def _is_hidden(canvas: Canvas, camera: Camera, thing: Thing) -> bool:
    """Whether all of a box around a thing lies behind what is drawn."""
    look = thing.look
    half, length, tall = 0.6, 1.0, 1.95
    if isinstance(look, Vehicle):
        half, length, tall = look.half + 0.2, look.length / 2 + 0.1, look.height
    box = [[x, y, z] for x in (-half, half) for y in (0, tall) for z in (-length, length)]
    seen = camera.see(thing.pose.world(np.array(box, np.float64)))
    left, top = np.floor(seen[:, :2].min(0)).astype(int).tolist()
    right, bottom = np.ceil(seen[:, :2].max(0)).astype(int).tolist()
    return canvas.hides(top, bottom, left, right, float(seen[:, 2].max()))


def _labels(stage: Stage) -> NDArrayByte:
    """Class of every owner."""
    stuff = np.arange(FIRST_OBJECT, dtype=np.uint8)
    return np.concatenate([stuff, np.array([o.label for o in stage.objects], np.uint8)])


def _annotations(stage: Stage, owner: NDArray[np.uint16]) -> Annotations:
    """Box and mask of every object, from its own pixels."""
    height, width = owner.shape
    least = LEAST_PX2 * owner.size / (640 * 480)
    flat = owner.ravel(order="F")
    starts = np.concatenate([[0], np.flatnonzero(flat[1:] != flat[:-1]) + 1])
    whose, ends = flat[starts], np.append(starts[1:], len(flat))
    order = np.argsort(whose, kind="stable")
    bounds = np.searchsorted(whose[order], np.arange(len(stage.objects) + 1) + FIRST_OBJECT)
    rows = []
    for i, one in enumerate(stage.objects):
        runs = order[bounds[i] : bounds[i + 1]]
        area = int((ends[runs] - starts[runs]).sum())
        if area < TRACE_PX2:
            continue
        edges = np.stack([starts[runs], ends[runs]], axis=1).ravel()
        counts = np.diff(edges, prepend=0, append=len(flat))
        mask = masks.of_runs(counts, height, width)
        share = area / stage.canvas.alone_px[FIRST_OBJECT + i]
        is_crowd = area < least or share < LEAST_SHARE
        rows.append(
            LabelledObject(masks.box_xyxy_px(mask), one.category, float(area), is_crowd, mask)
        )
    return Annotations.of(rows)
