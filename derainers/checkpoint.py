"""Weights in, without running code from a file."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from datasets.inert import InertError, read, state_of
from derainers.errors import DerainerError
from derainers.shards import shards

WRAPPERS = (
    "model_state_dict",
    "state_dict",
    "params_ema",
    "params-ema",
    "params",
    "model",
    "net",
)
"""Keys under which training codes put the weights, in this order."""


def load_weights(module: nn.Module, file: Path, part: str = "") -> None:
    """Load a file into a network, strictly.

    Args:
        module: The network; floating-point weights are cast to its own type.
        file: ``.safetensors``, or a PyTorch file with a state dict or a whole network, which is not
            run; one of several `shards` stands for all.
        part: Beginning of the names of a larger network's weights that are wanted.

    Raises:
        DerainerError: If the file is absent, damaged or none of weights, belongs to another
            network or holds NaN.
    """
    state: dict[str, Tensor] = {}
    for shard in shards(file):
        state |= read_state(shard)
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


def read_state(file: Path) -> dict[str, Tensor]:
    """The tensors of one file.

    Raises:
        DerainerError: If the file is absent or damaged, or holds anything else.
    """
    if not file.is_file():
        raise DerainerError(f"{file} not found: give a weight file as NAME@FILE")
    try:
        return state_of(read(file), WRAPPERS)
    except (InertError, OSError) as error:
        raise DerainerError(f"{file}: {error}") from error
