"""Two photographs in memory, and a training on them that takes seconds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from skimage.data import astronaut

from datasets.image import NDArrayByte, NDArrayFloat
from datasets.rain import RAINS
from derainers import DERAINERS
from derainers.derainer import Derainer
from derainers.training.data import Crops
from derainers.training.recipes import Plateau, Recipe, short

RAIN = RAINS["rain100l"]


@dataclass(frozen=True)
class Picture:
    """A photograph in memory."""

    id: str
    pixels: NDArrayByte

    def image(self) -> NDArrayByte:
        return self.pixels

    def given_rain(self) -> NDArrayByte:
        return 255 - self.pixels

    has_depth = False

    def depth_m(self) -> NDArrayFloat | None:
        return None


PICTURES = [
    Picture("face", np.ascontiguousarray(astronaut()[:160, 150:250])),
    Picture("flag", np.ascontiguousarray(astronaut()[100:200, :140])),
]
EACH_EPOCH = Plateau(by=0.5, patience=9, floor=0.1)
"""Validates after every epoch."""
TINY = replace(short("prn-r"), epochs=3, steps_per_epoch=2, batch=2, patch_px=32, large_px=48)


def built(name: str, seed: int = 0) -> Derainer:
    torch.manual_seed(seed)
    derainer = DERAINERS[name].build(None)
    assert isinstance(derainer, Derainer)
    return derainer


def crops_of(recipe: Recipe, steps: int = 6, **changes: Any) -> Crops:
    return replace(Crops(PICTURES, (RAIN,), recipe, steps, 8), **changes)
