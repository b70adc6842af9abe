"""Networks in folders as Hugging Face's transformers saves them: an optional package.

A folder holds ``config.json``, ``preprocessor_config.json`` and weights as safetensors; nothing is
downloaded, and no code of a folder is run. Pictures are prepared and answers read by the folder's
own image processor.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

from datasets.image import NDArrayByte
from datasets.installed import installing
from tasks import rle
from tasks.coco_ap import Detections
from tasks.models.options import EXPORTED_OPTIONS as OPTIONS
from tasks.task import TaskError

CONFIG, PROCESSOR = "config.json", "preprocessor_config.json"
HEADS = {
    "detection": ("ForObjectDetection", "AutoModelForObjectDetection"),
    "instance": ("ForUniversalSegmentation", "AutoModelForUniversalSegmentation"),
    "semantic": ("ForSemanticSegmentation", "AutoModelForSemanticSegmentation"),
}
"""End of the name of a network's class, and what loads it, by task."""
OTHERS = {
    "instance": ("ForInstanceSegmentation", "AutoModelForInstanceSegmentation"),
    "semantic": ("ForUniversalSegmentation", "AutoModelForUniversalSegmentation"),
}
"""The same of the second kind of network that a task can use."""


def folder_files(folder: Path) -> list[Path]:
    """All that a folder's network is made of.

    Raises:
        TaskError: If something is lacking, or the weights are no safetensors.
    """
    if not folder.is_dir():
        raise TaskError(f"{folder}: no such folder: give one that save_pretrained wrote")
    lacking = [name for name in (CONFIG, PROCESSOR) if not (folder / name).is_file()]
    if lacking:
        raise TaskError(
            f"{folder.name} lacks {' and '.join(lacking)}: save the network and its image "
            "processor there with save_pretrained"
        )
    weights = sorted(folder.glob("model*.safetensors"))
    if not weights:
        raise TaskError(
            f"{folder.name} holds no model.safetensors: weights are read as safetensors alone, "
            "which run no code; save_pretrained(…, safe_serialization=True) writes them"
        )
    return [*sorted(folder.glob("*.json")), *weights]


class TransformersNetwork:
    """A network and its image processor."""

    def __init__(self, task: str, folder: Path, device: str, imgsz: int | None = None) -> None:
        """Load both.

        Args:
            task: ``detection``, ``instance`` or ``semantic``.
            folder: See `folder_files`.
            device: Where it shall run.
            imgsz: Side, or shorter side, at which pictures are seen; None: the processor's.

        Raises:
            TaskError: If the package is not there, the folder cannot be loaded, or it holds a
                network for another task.
        """
        folder_files(folder)
        try:
            import transformers
        except ImportError as error:
            raise TaskError(
                f"transformers is not installed: {installing('derain-harness[transformers]')}"
            ) from error
        loader = _loader(task, folder)
        try:
            self.processor: Any = transformers.AutoImageProcessor.from_pretrained(
                folder, local_files_only=True, trust_remote_code=False
            )
            self._module: Any = getattr(transformers, loader).from_pretrained(
                folder, local_files_only=True, trust_remote_code=False, use_safetensors=True
            )
        except Exception as error:
            # transformers raises whatever its parts raise, all with one remedy.
            reason = " ".join(str(error).split())[:160]
            raise TaskError(
                f"{folder.name}: transformers cannot load it ({type(error).__name__}: {reason}): "
                "save it again with save_pretrained"
            ) from error
        self._module = self._module.float().eval().to(device)
        self._device = device
        if imgsz is not None:
            if not getattr(self.processor, "do_resize", True):
                raise TaskError(f"{folder.name}: its processor resizes nothing: leave imgsz out")
            self.processor.size = _resized(self.processor.size, imgsz, folder.name)
        numbers = self._module.config.id2label
        self.names = [str(numbers[i]) for i in sorted(map(int, numbers))]

    def __call__(self, image: NDArrayByte) -> Any:
        """The network's outputs for ``uint8 (H, W, 3) RGB``."""
        given = self.processor(images=[image], return_tensors="pt")
        return self._module(**{k: v.to(self._device) for k, v in given.items()})


def _loader(task: str, folder: Path) -> str:
    """Name of what loads a folder's network for a task."""
    try:
        said = json.loads((folder / CONFIG).read_bytes())["architectures"][0]
    except (ValueError, KeyError, TypeError, IndexError, RecursionError) as error:
        raise TaskError(f"{folder.name}/{CONFIG}: names no architecture") from error
    for ending, loader in (HEADS[task], OTHERS.get(task, HEADS[task])):
        if str(said).endswith(ending):
            return loader
    for other, (ending, _) in HEADS.items():
        if str(said).endswith(ending):
            raise TaskError(f"{folder.name} holds a {said}: give it with --model {other}=")
    raise TaskError(f"{folder.name} holds a {said}, which is for none of {', '.join(HEADS)}")


