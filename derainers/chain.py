"""Derainers one after another, and the heavy-rain paper's chain at half size."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager

import cv2
import numpy as np

from datasets.image import NDArrayByte, NDArrayFloat, round_to_bytes
from derainers.derainer import Derainer
from derainers.errors import DerainerError
from derainers.restorer import Computing, Restored, Restorer, in_turn, per_thread, restored


class Chain(Computing):
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

    def in_tiles(self, tile_px: int | None) -> Chain:
        """The same networks, each beginning with tiles of this side; None = with none."""
        stages = [
            s.in_tiles(tile_px) if isinstance(s, Chain | Derainer) else s for s in self.stages
        ]
        return Chain(stages, self.half_size)

    def per_thread(self, shares_weights: bool) -> Chain:
        """The same chain of copies of its networks."""
        stages = [per_thread(stage, shares_weights) for stage in self.stages]
        return Chain(stages, self.half_size)

    def in_turn(self, turn: AbstractContextManager[object]) -> Chain:
        """The same chain, whose networks enter this for as long as they compute."""
        return Chain([in_turn(stage, turn) for stage in self.stages], self.half_size)

    def restore(self, image: NDArrayByte, sample_id: str) -> NDArrayFloat:
        """Restore one image; see `derainers.derainer.Restorer`."""
        return self.measured(image, sample_id).image

    def measured(self, image: NDArrayByte, sample_id: str) -> Restored:
        """Restore one image, and say what the smallest tiles were that a stage had to work in.

        Raises:
            DerainerError: If at half size it comes out neither as small, nor twice as large.
        """
        x = np.ascontiguousarray(image[::2, ::2]) if self.half_size else image
        small = x.shape
        y = x.astype(np.float32) / np.float32(255.0)
        sides_px = []
        for stage in self.stages:
            y, tile_px = restored(stage, x, sample_id)
            sides_px += [] if tile_px is None else [tile_px]
            x = round_to_bytes(y)
        if self.half_size:
            y = _enlarged(y) if y.shape == small else y
            full = (2 * small[0], 2 * small[1], 3)
            if y.shape not in (full, image.shape):
                raise DerainerError(
                    f"half: made {y.shape} of {small}: needs {full}, twice as large"
                )
            y = np.ascontiguousarray(y[: image.shape[0], : image.shape[1]])
        return Restored(y, min(sides_px, default=None))


def _enlarged(image: NDArrayFloat) -> NDArrayFloat:
    """Twice the size by bicubic interpolation; pixel i of the small image is pixel 2i of it."""
    height, width = image.shape[:2]
    to_small = np.array([[0.5, 0.0, 0.0], [0.0, 0.5, 0.0]])
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    size = (2 * width, 2 * height)
    large = cv2.warpAffine(image, to_small, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return np.clip(large, 0.0, 1.0).astype(np.float32)
