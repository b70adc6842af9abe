"""Distances in the scene: the sample's, or those of a plain street under the photograph's sky."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from datasets.image import NDArrayByte, NDArrayFloat
from datasets.rain.rain import RainError
from datasets.rain.sky import sky_share
from datasets.rain.veil import FULL

CAMERA_HEIGHT_M = 1.5
"""Height of the made-up camera above the road."""
HORIZON = 0.45
"""Height of the made-up horizon, as a share of the image from its top."""
_LEAST_SKY = 0.02
"""Share of the picture that the sky must have to be looked at."""


@dataclass(frozen=True)
class Street:
    """What stands in the place of depth where a photograph has none."""

    focal_px: float
    """Focal length."""
    standing_m: float
    """Distance of what rises above the horizon and is no sky: fronts, trees, people."""
    sky_m: float
    """Distance of the sky."""
    camera_height_m: float = CAMERA_HEIGHT_M


@dataclass(frozen=True)
class Distances:
    """How far away everything is; without edges where it is made up."""

    ground_m: NDArrayFloat
    """Of all but the sky, ``float32 (H, W)``, or ``(H, 1)`` where a row has but one."""
    sky: NDArrayFloat | None
    """Share of sky in every pixel, ``float32 (H, W)``; None where each has a distance given."""
    sky_m: float
    source: Literal["given", "pseudo"]

    def through(self, transmission: Callable[[NDArrayFloat], NDArrayFloat]) -> NDArrayFloat:
        """Share of light that is left of each pixel, ``float32 (H, W)`` in multiples of 1/2²⁰.

        Args:
            transmission: Function of metres, ``float32`` of any shape.
        """
        near = transmission(self.ground_m)
        if self.sky is None:
            return near
        far = transmission(np.full((1, 1), self.sky_m, np.float32))
        mixed = self.sky * (far - near)
        mixed += near
        mixed *= np.float32(FULL)
        np.rint(mixed, out=mixed)
        mixed *= np.float32(1 / FULL)
        return mixed

    def sky_level(self, image: NDArrayByte) -> float:
        """Mean grey level of the sky that a picture shows; 0 where it is not known where that is.

        Args:
            image: ``uint8 (H, W, 3) RGB``; every eighth row and column is looked at.
        """
        if self.sky is None:
            return 0.0
        few = slice(None, None, 8)
        share = np.rint(self.sky[few, few] * np.float32(255)).astype(np.int64)
        light = image[few, few].sum(axis=2, dtype=np.int64)
        if int(share.sum()) < _LEAST_SKY * 255 * share.size:
            return 0.0
        # Squares, since where little is sky most of the light is not the sky's.
        weight = share * share
        total = int(weight.sum())
        return int((weight * light).sum()) / (3 * total)


def road_scene_m(
    height: int, focal_px: float, farthest_m: float, camera_height_m: float = CAMERA_HEIGHT_M
) -> NDArrayFloat:
    """Distance of a flat road under a level camera, row by row, ``float32 (H, 1)`` in metres.

    Below the horizon a row's distance is camera height × focal length / rows below the horizon
    (pinhole camera). It is joined to ``farthest_m`` above the horizon by adding reciprocals, which
    leaves no edge: 1/z = rows below/(camera height × focal length) + 1/farthest.
    """
    below = np.maximum(np.arange(height) + 0.5 - HORIZON * height, 0)
    distance = 1 / (below / (camera_height_m * focal_px) + 1 / farthest_m)
    return np.asarray(distance[:, None], np.float32)


def distances(clean: NDArrayByte, depth: NDArrayFloat | None, street: Street) -> Distances:
    """The depth to use: the given one, or a road up to ``standing_m`` under the image's sky.

    Args:
        clean: ``uint8 (H, W, 3) RGB``; only where the sky is comes from it.
        depth: Metres, ``float32 (H, W)``, or None.
        street: Used without depth.

    Raises:
        RainError: If a given depth has another shape than the image, or is not positive.
    """
    if depth is None:
        road = road_scene_m(len(clean), street.focal_px, street.standing_m, street.camera_height_m)
        return Distances(road, sky_share(clean), street.sky_m, "pseudo")
    require_fitting(depth, clean)
    return Distances(depth.astype(np.float32), None, street.sky_m, "given")


def require_fitting(depth: NDArrayFloat, image: NDArrayByte) -> None:
    """Refuse a depth that is not this image's.

    Args:
        depth: Metres, ``float32 (H, W)``.
        image: ``uint8 (H, W, 3)``.

    Raises:
        RainError: If the depth has another shape than the image, or is not finite and positive.
    """
    if depth.shape != image.shape[:2]:
        raise RainError(f"depth is {depth.shape}: must be {image.shape[:2]} as the image is")
    if not (np.isfinite(depth).all() and (depth > 0).all()):
        raise RainError("depth holds values that are no distance: must be finite and above 0 m")
