"""Cars and pickups: a lower body, a cabin on it, and all that is fixed to them."""

from __future__ import annotations

from typing import NamedTuple

from datasets.streetsim.bodywork import DETAIL, across, along, between, glass, wheels
from datasets.streetsim.canvas import three
from datasets.streetsim.solids import Body, inset
from datasets.streetsim.vehicles import Vehicle


def car(body: Body, v: Vehicle) -> None:
    """Add the faces of a car or a pickup."""
    front, rear = v.length / 2, -v.length / 2
    cowl, deck = front - v.bonnet, rear + v.boot
    pickup = v.kind == "pickup"
    nose = v.waist - 0.2
    profile = [
        (rear + 0.06, 0.26),
        (front - 0.1, 0.26),
        (front, 0.42),
        (front - 0.02, nose - 0.06),
        (front - 0.2, nose),
        (cowl, v.waist),
        (deck, v.waist + 0.03),
        (rear, v.waist - 0.06),
        (rear - 0.02, 0.5),
    ]
    half = [v.half - d for d in (0, 0, 0.06, 0.06, 0.06, 0, 0, 0.03, 0.03)]
    body.prism(profile, half, v.paint, 0.62)
    _sides(body, v, cowl, deck)
    _ends(body, v, nose)
    wheels(body, v, (-v.length * 0.31, v.length * 0.31))
    if pickup:
        bed = [
            (-v.half * 0.86, v.waist + 0.04, rear + 0.12),
            (v.half * 0.86, v.waist + 0.04, rear + 0.12),
            (v.half * 0.86, v.waist + 0.04, deck),
            (-v.half * 0.86, v.waist + 0.04, deck),
        ]
        body.face(bed, (0.0, 1.0, 0.0), (40, 40, 42))
    _cabin(body, v, cowl, deck)


class _Cabin(NamedTuple):
    """Where the edges of a cabin lie, in metres."""

    cowl: float
    """Foot of the windscreen, along the car."""
    deck: float
    """Foot of the rear window, along the car."""
    back: float
    """How far the rear window leans forward."""
    low: float
    """Half the width at the waist."""
    high: float
    """Half the width at the roof."""


def _cabin(body: Body, v: Vehicle, cowl: float, deck: float) -> None:
    """Pillars and roof with their windows and mirrors."""
    back = v.slant * (0.5 if v.boot < 0.3 else 1.0)
    if v.kind == "pickup":
        back = 0.12
    cabin = _Cabin(cowl, deck, back, low=v.half * 0.97, high=v.half * 0.74)
    profile = [
        (deck, v.waist),
        (cowl, v.waist),
        (cowl - v.slant, v.height - 0.05),
        (cowl - v.slant - 0.25, v.height),
        (deck + back + 0.2, v.height),
        (deck + back, v.height - 0.05),
    ]
    low, high = cabin.low, cabin.high
    body.prism(profile, [low, low, high + 0.03, high, high, high + 0.03], v.paint, 0.9)
    _windscreen(body, v, cabin)
    _rear_window(body, v, cabin)
    for sign in (-1.0, 1.0):
        _side_windows(body, v, cabin, sign)
        _mirror(body, v, cowl, sign)


def _windscreen(body: Body, v: Vehicle, cabin: _Cabin) -> None:
    """The pane, what it mirrors, and the front seats behind it."""
    low, high, cowl = cabin.low, cabin.high, cabin.cowl
    pane = glass(body.light)
    lean = (v.height - v.waist) / max(v.slant, 0.05)
    size = (1 + lean * lean) ** 0.5
    screen = [
        (-high, v.height - 0.06, cowl - v.slant),
        (high, v.height - 0.06, cowl - v.slant),
        (low, v.waist, cowl),
        (-low, v.waist, cowl),
    ]
    up = (0.0, 1 / size, lean / size)
    if not body.face(inset(screen, 0.9), up, pane, 1.25, 0.75):
        return
    streak = [
        between(screen[0], screen[1], 0.3),
        between(screen[0], screen[1], 0.48),
        between(screen[3], screen[2], 0.28),
        between(screen[3], screen[2], 0.15),
    ]
    body.face(inset(streak, 0.88), up, three(min(255, c + 22) for c in pane))
    for sign in (-0.45, 0.45):
        body.face(
            across(
                (sign - 0.2) * v.half,
                (sign + 0.2) * v.half,
                v.waist + 0.08,
                v.waist + 0.3,
                cowl - 0.25,
            ),
            (0.0, 0.0, 1.0),
            (24, 24, 26),
        )


def _rear_window(body: Body, v: Vehicle, cabin: _Cabin) -> None:
    low, high, deck = cabin.low, cabin.high, cabin.deck
    rear = [
        (high, v.height - 0.07, deck + cabin.back),
        (-high, v.height - 0.07, deck + cabin.back),
        (-low, v.waist + 0.05, deck),
        (low, v.waist + 0.05, deck),
    ]
    lean = (v.height - v.waist) / max(cabin.back, 0.05)
    size = (1 + lean * lean) ** 0.5
    normal = (0.0, 1 / size, -lean / size)
    body.face(inset(rear, 0.84), normal, glass(body.light), 1.2, 0.8)


