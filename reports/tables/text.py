"""The main numbers of a run as rows of text, for every kind of output."""

from __future__ import annotations

import csv
import html
import io
import re
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reports.results.record import Comparison, Record, Results

Table = tuple[list[str], list[list[str]], list[str]]
"""Headings, rows and notes."""

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
    return sorted(found, key=lambda c: (place(c[0]), c[1] != "identity", c[1]))


def place(rain: str) -> tuple[bool, list[tuple[float, str]]]:
    """Where a rain stands among others: none first, then by name, numbers by their value."""
    return rain != "none", _natural(rain)


def rains(results: Results) -> list[str]:
    """All rains, in the order of the tables."""
    return list(dict.fromkeys(rain for rain, _ in conditions(results) if rain != "none"))


def _natural(name: str) -> list[tuple[float, str]]:
    """Sorts the numbers in a name by their value: 5 before 10."""
    parts = re.split(r"(\d+(?:\.\d+)?)", name)
    return [(float(part), "") if i % 2 else (-1.0, part) for i, part in enumerate(parts)]


def label(rain: str, derainer: str) -> str:
    """A condition in words."""
    if rain == "none":
        return "clean" if derainer == "identity" else plain(f"clean · {derainer}")
    return plain(f"{rain} · {'rainy' if derainer == 'identity' else derainer}")


def words(rain: str, derainer: str) -> list[str]:
    """A condition in two cells."""
    if rain == "none":
        return ["clean", "–" if derainer == "identity" else plain(derainer)]
    return [plain(rain), "rainy" if derainer == "identity" else plain(derainer)]


def metrics(results: Results) -> list[tuple[str, str]]:
    """(task, metric) of the summary that the run holds."""
    have = list(dict.fromkeys((r.task, r.metric) for r in results.records))
    held = set(have)
    shown = [(t, m) for t, names in COLUMNS.items() for m in names if (t, m) in held]
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


def signed(value: float, unit: str) -> str:
    """A difference with its sign."""
    return f"{value:+.{places(unit)}f}"


def span(ci: tuple[float, float] | None, unit: str, *, sign: bool = True) -> str:
    """An interval, of a difference or of a value."""
    if ci is None:
        return "–"
    low, high = (f"{v:{'+' if sign else ''}.{places(unit)}f}" for v in ci)
    return f"[{low}, {high}]"


def places(unit: str) -> int:
    """Decimal places of a unit's numbers."""
    return 2 if unit == "dB" else 3


def written(record: Record | None, marked: set[str]) -> str:
    """A value with its mark of contamination."""
    if record is None:
        return "–"
    if record.value is None:
        return "identical" if record.n_identical else "–"
    return f"{record.value:.{places(record.unit)}f}{mark(record, marked)}"


def mark(record: Record, marked: set[str]) -> str:
    """† where something of a number was trained on what it measures, ? where that is not known.

    Args:
        record: The number.
        marked: Takes what the mark stands for, so that `marks` can say it below the table.
    """
    marked.update(["unknown"] if record.seen is None else record.seen)
    return "?" if record.seen is None else "†" if record.seen else ""


def marks(marked: Collection[str]) -> list[str]:
    """What the marks of a table's values stand for."""
    said = [f"† {SEEN[m]}." for m in SEEN if m in marked]
    unknown = ["? whether the weights were trained on this is not known."]
    return said + (unknown if "unknown" in marked else [])


def change(results: Results, record: Record) -> Comparison | None:
    """A derainer's paired difference to the same images without deraining, if there is one."""
    if not record.is_derained:
        return None
    floor = results.value(record.rain, "identity", record.task, record.metric)
    return None if floor is None else results.compare(floor, record)


def written_change(results: Results, record: Record | None, marked: set[str] | None = None) -> str:
    """`change` with its interval, and its mark where one is asked for."""
    if record is None or not record.is_derained:
        return ""
    found = change(results, record)
    if found is None:
        return "–"
    interval = "" if found.ci is None else f" {span(found.ci, record.unit)}"
    shown = "" if marked is None else mark(record, marked)
    return signed(found.difference, record.unit) + shown + interval


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


def csv_text(results: Results, records: Sequence[Record]) -> str:
    """Records of a run, one a line; ``change`` is `change`'s."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    names = ["dataset", "split", "rain", "derainer", "weights", "task", "model", "metric", "value"]
    names += ["n", "ci_low", "ci_high", "change", "change_low", "change_high"]
    names += ["seen", "seed", "unit", "why", "n_identical"]
    writer.writerow(names)
    for record in records:
        found = change(results, record)
        more = {
            **dict(zip(("ci_low", "ci_high"), record.ci or (), strict=False)),
            **dict(zip(("change_low", "change_high"), (found and found.ci) or (), strict=False)),
            "change": found and found.difference,
            "seen": _seen(record),
        }
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
