"""The light-weight RefineNet of `tasks.networks.refinenet` from a weight file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from tasks.models.segmenter import ModuleSegmenter
from tasks.models.weights import class_names, put, read_state
from tasks.networks.refinenet import RefineNet
from tasks.task import TaskError

LAYER = "classify.weight"
"""The layer whose size says how many classes there are."""
LARGEST_SCALE = 4.0


def refinenet_segmenter(file: Path, device: str) -> ModuleSegmenter:
    """Load weights that `tasks.training.refinenet` made.

    Args:
        file: State dict, with the classes' names in the card beside it, ``FILE.json``, and
            perhaps the ``scales`` at which the network is to see each picture.
        device: Where it shall run.

    Raises:
        TaskError: If the file is damaged or another network's, or its classes are not named.
    """
    state = read_state(file, LAYER)
    if LAYER not in state:
        raise TaskError(f"{file.name} holds no RefineNet: {LAYER} is missing")
    network = RefineNet(len(state[LAYER]))
    put(network, state, file)
    network.requires_grad_(False)
    names = class_names(file, len(state[LAYER]), ())
    return ModuleSegmenter(AtScales(network, _scales(file)), names, device)


class AtScales(nn.Module):
    """A network that sees each picture at several sizes; the mean probability decides."""

    def __init__(self, network: nn.Module, scales: Sequence[float]) -> None:
        """``scales`` are factors of the picture's own size."""
        super().__init__()
        self.network = network
        self.scales = tuple(scales)

    def forward(self, images: Tensor) -> Tensor:
        """Scores ``(B, classes, H, W)`` for ``(B, 3, H, W)``: the network's own at one size 1."""
        if self.scales == (1.0,):
            scores: Tensor = self.network(images)
            return scores
        height, width = images.shape[2:]
        seen = []
        for scale in self.scales:
            size = max(1, round(height * scale)), max(1, round(width * scale))
            scores = self.network(interpolate(images, size, mode="bilinear", align_corners=False))
            scores = interpolate(scores, (height, width), mode="bilinear", align_corners=False)
            seen.append(scores.softmax(1))
        return torch.stack(seen).mean(0)


def _scales(file: Path) -> tuple[float, ...]:
    """Those of the card, else the picture's own size."""
    card = file.with_name(file.name + ".json")
    scales = json.loads(card.read_bytes()).get("scales", [1.0])
    valid = isinstance(scales, list) and bool(scales)
    if not valid or not all(isinstance(s, int | float) and 0 < s <= LARGEST_SCALE for s in scales):
        raise TaskError(f"{card.name}: scales are a list of factors up to {LARGEST_SCALE:g}")
    return tuple(map(float, scales))
