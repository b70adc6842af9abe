"""Where a photograph shows sky, smoothly and roughly: the far end of rain's veil.

A small network looks at 30 by 40 cells of the picture: brightness, colour, texture, height. Its
weights were fitted by ``benchmarks/distance.py`` to rendered scenes; no label of a photograph was
used, and no label of the image that it looks at ever is.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from datasets.image import NDArrayByte, NDArrayFloat
from datasets.rain.veil import transmission

Cells = NDArray[np.float64]
"""A number for each cell of a picture, ``(rows, columns)``."""

ROWS, COLUMNS = 30, 40
"""Cells of a picture; of one with fewer pixels, as many as it has."""
_ROOM = (1, 0, 0, 0), (0, 0, 1, 0)
FULL = 65535
"""Shares are enlarged in 1/65535."""
FEATURES = (
    "row from the top, 0 to 1",
    "its square",
    "distance from the middle column, 0 to 1/2",
    "fine texture over the image's brightness",
    "difference to the cells beside and above over the image's brightness",
    "the sum of both from the top of the column down",
    "brightness over the image's",
    "blue less red over brightness",
    "its magnitude",
    "brightness",
    "brightness over that of the lower half",
    "darkness of the whole image",
)


def sky_share(image: NDArrayByte) -> NDArrayFloat:
    """Share of sky around every pixel, without edges, ``float32 (H, W)`` in [0, 1].

    A step between sky and wall becomes a ramp over five cells, a sixth of the height.

    Args:
        image: ``uint8 (H, W, 3) RGB``.
    """
    cells = ramped(likely(features(image), WEIGHTS))
    height, width = image.shape[:2]
    levels = np.rint(cells * FULL).astype(np.uint16)
    large = cv2.resize(levels, (width, height), interpolation=cv2.INTER_LINEAR_EXACT)
    return np.asarray(large, np.float32) * np.float32(1 / FULL)


def features(image: NDArrayByte) -> list[Cells]:
    """What the network sees of each cell, in the order of `FEATURES`.

    All sums are of whole numbers and exact, all else single operations.
    """
    height, width = image.shape[:2]
    rows, columns = _edges(height, ROWS), _edges(width, COLUMNS)
    channels = cv2.split(image)
    red, green, blue = (_means(channel, rows, columns) for channel in channels)
    texture = _means(_texture(channels[1]), rows, columns)
    light = (red + green + blue) / 3
    lower = image[height // 2 :]
    level, ground = (sum(cv2.sumElems(part)) / part.size + 4 for part in (image, lower))
    row = np.broadcast_to(((rows[1:] + rows[:-1]) / (2 * height))[:, None], light.shape)
    column = np.abs((columns[1:] + columns[:-1]) / (2 * width) - 0.5)
    fine = np.minimum(2 * texture / level, 1)
    above = np.abs(np.diff(light, axis=0, prepend=light[:1]))
    beside = np.abs(np.diff(light, axis=1, prepend=light[:, :1]))
    coarse = np.minimum((above + beside) / level, 1)
    passed = np.cumsum(np.minimum(fine, 0.6) + coarse, axis=0)
    tint = np.clip((blue - red) / (light + 8), -1, 1)
    return [
        row,
        row * row,
        np.broadcast_to(column, light.shape),
        fine,
        coarse,
        np.minimum(passed * (ROWS / 8 / len(light)), 1),
        np.minimum(light / level, 3) / 3,
        tint,
        np.abs(tint),
        light / 255,
        np.minimum(light / ground, 3) / 3,
        np.full(light.shape, max(0.0, 1 - level / 64)),
    ]


def likely(seen: list[Cells], weights: tuple[tuple[float, ...], ...]) -> Cells:
    """Share of sky in each cell, in [0, 1]: rectified sums, then the logistic function.

    Args:
        seen: `features`.
        weights: For each hidden unit its weight in the result, its offset, and a weight for each
            feature; last the result's offset.
    """
    *units, (offset,) = weights
    total = np.full(seen[0].shape, offset)
    for out, start, *each in units:
        unit = np.full(seen[0].shape, start)
        for weight, feature in zip(each, seen, strict=True):
            unit += weight * feature
        total += out * np.maximum(unit, 0)
    tail = transmission(np.abs(total)).astype(np.float64)
    return np.asarray(np.where(total > 0, 1, tail) / (1 + tail), np.float64)


def ramped(cells: Cells) -> Cells:
    """Mean of 5 by 5 cells, the outermost at half weight: a step becomes a ramp."""
    for _ in range(2):
        padded = np.concatenate([cells[:1], cells[:1], cells, cells[-1:], cells[-1:]])
        ends = padded[:-4] + padded[4:]
        cells = ((ends + 2 * (padded[1:-3] + padded[2:-2] + padded[3:-1])) / 8).T
    return np.ascontiguousarray(cells)


def _edges(side: int, cells: int) -> NDArray[np.intp]:
    """Where cells begin and end, ``(n + 1,)``."""
    count = min(cells, side)
    return np.arange(count + 1) * side // count


def _texture(channel: cv2.typing.MatLike) -> cv2.typing.MatLike:
    """Sum of the differences to the pixel above and to the left, at most 255, ``uint8 (H, W)``."""
    # The first row and column are compared with themselves, which leaves no image without pixels.
    above, beside = (cv2.copyMakeBorder(channel, *room, cv2.BORDER_REPLICATE) for room in _ROOM)
    height, width = channel.shape[:2]
    return cv2.add(cv2.absdiff(channel, above[:height]), cv2.absdiff(channel, beside[:, :width]))


def _means(channel: cv2.typing.MatLike, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> Cells:
    """Mean of each cell, ``float64``."""
    # Both are exact; whole numbers of 32 bits are quicker, and hold sums of 8 megapixels.
    depth = cv2.CV_32S if channel.size < 2**31 // 255 else cv2.CV_64F
    corners = np.asarray(cv2.integral(channel, sdepth=depth))[np.ix_(rows, columns)]
    sums = np.asarray(corners, np.float64)
    sums = np.diff(np.diff(sums, axis=0), axis=1)
    return np.asarray(sums / (np.diff(rows)[:, None] * np.diff(columns)), np.float64)


WEIGHTS: tuple[tuple[float, ...], ...] = (
    (
        -1.108,
        -0.203,
        0.335,
        1.326,
        0.33,
        -0.651,
        -0.238,
        0.767,
        0.453,
        0.287,
        0.352,
        -0.263,
        -0.518,
        0.422,
    ),
    (
        -1.756,
        0.476,
        -3.17,
        -0.491,
        0.772,
        0.475,
        -0.19,
        1.219,
        0.066,
        -1.226,
        -0.662,
        0.29,
        -0.032,
        -1.46,
    ),
    (
        -2.858,
        0.941,
        -3.005,
        2.715,
        1.687,
        -0.732,
        -0.836,
        1.168,
        -0.179,
        -0.106,
        0.413,
        -0.253,
        -0.494,
        -0.602,
    ),
    (
        -1.374,
        -0.196,
        -0.125,
        1.723,
        0.767,
        -0.593,
        -0.116,
        0.704,
        0.854,
        0.231,
        0.006,
        -0.578,
        -0.435,
        0.375,
    ),
    (
        -0.837,
        0.287,
        -1.497,
        0.937,
        1.442,
        -0.273,
        -0.218,
        0.903,
        1.025,
        -0.07,
        0.03,
        -0.946,
        -0.536,
        -0.092,
    ),
    (
        -0.135,
        0.001,
        -0.012,
        -0.013,
        -0.061,
        -0.015,
        0.0,
        -0.115,
        -0.037,
        0.018,
        -0.003,
        0.005,
        -0.061,
        -0.013,
    ),
    (
        -1.026,
        -0.314,
        0.451,
        1.855,
        0.801,
        -0.95,
        -0.151,
        0.458,
        0.484,
        0.269,
        -0.365,
        -0.411,
        0.053,
        -0.325,
    ),
    (
        4.421,
        1.338,
        0.796,
        -4.588,
        -1.262,
        -7.597,
        -0.891,
        -3.428,
        2.229,
        0.281,
        0.187,
        0.708,
        0.571,
        1.385,
    ),
    (0.39,),
)
"""See `likely`; fitted by ``benchmarks/distance.py --fit``."""
