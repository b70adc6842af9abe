"""Records as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from reports.tables.text import change, plain

if TYPE_CHECKING:
    from reports.results.record import Record
    from reports.results.results import Results


def csv_text(results: Results, records: Sequence[Record]) -> str:
    """Records of a run, one a line; ``change`` is `change`'s."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    names = ["dataset", "split", "rain", "derainer", "weights", "task", "model", "metric", "value"]
    names += ["n", "ci_low", "ci_high", "change", "change_low", "change_high"]
    names += ["seen", "seed", "unit", "why", "n_identical", "stage"]
    writer.writerow(names)
    for record in records:
        found = change(results, record)
        more = {
            **dict(zip(("ci_low", "ci_high"), record.ci or (), strict=False)),
            **dict(zip(("change_low", "change_high"), (found and found.ci) or (), strict=False)),
            "change": found and found.difference,
            "seen": _seen(record),
            "derainer": record.condition.name,
        }
        writer.writerow([inert(more.get(n, getattr(record, n, None))) for n in names])
    return buffer.getvalue()


def _seen(record: Record) -> str:
    """What was trained on it, in words of `reports.results.marks.MARKS`; empty: nothing was."""
    return "unknown" if record.seen is None else " ".join(record.seen)


def inert(value: Any) -> Any:
    """A value that no spreadsheet takes for a formula."""
    if not isinstance(value, str):
        return value
    text = plain(value)
    return "'" + text if text[:1] in ("=", "+", "-", "@") else text
