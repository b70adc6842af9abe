"""Rains by the words of the command line: ``physical:rate_mm_h=1/5/25:exposure_ms=4``."""

from __future__ import annotations

import dataclasses
import difflib
import itertools
import math
from collections.abc import Mapping
from typing import Any

from datasets.rain.rain import Rain, RainError


def parse(word: str, table: Mapping[str, Rain]) -> list[tuple[str, Rain]]:
    """The rains that a word stands for, each with the name that its records carry.

    Args:
        word: Name of a row, then ``:key=value`` for any number in its parameter set; slashes
            between values make one rain of each, several sweeps every combination.
        table: Rains by name.

    Returns:
        (name, rain) in the order of the sweep. The name repeats the keys in the order of the
        parameter set and the values in their shortest form, ``physical:rate_mm_h=25``.

    Raises:
        RainError: In one line, for an unknown name or key, with the known ones; for a value that
            is no number; for one out of range, with the range.
    """
    name, *settings = word.split(":")
    if name not in table:
        raise RainError(f"unknown rain '{name}'{_near(name, table)}: known are {', '.join(table)}")
    rain = table[name]
    fields = {
        field.name: str(field.type)
        for field in dataclasses.fields(rain)  # type: ignore[arg-type]
        if str(field.type) in {"int", "float"}
    }
    sweeps: dict[str, list[float]] = {}
    for setting in settings:
        key, equals, values = setting.partition("=")
        if not equals:
            raise RainError(f"'{setting}' in rain '{word}': write it as key=value")
        if key not in fields:
            known = f"known are {', '.join(fields)}" if fields else "it has none"
            raise RainError(f"{name} has no parameter '{key}'{_near(key, fields)}: {known}")
        if key in sweeps:
            raise RainError(f"{key} stands twice in '{word}': use slashes for a sweep, {key}=1/2")
        sweeps[key] = [_number(key, value, fields[key]) for value in values.split("/")]
    keys = [key for key in fields if key in sweeps]
    found = {}
    for combination in itertools.product(*(sweeps[key] for key in keys)):
        changed: dict[str, Any] = dict(zip(keys, combination, strict=True))
        full = ":".join([name, *(f"{key}={_shortest(v)}" for key, v in changed.items())])
        found[full] = dataclasses.replace(rain, **changed)  # type: ignore[type-var]
    return list(found.items())


def _number(key: str, text: str, kind: str) -> float:
    """The value of a field of that type."""
    try:
        value = int(text) if kind == "int" else float(text)
    except ValueError:
        what = "a whole number" if kind == "int" else "a number"
        raise RainError(f"{key}={text}: must be {what}") from None
    return 0.0 if value == 0 and math.copysign(1, value) < 0 else value


def _shortest(value: float) -> str:
    """Shortest text that gives the same number: 25, not 25.0."""
    return str(int(value)) if math.isfinite(value) and value == int(value) else repr(value)


def _near(word: str, known: Mapping[str, Any]) -> str:
    near = difflib.get_close_matches(word, known, 1)
    return f" (did you mean {near[0]}?)" if near else ""
