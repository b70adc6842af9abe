"""What decides a number beside its images, the seed of its rain and its weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from reports.results.record import Record
    from reports.results.results import Results


class Made(NamedTuple):
    """Digests and versions of what made a number; None where it has none, or they are not known."""

    labels: str | None
    network: str | None
    rain: str | None
    version: int | None
    """Of the metric, or of the task's evidence."""
    derainer: tuple[Mapping[str, str | None], str] | None
    """Versions of packages and our sources, and the digest of code under these; None of one with
    weights, which tell its trainings apart."""


def made_by(run: Results, record: Record) -> Made:
    """What made a number of a run."""
    told = run.provenance
    training = told.trainings.get(record.task, {}).get(record.model or "")
    versions = told.metric_versions or {}
    code = None if record.weights else (told.code or {}).get(record.condition.name)
    return Made(
        labels=(told.labels or {}).get(record.task),
        network=None if training is None else training.sha256,
        rain=(told.rains or {}).get(record.rain),
        version=versions.get(record.metric if record.model is None else record.task),
        derainer=None if code is None else (told.versions, code),
    )


def apart(first: Made, second: Made) -> set[str]:
    """The fields in which two numbers are of other things for certain.

    Code has another digest under other sources of ours, which then says nothing.
    """
    pairs = zip(Made._fields, first, second, strict=True)
    found = {name for name, a, b in pairs if None not in (a, b) and a != b}
    if first.derainer and second.derainer and first.derainer[0] != second.derainer[0]:
        found -= {"derainer"}
    return found
