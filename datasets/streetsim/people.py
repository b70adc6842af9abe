"""Pedestrians, cyclists and bicycles: limbs in a walking, standing or pedalling pose."""

from __future__ import annotations

import math
from dataclasses import dataclass

from datasets.streetsim.camera import Camera
from datasets.streetsim.canvas import Colour, Shape
from datasets.streetsim.light import Light, Triple
from datasets.streetsim.noise import Chance
from datasets.streetsim.solids import Limbs, Pose, circle

CLOTHES: tuple[Colour, ...] = (
    (38, 42, 54), (26, 26, 30), (66, 70, 78), (112, 114, 118), (190, 186, 178), (142, 32, 38),
    (40, 74, 128), (72, 104, 74), (196, 156, 60), (150, 110, 78), (96, 60, 92), (208, 112, 60),
    (84, 130, 150), (178, 120, 130),
)  # fmt: skip
TROUSERS: tuple[Colour, ...] = (
    (34, 40, 58),
    (28, 28, 32),
    (58, 60, 64),
    (86, 78, 66),
    (52, 68, 96),
    (150, 140, 122),
)
SKINS: tuple[Colour, ...] = ((226, 184, 156), (204, 156, 124), (160, 112, 82), (108, 74, 56))
HAIRS: tuple[Colour, ...] = (
    (40, 30, 26),
    (74, 52, 36),
    (22, 20, 20),
    (150, 118, 72),
    (136, 132, 128),
)
HIPS, SHOULDERS = 0.51, 0.81
"""Their height as a share of a standing person's."""


@dataclass(frozen=True)
class Person:
    """Looks and pose of a person; lengths in metres."""

    height: float
    breadth: float
    """Width of the shoulders over that of an average body of the same height."""
    top: Colour
    legs: Colour
    skin: Colour
    hair: Colour
    shoes: Colour
    stride: float
    """Swing of the thighs in radians; 0 stands."""
    phase: float
    coat: float
    """How far the top reaches below the hips, as a share of the legs."""
    long_hair: bool
    bag: str
    """none, backpack, handbag."""


def draw_person(chance: Chance) -> Person:
    """A person by chance."""
    child = chance.happens(0.12)
    return Person(
        height=chance.between(1.05, 1.4) if child else chance.between(1.55, 1.92),
        breadth=chance.between(0.88, 1.25),
        top=chance.near(chance.one(CLOTHES), 14),
        legs=chance.near(chance.one(TROUSERS), 10),
        skin=chance.near(chance.one(SKINS), 8),
        hair=chance.one(HAIRS),
        shoes=chance.one(((30, 28, 28), (90, 66, 48), (206, 204, 198))),
        stride=chance.one((0.0, 0.32, 0.42, 0.5)),
        phase=chance.between(0, math.tau),
        coat=chance.one((0.0, 0.06, 0.1, 0.35, 0.55)),
        long_hair=chance.happens(0.4),
        bag=chance.one(("none", "none", "backpack", "handbag")),
    )


def _sin(angle: float) -> float:
    return round(math.sin(angle), 6)


def _cos(angle: float) -> float:
    return round(math.cos(angle), 6)


class _Figure:
    """Limbs of one person, in the light where they stand."""

    def __init__(self, camera: Camera, pose: Pose, light: Light, in_shadow: bool) -> None:
        self.pose, self.light = pose, light
        self.in_shadow = in_shadow
        self.lamps: Triple = light.lamplight(pose.x_m, pose.z_m)
        self.limbs = Limbs(camera)
        self.right = 1.0 if pose.cos * camera.cos + pose.sin * camera.sin > 0 else -1.0
        """1 where the person's right is the picture's, else −1."""
        sun = light.towards_sun
        side = sun[0] * camera.cos - sun[2] * camera.sin if light.is_sunny else 0.0
        self.normal = (0.0, 0.25, -0.8) if side < 0.3 else (0.5, 0.25, -0.4)

    def limb(
        self,
        p: Triple,
        q: Triple,
        radii_m: tuple[float, float],
        colour: Colour,
        ahead: float = 0.0,
        dark: float = 0.78,
    ) -> None:
        """One limb; ``ahead`` brings it before others by so many metres."""
        lit = self.light.lit(colour, self.normal, self.lamps, self.in_shadow)
        self.limbs.add((p, q), radii_m, lit, dark, blunt=False, ahead_m=ahead)

    def shape(self) -> Shape:
        """All limbs, the nearest last."""
        return self.limbs.shape(self.pose, by_depth=True)


def person_shape(
    person: Person, camera: Camera, pose: Pose, light: Light, in_shadow: bool
) -> Shape:
    """A pedestrian as seen."""
    figure = _Figure(camera, pose, light, in_shadow)
    for side in (-1.0, 1.0):
        swing = person.stride * _sin(person.phase) * side
        _leg(figure, person, side, swing)
        wrist = _arm(figure, person, side, -swing * 0.8)
        if person.bag == "handbag" and side > 0:
            _handbag(figure, person, wrist)
    _trunk(figure, person)
    if person.bag == "backpack":
        _backpack(figure, person)
    _head(figure, person, (0.0, 0.925 * person.height, 0.012 * person.height), person.height)
    return figure.shape()


