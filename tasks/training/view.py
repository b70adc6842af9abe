"""What a network in training sees of an image, which is another thing in each epoch."""

from __future__ import annotations

from collections.abc import Callable

from datasets.image import NDArrayByte
from datasets.sample import Sample

View = Callable[[Sample, NDArrayByte, int], NDArrayByte]
"""Function of (sample, its image, epoch from 0) that gives an image of the same size, as ``uint8
(H, W, 3) RGB``: the image under rain, or what a derainer makes of that. The labels stay."""
