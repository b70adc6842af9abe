"""One number with all that it belongs to, and the numbers of a run."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, TypeAdapter

if TYPE_CHECKING:
    import pandas as pd


LEVEL = 0.05
"""Of verdicts: at most so many families of derainers hold a wrong one."""
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
class ByImage:
    """The numbers of single images, for pictures, box plots and correlations."""

    samples: tuple[str, ...] = ()
    """Ids of the n images."""
    units: tuple[str, ...] = ()
    """What each was resampled with: itself, its drive or scene, or a block of images."""
    values: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    """``(n,)`` by `Record.cell`: quality metrics and `IMAGE_METRIC`; infinite where an image equals
    its reference, NaN where undefined."""
    pixels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The first 16 digits of the sha256 of the pixels shown, by rain and derainer with a bar
    between."""


@dataclass(frozen=True)
class GalleryItem:
    """One picture of the gallery with what a detector saw in it."""

    sample: str
    why: str
    """Why this image was chosen, in words."""
    rain: str
    derainer: str
    jpeg: bytes
    """At full size."""
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
    def of(about: Sequence[str], data: bytes) -> GalleryItem:
        """From ``sample why rain derainer key`` and the ledger's row: a line of JSON, a JPEG.

        Raises:
            ValueError, KeyError, TypeError: If they are not what a run wrote.
        """
        sample, why, rain, derainer, key = about
        head, _, jpeg = data.partition(b"\n")
        seen = json.loads(head)
        labelled, truths = (
            {task: base64.b64decode(data) for task, data in seen[name].items()}
            for name in ("labelled", "truths")
        )
        fields = {
            "sample": sample,
            "why": why,
            "rain": rain,
            "derainer": derainer,
            "jpeg": jpeg,
            "width": seen["width"],
            "height": seen["height"],
            "boxes": seen["boxes"],
            "labelled": labelled,
            "truth": seen["truth"],
            "truths": truths,
            "key": key,
        }
        return _ITEM.validate_python(fields)


_ITEM = TypeAdapter(GalleryItem)


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
    by_image: ByImage = field(repr=False, default_factory=ByImage)
    curves: dict[str, NDArray[np.float32]] = field(repr=False, default_factory=dict)
    """Precision at 101 recalls from 0 to 1, IoU 0.5, by cell of the pooled AP it belongs to."""
    correlations: list[Correlation] = field(repr=False, default_factory=list)

    @property
    def frame(self) -> pd.DataFrame:
        """The records as a table."""
        import pandas as pd

        return pd.DataFrame([asdict(r) for r in self.records])

    def value(self, rain: str, derainer: str, task: str, metric: str) -> Record | None:
        """One record, None if the run does not hold it."""
        return self._by_cell.get("|".join((rain, derainer, task, metric)))

    @cached_property
    def _by_cell(self) -> dict[str, Record]:
        return {r.cell(): r for r in reversed(self.records)}

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
        head["correlations"] = [asdict(c) for c in self.correlations]
        lines = [json.dumps(_plain(r), allow_nan=False) for r in self.records]
        text = json.dumps(head, indent=1, allow_nan=False)
        return text[: text.rindex("\n}")] + ',\n "records": [\n' + ",\n".join(lines) + "\n]}\n"


class _Written(BaseModel):
    """What ``to_json`` writes, field by field."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

    run: str
    spec: dict[str, Any]
    provenance: dict[str, Any]
    cost: list[dict[str, Any]]
    errors: list[dict[str, str]]
    records: list[Record]
    correlations: list[Correlation] = []


def parse(text: str, arrays: Mapping[str, NDArray[Any]], gallery: list[GalleryItem]) -> Results:
    """Results from ``to_json``'s text and `arrays_of`'s arrays.

    Raises:
        ValueError: If the text is not what ``to_json`` writes.
    """
    written = _Written.model_validate_json(text)
    json.dumps([written.spec, written.provenance, written.cost], allow_nan=False)
    if any(error.keys() != {"sample", "stage", "message"} for error in written.errors):
        raise ValueError("errors have sample, stage and message")
    kinds: dict[str, dict[str, NDArray[Any]]] = {}
    for name, array in arrays.items():
        kind, _, cell = name.partition("|")
        kinds.setdefault(kind, {})[cell] = array
    samples, units = (tuple(map(str, arrays.get(name, ()))) for name in ("samples", "units"))
    return Results(
        run=written.run,
        spec=written.spec,
        provenance=written.provenance,
        cost=written.cost,
        errors=written.errors,
        records=written.records,
        draws=kinds.get("draws", {}),
        gallery=gallery,
        by_image=ByImage(
            samples,
            units,
            kinds.get("images", {}),
            {name: tuple(map(str, array)) for name, array in kinds.get("pixels", {}).items()},
        ),
        curves=kinds.get("curves", {}),
        correlations=written.correlations,
    )


def arrays_of(results: Results) -> dict[str, NDArray[Any]]:
    """All arrays of a run under one name each, to be kept beside its JSON."""
    return {
        "samples": np.array(results.by_image.samples, np.str_),
        "units": np.array(results.by_image.units, np.str_),
        **{f"draws|{cell}": array for cell, array in results.draws.items()},
        **{f"images|{cell}": array for cell, array in results.by_image.values.items()},
        **{f"pixels|{name}": np.array(d, np.str_) for name, d in results.by_image.pixels.items()},
        **{f"curves|{cell}": array for cell, array in results.curves.items()},
    }


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
