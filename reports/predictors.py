"""The rank correlations of a run as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.tables import Table, plain, span, title

if TYPE_CHECKING:
    from harness.record import Results

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
            c.task,
            title(c.quality).replace(" [dB]", ""),
            f"{c.value:+.2f}",
            span(c.ci, "dB"),
            f"{c.n:,}",
        ]
        for c in results.correlations
    ]
    return headings, rows, NOTES


def _name(derainer: str) -> str:
    return "rainy" if derainer == "identity" else plain(derainer)