def _leg(figure: _Figure, person: Person, side: float, swing: float) -> None:
    """Shoe, shank and thigh, which is ``swing`` radians ahead."""
    h, w = person.height, person.breadth * person.height
    hips = HIPS * h
    bend = 0.12 + max(0.0, -swing) * 1.1 if person.stride else 0.03
    hip = (side * 0.05 * w, hips, 0.0)
    knee = (side * 0.055 * w, hips - 0.245 * h * _cos(swing), 0.245 * h * _sin(swing))
    ankle = (
        side * 0.055 * w,
        max(0.045 * h, knee[1] - 0.23 * h * _cos(swing - bend)),
        knee[2] + 0.23 * h * _sin(swing - bend),
    )
    figure.limb(
        ankle,
        (ankle[0], ankle[1] - 0.022 * h, ankle[2] + 0.1 * h),
        (0.026 * h, 0.02 * h),
        person.shoes,
    )
    figure.limb(knee, ankle, (0.036 * w, 0.026 * w), person.legs)
    figure.limb(hip, knee, (0.052 * w, 0.038 * w), person.legs)


def _arm(figure: _Figure, person: Person, side: float, swing: float) -> Triple:
    """Both halves of an arm, which is ``swing`` radians ahead, and the hand; returns the wrist."""
    h, w = person.height, person.breadth * person.height
    shoulder = (side * 0.115 * w, SHOULDERS * h - 0.015 * h, 0.0)
    elbow = (side * 0.135 * w, shoulder[1] - 0.17 * h * _cos(swing), 0.17 * h * _sin(swing))
    wrist = (
        side * 0.13 * w,
        elbow[1] - 0.15 * h * _cos(swing + 0.35),
        elbow[2] + 0.15 * h * _sin(swing + 0.35),
    )
    figure.limb(elbow, wrist, (0.027 * w, 0.021 * w), person.top, 0.02)
    figure.limb(
        wrist,
        (wrist[0], wrist[1] - 0.04 * h, wrist[2]),
        (0.02 * h, 0.016 * h),
        person.skin,
        0.02,
    )
    figure.limb(shoulder, elbow, (0.036 * w, 0.028 * w), person.top, 0.02)
    return wrist


def _handbag(figure: _Figure, person: Person, wrist: Triple) -> None:
    h = person.height
    figure.limb(
        (wrist[0], wrist[1] - 0.08 * h, wrist[2]),
        (wrist[0] + 0.01, wrist[1] - 0.16 * h, wrist[2]),
        (0.05 * h, 0.07 * h),
        (70, 48, 40),
        0.03,
    )


def _trunk(figure: _Figure, person: Person) -> None:
    """Both halves of the top, each with its side of the coat, and the middle between them."""
    h, w = person.height, person.breadth * person.height
    hips, shoulders = HIPS * h, SHOULDERS * h
    skirt = hips - person.coat * hips
    for side in (-1.0, 1.0):
        figure.limb(
            (side * 0.065 * w, shoulders - 0.01 * h, 0.0),
            (side * 0.045 * w, hips, 0.0),
            (0.058 * w, 0.06 * w),
            person.top,
            0.01,
            0.86 if side == figure.right else 1.0,
        )
        if person.coat > 0.02:
            figure.limb(
                (side * 0.045 * w, hips, 0.0),
                (side * 0.05 * w, skirt, 0.0),
                (0.062 * w, 0.066 * w),
                person.top,
                0.015,
                0.86 if side == figure.right else 1.0,
            )
    figure.limb(
        (0.0, shoulders - 0.02 * h, 0.0),
        (0.0, hips + 0.02 * h, 0.0),
        (0.07 * w, 0.06 * w),
        person.top,
        0.012,
        1.0,
    )


def _backpack(figure: _Figure, person: Person) -> None:
    h = person.height
    figure.limb(
        (0.0, SHOULDERS * h - 0.04 * h, -0.1 * h),
        (0.0, HIPS * h + 0.06 * h, -0.11 * h),
        (0.08 * h, 0.09 * h),
        (60, 66, 78),
    )


def _head(figure: _Figure, person: Person, middle: tuple[float, float, float], h: float) -> None:
    x, y, z = middle
    figure.limb(
        (x, y - 0.1 * h, z - 0.01 * h),
        (x, y - 0.05 * h, z),
        (0.03 * h, 0.03 * h),
        person.skin,
        0.005,
    )
    figure.limb((x, y - 0.022 * h, z), (x, y + 0.022 * h, z), (0.044 * h, 0.052 * h), person.skin)
    figure.limb(
        (x, y + 0.02 * h, z - 0.022 * h),
        (x, y + 0.035 * h, z - 0.014 * h),
        (0.052 * h, 0.05 * h),
        person.hair,
    )
    figure.limb(
        (x, y + 0.046 * h, z - 0.006 * h),
        (x, y + 0.048 * h, z + 0.008 * h),
        (0.042 * h, 0.036 * h),
        person.hair,
        0.05,
    )
    if person.long_hair:
        figure.limb(
            (x, y + 0.02 * h, z - 0.03 * h),
            (x, y - 0.09 * h, z - 0.045 * h),
            (0.052 * h, 0.045 * h),
            person.hair,
        )


