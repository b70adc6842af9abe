"""What papers print of derainers: every number of their tables, read from `reports/papers/`.

A file holds each table as printed and a legend that says what its labels mean; one number is one
claim. A table names its labels as the paper does; a label's parts stand between commas. Facts of
a number come from its file, its table, the labels of its column, row and place between slashes,
and its cell; the later goes before the earlier, and notes are kept side by side.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from reports.results.metrics import MetricRow


class ClaimError(ValueError):
    """A file of claims that cannot be read; one line that names the file and the key."""


SLACK = {
    "psnr_y_db": 0.05,
    "psnr_y_db@pil-y": 0.05,
    "psnr_y_db@prenet": 0.05,
    "psnr_rgb_db@dcsfn": 0.05,
    "psnr_rgb_db@hrrsr": 0.05,
    "ssim_y": 0.001,
    "ssim_y@pil-y": 0.001,
    "ssim_y@prenet": 0.001,
    "ssim_rgb@dcsfn": 0.001,
    "ssim_rgb@hrrsr": 0.001,
    "fsim": 0.001,
    "uqi": 0.001,
    "niqe": 0.01,
    "sseq": 0.1,
    "precision@mspfn-table6": 0.005,
    "recall@mspfn-table6": 0.005,
    "mean_iou@mspfn-table6": 0.005,
    "mpa": 0.005,
    "miou": 0.005,
    "elapsed_s": 0.0,
    "parameters": 0.0,
    "images": 0.0,
}
"""Every metric that a claim may name, with the difference between print and measurement that is let
pass where a file states no other, in the metric's unit."""

OF_PRINT_ALONE = {
    "elapsed_s": MetricRow("seconds", "s", 2, higher_is_better=False),
    "parameters": MetricRow("parameters", "count", 0, higher_is_better=True),
    "images": MetricRow("images", "count", 0, higher_is_better=True),
}
"""Those that are no metric of the harness."""
UNRANKED = {"parameters", "images"}
"""Metrics of which neither more nor less is better."""

PRINTED = {"percent": ("fraction", 100.0), "million": ("count", 1e-6)}
"""Units of print: the harness's unit of the same metric, and how many of print are one of it."""


@dataclass(frozen=True)
class Claim:
    """One printed number."""

    paper: str
    table: str
    """As printed: a number, or a word where the source has none."""
    row: str
    column: str
    """Labels as printed; of values between slashes with the label of their place."""
    value: float
    """As printed, in ``unit``."""
    decimals: int
    """Digits printed after the point."""
    unit: str
    metric: str
    """Name of the metric in the harness's records, with its protocol."""
    protocol: str
    """What is known of how the number was made."""
    tolerance: tuple[float, float]
    """Least and greatest measured - printed that counts as reproduced, in ``unit``: of truncated
    prints one in the last digit upwards, else the slack, half of the last digit at least."""
    method: str | None = None
    """Name of what was measured, the same in all tables of a paper; None for sizes of sets."""
    derainer: str | None = None
    """The harness's name for the same network, if it has one."""
    dataset: str | None = None
    split: str | None = None
    """Which images; ``test-100`` and ``test-200`` of one data set are different ones."""
    size_px: str | None = None
    """Width x height of the images, where it is printed."""
    trained_on: str | None = None
    """Training images, where the source says that they are the same for several methods."""
    higher_is_better: bool = True
    """Whether more of the metric is better."""
    rounding: Literal["rounded", "truncated"] = "rounded"
    note: str | None = None
    """What a reader must know of this number or of its label."""
    differs: str | None = None
    """Reason of a difference that is known beforehand."""
    cannot_run: str | None = None
    """Reason why nobody can repeat the number from what its authors published."""

    def printed(self, measured: float) -> float:
        """A value of the harness in the unit of this print."""
        return measured * PRINTED[self.unit][1] if self.unit in PRINTED else measured


@dataclass(frozen=True)
class Table:
    """The claims of one printed table."""

    paper: str
    table: str
    caption: str
    claims: tuple[Claim, ...]


@dataclass(frozen=True)
class OrdinalClaim:
    """Two methods in the order that one column of a table has them in."""

    better: Claim
    worse: Claim


def ordinal_claims(claims: Iterable[Claim]) -> list[OrdinalClaim]:
    """Which of two methods is better, for each pair that one column of a table compares.

    Only of methods that were trained on the same images by the source's own word, and not where
    print has them equal.
    """
    columns: dict[tuple[object, ...], list[Claim]] = {}
    for claim in claims:
        if claim.trained_on is not None and claim.metric not in UNRANKED:
            images = (claim.dataset, claim.split, claim.size_px, claim.trained_on)
            columns.setdefault((claim.paper, claim.table, claim.metric, *images), []).append(claim)
    found = []
    for column in columns.values():
        for pair in itertools.combinations(column, 2):
            lower, higher = sorted(pair, key=lambda claim: claim.value)
            if lower.value < higher.value:
                best_first = (higher, lower) if lower.higher_is_better else (lower, higher)
                found.append(OrdinalClaim(*best_first))
    return found
