"""One number with all that it belongs to, and what stands beside the numbers of a run."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated

from pydantic import AliasChoices, Field

from reports.results.cell import Cell, Condition, Data, Judge


@dataclass(frozen=True)
class Record:
    """One number: condition, task, metric with its protocol, value, n, interval, provenance."""

    dataset: str
    split: str
    rain: str
    derainer: str
    """Without its stage."""
    weights: str | None
    """sha256 of the derainer's weight files, joined by ``+``; None without weights."""
    task: str
    """A task's name, or ``quality``."""
    model: str | None
    """The task network's name; None for quality."""
    metric: str
    value: float | None
    """In ``unit``; None where nothing was measured, and ``why`` says so."""
    n: int
    """Images that the value covers."""
    ci: tuple[float, float] | None
    """95 % interval over resampled images; None where it would not hold."""
    seen: tuple[str, ...] | None
    """What of this cell was trained on: rain and images by the derainer, task-rain and task-images
    by the task network; None = unknown."""
    seed: int
    unit: str
    """``fraction`` (in [0, 1]), ``dB``, or ``score`` (a scale of its own)."""
    why: str | None = None
    """Reason of an absent value, or of images left out of the mean."""
    n_identical: int = 0
    """Images left out of the mean because they equal their reference."""
    stage: str | None = None
    """Intermediate output of the derainer; None: the restored image."""
    groups: int | None = None
    """Units that were resampled and have a value; None where each of the ``n`` images is one."""

    @cached_property
    def condition(self) -> Condition:
        """What the images looked like."""
        data = Data(self.dataset, self.split)
        return Condition(data, self.rain, self.seed, self.derainer, self.stage)

    @cached_property
    def cell(self) -> Cell:
        """The number's place."""
        return Cell(self.condition, self.task, self.model, self.metric)

    @cached_property
    def judge(self) -> Judge:
        """The task and its network."""
        return Judge(self.task, self.model)

    @property
    def is_identical(self) -> bool:
        """Whether all images equal their reference: they have no PSNR, and nothing is above it."""
        return self.value is None and self.n_identical > 0

    @property
    def method(self) -> str:
        """The derainer's name without the digests of its weights, which `weights` holds."""
        name = self.condition.name
        for digest in (self.weights or "").split("+"):
            name = name.replace(f"@{digest[:8]}", "") if digest else name
        return name


def methods(records: Iterable[Record]) -> Callable[[Record], str]:
    """How rows are called in which trainings of one derainer stand together: `Record.method`.

    The package's weights have no digest in their names, and are no training like a user's: beside
    them those of files are ``granet@…``.
    """
    bare = {r.method for r in records if r.weights and r.method == r.condition.name}

    def called(record: Record) -> str:
        is_file = record.method != record.condition.name
        return f"{record.method}@…" if is_file and record.method in bare else record.method

    return called


@dataclass(frozen=True)
class Comparison:
    """A paired difference, second minus first, in the unit of both."""

    difference: float
    ci: tuple[float, float] | None
    """95 % interval over the same resampled images in both."""


@dataclass(frozen=True)
class Correlation:
    """Rank correlation of an image quality metric with a task's score of single images."""

    rain: str
    derainer: str | None
    """Across the images of this derainer; None: within each image across derainers, then the
    mean over images."""
    task: str
    metric: str
    """The task's score of one image."""
    quality: str
    value: float
    ci: tuple[float, float] | None
    """95 % interval over resampled images."""
    n: int
    """Images on which it rests."""
    network: str | None = None
    """The task network's name; None in what version 0.1 wrote."""
    among: int | None = None
    """Conditions that an image's ranks are of; None across images, and in results of before."""
    is_learned: bool = False
    """Whether the rainy input and derainers without weights are left out."""
    other_task: Annotated[
        float | None, Field(validation_alias=AliasChoices("other_task", "ceiling"))
    ] = None
    """The same correlation of the task's score with that of another task or network, the highest;
    None where the run has no other. Results of before call it ``ceiling``."""
    other_task_ci: Annotated[
        tuple[float, float] | None,
        Field(validation_alias=AliasChoices("other_task_ci", "ceiling_ci")),
    ] = None
    partial: float | None = None
    """Across images: given how hard each is, by its score when clean, or else when rainy."""
    partial_ci: tuple[float, float] | None = None
    other_seed: float | None = None
    """Within an image: the same correlation with the task's score under another seed of the rain;
    None of one seed."""
    other_seed_ci: tuple[float, float] | None = None

    @property
    def judge(self) -> Judge:
        """The task and its network."""
        return Judge(self.task, self.network)


@dataclass(frozen=True)
class ImageError:
    """An image that could not be finished, and is left out of all cells."""

    sample: str
    stage: str
    """Where it failed: read, decode, rain, derain, quality, predict, evidence, picture, keep."""
    message: str


@dataclass(frozen=True)
class Cost:
    """What deraining took under one condition."""

    condition: Condition
    n: int
    """Images whose time is known."""
    median_s_per_image: float
    workers: int | None
    """Images at a time; None where they were not of one run, or of one of before."""
    device: str
    tiled: int
    """Images that were derained in tiles."""
    smallest_tile_px: int | None
    """Side of the smallest tiles; None without."""
    mean_s_per_image: float | None = None
    """None in runs of before."""
