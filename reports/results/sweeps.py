"""Sweeps of a rain's parameter in a run."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from reports.results.results import Results

FEWEST = 3
"""Fewer values of a parameter are no sweep."""
_SETTING = re.compile(r"([a-z]\w*)=([^:]+)")


class Sweep(NamedTuple):
    """Rains that differ in one parameter alone."""

    rain: str
    """Their common name, without that parameter."""
    parameter: str
    rains: dict[float, str]
    """Full name by the parameter's value, from small to large."""


def sweeps(results: Results) -> list[Sweep]:
    """Every parameter that takes at least `FEWEST` values while the others stay."""
    found: dict[tuple[str, str], dict[float, str]] = {}
    for rain in dict.fromkeys(record.rain for record in results.records):
        for match in _SETTING.finditer(rain):
            common = rain.replace(":" + match[0], "", 1)
            try:
                found.setdefault((common, match[1]), {})[float(match[2])] = rain
            except ValueError:
                continue
    return [
        Sweep(common, parameter, dict(sorted(rains.items())))
        for (common, parameter), rains in found.items()
        if len(rains) >= FEWEST
    ]
