"""Weights and class names in, without running code from a file."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from datasets.inert import AVERAGES, LAST, InertError, read, state_of
from tasks.models.card import card_of, names_by_number
from tasks.task import TaskError

KEYS = ("state_dict", "model", "model_state", "params", *LAST, *AVERAGES)
"""Keys under which training codes put the weights, in this order."""


def read_state(file: Path, layer: str = "") -> dict[str, Tensor]:
    """The tensors of a weight file by the network's own names.

    Args:
        file: ``.safetensors``, a PyTorch file with a state dict or a whole network, which is
            not run, or detectron2's pickle of arrays.
        layer: A tensor of the network, by which it is told what names in the file begin with
            beside their own, ``model.`` or ``net.``; "" = nothing.

    Raises:
        TaskError: If it is absent, damaged, none of weights, holds NaN or several such networks.
    """
    if not file.is_file():
        raise TaskError(f"{file} not found: give a weight file as NAME@FILE")
    try:
        state = state_of(read(file), KEYS)
    except (InertError, OSError) as error:
        raise TaskError(f"{file}: {error}") from error
    begins = sorted(k.removesuffix(layer) for k in state if k.endswith(f".{layer}"))
    if layer not in state and len(begins) > 1:
        raise TaskError(
            f"{file.name} holds several networks, {' and '.join(b[:-1] for b in begins)}: save "
            "the state_dict() of one"
        )
    if layer not in state and begins:
        state = {k.removeprefix(begins[0]): v for k, v in state.items() if k.startswith(begins[0])}
    for name, tensor in state.items():
        if not torch.isfinite(tensor.float()).all():
            raise TaskError(f"{file}: {name} holds NaN or infinity")
    return state


def put(module: nn.Module, state: Mapping[str, Tensor], file: Path) -> None:
    """Load weights into a network, strictly.

    Raises:
        TaskError: If they are another network's.
    """
    expected = module.state_dict()
    for name, value in expected.items():
        if name not in state:
            raise TaskError(f"{file.name} holds the weights of another network: {name} is missing")
        if state[name].shape != value.shape:
            raise TaskError(
                f"{file.name}: {name} has shape {tuple(state[name].shape)}, "
                f"the network needs {tuple(value.shape)}"
            )
    unexpected = next((name for name in state if name not in expected), None)
    if unexpected is not None:
        raise TaskError(f"{file.name} holds the weights of another network: it has {unexpected}")
    module.load_state_dict(dict(state))


def class_names(file: Path, count: int, published: Sequence[str]) -> list[str]:
    """Names of a network's classes, in its own order.

    They stand in a card beside the weights, ``FILE.json`` with ``{"classes": ["road", …]}`` or
    ``{"classes": {"0": "road", …}}``;
    weights without a card that have as many classes as the published ones have those.

    Raises:
        TaskError: If there is neither, or the card does not fit.
    """
    card = card_of(file)
    if card.is_file():
        try:
            said = names_by_number(json.loads(card.read_bytes())["classes"])
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise TaskError(f'{card}: expected {{"classes": ["name", …]}}') from error
        if said is None:
            raise TaskError(f'{card}: expected {{"classes": ["name", …]}}')
        names = said
    else:
        names = list(published)
    if len(names) != count:
        raise TaskError(
            f"{file.name} has {count} classes, {len(names)} names are known for it: "
            f'name them in {card.name}, {{"classes": ["name", …]}}'
        )
    return names
