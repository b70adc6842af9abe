"""The study of docs/study.md: its runs, the numbers that are kept of them, its tables.

    python benchmarks/study.py [DATA [--workspace DIR] [--out DIR]]

DATA holds coco128, camvid, real-rain and weights/, as docs/study.yaml says. Its runs are made,
or go on, and what the tables need of them is kept in docs/study.json; without DATA the tables alone
are made anew from there.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from pages import DOCS, arguments, filled, run_suite

from reports.findings.effects import effects
from reports.findings.rankings import FEWEST, kendall
from reports.results.conditions import floors
from reports.results.results import Results
from reports.tables.text import change, grid, signed, span
from tasks import quality
from tasks.rows import TASKS

SUITE, KEPT, PAGE = (DOCS / f"study.{ending}" for ending in ("yaml", "json", "md"))
EFFECT = ("difference", "ci", "verdict", "recovery", "harm", "harm_ci")
"""What is kept of each `reports.findings.effects.Effect` beside rain, derainer, task and metric."""

ALONE = {"coco-rates": "rates", "real-rain": "real"}
"""Runs that have a table of their own, and it."""
TASKS_SHOWN = ("quality", "detection", "instance", "semantic")
"""The columns of gains."""


def kept(results: Results) -> dict[str, Any]:
    """What the tables need of a run."""
    metrics = {j: str(results.primary(j.task)) for j in results.judges if results.primary(j.task)}
    costs = []
    for wet in floors(results):
        for judge, metric in metrics.items():
            clean, rainy = (results.at(c, judge, metric) for c in (wet.clean, wet))
            if clean is None or rainy is None:
                continue
            fall = results.compare(clean, rainy)
            costs.append(
                {
                    "rain": wet.rain,
                    "task": judge.task,
                    "metric": metric,
                    "unit": rainy.unit,
                    "clean": clean.value,
                    "rainy": rainy.value,
                    "difference": fall and fall.difference,
                    "ci": fall and fall.ci,
                    "seen": rainy.seen,
                }
            )
    gains = []
    for effect in effects(results):
        record = results.at(effect.condition, effect.judge, effect.metric)
        assert record is not None
        name = {k: getattr(record, k) for k in ("rain", "task", "metric", "unit")}
        name["derainer"] = record.method
        values = {"value": record.value, "seen": record.seen}
        gains.append(name | values | {k: getattr(effect, k) for k in EFFECT})
    return {
        "dataset": results.spec["dataset"],
        "split": results.spec["split"],
        "n": max(r.n for r in results.records),
        "costs": costs,
        "gains": gains,
        "blind": [
            {
                "derainer": record.method,
                "metric": record.metric,
                "value": record.value,
                "change": None if found is None else [found.difference, found.ci],
            }
            for record in results.records
            if record.metric in ("niqe", "sseq")
            for found in [change(results, record)]
        ],
        "correlations": [
            asdict(c)
            for c in results.correlations
            if c.derainer is None and c.quality == "psnr_y_db"
        ],
    }


def cost(runs: dict[str, Any]) -> list[str]:
    """What rain costs."""
    rows = [
        [
            name,
            row["rain"],
            _title(row["task"], row["metric"]),
            _level(row["clean"], row["unit"]),
            _level(row["rainy"], row["unit"]),
            "" if row["difference"] is None else _change(row["difference"], row["ci"], row["unit"]),
        ]
        for name, run in _single(runs)
        for row in run["costs"]
    ]
    return grid(["images", "rain", "metric", "clean", "rainy", "rainy − clean"], rows)


def seen(runs: dict[str, Any]) -> list[str]:
    """What derainers give back under a kind of rain that they were trained on."""
    return _gains(runs, is_seen=True)


def unseen(runs: dict[str, Any]) -> list[str]:
    """What derainers give back under other rain, and where nothing is known of their training."""
    return _gains(runs, is_seen=False)


def _gains(runs: dict[str, Any], is_seen: bool) -> list[str]:
    rows: dict[tuple[str, str, str], dict[str, str]] = {}
    for name, run in _single(runs):
        for row in run["gains"]:
            if is_seen == ("rain" in (row["seen"] or ())):
                text = _change(row["difference"], row["ci"], row["unit"])
                text += {"better": " ↑", "worse": " ↓"}.get(row["verdict"], "")
                text += "" if row["recovery"] is None else f", {row['recovery']:.0%}"
                key = (name, row["rain"], row["derainer"] + "?" * (row["seen"] is None))
                rows.setdefault(key, {})[row["task"]] = text
    headings = _headings(runs)
    return grid(
        ["images", "rain", "derainer", *headings.values()],
        [[*key, *(row.get(task, "") for task in headings)] for key, row in rows.items()],
    )


def harm(runs: dict[str, Any]) -> list[str]:
    """What deraining does to images without rain."""
    rows: dict[tuple[str, str], dict[str, str]] = {}
    for name, run in _single(runs):
        for row in run["gains"]:
            if row["harm"] is not None:
                text = _change(row["harm"], row["harm_ci"], row["unit"])
                rows.setdefault((name, row["derainer"]), {})[row["task"]] = text
    tasks = {task: heading for task, heading in _headings(runs).items() if task != "quality"}
    return grid(
        ["images", "derainer", *tasks.values()],
        [[*key, *(row.get(task, "") for task in tasks)] for key, row in rows.items()],
    )


def predicted(runs: dict[str, Any]) -> list[str]:
    """Whether image quality orders derainers as tasks do."""
    rows = []
    for name, run in _single(runs):
        for c in run["correlations"]:
            gains = [g for g in run["gains"] if g["rain"] == c["rain"]]
            best = [
                max((g for g in gains if g["task"] == task), key=lambda g: g["difference"])
                for task in (c["task"], "quality")
            ]
            row = [name, c["rain"], c["task"], _level(c["value"], "") + _span(c["ci"], "")]
            rows.append([*row, *(g["derainer"] for g in best)])
    return grid(
        ["images", "rain", "task", "rank correlation", "best for the task", "best by PSNR-Y"], rows
    )


def carries(runs: dict[str, Any]) -> list[str]:
    """Kendall's τ of rankings that differ in the images, the rain or the task."""
    orders: dict[tuple[str, str, str], dict[str, float]] = {}
    for name, run in _single(runs):
        for g in run["gains"]:
            if g["task"] != "quality":
                orders.setdefault((name, g["rain"], g["task"]), {})[g["derainer"]] = g["value"]
    rows = []
    for first, second in itertools.combinations(orders, 2):
        differing = [i for i in range(3) if first[i] != second[i]]
        names = sorted(orders[first].keys() & orders[second].keys())
        if len(differing) == 1 and len(names) >= FEWEST:
            sides = (np.array([orders[place][n] for n in names]) for place in (first, second))
            (i,) = differing
            shared = ", ".join(v for k, v in enumerate(first) if k != i)
            value = f"{float(kendall(*sides)):+.2f}"
            rows.append([("images", "rain", "task")[i], first[i], second[i], shared, value])
            rows[-1].append(str(len(names)))
    rows.sort(key=lambda row: row[0])
    return grid(["another", "from", "to", "of", "τ", "derainers"], rows)