def rider_shape(person: Person, camera: Camera, pose: Pose, light: Light, in_shadow: bool) -> Shape:
    """A person on the bicycle of `bicycle_shape`."""
    figure = _Figure(camera, pose, light, in_shadow)
    w = 0.5 + person.breadth * 0.9
    h = max(1.5, person.height)
    hips, shoulders = (0.0, 0.98, -0.18), (0.0, 0.98 + 0.29 * h, 0.12)
    for side in (-1.0, 1.0):
        turn = person.phase + (math.pi if side > 0 else 0)
        foot = (side * 0.12, 0.31 + 0.17 * _sin(turn), 0.02 + 0.17 * _cos(turn))
        knee = (side * 0.11, (hips[1] + foot[1]) / 2 + 0.1, (hips[2] + foot[2]) / 2 + 0.26)
        figure.limb((side * 0.08, hips[1], hips[2]), knee, (0.085 * w, 0.062 * w), person.legs)
        figure.limb(knee, foot, (0.058 * w, 0.042 * w), person.legs)
        figure.limb(foot, (foot[0], foot[1] - 0.03, foot[2] + 0.16), (0.045, 0.035), person.shoes)
        elbow = (side * 0.24, shoulders[1] - 0.27, shoulders[2] + 0.12)
        hand = (side * 0.23, 1.04, 0.42)
        start = (side * 0.17 * w, shoulders[1] - 0.03, shoulders[2])
        figure.limb(start, elbow, (0.06 * w, 0.045 * w), person.top, 0.02)
        figure.limb(elbow, hand, (0.042 * w, 0.035 * w), person.top, 0.02)
    for side in (-0.09, 0.09):
        figure.limb(
            (side * w, *shoulders[1:]),
            (side * w * 0.8, *hips[1:]),
            (0.1 * w, 0.11 * w),
            person.top,
            0.05,
            0.84 if side * figure.right > 0 else 1.0,
        )
    if person.bag == "backpack":
        figure.limb(
            (0.0, shoulders[1] - 0.05, shoulders[2] - 0.2),
            (0.0, hips[1] + 0.15, hips[2] - 0.14),
            (0.13, 0.15),
            (60, 66, 78),
        )
    _head(figure, person, (0.0, shoulders[1] + 0.2, shoulders[2] + 0.08), h)
    return figure.shape()


def bicycle_shape(
    colour: Colour, camera: Camera, pose: Pose, light: Light, in_shadow: bool
) -> Shape:
    """A bicycle with open wheels, 1.75 m long."""
    limbs = Limbs(camera)
    lamps = light.lamplight(pose.x_m, pose.z_m)
    black = light.lit((40, 40, 42), (0.0, 0.3, -0.6), lamps, in_shadow)
    paint = light.lit(colour, (0.0, 0.3, -0.6), lamps, in_shadow)
    steel = light.lit((150, 152, 154), (0.0, 0.3, -0.6), lamps, in_shadow)

    def bar(p: Triple, q: Triple, radius: float, tone: Colour) -> None:
        limbs.add((p, q), (radius, radius), tone, 0.8)

    for z in (-0.53, 0.53):
        ring = [(0.0, 0.34 + 0.33 * y, z + 0.33 * x) for x, y in circle(12)]
        for i in range(12):
            bar(ring[i], ring[(i + 1) % 12], 0.022, black)
        for i in (0, 2, 4):
            bar(ring[i], ring[i + 6], 0.004, steel)
    rear, front, crank = (0.0, 0.34, -0.53), (0.0, 0.34, 0.53), (0.0, 0.3, -0.05)
    seat, head = (0.0, 0.82, -0.22), (0.0, 0.86, 0.34)
    for p, q in (
        (rear, crank),
        (rear, seat),
        (seat, crank),
        (crank, head),
        (seat, head),
        (head, front),
    ):
        bar(p, q, 0.02, paint)
    bar(seat, (0.0, 0.92, -0.25), 0.014, steel)
    bar((0.0, 0.95, -0.36), (0.0, 0.95, -0.12), 0.045, black)
    bar(head, (0.0, 1.02, 0.36), 0.014, steel)
    bar((-0.27, 1.03, 0.4), (0.27, 1.03, 0.4), 0.018, black)
    bar((-0.1, 0.2, 0.1), (0.1, 0.38, -0.2), 0.016, black)
    return limbs.shape(pose)
