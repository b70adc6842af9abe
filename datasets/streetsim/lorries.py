"""Buses and trucks."""

from __future__ import annotations

from datasets.streetsim.bodywork import across, along, glass, underside, wheels
from datasets.streetsim.camera import Camera
from datasets.streetsim.canvas import Shape
from datasets.streetsim.cars import car
from datasets.streetsim.light import Light
from datasets.streetsim.solids import Body, Pose
from datasets.streetsim.vehicles import Vehicle


def vehicle_shape(
    vehicle: Vehicle, camera: Camera, pose: Pose, light: Light, in_shadow: bool
) -> Shape:
    """The vehicle as it is seen."""
    body = Body(camera, pose, light, in_shadow)
    underside(body, vehicle)
    if vehicle.kind == "bus":
        bus(body, vehicle)
    elif vehicle.kind == "truck":
        truck(body, vehicle)
    else:
        car(body, vehicle)
    return body.shape()


def bus(body: Body, v: Vehicle) -> None:
    """Add the faces of a bus of one deck or two."""
    front, rear = v.length / 2, -v.length / 2
    profile = [
        (rear, 0.32),
        (front, 0.32),
        (front + 0.06, 1.1),
        (front, v.height - 0.2),
        (front - 0.2, v.height),
        (rear + 0.1, v.height),
        (rear, v.height - 0.15),
    ]
    body.prism(profile, [v.half] * len(profile), v.paint, 0.66)
    for sign in (-1.0, 1.0):
        _bus_side(body, v, sign)
    wheels(body, v, (-v.length * 0.31, v.length * 0.33))
    _bus_front(body, v, front + 0.07)
    _bus_rear(body, v, rear - 0.005)
    _end_lights(body, v, front + 0.07, rear - 0.005)


def _bus_side(body: Body, v: Vehicle, sign: float) -> None:
    """A stripe of the second colour, windows on each deck, and on the right (1) the doors."""
    front, rear = v.length / 2, -v.length / 2
    x, normal = sign * (v.half + 0.005), (sign, 0.0, 0.0)
    stripe = along(x, rear + 0.05, front - 0.02, 0.35, 0.85)
    if not body.face(stripe, normal, v.second, 1.0, 0.75):
        return
    glows = body.light.is_dark
    inside = (214, 206, 170) if glows else glass(body.light)
    for low in (1.2, 2.75) if v.height > 4 else (1.2,):
        body.face(along(x, rear + 0.3, front - 0.15, low, low + 1.15), normal, (28, 30, 33))
        count = max(4, int(v.length / 1.5))
        step = (v.length - 0.5) / count
        for i in range(count):
            z = rear + 0.33 + i * step
            window = along(x, z, z + step - 0.09, low + 0.06, low + 1.09)
            body.face(window, normal, inside, 1.15, 0.75, glows)
    if sign > 0:
        for z in (front - 1.5, -0.6):
            body.face(along(x, z, z + 1.15, 0.4, 2.35), normal, (26, 28, 31))
            for at in (z + 0.06, z + 0.6):
                body.face(along(x, at, at + 0.48, 0.5, 2.25), normal, inside, 1.1, 0.7, glows)


def _bus_front(body: Body, v: Vehicle, z: float) -> None:
    """Windscreens and the lit sign of the line."""
    normal, pane = (0.0, 0.0, 1.0), glass(body.light)
    if body.face(across(-v.half * 0.93, v.half * 0.93, 1.05, 2.45, z), normal, pane, 1.3, 0.7):
        board = across(-v.half * 0.8, v.half * 0.8, v.height - 0.52, v.height - 0.2, z)
        body.face(board, normal, (20, 20, 20))
        words = across(-v.half * 0.55, v.half * 0.5, v.height - 0.45, v.height - 0.29, z)
        body.face(words, normal, (236, 160, 40), glows=True)
        if v.height > 4:
            body.face(across(-v.half * 0.93, v.half * 0.93, 2.75, 3.6, z), normal, pane, 1.3, 0.7)


def _bus_rear(body: Body, v: Vehicle, z: float) -> None:
    """The rear window and the flap of the engine."""
    normal, pane = (0.0, 0.0, -1.0), glass(body.light)
    if body.face(across(-v.half * 0.85, v.half * 0.85, 1.5, 2.5, z), normal, pane, 1.2, 0.7):
        body.face(across(-v.half * 0.8, v.half * 0.8, 0.5, 1.1, z), normal, (44, 44, 46))


