"""What deraining one image gave: the image, and what that took."""

from __future__ import annotations

import contextlib
import copy
import logging
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

import datasets.image as image_io
from datasets.image import NDArrayByte, NDArrayFloat
from harness.machine.device import Placement
from harness.machine.generators import without_chance
from harness.plan import keys
from harness.plan.derainers import DerainerPlan
from harness.plan.plan import ConditionPlan
from harness.work.scene import Scene, during

if TYPE_CHECKING:
    from derainers.derainer import Restorer

_log = logging.getLogger(__name__)


class Restorers:
    """A condition's derainer, one for each thread that asks."""

    def __init__(self, derainer: DerainerPlan, place: Placement) -> None:
        """Load it."""
        self._loaded, self._is_stateful = derainer.load(place), derainer.is_stateful
        self._local = threading.local()

    def own(self) -> Restorer:
        """This thread's own: some networks keep state in a forward, some beyond it."""
        if self._is_stateful:
            return copy.deepcopy(self._loaded)
        if not hasattr(self._local, "restorer"):
            from derainers.chain import per_thread

            self._local.restorer = per_thread(self._loaded)
        own: Restorer = self._local.restorer
        return own


@dataclass(frozen=True)
class Restoration:
    """An image as the tasks are shown it."""

    image: NDArrayByte
    """``uint8 (H, W, 3) RGB``, rounded as a saved file would be."""
    exact: NDArrayFloat | None = None
    """Before it was rounded; None where nothing was derained."""
    seconds: float | None = None
    """What deraining took; None where nothing was derained."""
    tile_px: int | None = None
    """Side of the smallest tiles that it was derained in; None = whole."""

    @property
    def is_new(self) -> bool:
        """Whether it was derained just now."""
        return self.exact is not None

    @property
    def judged(self) -> NDArrayByte | NDArrayFloat:
        """What metrics are shown, which round or cut in their own way."""
        return self.image if self.exact is None else self.exact


def restoration(
    scene: Scene,
    condition: ConditionPlan,
    restorer: Restorer | None,
    known: str | None,
    cached: bytes | None,
) -> Restoration:
    """Take an image from the cache, or derain it.

    Args:
        scene: The image under the condition's rain.
        condition: What is to become of it.
        restorer: The condition's derainer; None where images stay as they are.
        known: Digest of the image's pixels, where the ledger knows it.
        cached: The file in the cache, where there is one that may be used.

    Raises:
        UnfinishedError: If the image cannot be made, or is another than the ledger knows.
    """
    if restorer is None:
        return Restoration(scene.rainy)
    if known is not None and cached is not None:
        image = _sound(scene, condition, known, cached)
        if image is not None:
            return Restoration(image)
    made = _derained(scene, condition, restorer)
    with during("derain"):
        if known not in (None, keys.pixels_sha256(made.image)):
            raise ValueError(
                "derained again, the image is another than the ledger knows (other hardware?): "
                "use a fresh --workspace"
            )
    return made


def _derained(scene: Scene, condition: ConditionPlan, restorer: Restorer) -> Restoration:
    from derainers.chain import restored

    rainy, sample, derainer = scene.rainy, scene.entry.sample, condition.derainer

    def make() -> tuple[NDArrayFloat, int | None, float]:
        start = time.perf_counter()
        made = restored(restorer, rainy, sample.id)
        exact = np.asarray(made.image, np.float32)
        return exact, made.tile_px, time.perf_counter() - start

    with during("derain"):
        if derainer.is_own:
            seed = scene.plan.spec.seed if derainer.draws else 0  # as its key says
            exact, tile_px, seconds = without_chance(make, derainer.draws, seed, sample.id)
        else:
            exact, tile_px, seconds = make()
        if exact.shape != rainy.shape:
            raise ValueError(f"the derainer made {exact.shape} of {rainy.shape}")
        if not np.isfinite(exact).all():
            raise ValueError("the derainer returned non-finite values")
        return Restoration(image_io.round_to_bytes(exact), exact, seconds, tile_px)


def _sound(scene: Scene, condition: ConditionPlan, known: str, cached: bytes) -> NDArrayByte | None:
    """The image in the cache, unless its pixels are not those the ledger knows; says so."""
    with contextlib.suppress(image_io.UnreadableImageError):
        image = image_io.decode(cached, "cached image")
        if keys.pixels_sha256(image) == known:
            return image
    place = (scene.entry.sample.id, condition.rain, condition.derainer.name)
    _log.warning("%s (%s, %s): the cached image is damaged and made again", *place)
    return None
