"""What stands on pavements: lamps, traffic lights, signs, bollards and bins."""

from __future__ import annotations

import numpy as np

from datasets.streetsim.camera import Camera, Points
from datasets.streetsim.canvas import Canvas, Colour, Shape, three
from datasets.streetsim.classes import POLE, TRAFFIC_SIGN
from datasets.streetsim.light import Light
from datasets.streetsim.noise import Chance
from datasets.streetsim.solids import Limbs, circle

Place = tuple[float, float]


def _metal(light: Light, place: Place, colour: Colour, y_m: float = 1.5) -> Colour:
    return light.lit(colour, (0.0, 0.1, -0.7), light.lamplight(*place, y_m))


def draw_lamp_post(
    canvas: Canvas, camera: Camera, light: Light, place: Place, reach_m: float, height_m: float
) -> None:
    """A post with an arm over the road; ``reach_m`` is signed."""
    x, z = place
    metal = _metal(light, place, (112, 116, 118))
    shape = Limbs(camera)
    shape.add(((x, 0, z), (x, height_m, z)), (0.065, 0.065), metal)
    shape.add(((x, 0, z), (x, 1.1, z)), (0.1, 0.1), metal)
    tip = x + reach_m
    shape.add(((x, height_m, z), (tip, height_m + 0.25, z)), (0.045, 0.045), metal)
    canvas.draw(shape.shape(), POLE)
    head = Limbs(camera)
    tone = (255, 232, 180) if light.is_dark else (206, 208, 206)
    head.add(
        ((tip - 0.3, height_m + 0.22, z), (tip + 0.3, height_m + 0.28, z)), (0.09, 0.09), tone, 0.9
    )
    canvas.draw(head.shape(), POLE)


def upright(camera: Camera, place: Place, y_m: float, outline: Points) -> Points:
    """A flat outline ``(N, 2)`` in metres around a point, as a board that faces the camera."""
    seen = camera.see(np.array([[place[0], y_m, place[1]]]))[0]
    scale = camera.focal_px * seen[2]
    return np.stack(
        [
            seen[0] + outline[:, 0] * scale,
            seen[1] - outline[:, 1] * scale,
            np.full(len(outline), seen[2]),
        ],
        axis=1,
    )


def box(half_x: float, half_y: float, x: float = 0.0, y: float = 0.0) -> Points:
    """A rectangle ``(4, 2)``."""
    return np.array(
        [
            [x - half_x, y + half_y],
            [x + half_x, y + half_y],
            [x + half_x, y - half_y],
            [x - half_x, y - half_y],
        ]
    )


def draw_post(
    canvas: Canvas,
    camera: Camera,
    light: Light,
    place: Place,
    height_m: float,
    radius_m: float = 0.04,
) -> None:
    """A plain post."""
    shape = Limbs(camera)
    x, z = place
    shape.add(
        ((x, 0, z), (x, height_m, z)), (radius_m, radius_m), _metal(light, place, (126, 128, 130))
    )
    canvas.draw(shape.shape(), POLE)


def signal_shape(
    camera: Camera, light: Light, place: Place, y_m: float, state: int, faces_us: bool
) -> Shape:
    """The housing of a traffic light around a height; ``state`` 0 red, 1 amber, 2 green."""
    shape = Shape(flat=True)
    near = (place[0], place[1] - 0.12)
    tone = _metal(light, place, (36, 38, 38), 3.0)
    shape.add(upright(camera, near, y_m, box(0.19, 0.5)), three(c + 14 for c in tone))
    shape.add(upright(camera, near, y_m, box(0.15, 0.46)), tone)
    if not faces_us:
        return shape
    bright: tuple[Colour, ...] = ((255, 60, 40), (255, 190, 50), (70, 240, 150))
    dull: tuple[Colour, ...] = ((70, 24, 22), (72, 56, 24), (22, 58, 42))
    for i in range(3):
        colour = bright[i] if i == state else dull[i]
        lens = np.array(circle(12)) * 0.105 + np.array([0.0, 0.3 - 0.3 * i])
        shape.add(upright(camera, near, y_m, lens), colour)
    return shape


def draw_sign(canvas: Canvas, camera: Camera, light: Light, place: Place, chance: Chance) -> None:
    """A traffic sign on its post: a disc, a triangle, a square or an octagon."""
    y = chance.between(2.1, 2.6)
    draw_post(canvas, camera, light, place, y + 0.3, 0.032)
    near = (place[0], place[1] - 0.05)
    kind = chance.one(("ban", "ban", "warning", "square", "octagon", "blue"))
    shape = Shape(flat=True)

    def board(outline: Points, colour: Colour) -> None:
        lit = light.lit(colour, (0.0, 0.2, -0.8), light.lamplight(*place, 2.0))
        shape.add(upright(camera, near, y, outline), lit)

    disc = np.array(circle(24)) * 0.32
    white, red, blue, black = (232, 232, 228), (186, 28, 34), (28, 78, 160), (28, 28, 28)
    turned = np.array([[0.0, 0.38], [0.38, -0.27], [-0.38, -0.27]])
    if not chance.happens(0.8):
        board(disc, (132, 134, 136))
    elif kind == "ban":
        board(disc, red)
        board(disc * 0.76, white)
        board(box(0.05, 0.12, -0.08), black)
        board(box(0.05, 0.12, 0.08), black)
    elif kind == "warning":
        board(turned, red)
        board(turned * 0.7, white)
        board(box(0.03, 0.09, 0, -0.02), black)
    elif kind == "octagon":
        octagon = np.array(circle(8))
        board(octagon * 0.36, white)
        board(octagon * 0.33, red)
        board(box(0.2, 0.05), white)
    elif kind == "blue":
        board(disc, white)
        board(disc * 0.93, blue)
        board(box(0.04, 0.16, 0.0, -0.02), white)
        board(np.array([[0.0, 0.22], [0.13, 0.05], [-0.13, 0.05]]), white)
    else:
        board(box(0.33, 0.33), white)
        board(box(0.3, 0.3), blue)
        board(box(0.16, 0.18), white)
        board(box(0.05, 0.1, 0.0, -0.06), blue)
    canvas.draw(shape, TRAFFIC_SIGN)


def draw_small(canvas: Canvas, camera: Camera, light: Light, place: Place, kind: str) -> None:
    """A bollard or a bin."""
    x, z = place
    shape = Limbs(camera)
    if kind == "bollard":
        shape.add(((x, 0, z), (x, 0.95, z)), (0.07, 0.07), _metal(light, place, (58, 60, 62)))
        shape.add(
            ((x, 0.72, z), (x, 0.82, z)), (0.072, 0.072), _metal(light, place, (210, 206, 198))
        )
    else:
        shape.add(((x, 0.1, z), (x, 0.95, z)), (0.24, 0.24), _metal(light, place, (52, 74, 62)))
        shape.add(((x, 0.92, z), (x, 1.0, z)), (0.27, 0.27), _metal(light, place, (40, 44, 44)))
    canvas.draw(shape.shape(), POLE)
