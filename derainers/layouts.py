"""How training codes lay out weights, and which of a file's tensors are a network's."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.parameter import Parameter, UninitializedBuffer, UninitializedParameter

from datasets.inert import AVERAGES, LAST, WRAPPERS

KEYS = (*AVERAGES, *LAST)
"""Keys under which training codes put the weights, the likeliest first."""
COUNTERS = ("total_ops", "total_params", "n_averaged", "num_batches_tracked")
"""Last parts of names of what profilers and averages count; no forward asks for them."""
_OF_LAZY = (UninitializedParameter, UninitializedBuffer)
_AVERAGE = re.compile(r"(^|[._-])(ema|shadow|averaged)([._-]|$)", re.IGNORECASE)
_ONLINE = re.compile(r"(^|[._-])online([._-]|$)", re.IGNORECASE)
"""What ema_pytorch calls the weights beside their average, under the same key."""


@dataclass(frozen=True)
class Layout:
    """Where a network's tensors stand in a state dict."""

    names: dict[str, str]
    """Names in the file by the network's."""
    prefix: str
    """With which these begin in the file, with its dot; ``""`` = with none."""
    counters: tuple[str, ...] = ()
    """Names in the file of what only counts and was left out."""
    others: tuple[str, ...] = ()
    """Names in the file that begin otherwise."""


@dataclass(frozen=True)
class Misfit:
    """Why a state dict is of another network."""

    shared: int
    """Tensors of the network that it holds in their shape."""
    said: str
    remedy: str = "make the network as it was when these were trained"


def label(path: tuple[str, ...], prefix: str) -> str:
    """What to call weights by the keys and the beginning of names that lead to them."""
    return ".".join([*path, *([prefix.rstrip(".")] if prefix else [])])


def is_average(name: str) -> bool:
    """Whether weights are called an average over the steps of a training."""
    return _AVERAGE.search(name) is not None and _ONLINE.search(name) is None


