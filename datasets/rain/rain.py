"""What a rain is: frozen parameters, a generator of its own for every image, layers on request."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import math
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

import cv2
import numpy as np
from numpy.typing import NDArray

from datasets.image import NDArrayByte, NDArrayFloat


class RainError(ValueError):
    """A word or parameter that no rain knows or allows, or a depth that is not the image's.

    The message names range, known keys or size.
    """


@contextlib.contextmanager
def falling_on(image: str) -> Iterator[None]:
    """Name the image in what its rain refuses.

    Raises:
        RainError: From that error.
    """
    try:
        yield
    except RainError as error:
        raise RainError(f"image {image}: {error}") from error


@dataclass(frozen=True)
class RainyImage:
    """A rainy image and the layers that made it; `recompose` puts them together again."""

    image: NDArrayByte
    """The result, ``uint8 (H, W, 3) RGB``."""
    streaks: NDArrayByte
    """The streak layer that was laid over the clean image, ``uint8 (H, W)``, 0 = no rain."""
    transmission: NDArrayFloat | None = None
    """Share of the scene's light that reaches the camera, ``float32 (H, W)``; None without veil."""
    airlight: float | None = None
    """Brightness of the veil in [0, 1]; None without veil."""
    blend: Literal["screen", "add", "over"] = "screen"
    """How streaks S lie on an image J, in bytes: ``screen`` 255 − (255 − J)(255 − S)/255; ``add``
    min(255, J + S); ``over`` J + (255·light − J)·S/255, with S the opacity of the drops."""
    light: float = 1.0
    """Brightness of the drops in [0, 1] for ``over``."""
    veil_first: bool = False
    """Whether the veil lies behind the streaks instead of over them."""
    blur: tuple[int, ...] = ()
    """Weights, in 1/256, of the filter along rows and columns that softened the scene first."""
    depth_source: Literal["given", "pseudo"] | None = None
    """Whether the depth was the sample's or a made-up street's; None where none was used."""
    reference: NDArrayByte | None = None
    """The scene that a derainer should give back, ``uint8 (H, W, 3) RGB``: under the same light and
    on the same wet ground, without drops, veil and lens; None where it is the clean image."""
    lens: NDArrayByte | None = None
    """Opacity of drops on the lens, ``uint8 (H, W)``, over all else; None without."""
    lens_image: NDArrayByte | None = None
    """What they show, ``uint8 (H, W, 3) RGB``; None without."""

    def truth(self, clean: NDArrayByte) -> NDArrayByte:
        """What a derainer should give back: the reference, or else the clean image."""
        return clean if self.reference is None else self.reference


@runtime_checkable
class Rain(Protocol):
    """One rain: how clean images become rainy ones."""

    @property
    def family(self) -> str:
        """The model that the parameters belong to; derainers are trained on families."""
        ...

    def render(
        self, clean: NDArrayByte, rng: np.random.Generator, depth: NDArrayFloat | None = None
    ) -> RainyImage:
        """Rain on ``uint8 (H, W, 3) RGB``; the input is left as it is.

        Args:
            clean: The image.
            rng: Generator of this image; nothing else is random.
            depth: Distance along the view in metres, positive, ``float32 (H, W)``; models with
                distance use a road scene of their own without it, the others do without.
        """
        ...

    def __hash__(self) -> int:
        """Equal parameters, equal hashes, as of any frozen dataclass."""
        ...

    def parameters(self) -> dict[str, Any]:
        """Everything that decides the result beside image and generator, as plain JSON values."""
        ...


def recompose(clean: NDArrayByte, rainy: RainyImage) -> NDArrayByte:
    """The rainy image from its layers, within one grey level.

    Blur the scene, lay the streaks over it by their blend, and the veil T·J + (1 − T)·A over both;
    with ``veil_first`` the veil, then the streaks; at last the lens. The scene is the reference
    where there is one. Floating point: for checks and for other tools, not the way the image was
    made.
    """
    scene = clean if rainy.reference is None else rainy.reference
    image: NDArray[np.float64] = scene.astype(np.float64)
    if rainy.blur:
        kernel = np.array(rainy.blur) / 256
        soft = cv2.sepFilter2D(image, -1, kernel, kernel, borderType=cv2.BORDER_REFLECT_101)
        image = np.asarray(soft, np.float64).reshape(clean.shape)
    if rainy.veil_first:
        image = _veiled(image, rainy)
    drops = rainy.streaks[:, :, None].astype(np.float64)
    if rainy.blend == "add":
        image = np.minimum(255, image + drops)
    else:
        light = 255 * rainy.light if rainy.blend == "over" else 255
        image = image + (light - image) * drops / 255
    if not rainy.veil_first:
        image = _veiled(image, rainy)
    if rainy.lens is not None and rainy.lens_image is not None:
        image = image + (rainy.lens_image - image) * (rainy.lens[:, :, None] / 255)
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)


def _veiled(image: NDArray[np.float64], rainy: RainyImage) -> NDArray[np.float64]:
    if rainy.transmission is None or rainy.airlight is None:
        return image
    through = rainy.transmission[:, :, None].astype(np.float64)
    return np.asarray(through * image + (1 - through) * 255 * rainy.airlight, np.float64)


def check(parameters: Any, ranges: Mapping[str, tuple[float, float]]) -> None:
    """Refuse parameters outside their ranges.

    Raises:
        RainError: Naming the first wrong one and its range; NaN and infinity are wrong.
    """
    for name, (low, high) in ranges.items():
        value = getattr(parameters, name)
        if not (math.isfinite(value) and low <= value <= high):
            raise RainError(f"{name}={value}: must lie in [{low:g}, {high:g}]")


def uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """A number in [low, high] in 1,000 steps; low itself where both are equal."""
    return low + (high - low) * int(rng.integers(0, 1001)) / 1000


@functools.lru_cache(1024)
def digest(rain: Rain) -> str:
    """Name of a rain by its parameters alone: sha256 of their canonical JSON."""
    text = json.dumps(rain.parameters(), sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def origin(rain: Rain) -> str | None:
    """Class of a rain and digest of its file, where it is not of this package; None = ours.

    Of a rain with layers it is that of the rain below them.
    """
    while isinstance(below := getattr(rain, "rain", None), Rain):
        rain = below
    kind, home = type(rain), __name__.rpartition(".")[0]
    if kind.__module__.startswith(f"{home}."):
        return None
    file = getattr(sys.modules.get(kind.__module__), "__file__", None)
    code = hashlib.sha256(Path(file).read_bytes() if file else b"").hexdigest()
    return f"{kind.__module__}.{kind.__qualname__}, {code[:16]}"


def generator(seed: int, rain: Rain, sample_id: str) -> np.random.Generator:
    """The random generator of one image, from (seed, rain, sample id) and nothing else.

    Order, workers, shards and resuming therefore do not change a byte.
    """
    words = hashlib.sha256(f"{seed}\0{digest(rain)}\0{sample_id}".encode()).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(words[:16], "little")))
