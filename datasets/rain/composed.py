"""A rain with what else rain does: ``physical+overcast+wet+lens``.

Overcast light and wet ground change the scene before the rain falls; what a derainer should give
back is that scene. Drops on the lens lie over all else.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Protocol, runtime_checkable

import numpy as np

from datasets.image import NDArrayByte, NDArrayFloat
from datasets.rain.lens import LensDrops
from datasets.rain.rain import Rain, RainError, RainyImage
from datasets.rain.veil import lay_over


@runtime_checkable
class SceneLayer(Protocol):
    """What changes the scene itself, and so the reference."""

    @property
    def needs_depth(self) -> bool:
        """Whether it does nothing without distances, and refuses."""
        ...

    def parameters(self) -> dict[str, Any]:
        """Everything that decides the result beside image, depth and generator."""
        ...

    def __hash__(self) -> int:
        """Equal parameters, equal hashes."""
        ...

    def changed(
        self, scene: NDArrayByte, rng: np.random.Generator, depth: NDArrayFloat | None
    ) -> NDArrayByte:
        """The scene under this layer, ``uint8 (H, W, 3) RGB``; the input is left as it is.

        Raises:
            RainError: If it needs a depth, and there is none or one that is not this image's.
        """
        ...


Layer = SceneLayer | LensDrops


@dataclass(frozen=True)
class Composed:
    """A rain and its layers: the scene's first, then the rain, then the lens."""

    rain: Rain
    layers: tuple[Layer, ...]
    """In the order of the table, each once."""

    @property
    def family(self) -> str:
        """The rain's: layers alone make no other streaks."""
        return self.rain.family

    @property
    def needs_depth(self) -> bool:
        """Whether an image without distances is refused."""
        return any(isinstance(each, SceneLayer) and each.needs_depth for each in self.layers)

    def parameters(self) -> dict[str, Any]:
        """Those of the rain and of every layer, as plain JSON values."""
        return {
            "model": "composed",
            "rain": self.rain.parameters(),
            "layers": [layer.parameters() for layer in self.layers],
        }

    def render(
        self, clean: NDArrayByte, rng: np.random.Generator, depth: NDArrayFloat | None = None
    ) -> RainyImage:
        """Rain on one image.

        Args:
            clean: ``uint8 (H, W, 3) RGB``, left as it is.
            rng: Generator of this image; nothing else is random.
            depth: Metres, ``float32 (H, W)``; wet ground is refused without.

        Returns:
            The rain's image and layers, with the scene that it fell on as ``reference``.

        Raises:
            RainError: If the depth does not fit the image, or is needed and absent.
        """
        scene = clean
        for layer in self.layers:
            if isinstance(layer, SceneLayer):
                scene = layer.changed(scene, rng, depth)
        rainy = self.rain.render(scene, rng, depth)
        if scene is not clean:
            rainy = replace(rainy, reference=scene)
        for layer in self.layers:
            if isinstance(layer, LensDrops):
                opacity, shown = layer.drops(rainy.image, rng)
                image = lay_over(rainy.image, opacity, shown)
                rainy = replace(rainy, image=image, lens=opacity, lens_image=shown)
        return rainy


def composed(rain: Rain, layers: dict[str, Layer]) -> Rain:
    """The rain under layers by their names; the rain alone where there are none.

    Raises:
        RainError: If the rain is composed already.
    """
    if not layers:
        return rain
    if isinstance(rain, Composed):
        raise RainError("layers stand once, after the rain: rain+wet+lens")
    return Composed(rain, tuple(layers.values()))


def needs_depth(rain: Rain) -> bool:
    """Whether a rain refuses images without distances."""
    return isinstance(rain, Composed) and rain.needs_depth
