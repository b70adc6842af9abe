"""One image before it is derained: clean, under its rain, and as it should come out."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from datasets.image import NDArrayByte
from datasets.rain import RainyImage, generator
from harness.plan.plan import ConditionPlan, Plan
from harness.plan.unit_keys import Entry, once
from reports.results.cell import MASK


class UnfinishedError(Exception):
    """What went wrong in one image's work, with the stage it was at."""

    def __init__(self, stage: str, cause: Exception) -> None:
        super().__init__(stage)
        self.stage, self.cause = stage, cause


@contextlib.contextmanager
def during(stage: str) -> Iterator[None]:
    """Say of any error within at which stage of the work it happened.

    Raises:
        UnfinishedError: From that error; of stages within each other the inner one stands.
    """
    try:
        yield
    except UnfinishedError:
        raise
    except Exception as error:
        raise UnfinishedError(stage, error) from error


@dataclass(frozen=True)
class Scene:
    """The images of one entry under one condition, each made when it is first asked for."""

    plan: Plan
    condition: ConditionPlan
    entry: Entry

    @once
    def clean(self) -> NDArrayByte:
        """The photograph."""
        with during("decode"):
            return self.entry.sample.image()

    @once
    def rainy(self) -> NDArrayByte:
        """The photograph under the condition's rain."""
        sample, rain_name = self.entry.sample, self.condition.rain
        if self.condition.place.is_dry:
            return self.clean
        if rain_name == "given":
            with during("decode"):
                return sample.given_rain()
        return self._fallen.image

    @once
    def _fallen(self) -> RainyImage:
        """What one of our rains makes of the photograph."""
        sample, clean = self.entry.sample, self.clean
        with during("decode"):
            depth = sample.depth_m()
        with during("rain"):
            rain = self.plan.rains[self.condition.rain]
            rng = generator(self.plan.spec.seed, rain, sample.id)
            return rain.render(clean, rng, depth)

    @once
    def _dry(self) -> NDArrayByte:
        """The scene without drops, veil and lens: the photograph, or what its rain says."""
        if self.condition.place.is_dry or self.condition.rain == "given":
            return self.clean
        return self._fallen.truth(self.clean)

    @once
    def reference(self) -> NDArrayByte:
        """What the derainer should have made: the dry scene; of a mask of rain, the rain."""
        dry = self._dry
        if self.condition.place.stage != MASK:
            return dry
        # Where the rain darkened, a mask that is stored as an image holds nothing.
        return np.where(self.rainy > dry, self.rainy - dry, 0).astype(np.uint8)
