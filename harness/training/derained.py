"""Images behind a derainer, for a training that asks for the same ones again."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from datasets.image import (
    NDArrayByte,
    UnreadableImageError,
    decode,
    encode_png,
    round_to_bytes,
)
from datasets.marked import mark, why_not
from harness.ledger.images import ImageCache
from harness.machine.device import Placement
from harness.machine.disk import WorkspaceError
from harness.plan import keys
from harness.plan.derainers import DerainerPlan
from harness.plan.stages import made_by
from harness.spec import UsageError

if TYPE_CHECKING:
    from derainers.restorer import Restorer
    from harness.spec import RunSpec


@dataclass
class Derained:
    """Derains an image once: it stays in the workspace, where runs keep theirs, if there is room.

    An image without rain comes again every epoch, and all come again in a training of another
    network with the same seed.
    """

    restorer: Restorer
    made_by: str
    """Key of all that decides the outcome but the image."""
    cache: ImageCache | None
    """None where what a derainer gives may depend on more than the image, as of a user's code."""
    room_bytes: float
    """What may be added to the cache."""

    @staticmethod
    def of(plan: DerainerPlan, place: Placement, spec: RunSpec) -> Derained:
        """A derainer on a device, with the workspace of a spec, in which it makes room first.

        Raises:
            DerainerError: If it cannot be built.
            UsageError: If one of its files was changed since it was named, or the workspace cannot
                be written.
        """
        about = {"derainer": plan.key, "place": asdict(place), **made_by("restored")}
        made_by_all, restorer = keys.key("derained", **about), plan.load(place)
        if plan.is_own:
            return Derained(restorer, made_by_all, None, 0.0)
        workspace = Path(spec.workspace)
        if said := why_not(workspace):
            raise UsageError(f"--workspace {said}")
        try:
            workspace.mkdir(parents=True, exist_ok=True)
            mark(workspace)
        except OSError as error:
            raise WorkspaceError(f"{workspace} cannot be written: {error.strerror}") from error
        cache = ImageCache(workspace)
        return Derained(restorer, made_by_all, cache, cache.trim(spec.cache_gb))

    def __call__(self, image: NDArrayByte, sample_id: str) -> NDArrayByte:
        """``uint8 (H, W, 3) RGB`` derained; the image given is left as it is."""
        if self.cache is None:
            return self._made(image, sample_id)
        key = keys.key("derained", by=self.made_by, image=keys.pixels_sha256(image))
        kept = self.cache.read(key)
        if kept is not None:
            try:
                return decode(kept, "cached image")
            except UnreadableImageError:
                pass
        made = self._made(image, sample_id)
        data = encode_png(made)
        if len(data) <= self.room_bytes:
            self.cache.write(key, data)
            self.room_bytes -= len(data)
        return made

    def _made(self, image: NDArrayByte, sample_id: str) -> NDArrayByte:
        from derainers.restorer import restored

        return round_to_bytes(restored(self.restorer, image, sample_id).image)
