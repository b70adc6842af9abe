"""Photographs that stand twice: in two sets, flips and rotations included, or in one as they are.

Found by a perceptual hash. Within a set, where scenes of one street are near each other by their
hash, small pictures of both must agree as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from datasets.image import NDArrayByte

SAME_BITS = 10
"""Hashes that differ in at most this many of 64 bits belong to one photograph."""
SIDE_PX = 32
"""Side of the grey picture that a hash is made of."""
LEAST_CORRELATION = 0.99
"""Of two such pictures of one photograph, saved twice or in two sizes."""


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
    return _bits(_small(grey))


def _small(grey: NDArray[Any]) -> NDArray[np.float32]:
    size = (SIDE_PX, SIDE_PX)
    return cv2.resize(grey, size, interpolation=cv2.INTER_AREA).astype(np.float32)


def _bits(small: NDArray[np.float32]) -> NDArray[np.bool_]:
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


def glance(data: bytes) -> NDArray[np.float32] | None:
    """The small grey picture of an image file, ``(32, 32)``; None where OpenCV cannot read it."""
    try:
        grey = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_REDUCED_GRAYSCALE_4)
    except cv2.error:
        return None
    return None if grey is None else _small(np.asarray(grey, np.uint8))


def first_alike(glances: Sequence[NDArray[np.float32] | None]) -> NDArray[np.int64]:
    """The first image of a set that shows the same photograph as each one, ``(N,)`` places.

    Args:
        glances: What `glance` gave of each image.
    """
    first = np.arange(len(glances))
    known = [i for i, g in enumerate(glances) if g is not None]
    if not known:
        return first
    words = _words(np.stack([_bits(g) for g in glances if g is not None]))
    for j in range(1, len(known)):
        near = np.flatnonzero(np.bitwise_count(words[:j] ^ words[j]) <= SAME_BITS)
        same = next((i for i in near if _agree(glances[known[i]], glances[known[j]])), None)
        if same is not None:
            first[known[j]] = first[known[same]]
    return first


def _agree(one: NDArray[np.float32] | None, other: NDArray[np.float32] | None) -> bool:
    """Whether two glances show the same, but for light and contrast."""
    if one is None or other is None:
        return False
    a, b = one.ravel() - one.mean(), other.ravel() - other.mean()
    lengths = float(np.linalg.norm(a) * np.linalg.norm(b))
    # Without any contrast nothing correlates, and only the same grey is the same.
    if not lengths:
        return bool(np.array_equal(one, other))
    return float(a @ b) >= LEAST_CORRELATION * lengths
