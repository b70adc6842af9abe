"""Rain as fine grey points."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from datasets.image import NDArrayByte, NDArrayFloat
from datasets.rain.rain import RainyImage


@dataclass(frozen=True)
class Drizzle:
    """One point in ``every`` pixels is lightened."""

    every: int = 10
    family = "drizzle"

    def parameters(self) -> dict[str, Any]:
        """Everything that decides the result beside image and generator."""
        return {"family": self.family, **asdict(self)}

    def render(
        self, clean: NDArrayByte, rng: np.random.Generator, depth: NDArrayFloat | None = None
    ) -> RainyImage:
        """Rain on ``uint8 (H, W, 3) RGB``."""
        drops = np.where(rng.integers(0, self.every, clean.shape[:2]) == 0, 60, 0).astype(np.uint8)
        image = np.minimum(255, clean.astype(np.int64) + drops[:, :, None]).astype(np.uint8)
        return RainyImage(image, drops, blend="add")


DRIZZLE = Drizzle()
