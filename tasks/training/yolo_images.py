"""Images and outlines of samples for ultralytics' trainer, which gets no file."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import cv2
import numpy as np
import psutil
from ultralytics.data.dataset import YOLODataset
from ultralytics.utils.ops import segments2boxes

from datasets.image import NDArrayByte
from datasets.masks import decode
from datasets.sample import Annotations, Sample
from tasks.training.view import View

Loaded = tuple[NDArrayByte, tuple[int, int], tuple[int, int]]
"""An image as the network sees it, the height and width of its file, and its own."""
SMALLEST_OUTLINE_PX2 = 4
"""Outlines of smaller pieces of an object are left out."""


class Images(YOLODataset):  # type: ignore[misc]
    """Images and outlines of samples, as ultralytics' trainer wants them.

    No file of a user's reaches ultralytics: it writes a JPEG with bytes behind its end anew, and
    reads and removes what it takes for its caches beside images.
    """

    def __init__(
        self,
        samples: Sequence[Sample],
        categories: Mapping[int, str],
        view: View | None,
        **options: Any,
    ) -> None:
        self._samples, self._categories, self._view = samples, sorted(categories), view
        self._kept: dict[int, Loaded] = {}
        self.epoch = 0
        super().__init__(img_path="", task="segment", **options)

    def __getstate__(self) -> dict[str, Any]:
        """Without the samples where all images are in memory: not all can be sent to a process."""
        are_kept = len(self._kept) == len(self._samples)
        return {**vars(self), "_samples": () if are_kept else self._samples}

    def get_img_files(self, img_path: str) -> list[str]:
        """Names that stand for the images; no file has them."""
        return [f"{number:06}" for number in range(len(self._samples))]

    def get_labels(self) -> list[dict[str, Any]]:
        """Every image's size and outlines; the images are kept as far as there is memory."""
        needed = len(self._samples) * 3 * self.imgsz**2
        has_memory = self._view is None and 2 * needed < psutil.virtual_memory().available
        labels = []
        with ThreadPoolExecutor() as pool:
            images = pool.map(lambda s: _resized(s.image(), self.imgsz), self._samples)
            for number, loaded in enumerate(images):
                if has_memory:
                    self._kept[number] = loaded
                lines = _outlines(self._samples[number], self._categories)
                labels.append({"im_file": self.im_files[number], "shape": loaded[1], **lines})
        return labels

    def load_image(self, i: int, rect_mode: bool = True, resize_short: bool = False) -> Loaded:
        """An image as the network sees it: BGR, its longer side of that length; and both sizes."""
        if i in self._kept:
            return self._kept[i]
        sample = self._samples[i]
        image = sample.image()
        if self._view is not None:
            image = self._view(sample, image, self.epoch)
        return _resized(image, self.imgsz)


def _resized(image: NDArrayByte, longer_px: int) -> Loaded:
    """An image at the size at which the network sees it."""
    height, width = image.shape[:2]
    ratio = longer_px / max(height, width)
    size = [min(math.ceil(side * ratio), longer_px) for side in (width, height)]
    bgr = np.ascontiguousarray(image[:, :, ::-1])
    resized = cv2.resize(bgr, size, interpolation=cv2.INTER_LINEAR)
    return np.asarray(resized, np.uint8), (height, width), (size[1], size[0])


def outlines(annotations: Annotations, categories: Sequence[int]) -> list[str]:
    """An image's objects as ultralytics' lines: class and outline, in shares of width and height.

    An object in several pieces is several lines' worth of points joined in one, as ultralytics
    does with COCO: piece after piece, there and back through their nearest points.
    """
    from ultralytics.data.converter import merge_multi_segment

    place = {category: i for i, category in enumerate(categories)}
    lines = []
    rows = zip(annotations.masks, annotations.categories, annotations.is_crowd, strict=True)
    for mask, category, is_crowd in rows:
        if is_crowd:
            continue
        filled = decode(mask).astype(np.uint8)
        found, _ = cv2.findContours(filled, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        pieces = [c[:, 0] for c in found if cv2.contourArea(c) >= SMALLEST_OUTLINE_PX2]
        if not pieces:
            continue
        if len(pieces) > 1:
            parts = merge_multi_segment([piece.ravel().tolist() for piece in pieces])
            points = np.concatenate(parts)
        else:
            points = pieces[0]
        shares = (points + 0.5) / (mask.width_px, mask.height_px)
        words = " ".join(f"{v:.5f}" for v in shares.clip(0, 1).ravel())
        lines.append(f"{place[int(category)]} {words}")
    return lines


def _outlines(sample: Sample, categories: Sequence[int]) -> dict[str, Any]:
    """An image's objects as ultralytics keeps what stands in its lines."""
    assert sample.annotations is not None
    rows = [line.split() for line in dict.fromkeys(outlines(sample.annotations, categories))]
    segments = [np.array(row[1:], np.float32).reshape(-1, 2) for row in rows]
    return {
        "cls": np.array([row[0] for row in rows], np.float32).reshape(-1, 1),
        "bboxes": np.asarray(segments2boxes(segments), np.float32).reshape(-1, 4),
        "segments": segments,
        "keypoints": None,
        "normalized": True,
        "bbox_format": "xywh",
    }
