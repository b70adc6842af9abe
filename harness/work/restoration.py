"""What deraining one image gave: the image, and what that took."""

from __future__ import annotations

import contextlib
import copy
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

import datasets.image as image_io
from datasets.image import NDArrayByte, NDArrayFloat
from harness.machine.device import Placement
from harness.machine.generators import without_chance
from harness.plan import keys
from harness.plan.derainers import DerainerPlan
from harness.plan.own_code import nothing_unnamed
from harness.plan.plan import ConditionPlan
from harness.spec import UsageError
from harness.work.scene import Scene, during
from harness.work.seats import PerSeat, Seat, Seats

if TYPE_CHECKING:
    from derainers.derainer import Derainer
    from derainers.restorer import Restored, Restorer

_log = logging.getLogger(__name__)


class Restorers:
    """A condition's derainer, one for each seat."""

    def __init__(self, derainer: DerainerPlan, place: Placement, seats: Seats) -> None:
        """Load it."""
        self._loaded, self._plan = derainer.load(place), derainer
        self._seats, self._own = seats, PerSeat(seats, self._made)

    def own(self) -> Restorer:
        """This seat's own: some networks keep state in a forward, some beyond it."""
        return self._made(self._seats.own()) if self._plan.is_stateful else self._own()

    def _made(self, seat: Seat) -> Restorer:
        from derainers.restorer import in_turn, per_thread

        if self._plan.is_stateful:
            return in_turn(copy.deepcopy(self._loaded), seat)
        # What a user's forward does to its weights nobody knows.
        return in_turn(per_thread(self._loaded, not self._plan.is_own), seat)


@dataclass(frozen=True)
class Restoration:
    """An image as the tasks are shown it."""

    image: NDArrayByte
    """``uint8 (H, W, 3) RGB``, rounded as a saved file would be."""
    is_new: bool = False
    """Whether it was derained just now."""
    exact: NDArrayFloat | None = None
    """Before it was rounded, where that was asked for and something was derained."""
    seconds: float | None = None
    """What deraining took; None where nothing was derained."""
    tile_px: int | None = None
    """Side of the smallest tiles that it was derained in; None = whole."""

    @property
    def judged(self) -> NDArrayByte | NDArrayFloat:
        """What metrics are shown, which round or cut in their own way."""
        return self.image if self.exact is None else self.exact


def restoration(
    scene: Scene,
    condition: ConditionPlan,
    restorer: Restorer | None,
    known: str | None = None,
    cached: bytes | None = None,
    exact: bool = False,
) -> Restoration:
    """Take an image from the cache, or derain it.

    Args:
        scene: The image under the condition's rain.
        condition: What is to become of it.
        restorer: The condition's derainer; None where images stay as they are.
        known: Digest of the image's pixels, where the ledger knows it.
        cached: The file in the cache, where there is one that may be used.
        exact: Whether its values before rounding are needed too, which a file has not.

    Raises:
        UnfinishedError: If the image cannot be made, or is another than the ledger knows.
    """
    if restorer is None:
        return Restoration(scene.rainy)
    if known is not None and cached is not None:
        image = _sound(scene, condition, known, cached)
        if image is not None:
            return Restoration(image)
    made = _derained(scene, condition, restorer, exact)
    with during("derain"):
        if known not in (None, keys.pixels_sha256(made.image)):
            place = (scene.entry.sample.id, condition.rain, condition.derainer.name)
            raise UsageError(
                f"{' under '.join(place[:2])}: derained again, by {place[2]}, the image is another "
                "than this workspace knows (other hardware, another --limit on a device): its "
                "numbers stay; measure what is new in a fresh --workspace"
            )
    return made


def restored_together(
    scenes: Sequence[Scene], restorer: Derainer, exact: bool
) -> list[Restoration]:
    """Derain images of one size in one batch; arguments and errors are those of `restoration`."""
    with during("derain"):
        start = time.perf_counter()
        made = restorer.measured_together([scene.rainy for scene in scenes])
        each_s = (time.perf_counter() - start) / len(scenes)
        return [_rounded(m, s, each_s, exact) for m, s in zip(made, scenes, strict=True)]


def _derained(
    scene: Scene, condition: ConditionPlan, restorer: Restorer, exact: bool
) -> Restoration:
    from derainers.restorer import restored

    rainy, sample, derainer = scene.rainy, scene.entry.sample, condition.derainer

    def make() -> tuple[Restored, float]:
        start = time.perf_counter()
        made = restored(restorer, rainy, sample.id)
        return made, time.perf_counter() - start

    with during("derain"):
        if derainer.is_own:
            seed = scene.plan.spec.seed if derainer.draws else 0  # as its key says
            with nothing_unnamed(derainer.name, derainer.identities):
                made, seconds = without_chance(make, derainer.draws, seed, sample.id)
        else:
            made, seconds = make()
        return _rounded(made, scene, seconds, exact)


def _rounded(made: Restored, scene: Scene, seconds: float, exact: bool) -> Restoration:
    """What a derainer made as the tasks are shown it, once it is seen to be an image."""
    levels = np.asarray(made.image, np.float32)
    if levels.shape != scene.rainy.shape:
        raise ValueError(f"the derainer made {levels.shape} of {scene.rainy.shape}")
    if not np.isfinite(levels).all():
        raise ValueError("the derainer returned non-finite values")
    image = image_io.round_to_bytes(levels)
    return Restoration(image, True, levels if exact else None, seconds, made.tile_px)


def _sound(scene: Scene, condition: ConditionPlan, known: str, cached: bytes) -> NDArrayByte | None:
    """The image in the cache, unless its pixels are not those the ledger knows; says so."""
    with contextlib.suppress(image_io.UnreadableImageError):
        image = image_io.decode(cached, "cached image")
        if keys.pixels_sha256(image) == known:
            return image
    place = (scene.entry.sample.id, condition.rain, condition.derainer.name)
    _log.warning("%s (%s, %s): the cached image is damaged and made again", *place)
    return None
