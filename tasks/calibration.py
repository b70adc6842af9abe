"""Whether a detector's confidences are what they say: the expected calibration error.

Of the detections with confidence >= 0.25 that count, in ten equal bins of confidence: the share
that is right at IoU 0.5 against the mean confidence, the gaps weighted by the bins' detections.
Rain lowers both; where it lowers one alone, a threshold of confidence means another thing in rain.

Reference: Guo, Pleiss, Sun, Weinberger, "On Calibration of Modern Neural Networks", ICML 2017,
equation 3, arXiv:1706.04599; of detections as in Kuppers et al., "Multivariate Confidence
Calibration for Object Detection", CVPR Workshops 2020, by confidence alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.task import MetricRow

CALIBRATION = "calibration_error@c25-iou50"
METRICS = {
    CALIBRATION: MetricRow(
        "calibration error c25-iou50",
        higher_is_better=False,
        caption="expected calibration error of detections with confidence 0.25 and more, IoU 0.5",
        is_column=False,
    )
}
BINS = 10
CONFIDENCE = 0.25
LACKING = {CALIBRATION: f"no box of confidence {CONFIDENCE:g} or more counts"}
"""Why it has no value where that is no lack of objects."""


def calibration_error(
    evidences: Sequence[Any], counts: NDArray[np.int64]
) -> dict[str, NDArray[np.float64]]:
    """The error of resampled sets.

    Args:
        evidences: What `tasks.matching.match` gave, one per image.
        counts: ``(B, n)``: how often draw b holds image i.

    Returns:
        ``(B,)`` fractions, NaN where a draw has no detection.
    """
    rows = np.array([_gaps(e) for e in evidences]).reshape(len(evidences), -1)
    gaps, sizes = np.moveaxis((counts @ rows).reshape(len(counts), 2, BINS), 1, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return {CALIBRATION: np.abs(gaps).sum(1) / sizes.sum(1)}


def _gaps(evidence: Any) -> NDArray[np.float64]:
    """Of one image, ``(2, 10)`` by bin: what is right less the confidences' sum, and how many."""
    # In single precision, in which a network's 0.25 is not below 0.25.
    confident = evidence["score"].astype(np.float32) >= np.float32(CONFIDENCE)
    shown = confident & ~evidence["ignored"][0, 0]
    score, right = evidence["score"][shown], evidence["matched"][0, 0][shown]
    places = np.minimum((score * BINS).astype(np.intp), BINS - 1)
    sums = [np.bincount(places, weights, BINS) for weights in (right - score, np.ones(len(score)))]
    return np.array(sums)