def truck(body: Body, v: Vehicle) -> None:
    """Add the faces of a truck: a cab and a box behind it."""
    front, rear = v.length / 2, -v.length / 2
    joint = front - 2.0
    if body.eye[2] < joint:
        _cab(body, v, joint)
        _box(body, v, joint)
    else:
        _box(body, v, joint)
        _cab(body, v, joint)
    wheels(body, v, (-v.length * 0.31, v.length * 0.36))
    _end_lights(body, v, front + 0.01, rear - 0.006)


def _cab(body: Body, v: Vehicle, start: float) -> None:
    """The driver's cab, from ``start`` to the front."""
    front, top = v.length / 2, min(2.75, v.height)
    profile = [(start, 0.45), (front, 0.45), (front, 1.45), (front - 0.22, top), (start, top)]
    body.prism(profile, [v.half * 0.97] * 5, v.paint, 0.7)
    pane = glass(body.light)
    for sign in (-1.0, 1.0):
        window = along(sign * v.half * 0.975, start + 0.7, front - 0.32, 1.5, top - 0.3)
        body.face(window, (sign, 0.0, 0.0), pane, 1.2, 0.8)
    wide = v.half * 0.88
    screen = [
        (-wide, top - 0.2, front - 0.19),
        (wide, top - 0.2, front - 0.19),
        (wide, 1.5, front + 0.01),
        (-wide, 1.5, front + 0.01),
    ]
    if body.face(screen, (0.0, 0.17, 0.985), pane, 1.25, 0.75):
        grille = across(-wide * 0.7, wide * 0.7, 0.95, 1.35, front + 0.01)
        body.face(grille, (0.0, 0.0, 1.0), (40, 42, 44))


def _box(body: Body, v: Vehicle, joint: float) -> None:
    """The box, from the rear to a gap before the cab, which begins at ``joint``."""
    rear, end = -v.length / 2, joint - 0.15
    profile = [(rear, 0.85), (end, 0.85), (end, v.height), (rear, v.height)]
    body.prism(profile, [v.half] * 4, v.second, 0.8)
    for sign in (-1.0, 1.0):
        x, normal = sign * (v.half + 0.004), (sign, 0.0, 0.0)
        if body.face(along(x, rear, end, 0.85, 0.97), normal, (60, 60, 62)):
            mid, high = (rear + joint) / 2, v.height * 0.62
            board = along(x, mid - 1.3, mid + 1.3, high - 0.3, high + 0.3)
            body.face(board, normal, v.paint)
    z, top, back = rear - 0.004, v.height - 0.06, (0.0, 0.0, -1.0)
    if body.face(across(-0.02, 0.02, 0.9, top, z), back, (70, 70, 72)):
        for x in (-0.5, 0.5):
            body.face(across(x - 0.03, x + 0.03, 0.9, top, z), back, (110, 110, 112))
        body.face(across(-v.half, v.half, 0.5, 0.82, rear - 0.002), back, (40, 40, 42))


def _end_lights(body: Body, v: Vehicle, front: float, rear: float) -> None:
    """Lights and plates of large vehicles."""
    lit = body.light.is_dark
    for sign in (-1.0, 1.0):
        inner, outer = sorted((sign * v.half * 0.6, sign * v.half * 0.92))
        lamp = (255, 250, 232) if lit else (206, 212, 216)
        body.face(across(inner, outer, 0.66, 0.86, front), (0.0, 0.0, 1.0), lamp, glows=lit)
        red = (235, 46, 34) if lit else (150, 28, 28)
        inner, outer = sorted((sign * v.half * 0.72, sign * v.half * 0.94))
        body.face(across(inner, outer, 0.6, 0.8, rear), (0.0, 0.0, -1.0), red, glows=lit)
    body.face(across(-0.26, 0.26, 0.42, 0.54, front), (0.0, 0.0, 1.0), (226, 226, 218))
    body.face(across(-0.26, 0.26, 0.55, 0.67, rear), (0.0, 0.0, -1.0), (222, 220, 200))
