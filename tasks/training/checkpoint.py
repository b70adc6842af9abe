"""What a training that was broken off goes on from: tensors and numbers, plain as weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from datasets.inert import InertError, read
from tasks.task import TaskError


@dataclass(frozen=True)
class Checkpoint:
    """Where a training keeps everything that continuing needs."""

    file: Path
    note: Callable[[Path], None] = lambda _: None
    """Told of a new file before it takes the old one's place."""

    def keep(self, parts: Mapping[str, Any], **numbers: int) -> None:
        """Write the state of all parts and some numbers; a kill leaves the old file or this."""
        temporary = self.file.with_suffix(".tmp")
        states = {name: part.state_dict() for name, part in parts.items()}
        torch.save({**states, **numbers}, temporary)
        self.note(temporary)
        temporary.replace(self.file)


def read_checkpoint(file: Path) -> dict[str, Any]:
    """What was kept last.

    Raises:
        TaskError: If it is damaged, or no checkpoint.
    """
    try:
        kept = read(file)
    except (InertError, OSError) as error:
        raise TaskError(f"{file}: {error}") from error
    if not isinstance(kept, dict) or type(kept.get("epoch")) is not int or kept["epoch"] < 0:
        raise TaskError(f"{file} is no checkpoint of this training: give a new --out")
    return kept


def restore(file: Path, kept: Mapping[str, Any], parts: Mapping[str, Any]) -> None:
    """Give every part its state back.

    Raises:
        TaskError: If a state is missing, or another's.
    """
    for name, part in parts.items():
        try:
            part.load_state_dict(kept[name])
        except Exception as error:
            # What is not a part's own state ends in any kind of exception.
            raise TaskError(f"{file} is another training's ({name}): give a new --out") from error
