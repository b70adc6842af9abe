"""The layout of MSPFN's Table 6: methods across, and down what they do to images and to tasks.

Jiang et al., "Multi-Scale Progressive Fusion Network for Single Image Deraining", CVPR 2020.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.results.cell import Condition
from reports.results.conditions import conditions, floors
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
    for rainy in floors(results):
        methods = [c for c in conditions(results) if c.rainy == rainy and c.stage is None]
        names = ["Rain input" if c.is_input else plain(c.name) for c in methods]
        rows = _rows(results, methods, marked, bold=kind == "tex")
        caption = f"Rain {rainy.rain}. " + " ".join(notes(results, marked))
        if kind == "tex":
            headings = ["", "", *map(escaped, names)]
            parts.append(tabular(headings, [["", *row] for row in rows], caption))
            continue
        parts.append("\n".join([*grid(["Methods", *names], rows), "", cell(caption), ""]))
    return "\n".join(parts)


def _rows(
    results: Results, methods: list[Condition], marked: set[str], *, bold: bool
) -> list[list[str]]:
    """Title rows and rows of values, of the blocks that the run holds."""
    rows = []
    blocks = [(name, judge, held) for name, held in BLOCKS.items() for judge in results.judges]
    for name, judge, wanted in blocks:
        held = [
            (heading, [results.at(c, judge, metric) for c in methods])
            for task, metric, heading in wanted
            if task == judge.task
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
            texts = [_percent(results, r, heading, marked) for r in records]
            if bold:
                rivals = [r for r in records if r is not None]
                about_metric = results.metrics[rivals[0].metric]
                texts = [
                    ranked(escaped(text), record, rivals, about_metric)
                    for text, record in zip(texts, records, strict=True)
                ]
            rows.append([escaped(heading) if bold else heading, *texts])
        if name == "Deraining":
            seconds = {cost.condition: cost.median_s_per_image for cost in results.cost}
            times = [f"{seconds[c]:.2f}" if c in seconds else "–" for c in methods]
            rows.append(["Median time (s)", *(map(escaped, times) if bold else times)])
    return rows


def _percent(results: Results, record: Record | None, heading: str, marked: set[str]) -> str:
    """A value as that table prints it."""
    if record is None or record.value is None or "%" not in heading:
        return written(results, record, marked)
    return f"{100 * record.value:.2f}{mark(record, marked)}"
