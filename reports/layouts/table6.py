"""The layout of MSPFN's Table 6: methods across, and down what they do to images and to tasks.

Jiang et al., "Multi-Scale Progressive Fusion Network for Single Image Deraining", CVPR 2020. Where
several runs are laid out together, as its COCO350, BDD350 and BDD150 are, a cell has the values of
the runs that hold the task, between slashes.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reports.findings.leaders import places
from reports.results.cell import NO_RAIN, Condition, Judge
from reports.results.conditions import floors
from reports.results.marks import mark
from reports.tables.latex import BEST, MARKUP, Float, escaped, placed, slug
from reports.tables.summary import about, footnotes
from reports.tables.text import cell, grid, plain, written

if TYPE_CHECKING:
    from reports.results.record import Record
    from reports.results.results import Results

DERAINING = (("psnr_y_db", "PSNR"), ("ssim_y", "SSIM"))


@dataclass(frozen=True)
class Block:
    """What one task has in the table."""

    title: str
    rows: tuple[tuple[str, str], ...]
    """Metric and heading."""
    beside: str = ""
    """What stands behind the data set in the title."""


BLOCKS = (
    Block(
        "Object Detection",
        (
            ("precision@mspfn-table6", "Precision (%)"),
            ("recall@mspfn-table6", "Recall (%)"),
            ("mean_iou@mspfn-table6", "IoU (%)"),
        ),
        "Threshold: 0.6 of overlap with a box of any class (inferred)",
    ),
    Block(
        "Object Detection",
        (
            ("precision@mspfn-table6-conf06", "Precision (%)"),
            ("recall@mspfn-table6-conf06", "Recall (%)"),
            ("mean_iou@mspfn-table6-conf06", "IoU (%)"),
        ),
        "Threshold: 0.6 of confidence, matches above IoU 0.5",
    ),
    Block(
        "Instance Segmentation",
        (("mask_ap", "mask AP (%)"), ("mask_ap50", "mask AP50 (%)")),
    ),
    Block("Semantic Segmentation", (("mpa", "mPA (%)"), ("miou", "mIoU (%)"))),
)
"""In the order of print; both readings of its "Threshold: 0.6" have a block."""


@dataclass(frozen=True)
class _Part:
    """One run under one of its rains."""

    results: Results
    rainy: Condition

    @property
    def methods(self) -> list[Condition]:
        """The rainy input, then the derainers as they were given."""
        found = [c for c in self.results.conditions if c.rainy == self.rainy and c.stage is None]
        words = list(self.results.spec.get("derainer", ()))
        return sorted(found, key=lambda c: (not c.is_input, _place(c.name, words)))

    def judges(self, metrics: Collection[str]) -> list[Judge]:
        """Who gave some metrics."""
        return list(dict.fromkeys(r.judge for r in self.results.records if r.metric in metrics))

    @property
    def data(self) -> str:
        """What the images are."""
        at = self.rainy
        rain = "" if at.rain in ("given", NO_RAIN) else f" under {at.rain}"
        return plain(f"{at.data.name} {at.data.split}{rain}")


def _place(name: str, words: Sequence[str]) -> int:
    """Where a derainer was named: by a word that is its name, or else by one that begins alike."""
    stem = name.partition("@")[0]
    for fits in (lambda w: w == name or w.startswith(f"{name}="), lambda w: stem in w):
        for place, word in enumerate(words):
            if fits(word):
                return place
    return len(words)


@dataclass(frozen=True)
class _Row:
    """A title, which has no cells, or a heading with a cell for each method."""

    heading: str
    cells: tuple[str, ...] = ()
    beside: str = ""
    """What a title says at its end: in LaTeX a line of its own, lest it widen the last column."""

    @property
    def title(self) -> str:
        """All that a title says."""
        return "; ".join(filter(None, (self.heading, self.beside)))


def table6(runs: Sequence[Results], kind: str) -> str:
    """Runs in that layout: a table of their first rains, one of their second, and so on.

    Args:
        runs: In the order of the values between slashes.
        kind: ``md`` or ``tex``.
    """
    by_run = [[_Part(results, rainy) for rainy in floors(results)] for results in runs]
    tables = []
    for place in range(max(map(len, by_run), default=0)):
        parts = [found[place] for found in by_run if place < len(found)]
        tables.append(_table(parts, is_tex=kind == "tex"))
    return "\n".join(tables)


def _table(parts: Sequence[_Part], *, is_tex: bool) -> str:
    names = dict.fromkeys(c.name if not c.is_input else "" for p in parts for c in p.methods)
    marked: set[str] = set()
    rows = _rows(parts, list(names), marked, is_tex=is_tex)
    headings = ["Methods", *(plain(name) or "Rain input" for name in names)]
    rains = " and ".join(dict.fromkeys(plain(p.rainy.rain) for p in parts))
    runs = dict.fromkeys(f"{about(p.results)} Seed {p.rainy.seed}." for p in parts)
    caption = f"Rain {rains}. {' '.join(runs)}"
    said = list(dict.fromkeys(note for p in parts for note in footnotes(p.results, marked)))
    if is_tex:
        label = slug("table6", *(p.rainy.rain for p in parts))
        is_led = any(place in text for row in rows for text in row.cells for place in MARKUP)
        notes = [*said, *([BEST] if is_led else [])]
        return _latex(headings, rows, Float(caption, label, notes, is_wide=True))
    filled = [[r.title, *(r.cells or ("",) * len(names))] for r in rows]
    return "\n".join([*grid(headings, filled), "", cell(" ".join([caption, *said])), ""])


def _rows(
    parts: Sequence[_Part], names: Sequence[str], marked: set[str], *, is_tex: bool
) -> list[_Row]:
    """Titles and rows of the blocks that the runs hold; deraining stands above its first task."""
    rows: list[_Row] = []
    derained: list[_Part] = []
    for block in BLOCKS:
        metrics = dict(block.rows)
        of = [p for p in parts if p.judges(metrics)]
        if of and of != derained:
            rows += _deraining(of, names, marked, is_tex=is_tex)
            derained = of
        for place in range(max((len(p.judges(metrics)) for p in of), default=0)):
            judged = [(p, p.judges(metrics)[place]) for p in of if place < len(p.judges(metrics))]
            networks = dict.fromkeys(plain(judge.network or "") for _, judge in judged)
            told = [block.title, f"Algorithm: {'/'.join(networks)}", f"Dataset: {_data(of)}"]
            rows.append(_Row("; ".join(told), beside=block.beside))
            rows += [
                _row(heading, metric, judged, names, marked, is_tex=is_tex)
                for metric, heading in block.rows
            ]
    return rows or _deraining(parts, names, marked, is_tex=is_tex)


def _deraining(
    parts: Sequence[_Part], names: Sequence[str], marked: set[str], *, is_tex: bool
) -> list[_Row]:
    """What derainers do to the images of some runs, and how long it takes."""
    rows = []
    for metric, heading in DERAINING:
        judged = [(p, judge) for p in parts for judge in p.judges([metric])]
        if judged:
            rows.append(_row(heading, metric, judged, names, marked, is_tex=is_tex))
    sizes = "/".join(p.results.provenance.size_px or "not known" for p in parts)
    times = []
    for name in names:
        seconds = [_seconds(p, name) for p in parts]
        times.append("/".join("-" if s is None else f"{s:.2f}" for s in seconds))
    title = _Row(f"Deraining; Dataset: {_data(parts)}; Image Size: {sizes}")
    return [title, *rows, _Row("Ave.inf.time (s)", tuple(times))]


def _data(parts: Sequence[_Part]) -> str:
    return "/".join(p.data for p in parts)


def _seconds(part: _Part, name: str) -> float | None:
    """Mean seconds of an image; None where they are not known."""
    return next(
        (c.mean_s_per_image for c in part.results.cost if c.condition in _called(part, name)), None
    )


def _called(part: _Part, name: str) -> list[Condition]:
    """The condition of a column, if the run has it."""
    return [c for c in part.methods if name == ("" if c.is_input else c.name)]


def _row(
    heading: str,
    metric: str,
    judged: Sequence[tuple[_Part, Judge]],
    names: Sequence[str],
    marked: set[str],
    *,
    is_tex: bool,
) -> _Row:
    """A metric of all methods, the runs' values between slashes."""
    columns: list[list[str]] = [[] for _ in names]
    for part, judge in judged:
        found = [
            next((part.results.at(c, judge, metric) for c in _called(part, name)), None)
            for name in names
        ]
        leading = places(part.results, [r for r in found if r is not None]) if is_tex else {}
        for column, record in zip(columns, found, strict=True):
            text = _value(part.results, record, heading, marked)
            if is_tex and record is not None:
                text = placed(escaped(text), leading.get(record.cell))
            column.append(text)
    return _Row(heading, tuple("/".join(column) for column in columns))


def _value(results: Results, record: Record | None, heading: str, marked: set[str]) -> str:
    """A value as that table prints it."""
    if record is None or record.value is None or "%" not in heading:
        return written(results, record, marked)
    return f"{100 * record.value:.2f}{mark(record, marked)}"


def _latex(headings: Sequence[str], rows: Sequence[_Row], around: Float) -> str:
    """A table float over both columns of a page."""
    lines = [" & ".join(map(escaped, headings)) + r" \\"]
    for row in rows:
        if row.cells:
            lines.append(" & ".join([escaped(row.heading), *map(_number, row.cells)]) + r" \\")
        else:
            lines.append(r"\midrule")
            for text in filter(None, (row.heading, row.beside)):
                lines.append(rf"\multicolumn{{{len(headings)}}}{{l}}{{{escaped(text)}}} \\")
            lines.append(r"\midrule")
    return around.around("l" + "c" * (len(headings) - 1), lines)


def _number(text: str) -> str:
    """A cell that is LaTeX already, but for its dashes."""
    return text.replace("–", "--")
