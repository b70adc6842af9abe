"""One number with all that it belongs to, and the numbers of a run."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd


FEWEST = 20
"""Fewer groups (images, or drives of them) give no interval: there is too little to resample."""


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

    def cell(self) -> str:
        """Name of the number within its run."""
        return "|".join((self.rain, self.derainer, self.task, self.metric))


@dataclass(frozen=True)
class Comparison:
    """A paired difference, second minus first."""

    difference: float
    ci: tuple[float, float] | None
    """95 % interval over the same resampled images in both."""


@dataclass(frozen=True)
class GalleryItem:
    """One picture of the gallery with what a detector saw in it."""

    sample: str
    rain: str
    derainer: str
    jpeg: bytes
    width: int
    height: int
    """Size in pixels of the picture that the boxes refer to."""
    boxes: tuple[tuple[float, float, float, float, float, str], ...]
    """Left, top, right, bottom in pixels, confidence, class; from confidence 0.25."""
    labelled: Mapping[str, bytes]
    """The picture with its masks or its label map coloured in, as JPEG, by task."""
    truth: tuple[tuple[float, float, float, float, str], ...]
    """The labelled boxes: left, top, right, bottom in pixels, class."""
    truths: Mapping[str, bytes]
    """The picture with the labelled masks or classes coloured in; of one condition alone."""
    key: str
    """Of the picture in the ledger."""

    @staticmethod
    def of(sample: str, rain: str, derainer: str, key: str, data: bytes) -> GalleryItem:
        """From the ledger's row: a line of JSON, then the JPEG."""
        head, _, jpeg = data.partition(b"\n")
        about = json.loads(head)
        boxes = tuple(tuple(box) for box in about["boxes"])
        truth = tuple(tuple(box) for box in about.get("truth", ()))
        labelled, truths = (
            {task: base64.b64decode(data) for task, data in about.get(name, {}).items()}
            for name in ("labelled", "truths")
        )
        return GalleryItem(
            sample=sample,
            rain=rain,
            derainer=derainer,
            jpeg=jpeg,
            width=about["width"],
            height=about["height"],
            boxes=boxes,
            labelled=labelled,
            truth=truth,
            truths=truths,
            key=key,
        )


@dataclass(frozen=True)
class Results:
    """What a run found."""

    run: str
    spec: dict[str, Any]
    provenance: dict[str, Any]
    """What depends on clock and host."""
    cost: list[dict[str, Any]]
    errors: list[dict[str, str]]
    records: list[Record]
    draws: dict[str, NDArray[np.float32]] = field(repr=False)
    """Values of each primary metric on the resampled sets, by `Record.cell`."""
    gallery: list[GalleryItem] = field(repr=False, default_factory=list)

    @property
    def frame(self) -> pd.DataFrame:
        """The records as a table."""
        import pandas as pd

        return pd.DataFrame([asdict(r) for r in self.records])

    def value(self, rain: str, derainer: str, task: str, metric: str) -> Record | None:
        """One record, None if the run does not hold it."""
        cell = "|".join((rain, derainer, task, metric))
        return next((r for r in self.records if r.cell() == cell), None)

    def compare(self, first: Record, second: Record) -> Comparison | None:
        """Paired difference of two records of one run; None where a value is missing.

        It has no interval below 20 groups of images, where there is too little to resample.
        """
        if first.value is None or second.value is None:
            return None
        difference = second.value - first.value
        a, b = self.draws.get(first.cell()), self.draws.get(second.cell())
        groups = self.provenance.get("groups", first.n)
        if a is None or b is None or groups < FEWEST:
            return Comparison(difference, None)
        return Comparison(difference, interval(b - a))

    def report(self, directory: str | Path, layout: str | None = None) -> None:
        """Write results, tables, plots and the page into a folder; see `reports.write`."""
        from reports import write

        write(self, Path(directory), layout)

    def to_json(self) -> str:
        """``results.json``: one record a line, strict JSON."""
        head = {k: getattr(self, k) for k in ("run", "spec", "provenance", "cost", "errors")}
        lines = [json.dumps(_plain(r), allow_nan=False) for r in self.records]
        text = json.dumps(head, indent=1, allow_nan=False)
        return text[: text.rindex("\n}")] + ',\n "records": [\n' + ",\n".join(lines) + "\n]}\n"


def parse(text: str, draws: dict[str, NDArray[np.float32]], gallery: list[GalleryItem]) -> Results:
    """Results from ``to_json``'s text."""
    content = json.loads(text)
    records = [
        Record(
            **{**r, "ci": _pair(r["ci"]), "seen": None if r["seen"] is None else tuple(r["seen"])}
        )
        for r in content.pop("records")
    ]
    return Results(**content, records=records, draws=draws, gallery=gallery)


def interval(draws: NDArray[Any]) -> tuple[float, float] | None:
    """95 % percentile interval; None where no draw is defined."""
    defined = draws[np.isfinite(draws)].astype(np.float64)
    if not defined.size:
        return None
    low, high = np.percentile(defined, [2.5, 97.5])
    return float(low), float(high)


def level_interval(draws: NDArray[Any], value: float, groups: int) -> tuple[float, float] | None:
    """Interval of a level, None where it would mislead.

    Below 20 groups (images, or drives of them) there is too little to resample; and where the mean
    of the draws lies 0.25 standard deviations or more from the value (AP over many classes and few
    images), the interval covers the truth about half the time.
    """
    defined = draws[np.isfinite(draws)].astype(np.float64)
    if groups < FEWEST or not defined.size:
        return None
    if abs(float(defined.mean()) - value) > 0.25 * float(defined.std()):
        return None
    return interval(defined)


def _plain(record: Record) -> dict[str, Any]:
    """A record as JSON; what is at its usual value and says nothing is left out."""
    fields = asdict(record)
    if record.why is None:
        del fields["why"]
    if not record.n_identical:
        del fields["n_identical"]
    return fields


def _pair(ci: list[float] | None) -> tuple[float, float] | None:
    return None if ci is None else (ci[0], ci[1])
