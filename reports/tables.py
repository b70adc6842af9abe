"""The main numbers of a run as rows of text, for every kind of output."""

from __future__ import annotations

import csv
import html
import io
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from harness.record import FEWEST
from reports.effects import Effect, effects

if TYPE_CHECKING:
    from harness.record import Record, Results

COLUMNS = {
    "detection": ("ap", "ap50", "ap_pooled"),
    "instance": ("mask_ap", "mask_ap50", "mask_ap_pooled", "box_ap"),
    "semantic": ("miou", "mpa", "pixel_accuracy"),
    "quality": ("psnr_y_db", "ssim_y", "fsimc", "uqi", "niqe", "sseq"),
}
"""Metrics of the summary, by task; other protocols of them, or what else there is, follow."""

TITLES = {
    "ap": "AP",
    "ap50": "AP50",
    "ap_pooled": "AP pooled",
    "mask_ap": "mask AP",
    "mask_ap50": "mask AP50",
    "mask_ap_pooled": "mask AP pooled",
    "box_ap": "box AP",
    "miou": "mIoU",
    "mpa": "mPA",
    "pixel_accuracy": "pixel accuracy",
    "f1": "F1",
    "psnr_y_db": "PSNR-Y [dB]",
    "psnr_rgb_db": "PSNR-RGB [dB]",
    "ssim_y": "SSIM-Y",
    "ssim_rgb": "SSIM-RGB",
    "fsim": "FSIM",
    "fsimc": "FSIMc",
    "uqi": "UQI",
    "niqe": "NIQE",
    "sseq": "SSEQ",
}
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
SEEN = {
    "rain": "the derainer was trained on this kind of rain",
    "images": "the derainer was trained on this data set",
    "task-images": "the task network was trained on these images",
}
LOWER_IS_BETTER = ("niqe", "sseq")
PRIMARY = ("ap_pooled", "mask_ap_pooled", "miou", "psnr_y_db")
"""Metrics whose paired difference to the rainy input is shown."""


def plain(text: str) -> str:
    """Text on one line, with signs that steer terminals or turn the writing replaced."""
    if not text.isprintable():
        text = "".join(
            c if c.isprintable() or c.isspace() else "\N{REPLACEMENT CHARACTER}" for c in text
        )
    return " ".join(text.split())


def conditions(results: Results) -> list[tuple[str, str]]:
    """(rain, derainer) pairs: the clean ceiling, then each rain with its floor first."""
    found = {(r.rain, r.derainer) for r in results.records}
    return sorted(found, key=lambda c: (c[0] != "none", _natural(c[0]), c[1] != "identity", c[1]))


def _natural(name: str) -> list[tuple[float, str]]:
    """Sorts the numbers in a name by their value: 5 before 10."""
    parts = re.split(r"(\d+(?:\.\d+)?)", name)
    return [(float(part), "") if i % 2 else (-1.0, part) for i, part in enumerate(parts)]


def label(rain: str, derainer: str) -> str:
    """A condition in words."""
    if rain == "none":
        return "clean" if derainer == "identity" else plain(f"clean · {derainer}")
    return plain(f"{rain} · {'rainy' if derainer == 'identity' else derainer}")


def metrics(results: Results) -> list[tuple[str, str]]:
    """(task, metric) of the summary that the run holds."""
    have = list(dict.fromkeys((r.task, r.metric) for r in results.records))
    shown = [(t, m) for t, names in COLUMNS.items() for m in names if (t, m) in have]
    alone = {t for t, _ in have} - {t for t, _ in shown}
    others = [(t, m) for t, m in have if base(m) in TITLES and ("@" in m or t in alone)]
    return shown + others


def base(metric: str) -> str:
    """A metric's name without its protocol."""
    return metric.partition("@")[0]


def title(metric: str) -> str:
    """Heading of a metric."""
    protocol = metric.partition("@")[2]
    return TITLES[base(metric)] + (f" {protocol}" if protocol else "")


def summary(results: Results) -> tuple[list[str], list[list[str]], list[str]]:
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
        row = [plain(rain), plain(derainer)]
        for task, metric in shown:
            record = results.value(rain, derainer, task, metric)
            row.append(written(record, marked))
            if base(metric) in PRIMARY:
                row.append(_against(results, results.value(rain, "identity", task, metric), record))
        rows.append(row)
    return headings, rows, notes(results, marked)


