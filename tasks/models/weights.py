"""Weights and class names in, without running code from a file."""

from __future__ import annotations

import io
import json
import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from tasks.task import TaskError

WRAPPERS = ("state_dict", "model", "model_state", "params")
"""Keys under which training codes put the weights, in this order."""

ARRAYS = {
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("_codecs", "encode"),
}
"""All that a pickle of arrays needs, by full name; nothing else is ever called."""


def read_state(file: Path) -> dict[str, Tensor]:
    """The tensors of a weight file.

    Args:
        file: ``.safetensors``, a PyTorch file that holds tensors alone, or ``.pkl``, detectron2's
            pickle of arrays.

    Raises:
        TaskError: If it is absent, damaged, needs foreign code, or holds NaN.
    """
    if not file.is_file():
        raise TaskError(f"{file} not found: give a weight file as NAME@FILE")
    content: Any
    try:
        if file.suffix == ".safetensors":
            from safetensors.torch import load_file

            content = load_file(file)
        elif file.suffix == ".pkl":
            content = _Arrays(io.BytesIO(file.read_bytes()), encoding="latin1").load()
        else:
            content = torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        foreign = [line for line in str(error).splitlines() if "GLOBAL" in line]
        cause = foreign[0].split(" was not")[0].strip() if foreign else "damaged"
        raise TaskError(
            f"{file}: refused, it is not plain weights ({cause}): "
            "save them as a state dict or as safetensors"
        ) from error
    except Exception as error:
        # Damaged archives end in a dozen kinds of exception, all with one remedy.
        raise TaskError(
            f"{file}: cannot be read ({type(error).__name__}): copy it again"
        ) from error
    for key in WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    if not isinstance(content, Mapping) or not content:
        raise TaskError(f"{file} holds no weights, but {type(content).__name__}")
    state = {}
    for name, value in content.items():
        tensor = torch.from_numpy(value) if isinstance(value, np.ndarray) else value
        if not isinstance(tensor, Tensor):
            raise TaskError(f"{file} is no state dict: '{name}' is not a tensor")
        if not torch.isfinite(tensor.float()).all():
            raise TaskError(f"{file}: {name} holds NaN or infinity")
        state[str(name).removeprefix("module.")] = tensor
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

    They stand in a card beside the weights, ``FILE.json`` with ``{"classes": ["road", …]}``;
    weights without a card that have as many classes as the published ones have those.

    Raises:
        TaskError: If there is neither, or the card does not fit.
    """
    card = file.with_name(file.name + ".json")
    if card.is_file():
        try:
            names = json.loads(card.read_bytes())["classes"]
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise TaskError(f'{card}: expected {{"classes": ["name", …]}}') from error
        if not isinstance(names, list) or not all(isinstance(n, str) for n in names):
            raise TaskError(f'{card}: expected {{"classes": ["name", …]}}')
    else:
        names = list(published)
    if len(names) != count:
        raise TaskError(
            f"{file.name} has {count} classes, {len(names)} names are known for it: "
            f'name them in {card.name}, {{"classes": ["name", …]}}'
        )
    return names


class _Arrays(pickle.Unpickler):
    """Reads pickles of NumPy arrays alone."""

    def find_class(self, module: str, name: str) -> Any:
        """One of the few functions that make arrays.

        Raises:
            UnpicklingError: For any other.
        """
        if (module, name) not in ARRAYS:
            raise pickle.UnpicklingError(f"GLOBAL {module}.{name} was not allowed")
        if name == "_reconstruct":
            return np.zeros(0).__reduce__()[0]
        return super().find_class(module, name)
