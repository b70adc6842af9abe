"""Image quality: one file and one pure function per metric, evidence and scores over them.

`Planes` of a clean image, given to `evidence` in its place, makes what belongs to it alone once.
"""

from __future__ import annotations

from tasks.quality.metrics import (
    FAMILIES,
    METRICS,
    PROTOCOLS,
    Metric,
    captions,
    chosen,
    literal,
    metric,
    metric_row,
    needs_float,
    version,
)
from tasks.quality.planes import Image, Planes
from tasks.quality.scorer import AT_ONCE, Quality, by_image, evidence, reduce, resample

__all__ = [
    "AT_ONCE",
    "FAMILIES",
    "METRICS",
    "PROTOCOLS",
    "Image",
    "Metric",
    "Planes",
    "Quality",
    "by_image",
    "captions",
    "chosen",
    "evidence",
    "literal",
    "metric",
    "metric_row",
    "needs_float",
    "reduce",
    "resample",
    "version",
]
