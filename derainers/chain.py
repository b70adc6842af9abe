"""Derainers one after another, and the heavy-rain paper's chain at half size."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import cv2
import numpy as np

from datasets.image import NDArrayByte, NDArrayFloat, round_to_bytes
from derainers.derainer import Derainer, Restorer


class Chain:
    """Each derainer restores what the one before it made, in bytes, as saved files would be."""

    def __init__(self, stages: Sequence[Restorer], half_size: bool = False) -> None:
        """Join derainers.

        Args:
            stages: At least one; the image passes them in this order.
            half_size: Start from every second pixel and end at full size: what is still small after
                the last stage is enlarged by bicubic interpolation.
        """
        self.stages = tuple(stages)
        self.half_size = half_size

    @property
    def tiled_px(self) -> int | None:
        """Side of the smallest tiles that a stage had to work in; None = none had to."""
        used = [stage.tiled_px for stage in self.stages if isinstance(stage, Chain | Derainer)]
        return min((side for side in used if side), default=None)

    def restore(self, image: NDArrayByte, sample_id: str) -> NDArrayFloat:
        """Restore one image; see `derainers.derainer.Restorer`."""
        x = np.ascontiguousarray(image[::2, ::2]) if self.half_size else image
        small = x.shape
        restored = x.astype(np.float32) / np.float32(255.0)
        for stage in self.stages:
            restored = stage.restore(x, sample_id)
            x = round_to_bytes(restored)
        if self.half_size and restored.shape == small:
            restored = _enlarged(restored)
        if self.half_size:
            restored = np.ascontiguousarray(restored[: image.shape[0], : image.shape[1]])
        return restored


def per_thread(restorer: Restorer) -> Restorer:
    """A copy for one thread where a network may keep state in a forward; else the same."""
    if isinstance(restorer, Chain):
        return Chain([per_thread(stage) for stage in restorer.stages], restorer.half_size)
    return copy.deepcopy(restorer) if isinstance(restorer, Derainer) else restorer


def _enlarged(image: NDArrayFloat) -> NDArrayFloat:
    """Twice the size by bicubic interpolation; pixel i of the small image is pixel 2i of it."""
    height, width = image.shape[:2]
    to_small = np.array([[0.5, 0.0, 0.0], [0.0, 0.5, 0.0]])
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    size = (2 * width, 2 * height)
    large = cv2.warpAffine(image, to_small, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return np.clip(large, 0.0, 1.0).astype(np.float32)
