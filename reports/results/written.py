"""A run's numbers as ``results.json`` and arrays, and back; the only place that spells cells."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from reports.results.cell import Cell, Condition, Data
from reports.results.gallery import GalleryItem
from reports.results.metrics import MetricRow, TaskRow
from reports.results.provenance import Provenance
from reports.results.record import Correlation, Cost, ImageError, Record
from reports.results.results import ByImage, Results

ESCAPES = {"\\": "\\\\", "|": "\\|", "\0": "\\0"}
"""What stands in names that hold a bar, and what no name of a file may hold."""


def to_json(results: Results, files: Mapping[str, str] | None = None) -> str:
    """``results.json``: one record a line, strict JSON.

    Args:
        results: The run.
        files: The sha256 of every other file of its folder, by name; None in a ledger.
    """
    named = {} if files is None else {"files": dict(sorted(files.items()))}
    head = {
        "run": results.run,
        "spec": results.spec,
        "provenance": asdict(results.provenance),
        "cost": [_cost(cost) for cost in results.cost],
        **named,
        "errors": [asdict(error) for error in results.errors],
        "correlations": [asdict(c) for c in results.correlations],
        "tasks": {name: asdict(row) for name, row in results.tasks.items()},
        "metrics": {name: _metric(row) for name, row in results.metrics.items()},
    }
    lines = [json.dumps(_record(r), allow_nan=False) for r in results.records]
    text = json.dumps(head, indent=1, allow_nan=False)
    return text[: text.rindex("\n}")] + ',\n "records": [\n' + ",\n".join(lines) + "\n]}\n"


class _Cost(BaseModel):
    """A `Cost` as it is written; its condition by rain, derainer and stage."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

    rain: str
    derainer: str
    stage: str | None = None
    n: int
    median_s_per_image: float
    workers: int | None
    device: str
    tiled: int
    smallest_tile_px: int | None
    mean_s_per_image: float | None = None


