"""A training that goes on from a checkpoint of another folder, machine or day."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.spec import UsageError
from harness.training.folder import Begun, differing


@dataclass(frozen=True)
class Source:
    """A checkpoint that a training is to go on from."""

    file: Path
    training: Mapping[str, Any]
    """What it says of its training."""
    step: int
    """How far it came."""

    @property
    def before(self) -> Mapping[str, Any]:
        """What its card says of weights that it began with itself."""
        before = self.training.get("before")
        begun = before.get("begun_with") if isinstance(before, dict) else None
        is_whole = isinstance(begun, dict) and "sha256" in begun
        return before if isinstance(before, dict) and is_whole else {}

    def require(self, identity: Mapping[str, Any]) -> None:
        """Make sure that it is the same training.

        Raises:
            UsageError: If it is another.
        """
        wanted = json.loads(json.dumps(identity))
        before = {k: v for k, v in self.training.items() if k != "before"}
        differs = differing(before, wanted)
        if differs is not None:
            raise UsageError(
                f"--from {self.file}: a checkpoint of another training, by its {differs}; begin "
                "with the weights beside it instead, NAME.safetensors"
            )

    def go_on(self, begun: Begun) -> bool:
        """Put it into a training's folder, where it is further than what lies there.

        Returns:
            Whether it was.
        """
        here = checkpoint_in(begun.checkpoint) if begun.goes_on else None
        if here is not None and here.step >= self.step:
            return False
        temporary = begun.checkpoint.with_suffix(".tmp")
        shutil.copyfile(self.file, temporary)
        begun.note(temporary)
        temporary.replace(begun.checkpoint)
        return True


def beginning(file: Path | None, by_protocol: bool) -> tuple[Source | None, Path | None]:
    """The checkpoint that a training goes on from, or the weights that it begins with.

    Args:
        file: What ``--from`` names.
        by_protocol: Whether it is a training of the benchmark's.

    Raises:
        UsageError: If the file cannot be read, or the protocol takes no weights.
    """
    source = checkpoint_in(file)
    begin = file if source is None else None
    if by_protocol and begin is not None:
        raise UsageError(
            f"--from {begin}: plain weights, and the protocol begins with random ones; give a "
            "checkpoint.pt to go on from"
        )
    return source, begin


def checkpoint_in(file: Path | None) -> Source | None:
    """The checkpoint that a file is; None of plain weights.

    Raises:
        UsageError: If it cannot be read.
    """
    if file is None or file.suffix == ".safetensors":
        return None
    from datasets.inert import InertError, read

    try:
        content = read(file)
    except (InertError, OSError) as error:
        raise UsageError(f"--from {file}: {error}") from error
    state, training = (
        content.get(key) if isinstance(content, dict) else None for key in ("state", "training")
    )
    if not isinstance(state, dict) or not isinstance(training, dict):
        return None
    step = state.get("step")
    return Source(file, training, step if isinstance(step, int) else 0)
