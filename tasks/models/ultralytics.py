"""Networks of the package ultralytics (AGPL-3.0), run directly instead of through its predictors.

The picture is letterboxed, passed through the network and decoded with ultralytics' own functions,
so predictions equal ``YOLO(file).predict(image, conf=0.001, iou=0.7, max_det=300)``; of masks, with
``retina_masks=True``, which makes them at the picture's own size. For RT-DETR it is stretched, and
nothing is suppressed, as in ``RTDETR(file).predict``. All see it at the size of their training.
Beside `ultralytics_checkpoint` and the trainer, `tasks.training.yolo` and `yolo_images`, nothing
else imports ultralytics.
"""

from __future__ import annotations

import copy
import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torchvision  # noqa: F401  (ultralytics takes torchvision's NMS only if it is imported)
from numpy.typing import NDArray
from ultralytics.data.augment import LetterBox
from ultralytics.nn import tasks as ultralytics_tasks
from ultralytics.nn.modules import RTDETRDecoder
from ultralytics.utils.nms import non_max_suppression
from ultralytics.utils.ops import process_mask_native, scale_boxes, scale_masks, xywh2xyxy

from datasets.image import NDArrayByte
from tasks import rle
from tasks.coco_ap import Detections
from tasks.models.architecture import checked, image_px_in, multiples
from tasks.models.options import EXPORTED_OPTIONS as OPTIONS
from tasks.models.ultralytics_checkpoint import checkpoint_network
from tasks.models.weights import class_names, put, read_state
from tasks.networks.yolo_street import ARCHITECTURE
from tasks.task import TaskError

SECONDS_FOR_NMS = 1e9
"""ultralytics stops suppressing when the clock says so; results must not depend on the clock."""

PURPOSES = {"detect": "detection", "segment": "instance", "semantic": "semantic"}
"""Our task by ultralytics' word for it."""


class UltralyticsDetector:
    """A detection checkpoint on one device, or the boxes of `street_network`."""

    def __init__(self, file: Path, device: str, imgsz: int | None = None) -> None:
        """Load a checkpoint without running code from it, or safetensors of `street_network`.

        Args:
            file: The weights.
            device: Where it shall run.
            imgsz: Longer side in pixels at which pictures are seen; None: that of its training.

        Raises:
            TaskError: If it is no ultralytics detector, is damaged or holds a foreign class.
        """
        self._network = _Network(file, device, "detection", imgsz)
        self.names = self._network.names
        self.seen = self._network.seen

    @torch.inference_mode()
    def detect(self, images: list[NDArrayByte]) -> list[Detections]:
        """Find objects.

        Args:
            images: ``uint8 (H, W, 3) RGB``, any sizes; those with one padded shape share a forward.

        Returns:
            One `Detections` each, in the images' own pixels.
        """
        results: dict[int, Detections] = {}
        for places, padded, output in self._network.outputs(images):
            if self._network.is_detr:
                for i, queries in zip(places, output[0], strict=True):
                    results[i] = _detections(_answers(queries, images[i].shape))
                continue
            found = output[0] if self._network.has_masks else output
            for i, rows in zip(places, self._network.suppressed(found), strict=True):
                rows[:, :4] = scale_boxes(padded, rows[:, :4], images[i].shape)
                results[i] = _detections(rows)
        return [results[i] for i in range(len(images))]


class UltralyticsInstance:
    """An instance segmentation checkpoint on one device."""

    def __init__(self, file: Path, device: str, imgsz: int | None = None) -> None:
        """Load a checkpoint as `UltralyticsDetector` does."""
        self._network = _Network(file, device, "instance", imgsz)
        self.names = self._network.names

    @torch.inference_mode()
    def detect(self, images: list[NDArrayByte]) -> list[Detections]:
        """Find objects and their masks; those with an empty mask are dropped, as ultralytics does.

        Args:
            images: ``uint8 (H, W, 3) RGB``, any sizes.
        """
        results: dict[int, Detections] = {}
        for places, padded, output in self._network.outputs(images):
            found = output[0]
            prototypes = found[1] if isinstance(found, tuple) else output[1]
            kept = self._network.suppressed(found)
            for i, rows, prototype in zip(places, kept, prototypes, strict=True):
                size = images[i].shape[:2]
                rows[:, :4] = scale_boxes(padded, rows[:, :4], size)
                masks = process_mask_native(prototype, rows[:, 6:], rows[:, :4], size)
                filled = masks.flatten(1).any(1).bool()
                results[i] = _detections(rows[filled], masks[filled])
        return [results[i] for i in range(len(images))]


