"""Plots: what they show, that it can be told apart, and that no name spoils one."""

from __future__ import annotations

import csv
import io
import re
import warnings
from dataclasses import fields, replace

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.lines import Line2D

from reports.plots.figure import Plot, panels, style
from reports.plots.names import short, shorts
from reports.plots.plots import plots
from reports.results.file_names import file_names
from reports.results.results import Results
from tests.reports.made import cost, rowed
from tests.reports.test_effects import CELLS, study
from tests.reports.test_reports import HOSTILE, record, results

NAMED = {field.name for field in fields(Plot)}


def drawn(run: Results, name: str) -> Plot:
    return next(plot for plot in plots(run) if plot.name == name)


def points(line: Line2D) -> list[tuple[float, float]]:
    x, y = (np.asarray(side, np.float64).tolist() for side in line.get_data())
    return list(zip(x, y, strict=True))


def marks(panel: Axes) -> list[tuple[str, bool]]:
    """Marker of each drawn mark, and whether it is filled."""
    lines = [line for line in panel.lines if line.get_marker() not in ("None", "", None)]
    return [(str(line.get_marker()), line.get_markerfacecolor() != "white") for line in lines]


def test_what_was_regained_is_filled_where_it_is_real() -> None:
    plot = drawn(study(CELLS), "change-detection")
    (panel,) = plot.figure.axes
    names = [label.get_text() for label in panel.get_yticklabels()]
    filled = dict(zip(names, (is_filled for _, is_filled in marks(panel)), strict=True))
    assert filled == {"bad": True, "good": True, "idle": False}
    dashed = [line for line in panel.lines if line.get_label() == "all that the rain cost"]
    assert points(dashed[0])[0][0] == 0.6 - 0.3
    assert "heavy, good +0.150, better" in plot.alt
    assert "heavy, idle +0.001, no significant difference" in plot.alt
    rows = {row["derainer"]: row for row in csv.DictReader(io.StringIO(plot.csv))}
    assert rows["bad"]["verdict"] == "worse"
    assert float(rows["bad"]["high"]) < 0


def test_decibels_have_no_line_of_all_that_the_rain_cost() -> None:
    cells = {c: v for c, v in CELLS.items() if c != ("none", "identity")}
    plot = drawn(study(cells, metric="psnr_y_db", unit="dB"), "change-quality")
    assert "all that the rain cost" not in [line.get_label() for line in plot.figure.axes[0].lines]


def test_sweeps_have_bands() -> None:
    rains = [f"physical:rate_mm_h={rate}" for rate in (1, 25, 100)]
    records = [
        replace(record("identity", 0.4 - 0.1 * i, rain=rain), ci=(0.3 - 0.1 * i, 0.5 - 0.1 * i))
        for i, rain in enumerate(rains)
    ]
    plot = drawn(rowed(results(), records=records), "physical-rate_mm_h-detection")
    (band,) = plot.figure.axes[0].collections
    corners = np.asarray(band.get_paths()[0].vertices, np.float64)
    assert (corners[:, 0].min(), corners[:, 0].max()) == (1, 100)
    assert plot.title == "Scores by rate_mm_h of physical, detection"


def test_costs_have_their_front() -> None:
    cells = {
        ("heavy", name): value for name, value in zip("abcd", (0.4, 0.35, 0.5, 0.2), strict=True)
    }
    run = study({("heavy", "identity"): 0.3, **cells})
    costs = [
        cost("heavy", name, seconds)
        for name, seconds in zip("abcd", (0.01, 0.1, 1.0, 2.0), strict=True)
    ]
    panel = drawn(replace(run, cost=costs), "cost-detection").figure.axes[0]
    (front,) = [line for line in panel.lines if line.get_label() == "best for its cost"]
    assert points(front) == [(0.01, 0.4), (1.0, 0.5), (2.0, 0.5)]


def test_forty_two_derainers_look_different() -> None:
    looks = {(to_hex(style(i)["color"]), style(i)["marker"]) for i in range(42)}
    assert len(looks) == 42


def test_many_panels_stand_in_rows() -> None:
    figure, axes = panels(7, 4.0, 2.0)
    assert len(axes) == len(figure.axes) == 7
    assert tuple(figure.get_size_inches()) == (12.0, 6.0)


def test_the_lowest_panel_of_each_column_has_its_numbers() -> None:
    figure, axes = panels(4, 4.0, 2.0, sharex=True)
    for panel in axes:
        panel.plot((0, 1), (0, 1))
    figure.draw_without_rendering()
    shown = [any(label.get_visible() for label in panel.get_xticklabels()) for panel in axes]
    assert shown == [False, True, True, True]


def test_panels_stand_in_the_order_of_the_tables() -> None:
    rates = ("100", "25", "5")
    cells = {(f"physical:rate_mm_h={r}", d): 0.3 for r in rates for d in ("identity", "b")}
    plot = drawn(study(cells), "change-detection")
    titles = [panel.get_title().partition("=")[2] for panel in plot.figure.axes]
    assert titles == ["5", "25", "100"]


def test_masks_stand_in_no_sweep() -> None:
    rains = [f"physical:rate_mm_h={rate}" for rate in (1, 25, 100)]
    cells = {(rain, d): 20.0 for rain in rains for d in ("identity", "granet", "granet/mask")}
    run = study(cells, metric="psnr_y_db", unit="dB")
    plot = drawn(run, "physical-rate_mm_h-quality")
    assert [line.get_label() for line in plot.figure.axes[0].lines] == ["rainy", "granet"]


