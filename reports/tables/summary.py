"""The main numbers of a run as a table, and what a reader must know to read it."""

from __future__ import annotations

import itertools
from collections import Counter
from typing import TYPE_CHECKING

from reports.results.cell import MASK
from reports.results.conditions import conditions
from reports.results.intervals import ABOVE, BELOW, FEWEST
from reports.results.marks import marks
from reports.results.results import QUALITY
from reports.results.said import image_count
from reports.tables.text import Table, label, plain, words, written, written_change

if TYPE_CHECKING:
    from reports.results.record import Record
    from reports.results.results import Results

FEW_VALUES = f"fewer than {FEWEST} images, or groups of them, have a value"
SEEDS = "spread over seeds"
"""Heading of the standard deviation over seeds of the rain."""


def summary(results: Results) -> Table:
    """Headings, rows and notes of the summary."""
    shown = results.columns
    several = len(results.lines) > 1
    headings = ["rain", "derainer", *(["network"] if several else [])]
    for _, metric in shown:
        headings.append(results.metrics[metric].heading)
        if results.metrics[metric].primary:
            headings.append("against rainy")
            headings += [SEEDS] if results.spread_over_seeds else []
    marked: set[str] = set()
    rows = []
    for condition, (network, judges) in itertools.product(conditions(results), results.lines):
        row = [*words(condition), *([plain(network or "")] if several else [])]
        for task, metric in shown:
            judge = judges.get(task)
            record = judge and results.at(condition, judge, metric)
            row.append("" if judge is None else written(results, record, marked))
            if results.metrics[metric].primary:
                row.append("" if condition.is_dry else written_change(results, record))
                row += [_spread(results, record)] if results.spread_over_seeds else []
        rows.append(row)
    doubts = [plain(f"Doubt: {text}") for text in results.provenance.doubts]
    return headings, rows, notes(results, marked) + doubts


def _spread(results: Results, record: Record | None) -> str:
    """Standard deviation of a number over the seeds of the rain."""
    spread = record and results.spread_over_seeds.get(record.cell)
    decimals = 0 if record is None else results.metrics[record.metric].decimals
    return "" if spread is None else f"{spread:.{decimals + 1}f}"


def about(results: Results) -> str:
    """What was measured, in a sentence: the data, the number of images, the task networks."""
    first = next(iter(results.records), None)
    if first is None:
        return plain(f"{results.spec['dataset']}, nothing was measured.")
    models = dict.fromkeys(
        f"{r.task} by {r.model}" for r in results.records if r.model and r.task in results.tasks
    )
    n = image_count(max(r.n for r in results.records))
    said = [f"{first.dataset} {first.split}", f"n = {n}", *models]
    return plain(", ".join(said) + ".")


def notes(results: Results, marked: set[str]) -> list[str]:
    """What stands below the summary; doubts are for the user alone.

    Args:
        results: The run.
        marked: What the table's marks stand for, which `text.written` gathers.
    """
    draws = len(next(iter(results.draws.values()), ()))
    more = "; intervals of single values and all other numbers: results.csv"
    return [
        f"{about(results)} Against rainy: paired difference to the rainy input, 95 % "
        f"interval over {draws:,} resamples of the images{'' if results.seeds else more}.",
        *_biased(results),
        *footnotes(results, marked),
        *(plain(f"Weights: {text}.") for text in results.provenance.weights),
    ]


def footnotes(results: Results, marked: set[str]) -> list[str]:
    """What a paper must say below the table: protocols, signs, what is missing; no digests.

    Args:
        results: The run.
        marked: As of `notes`.
    """
    n = max((r.n for r in results.records), default=0)
    lines = [*_protocols(results), *_sampling(results, n), *marks(marked)]
    lines += [plain(f"Data: {text}.") for text in results.provenance.data_notes]
    lines += [
        plain(
            f"{cost.condition.name}: {cost.tiled} images were derained in tiles of down to "
            f"{cost.smallest_tile_px} px, an approximation for networks that see the whole image."
        )
        for cost in results.cost
        if cost.tiled
    ]
    return lines + _left_out(results)


def _protocols(results: Results) -> list[str]:
    """How the metrics of the columns are defined."""
    lines = []
    if any(c.stage == MASK for c in results.conditions):
        lines.append("…/mask: the derainer's mask against the rain itself, input − truth.")
    for task, about in results.tasks.items():
        mine = [results.metrics[m] for t, m in results.columns if t == task]
        said = "; ".join(dict.fromkeys(row.caption for row in mine if row.caption))
        if mine:
            lines.append(f"{about.caption} {said}." if said else about.caption)
    return lines


def _sampling(results: Results, n: int) -> list[str]:
    """What counts as independent where that is not each image, and whether it is enough."""
    groups = min(results.resampled, n)
    if 0 < n < FEWEST:
        return [f"Fewer than {FEWEST} images: no intervals."]
    if results.provenance.blocks:
        return [f"{groups} blocks of consecutive images of few drives were resampled."]
    if groups < FEWEST and groups < n:
        return [
            f"The images are of {groups} drives or scenes, fewer than {FEWEST}: no intervals; all "
            "numbers are of these alone, whatever the number of images."
        ]
    if groups < n:
        return [
            f"The images are of {groups} groups (drives, scenes), which alone are independent and "
            "were resampled as wholes."
        ]
    return []


def _biased(results: Results) -> list[str]:
    """Columns whose single values have no interval though their differences have one."""
    columns, whole = set(results.columns), results.resampled
    bare = [
        r
        for r in results.records
        if (r.task, r.metric) in columns
        and r.value is not None
        and r.ci is None
        and min(whole, r.n) >= FEWEST
    ]
    few = [r for r in bare if r.task == QUALITY and r.cell not in results.draws]
    off, never = (
        dict.fromkeys(
            results.metrics[r.metric].heading
            for r in bare
            if (r.cell in results.draws) == drawn and r not in few
        )
        for drawn in (True, False)
    )
    lines = []
    if off:
        lines.append(
            f"Some values of {', '.join(off)} have no interval: the mean of their resamples lies "
            f"over {BELOW} standard deviations below or {ABOVE} above, and such intervals miss the "
            "truth too often. Differences have one."
        )
    if few and results.draws:
        named = dict.fromkeys(results.metrics[r.metric].heading for r in few)
        lines.append(f"No intervals of {', '.join(named)}: {FEW_VALUES}.")
    if never and results.draws:
        kind = "images" if all(r.n <= whole for r in bare) else "groups"
        lines.append(
            f"No intervals of {', '.join(never)}: resampled sets of so few {kind} lose whole "
            "classes, over which it is a mean. Nothing is judged by it."
        )
    return lines


def _left_out(results: Results) -> list[str]:
    """What is missing from a mean, and where unless everywhere; images that are from everything."""
    shown = results.columns
    found: dict[tuple[str, str, str], list[str]] = {}
    for r in results.records:
        if r.why and not r.n_identical and (r.task, r.metric) in shown:
            found.setdefault((r.task, r.metric, r.why), []).append(label(r.condition))
    held = Counter((r.task, r.metric) for r in results.records)
    said = []
    for (task, metric, why), where in found.items():
        is_everywhere = 1 < len(where) == held[task, metric]
        places = "" if is_everywhere else f" ({', '.join(dict.fromkeys(where))})"
        said.append(plain(f"{results.metrics[metric].heading}: {why}{places}."))
    lines = list(dict.fromkeys(said))  # two tasks may lack the same in the same places
    if results.errors:
        failed = len({error.sample for error in results.errors})
        lines.append(f"Left out of all cells because they failed: {failed} of the images.")
    return lines