class _Written(BaseModel):
    """What `to_json` writes, field by field."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

    run: str
    spec: dict[str, Any]
    provenance: Provenance
    cost: list[_Cost]
    errors: list[ImageError]
    records: list[Record]
    correlations: list[Correlation] = []
    tasks: dict[str, TaskRow] = {}
    metrics: dict[str, MetricRow] = {}
    files: dict[str, str] | None = None
    """Read where the folder is, see `reports.folder.named`."""


def parse(
    text: str,
    arrays: Mapping[str, NDArray[Any]],
    gallery: Callable[[Callable[[str, str], Condition]], list[GalleryItem]] = lambda _: [],
) -> Results:
    """Results from `to_json`'s text and `arrays_of`'s arrays.

    Args:
        text: The text.
        arrays: The arrays, or some of them.
        gallery: Makes the pictures, told what gives a condition by rain and by the name of derainer
            and stage; of one that was pictured and not measured there is no record.

    Raises:
        ValueError: If the text is not what `to_json` writes.
    """
    written = _Written.model_validate_json(text)
    json.dumps(written.spec, allow_nan=False)
    _require_rows(written)
    records = [_unspelled(r, written) for r in written.records]
    known = {(r.rain, r.condition.name): r.condition for r in records}
    models = {r.task: r.model for r in records}
    first = next(iter(records), None)
    asked = Data(str(written.spec.get("dataset")), written.spec.get("split") or "all")
    data = asked if first is None else first.condition.data
    seed = written.spec.get("seed", 0)

    def condition(rain: str, name: str, stage: str | None = None) -> Condition:
        derainer = name if stage is None else name.removesuffix(f"/{stage}")
        return known.get((rain, name)) or Condition(data, rain, seed, derainer, stage)

    kinds: dict[str, dict[Cell, NDArray[Any]]] = {"draws": {}, "images": {}, "curves": {}}
    pixels: dict[Condition, tuple[str, ...]] = {}
    for name, array in arrays.items():
        kind, *parts = _parts(name)
        if kind == "pixels":
            pixels[condition(*parts)] = tuple(map(str, array))
        elif kind in kinds:
            rain, derainer, task, *network, metric = parts
            # Version 0.1 did not write the network: each task had one.
            model = network[0] if network else models.get(task)
            kinds[kind][Cell(condition(rain, derainer), task, model, metric)] = array
    samples, units = (tuple(map(str, arrays.get(name, ()))) for name in ("samples", "units"))
    return Results(
        run=written.run,
        spec=written.spec,
        provenance=written.provenance,
        cost=[
            Cost(
                condition(row.rain, row.derainer, row.stage),
                **row.model_dump(exclude={"rain", "derainer", "stage"}),
            )
            for row in written.cost
        ],
        errors=written.errors,
        records=records,
        draws=kinds["draws"],
        metrics=written.metrics,
        tasks=written.tasks,
        gallery=gallery(condition),
        by_image=ByImage(samples, units, kinds["images"], pixels),
        curves=kinds["curves"],
        correlations=written.correlations,
    )


def _require_rows(written: _Written) -> None:
    """Refuse numbers whose metric has no row; version 0.1 wrote none of any.

    Raises:
        ValueError: If there are such.
    """
    held = {r.metric for r in written.records} | {c.metric for c in written.correlations}
    held |= {c.quality for c in written.correlations}
    if written.metrics and (strange := held - written.metrics.keys()):
        raise ValueError(f"no row of the metric {min(strange)}")


def arrays_of(results: Results) -> dict[str, NDArray[Any]]:
    """All arrays of a run under one name each, to be kept beside its JSON."""
    by_image = results.by_image
    pixels = {c: np.array(digests, np.str_) for c, digests in by_image.pixels.items()}
    return {
        "samples": np.array(by_image.samples, np.str_),
        "units": np.array(by_image.units, np.str_),
        **{f"draws|{spelled(cell)}": array for cell, array in results.draws.items()},
        **{f"images|{spelled(cell)}": array for cell, array in by_image.values.items()},
        **{f"pixels|{_joined((c.rain, c.name))}": array for c, array in pixels.items()},
        **{f"curves|{spelled(cell)}": array for cell, array in results.curves.items()},
    }


def draws_of(results: Results) -> dict[str, NDArray[np.float32]]:
    """The values on resampled sets by `spelled` cell, sorted: what ``draws.npz`` holds."""
    draws = {spelled(cell): array for cell, array in results.draws.items()}
    return dict(sorted(draws.items()))


def spelled(cell: Cell) -> str:
    """Rain, derainer, task, network and metric of a cell with bars between: its name in a run."""
    network = () if cell.network is None else (cell.network,)
    return _joined((cell.condition.rain, cell.condition.name, cell.task, *network, cell.metric))


def _joined(parts: Iterable[str]) -> str:
    return "|".join("".join(ESCAPES.get(sign, sign) for sign in part) for part in parts)


def _parts(name: str) -> list[str]:
    """The parts that `_joined` joined."""
    signs = {escape: sign for sign, escape in ESCAPES.items()}
    parts = re.findall(r"(?:^|\|)((?:\\.|[^|\\])*)", name, flags=re.DOTALL)
    return [re.sub(r"\\[\\|0]", lambda found: signs[found[0]], part) for part in parts]


def _unspelled(record: Record, written: _Written) -> Record:
    """A record whose derainer stands without its stage."""
    stage = record.stage
    if stage is None and not written.metrics:  # version 0.1 wrote the stage into the name alone
        asked = written.spec.get("intermediate") or ()
        stage = next((s for s in asked if record.derainer.endswith(f"/{s}")), None)
    if stage is None:
        return record
    return replace(record, derainer=record.derainer.removesuffix(f"/{stage}"), stage=stage)


def _record(record: Record) -> dict[str, Any]:
    """A record as JSON; what is at its usual value and says nothing is left out."""
    fields = asdict(record) | {"derainer": record.condition.name}
    for name, usual in (("why", None), ("n_identical", 0), ("stage", None), ("groups", None)):
        if fields[name] == usual:
            del fields[name]
    return fields


def _cost(cost: Cost) -> dict[str, Any]:
    """A cost as JSON, its condition by rain, derainer and, where there is one, stage."""
    condition = cost.condition
    fields = {k: v for k, v in asdict(cost).items() if k != "condition"}
    stage = {} if condition.stage is None else {"stage": condition.stage}
    return {"rain": condition.rain, "derainer": condition.name, **stage, **fields}


def _metric(row: MetricRow) -> dict[str, Any]:
    """A metric's row as JSON, without what is at its usual value."""
    usual = asdict(MetricRow("", "", 0, True))
    needed = ("title", "unit", "decimals", "higher_is_better")
    return {k: v for k, v in asdict(row).items() if k in needed or v != usual[k]}