def real(runs: dict[str, Any]) -> list[str]:
    """Quality without a reference under real rain; less is better."""
    cells: dict[str, dict[str, str]] = {}
    for row in runs["real-rain"]["blind"]:
        text = _level(row["value"], "score")
        if row["change"] is not None:
            difference, ci = row["change"]
            text += f", {_change(difference, ci, 'score')}"
        cells.setdefault(row["derainer"], {})[row["metric"]] = text
    names = sorted(cells, key=lambda name: name != "identity")
    rows = [
        ["rainy" if name == "identity" else name, *(cells[name][m] for m in ("niqe", "sseq"))]
        for name in names
    ]
    return grid(["derainer", "NIQE", "SSEQ"], rows)


def rates(runs: dict[str, Any]) -> list[str]:
    """Pooled AP under physical rain by its rate."""
    run = runs["coco-rates"]
    floor = {row["rain"]: row for row in run["costs"] if row["task"] == "detection"}
    gains = [g for g in run["gains"] if g["task"] == "detection"]
    names = dict.fromkeys(g["derainer"] for g in gains)
    rows = [["rainy", *(_level(row["rainy"], row["unit"]) for row in floor.values())]]
    for name in names:
        changes = [g for g in gains if g["derainer"] == name]
        rows.append([name, *(_change(g["difference"], g["ci"], g["unit"]) for g in changes)])
    clean = next(iter(floor.values()))["clean"]
    rates = [rain.rpartition("=")[2] + " mm/h" for rain in floor]
    return grid([f"AP pooled; clean {clean:.3f}", *rates], rows)


def _single(runs: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """The runs that are compared with each other."""
    return [(name, run) for name, run in runs.items() if name not in ALONE]


def _headings(runs: dict[str, Any]) -> dict[str, str]:
    """Heading of each task's column of gains: the metric that its runs were judged on."""
    metrics = {row["task"]: row["metric"] for run in runs.values() for row in run["gains"]}
    return {task: _title(task, metrics[task]) for task in TASKS_SHOWN if task in metrics}


def _title(task: str, metric: str) -> str:
    """Heading of a metric; units stand behind it."""
    rows = TASKS[task].metrics if task in TASKS else {metric: quality.metric_row(metric)}
    return rows[metric].title + (" [dB]" if rows[metric].unit == "dB" else "")


def _decimals(unit: str) -> int:
    """Places after the point."""
    return 2 if unit == "dB" else 3


def _level(value: float | None, unit: str) -> str:
    return "–" if value is None else f"{value:.{_decimals(unit)}f}"


def _change(difference: float, ci: Sequence[float] | None, unit: str) -> str:
    return signed(difference, _decimals(unit)) + _span(ci, unit)


def _span(ci: Sequence[float] | None, unit: str) -> str:
    return "" if ci is None else " " + span((ci[0], ci[1]), _decimals(unit))


def tables(runs: dict[str, Any]) -> dict[str, list[str]]:
    """Every table of the page with what stands under it, by its name."""
    made = {}
    for make in (cost, seen, unseen, harm, predicted, carries, rates, real):
        names = [name for name, table in ALONE.items() if table == make.__name__]
        made[make.__name__] = [*make(runs), "", *notes(runs, names or list(dict(_single(runs))))]
    return made


def notes(runs: dict[str, Any], names: Sequence[str]) -> list[str]:
    """What stands under each table."""
    of = ", ".join(f"{name} {runs[name]['n']}" for name in names)
    trained = [
        n for n in names if any("task-images" in (c["seen"] or ()) for c in runs[n]["costs"])
    ]
    said = f"n: {of} images."
    if trained:
        split = runs[trained[0]]["split"]
        said += f" {' and '.join(trained)}: detector trained on these images ({split})."
    return [said]


def main() -> None:
    """Make the runs if data is given, then the tables."""
    a = arguments(__doc__, "study")
    if a.data is not None:
        found = run_suite(SUITE, a.data, a.workspace, a.out)
        runs = {name: kept(results) for name, results in found.items()}
        KEPT.write_text(json.dumps(runs, indent=1) + "\n")
    PAGE.write_text(filled(PAGE.read_text(), tables(json.loads(KEPT.read_text()))))


if __name__ == "__main__":
    main()
