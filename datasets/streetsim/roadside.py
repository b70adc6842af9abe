"""What lines a street: trees, hedges, lamps, signs, traffic lights."""

from __future__ import annotations

from dataclasses import dataclass, field

from datasets.streetsim import furniture
from datasets.streetsim.camera import Camera
from datasets.streetsim.canvas import Canvas, Colour
from datasets.streetsim.light import Light
from datasets.streetsim.noise import Chance
from datasets.streetsim.street import Street
from datasets.streetsim.vegetation import BARE, CONE, ROUND, TALL, draw_tree

Place = tuple[float, float]


@dataclass(frozen=True)
class Tree:
    """A tree, or a bush without trunk; lengths in metres."""

    place: Place
    size: tuple[float, float, float]
    """Width and height of the crown, height of the trunk below it."""
    form: int
    colour: Colour


@dataclass(frozen=True)
class Signal:
    """A traffic light."""

    place: tuple[float, float, float]
    state: int
    faces_us: bool


@dataclass
class Roadside:
    """Everything that stands along a street."""

    trees: list[Tree] = field(default_factory=list)
    lamps: list[tuple[Place, float, float]] = field(default_factory=list)
    """Foot, signed reach of the arm, height."""
    signs: list[Place] = field(default_factory=list)
    small: list[tuple[Place, str]] = field(default_factory=list)
    signals: list[Signal] = field(default_factory=list)

    @property
    def lamp_heads(self) -> list[tuple[float, float, float]]:
        """Where the light comes from."""
        return [(x + reach, high + 0.2, z) for (x, z), reach, high in self.lamps]

    @property
    def posts(self) -> list[Place]:
        """Feet of all posts."""
        feet = [place for place, _, _ in self.lamps] + self.signs
        return feet + [(s.place[0], s.place[2]) for s in self.signals]


def plan_roadside(chance: Chance, street: Street) -> Roadside:
    """Choose and place everything."""
    side_of = Roadside()
    _plant(chance, street, side_of)
    spacing, high = chance.between(20, 34), chance.between(5.5, 8)
    both = chance.happens(0.5)
    reach = chance.between(0.8, 2.0)
    for side in (-1, 1) if both else (chance.one((-1, 1)),):
        z = chance.between(7, 20)
        while z < 130:
            if not street.crosses(z, 0.5):
                x = street.middle_m(z) + side * (street.kerb_m + 0.4)
                side_of.lamps.append(((x, z), -side * reach, high))
            z += spacing
    for _ in range(chance.whole(0, 7)):
        z, side = chance.between(6, 60), chance.one((-1, 1))
        if not street.crosses(z, 0.5):
            side_of.signs.append((street.middle_m(z) + side * (street.kerb_m + 0.45), z))
    for _ in range(chance.whole(0, 8)):
        z, side = chance.between(4, 40), chance.one((-1, 1))
        if not street.crosses(z, 0.5):
            place = street.middle_m(z) + side * (street.kerb_m + 0.35), z
            side_of.small.append((place, chance.one(("bollard", "bin", "bollard"))))
    _signals(chance, street, side_of)
    return side_of


def _plant(chance: Chance, street: Street, side_of: Roadside) -> None:
    winter = chance.happens(0.15)
    leaves = chance.one(
        ((84, 112, 52), (96, 118, 62), (70, 98, 56), (118, 116, 56), (146, 104, 48), (106, 128, 70))
    )
    form = BARE if winter else chance.one((ROUND, ROUND, TALL))
    for side in (-1, 1):
        if chance.happens(0.6):
            z, spacing = chance.between(5, 14), chance.between(7, 16)
            while z < 140:
                if not street.crosses(z, 2) and chance.happens(0.85):
                    wide = chance.between(3.2, 6.5) * (0.7 if form == TALL else 1)
                    size = wide, wide * chance.between(0.85, 1.25), chance.between(2.2, 3.4)
                    x = street.middle_m(z) + side * (street.kerb_m + 0.75)
                    side_of.trees.append(Tree((x, z), size, form, chance.near(leaves, 12)))
                z += spacing * chance.between(0.8, 1.3)
        z = chance.between(4, 10)
        while z < 110 and not street.is_city:
            if not street.crosses(z, 2):
                kind = chance.one(("tree", "bush", "bush", "cone"))
                x = street.middle_m(z) + side * (street.wall_m - chance.between(0, 1.5))
                if kind == "bush":
                    size = chance.between(1.4, 3.2), chance.between(0.9, 1.6), 0.0
                    side_of.trees.append(Tree((x, z), size, ROUND, chance.near(leaves, 14)))
                elif kind == "cone":
                    size = chance.between(2, 3.6), chance.between(4, 8), 0.3
                    colour = chance.near((64, 86, 58), 10)
                    side_of.trees.append(Tree((x + side * 2, z), size, CONE, colour))
                else:
                    wide = chance.between(3.5, 7)
                    size = wide, wide, chance.between(1.6, 2.6)
                    tree = Tree((x + side * 2.5, z), size, form, chance.near(leaves, 14))
                    side_of.trees.append(tree)
            z += chance.between(2, 7)


def _signals(chance: Chance, street: Street, side_of: Roadside) -> None:
    """Traffic lights at the crossing."""
    if street.crossing_m is None or not chance.happens(0.75):
        return
    state = chance.one((0, 0, 1, 2, 2))
    near_z, far_z = street.crossing_m - 1.5, street.crossing_m + street.crossing_width_m + 1.5
    for side in (-1, 1):
        for z, faces in ((near_z, side > 0), (far_z, chance.happens(0.6))):
            if chance.happens(0.85):
                x = street.middle_m(z) + side * (street.kerb_m + 0.5)
                side_of.signals.append(Signal((x, chance.between(2.5, 3.1), z), state, faces))


def draw_roadside(
    canvas: Canvas, camera: Camera, light: Light, roadside: Roadside, chance: Chance
) -> None:
    """Draw everything but the housings of traffic lights, which are labelled objects."""
    for tree in sorted(roadside.trees, key=lambda each: camera.turned_z(each.place)):
        draw_tree(canvas, camera, light, tree.place, tree.size, tree.form, tree.colour, chance)
    behind = 1.5
    for place, reach, high in roadside.lamps:
        if camera.turned_z(place) > behind:
            furniture.draw_lamp_post(canvas, camera, light, place, reach, high)
    for place in roadside.signs:
        if camera.turned_z(place) > behind:
            furniture.draw_sign(canvas, camera, light, place, chance)
    for place, kind in roadside.small:
        if camera.turned_z(place) > behind:
            furniture.draw_small(canvas, camera, light, place, kind)
    for signal in roadside.signals:
        x, y, z = signal.place
        if camera.turned_z((x, z)) > behind:
            furniture.draw_post(canvas, camera, light, (x, z), y + 0.4, 0.06)
