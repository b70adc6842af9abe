"""Weights in: safetensors, or PyTorch files read without running their code."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from derainers.errors import DerainerError
from derainers.shards import shards

WRAPPERS = ("state_dict", "params_ema", "params", "model", "net")
"""Keys under which training codes put the weights, in this order."""


def load_weights(module: nn.Module, file: Path, part: str = "") -> None:
    """Load a file into a network, strictly.

    Args:
        module: The network; floating-point weights are cast to its own type.
        file: ``.safetensors``, or a PyTorch file that holds tensors alone; one of several `shards`
            stands for all.
        part: Beginning of the names of a larger network's weights that are wanted.

    Raises:
        DerainerError: If the file is absent or damaged, needs foreign code, belongs to another
            network or holds NaN.
    """
    state: dict[str, Tensor] = {}
    for shard in shards(file):
        state |= _strip(_read(shard))
    if part:
        state = {k.removeprefix(part): v for k, v in state.items() if k.startswith(part)}
    expected = module.state_dict()
    missing = [k for k in expected if k not in state]
    unexpected = [k for k in state if k not in expected]
    if missing or unexpected:
        raise DerainerError(
            f"{file.name} holds the weights of another network than {type(module).__name__}: "
            f"missing {missing[0] if missing else 'none'}, "
            f"unexpected {unexpected[0] if unexpected else 'none'}"
        )
    for name, value in expected.items():
        if state[name].shape != value.shape:
            raise DerainerError(
                f"{file.name}: {name} has shape {tuple(state[name].shape)}, "
                f"{type(module).__name__} needs {tuple(value.shape)}"
            )
        if not torch.isfinite(state[name].to(torch.float32)).all():
            raise DerainerError(f"{file.name}: {name} holds NaN or infinity")
    module.load_state_dict(state)


def _read(file: Path) -> object:
    """The file's content."""
    if not file.is_file():
        raise DerainerError(f"{file} not found: give a weight file as NAME@FILE")
    if file.suffix == ".safetensors":
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            return load_file(file)
        except (SafetensorError, OSError) as error:
            raise DerainerError(f"{file}: damaged safetensors file ({error})") from error
    try:
        return torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        foreign = [line for line in str(error).splitlines() if "GLOBAL" in line]
        cause = foreign[0].split(" was not")[0].strip() if foreign else "not a PyTorch file"
        raise DerainerError(
            f"{file}: refused, it is not plain weights ({cause}): "
            "save it as a state dict or as safetensors"
        ) from error
    except Exception as error:
        # Damaged archives end in a dozen kinds of exception, all with one remedy.
        raise DerainerError(f"{file}: cannot be read ({type(error).__name__}: {error})") from error


def _strip(content: object) -> dict[str, Tensor]:
    """The bare state dict inside a checkpoint."""
    for key in WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    if not isinstance(content, Mapping) or not content:
        raise DerainerError(f"the checkpoint holds no weights, but {type(content).__name__}")
    wrong = next((k for k, v in content.items() if not isinstance(v, Tensor)), None)
    if wrong is not None:
        raise DerainerError(f"the checkpoint is no state dict: '{wrong}' is not a tensor")
    return {str(key).removeprefix("module."): value for key, value in content.items()}