def effects_table(results: Results) -> tuple[list[str], list[list[str]], list[str]]:
    """Headings, rows and notes of what each derainer changes; no rows where nothing was derained.

    The columns of recovery and harm stand there only where something fills them.
    """
    found = effects(results)
    columns: dict[str, list[str]] = {
        "rain": [plain(e.rain) for e in found],
        "derainer": [plain(e.derainer) for e in found],
        "metric": [title(e.metric) for e in found],
        "change": [signed(e.difference, e.unit) for e in found],
        "95 % interval": [span(e.ci, e.unit) for e in found],
        "verdict": [e.verdict or "–" for e in found],
        "could be shown": ["–" if e.smallest is None else _size(e.smallest, e) for e in found],
        "images needed": ["–" if e.needed is None else f"{e.needed:,}" for e in found],
    }
    if any(e.recovery is not None for e in found):
        columns["of rain's cost"] = [_share(e) for e in found]
    if any(e.harm is not None for e in found):
        columns["clean images"] = [
            "–" if e.harm is None else f"{signed(e.harm, e.unit)} {span(e.harm_ci, e.unit)}"
            for e in found
        ]
    if any(e.lower is not None for e in found):
        columns["images below rainy"] = [
            "–" if e.lower is None else f"{100 * e.lower:.0f} %" for e in found
        ]
    lines = [
        "Change: derained − rainy, paired; verdict: significant at 5 % for all derainers of a rain "
        "and task together (Holm), on the task's primary metric. Could be shown: the smallest true "
        "difference that this many images show in 80 % of studies; images needed: to show 0.01, or "
        "0.2 dB, that well.",
    ]
    if "of rain's cost" in columns:
        lines.append(
            "Of rain's cost: (derained − rainy)/(clean − rainy), where rain's cost is clear."
        )
    if "clean images" in columns:
        lines.append("Clean images: derained clean − clean; below 0 the derainer does harm.")
    if "images below rainy" in columns:
        lines.append(
            "Images below rainy: share of the images whose own score (F1 at confidence 0.25 and "
            "IoU 0.5, mean IoU, or PSNR-Y) deraining lowered."
        )
    return list(columns), [list(row) for row in zip(*columns.values(), strict=True)], lines


def _size(value: float, effect: Effect) -> str:
    return f"{value:.{_places(effect.unit)}f}"


def signed(value: float, unit: str) -> str:
    """A difference with its sign."""
    return f"{value:+.{_places(unit)}f}"


def span(ci: tuple[float, float] | None, unit: str, *, sign: bool = True) -> str:
    """An interval, of a difference or of a value."""
    if ci is None:
        return "–"
    low, high = (f"{v:{'+' if sign else ''}.{_places(unit)}f}" for v in ci)
    return f"[{low}, {high}]"


def _share(effect: Effect) -> str:
    """A recovery in percent with its interval."""
    if effect.recovery is None:
        return "–"
    ci = effect.recovery_ci
    shown = "" if ci is None else f" [{100 * ci[0]:.0f}, {100 * ci[1]:.0f}]"
    return f"{100 * effect.recovery:.0f} %{shown}"


def _places(unit: str) -> int:
    return 2 if unit == "dB" else 3


def written(record: Record | None, marked: set[str]) -> str:
    """A value with its mark of contamination."""
    if record is None:
        return "–"
    if record.value is None:
        return "identical" if record.n_identical else "–"
    marked.update(["unknown"] if record.seen is None else record.seen)
    mark = "?" if record.seen is None else "†" if record.seen else ""
    return f"{record.value:.{_digits(record)}f}{mark}"


def _against(results: Results, floor: Record | None, record: Record | None) -> str:
    """Paired difference of a derainer's row to the rainy input, with its interval."""
    if floor is None or record is None or record.derainer == "identity" or record.rain == "none":
        return ""
    if record.derainer.endswith("/mask"):
        return ""  # judged against the rain, not against the clean image
    paired = results.compare(floor, record)
    if paired is None:
        return "–"
    digits = _digits(record)
    interval = paired.ci and f" [{paired.ci[0]:+.{digits}f}, {paired.ci[1]:+.{digits}f}]"
    return f"{paired.difference:+.{digits}f}{interval or ''}"


def _digits(record: Record) -> int:
    return _places(record.unit)