class UltralyticsSemantic:
    """A semantic segmentation checkpoint on one device."""

    def __init__(self, file: Path, device: str, imgsz: int | None = None) -> None:
        """Load a checkpoint as `UltralyticsDetector` does."""
        self._network = _Network(file, device, "semantic", imgsz)
        self.names = self._network.names

    @torch.inference_mode()
    def segment(self, images: list[NDArrayByte]) -> list[NDArrayByte]:
        """Label maps ``uint8 (H, W)``; values are places in ``names``."""
        results: dict[int, NDArrayByte] = {}
        for places, padded, output in self._network.outputs(images):
            logits = output[0] if isinstance(output, tuple | list) else output
            for i, one in zip(places, logits, strict=True):
                full = torch.nn.functional.interpolate(one[None].float(), padded, mode="bilinear")
                scaled: Any = scale_masks(full, images[i].shape[:2])
                results[i] = scaled[0].argmax(0).to(torch.uint8).cpu().numpy()
        return [results[i] for i in range(len(images))]


class _Network:
    """What lies inside a checkpoint, ready to run."""

    def __init__(self, file: Path, device: str, task: str, imgsz: int | None = None) -> None:
        is_ours = file.suffix == ".safetensors"
        model = street_network(file) if is_ours else checkpoint_network(file)
        self.is_detr = isinstance(model.model[-1], RTDETRDecoder)
        purpose = "detect" if self.is_detr else ultralytics_tasks.guess_model_task(model)
        self.has_masks = purpose == "segment"
        if PURPOSES.get(purpose) != task and not (is_ours and task == "detection"):
            remedy = f": give it with --model {PURPOSES[purpose]}=" if purpose in PURPOSES else ""
            raise TaskError(f"{file.name} is a model for '{purpose}', not for {task}{remedy}")
        self.names: list[str] = [model.names[i] for i in range(len(model.names))]
        self._device = torch.device(device)
        self._model = model.float().fuse(verbose=False).eval().requires_grad_(False)
        self._model.to(self._device)
        # As ultralytics does on x86 processors; faster there, and the results depend on it.
        self._model.to(memory_format=torch.channels_last)
        self._stride = max(int(self._model.stride.max()), 32)
        told = model.args if imgsz is None else {"imgsz": imgsz}
        try:
            size_px = image_px_in(told)
        except TaskError as error:
            raise TaskError(f"{file}: {error}") from error
        self._size_px = multiples(size_px, self._stride)

    def outputs(
        self, images: list[NDArrayByte]
    ) -> Iterator[tuple[list[int], tuple[int, int], Any]]:
        """Places of the images of one padded shape, that height and width, and what came out."""
        padded = [self._letterbox(image) for image in images]
        by_shape: dict[tuple[int, ...], list[int]] = defaultdict(list)
        for i, picture in enumerate(padded):
            by_shape[picture.shape].append(i)
        for (height, width, _), places in by_shape.items():
            batch = torch.from_numpy(np.stack([padded[i] for i in places])).to(self._device)
            batch = batch.permute(0, 3, 1, 2).contiguous().float().div_(255)
            yield places, (height, width), self._model(batch)

    def seen(self, images: torch.Tensor) -> list[torch.Tensor]:
        """What its head is given, to learn by: the maps of every scale, with their gradients.

        Args:
            images: ``float32 (B, 3, H, W)`` RGB in [0, 1], seen at their own size.
        """
        height, width = images.shape[2:]
        beyond = (0, -width % self._stride, 0, -height % self._stride)
        padded = torch.nn.functional.pad(images, beyond, mode="replicate")
        given: list[torch.Tensor] = []

        def keep(_: Any, inputs: tuple[list[torch.Tensor]]) -> None:
            given.extend(inputs[0])

        hook = self._model.model[-1].register_forward_pre_hook(keep)
        try:
            self._model(padded)
        finally:
            hook.remove()
        return given

    def suppressed(self, output: Any) -> list[torch.Tensor]:
        """What non-maximum suppression leaves of each image: box, score, class, coefficients."""
        rows: list[torch.Tensor] = non_max_suppression(
            output,
            OPTIONS["conf"],
            OPTIONS["iou"],
            max_det=int(OPTIONS["max_det"]),
            max_time_img=SECONDS_FOR_NMS,
            nc=len(self.names) if self.has_masks else 0,
            end2end=getattr(self._model, "end2end", False),
        )
        return rows

    def _letterbox(self, image: NDArrayByte) -> NDArray[np.uint8]:
        """Scale and pad as ``predict`` does with a single image; RT-DETR's is stretched."""
        letterbox = LetterBox(
            self._size_px, auto=not self.is_detr, scale_fill=self.is_detr, stride=self._stride
        )
        padded: NDArray[np.uint8] = np.ascontiguousarray(letterbox(image=image))
        return padded


