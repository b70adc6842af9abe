"""Distances in the scene: the sample's, or those of a plain road scene where it has none."""

from __future__ import annotations

from typing import Literal

import numpy as np

from datasets.image import NDArrayFloat
from datasets.rain.rain import RainError

CAMERA_HEIGHT_M = 1.5
"""Height of the made-up camera above the road."""
HORIZON = 0.45
"""Height of the made-up horizon, as a share of the image from its top."""


def road_scene_m(height: int, focal_px: float, farthest_m: float) -> NDArrayFloat:
    """Distance of a flat road under a level camera, row by row, ``float32 (H, 1)`` in metres.

    Below the horizon a row's distance is camera height × focal length / rows below the horizon
    (pinhole camera). It is joined to ``farthest_m`` above the horizon by adding reciprocals, which
    leaves no edge: 1/z = rows below/(camera height × focal length) + 1/farthest.
    """
    below = np.maximum(np.arange(height) + 0.5 - HORIZON * height, 0)
    distance = 1 / (below / (CAMERA_HEIGHT_M * focal_px) + 1 / farthest_m)
    return np.asarray(distance[:, None], np.float32)


def depth_or_road(
    depth: NDArrayFloat | None, shape: tuple[int, ...], focal_px: float, farthest_m: float
) -> tuple[NDArrayFloat, Literal["given", "pseudo"]]:
    """The depth to use, ``float32 (H, W)`` or ``(H, 1)`` in metres, and where it is from.

    Raises:
        RainError: If a given depth has another shape than the image, or is not positive.
    """
    if depth is None:
        return road_scene_m(shape[0], focal_px, farthest_m), "pseudo"
    if depth.shape != shape[:2]:
        raise RainError(f"depth is {depth.shape}: must be {shape[:2]} as the image is")
    if not (np.isfinite(depth).all() and (depth > 0).all()):
        raise RainError("depth holds values that are no distance: must be finite and above 0 m")
    return depth.astype(np.float32), "given"
