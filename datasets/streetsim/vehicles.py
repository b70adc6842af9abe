"""Which cars, trucks and buses there are: sizes, paints, lights."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from datasets.streetsim.camera import Points
from datasets.streetsim.canvas import Colour
from datasets.streetsim.noise import Chance
from datasets.streetsim.solids import Pose

PAINTS: tuple[Colour, ...] = (
    (222, 222, 220), (196, 198, 200), (150, 153, 157), (96, 100, 105), (44, 46, 50), (30, 30, 33),
    (150, 30, 30), (36, 62, 122), (70, 108, 150), (52, 84, 66), (176, 160, 128), (206, 178, 60),
    (190, 92, 40), (94, 44, 50), (120, 140, 150),
)  # fmt: skip


@dataclass(frozen=True)
class Vehicle:
    """Size and looks of a vehicle; lengths in metres."""

    kind: str
    """car, bus, truck."""
    length: float
    half: float
    """Half of its width."""
    height: float
    waist: float
    """Height where the windows begin."""
    bonnet: float
    """Length before the windscreen."""
    boot: float
    """Length behind the rear window."""
    slant: float
    """How far windscreen and rear window lean."""
    paint: Colour
    second: Colour
    wheel: float
    """Radius of the wheels."""


def draw_vehicle(chance: Chance, kind: str) -> Vehicle:
    """A vehicle by chance."""
    paint = chance.near(chance.one(PAINTS), 14)
    second = chance.near(chance.one(PAINTS), 14)
    if kind == "bus":
        high = chance.one((3.0, 3.1, 3.2, 4.2))
        return Vehicle(
            "bus", chance.between(9, 12), 1.25, high, 1.25, 0, 0, 0.1, paint, second, 0.48
        )
    if kind == "truck":
        if chance.happens(0.3):
            return Vehicle(
                "pickup",
                chance.between(5, 5.4),
                0.95,
                chance.between(1.75, 1.9),
                1.1,
                1.35,
                1.9,
                0.4,
                paint,
                second,
                0.38,
            )
        return Vehicle(
            "truck",
            chance.between(6, 9.5),
            1.2,
            chance.between(2.9, 3.7),
            1.5,
            0,
            0,
            0.12,
            paint,
            second if chance.happens(0.5) else (214, 212, 206),
            0.48,
        )
    body = chance.one(("hatch", "hatch", "saloon", "estate", "tall", "van"))
    half, wheel = chance.between(0.84, 0.94), chance.between(0.3, 0.34)
    sizes = {
        "hatch": (chance.between(3.6, 4.2), 1.48, 0.93, 0.95, 0.06, 0.5),
        "saloon": (chance.between(4.4, 4.9), 1.45, 0.93, 1.15, 0.8, 0.7),
        "estate": (chance.between(4.4, 4.9), 1.48, 0.94, 1.1, 0.04, 0.5),
        "tall": (chance.between(4.3, 4.8), 1.72, 1.06, 1.0, 0.04, 0.4),
        "van": (chance.between(4.6, 5.2), 1.95, 1.15, 0.65, 0.02, 0.35),
    }
    length, height, waist, bonnet, boot, slant = sizes[body]
    height += chance.between(-0.04, 0.06)
    return Vehicle("car", length, half, height, waist, bonnet, boot, slant, paint, second, wheel)


def glows_of(vehicle: Vehicle, pose: Pose) -> list[tuple[Points, Colour, float]]:
    """Its lights by night: place in the world ``(3,)``, colour, strength."""
    y = 0.66 if vehicle.kind == "car" else 0.8
    found = []
    for sign in (-0.72, 0.72):
        ends = np.array(
            [
                (sign * vehicle.half, y, vehicle.length / 2),
                (sign * vehicle.half, y + 0.12, -vehicle.length / 2),
            ]
        )
        front, rear = pose.world(ends)
        found.append((front, (255, 240, 205), 1.0))
        found.append((rear, (255, 40, 24), 0.45))
    return found