def _answers(queries: torch.Tensor, shape: tuple[int, ...]) -> torch.Tensor:
    """What RT-DETR's queries found in a picture ``(H, W, 3)``: box, score and class.

    They are sorted by score, their boxes are shares of the picture, and none is another's double.
    """
    kept = queries[queries[:, 4] > OPTIONS["conf"]][: int(OPTIONS["max_det"])]
    height, width = shape[:2]
    boxes = xywh2xyxy(kept[:, :4]) * kept.new_tensor([width, height, width, height])
    return torch.cat([boxes, kept[:, 4:]], 1)


def _detections(rows: torch.Tensor, masks: torch.Tensor | None = None) -> Detections:
    """Rows of box, score and class, with ``uint8 (N, H, W)`` masks if the network makes them."""
    return Detections(
        boxes_xyxy_px=rows[:, :4].cpu().numpy().astype(np.float32),
        scores=rows[:, 4].cpu().numpy().astype(np.float32),
        categories=rows[:, 5].cpu().numpy().astype(np.int64),
        masks=() if masks is None else rle.encoded(masks.cpu().numpy()),
    )


def street_network(file: Path) -> Any:
    """The network that ``train yolo`` made: `architecture` with its weights.

    Raises:
        TaskError: If the file is damaged or another network's, or its classes are not named.
    """
    state = read_state(file)
    scores = next((v for k, v in state.items() if k.endswith("cv3.0.2.weight")), None)
    if scores is None:
        raise TaskError(f"{file.name} holds no network of tasks.networks.yolo_street")
    model = ultralytics_tasks.SegmentationModel(architecture(file), nc=len(scores), verbose=False)
    put(model, state, file)
    model.names = dict(enumerate(class_names(file, len(scores), ())))
    model.args = {"imgsz": street_image_px(file)}
    return model


def architecture(file: Path) -> dict[str, Any]:
    """The layers of what ``train yolo`` made: those of `tasks.networks.yolo_street`, or its card's.

    Raises:
        TaskError: If the card names layers that are not known.
    """
    try:
        said = json.loads(file.with_name(file.name + ".json").read_bytes())["architecture"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return copy.deepcopy(ARCHITECTURE)
    return checked(said)


def street_image_px(file: Path) -> int:
    """Longer side at which a `street_network` sees images: its card's own, else the training's."""
    try:
        card = json.loads(file.with_name(file.name + ".json").read_bytes())
        return int(card["image_px"] if "image_px" in card else card["recipe"]["image_px"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise TaskError(f"{file.name}.json: no recipe with image_px: train it again") from error
