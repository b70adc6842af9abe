"""Does quality tell the score? The rank correlations of a run as a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from reports.findings.correlations import TELLING
from reports.results.cell import IDENTITY, Judge
from reports.results.conditions import conditions, floors
from reports.results.intervals import bounded_interval
from reports.results.results import QUALITY
from reports.tables.text import Table, plain, span

if TYPE_CHECKING:
    from reports.results.record import Correlation, Record
    from reports.results.results import Results

FEWEST_MEANS = 8
"""Fewer derainers are a plain scatter: so few points carry no number."""
NOTES = [
    "Spearman's rank correlation. Within an image: across the rainy input and the derainers, or "
    "the learned derainers alone, then the mean over images; across images: of one derainer. The "
    "task's score of one image: {scores}. 95 % intervals over resampled images.{lower}",
    "Another task: the same correlation with what another task or network says of the same images, "
    "the highest; a comparison and no bound, since that score is noisy too. Given difficulty: "
    "without what the score of the clean image, or else the rainy one, says already.",
]
OTHER_SEED = (
    "Another seed: the same correlation with the task's own score of the image under another seed "
    "of the rain, a comparison too. Correlations are means over the seeds."
)


def table(results: Results) -> Table:
    """Headings, rows and notes; no rows where nothing could be correlated."""
    headings = ["rain", "of", "task", "quality", "correlation", "95 % interval", "images"]
    headings += ["another task", "given difficulty"]
    is_repeated = any(c.other_seed is not None for c in results.correlations)
    headings += ["another seed"] if is_repeated else []
    rows = [
        [
            plain(c.rain),
            _of(c),
            *_cells(results, _judge(results, c), c.quality, c.value, c.ci, c.n),
            _beside(c.other_task, c.other_task_ci),
            _beside(c.partial, c.partial_ci),
            *([_beside(c.other_seed, c.other_seed_ci)] if is_repeated else []),
        ]
        for c in results.correlations
    ]
    beside = ["–"] * (3 if is_repeated else 2)
    means = [[*row, *beside] for row in _means(results)]
    return headings, rows + means, _notes(results)


def _of(found: Correlation) -> str:
    """What is ranked, and among how many."""
    if found.derainer is not None:
        return f"across images, {_name(found.derainer)}"
    among = "" if found.among is None else f" among {found.among}"
    return f"within an image{among}{' learned' if found.is_learned else ''}"


def _beside(value: float | None, ci: tuple[float, float] | None) -> str:
    return "–" if value is None else f"{value:+.2f} {span(ci, 2)}"


def _notes(results: Results) -> list[str]:
    """What a reader must know of the correlations that the run holds."""
    found = results.correlations
    rows = [results.metrics[c.metric] for c in found]
    scores = dict.fromkeys(row.caption or row.title for row in rows)
    titles = dict.fromkeys(
        results.metrics[c.quality].title
        for c in found
        if not results.metrics[c.quality].higher_is_better
    )
    lower = f" Less is better of {', '.join(titles)}, so there one hopes for a negative one."
    repeated = [OTHER_SEED] if any(c.other_seed is not None for c in found) else []
    said = {"scores": ", or ".join(scores), "lower": lower if titles else ""}
    return [note.format(**said) for note in NOTES + repeated]


def _judge(results: Results, found: Correlation) -> Judge:
    """Who gave the task's score; version 0.1 wrote no network, and had one for each task."""
    alone = [judge for judge in results.judges if judge.task == found.task]
    return alone[0] if found.network is None and alone else found.judge


def _name(derainer: str) -> str:
    return "rainy" if derainer == IDENTITY else plain(derainer)


def _cells(
    results: Results,
    judge: Judge,
    quality: str,
    value: float,
    ci: tuple[float, float] | None,
    n: int,
) -> list[str]:
    task = plain(results.called(judge))
    return [task, results.metrics[quality].title, f"{value:+.2f}", span(ci, 2), f"{n:,}"]


def _means(results: Results) -> list[list[str]]:
    """Rows of the derainers' means: of each quality metric and the tasks' primary metrics."""
    rows = []
    for rainy in floors(results):
        restored = [c for c in conditions(results) if c.is_restored and c.rainy == rainy]
        for judge in (j for j in results.judges if j.task != QUALITY):
            metric = results.primary(judge.task)
            for quality in (m for m in results.held.get(QUALITY, ()) if metric and m in TELLING):
                pairs = [
                    (x, y)
                    for c in restored
                    if (x := results.at(c, Judge(QUALITY), quality))
                    and (y := results.at(c, judge, str(metric)))
                    and x.value is not None
                    and y.value is not None
                ]
                found = _correlated(results, pairs) if len(pairs) >= FEWEST_MEANS else None
                if found is not None:
                    value, ci = found
                    where = [plain(rainy.rain), f"across the means of {len(pairs)} derainers"]
                    rows.append(
                        [*where, *_cells(results, judge, quality, value, ci, pairs[0][0].n)]
                    )
    return rows


def _correlated(
    results: Results, pairs: Sequence[tuple[Record, Record]]
) -> tuple[float, tuple[float, float] | None] | None:
    """Correlation of two numbers of each derainer, and its interval over resampled images.

    None where one of the two is the same of all.
    """
    sides = [list(side) for side in zip(*pairs, strict=True)]
    value = _spearman(*(np.array([[r.value for r in side]]) for side in sides))
    if np.isnan(value[0]):
        return None
    drawn = [[results.draws.get(r.cell) for r in side] for side in sides]
    if any(d is None for side in drawn for d in side):
        return float(value[0]), None
    values = _spearman(*(np.stack(side, -1) for side in drawn))  # type: ignore[arg-type]
    return float(value[0]), bounded_interval(values, results.groups(pairs[0][0]))


def _spearman(x: NDArray[Any], y: NDArray[Any]) -> NDArray[np.float64]:
    """Along the last axis; NaN where one side does not vary."""
    from scipy.stats import rankdata

    a, b = (np.asarray(rankdata(side, axis=-1), np.float64) for side in (x, y))
    a, b = (side - side.mean(-1, keepdims=True) for side in (a, b))
    with np.errstate(invalid="ignore"):
        found: NDArray[np.float64] = (a * b).sum(-1) / np.sqrt((a**2).sum(-1) * (b**2).sum(-1))
    return found
