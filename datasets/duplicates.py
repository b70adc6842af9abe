"""Photographs that stand in two sets, found by a perceptual hash, flips and rotations included."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

from datasets.image import NDArrayByte

SAME_BITS = 10
"""Hashes that differ in at most this many of 64 bits belong to one photograph."""


def perceptual_hash(image: NDArrayByte) -> NDArray[np.bool_]:
    """64 bits: which of the 8x8 lowest frequencies of the grey image lie above their median.

    Args:
        image: ``uint8 (H, W, 3) RGB``.

    Returns:
        ``bool (64,)``.

    Reference:
        C. Zauner, "Implementation and Benchmarking of Perceptual Image Hash Functions", 2010,
        DCT hash.
    """
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    small = cv2.resize(grey, (32, 32), interpolation=cv2.INTER_AREA).astype(np.float32)
    low = np.asarray(cv2.dct(small))[:8, :8].ravel()
    bits: NDArray[np.bool_] = low > np.median(low[1:])
    return bits


def hashes_of_views(image: NDArrayByte) -> NDArray[np.bool_]:
    """Hashes of the eight flips and quarter turns of an image, ``bool (8, 64)``."""
    turned = [np.rot90(image, k) for k in range(4)]
    views = [*turned, *(t[:, ::-1] for t in turned)]
    return np.stack([perceptual_hash(np.ascontiguousarray(view)) for view in views])


def alike(
    hashes: NDArray[np.bool_], views: NDArray[np.bool_], same_bits: int = SAME_BITS
) -> list[tuple[int, int]]:
    """Which images of one set show what images of another show.

    Args:
        hashes: ``bool (N, 64)``, `perceptual_hash` of each image.
        views: ``bool (M, 8, 64)``, `hashes_of_views` of each image of the other set.
        same_bits: Hashes that differ in at most this many bits are one photograph's.

    Returns:
        Places in ``hashes`` and in ``views`` of every such pair.
    """
    ours, theirs = _words(hashes), _words(views)
    pairs = []
    for place, turned in enumerate(theirs):
        differing = np.bitwise_count(ours[:, None] ^ turned[None]).min(1)
        pairs += [(int(i), place) for i in np.flatnonzero(differing <= same_bits)]
    return pairs


def _words(bits: NDArray[np.bool_]) -> NDArray[np.uint64]:
    """64 bits as one number."""
    words: NDArray[np.uint64] = np.packbits(bits, axis=-1).view(np.uint64)[..., 0]
    return words


def found_in(
    images: Mapping[str, NDArrayByte], others: Iterable[NDArrayByte], same_bits: int = SAME_BITS
) -> list[str]:
    """Names of those ``images`` whose content also stands among ``others``, sorted."""
    known = np.stack([perceptual_hash(other) for other in others])
    return sorted(
        name
        for name, image in images.items()
        if (hashes_of_views(image)[:, None] != known[None]).sum(-1).min() <= same_bits
    )
