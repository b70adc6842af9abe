"""Convex bodies and limbs, seen by the camera as polygons."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from datasets.streetsim.camera import Camera, Points
from datasets.streetsim.canvas import Colour, Shape, three
from datasets.streetsim.light import Light, Triple

Corners = Sequence[Triple]
"""Places to the right, up and forward of a body's middle on the ground, in metres."""


def circle(steps: int) -> list[tuple[float, float]]:
    """Corners of a regular polygon of radius 1."""
    angles = [math.tau * i / steps for i in range(steps)]
    return [(round(math.cos(a), 9), round(math.sin(a), 9)) for a in angles]


class Pose:
    """Where something stands, and where its front points."""

    def __init__(self, x_m: float, z_m: float, turn: float) -> None:
        """Turned by this angle in radians from the street's direction to the right."""
        self.x_m, self.z_m = x_m, z_m
        self.sin, self.cos = round(math.sin(turn), 9), round(math.cos(turn), 9)

    def world(self, local: Points) -> Points:
        """Points ``(N, 3)`` to the right, up and forward, as X, Y and Z."""
        right, forward = local[:, 0], local[:, 2]
        x = self.x_m + right * self.cos + forward * self.sin
        z = self.z_m - right * self.sin + forward * self.cos
        return np.stack([x, local[:, 1], z], axis=1)

    def direction(self, normal: Triple) -> Triple:
        """A direction in the world's axes."""
        right, up, forward = normal
        return right * self.cos + forward * self.sin, up, forward * self.cos - right * self.sin


class Body:
    """Faces of something that stands on the street; those that face away are left out."""

    def __init__(self, camera: Camera, pose: Pose, light: Light, in_shadow: bool) -> None:
        self.camera, self.pose, self.light, self.in_shadow = camera, pose, light, in_shadow
        self.lamps = light.lamplight(pose.x_m, pose.z_m)
        x, z = camera.x_m - pose.x_m, -pose.z_m
        self.eye = (x * pose.cos - z * pose.sin, camera.height_m, x * pose.sin + z * pose.cos)
        """The camera's place in the body's axes."""
        self.px_per_m = camera.focal_px / max(1.0, camera.turned_z((pose.x_m, pose.z_m)))
        """Sub-pixels of a metre at the body's middle."""
        self._lights: dict[Triple, Triple] = {}
        self._corners: list[Triple] = []
        self._ends: list[int] = []
        self._colours: list[Colour] = []
        self._shades: list[tuple[float, float]] = []

    def face(
        self,
        corners: Corners,
        normal: Triple,
        colour: Colour,
        top: float = 1.0,
        bottom: float = 1.0,
        glows: bool = False,
    ) -> bool:
        """Add a polygon if its outer side is seen; returns whether it is.

        Args:
            corners: The corners of a flat convex polygon.
            normal: Where its outer side looks.
            colour: Its colour in white light.
            top: Brightness at its upper edge.
            bottom: Brightness at its lower edge.
            glows: Whether it shows its colour in any light.
        """
        x, y, z = corners[0]
        towards = (
            normal[0] * (self.eye[0] - x)
            + normal[1] * (self.eye[1] - y)
            + normal[2] * (self.eye[2] - z)
        )
        if towards <= 1e-6:
            return False
        if not glows:
            if normal not in self._lights:
                direction = self.pose.direction(normal)
                self._lights[normal] = self.light.at(direction, self.lamps, self.in_shadow)
            red, green, blue = self._lights[normal]
            colour = round(colour[0] * red), round(colour[1] * green), round(colour[2] * blue)
        self._corners += corners
        self._ends.append(len(self._corners))
        self._colours.append(colour)
        self._shades.append((top, bottom))
        return True

    def prism(
        self,
        profile: Sequence[tuple[float, float]],
        half_m: Sequence[float],
        colour: Colour,
        dark: float = 0.7,
    ) -> None:
        """A convex outline along the side, forward and up, with a half width at each corner.

        Corners run from the lower rear to the lower front and back over the top. ``dark`` is the
        brightness of the sides' lower edge.
        """
        for sign in (-1.0, 1.0):
            side = [(sign * w, y, z) for (z, y), w in zip(profile, half_m, strict=True)]
            self.face(side, (sign, 0.0, 0.0), colour, 1.08, dark)
        for i, (z0, y0) in enumerate(profile):
            z1, y1 = profile[(i + 1) % len(profile)]
            w0, w1 = half_m[i], half_m[(i + 1) % len(profile)]
            length = math.sqrt((z1 - z0) * (z1 - z0) + (y1 - y0) * (y1 - y0))
            normal = (0.0, (z0 - z1) / length, (y1 - y0) / length)
            corners = [(-w0, y0, z0), (w0, y0, z0), (w1, y1, z1), (-w1, y1, z1)]
            self.face(corners, normal, colour, 1.05, dark if abs(normal[2]) > 0.8 else 1.0)

    def shape(self) -> Shape:
        """All faces, projected."""
        if not self._corners:
            return Shape()
        seen = self.camera.see(self.pose.world(np.array(self._corners)))
        starts = [0, *self._ends[:-1]]
        outlines = [seen[a:b] for a, b in zip(starts, self._ends, strict=True)]
        return Shape(outlines, self._colours, self._shades)


