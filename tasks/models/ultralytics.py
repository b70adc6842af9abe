"""Detectors of the package ultralytics (AGPL-3.0), run directly instead of through its predictor.

The picture is letterboxed, passed through the network and suppressed with ultralytics' own
functions, so predictions equal ``YOLO(file).predict(image, conf=0.001, iou=0.7, max_det=300)``.
This is the only module, beside a trainer, that imports ultralytics.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torchvision  # noqa: F401  (ultralytics takes torchvision's NMS only if it is imported)
from numpy.typing import NDArray
from ultralytics.data.augment import LetterBox
from ultralytics.nn import tasks as ultralytics_tasks
from ultralytics.utils.nms import non_max_suppression
from ultralytics.utils.ops import scale_boxes

from datasets.image import NDArrayByte
from tasks.coco_ap import Detections
from tasks.models import ULTRALYTICS_OPTIONS as OPTIONS
from tasks.task import TaskError

SECONDS_FOR_NMS = 1e9
"""ultralytics stops suppressing when the clock says so; results must not depend on the clock."""


class UltralyticsDetector:
    """A detection checkpoint on one device."""

    def __init__(self, file: Path, device: str) -> None:
        """Load a checkpoint without running code from it.

        Raises:
            TaskError: If it is no ultralytics detector, is damaged or holds a foreign class.
        """
        model = _load(file)
        purpose = ultralytics_tasks.guess_model_task(model)
        if purpose != "detect":
            raise TaskError(f"{file.name} is a model for '{purpose}', not for detection")
        self._device = torch.device(device)
        self._model = model.float().fuse(verbose=False).eval().to(self._device)
        # As ultralytics does on x86 processors; faster there, and the results depend on it.
        self._model.to(memory_format=torch.channels_last)
        self._stride = max(int(self._model.stride.max()), 32)
        self.names: list[str] = [model.names[i] for i in range(len(model.names))]

    @torch.inference_mode()
    def detect(self, images: list[NDArrayByte]) -> list[Detections]:
        """Find objects.

        Args:
            images: ``uint8 (H, W, 3) RGB``, any sizes; those with one padded shape share a forward.

        Returns:
            One `Detections` each, in the images' own pixels.
        """
        padded = [self._letterbox(image) for image in images]
        by_shape: dict[tuple[int, ...], list[int]] = defaultdict(list)
        for i, picture in enumerate(padded):
            by_shape[picture.shape].append(i)
        results: dict[int, Detections] = {}
        for places in by_shape.values():
            batch = torch.from_numpy(np.stack([padded[i] for i in places])).to(self._device)
            batch = batch.permute(0, 3, 1, 2).contiguous().float().div_(255)
            output = self._model(batch)
            for i, rows in zip(places, self._suppressed(output), strict=True):
                results[i] = self._detections(rows, batch.shape[2:], images[i].shape[:2])
        return [results[i] for i in range(len(images))]

    def _letterbox(self, image: NDArrayByte) -> NDArray[np.uint8]:
        """Scale to 640 px and pad to the stride, as ``predict`` does with a single image."""
        letterbox = LetterBox(int(OPTIONS["imgsz"]), auto=True, stride=self._stride)
        padded: NDArray[np.uint8] = np.ascontiguousarray(letterbox(image=image))
        return padded

    def _suppressed(self, output: Any) -> list[torch.Tensor]:
        rows: list[torch.Tensor] = non_max_suppression(
            output,
            OPTIONS["conf"],
            OPTIONS["iou"],
            max_det=int(OPTIONS["max_det"]),
            max_time_img=SECONDS_FOR_NMS,
            end2end=getattr(self._model, "end2end", False),
        )
        return rows

    def _detections(
        self, rows: torch.Tensor, padded: tuple[int, ...], size: tuple[int, ...]
    ) -> Detections:
        boxes: Any = scale_boxes((padded[0], padded[1]), rows[:, :4], (size[0], size[1]))
        return Detections(
            boxes_xyxy_px=boxes.cpu().numpy().astype(np.float32),
            scores=rows[:, 4].cpu().numpy().astype(np.float32),
            categories=rows[:, 5].cpu().numpy().astype(np.int64),
        )


def _load(file: Path) -> Any:
    """The network inside a checkpoint, through ultralytics' restricted loader."""
    if not file.is_file():
        raise TaskError(f"{file} not found: give a checkpoint with --model detection=FILE")
    if file.suffix != ".pt":
        raise TaskError(f"{file}: expected an ultralytics checkpoint (.pt)")
    loader: Any = ultralytics_tasks
    if not loader._SafeLoad.SUPPORTED:
        raise TaskError(
            "torch 2.6 or newer is needed to load checkpoints without running their code"
        )
    try:
        checkpoint, _ = loader.torch_safe_load(str(file), safe_only=True)
    except (TypeError, ModuleNotFoundError, AttributeError) as error:
        foreign = [line for line in str(error.__cause__).splitlines() if "GLOBAL" in line]
        cause = foreign[0].split(" was not")[0].strip() if foreign else type(error).__name__
        raise TaskError(
            f"{file}: refused, it is not a plain ultralytics checkpoint ({cause}): "
            "give an official one, or one of your own training"
        ) from error
    except Exception as error:
        # A damaged archive ends in a dozen kinds of exception, all with one remedy.
        raise TaskError(
            f"{file}: cannot be read ({type(error).__name__}): copy it again"
        ) from error
    model = checkpoint.get("ema") or checkpoint.get("model")
    if not isinstance(model, torch.nn.Module):
        raise TaskError(f"{file} is not an ultralytics model")
    return model