def fit(expected: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> list[Layout] | Misfit:
    """Where a network's tensors stand in a state dict, each way in which all do; or why not.

    Args:
        expected: The network's own tensors by name.
        state: The file's.
    """
    wanted, held = _plain(expected), _plain(state)
    needed = [name for name in wanted if not _counts(name)] or list(wanted)
    tied = _tied(expected)
    deepest = max(needed, key=lambda name: name.count("."), default=None)
    probes = [] if deepest is None else [n for n in wanted if wanted[n] in tied[wanted[deepest]]]
    layouts, misfits = [], []
    for own, prefix in _prefixes(needed, probes, held):
        pairs = {name: prefix + name.removeprefix(own) for name in wanted}
        found = {name: held[pair] for name, pair in pairs.items() if pair in held}
        names = {wanted[name]: key for name, key in found.items()}
        misfit = _misfit(expected, state, names, [tied[wanted[n]] for n in needed])
        inside = {pair for pair in held if pair.startswith(prefix)}
        strange = [held[p] for p in inside - set(pairs.values()) if not _counts(p)]
        if misfit is None and strange:
            first = min(strange)
            misfit = Misfit(
                len(names), f"the file has {first} {_shape(state[first])}, the network has not"
            )
        if misfit is None:
            rest = sorted(set(held) - set(pairs.values()))
            counters = tuple(held[p] for p in rest if p in inside)
            others = tuple(held[p] for p in rest if p not in inside)
            layouts.append(Layout(names, prefix, counters, others))
        else:
            misfits.append(misfit)
    return layouts or max(misfits, key=lambda each: each.shared)


def joined(
    expected: Mapping[str, Tensor], states: Mapping[tuple[str, ...], dict[str, Tensor]]
) -> dict[tuple[str, ...], dict[str, Tensor]]:
    """State dicts that were saved in parts, ``{"encoder": …, "decoder": …}``, by the key above.

    Args:
        expected: The network's own tensors by name: the first words are its parts.
        states: The file's.
    """
    parts = {name.partition(".")[0] for name in _plain(expected)}
    found: dict[tuple[str, ...], dict[str, Tensor]] = {}
    for path, state in states.items():
        for i, part in enumerate(path):
            if part in parts:
                names = {".".join((*path[i:], name)): value for name, value in state.items()}
                found.setdefault(path[:i], {}).update(names)
    for path in found.keys() & states.keys():  # parts that are tensors themselves
        own = {k: v for k, v in states[path].items() if k.partition(".")[0] in parts}
        found[path] = own | found[path]
    return found


def bare(state: Mapping[str, Tensor]) -> list[dict[str, Tensor]]:
    """A state dict without torch's wrappers; and without the part that all its names begin with."""
    found = {plain: state[name] for plain, name in _plain(state).items()}
    first = next(iter(found), "").partition(".")[0] + "."
    if not all(name.startswith(first) for name in found):
        return [found]
    return [found, {name.removeprefix(first): value for name, value in found.items()}]


def _plain(state: Mapping[str, Tensor]) -> dict[str, str]:
    """Names by what is left of them without torch's wrappers, where that tells them apart."""
    found = {".".join(p for p in name.split(".") if p not in WRAPPERS): name for name in state}
    return found if len(found) == len(state) else {name: name for name in state}


def _tied(expected: Mapping[str, Tensor]) -> dict[str, list[str]]:
    """By each name those of the same memory, itself among them: a file may have one alone."""
    places: dict[object, list[str]] = {}
    for name, value in expected.items():
        place: object = name
        if not isinstance(value, _OF_LAZY) and value.data_ptr() != 0:
            place = value.data_ptr(), value.shape, value.stride(), value.dtype
        places.setdefault(place, []).append(name)
    return {name: names for names in places.values() for name in names}


def _prefixes(
    needed: list[str], probes: list[str], held: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    """What the network's names and the file's may begin with that the others lack.

    Args:
        needed: The network's names.
        probes: Those of one tensor, which are looked for in the file.
        held: The file's.
    """
    yield "", ""
    for probe in probes:
        for name in held:
            if name != probe and name.endswith(f".{probe}"):
                yield "", name.removesuffix(probe)
        first = probe
        while "." in first:  # the network is wrapped, the file is not
            first = first.partition(".")[2]
            own = probe.removesuffix(first)
            if first in held and all(name.startswith(own) for name in needed):
                yield own, ""


def _misfit(
    expected: Mapping[str, Tensor],
    state: Mapping[str, Tensor],
    names: Mapping[str, str],
    needed: list[list[str]],
) -> Misfit | None:
    """The first tensor that the network wants and the file has not, or in another shape.

    Args:
        expected: The network's own.
        state: The file's.
        names: Names in the file by the network's.
        needed: Of each tensor that must be there, the names that it has.
    """
    wrong = [k for k, own in names.items() if not _fits(expected[k], state[own])]
    missing = [tied[0] for tied in needed if not names.keys() & tied]
    shared = len(names) - len(wrong)
    if wrong:
        key, own = wrong[0], names[wrong[0]]
        said = (
            f"the network wants {key} {_shape(expected[key])}, the file has {own} "
            f"{_shape(state[own])}"
        )
        if is_quantized(expected[key], state[own]):
            return Misfit(shared, said, "save the weights as floating-point numbers")
        return Misfit(shared, said)
    if not missing:
        return None
    key = missing[0]
    return Misfit(
        shared, f"the network wants {key} {_shape(expected[key])}, the file has {_near(key, state)}"
    )


def _fits(expected: Tensor, found: Tensor) -> bool:
    if isinstance(expected, _OF_LAZY):
        return True  # a lazy module takes its shape from what it is given
    if is_quantized(expected, found):
        return False
    return expected.shape == found.shape and (expected.is_complex() or not found.is_complex())


def is_quantized(expected: Tensor, found: Tensor) -> bool:
    """Whether these are bytes for a parameter of floating-point numbers: their scale is missing."""
    is_real = isinstance(expected, Parameter) and expected.is_floating_point()
    return is_real and found.dtype in (torch.int8, torch.uint8)


def _near(key: str, state: Mapping[str, Tensor]) -> str:
    """The file's tensor whose name is most like a network's."""
    # A file may have any number of names, of any length.
    names = [name for name in list(state)[:5000] if len(name) <= 1000]
    near = difflib.get_close_matches(key, names, 1, cutoff=0.0)
    return f"{near[0]} {_shape(state[near[0]])}" if near else "nothing like it"


def some(names: Sequence[str]) -> str:
    """The first of some names, and how many more there are."""
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1:,} more"


def _counts(name: str) -> bool:
    return name.rpartition(".")[2] in COUNTERS


def _shape(value: Tensor) -> str:
    if isinstance(value, _OF_LAZY):
        return "(of any shape)"
    if value.is_complex():
        return f"{tuple(value.shape)} of complex numbers"
    kind = "" if value.is_floating_point() else f" of {str(value.dtype).removeprefix('torch.')}"
    return f"{tuple(value.shape)}{kind}"
