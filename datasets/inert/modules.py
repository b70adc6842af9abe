"""The tensors of a checkpoint, however they are wrapped up in it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from datasets.inert.records import InertError, Record
from datasets.inert.wrapped import unwrapped

KINDS = ("_parameters", "_buffers", "_modules")
"""Attributes in which a module of PyTorch keeps what it is made of."""
MOST_MODULES = 100_000
"""No network has more modules; a file may name one module many times over."""
DEEPEST = 4
"""Keys in keys under which weights are looked for."""
LONGEST_NAME = 1_000
"""Characters of a module's place in a network."""
NO_WEIGHTS = "it holds no weights, but {}: save the network's state_dict() in it"
"""What is wrong with other files, and the remedy."""
States = dict[tuple[str, ...], dict[str, Tensor]]
"""State dicts by the keys that lead to them."""


def state_of(content: Any, wrappers: Sequence[str]) -> dict[str, Tensor]:
    """The bare state dict inside what a file holds.

    Args:
        content: What `datasets.inert.read` gave: a state dict of tensors or arrays, a whole
            network, or a dict with one of these.
        wrappers: Keys under which training codes put the weights, in the order to look.

    Raises:
        InertError: If it holds no weights, or anything beside tensors.
    """
    for key in wrappers:
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping | Record):
            content = content[key]
    if isinstance(content, Record):
        content = tensors_of(content)
    if not isinstance(content, Mapping) or not content:
        raise InertError(NO_WEIGHTS.format(type(content).__name__))
    state = {}
    for name, value in content.items():
        if isinstance(value, Record):
            raise _refused(value)
        tensor = torch.from_numpy(value) if isinstance(value, np.ndarray) else value
        if not isinstance(name, str) or not isinstance(tensor, Tensor):
            shown = name[:80] if isinstance(name, str) else f"a {type(name).__name__}"
            raise InertError(
                f"it is no state dict: {shown!r} is not a tensor: save the network's state_dict() "
                "alone"
            )
        state[unwrapped(name)] = tensor
    return state


def states_of(content: Any) -> States:
    """Every state dict inside what a file holds, by the keys that lead to it.

    Numbers and texts beside tensors are left out. In lists and under numbers they are looked for
    where there are none elsewhere; an optimizer's state is none. A list of tensors beside state
    dicts is given too, see `is_nameless`.

    Args:
        content: What `datasets.inert.read` gave.

    Raises:
        InertError: If it holds no tensors.
    """
    refused: list[Record] = []
    found = _states(content, refused, is_named=True)
    if not any(value.ndim for state in found.values() for value in state.values()):
        found |= _states(content, refused, is_named=False)
    if all(is_nameless(state) for state in found.values()):
        if refused:
            raise _refused(refused[0])
        raise InertError(NO_WEIGHTS.format(type(content).__name__))
    return found


def is_nameless(state: Mapping[str, Tensor]) -> bool:
    """Whether tensors stood in a list: they are called ``[0]`` and so on."""
    return all(name.startswith("[") for name in state)


def _states(content: Any, refused: list[Record], is_named: bool) -> States:
    """State dicts; under keys that are text alone, or else in lists and under numbers too."""
    found: States = {}
    waiting: deque[tuple[tuple[str, ...], Any]] = deque([((), content)])
    seen: set[int] = set()
    while waiting:
        path, value = waiting.popleft()
        if id(value) in seen:  # a file may name one dict any number of times
            continue
        seen.add(id(value))
        if isinstance(value, Record):
            if all(isinstance(value.attribute(kind), dict) for kind in KINDS):
                found[path] = tensors_of(value)
                continue
            refused.append(value)
            value = _pairs(value)
        named = _entries(value, is_named)
        arrays = {k: v for k, v in named.items() if isinstance(v, Tensor | np.ndarray)}
        if arrays:
            sign = "[{}]" if isinstance(value, list | tuple) else "{}"
            found[path] = {sign.format(k): _as_tensor(k, v) for k, v in arrays.items()}
        if len(path) < DEEPEST:
            inner = [(k, v) for k, v in named.items() if not isinstance(v, Tensor | np.ndarray)]
            waiting.extend(((*path, k), v) for k, v in inner if isinstance(v, _HOLDERS))
    return found


_HOLDERS = (Mapping, Record, list, tuple)


def _entries(value: Any, is_named: bool) -> dict[str, Any]:
    """What a dict or a list holds, by name or number."""
    if isinstance(value, list | tuple):
        is_wanted = not is_named or all(isinstance(v, Tensor) for v in value)
        return {str(i): each for i, each in enumerate(value)} if is_wanted else {}
    if not isinstance(value, Mapping) or (not is_named and "param_groups" in value):
        return {}
    kinds = (str,) if is_named else (str, int)
    return {str(key): each for key, each in value.items() if isinstance(key, kinds)}


def _pairs(record: Record) -> dict[str, Any]:
    """What a dict of a class of its own holds, as a file puts it together."""
    pairs = [p for p in record.items if isinstance(p, list | tuple) and len(p) == 2]
    return {key: value for key, value in pairs if isinstance(key, str)}


def _as_tensor(name: str, value: Tensor | np.ndarray[Any, Any]) -> Tensor:
    if isinstance(value, Tensor):
        return value
    try:
        return torch.from_numpy(value)
    except TypeError as error:
        raise InertError(f"{name[:80]!r} is an array of {value.dtype}, no weights") from error


def tensors_of(module: Record) -> dict[str, Tensor]:
    """The weights and buffers of a network that was saved as a whole, as its ``state_dict()``.

    Raises:
        InertError: If it is no network.
    """
    found: dict[str, Tensor] = {}
    for prefix, part in modules_of(module):
        skipped = part.attribute("_non_persistent_buffers_set")
        skipped = skipped if isinstance(skipped, set) else _elements(skipped)
        for kind, left_out in (("_parameters", ()), ("_buffers", skipped)):
            for name, value in (part.attribute(kind) or {}).items():
                if isinstance(value, Tensor) and isinstance(name, str) and name not in left_out:
                    found[f"{prefix}{name}"] = value
    return found


def modules_of(module: Record) -> Iterator[tuple[str, Record]]:
    """A network and all that it is made of, with the beginnings of their tensors' names.

    Raises:
        InertError: If it is no network.
    """
    waiting = [("", module)]
    for _ in range(MOST_MODULES):
        if not waiting:
            return
        prefix, part = waiting.pop()
        if not all(isinstance(part.attribute(kind), dict) for kind in KINDS):
            raise _refused(part)
        if len(prefix) > LONGEST_NAME:
            raise InertError("it holds a network of modules in modules without end")
        yield prefix, part
        inner = part.attribute("_modules")
        parts = [
            (f"{prefix}{name}.", part)
            for name, part in inner.items()
            if isinstance(name, str) and isinstance(part, Record)
        ]
        waiting += reversed(parts)
    raise InertError(f"it holds a network of more than {MOST_MODULES:,} modules")


def _refused(record: Record) -> InertError:
    return InertError(
        f"refused, it is not plain weights ({record.name}): save it as a state dict or as "
        "safetensors"
    )


def _elements(made: Any) -> set[Any]:
    """What a record of a set holds."""
    given = made.arguments[0] if isinstance(made, Record) and made.arguments else ()
    listed = given if isinstance(given, list | tuple) else ()
    return {each for each in listed if isinstance(each, str)}
