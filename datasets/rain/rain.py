"""What a rain is: frozen parameters, a generator of its own for every image, layers on request."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from datasets.image import NDArrayByte, NDArrayFloat


@dataclass(frozen=True)
class RainyImage:
    """A rainy image and the layers that made it."""

    image: NDArrayByte
    """The result, ``uint8 (H, W, 3) RGB``."""
    streaks: NDArrayByte
    """The streak layer that was laid over the clean image, ``uint8 (H, W)``, 0 = no rain."""
    transmission: NDArrayFloat | None = None
    """Share of the scene's light that reaches the camera, ``float32 (H, W)``; None without veil."""
    airlight: float | None = None
    """Brightness of the veil in [0, 1]; None without veil."""


class Rain(Protocol):
    """One rain: how clean images become rainy ones."""

    @property
    def family(self) -> str:
        """The model that the parameters belong to; derainers are trained on families."""
        ...

    def render(
        self, clean: NDArrayByte, rng: np.random.Generator, depth: NDArrayFloat | None = None
    ) -> RainyImage:
        """Rain on ``uint8 (H, W, 3) RGB``; the input is left as it is."""
        ...

    def parameters(self) -> dict[str, Any]:
        """Everything that decides the result beside image and generator, as plain JSON values."""
        ...


def digest(rain: Rain) -> str:
    """Name of a rain by its parameters alone: sha256 of their canonical JSON."""
    text = json.dumps(rain.parameters(), sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def generator(seed: int, rain: Rain, sample_id: str) -> np.random.Generator:
    """The random generator of one image, from (seed, rain, sample id) and nothing else.

    Order, workers, shards and resuming therefore do not change a byte.
    """
    words = hashlib.sha256(f"{seed}\0{digest(rain)}\0{sample_id}".encode()).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(words[:16], "little")))
