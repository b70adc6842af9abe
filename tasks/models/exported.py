"""Detectors and segmenters that somebody exported: ONNX and TorchScript.

A picture is brought to the network's size as its family does, and what was found is brought back:
an export of ultralytics gives the boxes of its own ``predict`` with `EXPORTED_OPTIONS`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from datasets.image import NDArrayByte
from tasks import rle
from tasks.coco_ap import Detections
from tasks.models.card import Card, Resize, card_of, named_classes, read_card
from tasks.models.fitting import Fitted, letterboxed, stretched, unchanged
from tasks.models.layouts import (
    LAYOUTS,
    SUPPRESSED_BY_US,
    UNIT,
    Found,
    layout_of,
    read,
    require_decoded,
    require_probabilities,
    require_unit,
)
from tasks.models.runtimes import OnnxRuntime, Runtime, TorchScriptRuntime
from tasks.models.segmenter import labels
from tasks.task import TaskError

Kind = Literal["onnx", "torchscript"]
MASK_LIMIT = 0.5
"""Probability from which a pixel belongs to a mask."""


def exported(kind: Kind, task: str, file: Path, device: str, imgsz: int | None = None) -> Any:
    """An exported network, ready to run.

    Args:
        kind: What the file is.
        task: ``detection``, ``instance`` or ``semantic``.
        file: The file; a card beside it says what it does not, see `tasks.models.card`.
        device: Where TorchScript shall run; ONNX runs on the CPU.
        imgsz: Longer side in pixels at which pictures are seen; None: the file's own.

    Raises:
        TaskError: If it cannot be run, or something about it cannot be known.
    """
    runtime: Runtime = OnnxRuntime(file) if kind == "onnx" else TorchScriptRuntime(file, device)
    if task == "semantic":
        return ExportedSegmenter(runtime, file, imgsz)
    return ExportedDetector(runtime, file, task, imgsz)


@dataclass(frozen=True)
class Shown:
    """How a network sees pictures."""

    fit: Callable[[NDArrayByte], Fitted]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    is_bgr: bool
    is_raw: bool

    def batch(self, fitted: Fitted) -> NDArray[np.float32]:
        """``float32 (1, 3, H, W)``."""
        pixels = fitted.pixels[:, :, ::-1] if self.is_bgr else fitted.pixels
        planes = pixels.transpose(2, 0, 1)[None].astype(np.float32)
        if self.is_raw:
            return planes
        planes /= np.float32(255)
        if any(self.mean) or any(s != 1 for s in self.std):
            planes -= np.array(self.mean, np.float32).reshape(1, 3, 1, 1)
            planes /= np.array(self.std, np.float32).reshape(1, 3, 1, 1)
        return planes


def _shown(
    runtime: Runtime, file: Path, card: Card, imgsz: int | None, resize: Resize, needs_size: bool
) -> Shown:
    """How pictures are shown to a network: by the word, its input, its card, its metadata.

    Raises:
        TaskError: If no size is known where one is needed, another is asked for than it takes, or
            one is asked for and the card lets pictures keep theirs.
    """
    fixed, asked = runtime.fixed_px, (imgsz, imgsz) if imgsz else card.imgsz
    if fixed is not None and asked not in (None, fixed):
        raise TaskError(
            f"{file.name} takes pictures of {fixed[0]}x{fixed[1]} px alone: leave imgsz out, or "
            "export it with a dynamic size"
        )
    size = fixed or asked or runtime.said.imgsz
    resize = card.resize or resize
    if asked is not None and fixed is None and resize == "none":
        raise TaskError(
            f'{card_of(file).name} says "resize": "none", so that pictures keep their size: leave '
            "that out, or imgsz"
        )
    if size is None and (needs_size and resize != "none"):
        raise TaskError(
            f"{file.name} takes pictures of any size, and its own is not known: give ,imgsz=N "
            f'behind its word, or {{"imgsz": N}} in {card_of(file).name}'
        )
    fit: Callable[[NDArrayByte], Fitted] = unchanged
    if size is not None and resize == "letterbox":
        # Only what is known to take any shape is shown less than the whole square.
        stride = runtime.said.stride if runtime.said.is_dynamic and not fixed else None
        fit = partial(letterboxed, size_px=size, stride=stride)
    elif size is not None and (resize == "stretch" or fixed):
        fit = partial(stretched, size_px=size)
    mean, std = card.mean or (0.0, 0.0, 0.0), card.std or (1.0, 1.0, 1.0)
    return Shown(fit, mean, std, card.channels == "bgr", runtime.is_raw)


class ExportedDetector:
    """A detector, with masks where its form has them."""

    def __init__(self, runtime: Runtime, file: Path, task: str, imgsz: int | None) -> None:
        """Take a network, and find out by one grey picture what its outputs mean.

        Raises:
            TaskError: If they are of no form in `LAYOUTS` or could be of several, or no boxes in
                the unit of theirs, if masks are asked for and it makes none, or if its size or
                normalisation is not known.
        """
        card = read_card(file)
        self.names = named_classes(file, card, runtime.said.names)
        if card.layout is not None and card.layout not in LAYOUTS:
            raise TaskError(
                f"{card_of(file).name}: unknown layout '{card.layout}': "
                f"known are {', '.join(LAYOUTS)}"
            )
        outputs, seen_px = self._of_grey(runtime, file, card, imgsz)
        shapes = [tuple(a.shape) for a in outputs]
        try:
            self._layout = card.layout or layout_of(
                shapes, len(self.names), runtime.said.is_suppressed, runtime.said.head
            )
        except TaskError as error:
            raise TaskError(
                f'{file.name}: {error}: say which in {card_of(file).name}, {{"layout": …}} of '
                f"{', '.join(LAYOUTS)}; or score its boxes: score --predictions"
            ) from error
        if self._layout == "logits" and not runtime.is_raw and card.mean is None:
            raise TaskError(
                f"{file.name}: how its pictures are normalised is not known: say it in "
                f'{card_of(file).name}, {{"mean": [r, g, b], "std": [r, g, b]}}; '
                "0, 0, 0 and 1, 1, 1 where they are in 0..1"
            )
        self._has_masks = any(len(shape) == 4 for shape in shapes)
        if task == "instance" and not self._has_masks:
            raise TaskError(f"{file.name} makes no masks: give it with --model detection=")
        self._task, self._runtime = task, runtime
        self._shown = self._how(runtime, file, card, imgsz, self._layout)
        try:
            self._require_sense(outputs, seen_px)
        except TaskError as error:
            raise TaskError(
                f"{file.name}: {error}; or score its boxes: score --predictions"
            ) from error

    @staticmethod
    def _how(runtime: Runtime, file: Path, card: Card, imgsz: int | None, layout: str) -> Shown:
        """How pictures are shown in a layout."""
        is_unit = layout in UNIT or runtime.tells_size
        resize: Resize = "stretch" if is_unit else "letterbox"
        is_asked = imgsz is not None or card.imgsz is not None
        takes_any = runtime.fixed_px is None and not runtime.tells_size
        if layout == "lists" and takes_any and not is_asked:
            resize = "none"  # torchvision's resize pictures themselves
        return _shown(runtime, file, card, imgsz, resize, needs_size=True)

    def _of_grey(
        self, runtime: Runtime, file: Path, card: Card, imgsz: int | None
    ) -> tuple[list[NDArray[Any]], tuple[int, int]]:
        """The outputs for a grey picture, and the height and width of what the network saw."""
        grey = np.full((64, 64, 3), 114, np.uint8)
        shown = _shown(runtime, file, card, imgsz, "letterbox", needs_size=False)
        fitted = shown.fit(grey)
        return self._outputs(runtime, shown, fitted, file.name), fitted.seen_px

    def _require_sense(self, outputs: list[NDArray[Any]], seen_px: tuple[int, int]) -> None:
        """Refuse what it gave for the grey picture where that cannot be boxes of its form."""
        # A network that divides by the picture's spread makes no numbers of grey.
        if all(np.isfinite(a).all() for a in outputs if a.dtype.kind == "f"):
            found = read(self._layout, outputs, len(self.names), seen_px)
            require_unit(self._layout, found, seen_px)
            if self._layout in SUPPRESSED_BY_US:
                require_decoded(self._layout, outputs, seen_px)
            require_probabilities(self._layout, outputs, len(self.names))

    @staticmethod
    def _outputs(runtime: Runtime, shown: Shown, fitted: Fitted, name: str) -> list[NDArray[Any]]:
        try:
            return runtime(shown.batch(fitted), fitted.size_px)
        except Exception as error:
            # Both runtimes raise classes of their own for whatever a graph does not like.
            height, width = fitted.seen_px
            reason = " ".join(str(error).split())[-160:]
            raise TaskError(
                f"{name}: does not take a picture of {height}x{width} px: {reason}"
            ) from error

    def detect(self, images: list[NDArrayByte]) -> list[Detections]:
        """Find objects, one image per forward."""
        return [self._one(image) for image in images]

    def _one(self, image: NDArrayByte) -> Detections:
        fitted = self._shown.fit(image)
        outputs = self._outputs(self._runtime, self._shown, fitted, "the network")
        found = read(self._layout, outputs, len(self.names), fitted.seen_px)
        require_unit(self._layout, found, fitted.seen_px)
        is_back = self._runtime.tells_size and self._layout == "lists"
        is_yolo = self._layout in (*SUPPRESSED_BY_US, "rows", "batch-rows")
        boxes = found.boxes if is_back else fitted.boxes(found.boxes, is_clipped=is_yolo)
        masks = None
        if self._task == "instance":
            masks = self._masks(found, boxes, outputs, fitted)
            filled = (masks > 0).flatten(1).any(1)
            boxes, masks, found = boxes[filled], masks[filled], found[filled]
        return Detections(
            boxes_xyxy_px=boxes.numpy().astype(np.float32),
            scores=found.scores.numpy().astype(np.float32),
            categories=found.classes.numpy().astype(np.int64),
            masks=() if masks is None else rle.encoded(masks.numpy()),
        )

    def _masks(
        self, found: Found, boxes: torch.Tensor, outputs: list[NDArray[Any]], fitted: Fitted
    ) -> torch.Tensor:
        """Masks ``uint8 (N, H, W)``; of prototypes those inside the boxes."""
        height, width = fitted.size_px
        if not len(found.scores):
            return torch.zeros((0, height, width), dtype=torch.uint8)
        if found.masks is not None:
            if found.masks.shape[2:] == fitted.size_px:
                return (found.masks[:, 0] > MASK_LIMIT).byte()
            return (fitted.maps(found.masks)[:, 0] > MASK_LIMIT).byte()
        four = next((o for o in outputs if o.ndim == 4), None)
        if found.coefficients is None or four is None:
            raise TaskError(f"outputs of the form {self._layout} have no masks")
        prototypes = torch.from_numpy(four)[0].float()
        sums = found.coefficients @ prototypes.flatten(1)
        maps = sums.reshape(1, len(sums), *prototypes.shape[1:])
        drawn = torch.zeros((len(sums), height, width), dtype=torch.uint8)
        across, down = torch.arange(width), torch.arange(height)[:, None]
        for i, (left, top, right, bottom) in enumerate(boxes.tolist()):
            inside = (across >= left) & (across < right) & (down >= top) & (down < bottom)
            drawn[i] = (fitted.prototype_maps(maps[:, i : i + 1])[0, 0] > 0) & inside
        return drawn


class ExportedSegmenter:
    """A network that gives a score per class and pixel, or the class itself."""

    def __init__(self, runtime: Runtime, file: Path, imgsz: int | None) -> None:
        """Take a network.

        One of a fixed size sees every picture stretched to it, and its scores are stretched back;
        one of any size sees pictures at their own, or stretched to the size that is asked for;
        ultralytics' see them letterboxed.

        Raises:
            TaskError: If its outputs are no label map, or its classes are not named.
        """
        card, said = read_card(file), runtime.said
        self.names = named_classes(file, card, said.names)
        declared = getattr(runtime, "outputs", None)
        if declared is not None and len(declared[0][0]) not in (3, 4):
            raise TaskError(
                f"{file.name}: expected scores (1, C, H, W) or classes (1, H, W), "
                f"it gives {declared[0][0]}"
            )
        channels = declared[0][0][1] if declared and len(declared[0][0]) == 4 else None
        if isinstance(channels, int) and channels not in (1, len(self.names)):
            raise TaskError(
                f"{file.name} has {channels} classes, {len(self.names)} names are known for it: "
                f'name them in {card_of(file).name}, {{"classes": ["name", …]}}'
            )
        self._runtime = runtime
        resize: Resize = "letterbox" if said.is_ultralytics else "none"
        if resize == "none" and (imgsz is not None or card.imgsz is not None):
            resize = "stretch"
        self._shown = _shown(runtime, file, card, imgsz, resize, needs_size=False)

    def segment(self, images: list[NDArrayByte]) -> list[NDArrayByte]:
        """Label maps ``uint8 (H, W)``, one image per forward; values are places in ``names``."""
        return [self._one(image) for image in images]

    def _one(self, image: NDArrayByte) -> NDArrayByte:
        fitted = self._shown.fit(image)
        try:
            found = torch.from_numpy(self._runtime(self._shown.batch(fitted), fitted.size_px)[0])
        except Exception as error:
            # Both runtimes raise classes of their own for whatever a graph does not like.
            height, width = fitted.seen_px
            raise TaskError(
                f"the network does not take a picture of {height}x{width} px "
                f"({type(error).__name__}): give its size, ,imgsz=N, or export it with a fixed one"
            ) from error
        is_whole = not found.is_floating_point()
        if found.shape[:-2] == (1,) or (found.shape[:-2] == (1, 1) and is_whole):
            return self._of_classes(found.reshape(1, 1, *found.shape[-2:]), fitted)
        if found.ndim == 4 and found.shape[2:] != fitted.seen_px:
            found = torch.nn.functional.interpolate(
                found.float(), fitted.seen_px, mode="bilinear", align_corners=False
            )
        scores = fitted.maps(found) if found.ndim == 4 else found
        return labels(scores, image.shape[:2], len(self.names))

    def _of_classes(self, found: torch.Tensor, fitted: Fitted) -> NDArrayByte:
        """Label maps of a network that gives classes, not scores."""
        if found.is_floating_point() and not torch.equal(found, found.round()):
            odd = found[found != found.round()][0]
            raise TaskError(
                f"the network gave {odd:g} for a pixel in (1, H, W), expected the whole number of "
                "a class: export its scores of all classes, (1, C, H, W)"
            )
        if found.numel() and not 0 <= int(found.min()) <= int(found.max()) < len(self.names):
            raise TaskError(
                f"the network gave class {int(found.max())}, its {len(self.names)} classes are "
                f"0 to {len(self.names) - 1}"
            )
        whole = found.float()
        if found.shape[2:] != fitted.seen_px:
            whole = torch.nn.functional.interpolate(whole, fitted.seen_px, mode="nearest")
        mapped: NDArrayByte = fitted.maps(whole, "nearest")[0, 0].to(torch.uint8).numpy()
        return mapped
