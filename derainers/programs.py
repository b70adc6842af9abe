"""Networks with their code in one file: TorchScript, and programs of ``torch.export``."""

from __future__ import annotations

import warnings
import zipfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from derainers.derainer import Derainer
from derainers.errors import DerainerError

_OF_SCRIPTS = "constants.pkl"
_OF_EXPORTS = ("archive_format", "serialized_exported_program.json", "models/model.json")


def program_derainer(file: Path, device: str, dtype: str) -> Derainer:
    """A derainer from TorchScript or a program of ``torch.export``: both are code, and run.

    Raises:
        DerainerError: If it is neither, is damaged, or an exported program has another number
            format than asked for.
    """
    kind = _kind(file)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of torch, about its own formats
            if kind == "script":
                loaded = torch.jit.load(str(file), map_location="cpu")  # noqa: TID251
                return Derainer(loaded)
            program = torch.export.load(str(file))
            if device == "cuda":
                from torch.export.passes import move_to_device_pass

                program = move_to_device_pass(program, device)
    except Exception as error:
        reason = " ".join(str(error).split())[:160] or type(error).__name__
        raise DerainerError(f"torchscript:{file.name}: cannot be loaded: {reason}") from error
    if dtype != "fp32":
        raise DerainerError(
            f"torchscript:{file.name}: an exported program has its own number format: use "
            "--dtype fp32"
        )
    return Derainer(Program(program.module()), fixed_px=_fixed_px(program))


class Program(nn.Module):
    """A program of ``torch.export``, which is always as it was when it was exported."""

    def __init__(self, program: nn.Module) -> None:
        super().__init__()
        self.program = program

    def train(self, mode: bool = True) -> Program:
        """Change nothing: such a program has no modes, and refuses to be asked."""
        return self

    def forward(self, x: Tensor) -> Any:
        """``(B, 3, H, W)`` to whatever the program makes of it."""
        return self.program(x)


def _kind(file: Path) -> str:
    """``script`` or ``export``, by what lies in the archive."""
    try:
        with zipfile.ZipFile(file) as archive:
            names = [name.partition("/")[2] or name for name in archive.namelist()]
    except (zipfile.BadZipFile, ValueError) as error:
        raise DerainerError(
            f"torchscript:{file.name}: neither TorchScript nor a program of torch.export"
        ) from error
    if _OF_SCRIPTS in names and any(name.startswith("code/") for name in names):
        return "script"
    if any(name in _OF_EXPORTS for name in names):
        return "export"
    raise DerainerError(
        f"torchscript:{file.name} holds no code, but weights: name what they belong to, as "
        "NAME@FILE or mine.py:build@FILE"
    )


def _fixed_px(program: Any) -> tuple[int, int] | None:
    """The one height and width that a program takes; None = several."""
    wanted = set(program.graph_signature.user_inputs)
    for node in program.graph.nodes:
        if node.op == "placeholder" and node.name in wanted:
            shape = tuple(getattr(node.meta.get("val"), "shape", ()))
            if len(shape) == 4 and all(type(side) is int for side in shape[2:]):
                return int(shape[2]), int(shape[3])
    return None
