"""Does quality tell the score? The rank correlations of a run as a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from reports.results.conditions import conditions, rains
from reports.results.intervals import FEWEST, interval
from reports.results.metrics import base, primary, title
from reports.results.record import IMAGE_METRIC
from reports.tables.text import Table, plain, span

if TYPE_CHECKING:
    from reports.results.record import Record
    from reports.results.results import Results

QUALITY = ("psnr_y_db", "ssim_y", "niqe")
"""Metrics that are held against the tasks."""
FEWEST_MEANS = 8
"""Fewer derainers are a plain scatter: so few points carry no number."""
NOTES = [
    "Spearman's rank correlation. Within an image: across the rainy input and the derainers, then "
    "the mean over images; across images: of one derainer. The task's score of one image is F1 at "
    "confidence 0.25 and IoU 0.5, or mean IoU. 95 % percentile intervals over resampled images. Of "
    "NIQE less is better, so there a negative correlation is what one hopes for.",
]


def table(results: Results) -> Table:
    """Headings, rows and notes; no rows where nothing could be correlated."""
    headings = ["rain", "of", "task", "quality", "correlation", "95 % interval", "images"]
    rows = [
        [
            plain(c.rain),
            "within an image" if c.derainer is None else f"across images, {_name(c.derainer)}",
            *_cells(c.task, c.quality, c.value, c.ci, c.n),
        ]
        for c in results.correlations
    ]
    return headings, rows + _means(results), NOTES


def _name(derainer: str) -> str:
    return "rainy" if derainer == "identity" else plain(derainer)


def _cells(
    task: str, quality: str, value: float, ci: tuple[float, float] | None, n: int
) -> list[str]:
    return [task, title(quality).replace(" [dB]", ""), f"{value:+.2f}", span(ci, "dB"), f"{n:,}"]


def _means(results: Results) -> list[list[str]]:
    """Rows of the derainers' means: of each quality metric and the tasks' primary metrics."""
    held = dict.fromkeys(r.metric for r in results.records if r.task == "quality")
    rows = []
    for rain in rains(results):
        derainers = [d for r, d in conditions(results) if r == rain and "/" not in d]
        for task in IMAGE_METRIC:
            metric = primary(results, task)
            for quality in (m for m in held if metric and base(m) in QUALITY):
                pairs = [
                    (x, y)
                    for d in derainers
                    if d != "identity"
                    and (x := results.value(rain, d, "quality", quality))
                    and (y := results.value(rain, d, task, str(metric)))
                    and x.value is not None
                    and y.value is not None
                ]
                if len(pairs) >= FEWEST_MEANS:
                    value, ci = _correlated(results, pairs)
                    where = [plain(rain), f"across the means of {len(pairs)} derainers"]
                    rows.append([*where, *_cells(task, quality, value, ci, pairs[0][0].n)])
    return rows


def _correlated(
    results: Results, pairs: Sequence[tuple[Record, Record]]
) -> tuple[float, tuple[float, float] | None]:
    """Correlation of two numbers of each derainer, and its interval over resampled images."""
    sides = [list(side) for side in zip(*pairs, strict=True)]
    value = _spearman(*(np.array([[r.value for r in side]]) for side in sides))
    drawn = [[results.draws.get(r.cell()) for r in side] for side in sides]
    groups = results.provenance.get("groups", pairs[0][0].n)
    if groups < FEWEST or any(d is None for side in drawn for d in side):
        return float(value[0]), None
    return float(value[0]), interval(_spearman(*(np.stack(side, -1) for side in drawn)))  # type: ignore[arg-type]


def _spearman(x: NDArray[Any], y: NDArray[Any]) -> NDArray[np.float64]:
    """Along the last axis; NaN where one side does not vary."""
    from scipy.stats import rankdata

    a, b = (np.asarray(rankdata(side, axis=-1), np.float64) for side in (x, y))
    a, b = (side - side.mean(-1, keepdims=True) for side in (a, b))
    with np.errstate(invalid="ignore"):
        found: NDArray[np.float64] = (a * b).sum(-1) / np.sqrt((a**2).sum(-1) * (b**2).sum(-1))
    return found
