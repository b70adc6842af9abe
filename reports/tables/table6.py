"""The layout of MSPFN's Table 6: methods across, and down what they do to images and to tasks.

Jiang et al., "Multi-Scale Progressive Fusion Network for Single Image Deraining", CVPR 2020.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.results.conditions import conditions, rains
from reports.tables.latex import escaped, ranked, tabular
from reports.tables.summary import notes
from reports.tables.text import cell, grid, mark, plain, written

if TYPE_CHECKING:
    from reports.results.record import Record
    from reports.results.results import Results

BLOCKS: dict[str, tuple[tuple[str, str, str], ...]] = {
    "Deraining": (("quality", "psnr_y_db", "PSNR"), ("quality", "ssim_y", "SSIM")),
    "Object detection": (
        ("detection", "precision@mspfn-table6", "Precision (%)"),
        ("detection", "recall@mspfn-table6", "Recall (%)"),
        ("detection", "mean_iou@mspfn-table6", "IoU (%)"),
    ),
    "Instance segmentation": (
        ("instance", "mask_ap", "mask AP (%)"),
        ("instance", "mask_ap50", "mask AP50 (%)"),
    ),
    "Semantic segmentation": (
        ("semantic", "mpa", "mPA (%)"),
        ("semantic", "miou", "mIoU (%)"),
    ),
}
"""(task, metric, heading) of each block's rows."""


def table6(results: Results, kind: str) -> str:
    """The run in that layout, a table for every rain.

    Args:
        results: The run.
        kind: ``md`` or ``tex``.
    """
    marked: set[str] = set()
    parts = []
    for rain in rains(results):
        methods = [d for r, d in conditions(results) if r == rain and "/" not in d]
        names = ["Rain input" if d == "identity" else plain(d) for d in methods]
        rows = _rows(results, rain, methods, marked, bold=kind == "tex")
        caption = f"Rain {rain}. " + " ".join(notes(results, marked))
        if kind == "tex":
            headings = ["", "", *map(escaped, names)]
            parts.append(tabular(headings, [["", *row] for row in rows], caption))
            continue
        parts.append("\n".join([*grid(["Methods", *names], rows), "", cell(caption), ""]))
    return "\n".join(parts)


def _rows(
    results: Results, rain: str, methods: list[str], marked: set[str], *, bold: bool
) -> list[list[str]]:
    """Title rows and rows of values, of the blocks that the run holds."""
    rows = []
    for name, wanted in BLOCKS.items():
        held = [
            (heading, [results.value(rain, d, task, metric) for d in methods])
            for task, metric, heading in wanted
        ]
        held = [(heading, records) for heading, records in held if any(records)]
        if not held:
            continue
        first = next(r for _, records in held for r in records if r is not None)
        about = f"{name}; data set: {first.dataset} {first.split}"
        if first.model is not None:
            about += f"; algorithm: {first.model}"
        rows.append([escaped(about) if bold else about, *("" for _ in methods)])
        for heading, records in held:
            texts = [_percent(r, heading, marked) for r in records]
            if bold:
                rivals = [r for r in records if r is not None]
                texts = [
                    ranked(escaped(text), record, rivals)
                    for text, record in zip(texts, records, strict=True)
                ]
            rows.append([escaped(heading) if bold else heading, *texts])
        if name == "Deraining":
            seconds = {
                c["derainer"]: c["median_s_per_image"] for c in results.cost if c["rain"] == rain
            }
            times = [f"{seconds[d]:.2f}" if d in seconds else "–" for d in methods]
            rows.append(["Median time (s)", *(map(escaped, times) if bold else times)])
    return rows


def _percent(record: Record | None, heading: str, marked: set[str]) -> str:
    """A value as that table prints it."""
    if record is None or record.value is None or "%" not in heading:
        return written(record, marked)
    return f"{100 * record.value:.2f}{mark(record, marked)}"
