"""The folder of a training: what is trained, the weights and their card."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from derainers.shards import weights_sha256
from harness.machine.about import machine
from harness.plan import keys
from harness.spec import UsageError


def begun_with(file: Path | None, card: Path | None) -> dict[str, Any]:
    """What the card of a training says of the weights it began with; nothing where there are none.

    Returns:
        ``begun_with`` (their sha256, and hours and steps so far, None where no card tells them) and
        ``trained_on`` with their own as ``before``.
    """
    if file is None or card is None:
        return {}
    try:
        told = json.loads(card.read_bytes())
        told = told if isinstance(told, dict) else {}
    except (OSError, ValueError, RecursionError):
        told = {}
    earlier = told.get("begun_with")
    earlier = earlier if isinstance(earlier, dict) else {}
    spent = {
        key: [n for n in (told.get(last), earlier.get(key)) if isinstance(n, int | float)]
        for key, last in (("hours", "hours"), ("steps", "steps_done"))
    }
    return {
        "begun_with": {"sha256": weights_sha256(file)}
        | {key: sum(counts) if counts else None for key, counts in spent.items()},
        "trained_on": {"before": told.get("trained_on", {})},
    }


def same_training(file: Path, run: Mapping[str, Any]) -> None:
    """Keep what is trained beside the checkpoint, and refuse to go on with something else."""
    run = json.loads(json.dumps(run))
    if not file.is_file():
        file.write_text(json.dumps(run, indent=1) + "\n", encoding="utf-8")
        return
    try:
        kept = json.loads(file.read_bytes())
    except ValueError:
        kept = None
    if kept != run:
        raise UsageError(
            f"{file.parent} holds another training ({file.name}): give a new --out, or the data "
            "set and epochs it was begun with"
        )


def write_weights(file: Path, network: Any) -> None:
    """Write a network as half floats.

    Raises:
        UsageError: If they cannot hold a weight.
    """
    import torch
    from safetensors.torch import save_file

    state = {
        name: (value.half() if value.is_floating_point() else value).contiguous()
        for name, value in network.state_dict().items()
    }
    if not all(torch.isfinite(value.float()).all() for value in state.values()):
        raise UsageError("the training ended in weights that half floats cannot hold")
    save_file(state, file)


def origin_of(file: Path) -> dict[str, Any]:
    """What made a weight file, and its digest, for its card."""
    return {
        "made_with": {k: v for k, v in machine(0).items() if k in ("versions", "system")},
        "sha256": keys.file_sha256(file),
    }


def write_card(file: Path, card: Mapping[str, Any]) -> None:
    """Write the card of some weights; the file's name is the caller's choice."""
    text = json.dumps(card, indent=1, ensure_ascii=False)
    file.write_text(text + "\n", encoding="utf-8")
