"""Confusion matrices of label maps, and the numbers of semantic segmentation made of them.

A matrix is ``int64 (C, C + 1)``: rows are true classes, columns predicted ones; the last column
counts pixels for which nothing the data set knows was predicted. Pixels ignored in the truth are in
none. All four means as in Long et al., "Fully Convolutional Networks", CVPR 2015, over the classes
that stand in the truth, as COCO's AP is over those that have objects. Where all classes do, that is
also the mean of Everingham et al., "The Pascal Visual Object Classes Challenge", IJCV 2015; where
one does not, a stray pixel of it in a prediction would count in that mean as much as the road.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from datasets.image import NDArrayByte
from datasets.sample import IGNORED

MEANS = ("miou", "mpa", "pixel_accuracy", "fwiou")


def confusion(
    truth: NDArrayByte, predicted: NDArrayByte, classes: Sequence[int]
) -> NDArray[np.int64]:
    """Confusion matrix of one image.

    Args:
        truth: ``uint8 (H, W)``: one of ``classes``, or `IGNORED`.
        predicted: ``uint8 (H, W)``: the same; what is none of ``classes`` is wrong.
        classes: C pixel values, at most 255.

    Returns:
        ``int64 (C, C + 1)``.

    Raises:
        ValueError: If the sizes differ, or the truth holds a value that is no class.
    """
    if truth.shape != predicted.shape:
        raise ValueError(f"the label map is {_size(truth)} pixels, the image {_size(predicted)}")
    place = np.full(256, len(classes), np.int64)
    place[list(classes)] = np.arange(len(classes))
    counted = truth != IGNORED
    rows = place[truth[counted]]
    if (rows == len(classes)).any():
        strange = int(truth[counted][rows == len(classes)][0])
        raise ValueError(f"the label map holds {strange}, which is no class of the data set")
    columns = place[predicted[counted]]
    shape = (len(classes), len(classes) + 1)
    cells = np.bincount(rows * shape[1] + columns, minlength=shape[0] * shape[1])
    return cells.reshape(shape)


def ious(matrices: NDArray[np.float64]) -> NDArray[np.float64]:
    """Intersection over union of each class, ``(…, C)`` fractions.

    Args:
        matrices: ``(…, C, C + 1)``, of one image or summed over many.

    Returns:
        NaN for a class that is absent from the truth.
    """
    hits, truth, predicted = _sums(matrices)
    with np.errstate(invalid="ignore"):
        return np.where(truth > 0, hits / (truth + predicted - hits), np.nan)


def means(matrices: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """Averages over classes and pixels, ``(…)`` fractions, NaN where no pixel counts.

    Args:
        matrices: ``(…, C, C + 1)``.

    Returns:
        ``miou`` and ``mpa``, mean pixel accuracy, over the classes in the truth;
        ``pixel_accuracy``; ``fwiou``, IoU weighted by the truth's pixels.
    """
    hits, truth, _ = _sums(matrices)
    total = truth.sum(-1)
    iou = ious(matrices)
    with np.errstate(invalid="ignore"):
        accuracy = hits / truth
        return {
            "miou": _mean(iou),
            "mpa": _mean(accuracy),
            "pixel_accuracy": hits.sum(-1) / total,
            "fwiou": (np.nan_to_num(iou) * truth).sum(-1) / total,
        }


def _sums(matrices: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
    """Pixels hit, true and predicted of each class."""
    hits = np.diagonal(matrices, axis1=-2, axis2=-1)
    return hits, matrices.sum(-1), matrices.sum(-2)[..., :-1]


def _mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean over the last axis of what is defined."""
    defined = ~np.isnan(values)
    mean: NDArray[np.float64] = np.nan_to_num(values).sum(-1) / defined.sum(-1)
    return mean


def _size(labels: NDArrayByte) -> str:
    return "x".join(map(str, reversed(labels.shape)))
