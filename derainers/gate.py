"""A derainer that leaves images alone which hold little rain."""

from __future__ import annotations

from contextlib import AbstractContextManager

import numpy as np

from datasets.image import NDArrayByte, NDArrayFloat
from derainers.amount import rain_amount
from derainers.chain import Chain
from derainers.derainer import Derainer
from derainers.restorer import Computing, Restored, Restorer, in_turn, per_thread, restored


class Gate(Computing):
    """Derains images with more rain than dry ones hold, and gives the bytes of others back."""

    def __init__(self, behind: Restorer, above: float) -> None:
        """Set a gate before a derainer.

        Args:
            behind: The derainer.
            above: `derainers.amount.RainAmount.deviations` from which on it opens.
        """
        self.behind, self.above = behind, above

    def in_tiles(self, tile_px: int | None) -> Gate:
        """The same networks, each beginning with tiles of this side; None = with none."""
        behind = self.behind
        tiled = behind.in_tiles(tile_px) if isinstance(behind, Chain | Derainer) else behind
        return Gate(tiled, self.above)

    def per_thread(self, shares_weights: bool) -> Gate:
        """The same gate before a copy of its networks."""
        return Gate(per_thread(self.behind, shares_weights), self.above)

    def in_turn(self, turn: AbstractContextManager[object]) -> Gate:
        """The same gate before networks that enter this for as long as they compute."""
        return Gate(in_turn(self.behind, turn), self.above)

    def restore(self, image: NDArrayByte, sample_id: str) -> NDArrayFloat:
        """Restore one image; see `derainers.restorer.Restorer`."""
        return self.measured(image, sample_id).image

    def measured(self, image: NDArrayByte, sample_id: str) -> Restored:
        """Restore one image where the gate opens, and say what its tiles were."""
        if rain_amount(image).deviations >= self.above:
            return restored(self.behind, image, sample_id)
        return Restored(image.astype(np.float32) / np.float32(255.0), None)
