"""How often a family of differences that are nothing holds one that is called something.

    python benchmarks/contrasts.py

simulates studies of five differences over images, three seeds of the rain and three trainings, most
against the same trainings, and judges each as `reports.findings.contrasts` does, and with trainings
that are resampled as the images are. docs/statistics.md has what it prints.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from reports.findings.contrasts import judged
from reports.findings.over_repeats import over_levels
from reports.findings.remedies import Number
from reports.results.intervals import LEVEL, Family
from reports.results.metrics import MetricRow
from reports.tables.text import grid

ROW = MetricRow("AP pooled", "fraction", 3, True)
STUDIES, IMAGES, DRAWS = 1000, 60, 1000
SPREADS = (0.0, 0.5, 1.0, 2.0)
"""By which a training moves its score, in errors of the mean over images."""


def study(rng: np.random.Generator, spread: float) -> list[Number]:
    """Five differences that are nothing, as the primary contrasts of docs/study-plan.md."""
    share = np.full(IMAGES, 1 / IMAGES)
    counts = rng.multinomial(IMAGES, share, size=DRAWS).T / IMAGES

    def arm(trainings: int, seeds: int = 3) -> NDArray[np.float64]:
        scores = rng.normal(0, 0.7, IMAGES) + rng.normal(0, 0.15, (seeds, trainings, IMAGES))
        return scores + rng.normal(0, spread / IMAGES**0.5, trainings)[:, None]

    floor, derained, twin, both = arm(3), arm(1), arm(3), arm(3)
    pairs = [derained - floor, both - floor, floor - twin, arm(1) - arm(3), arm(3, 1) - arm(1, 1)]
    return [number((pair @ counts)[:, :, None]) for pair in pairs]


def number(table: NDArray[np.float64], groups: int = IMAGES) -> Number:
    """A difference by its repeats on resampled sets, three axes before the sets."""
    return Number(float(table.mean()), None, int(table[..., 0].size), groups, table)


def errs(numbers: list[Number]) -> tuple[bool, bool]:
    """Whether any is called something: judged, and with trainings resampled."""
    judges = judged(numbers, ROW)
    drawn = [over_levels(each.table) for each in numbers if each.table is not None]
    p_values = [each.p_value for each in judges if each.p_value is not None]
    return min(p_values) < LEVEL, min(Family.of(drawn, IMAGES).p_values) < LEVEL


def main() -> None:
    """Print the table."""
    rows = []
    for spread in SPREADS:
        found = [errs(study(np.random.default_rng([i, 9]), spread)) for i in range(STUDIES)]
        rows.append([f"{spread:g}", *(f"{100 * each:.1f}" for each in np.mean(found, 0))])
    headings = ["spread of trainings", "judged as named", "trainings resampled"]
    print("\n".join(grid(headings, rows)))


if __name__ == "__main__":
    main()
