"""What vehicles have in common: wheels, glass, and rectangles on their sides."""

from __future__ import annotations

from datasets.streetsim.canvas import Colour, three
from datasets.streetsim.light import Light, Triple
from datasets.streetsim.solids import Body, circle
from datasets.streetsim.vehicles import Vehicle

RUBBER: Colour = (34, 34, 36)
DETAIL = 55.0
"""Sub-pixels of a metre from which on seams, handles and spokes are drawn."""
_RING = circle(12)
_SPOKES = circle(24)


def underside(body: Body, v: Vehicle) -> None:
    """Tyres from ahead and behind, and the dark between them."""
    low = 0.5 * v.wheel
    for z in (-v.length * 0.31, v.length * 0.31):
        for normal in (-1.0, 1.0):
            wide = across(-v.half * 0.9, v.half * 0.9, low, v.wheel * 1.4, z)
            body.face(wide, (0.0, 0.0, normal), (20, 20, 22))
            for x in (-1.0, 1.0):
                inner, outer = sorted((x * v.half * 0.96, x * (v.half - 0.24)))
                tyre = across(inner, outer, 0.0, v.wheel * 1.6, z + normal * v.wheel * 0.8)
                body.face(tyre, (0.0, 0.0, normal), RUBBER, 1.0, 0.7)


def wheels(body: Body, v: Vehicle, places: tuple[float, ...]) -> None:
    """Arches, tyres and rims on both sides."""
    ring = _RING
    for sign in (-1.0, 1.0):
        normal = (sign, 0.0, 0.0)
        x = sign * (v.half + 0.01)
        for z in places:
            for radius, colour, top, bottom in (
                (1.2, (16, 16, 18), 1.0, 1.0),
                (1.0, RUBBER, 1.15, 0.8),
                (0.64, (134, 136, 140), 1.2, 0.7),
                (0.5, (70, 72, 76), 1.1, 0.8),
            ):
                size = v.wheel * radius
                shown = ring[:7] if radius > 1 else ring
                corners = [(x, v.wheel + b * size, z + a * size) for a, b in shown]
                if not body.face(corners, normal, colour, top, bottom):
                    break
            else:
                if body.px_per_m < DETAIL:
                    continue
                for i in range(0, 24, 5):
                    tips = (_SPOKES[i], _SPOKES[(i + 2) % 24])
                    rim = [
                        (x, v.wheel + b * v.wheel * 0.56, z + a * v.wheel * 0.56) for a, b in tips
                    ]
                    body.face([(x, v.wheel, z), *rim], normal, (146, 148, 152), 1.1, 0.8)


def glass(light: Light) -> Colour:
    """What windows show: the dark inside, and some of the sky."""
    share = 0.26 if light.timeofday == "day" else 0.12
    return three(round(26 + share * c) for c in light.horizon)


def across(left: float, right: float, low: float, high: float, z: float) -> list[Triple]:
    """An upright rectangle across the vehicle."""
    return [(left, high, z), (right, high, z), (right, low, z), (left, low, z)]


def between(a: Triple, b: Triple, share: float) -> Triple:
    """A point on the way from one to another."""
    return three(p + (q - p) * share for p, q in zip(a, b, strict=True))


def along(x: float, z0: float, z1: float, low: float, high: float) -> list[Triple]:
    """An upright rectangle along the vehicle."""
    return [(x, high, z0), (x, high, z1), (x, low, z1), (x, low, z0)]
