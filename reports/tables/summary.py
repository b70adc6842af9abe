"""The main numbers of a run as a table, and what a reader must know to read it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from reports.results.conditions import conditions
from reports.results.intervals import FEWEST
from reports.results.metrics import PRIMARY, base, metrics, title
from reports.tables.text import Table, label, marks, plain, words, written, written_change

if TYPE_CHECKING:
    from reports.results.results import Results

CAPTIONS = {
    "detection": "AP: pycocotools, boxes; AP pooled: one ranking over all classes. Precision, "
    "recall and mean IoU at stated confidences: results.csv.",
    "instance": "Mask AP and box AP: pycocotools, by masks and by boxes; pooled: one ranking over "
    "all classes.",
    "semantic": "mIoU: intersection over union, mean over classes; mPA: share of a class's pixels "
    "that are found, mean over classes; both from the pixels of all images together. By class: "
    "results.csv.",
}
"""What a reader must know of a task's columns."""


def summary(results: Results) -> Table:
    """Headings, rows and notes of the summary."""
    shown = metrics(results)
    headings = ["rain", "derainer"]
    for _, metric in shown:
        headings.append(title(metric))
        if base(metric) in PRIMARY:
            headings.append("against rainy")
    marked: set[str] = set()
    rows = []
    for rain, derainer in conditions(results):
        row = words(rain, derainer)
        for task, metric in shown:
            record = results.value(rain, derainer, task, metric)
            row.append(written(record, marked))
            if base(metric) in PRIMARY:
                row.append("" if rain == "none" else written_change(results, record))
        rows.append(row)
    return headings, rows, notes(results, marked)


def notes(results: Results, marked: set[str]) -> list[str]:
    """What stands below the summary.

    Args:
        results: The run.
        marked: What the table's marks stand for, of `tables.written`.
    """
    n = max((r.n for r in results.records), default=0)
    draws = len(next(iter(results.draws.values()), ()))
    lines = [
        f"n = {n:,} images. Against rainy: paired difference to the rainy input, 95 % percentile "
        f"interval over {draws:,} resamples of the images; intervals of single values: "
        "results.csv.",
        *_protocols(results),
        *_sampling(results, n),
        *_biased(results),
        *marks(marked),
    ]
    lines += [plain(f"Data: {text}") for text in results.provenance.get("data_notes", ())]
    lines += [plain(f"Weights: {text}.") for text in results.provenance.get("weights", ())]
    lines += [plain(f"Doubt: {text}") for text in results.provenance.get("doubts", ())]
    lines += [
        plain(
            f"{row['derainer']}: {row['tiled']} images were derained in tiles of down to "
            f"{row['smallest_tile_px']} px, an approximation for networks that see the whole image."
        )
        for row in results.cost
        if row.get("tiled")
    ]
    return lines + _left_out(results)


def _protocols(results: Results) -> list[str]:
    """How the metrics of the columns are defined."""
    shown, lines = metrics(results), []
    if any(t == "quality" for t, _ in shown):
        captions = results.provenance.get("protocols", {})
        used = dict.fromkeys(_caption(m, captions) for t, m in shown if t == "quality")
        said = "; ".join(f"{p}: {captions[p]}" for p in used if p in captions)
        lines.append(f"Image quality per image, then the mean. {said}.")
    if any(r.derainer.endswith("/mask") for r in results.records):
        lines.append("…/mask: the derainer's mask against the rain itself, input − truth.")
    return lines + [said for task, said in CAPTIONS.items() if any(t == task for t, _ in shown)]


def _caption(metric: str, captions: Mapping[str, str]) -> str:
    """What a metric's caption stands under: itself, or its protocol."""
    return metric if metric in captions else metric.partition("@")[2] or "matlab-y"


def _sampling(results: Results, n: int) -> list[str]:
    """What counts as independent where that is not each image, and whether it is enough."""
    groups = results.provenance.get("groups", n)
    few = f", fewer than {FEWEST}: no intervals" if groups < FEWEST else ""
    if 0 < n < FEWEST:
        return [f"Fewer than {FEWEST} images: no intervals."]
    if results.provenance.get("blocks"):
        return [
            f"The images are of fewer than {FEWEST} drives or scenes: blocks of 30 consecutive "
            f"images of one were resampled; these are {groups}{few}."
        ]
    if groups < n:
        return [
            f"The images are of {groups} groups (drives, scenes), which alone are independent and "
            f"were resampled as wholes{few}."
        ]
    return []


def _biased(results: Results) -> list[str]:
    """Of which columns single values have no interval though their differences have one."""
    columns = set(metrics(results))
    shown = [
        title(r.metric)
        for r in results.records
        if (r.task, r.metric) in columns
        and r.value is not None
        and r.ci is None
        and r.cell() in results.draws
        and results.provenance.get("groups", r.n) >= FEWEST
    ]
    if not shown:
        return []
    return [
        f"Some values of {', '.join(dict.fromkeys(shown))} have no interval: the mean of their "
        "resamples lies 0.25 standard deviations or more off, and such intervals miss the truth "
        "too often. Differences have one."
    ]


def _left_out(results: Results) -> list[str]:
    """Images that are missing from a mean, or from everything."""
    shown = metrics(results)
    found: dict[str, list[str]] = {}
    for r in results.records:
        is_told = r.why and not r.n_identical and (r.task, r.metric) in shown
        if is_told and r.task in {"quality", "semantic"}:
            found.setdefault(f"{title(r.metric)}: {r.why}", []).append(label(r.rain, r.derainer))
    lines = [plain(f"{what} ({', '.join(where)}).") for what, where in found.items()]
    if results.errors:
        failed = len({error["sample"] for error in results.errors})
        lines.append(f"Left out of all cells because they failed: {failed} of the images.")
    return lines
