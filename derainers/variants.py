"""Ablations of the papers by word, spelled as rains are: ``mspfn:m=13:n=2``. Needs no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from derainers.errors import DerainerError


@dataclass(frozen=True)
class Change:
    """What a value of a switch changes."""

    settings: Mapping[str, Any] = field(default_factory=dict)
    """Arguments of the network."""
    loss: str | None = None
    """The loss of its training, as `derainers.training.losses` names it."""
    is_of_the_same_weights: bool = False
    """Whether it changes how a network is used and nothing that it learned."""


def _set(**settings: Any) -> Change:
    return Change(settings)


def _numbers(argument: str, numbers: range) -> dict[str, Change]:
    return {str(n): Change({argument: n}) for n in numbers}


SWITCHES: dict[str, dict[str, dict[str, Change]]] = {
    "mspfn": {
        "m": _numbers("modules", range(31)),
        "n": _numbers("units", range(1, 9)),
        "layers": {"release": _set(hidden=(64, 128, 256))},
        "eloss": {"0": Change(loss="charbonnier")},
    },
    "granet": {
        "ra": {"no": _set(region_aware=False)},
        "context": {"no": _set(fine="plain")},
        "fine": {"no": _set(fine="none")},
    },
    "dcsfn": {
        "scales": _numbers("scales", range(1, 6)),
        "unit": {unit: _set(unit=unit) for unit in ("gru", "lstm", "rnn")},
        "skips": {"no": _set(skips="none"), "after": _set(skips="after")},
        "dense": {"no": _set(dense=False)},
        "inner": {"no": _set(inner_connection=False)},
        "networks": {"1": _set(cross_scale=False)},
    },
    "hrrsr": {
        "operations": {
            "add+mul": _set(models=("add", "mul")),
            "ats+mul": _set(models=("ats", "mul")),
            "ats+add": _set(models=("ats", "add")),
        },
        "layers": {"release": _set(release=True)},
    },
    "mscg": {"scales": {"1": _set(cascade=False)}},
    "nledn": {"sides": {"odd": Change({"sides": "odd"}, is_of_the_same_weights=True)}},
}
"""What the word of a network may change, by the network's name (that of a row up to its first
``-``), key and value."""


@dataclass(frozen=True)
class Variant:
    """A row of `derainers.rows` with what its word changes."""

    row: str
    word: str
    """With the keys in the order of `SWITCHES`."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    loss: str | None = None
    learner: str = ""
    """Whose weights it takes: its word without what changes nothing that is learned."""

    @property
    def is_changed(self) -> bool:
        """Whether it is another network, or trained in another way, than its row."""
        return self.word != self.row


def variant_of(word: str) -> Variant:
    """What a word without weights stands for; whether there is such a row is not looked at.

    Raises:
        DerainerError: For an unknown key or value, with the known ones; for keys that exclude each
            other.
    """
    row, *said = word.split(":")
    switches = SWITCHES.get(row.partition("-")[0], {})
    values: dict[str, str] = {}
    for each in said:
        key, _, value = each.partition("=")
        if key not in switches:
            known = ", ".join(switches) or "none"
            raise DerainerError(f"{word}: unknown key '{key}': {row} has {known}")
        if value not in switches[key]:
            known = ", ".join(switches[key])
            raise DerainerError(f"{word}: expected {key}= one of {known}, got '{value}'")
        if key in values:
            raise DerainerError(f"{word}: {key} stands there twice")
        values[key] = value
    settings: dict[str, Any] = {}
    loss = None
    for key in (key for key in switches if key in values):
        change = switches[key][values[key]]
        if change.settings.keys() & settings.keys():
            raise DerainerError(f"{word}: {' and '.join(values)} exclude each other")
        settings |= change.settings
        loss = change.loss or loss
    full = [f"{key}={values[key]}" for key in switches if key in values]
    learned = [
        f"{key}={values[key]}"
        for key in switches
        if key in values and not switches[key][values[key]].is_of_the_same_weights
    ]
    return Variant(row, ":".join([row, *full]), settings, loss, ":".join([row, *learned]))
