"""Semantic segmentation by any network that maps a picture to a score per class and pixel.

A network takes ``float32 (1, 3, H, W)`` RGB, in [0, 1] or normalised, and gives scores
``(1, C, h, w)``, which are enlarged to the picture where they are smaller, or a dict with them
under ``out``. It must say what its classes are called: nobody can notice a permuted class map
otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from datasets.image import NDArrayByte, to_tensor
from tasks.task import TaskError


class ModuleSegmenter:
    """A PyTorch network."""

    def __init__(
        self,
        module: nn.Module,
        names: Sequence[str],
        device: str,
        mean: Sequence[float] = (0.0, 0.0, 0.0),
        std: Sequence[float] = (1.0, 1.0, 1.0),
    ) -> None:
        """Take a network.

        Args:
            module: The network.
            names: Its classes, in the order of its scores.
            device: Where it shall run.
            mean: Subtracted from each channel, in [0, 1].
            std: What each channel is then divided by.
        """
        self.names = list(names)
        self._module = module.eval().to(device)
        self._device = device
        self._mean = torch.tensor(mean).view(1, 3, 1, 1)
        self._std = torch.tensor(std).view(1, 3, 1, 1)

    def seen(self, images: Tensor) -> list[Tensor]:
        """Its scores, to learn by: of ``float32 (B, 3, H, W)`` RGB in [0, 1], with gradients."""
        mean, std = (each.to(images.device) for each in (self._mean, self._std))
        return [_scores(self._module((images - mean) / std))]

    @torch.inference_mode()
    def segment(self, images: list[NDArrayByte]) -> list[NDArrayByte]:
        """Label maps ``uint8 (H, W)``, one image per forward; values are places in ``names``."""
        return [self._one(image) for image in images]

    def _one(self, image: NDArrayByte) -> NDArrayByte:
        batch = (to_tensor([image]) - self._mean) / self._std
        scores = _scores(self._module(batch.to(self._device)))
        return labels(scores, image.shape[:2], len(self.names))


def _scores(output: Any) -> Any:
    return output["out"] if isinstance(output, dict) else output


def labels(scores: Any, size_px: tuple[int, ...], classes: int) -> NDArrayByte:
    """The class with the highest score of every pixel, ``uint8 (H, W)``.

    Raises:
        TaskError: If there is not one finite score per class.
    """
    if not isinstance(scores, Tensor) or scores.ndim != 4 or scores.shape[:2] != (1, classes):
        shape = tuple(scores.shape) if isinstance(scores, Tensor) else type(scores).__name__
        raise TaskError(f"the network gave {shape}, expected scores (1, {classes}, H, W)")
    if not torch.isfinite(scores).all():
        raise TaskError("the network gave non-finite scores")
    if scores.shape[2:] != size_px:
        scores = functional.interpolate(
            scores.float(), size=size_px, mode="bilinear", align_corners=False
        )
    best: NDArrayByte = scores[0].argmax(0).cpu().numpy().astype(np.uint8)
    return best
