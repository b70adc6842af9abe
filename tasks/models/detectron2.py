"""Networks of detectron2, which its authors give as source alone: an optional package.

The configuration is read from detectron2's own folder as a file: its ``model_zoo`` module needs
``pkg_resources``, which setuptools 81 no longer has. Pictures are resized as its predictor does.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import torch

from datasets.image import NDArrayByte
from tasks import rle
from tasks.coco_ap import Detections
from tasks.models.weights import put, read_state
from tasks.task import TaskError


class Detectron2Detector:
    """A COCO network of detectron2's zoo, with masks where it makes them."""

    def __init__(self, config: str, file: Path, device: str) -> None:
        """Build it and load its weights.

        Args:
            config: File below detectron2's ``model_zoo/configs``.
            file: The zoo's ``.pkl``, or a state dict.
            device: Where it shall run.

        Raises:
            TaskError: If detectron2 is not there, or the file holds other weights.
        """
        package = importlib.util.find_spec("detectron2")
        if package is None or not package.submodule_search_locations:
            raise TaskError("detectron2 is not installed: its INSTALL.md says how")
        from detectron2.config import get_cfg
        from detectron2.data.datasets.builtin_meta import COCO_CATEGORIES
        from detectron2.data.transforms import ResizeShortestEdge
        from detectron2.modeling import build_model

        settings = get_cfg()
        folder = Path(package.submodule_search_locations[0]) / "model_zoo" / "configs"
        settings.merge_from_file(str(folder / config))
        settings.MODEL.DEVICE = device
        self._module = build_model(settings).eval()
        expected, state = self._module.state_dict(), read_state(file)
        # The zoo's files also hold anchors and the like, which detectron2 now computes itself.
        put(self._module, {k: v for k, v in state.items() if k in expected}, file)
        edges = settings.INPUT.MIN_SIZE_TEST, settings.INPUT.MAX_SIZE_TEST
        self._resize: Any = ResizeShortestEdge([edges[0], edges[0]], edges[1])
        self.names = [c["name"] for c in COCO_CATEGORIES if c["isthing"]]

    @torch.inference_mode()
    def detect(self, images: list[NDArrayByte]) -> list[Detections]:
        """Find objects, one image per forward."""
        return [self._one(np.ascontiguousarray(image[:, :, ::-1])) for image in images]

    def _one(self, bgr: NDArrayByte) -> Detections:
        resized = self._resize.get_transform(bgr).apply_image(bgr)
        tensor = torch.as_tensor(resized.astype(np.float32).transpose(2, 0, 1))
        shown = {"image": tensor, "height": bgr.shape[0], "width": bgr.shape[1]}
        found = self._module([shown])[0]["instances"].to("cpu")
        masks = found.pred_masks.byte().numpy() if found.has("pred_masks") else None
        return Detections(
            boxes_xyxy_px=found.pred_boxes.tensor.numpy().astype(np.float32),
            scores=found.scores.numpy().astype(np.float32),
            categories=found.pred_classes.numpy().astype(np.int64),
            masks=() if masks is None else rle.encoded(masks),
        )
