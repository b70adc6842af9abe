"""Who is in the street, and where: traffic in its lanes, people on the pavements."""

from __future__ import annotations

import math
from dataclasses import dataclass

from datasets.streetsim.camera import Camera
from datasets.streetsim.canvas import SCALE
from datasets.streetsim.noise import Chance
from datasets.streetsim.people import CLOTHES, Person, draw_person
from datasets.streetsim.solids import Pose
from datasets.streetsim.street import Street
from datasets.streetsim.vehicles import Vehicle, draw_vehicle

REACH_M = 95.0
"""Nothing is placed farther away."""


@dataclass(frozen=True)
class Thing:
    """An object that is labelled."""

    pose: Pose
    look: Vehicle | Person | tuple[int, int, int]
    """A tuple is the colour of a bicycle."""
    is_rider: bool = False
    is_parked: bool = False


def draw_camera(chance: Chance, street: Street, size_px: tuple[int, int]) -> Camera:
    """A camera in a car, in a lorry, on the pavement or on a post; pixels of the canvas."""
    width, height = (side * SCALE for side in size_px)
    side = 1 if street.drives_right else -1
    lane = side * street.lane_m * 0.5
    kind = chance.one(("car", "car", "car", "lorry", "pavement", "post"))
    tall, x, yaw = {
        "car": (chance.between(1.15, 1.65), lane, chance.between(-0.08, 0.08)),
        "lorry": (chance.between(2.1, 2.7), lane, chance.between(-0.08, 0.08)),
        "pavement": (
            chance.between(1.4, 1.75),
            side * (street.kerb_m + 0.7),
            -side * chance.between(0.0, 0.3),
        ),
        "post": (
            chance.between(3.2, 5.0),
            side * (street.kerb_m + 0.4),
            -side * chance.between(0.05, 0.28),
        ),
    }[kind]
    horizon = chance.between(0.26, 0.4) if kind == "post" else chance.between(0.4, 0.54)
    return Camera(
        width,
        height,
        width * chance.between(0.72, 1.2),
        height * horizon,
        tall,
        x + chance.between(-0.3, 0.3),
        round(math.cos(yaw), 9),
        round(math.sin(yaw), 9),
    )


def draw_things(chance: Chance, street: Street, camera: Camera) -> list[Thing]:
    """Everything that moves or is parked, by chance: from an empty street to a crowded one."""
    crowd = chance.one((0.0, 0.25, 0.5, 0.8, 1.0, 1.0))
    busy = chance.one((0.1, 0.35, 0.6, 0.9, 1.0))
    things = _traffic(chance, street, busy)
    things += _parked(chance, street)
    things += _crossing(chance, street, busy, crowd)
    things += _walkers(chance, street, crowd)
    things += _cyclists(chance, street, max(crowd, busy))
    return [thing for thing in things if _is_in_view(thing, camera)]


def _is_in_view(thing: Thing, camera: Camera) -> bool:
    x, z = thing.pose.x_m - camera.x_m, thing.pose.z_m
    ahead, aside = x * camera.sin + z * camera.cos, x * camera.cos - z * camera.sin
    reach = thing.look.length / 2 if isinstance(thing.look, Vehicle) else 0.9
    wide = ahead * camera.width_px / 2 / camera.focal_px + reach + 1
    return ahead > reach + 2.2 and abs(aside) < wide


def _at(street: Street, offset_m: float, z_m: float, turn: float = 0.0) -> Pose:
    """A place beside the street's middle, turned along its bend."""
    return Pose(street.middle_m(z_m) + offset_m, z_m, turn + 2 * street.bend * z_m)


def _kind(chance: Chance) -> str:
    return chance.one(("car",) * 10 + ("truck", "truck", "bus"))


def _traffic(chance: Chance, street: Street, busy: float) -> list[Thing]:
    things = []
    for with_us in (True, False):
        for lane in range(street.lanes):
            z = chance.between(4, 40 - 30 * busy)
            while z < REACH_M:
                vehicle = draw_vehicle(chance, _kind(chance))
                z += vehicle.length / 2
                offset = street.lane_offset_m(lane, with_us) + chance.between(-0.25, 0.25)
                turn = (0.0 if with_us else math.pi) + chance.between(-0.03, 0.03)
                if chance.happens(0.25 + 0.75 * busy):
                    things.append(Thing(_at(street, offset, z, turn), vehicle))
                z += vehicle.length / 2 + chance.between(2, 10 + 30 * (1 - busy))
    return things