def _side_windows(body: Body, v: Vehicle, cabin: _Cabin, sign: float) -> None:
    """Two windows of a car, one of a pickup; ``sign`` is −1 left and 1 right."""
    low, high = cabin.low, cabin.high
    lower = [
        (sign * low, v.waist + 0.03, cabin.cowl - 0.14),
        (sign * low, v.waist + 0.03, cabin.deck + 0.1),
    ]
    upper = [
        (sign * (high + 0.04), v.height - 0.11, cabin.cowl - v.slant - 0.1),
        (sign * (high + 0.04), v.height - 0.11, cabin.deck + cabin.back + 0.12),
    ]
    pane = glass(body.light)
    cuts = ((0.0, 0.46), (0.49, 0.97)) if v.kind != "pickup" else ((0.0, 0.96),)
    for start, end in cuts:
        window = [
            between(upper[0], upper[1], start),
            between(upper[0], upper[1], end),
            between(lower[0], lower[1], end),
            between(lower[0], lower[1], start),
        ]
        body.face(window, (sign, 0.0, 0.0), pane, 1.2, 0.8)


def _mirror(body: Body, v: Vehicle, cowl: float, sign: float) -> None:
    inner, outer = sorted((sign * v.half, sign * (v.half + 0.17)))
    mirror = across(inner, outer, v.waist, v.waist + 0.13, cowl - 0.25)
    for normal in (-1.0, 1.0):
        body.face(mirror, (0.0, 0.0, normal), v.paint, 1.0, 0.7)


def _sides(body: Body, v: Vehicle, cowl: float, deck: float) -> None:
    """Sills, doors and handles."""
    for sign in (-1.0, 1.0):
        x, normal = sign * (v.half + 0.002), (sign, 0.0, 0.0)
        dark = three(c * 5 // 9 for c in v.paint)
        sill = along(x, -v.length * 0.31, v.length * 0.31, 0.26, 0.36)
        if not body.face(sill, normal, (38, 38, 40)) or body.px_per_m < DETAIL:
            continue
        crease = along(x, -v.length * 0.47, v.length * 0.42, v.waist - 0.27, v.waist - 0.24)
        body.face(crease, normal, dark)
        middle = (cowl + deck) / 2
        for z in (cowl - 0.05, middle - 0.05, max(deck + 0.2, -v.length * 0.31 + 0.2)):
            body.face(along(x, z - 0.012, z + 0.012, 0.36, v.waist), normal, dark)
        for z in (middle + 0.1, deck + 0.5):
            body.face(along(x, z, z + 0.2, v.waist - 0.17, v.waist - 0.13), normal, dark)


def _ends(body: Body, v: Vehicle, nose: float) -> None:
    """Lights, grille, plates and bumpers."""
    lit = body.light.is_dark
    z, normal = v.length / 2 + 0.005, (0.0, 0.0, 1.0)
    grille = across(-v.half * 0.55, v.half * 0.55, 0.44, nose - 0.1, z)
    if body.face(grille, normal, (32, 33, 36), 1.1, 0.8):
        body.face(across(-0.5, 0.5, nose - 0.24, nose - 0.2, z), normal, (150, 152, 156))
        body.face(across(-v.half * 0.8, v.half * 0.8, 0.28, 0.38, z), normal, (36, 36, 38))
        body.face(across(-0.26, 0.26, 0.42, 0.53, z), normal, (226, 226, 218))
        for sign in (-1.0, 1.0):
            inner, outer = sorted((sign * v.half * 0.58, sign * v.half * 0.93))
            lamp = (255, 250, 232) if lit else (206, 212, 216)
            lens = across(inner, outer, nose - 0.2, nose - 0.06, z)
            body.face(lens, normal, (70, 72, 76))
            body.face(inset(lens, 0.74), normal, lamp, glows=lit)
    z, normal = -v.length / 2 - 0.02, (0.0, 0.0, -1.0)
    bumper = across(-v.half * 0.9, v.half * 0.9, 0.28, 0.42, z)
    if body.face(bumper, normal, (40, 40, 42)):
        crease = three(c * 6 // 10 for c in v.paint)
        body.face(across(-v.half * 0.9, v.half * 0.9, 0.54, 0.56, z), normal, crease)
        body.face(across(-0.26, 0.26, 0.6, 0.71, z), normal, (222, 220, 200))
        for sign in (-1.0, 1.0):
            inner, outer = sorted((sign * v.half * 0.6, sign * v.half * 0.93))
            tall = 0.27 if v.boot < 0.3 else 0.18
            lens = across(inner, outer, v.waist - 0.1 - tall, v.waist - 0.1, z)
            body.face(lens, normal, (235, 46, 34) if lit else (148, 26, 26), glows=lit)
