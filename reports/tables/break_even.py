"""From which rain rate on deraining pays, as a table."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from reports.findings.break_even import BreakEven, break_evens
from reports.tables.text import Table, plain

if TYPE_CHECKING:
    from reports.results.results import Results


def table(results: Results) -> Table:
    """A row for each derainer, task network and sweep of the rate."""
    rows = [
        [
            plain(found.rain),
            plain(found.derainer),
            plain(results.called(found.judge)),
            results.metrics[found.metric].heading,
            _rate(found.rate_mm_h, found),
            "–" if found.ci is None else f"[{', '.join(_rate(end, found) for end in found.ci)}]",
            "/".join(f"{rate:g}" for rate in found.rates_mm_h),
        ]
        for found in break_evens(results)
    ]
    notes = [
        "The smallest rate from which on, up to the largest that was measured, deraining gains; "
        "between two rates gains go in a straight line. ≤ where it gains at all of them, > where "
        "it does not gain at the largest; rate 0 are dry images."
    ]
    headings = ["rain", "derainer", "task", "metric", "pays from [mm/h]", "95 %", "measured at"]
    return headings, rows, notes


def _rate(rate: float, found: BreakEven) -> str:
    low, high = found.rates_mm_h[0], found.rates_mm_h[-1]
    if math.isinf(rate):
        return f"> {high:g}"
    return f"≤ {low:g}" if rate <= low else f"{rate:.1f}"
