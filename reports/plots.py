"""Plots of a run, as files: dots with intervals, and a sheet of its pictures."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, Any

import numpy as np

from reports.tables import conditions, label, metrics, plain, title

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from harness.record import GalleryItem, Results

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
"""Okabe and Ito's palette, readable with colour-blind eyes."""
MARKERS = "osD^vP"
SHEET_IMAGES = 2
"""Rows of the sheet of pictures."""


def plots(results: Results) -> dict[str, bytes]:
    """All plots by file name; the same results give the same bytes."""
    from reports import sweeps

    drawn: dict[str, bytes] = {}
    for task in dict.fromkeys(t for t, _ in metrics(results)):
        figure = _scores(results, task)
        if figure is not None:
            drawn[f"{task}.svg"] = _save(figure, "svg")
            drawn[f"{task}.png"] = _save(figure, "png")
        for sweep in sweeps.sweeps(results):
            figure = sweeps.draw(results, sweep, task)
            if figure is not None:
                name = re.sub(r"[^\w.=-]+", "-", f"{sweep.rain}-{sweep.parameter}-{task}")
                drawn[f"{name}.svg"] = _save(figure, "svg")
                drawn[f"{name}.png"] = _save(figure, "png")
    if results.gallery:
        drawn["pictures.jpg"] = _save(_sheet(results), "jpg")
    return drawn


def new_figure(width: float, height: float) -> Figure:
    """A figure that needs no display, its parts laid out by itself."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def _save(figure: Figure, kind: str) -> bytes:
    import matplotlib as mpl

    buffer = io.BytesIO()
    with mpl.rc_context({"svg.hashsalt": "derain-harness", "text.parse_math": False}):
        options: dict[str, dict[str, Any]] = {
            "svg": {"metadata": {"Date": None}},
            "png": {"metadata": {"Software": None}},
            "jpg": {"pil_kwargs": {"quality": 88}},
        }
        figure.savefig(buffer, format=kind, dpi=110, **options[kind])
    return buffer.getvalue()


def _scores(results: Results, task: str) -> Figure | None:
    """A panel per metric of the task: one row per condition, intervals where they hold."""
    names = [m for t, m in metrics(results) if t == task]
    rows = [
        c
        for c in conditions(results)
        if any(_value(results, c, task, m) is not None for m in names)
    ]
    if not rows:
        return None
    figure = new_figure(4.2 * len(names), 0.9 + 0.34 * len(rows))
    panels = figure.subplots(1, len(names), sharey=True, squeeze=False)[0]
    derainers = list(dict.fromkeys(d for _, d in rows))
    for panel, metric in zip(panels, names, strict=True):
        for y, (rain, derainer) in enumerate(rows):
            record = results.value(rain, derainer, task, metric)
            if record is None or record.value is None:
                continue
            style = derainers.index(derainer)
            colour = COLOURS[style % len(COLOURS)]
            if record.ci is not None:
                panel.plot(record.ci, (y, y), color=colour, lw=2, alpha=0.6)
            panel.plot(record.value, y, MARKERS[style % len(MARKERS)], color=colour, ms=7)
            panel.annotate(
                f"{record.value:.{2 if record.unit == 'dB' else 3}f}",
                (record.value, y),
                xytext=(0, 6),
                textcoords="offset points",
                ha="center",
                fontsize=8,
            )
        panel.set_xlabel(title(metric))
        panel.grid(axis="x", alpha=0.3)
        panel.margins(x=0.15)
    panels[0].set_yticks(
        range(len(rows)),
        [label(*row) for row in rows],
        parse_math=False,
    )
    panels[0].set_ylim(len(rows) - 0.5, -0.7)
    return figure


def _value(results: Results, condition: tuple[str, str], task: str, metric: str) -> float | None:
    record = results.value(*condition, task, metric)
    return record.value if record is not None else None


def _sheet(results: Results) -> Figure:
    """Pictures with boxes: images down, conditions across."""
    images = list(dict.fromkeys(g.sample for g in results.gallery))[:SHEET_IMAGES]
    columns = list(dict.fromkeys((g.rain, g.derainer) for g in results.gallery))
    classes = sorted({box[5] for g in results.gallery for box in g.boxes})
    by_place = {(g.sample, g.rain, g.derainer): g for g in results.gallery}
    aspect = [_aspect(by_place, image, columns) for image in images]
    figure = new_figure(3.6 * len(columns), sum(3.6 * a + 0.25 for a in aspect))
    panels = figure.subplots(
        len(images), len(columns), squeeze=False, gridspec_kw={"height_ratios": aspect}
    )
    for row, image in enumerate(images):
        for column, (rain, derainer) in enumerate(columns):
            panel = panels[row][column]
            panel.set_axis_off()
            if row == 0:
                panel.set_title(label(rain, derainer), fontsize=10, parse_math=False)
            item = by_place.get((image, rain, derainer))
            if item is not None:
                _picture(panel, item, classes)
    return figure


def _aspect(
    by_place: dict[tuple[str, str, str], GalleryItem], image: str, columns: list[tuple[str, str]]
) -> float:
    """Height over width of an image, from whichever of its pictures there is."""
    item = next(by_place[(image, *c)] for c in columns if (image, *c) in by_place)
    return item.height / item.width


def _picture(panel: Axes, item: GalleryItem, classes: list[str]) -> None:
    from datasets.image import decode

    panel.imshow(
        np.asarray(decode(item.jpeg, item.sample)),
        extent=(0, item.width, item.height, 0),
        interpolation="antialiased",
    )
    for left, top, right, bottom, score, name in item.boxes:
        colour = COLOURS[classes.index(name) % len(COLOURS)]
        panel.plot(
            (left, right, right, left, left), (top, top, bottom, bottom, top), color=colour, lw=1.5
        )
        panel.text(
            left,
            top,
            plain(f"{name} {score:.2f}"),
            fontsize=6,
            color="white",
            va="bottom",
            clip_on=True,
            parse_math=False,
            bbox={"facecolor": colour, "edgecolor": "none", "pad": 0.8},
        )
    panel.set_xlim(0, item.width)
    panel.set_ylim(item.height, 0)
