"""What a number belongs to: a condition of the images, a task with its network, a metric."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

NO_RAIN = "none"
"""The rain of clean images."""
IDENTITY = "identity"
"""The derainer of images that stay as they are."""
MASK = "mask"
"""The stage that is an image of the rain alone, and is judged against the rain."""


class Data(NamedTuple):
    """A part of a data set."""

    name: str
    split: str


@dataclass(frozen=True)
class Condition:
    """One way the images look."""

    data: Data
    rain: str
    """A rain's name; `NO_RAIN` for the clean images."""
    seed: int
    """Seed of the rain."""
    derainer: str
    """A derainer's name, which may hold anything; `IDENTITY` for the images as they are."""
    stage: str | None = None
    """The intermediate output of the derainer that this is; None: the restored image."""

    @property
    def name(self) -> str:
        """The derainer and its stage as tables and files spell them."""
        return self.derainer if self.stage is None else f"{self.derainer}/{self.stage}"

    @property
    def is_dry(self) -> bool:
        """Whether no rain fell."""
        return self.rain == NO_RAIN

    @property
    def is_input(self) -> bool:
        """Whether nothing was derained: the clean images, or the rainy ones."""
        return self.derainer == IDENTITY

    @property
    def is_restored(self) -> bool:
        """Whether a derainer's image competes with others: no input and no stage."""
        return not self.is_input and self.stage is None

    @property
    def is_derained(self) -> bool:
        """Whether it is set against the rainy input; a mask is judged against the rain."""
        return not self.is_input and self.stage != MASK

    @property
    def rainy(self) -> Condition:
        """The same images without deraining."""
        return replace(self, derainer=IDENTITY, stage=None)

    @property
    def clean(self) -> Condition:
        """The images without rain and deraining."""
        return replace(self.rainy, rain=NO_RAIN)

    @property
    def dry(self) -> Condition:
        """What the derainer makes of the clean images."""
        return replace(self, rain=NO_RAIN)


class Judge(NamedTuple):
    """What scores images: a task with one of its networks, or image quality."""

    task: str
    """A task's name, or ``quality``."""
    network: str | None = None
    """The task network's name; None for quality."""


@dataclass(frozen=True)
class Cell:
    """The place of one number."""

    condition: Condition
    task: str
    """A task's name, or ``quality``."""
    network: str | None
    """The task network's name; None for quality."""
    metric: str
    """With its protocol."""

    @property
    def judge(self) -> Judge:
        """The task and its network."""
        return Judge(self.task, self.network)

    def of(self, metric: str) -> Cell:
        """The place of another metric of the same condition, task and network."""
        return replace(self, metric=metric)