def notes(results: Results, marked: set[str]) -> list[str]:
    """What a reader must know to read the table."""
    n = max((r.n for r in results.records), default=0)
    lines = [
        f"n = {n} images. Against rainy: paired difference to the rainy input, 95 % percentile "
        "interval over 2,000 resamples of the images; intervals of single values: results.csv.",
    ]
    shown = metrics(results)
    if any(t == "quality" for t, _ in shown):
        captions = results.provenance.get("protocols", {})
        used = dict.fromkeys(_caption(m, captions) for t, m in shown if t == "quality")
        said = "; ".join(f"{p}: {captions[p]}" for p in used if p in captions)
        lines.append(f"Image quality per image, then the mean. {said}.")
    if any(r.derainer.endswith("/mask") for r in results.records):
        lines.append("…/mask: the derainer's mask against the rain itself, input − truth.")
    lines += [said for task, said in CAPTIONS.items() if any(t == task for t, _ in shown)]
    groups = results.provenance.get("groups", n)
    if 0 < n < FEWEST:
        lines.append(f"Fewer than {FEWEST} images: no intervals.")
    elif results.provenance.get("blocks"):
        few = f"; these are {groups}, fewer than {FEWEST}: no intervals" if groups < FEWEST else ""
        lines.append(
            f"The images are of fewer than {FEWEST} drives or scenes: blocks of 30 consecutive "
            f"images of one were resampled{few}."
        )
    elif groups < FEWEST:
        lines.append(
            f"The images are of {groups} groups (drives, scenes), which alone are independent; "
            f"fewer than {FEWEST}: no intervals."
        )
    lines += [f"† {SEEN[m]}." for m in SEEN if m in marked]
    if "unknown" in marked:
        lines.append("? what the weights were trained on is not known.")
    lines += [plain(f"Data: {text}") for text in results.provenance.get("data_notes", ())]
    lines += [plain(f"Weights: {text}.") for text in results.provenance.get("weights", ())]
    lines += [plain(f"Doubt: {text}") for text in results.provenance.get("doubts", ())]
    for row in results.cost:
        if row.get("tiled"):
            lines.append(
                plain(
                    f"{row['derainer']}: {row['tiled']} images were derained in tiles of down to "
                    f"{row['smallest_tile_px']} px, an approximation for networks that see the "
                    "whole image."
                )
            )
    left_out: dict[str, list[str]] = {}
    for r in results.records:
        if (
            r.task in {"quality", "semantic"}
            and r.why
            and not r.n_identical
            and (r.task, r.metric) in shown
        ):
            left_out.setdefault(f"{title(r.metric)}: {r.why}", []).append(label(r.rain, r.derainer))
    lines += [f"{what} ({', '.join(where)})." for what, where in left_out.items()]
    if results.errors:
        failed = len({error["sample"] for error in results.errors})
        lines.append(f"Left out of all cells because they failed: {failed} of the images.")
    return lines


def _caption(metric: str, captions: Mapping[str, str]) -> str:
    """What a metric's caption stands under: itself, or its protocol."""
    return metric if metric in captions else metric.partition("@")[2] or "matlab-y"


def grid(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a Markdown table."""
    lines = ["| " + " | ".join(map(cell, headings)) + " |", "|" + " --- |" * len(headings)]
    return lines + ["| " + " | ".join(map(cell, row)) + " |" for row in rows]


def cell(value: str) -> str:
    """Text that Markdown shows as it is."""
    text = html.escape(plain(value), quote=False)
    for sign in "\\|`*_[]$":
        text = text.replace(sign, "\\" + sign)
    return text


def csv_text(records: Sequence[Record]) -> str:
    """Records, one a line."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    names = ["dataset", "split", "rain", "derainer", "weights", "task", "model", "metric", "value"]
    names += ["n", "ci_low", "ci_high", "seen", "seed", "unit", "why", "n_identical"]
    writer.writerow(names)
    for record in records:
        low, high = record.ci or (None, None)
        more = {"ci_low": low, "ci_high": high, "seen": _seen(record)}
        writer.writerow([inert(more.get(n, getattr(record, n, None))) for n in names])
    return buffer.getvalue()


def _seen(record: Record) -> str | None:
    return None if record.seen is None else " ".join(record.seen)


def inert(value: Any) -> Any:
    """A value that no spreadsheet takes for a formula."""
    if not isinstance(value, str):
        return value
    text = plain(value)
    return "'" + text if text[:1] in ("=", "+", "-", "@") else text
