"""A task: how many pixels are bright? Its scorer, its network and its row."""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datasets.image import NDArrayByte
from datasets.sample import Sample
from tasks.models.rows import ModelRow
from tasks.rows import ScoresRow, TaskRow
from tasks.task import Evidence, MetricRow, Score

VERSION = 1
METRICS = {"count_error": MetricRow("count error", "score", higher_is_better=False)}


class Counter:
    """Counts pixels that are brighter than the level in its file."""

    def __init__(self, file: Path, device: str) -> None:
        """Read the level, a number in text."""
        self._level = int(file.read_text())

    def count(self, images: list[NDArrayByte]) -> list[float]:
        """Bright pixels of each image."""
        return [float((image.min(2) > self._level).sum()) for image in images]


class Counting:
    """Counting on one data set; see `tasks.task.Task`."""

    def __init__(self, build: Callable[[], Counter] | None) -> None:
        self._build = build
        self._counter: Counter | None = None

    def load(self) -> None:
        """Load the network."""
        if self._counter is None and self._build is not None:
            self._counter = self._build()

    def matched(self) -> Mapping[str, str | None]:
        """Nothing: there are no classes."""
        return {}

    def predict(self, images: list[NDArrayByte]) -> list[float]:
        """Bright pixels of each image."""
        self.load()
        assert self._counter is not None
        return self._counter.count(images)

    def pack(self, prediction: float) -> Evidence:
        """The count."""
        return {"count": np.array(prediction)}

    def unpack(self, arrays: Evidence) -> float:
        """The count."""
        return float(arrays["count"])

    def boxes(self, prediction: float) -> list[Any]:
        """None."""
        return []

    def colours(self, prediction: float) -> None:
        """Nothing."""

    def truth(self, sample: Sample) -> list[Any]:
        """None."""
        return []

    def labelled(self, image: NDArrayByte, sample: Sample) -> None:
        """Nothing."""

    def evidence(self, prediction: float, sample: Sample) -> Evidence:
        """The error as a share of the labelled area."""
        assert sample.annotations is not None
        area = float(sample.annotations.areas_px2.sum())
        return {"error": np.array(abs(prediction - area) / area)}

    def rows(self) -> dict[str, MetricRow]:
        """The one number."""
        return METRICS

    def reduce(self, evidences: Sequence[Evidence]) -> dict[str, Score]:
        """Mean over images."""
        return {"count_error": Score(float(self.by_image(evidences)["count_error"].mean()))}

    def resample(
        self,
        evidences: Sequence[Evidence],
        counts: NDArray[np.int64],
        units: Sequence[Hashable],
    ) -> dict[str, NDArray[np.float64]]:
        """Means of resampled sets."""
        values = self.by_image(evidences)["count_error"]
        return {"count_error": counts @ values / counts.sum(1)}

    def by_image(self, evidences: Sequence[Evidence]) -> dict[str, NDArray[np.float64]]:
        """The error of each image."""
        return {"count_error": np.array([float(e["error"]) for e in evidences])}

    def curves(self, evidences: Sequence[Evidence]) -> dict[str, NDArray[np.float64]]:
        """Nothing."""
        return {}


def write(folder: Path, predictions: Iterable[tuple[Sample, float]]) -> None:
    """Write ``counting.json``."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "counting.json").write_text(json.dumps({s.id: n for s, n in predictions}))


def read(
    path: Path, samples: Sequence[Sample], whole: Sequence[Sample], names: Mapping[int, str]
) -> Mapping[str, float]:
    """Read ``counting.json``."""
    found: dict[str, float] = json.loads(path.read_bytes())
    return found


COUNTING = TaskRow(
    measures="how many pixels are bright",
    scores=ScoresRow(
        title="Counting",
        caption="Count error: share of the labelled area.",
        primary="count_error",
        bound=0.01,
    ),
    metrics=METRICS,
    version=VERSION,
    make=lambda labels, build: Counting(build),
    names=lambda labels: labels.categories,
    labels="boxes",
    has_labels=lambda sample: sample.labels is not None,
    write=write,
    read=read,
)
COUNTER = ModelRow("counting", Counter, {}, ("numpy",), "Apache-2.0", needs="numpy")
