"""Networks of torchvision with weights from a local file; nothing is downloaded.

Detectors resize the picture themselves (shorter side 800 px, longer at most 1333 px) and take it as
it is; segmenters are shown it at its own size, normalised as in their training.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torchvision import models

from datasets.image import NDArrayByte, to_tensor
from tasks import rle
from tasks.coco_ap import Detections
from tasks.models.segmenter import ModuleSegmenter
from tasks.models.weights import class_names, put, read_state
from tasks.task import TaskError

CLASSIFIERS = (
    "roi_heads.box_predictor.cls_score.weight",
    "head.classification_head.cls_logits.weight",
    "classifier.4.weight",
)
"""The layer whose size says how many classes there are: of R-CNNs, RetinaNets and segmenters."""
ANCHORS = 9
"""Boxes that RetinaNet has at each place: its last layer has as many times its classes."""


class TorchvisionDetector:
    """A detector of torchvision, with masks where it makes them."""

    def __init__(self, name: str, options: Mapping[str, Any], file: Path, device: str) -> None:
        """Build it and load its weights.

        Raises:
            TaskError: If the file holds other weights.
        """
        module, self.names = _built(name, file, options)
        self._module = module.eval().to(device)
        self._device = device

    @torch.inference_mode()
    def detect(self, images: list[NDArrayByte]) -> list[Detections]:
        """Find objects, one image per forward, since a batch would be padded to its largest."""
        return [self._one(image) for image in images]

    def _one(self, image: NDArrayByte) -> Detections:
        found: dict[str, Tensor] = self._module([to_tensor([image])[0].to(self._device)])[0]
        masks = found.get("masks")  # (N, 1, H, W) probabilities
        shapes = () if masks is None else rle.encoded((masks[:, 0] > 0.5).byte().cpu().numpy())
        return Detections(
            boxes_xyxy_px=found["boxes"].cpu().numpy().astype(np.float32),
            scores=found["scores"].cpu().numpy().astype(np.float32),
            categories=found["labels"].cpu().numpy().astype(np.int64),
            masks=shapes,
        )


def torchvision_segmenter(
    name: str, options: Mapping[str, Any], file: Path, device: str
) -> ModuleSegmenter:
    """A semantic network of torchvision.

    Raises:
        TaskError: If the file holds other weights.
    """
    module, names = _built(name, file, {})
    return ModuleSegmenter(module, names, device, options["mean"], options["std"])


def _built(name: str, file: Path, options: Mapping[str, Any]) -> tuple[nn.Module, list[str]]:
    """A network with its weights, and its classes."""
    state = read_state(file)
    layer = next((key for key in CLASSIFIERS if key in state), None)
    if layer is None:
        raise TaskError(f"{file.name} holds the weights of another network than {name}")
    count = len(state[layer]) // (ANCHORS if layer.startswith("head.") else 1)
    published = models.get_model_weights(name).DEFAULT.meta["categories"]
    names = class_names(file, count, published)
    more = {"aux_loss": True} if any(k.startswith("aux_classifier.") for k in state) else {}
    module = models.get_model(
        name, weights=None, weights_backbone=None, num_classes=count, **options, **more
    )
    put(module, state, file)
    return module, names