def inset(corners: Corners, share: float) -> list[Triple]:
    """A polygon drawn towards its middle."""
    count = len(corners)
    x, y, z = (sum(corner[i] for corner in corners) / count for i in range(3))
    return [(x + (a - x) * share, y + (b - y) * share, z + (c - z) * share) for a, b, c in corners]


_TIPS = ((1.0, 0.0), (0.7, 0.7), (0.0, 1.0))
"""A quarter of a round end: along and aside."""


class Limbs:
    """Bars with round or blunt ends, each at the depth of its middle, the right half darker."""

    def __init__(self, camera: Camera) -> None:
        self._camera = camera
        self._ends: list[Triple] = []
        self._radii: list[float] = []
        self._looks: list[tuple[Colour, float, bool, float]] = []

    def add(
        self,
        ends: tuple[Triple, Triple],
        radii_m: tuple[float, float],
        colour: Colour,
        dark: float = 0.72,
        blunt: bool = True,
        ahead_m: float = 0.0,
    ) -> None:
        """One more bar; ``ahead_m`` lets it cover others as if it were so much nearer."""
        self._ends += ends
        self._radii += radii_m
        self._looks.append((colour, dark, blunt, ahead_m))

    def shape(self, pose: Pose | None = None, by_depth: bool = False) -> Shape:
        """All bars, in the order of adding or the nearest last.

        Args:
            pose: Where the body stands in whose axes the ends are; None = they are the world's.
            by_depth: Whether to sort.
        """
        shape = Shape(flat=True)
        if not self._ends:
            return shape
        points = np.array(self._ends)
        seen = self._camera.see(points if pose is None else pose.world(points))
        p, q = seen[::2], seen[1::2]
        along = q[:, :2] - p[:, :2]
        length = np.sqrt(along[:, 0] * along[:, 0] + along[:, 1] * along[:, 1])
        is_point = length < 1e-6
        unit = along / np.where(is_point, 1, length)[:, None]
        unit[is_point] = 0, 1
        aside = np.stack([-unit[:, 1], unit[:, 0]], axis=1)
        aside[aside[:, 0] < 0] *= -1
        radii = np.maximum(np.array(self._radii) * self._camera.focal_px * seen[:, 2], 0.4)
        ahead, back = unit * radii[1::2, None], unit * radii[::2, None]
        wide_p, wide_q = aside * radii[::2, None], aside * radii[1::2, None]
        near = (p[:, 2] + q[:, 2]) / 2
        round_ends = [q[:, :2] + ahead * a + wide_q * b for a, b in _TIPS]
        round_ends += [p[:, :2] - back * a + wide_p * b for a, b in reversed(_TIPS)]
        round_ends += [p[:, :2] - back * a - wide_p * b for a, b in _TIPS[1:]]
        round_ends += [q[:, :2] + ahead * a - wide_q * b for a, b in reversed(_TIPS[1:])]
        rounded = _with_depth(round_ends, near)
        blunt = _with_depth(
            [q[:, :2] + wide_q, p[:, :2] + wide_p, p[:, :2] - wide_p, q[:, :2] - wide_q], near
        )
        half = _with_depth(
            [
                q[:, :2] + wide_q,
                p[:, :2] + wide_p,
                p[:, :2] + wide_p * 0.25,
                q[:, :2] + wide_q * 0.25,
            ],
            near,
        )
        order = list(range(len(self._looks)))
        if by_depth:
            order.sort(key=lambda i: self._looks[i][3] - 1 / float(near[i]))
        for i in order:
            colour, dark, is_blunt, _ = self._looks[i]
            shape.add(blunt[i] if is_blunt else rounded[i], colour)
            if radii[2 * i] > 1.4 and dark < 1:
                shaded = three(int(c * dark) for c in colour)
                shape.add(half[i], shaded)
        return shape


def _with_depth(corners: list[Points], near: Points) -> Points:
    """Polygons ``(N, corners, 3)`` from their corners, each ``(N, 2)``."""
    flat = np.stack(corners, axis=1)
    depth = np.broadcast_to(near[:, None, None], (*flat.shape[:2], 1))
    return np.concatenate([flat, depth], axis=2)
