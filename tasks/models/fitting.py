"""A picture brought to the size at which a network sees it, and what it found brought back."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from datasets.image import NDArrayByte

GREY = 114
"""Around a letterboxed picture, as the YOLO family is trained."""
PROTOTYPE_STRIDE = 4
"""Pixels of the seen picture per pixel of YOLO's prototypes of masks."""


@dataclass(frozen=True)
class Fitted:
    """A picture as a network sees it; sizes are height and width in pixels."""

    pixels: NDArrayByte
    """``uint8 (h, w, 3) RGB``."""
    size_px: tuple[int, int]
    """The picture's own."""
    corner_px: tuple[int, int]
    """Top and left of the picture in ``pixels``."""
    inner_px: tuple[int, int]
    """The picture's in ``pixels``."""

    @property
    def seen_px(self) -> tuple[int, int]:
        """Of ``pixels``."""
        return self.pixels.shape[0], self.pixels.shape[1]

    def boxes(self, boxes: Tensor, is_clipped: bool) -> Tensor:
        """Boxes ``(N, 4)`` xyxy in the picture's own pixels, of such in ``pixels``."""
        (top, left), (height, width) = self.corner_px, self.size_px
        tall, wide = self.inner_px[0] / height, self.inner_px[1] / width
        x = (boxes[:, 0::2] - left) / wide
        y = (boxes[:, 1::2] - top) / tall
        if is_clipped:
            x, y = x.clamp(0, width), y.clamp(0, height)
        return torch.stack([x[:, 0], y[:, 0], x[:, 1], y[:, 1]], 1)

    def maps(self, maps: Tensor, mode: str = "bilinear") -> Tensor:
        """Maps ``(N, C, H, W)`` of the picture's own size, of such as large as ``pixels``."""
        (top, left), (height, width) = self.corner_px, self.inner_px
        inside = maps[:, :, top : top + height, left : left + width].float()
        if inside.shape[2:] == self.size_px:
            return inside
        smooth = None if mode == "nearest" else False
        return functional.interpolate(inside, self.size_px, mode=mode, align_corners=smooth)

    def prototype_maps(self, maps: Tensor) -> Tensor:
        """The same of maps ``(1, N, h, w)`` at a quarter of the size, as YOLO makes masks.

        They are enlarged as little as cuts the grey border off at whole pixels.
        """
        borders = [s - i for s, i in zip(self.seen_px, self.inner_px, strict=True)]
        halves = [*borders, *(border // 2 for border in borders)]
        stride = PROTOTYPE_STRIDE
        fits = (f for f in (1, 2, 4) if all(h * f % stride == 0 for h in halves))
        factor = next(fits, stride)
        if factor > 1:
            maps = functional.interpolate(maps, scale_factor=factor, mode="bilinear")
        tall, wide = (maps.shape[2] / self.seen_px[0], maps.shape[3] / self.seen_px[1])
        top, left = round(self.corner_px[0] * tall), round(self.corner_px[1] * wide)
        gain = min(maps.shape[2] / self.size_px[0], maps.shape[3] / self.size_px[1])
        height, width = (max(round(side * gain), 1) for side in self.size_px)
        inside = maps[:, :, top : top + height, left : left + width]
        return functional.interpolate(inside, self.size_px, mode="bilinear")


def letterboxed(image: NDArrayByte, size_px: tuple[int, int], stride: int | None = None) -> Fitted:
    """A picture at its own shape inside a grey rectangle.

    Args:
        image: ``uint8 (H, W, 3) RGB``.
        size_px: The rectangle; with a stride, the largest.
        stride: What the sides of the smallest rectangle that will do are multiples of; None: the
            rectangle is as large as ``size_px`` says.
    """
    height, width = image.shape[:2]
    gain = min(size_px[0] / height, size_px[1] / width)
    inner = max(round(height * gain), 1), max(round(width * gain), 1)
    border = [size_px[0] - inner[0], size_px[1] - inner[1]]
    if stride is not None:
        border = [side % stride for side in border]
    # A border of an odd number of pixels has the odd one below and to the right.
    top, left = (round(side / 2 - 0.1) for side in border)
    below, right = (round(side / 2 + 0.1) for side in border)
    resized = _resized(image, inner)
    value = (GREY, GREY, GREY)
    pixels = cv2.copyMakeBorder(resized, top, below, left, right, cv2.BORDER_CONSTANT, value=value)
    return Fitted(pixels.astype(np.uint8, copy=False), (height, width), (top, left), inner)


def stretched(image: NDArrayByte, size_px: tuple[int, int]) -> Fitted:
    """A picture at a size of another shape."""
    own = image.shape[0], image.shape[1]
    return Fitted(_resized(image, size_px), own, (0, 0), size_px)


def unchanged(image: NDArrayByte) -> Fitted:
    """A picture at its own size."""
    own = image.shape[0], image.shape[1]
    return Fitted(image, own, (0, 0), own)


def _resized(image: NDArrayByte, size_px: tuple[int, int]) -> NDArrayByte:
    if image.shape[:2] == size_px:
        return image
    found = cv2.resize(image, (size_px[1], size_px[0]), interpolation=cv2.INTER_LINEAR)
    return found.astype(np.uint8, copy=False)