def test_long_and_hostile_names_leave_room_for_the_data() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        for name in (HOSTILE, "physical:" * 30):
            run = results(name)
            for plot in plots(run):
                assert plot.svg
                assert plot.png
                for panel in plot.figure.axes:
                    assert panel.get_position().width > 0.3


def test_plots_of_a_paper_hold_their_fonts_and_are_as_wide_as_its_columns() -> None:
    costs = [cost("photoshop-heavy", d, s) for d, s in (("identity", 0.4), ("b", 0.5))]
    run = replace(results(), cost=costs)
    narrow = drawn(run, "cost-detection")
    images = max(r.n for r in run.records)
    assert narrow.says.endswith(f" marks a rain, each of {images:,} images.")
    before = narrow.svg
    text = narrow.pdf
    (box,) = re.findall(rb"/MediaBox \[ 0 0 ([\d.]+) ", text)
    assert float(box) == pytest.approx(3.4 * 72)
    assert b"/FontFile2" in text
    assert b"/Type3" not in text
    assert Plot(**{k: v for k, v in vars(narrow).items() if k in NAMED}).svg == before


def test_an_axis_of_seconds_has_readable_ticks() -> None:
    for seconds in ((0.4, 0.5), (0.4, 0.4), (0.0001, 30.0), (0.02, 0.9)):
        costs = [
            cost("photoshop-heavy", d, s) for d, s in zip(("identity", "b"), seconds, strict=True)
        ]
        (panel,) = drawn(replace(results(), cost=costs), "cost-detection").figure.axes
        panel.figure.draw_without_rendering()  # type: ignore[union-attr]
        low, high = panel.get_xlim()
        ticks = [x for x in panel.get_xticks() if low <= x <= high]
        assert 2 <= len(ticks) <= 12
        assert all(low <= s <= high for s in seconds)


def test_classes_of_any_name_stand_in_their_plot() -> None:
    names = ("car@night", "person", "recall")
    cells = {("heavy", d): 0.3 + i / 10 for i, d in enumerate(("identity", "b"))}
    metrics = [*(f"ap/{name}" for name in names), "recall@c25-iou50/person", "ap_pooled"]
    runs = [study(cells, metric=metric) for metric in metrics]
    plot = drawn(
        rowed(runs[0], records=[r for run in runs for r in run.records]), "classes-detection"
    )
    (panel,) = plot.figure.axes
    assert [label.get_text() for label in panel.get_yticklabels()] == list(names)


def test_plots_of_networks_of_any_name_have_files_of_their_own() -> None:
    cells = {("heavy", d): 0.3 + i / 10 for i, d in enumerate(("identity", "b"))}
    run = study(cells)
    networks = ("my net.pt", "my-net.pt", "MY-net.pt", "n" * 232, "雨" * 70)
    records = [replace(r, model=name) for name in networks for r in run.records]
    names = [plot.name for plot in plots(rowed(run, records=records))]
    changes = [name for name in names if name.startswith("change-detection-by-")]
    assert len({name.casefold() for name in changes}) == len(networks)
    assert max(len(f"{name}.svg".encode()) for name in names) < 120
    (alone,) = file_names(["my net.pt"]).values()
    assert alone == "my-net.pt"


RAIN = "physical:rate_mm_h=25:wind_m_s=8:angle_deg=12"
LIKE = "a-network-of-a-long-name-trained-with-{}-on-rain100h-and-then-on-real-rain"
"""Names of 36 letters in common, and of as many at the end."""


def test_names_that_begin_or_end_alike_are_told_apart() -> None:
    one, two = (LIKE.format(loss) for loss in ("mae", "ssim"))
    cells = {(RAIN, d): 0.3 + i / 10 for i, d in enumerate(("identity", "b", one, two))}
    run = study({("none", "identity"): 0.7} | cells)
    costs = [cost(RAIN, c.derainer, 0.1, condition=c) for c in run.conditions]
    found = {plot.name: plot for plot in plots(replace(run, cost=costs))}
    (panel, *_) = found["detection"].figure.axes
    assert [label.get_text() for label in panel.get_yticklabels()] == [
        "clean",
        "physical:rate_…:angle_deg=12 · rainy",
        "physical:r…-with-mae-on-rain100h-an…",
        "physical:r…-with-ssim-on-rain100h-a…",
        "physical:rate_mm…=8:angle_deg=12 · b",
    ]
    shown = found["cost-detection"].figure
    shown.draw_without_rendering()
    names = {text.get_text() for legend in shown.legends for text in legend.get_texts()}
    assert {"a-network-…-with-mae-on-rain100h-an…", "a-network-…-with-ssim-on-rain100h-a…"} < names
    legend, page = shown.legends[0].get_window_extent(), shown.bbox
    assert page.x0 <= legend.x0 < legend.x1 <= page.x1


def test_names_that_no_cut_tells_apart_have_a_digest() -> None:
    texts = ["x" * 50 + a + "y" * 50 + b + "z" * 50 for a in "12" for b in "34"]
    found = shorts({text: [text] for text in texts})
    assert len(set(found.values())) == len(texts)
    assert max(map(len, found.values())) <= 36 + 7
    assert set(shorts({"identity": ["rainy"], "rainy": ["rainy"], "b": ["b"]}).values()) > {"b"}
    assert short("a" * 36) == "a" * 36
