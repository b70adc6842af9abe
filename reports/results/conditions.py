"""The conditions of a run, in the order of its tables."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from reports.results.cell import NO_RAIN, Condition

if TYPE_CHECKING:
    from reports.results.results import Results


def conditions(results: Results) -> list[Condition]:
    """The clean ceiling, then each rain with its floor first."""
    return sorted(results.conditions, key=lambda c: (place(c.rain), not c.is_input, c.name))


def place(rain: str) -> tuple[bool, list[tuple[float, str]]]:
    """Where a rain stands among others: none first, then by name, numbers by their value."""
    return rain != NO_RAIN, _natural(rain)


def floors(results: Results) -> list[Condition]:
    """The rainy input of every rain, in the order of the tables."""
    rainy = (c.rainy for c in conditions(results) if not c.is_dry)
    return list(dict.fromkeys(rainy))


def derainers(results: Results) -> list[str]:
    """The derainers and their stages by name, in the order of the tables: their places in plots."""
    return list(dict.fromkeys(c.name for c in conditions(results)))


def _natural(name: str) -> list[tuple[float, str]]:
    """Sorts the numbers in a name by their value: 5 before 10."""
    parts = re.split(r"(\d+(?:\.\d+)?)", name)
    return [(float(part), "") if i % 2 else (-1.0, part) for i, part in enumerate(parts)]
