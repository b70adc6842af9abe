"""What a task is: prediction, evidence of one image, scores of a set."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from datasets.image import NDArrayByte
from datasets.sample import Sample

Evidence = Mapping[str, NDArray[Any]]
"""What one image contributes to the scores of a set: named arrays, a few kilobytes."""

Unit = Literal["fraction", "dB", "score"]
"""A ``fraction`` lies in [0, 1]; a ``score`` has a scale of its own."""

ROUNDING = 1e-6
"""How far above 1 the softmax or product of single floats may end that is 1."""

FEWEST_UNITS = 20
"""Images, or drives of them, that a class must stand in to be resampled: with fewer an interval
would mislead."""


def has_draws(holding: NDArray[np.int64], units: Sequence[Hashable]) -> bool:
    """Whether a class stands in units enough to be resampled.

    Args:
        holding: Places of the images that hold it.
        units: What each image of the set is drawn with: its drive, video or scene, or itself.
    """
    return len({units[i] for i in holding}) >= FEWEST_UNITS


class TaskError(ValueError):
    """A task network or prediction that cannot be used; the message names cause and remedy."""


class Predictions(dict[str, Any]):
    """Predictions by sample id, with what a reader of their numbers must know."""

    def __init__(self, *, notes: Sequence[str] = ()) -> None:
        """Take the sentences."""
        super().__init__()
        self.notes = tuple(notes)


@dataclass(frozen=True)
class MetricRow:
    """One number of a task: all that a table must know to show it."""

    title: str
    """Heading, without the unit."""
    unit: Unit = "fraction"
    higher_is_better: bool = True
    caption: str = ""
    """What it computes, where the caption of its task does not say."""
    is_column: bool = True
    """Whether the main table shows it; ``results.csv`` has every number."""
    is_judged: bool = False
    """Whether ``regress OLD NEW`` judges it unasked."""
    by: Literal["class", "size"] | None = None
    """The table of classes and object sizes shows it, as the score of ``label`` alone."""
    label: str = ""
    """The class or size."""

    def of(self, by: Literal["class", "size"], label: str) -> MetricRow:
        """The same number of one class or object size alone."""
        return replace(self, by=by, label=label, is_column=False, is_judged=False)


@dataclass(frozen=True)
class Score:
    """One number over a set of images, in the unit of its `MetricRow`."""

    value: float | None
    """None where nothing was measured; ``why`` then says so."""
    why: str | None = None
    """Reason of an absent value, or of images left out of the mean."""
    n_identical: int = 0
    """Images whose value is infinite because both pictures are the same; not in the mean."""


class Scorer(Protocol):
    """What makes numbers of a set out of evidence of single images."""

    def rows(self) -> dict[str, MetricRow]:
        """Every number that `reduce` may give, by metric, in the order of tables."""
        ...

    def reduce(self, evidences: Sequence[Evidence]) -> dict[str, Score]:
        """Scores of a set; the order of the images does not matter."""
        ...

    def resample(
        self,
        evidences: Sequence[Evidence],
        counts: NDArray[np.int64],
        units: Sequence[Hashable],
    ) -> dict[str, NDArray[np.float64]]:
        """Scores of sets drawn with replacement.

        Args:
            evidences: One per image, in the order that ``reduce`` gets.
            counts: ``(B, n)``: how often draw b holds image i.
            units: What each image is drawn with, see `has_draws`.

        Returns:
            ``(B,)`` values of each primary metric, NaN where a draw leaves it undefined.
        """
        ...

    def by_image(self, evidences: Sequence[Evidence]) -> dict[str, NDArray[np.float64]]:
        """One number per image, ``(n,)``, NaN where undefined: for pictures and correlations."""
        ...

    def curves(self, evidences: Sequence[Evidence]) -> dict[str, NDArray[np.float64]]:
        """Precision at 101 recalls, IoU 0.5, by the pooled metric it belongs to; or nothing."""
        ...


@runtime_checkable
class BesideClean(Protocol):
    """What a scorer can do besides: tell of a set by what was found in its clean images."""

    def beside_clean(
        self,
        clean: Sequence[Evidence],
        evidences: Sequence[Evidence],
        counts: NDArray[np.int64],
        units: Sequence[Hashable] | None = None,
    ) -> dict[str, NDArray[np.float64]]:
        """Numbers of resampled sets.

        Args:
            clean: One per image, of the images without rain and deraining.
            evidences: One per image, in the same order.
            counts: ``(B, n)``: how often draw b holds image i.
            units: What each image is drawn with, see `has_draws`; None = of the set as it is, of
                which every class is told.

        Returns:
            ``(B,)`` by metric, NaN where a draw leaves it undefined.
        """
        ...


class Task(Scorer, Protocol):
    """One vision task with its network and its scorer."""

    def load(self) -> None:
        """Load the network now, so that a bad file is told before work starts."""
        ...

    def matched(self) -> Mapping[str, str | None]:
        """The network's name of each class of the data set, None where it has none.

        A network that was not loaded yet is; nothing where classes are not matched by name.
        """
        ...

    def predict(self, images: list[NDArrayByte]) -> list[Any]:
        """Run the network on images, ``uint8 (H, W, 3) RGB``; one prediction each."""
        ...

    def pack(self, prediction: Any) -> Evidence:
        """A prediction as named arrays, to be kept."""
        ...

    def unpack(self, arrays: Evidence) -> Any:
        """The prediction that `pack` packed."""
        ...

    def boxes(self, prediction: Any) -> list[tuple[float, float, float, float, float, str]]:
        """Left, top, right, bottom in pixels, confidence and class of what is worth drawing."""
        ...

    def colours(self, prediction: Any) -> NDArrayByte | None:
        """What is worth drawing over the pixels: ``uint8 (H, W)``, `IGNORED` where nothing is."""
        ...

    def evidence(self, prediction: Any, sample: Sample) -> Evidence:
        """Compare one prediction with one image's labels."""
        ...

    def truth(self, sample: Sample) -> list[tuple[float, float, float, float, str]]:
        """Left, top, right, bottom in pixels and class of the labelled boxes, for the page."""
        ...

    def labelled(self, image: NDArrayByte, sample: Sample) -> NDArrayByte | None:
        """The image with what should have been coloured; None where lines or nothing is drawn."""
        ...
