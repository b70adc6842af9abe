"""The camera: a pinhole with a vertical image plane, so that walls stay upright.

World axes in metres: X to the right of the street's middle, Y up from the road, Z along the street
from the camera. The optical axis is level; that the camera looks up or down a little is a shift of
the lens, which moves the horizon. Depth is the distance along the optical axis, and so is the same
for all pixels of a row of the road, and of a column of a wall.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]

NEAR_M = 0.6
"""Nothing nearer is drawn."""


@dataclass(frozen=True)
class Camera:
    """Where the camera stands and how it looks; pixels are those of the canvas."""

    width_px: int
    height_px: int
    focal_px: float
    horizon_px: float
    """Row of the horizon, from the top."""
    height_m: float
    x_m: float
    cos: float
    """Cosine of the yaw, positive to the right."""
    sin: float

    @property
    def middle_px(self) -> float:
        """Column of the optical axis."""
        return self.width_px / 2

    def turned(self, world: Points) -> Points:
        """World points ``(N, 3)`` in camera axes: right, up from the camera, along the view."""
        x, z = world[:, 0] - self.x_m, world[:, 2]
        return np.stack(
            [x * self.cos - z * self.sin, world[:, 1] - self.height_m, x * self.sin + z * self.cos],
            axis=1,
        )

    def turned_z(self, place: tuple[float, float]) -> float:
        """Depth of a place on the ground, X and Z."""
        return (place[0] - self.x_m) * self.sin + place[1] * self.cos

    def project(self, turned: Points) -> Points:
        """Column, row and reciprocal of the depth, ``(N, 3)``, of points before the camera."""
        nearness = 1 / turned[:, 2]
        scale = self.focal_px * nearness
        return np.stack(
            [
                self.middle_px + turned[:, 0] * scale,
                self.horizon_px - turned[:, 1] * scale,
                nearness,
            ],
            axis=1,
        )

    def see(self, world: Points) -> Points:
        """`project` of `turned`."""
        return self.project(self.turned(world))


def clipped(turned: Points) -> Points:
    """The part of a polygon ``(N, 3)`` in camera axes that lies beyond `NEAR_M`."""
    depth = turned[:, 2]
    if depth.min() >= NEAR_M:
        return turned
    kept: list[Points] = []
    for i in range(len(turned)):
        a, b = turned[i - 1], turned[i]
        if (a[2] < NEAR_M) != (b[2] < NEAR_M):
            kept.append(a + (b - a) * ((NEAR_M - a[2]) / (b[2] - a[2])))
        if b[2] >= NEAR_M:
            kept.append(b)
    return np.array(kept).reshape(-1, 3)
