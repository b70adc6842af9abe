"""One number with all that it belongs to, and the numbers of a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    pass


@dataclass(frozen=True)
class Record:
    """One number: condition, task, metric with its protocol, value, n, interval, provenance."""

    dataset: str
    split: str
    rain: str
    derainer: str
    weights: str | None
    """sha256 of the derainer's weight file; None without weights."""
    task: str
    """A task's name, or ``quality``."""
    model: str | None
    """The task network's name; None for quality."""
    metric: str
    value: float | None
    """None where nothing was measured; ``why`` says so."""
    n: int
    """Images that the value covers."""
    ci: tuple[float, float] | None
    """95 % percentile interval over resampled images; None where it would not hold."""
    seen: tuple[str, ...] | None
    """What of this cell was trained on: rain, images, task-images; None = unknown."""
    seed: int
    unit: str
    why: str | None = None
    """Reason of an absent value, or of images left out of the mean."""
    n_identical: int = 0
    """Images left out of the mean because they equal their reference."""

    @property
    def is_derained(self) -> bool:
        """Whether it is of a derainer's image; a mask of rain is judged against the rain."""
        return self.derainer != "identity" and not self.derainer.endswith("/mask")

    def cell(self) -> str:
        """Name of the number within its run."""
        return "|".join((self.rain, self.derainer, self.task, self.metric))


def parts_of(cell: str) -> tuple[str, str, str, str]:
    """Rain, derainer, task and metric of a `Record.cell`; a derainer's name may hold anything."""
    rain, _, rest = cell.partition("|")
    derainer, task, metric = rest.rsplit("|", 2)
    return rain, derainer, task, metric


@dataclass(frozen=True)
class Comparison:
    """A paired difference, second minus first."""

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
    """The task's score of one image, see `IMAGE_METRIC`."""
    quality: str
    value: float
    ci: tuple[float, float] | None
    """95 % percentile interval over resampled images."""
    n: int
    """Images on which it rests."""


IMAGE_METRIC = {"detection": "f1@c25-iou50", "instance": "f1@c25-iou50", "semantic": "miou"}
"""What a task's score of a single image is."""


@dataclass(frozen=True)
class Failure:
    """An image that could not be finished."""

    sample: str
    stage: str
    message: str
