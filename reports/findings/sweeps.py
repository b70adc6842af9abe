"""Sweeps of a rain's parameter in a run."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from reports.results.cell import Condition, Judge
from reports.results.conditions import floors

if TYPE_CHECKING:
    from reports.results.results import Results

FEWEST_VALUES = 3
"""Fewer values of a parameter are no sweep."""
_SETTING = re.compile(r":([a-z]\w*)=([^:+]+)")
"""A parameter and its value, which ends where the next one or a layer begins."""


class Sweep(NamedTuple):
    """Rains that differ in one parameter alone."""

    rain: str
    """Their common name, without that parameter."""
    parameter: str
    inputs: dict[float, Condition]
    """The rainy input by the parameter's value, from small to large."""


def sweeps(results: Results) -> list[Sweep]:
    """Every parameter that takes at least `FEWEST_VALUES` values while the others stay."""
    found: dict[tuple[str, str], dict[float, Condition]] = {}
    for rainy in floors(results):
        for match in _SETTING.finditer(rainy.rain):
            common = rainy.rain[: match.start()] + rainy.rain[match.end() :]
            try:
                found.setdefault((common, match[1]), {})[float(match[2])] = rainy
            except ValueError:
                continue
    return [
        Sweep(common, parameter, dict(sorted(inputs.items(), key=lambda item: item[0])))
        for (common, parameter), inputs in found.items()
        if len(inputs) >= FEWEST_VALUES
    ]


def raining(results: Results, sweep: Sweep) -> dict[float, Condition]:
    """The rainy inputs of a sweep that any number tells from the clean images, by value.

    A rain of rate 0 without layers is no corruption: means over corruptions begin above it.
    """
    numbers: dict[Condition, dict[tuple[Judge, str], tuple[float | None, int]]] = {}
    for r in results.records:
        if r.condition.is_input:
            numbers.setdefault(r.condition, {})[r.judge, r.metric] = r.value, r.n_identical
    return {
        value: rainy
        for value, rainy in sweep.inputs.items()
        if numbers.get(rainy, {}) != numbers.get(rainy.clean)
    }
