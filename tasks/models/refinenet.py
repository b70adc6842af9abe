"""The light-weight RefineNet of `tasks.networks.refinenet` from a weight file."""

from __future__ import annotations

from pathlib import Path

from tasks.models.segmenter import ModuleSegmenter
from tasks.models.weights import class_names, put, read_state
from tasks.networks.refinenet import RefineNet
from tasks.task import TaskError


def refinenet_segmenter(file: Path, device: str) -> ModuleSegmenter:
    """Load weights that `tasks.training.refinenet` made.

    Args:
        file: State dict, with the classes' names in the card beside it, ``FILE.json``.
        device: Where it shall run.

    Raises:
        TaskError: If the file is damaged or another network's, or its classes are not named.
    """
    state = read_state(file)
    if "classify.weight" not in state:
        raise TaskError(f"{file.name} holds no RefineNet: classify.weight is missing")
    network = RefineNet(len(state["classify.weight"]))
    put(network, state, file)
    names = class_names(file, len(state["classify.weight"]), ())
    return ModuleSegmenter(network, names, device)
