"""Rains by the words of the command line: ``physical:rate_mm_h=1/5/25:exposure_ms=4``."""

from __future__ import annotations

import dataclasses
import difflib
import itertools
import math
import re
from collections.abc import Mapping
from typing import Any

from datasets.rain.composed import Layer, composed
from datasets.rain.rain import Rain, RainError


def parse(
    word: str, table: Mapping[str, Rain], layers: Mapping[str, Layer]
) -> list[tuple[str, Rain]]:
    """The rains that a word stands for, each with the name that its records carry.

    Args:
        word: Name of a row, then ``:key=value`` for any number in its parameter set; slashes
            between values make one rain of each, several sweeps every combination. Layers follow
            as ``+name``, each with keys of its own: ``physical:rate_mm_h=50+wet+lens:per_dm2=90``.
        table: Rains by name.
        layers: Layers by name, in the order in which they are laid.

    Returns:
        (name, rain) in the order of the sweep. The name repeats the keys in the order of the
        parameter set, the values in their shortest form and the layers in the table's order,
        ``physical:rate_mm_h=25+wet``.

    Raises:
        RainError: In one line, for an unknown name or key, with the known ones; for a value that
            is no number; for one out of range, with the range.
    """
    rain, *added = _PLUS.split(word)
    of_rain = _swept(rain, table, "rain", word)
    of_layers: dict[str, list[tuple[str, Any]]] = {}
    for each in added:
        name = base_of(each)
        if name in of_layers:
            raise RainError(f"layer {name} stands twice in '{word}'")
        of_layers[name] = _swept(each, layers, "layer", word)
    ordered = {name: of_layers[name] for name in layers if name in of_layers}
    found = {}
    for first, *others in itertools.product(of_rain, *ordered.values()):
        full = "+".join([first[0], *(name for name, _ in others)])
        found[full] = composed(
            first[1], dict(zip(ordered, (each for _, each in others), strict=True))
        )
    return list(found.items())


_PLUS = re.compile(r"\+(?=[A-Za-z])")
"""Between a rain and its layers; in numbers a digit follows."""


def base_of(word: str) -> str:
    """Name of the row that a word begins with."""
    return _PLUS.split(word)[0].partition(":")[0]


def _swept(word: str, table: Mapping[str, Any], what: str, whole: str) -> list[tuple[str, Any]]:
    """The rows that a name and its keys stand for, by their full names."""
    name, *settings = word.split(":")
    if name not in table:
        raise RainError(
            f"unknown {what} '{name}'{_near(name, table)}: known are {', '.join(table)}"
        )
    row = table[name]
    fields = {
        field.name: str(field.type)
        for field in dataclasses.fields(row)
        if str(field.type) in {"int", "float"}
    }
    presets: Mapping[str, Any] = getattr(row, "presets", {})
    words = {**fields, **presets}
    sweeps: dict[str, list[Any]] = {}
    for setting in settings:
        key, equals, values = setting.partition("=")
        if not equals:
            raise RainError(f"'{setting}' in rain '{whole}': write it as key=value")
        if key not in words:
            known = f"known are {', '.join(words)}" if words else "it has none"
            raise RainError(f"{name} has no parameter '{key}'{_near(key, words)}: {known}")
        if key in sweeps:
            raise RainError(f"{key} stands twice in '{whole}': use slashes for a sweep, {key}=1/2")
        sweeps[key] = [
            _preset(key, value, presets[key])
            if key in presets
            else _number(key, value, fields[key])
            for value in values.split("/")
        ]
    keys = [key for key in (*presets, *fields) if key in sweeps]
    found = {}
    for combination in itertools.product(*(sweeps[key] for key in keys)):
        changed: dict[str, Any] = dict(zip(keys, combination, strict=True))
        full = ":".join([name, *(f"{key}={_shortest(v)}" for key, v in changed.items())])
        numbers = [presets[key][changed.pop(key)] for key in presets if key in changed]
        parameters = {key: value for each in [*numbers, changed] for key, value in each.items()}
        found[full] = dataclasses.replace(row, **parameters)
    return list(found.items())


def _number(key: str, text: str, kind: str) -> float:
    """The value of a field of that type."""
    try:
        value = int(text) if kind == "int" else float(text)
    except ValueError:
        what = "a whole number" if kind == "int" else "a number"
        raise RainError(f"{key}={text}: must be {what}") from None
    return 0.0 if value == 0 and math.copysign(1, value) < 0 else value


def _preset(key: str, text: str, known: Mapping[str, Any]) -> str:
    """A word that stands for several numbers."""
    if text not in known:
        raise RainError(f"{key}={text}{_near(text, known)}: known are {', '.join(known)}")
    return text


def _shortest(value: float | str) -> str:
    """Shortest text that gives the same number: 25, not 25.0; words as they are."""
    if isinstance(value, str):
        return value
    return str(int(value)) if math.isfinite(value) and value == int(value) else repr(value)


def _near(word: str, known: Mapping[str, Any]) -> str:
    near = difflib.get_close_matches(word, known, 1)
    return f" (did you mean {near[0]}?)" if near else ""