def _resized(size: Any, imgsz: int, name: str) -> dict[str, int]:
    """A processor's size with another side."""
    said = {k: v for k, v in dict(size).items() if v is not None}
    if set(said) == {"height", "width"}:
        return {"height": imgsz, "width": imgsz}
    if "shortest_edge" in said:
        longest = said.get("longest_edge")
        more = {"longest_edge": round(longest * imgsz / said["shortest_edge"])} if longest else {}
        return {"shortest_edge": imgsz, **more}
    raise TaskError(f"{name}: its processor's size {said} cannot be set: leave imgsz out")


class TransformersDetector:
    """A detector of transformers."""

    def __init__(self, folder: Path, device: str, imgsz: int | None = None) -> None:
        """Load it, see `TransformersNetwork`."""
        self._network = TransformersNetwork("detection", folder, device, imgsz)
        self.names = self._network.names

    @torch.inference_mode()
    def detect(self, images: list[NDArrayByte]) -> list[Detections]:
        """Find objects, one image per forward; those above the confidence of `OPTIONS`."""
        return [self._one(image) for image in images]

    def _one(self, image: NDArrayByte) -> Detections:
        found = self._network.processor.post_process_object_detection(
            self._network(image), threshold=OPTIONS["conf"], target_sizes=[image.shape[:2]]
        )[0]
        return Detections(
            boxes_xyxy_px=found["boxes"].cpu().numpy().astype(np.float32).reshape(-1, 4),
            scores=found["scores"].cpu().numpy().astype(np.float32),
            categories=found["labels"].cpu().numpy().astype(np.int64),
        )


class TransformersInstance:
    """A network of transformers whose masks are of objects; boxes are those around the masks."""

    def __init__(self, folder: Path, device: str, imgsz: int | None = None) -> None:
        """Load it, see `TransformersNetwork`."""
        self._network = TransformersNetwork("instance", folder, device, imgsz)
        self.names = self._network.names

    @torch.inference_mode()
    def detect(self, images: list[NDArrayByte]) -> list[Detections]:
        """Find objects, one image per forward."""
        return [self._one(image) for image in images]

    def _one(self, image: NDArrayByte) -> Detections:
        found = self._network.processor.post_process_instance_segmentation(
            self._network(image),
            threshold=OPTIONS["conf"],
            target_sizes=[image.shape[:2]],
            return_binary_maps=True,
        )[0]
        objects = found["segments_info"]
        maps = found["segmentation"] if objects else torch.zeros((0, *image.shape[:2]))
        masks = np.asarray(maps.cpu().numpy() > 0, np.uint8).reshape(-1, *image.shape[:2])
        filled = np.flatnonzero(masks.reshape(len(masks), -1).max(1, initial=0))
        kept = [objects[i] for i in filled]
        return Detections(
            boxes_xyxy_px=_around(masks[filled]),
            scores=np.array([one["score"] for one in kept], np.float32),
            categories=np.array([one["label_id"] for one in kept], np.int64),
            masks=rle.encoded(masks[filled]),
        )


def _around(masks: Any) -> Any:
    """Boxes ``float32 (N, 4)`` around masks that are not empty."""
    boxes = np.zeros((len(masks), 4), np.float32)
    for i, mask in enumerate(masks):
        rows, columns = np.nonzero(mask)
        boxes[i] = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
    return boxes


class TransformersSegmenter:
    """A semantic network of transformers."""

    def __init__(self, folder: Path, device: str, imgsz: int | None = None) -> None:
        """Load it, see `TransformersNetwork`."""
        self._network = TransformersNetwork("semantic", folder, device, imgsz)
        self.names = self._network.names

    @torch.inference_mode()
    def segment(self, images: list[NDArrayByte]) -> list[NDArrayByte]:
        """Label maps ``uint8 (H, W)``, one image per forward; values are places in ``names``."""
        return [self._one(image) for image in images]

    def _one(self, image: NDArrayByte) -> NDArrayByte:
        found = self._network.processor.post_process_semantic_segmentation(
            self._network(image), target_sizes=[image.shape[:2]]
        )[0]
        labels: NDArrayByte = found.to(torch.uint8).cpu().numpy()
        return labels
