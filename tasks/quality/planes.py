"""An image with what metrics make of it: luma, moments, features, each once."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from numpy.typing import NDArray

from datasets.image import NDArrayByte

T = TypeVar("T")


class Planes:
    """An image that several metrics, or several comparisons, look at.

    Whoever judges several restored images by one clean image makes ``Planes(clean)`` once and gives
    it to `tasks.quality.evidence` as the reference each time, from as many threads as wanted: what
    metrics make of the clean image alone is then made once. Values are the same with and without.

    It holds what was asked for until it is let go: with PSNR, SSIM and FSIM of luma and colour
    about 45 bytes a pixel, the image's own 3 included. The image must not change meanwhile.
    """

    image: Any
    """An array; or a tensor of a device, for `tasks.quality.on_device`."""

    def __init__(self, image: Any) -> None:
        """Take an image, or one of its planes."""
        self.image = image
        self._made: dict[tuple[Any, ...], Any] = {}
        # Whoever needs what another thread is making would have to make it too.
        self._lock = threading.RLock()

    def of(self, make: Callable[..., T], *options: Any) -> T:
        """``make(image, *options)``, made once; options are hashable."""
        return self._once((make, *options), lambda: make(self.image, *options))

    def through(self, make: Callable[..., Any], *options: Any) -> Planes:
        """``make(image, *options)``, itself an image of which something is made once."""
        return self._once((Planes, make, *options), lambda: Planes(make(self.image, *options)))

    def _once(self, name: tuple[Any, ...], make: Callable[[], T]) -> T:
        with self._lock:
            if name not in self._made:
                self._made[name] = make()
            found: T = self._made[name]
            return found


Image = NDArrayByte | Planes
"""``uint8 (H, W, 3) RGB``, or the same with what is known of it."""


class OfPlanes:
    """A metric written for `Planes`, that takes plain images too; a decorator."""

    def __init__(self, metric: Callable[..., float]) -> None:
        """Take a function of (reference, restored), or of (restored) alone."""
        functools.update_wrapper(self, metric)
        self._metric = metric

    def __call__(self, *images: NDArray[Any] | Planes) -> float:
        """The metric of the images, in its order."""
        return self._metric(*map(planes, images))


def planes(image: NDArray[Any] | Planes) -> Planes:
    """The image as it is, or with nothing made of it yet."""
    return image if isinstance(image, Planes) else Planes(image)
