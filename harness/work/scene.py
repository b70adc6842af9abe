"""One image before it is derained: clean, under a rain, and as it should come out."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from datasets.image import NDArrayByte
from datasets.rain import generator
from harness.plan.plan import Plan
from harness.plan.unit_keys import Entry, once
from reports.results.cell import MASK, NO_RAIN, Condition
from tasks.quality import Planes

GIVEN = "given"
"""The rain of images that the data set brings."""


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
class Photograph:
    """The image of one entry as it was taken, read when it is first asked for."""

    entry: Entry

    @once
    def pixels(self) -> NDArrayByte:
        """The photograph itself."""
        with during("decode"):
            return self.entry.sample.image()


@dataclass(frozen=True)
class Scene:
    """The images of one entry under one rain, each made once for all derainers."""

    plan: Plan
    rain: str
    """Name of the rain, or ``none``."""
    photograph: Photograph

    @property
    def entry(self) -> Entry:
        """Whose image it is."""
        return self.photograph.entry

    @property
    def clean(self) -> NDArrayByte:
        """The photograph."""
        return self.photograph.pixels

    @property
    def rainy(self) -> NDArrayByte:
        """The photograph under the rain."""
        return self._fallen[0]

    @property
    def dry(self) -> NDArrayByte:
        """The scene without drops, veil and lens: the photograph, or what its rain says."""
        # What the data set brings as rainy needs no clean image, which may not be there.
        return self.clean if self.rain == GIVEN else self._fallen[1]

    @once
    def _fallen(self) -> tuple[NDArrayByte, NDArrayByte]:
        """The rainy image, and the dry scene behind it where a rain of ours fell."""
        sample = self.entry.sample
        if self.rain == NO_RAIN:
            return self.clean, self.clean
        if self.rain == GIVEN:
            with during("decode"):
                given = sample.given_rain()
            return given, given
        clean = self.clean
        with during("decode"):
            depth = sample.depth_m()
        with during("rain"):
            rain = self.plan.rains[self.rain]
            fallen = rain.render(clean, generator(self.plan.spec.seed, rain, sample.id), depth)
        return fallen.image, fallen.truth(clean)  # its layers are let go

    @once
    def _judged_by(self) -> Planes:
        """The dry scene, with what metrics make of it: once for all derainers."""
        return Planes(self.dry)

    @once
    def judged_by_on_device(self) -> Planes:
        """The same where the run's networks compute."""
        import torch

        return Planes(torch.from_numpy(self.dry).to(self.plan.placement.device))

    def reference(self, place: Condition) -> Planes:
        """What a derainer should have made: the dry scene; of a mask of rain, the rain."""
        if place.stage != MASK:
            return self._judged_by
        # Where the rain darkened, a mask that is stored as an image holds nothing.
        rain = np.where(self.rainy > self.dry, self.rainy - self.dry, 0)
        return Planes(rain.astype(np.uint8))
