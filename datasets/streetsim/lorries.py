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
    pane = glass(body.light)
    glows = body.light.is_dark
    inside = (214, 206, 170) if glows else pane
    decks = (1.2, 2.75) if v.height > 4 else (1.2,)
    for sign in (-1.0, 1.0):
        x, normal = sign * (v.half + 0.005), (sign, 0.0, 0.0)
        if not body.face(
            along(x, rear + 0.05, front - 0.02, 0.35, 0.85), normal, v.second, 1.0, 0.75
        ):
            continue
        for low in decks:
            body.face(along(x, rear + 0.3, front - 0.15, low, low + 1.15), normal, (28, 30, 33))
            count = max(4, int(v.length / 1.5))
            step = (v.length - 0.5) / count
            for i in range(count):
                z = rear + 0.33 + i * step
                body.face(
                    along(x, z, z + step - 0.09, low + 0.06, low + 1.09),
                    normal,
                    inside,
                    1.15,
                    0.75,
                    glows,
                )
        if sign > 0:
            for z in (front - 1.5, -0.6):
                body.face(along(x, z, z + 1.15, 0.4, 2.35), normal, (26, 28, 31))
                for at in (z + 0.06, z + 0.6):
                    body.face(along(x, at, at + 0.48, 0.5, 2.25), normal, inside, 1.1, 0.7, glows)
    wheels(body, v, (-v.length * 0.31, v.length * 0.33))
    z, normal = front + 0.07, (0.0, 0.0, 1.0)
    if body.face(across(-v.half * 0.93, v.half * 0.93, 1.05, 2.45, z), normal, pane, 1.3, 0.7):
        body.face(
            across(-v.half * 0.8, v.half * 0.8, v.height - 0.52, v.height - 0.2, z),
            normal,
            (20, 20, 20),
        )
        body.face(
            across(-v.half * 0.55, v.half * 0.5, v.height - 0.45, v.height - 0.29, z),
            normal,
            (236, 160, 40),
            glows=True,
        )
        if v.height > 4:
            body.face(across(-v.half * 0.93, v.half * 0.93, 2.75, 3.6, z), normal, pane, 1.3, 0.7)
    z_rear, back = rear - 0.005, (0.0, 0.0, -1.0)
    if body.face(across(-v.half * 0.85, v.half * 0.85, 1.5, 2.5, z_rear), back, pane, 1.2, 0.7):
        body.face(across(-v.half * 0.8, v.half * 0.8, 0.5, 1.1, z_rear), back, (44, 44, 46))
    _end_lights(body, v, z, z_rear)


def truck(body: Body, v: Vehicle) -> None:
    """Add the faces of a truck: a cab and a box behind it."""
    front, rear = v.length / 2, -v.length / 2
    cab, top = front - 2.0, min(2.75, v.height)
    behind = body.eye[2] < cab
    for part in ("cab", "box") if behind else ("box", "cab"):
        if part == "cab":
            profile = [(cab, 0.45), (front, 0.45), (front, 1.45), (front - 0.22, top), (cab, top)]
            body.prism(profile, [v.half * 0.97] * 5, v.paint, 0.7)
            pane = glass(body.light)
            for sign in (-1.0, 1.0):
                body.face(
                    along(sign * v.half * 0.975, cab + 0.7, front - 0.32, 1.5, top - 0.3),
                    (sign, 0.0, 0.0),
                    pane,
                    1.2,
                    0.8,
                )
            wide = v.half * 0.88
            screen = [
                (-wide, top - 0.2, front - 0.19),
                (wide, top - 0.2, front - 0.19),
                (wide, 1.5, front + 0.01),
                (-wide, 1.5, front + 0.01),
            ]
            if body.face(screen, (0.0, 0.17, 0.985), pane, 1.25, 0.75):
                body.face(
                    across(-wide * 0.7, wide * 0.7, 0.95, 1.35, front + 0.01),
                    (0.0, 0.0, 1.0),
                    (40, 42, 44),
                )
        else:
            box = [(rear, 0.85), (cab - 0.15, 0.85), (cab - 0.15, v.height), (rear, v.height)]
            body.prism(box, [v.half] * 4, v.second, 0.8)
            for sign in (-1.0, 1.0):
                x = sign * (v.half + 0.004)
                if body.face(
                    along(x, rear, cab - 0.15, 0.85, 0.97), (sign, 0.0, 0.0), (60, 60, 62)
                ):
                    mid, high = (rear + cab) / 2, v.height * 0.62
                    body.face(
                        along(x, mid - 1.3, mid + 1.3, high - 0.3, high + 0.3),
                        (sign, 0.0, 0.0),
                        v.paint,
                    )
            if body.face(
                across(-0.02, 0.02, 0.9, v.height - 0.06, rear - 0.004),
                (0.0, 0.0, -1.0),
                (70, 70, 72),
            ):
                for x in (-0.5, 0.5):
                    body.face(
                        across(x - 0.03, x + 0.03, 0.9, v.height - 0.06, rear - 0.004),
                        (0.0, 0.0, -1.0),
                        (110, 110, 112),
                    )
                body.face(
                    across(-v.half, v.half, 0.5, 0.82, rear - 0.002),
                    (0.0, 0.0, -1.0),
                    (40, 40, 42),
                )
    wheels(body, v, (-v.length * 0.31, v.length * 0.36))
    _end_lights(body, v, front + 0.01, rear - 0.006)


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
