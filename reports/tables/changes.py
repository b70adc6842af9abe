"""What each derainer changes against the rainy input, as tables."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING

from reports.findings.effects import Effect, effects
from reports.results.conditions import conditions
from reports.results.marks import marks
from reports.tables.text import Table, plain, signed, span, words, written_change

if TYPE_CHECKING:
    from reports.results.results import Results


def verdicts(results: Results) -> Table:
    """Changes of the tasks' primary metrics, with verdicts; no rows where nothing was derained.

    The columns of recovery and harm stand there only where something fills them.
    """
    found = effects(results)
    marked: set[str] = set()
    several = len(results.lines) > 1
    columns: dict[str, list[str]] = {
        "rain": [plain(e.condition.rain) for e in found],
        "derainer": [plain(e.condition.name) for e in found],
        **({"network": [plain(e.judge.network or "–") for e in found]} if several else {}),
        "metric": [e.row.heading for e in found],
        "change": [_change(results, e, marked) for e in found],
        "verdict": [e.verdict or "–" for e in found],
        "could be shown": ["–" if e.smallest is None else _size(e.smallest, e) for e in found],
        "images needed": ["–" if e.needed is None else f"{e.needed:,}" for e in found],
    }
    if any(e.recovery is not None for e in found):
        columns["of rain's cost"] = [_share(e) for e in found]
    if any(e.harm is not None for e in found):
        columns["clean images"] = [
            "–"
            if e.harm is None
            else f"{signed(e.harm, e.row.decimals)} {span(e.harm_ci, e.row.decimals)}"
            for e in found
        ]
    if any(e.lower is not None for e in found):
        columns["images below rainy"] = [
            "–" if e.lower is None else f"{100 * e.lower:.0f} %" for e in found
        ]
    lines = [
        "Change: derained − rainy, paired, with its 95 % interval; verdict: significant at 5 % for "
        "all derainers of a rain and task network together (minP), on the task's primary metric. "
        "Could be shown: the true difference that 80 % of studies of this many images show, among "
        "so many derainers; images needed: of which 80 % of studies show 0.01, or 0.2 dB."
    ]
    if any(e.ci is not None and e.verdict is None for e in found):
        lines.append("No verdict (–): too few resamples for so many derainers.")
    if "of rain's cost" in columns:
        lines.append(
            "Of rain's cost: (derained − rainy)/(clean − rainy), where the cost is clear and the "
            "verdict says that something changed."
        )
    if "clean images" in columns:
        lines.append("Clean images: derained clean − clean; below 0 the derainer does harm.")
    if "images below rainy" in columns:
        lines.append(
            f"Images below rainy: share of the images whose own score ({_scores(results, found)}) "
            "deraining made worse."
        )
    rows = [list(row) for row in zip(*columns.values(), strict=True)]
    return list(columns), rows, lines + marks(marked)


def _scores(results: Results, found: Sequence[Effect]) -> str:
    """What the tasks' scores of single images are."""
    metrics = {results.image_metric(e.judge.task) or e.metric for e in found}
    rows = [results.metrics[m] for m in results.metrics if m in metrics]
    return ", ".join(row.title if ":" in row.caption else row.caption or row.title for row in rows)


def _change(results: Results, effect: Effect, marked: set[str]) -> str:
    record = results.at(effect.condition, effect.judge, effect.metric)
    return written_change(results, record, marked)


def _size(value: float, effect: Effect) -> str:
    return f"{value:.{effect.row.decimals}f}"


def _share(effect: Effect) -> str:
    """A recovery in percent with its interval."""
    if effect.recovery is None or effect.recovery_ci is None:
        return "–"
    low, high = (f"{100 * end:.0f}" for end in effect.recovery_ci)
    return f"{100 * effect.recovery:.0f} % [{low}, {high}]"


def others(results: Results) -> Table:
    """Changes of the summary's other metrics, with intervals and without verdicts."""
    shown = [(t, m) for t, m in results.columns if not results.metrics[m].primary]
    marked: set[str] = set()
    rows, has_dry = [], False
    several = len(results.lines) > 1
    for condition, (network, judges) in itertools.product(conditions(results), results.lines):
        if not condition.is_derained:
            continue
        records = [
            results.at(condition, judges[task], metric) if task in judges else None
            for task, metric in shown
        ]
        cells = [written_change(results, record, marked) or "–" for record in records]
        if set(cells) - {"–"}:
            named = [plain(network or "")] if several else []
            has_dry |= condition.is_dry
            rows.append([*words(condition), *named, *cells])
    first = ", in the first rows derained clean − clean" if has_dry else ""
    lines = [
        f"Derained − rainy{first}; 95 % intervals of "
        "the paired differences, and no verdicts: those are given on one metric of each task."
    ]
    titles = (results.metrics[m].heading for _, m in shown)
    return (
        ["rain", "derainer", *(["network"] if several else []), *titles],
        rows,
        lines + marks(marked),
    )
