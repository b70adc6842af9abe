"""The conditions of a run, in the order of its tables."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reports.results.results import Results


def conditions(results: Results) -> list[tuple[str, str]]:
    """(rain, derainer) pairs: the clean ceiling, then each rain with its floor first."""
    found = {(r.rain, r.derainer) for r in results.records}
    return sorted(found, key=lambda c: (place(c[0]), c[1] != "identity", c[1]))


def place(rain: str) -> tuple[bool, list[tuple[float, str]]]:
    """Where a rain stands among others: none first, then by name, numbers by their value."""
    return rain != "none", _natural(rain)


def rains(results: Results) -> list[str]:
    """All rains, in the order of the tables."""
    return list(dict.fromkeys(rain for rain, _ in conditions(results) if rain != "none"))


def _natural(name: str) -> list[tuple[float, str]]:
    """Sorts the numbers in a name by their value: 5 before 10."""
    parts = re.split(r"(\d+(?:\.\d+)?)", name)
    return [(float(part), "") if i % 2 else (-1.0, part) for i, part in enumerate(parts)]