def _parked(chance: Chance, street: Street) -> list[Thing]:
    things: list[Thing] = []
    if not street.parking_m:
        return things
    share = chance.between(0.2, 0.95)
    for side in (-1, 1):
        z = chance.between(3, 9)
        while z < REACH_M:
            vehicle = draw_vehicle(chance, "truck" if chance.happens(0.06) else "car")
            z += vehicle.length / 2
            if chance.happens(share) and not street.crosses(z, 6):
                offset = side * (street.kerb_m - 1.15 + chance.between(-0.12, 0.12))
                turn = 0.0 if (side > 0) == street.drives_right else math.pi
                if chance.happens(0.1):
                    turn += math.pi
                things.append(Thing(_at(street, offset, z, turn), vehicle, is_parked=True))
            z += vehicle.length / 2 + chance.between(0.6, 2.2)
    return things


def _crossing(chance: Chance, street: Street, busy: float, crowd: float) -> list[Thing]:
    """Vehicles on the crossing street, people on the zebra."""
    things = []
    if street.crossing_m is not None:
        for lane, turn in ((0.28, math.pi / 2), (0.72, -math.pi / 2)):
            x = chance.between(-30, -8)
            while x < 32:
                vehicle = draw_vehicle(chance, _kind(chance))
                z = street.crossing_m + lane * street.crossing_width_m
                outside = abs(x) > street.kerb_m + 3
                if chance.happens(0.3 * busy) and (outside or chance.happens(0.4)):
                    pose = Pose(street.middle_m(z) + x, z, turn + chance.between(-0.06, 0.06))
                    things.append(Thing(pose, vehicle))
                x += vehicle.length + chance.between(3, 12)
    if street.zebra_m is not None:
        for _ in range(chance.whole(0, round(5 * crowd))):
            z = street.zebra_m + chance.between(0.3, 3.0)
            side = chance.one((-1, 1))
            pose = _at(
                street,
                chance.between(-street.kerb_m, street.kerb_m),
                z,
                side * math.pi / 2 + chance.between(-0.3, 0.3),
            )
            things.append(Thing(pose, draw_person(chance)))
    return things


def _walkers(chance: Chance, street: Street, crowd: float) -> list[Thing]:
    things = []
    for side in (-1, 1):
        for _ in range(chance.whole(0, round(13 * crowd))):
            # Squared: more of them near, where they are seen.
            share = chance.between(0.17, 1)
            z = 4 + share * share * 66
            if street.crosses(z, 0):
                continue
            offset = side * (
                street.kerb_m + chance.between(0.45, max(0.5, street.pavement_m - 0.4))
            )
            turn = chance.one((0.0, math.pi)) + chance.between(-0.5, 0.5)
            turn = chance.between(0, math.tau) if chance.happens(0.2) else turn
            things.append(Thing(_at(street, offset, z, turn), draw_person(chance)))
            if chance.happens(0.35):
                beside = _at(street, offset + side * 0.1, z + chance.between(0.5, 0.8), turn)
                things.append(Thing(beside, draw_person(chance)))
    if chance.happens(0.15 * crowd):
        pose = _at(
            street,
            chance.between(-street.kerb_m, street.kerb_m),
            chance.between(9, 40),
            chance.one((-1, 1)) * math.pi / 2,
        )
        things.append(Thing(pose, draw_person(chance)))
    return things


def _cyclists(chance: Chance, street: Street, busy: float) -> list[Thing]:
    """Riders with their bicycles at the edge of the lanes, and bicycles that lean on nobody."""
    things = []
    for with_us in (True, False):
        for _ in range(chance.whole(0, round(2.4 * busy))):
            z = chance.between(6, 45)
            side = 1 if with_us == street.drives_right else -1
            offset = side * (street.lanes * street.lane_m - chance.between(0.4, 0.9))
            turn = (0.0 if with_us else math.pi) + chance.between(-0.1, 0.1)
            if street.zebra_m is not None and chance.happens(0.25):
                z, turn = street.zebra_m + 4.2, side * math.pi / 2
                offset = chance.between(-street.kerb_m, street.kerb_m)
            pose = _at(street, offset, z, turn)
            things.append(Thing(pose, chance.one(CLOTHES)))
            things.append(Thing(pose, draw_person(chance), is_rider=True))
    for _ in range(chance.one((0, 0, 1, 3))):
        side = chance.one((-1, 1))
        z = chance.between(5, 30)
        pose = _at(
            street, side * (street.kerb_m + street.pavement_m - 0.4), z, chance.between(-0.3, 0.3)
        )
        if not street.crosses(z, 2):
            things.append(Thing(pose, chance.one(CLOTHES), is_parked=True))
    return things
