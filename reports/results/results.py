"""The numbers of a run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from reports.results.gallery import GalleryItem
from reports.results.intervals import FEWEST, interval
from reports.results.record import Comparison, Correlation, Record

if TYPE_CHECKING:
    import pandas as pd


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


def _plain(record: Record) -> dict[str, Any]:
    """A record as JSON; what is at its usual value and says nothing is left out."""
    fields = asdict(record)
    if record.why is None:
        del fields["why"]
    if not record.n_identical:
        del fields["n_identical"]
    return fields
