"""Networks of torchvision with weights from a local file; nothing is downloaded.

Detectors resize and normalise the picture themselves; segmenters are shown it at its own size,
normalised as in their training.
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

R_CNN = "roi_heads.box_predictor.cls_score.weight"
DENSE = "head.classification_head.cls_logits.weight"
CLASSIFIERS = {
    "fasterrcnn": (R_CNN, 1),
    "maskrcnn": (R_CNN, 1),
    "keypointrcnn": (R_CNN, 1),
    "retinanet": (DENSE, 9),
    "fcos": (DENSE, 1),
    "ssd300": ("head.classification_head.module_list.0.weight", 4),
    "ssdlite320": ("head.classification_head.module_list.0.1.weight", 6),
    "fcn": ("classifier.4.weight", 1),
    "deeplabv3": ("classifier.4.weight", 1),
    "lraspp": ("classifier.low_classifier.weight", 1),
}
"""The layer whose size says how many classes there are, and how many boxes it has at each place."""
SIDE_RATIO = 1333 / 800
"""Longest by shorter side, where another size is asked for."""


class TorchvisionDetector:
    """A detector of torchvision, with masks where it makes them."""

    def __init__(
        self,
        name: str,
        options: Mapping[str, Any],
        file: Path,
        device: str,
        imgsz: int | None = None,
    ) -> None:
        """Build it and load its weights.

        Args:
            name: Of torchvision's function.
            options: Its arguments.
            file: The weights; a card beside them may name the classes.
            device: Where it shall run.
            imgsz: Shorter side in pixels at which pictures are seen; None: that of ``options``.

        Raises:
            TaskError: If the file holds other weights.
        """
        if imgsz is not None:
            sides = {"min_size": imgsz, "max_size": round(imgsz * SIDE_RATIO)}
            options = {**options, **sides}
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
    layer, at_each_place = CLASSIFIERS[name.partition("_")[0]]
    state = read_state(file, layer)
    if layer not in state:
        raise TaskError(f"{file.name} holds the weights of another network than {name}")
    count = len(state[layer]) // at_each_place
    published = models.get_model_weights(name).DEFAULT.meta["categories"]
    names = class_names(file, count, published)
    more = {"aux_loss": True} if any(k.startswith("aux_classifier.") for k in state) else {}
    module = models.get_model(
        name, weights=None, weights_backbone=None, num_classes=count, **options, **more
    )
    put(module, state, file)
    return module, names
