"""Numbers of a results folder that follow from others there: are they what does?"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.ledger.folder import CLOSE
from harness.spec import UsageError
from reports.findings.correlations import correlations
from reports.findings.effects import ROBUSTNESS
from reports.findings.robustness import with_robustness
from reports.results.cell import Cell
from reports.results.record import Correlation, Record
from reports.results.results import QUALITY, ByImage, Results
from reports.tables.by_image import column
from reports.tables.csv import inert

Row = Mapping[str, str]
OF_DIGITS = 0.01
"""How far a correlation of numbers may be off that six digits are written of."""


def require_derived(results: Results, lines: Sequence[Row]) -> None:
    """Refuse a folder whose own numbers contradict each other.

    Args:
        results: Its records and draws, which recoveries and harms follow from.
        lines: Its ``images.csv``, which means of quality and shares of images follow from.

    Raises:
        UsageError: Naming the first number that does not follow, and what does.
    """
    images = _by_image(results, lines)
    plain = [r for r in results.records if r.task != ROBUSTNESS]
    follows = with_robustness(replace(results, records=plain, by_image=images))
    derived = {r.cell: r for r in follows.records if r.task == ROBUSTNESS}
    for record in results.records:
        if record.task == ROBUSTNESS:
            there = derived.get(record.cell)
            _require(record, None if there is None else there.value, _ties(record, results, images))
        elif record.task == QUALITY and record.cell in images.values:
            values = images.values[record.cell]
            finite = values[np.isfinite(values)].astype(np.float64)
            _require(record, float(finite.mean()) if finite.size else None, 0.0)
    if results.seeds is None:
        _require_correlations(results, images)


def _require_correlations(results: Results, images: ByImage) -> None:
    """Refuse correlations that are not those of the numbers of single images.

    Their intervals are not looked at, nor what version 0.1 wrote.
    """
    plain = {r.derainer for r in results.records if r.weights is None}
    once = np.ones((1, len(images.samples)), np.uint8)
    follows = {_what(c): c for c in correlations(images, results.tasks, once, plain)}
    for found in (c for c in results.correlations if c.network is not None):
        other, near = follows.get(_what(found)), _open(found, images)
        for name in ("value", "partial"):
            said, told = (None if c is None else getattr(c, name) for c in (found, other))
            is_near = said is told if said is None or told is None else abs(said - told) <= near
            if not is_near:
                raise UsageError(
                    f"the correlation of {found.quality} with {found.metric} of {found.task} under "
                    f"{found.rain} is {said} in the folder, whose images give {told}: they were "
                    "not made by one run"
                )


def _what(found: Correlation) -> tuple[Any, ...]:
    """What a correlation is of."""
    judge = found.task, found.network, found.metric
    return found.rain, found.derainer, *judge, found.quality, found.is_learned, found.among


def _open(found: Correlation, images: ByImage) -> float:
    """How far a correlation may be off, since the written digits do not tell all ranks apart."""
    sides = [
        value
        for cell, value in images.values.items()
        if (cell.task, cell.metric) == (QUALITY, found.quality)
        and cell.condition.rain == found.rain
    ]
    if found.derainer is not None or not sides:
        return OF_DIGITS
    ordered = np.sort(np.stack(sides), 0)
    return OF_DIGITS + 2 * float((ordered[1:] == ordered[:-1]).any(0).mean())


def _by_image(results: Results, lines: Sequence[Row]) -> ByImage:
    """The numbers of single images as they are written."""
    samples = tuple(dict.fromkeys(line["image"] for line in lines))
    place = {sample: i for i, sample in enumerate(samples)}
    held: dict[tuple[str, str], list[Row]] = {}
    for line in lines:
        held.setdefault((line["rain"], line["derainer"]), []).append(line)
    values: dict[Cell, NDArray[np.float32]] = {}
    for cell in _cells(results):
        name = column(results, cell.judge, cell.metric)
        mine = held.get((str(inert(cell.condition.rain)), str(inert(cell.condition.name))), [])
        if name in lines[0]:
            values[cell] = np.full(len(samples), np.nan, np.float32)
            for line in mine:
                values[cell][place[line["image"]]] = _number(line, name)
    return ByImage(samples, samples, values)


def _number(line: Row, name: str) -> float:
    """A number as it is written; NaN where it is undefined."""
    try:
        return float(line[name] or "nan")
    except ValueError as error:
        raise UsageError(
            f"{name} of image {line['image']} is no number: {line[name][:20]!r}"
        ) from error


def _cells(results: Results) -> Iterator[Cell]:
    """The places of the numbers that single images have."""
    for record in results.records:
        if record.task != ROBUSTNESS:
            yield record.cell
            if metric := results.image_metric(record.task):
                yield record.cell.of(metric)


def _ties(record: Record, results: Results, images: ByImage) -> float:
    """Share of the images of which the written digits do not say whether they became worse."""
    kind, _, of = record.metric.partition("/")
    judges = [j for j in results.judges if results.primary(j.task) == of]
    if kind != "worse":
        return 0.0
    shares = []
    for judge in judges:
        metric = results.image_metric(judge.task) or of
        at = [Cell(c, *judge, metric) for c in (record.condition.rainy, record.condition)]
        if judge.network == record.model and all(cell in images.values for cell in at):
            before, after = (images.values[cell] for cell in at)
            shares.append(float((before == after).mean()))
    return max(shares, default=0.0)


def _require(record: Record, follows: float | None, open_share: float) -> None:
    """Refuse a number that is not what follows."""
    if record.value is None or follows is None:
        is_same = record.value is follows
    else:
        near = CLOSE * max(1.0, abs(follows)) + open_share
        is_same = math.isclose(record.value, follows, rel_tol=0, abs_tol=near)
    if not is_same:
        raise UsageError(
            f"{record.metric} of {record.condition.name} under {record.rain} is {record.value} in "
            f"the folder, whose other numbers give {follows}: they were not made by one run"
        )
