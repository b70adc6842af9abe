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


class ClaimError(ValueError):
    """A file of claims that cannot be read; one line that names the file and the key."""


@dataclass(frozen=True)
class Metric:
    """How a metric of the harness is judged against print."""

    unit: str
    better: Literal["higher", "lower"] | None
    slack: float = 0.0
    """Difference that is let pass between a print and a measurement, in the unit."""


METRICS = {
    "psnr_y_db": Metric("dB", "higher", 0.05),
    "psnr_y_db@pil-y": Metric("dB", "higher", 0.05),
    "psnr_y_db@prenet": Metric("dB", "higher", 0.05),
    "psnr_rgb_db@dcsfn": Metric("dB", "higher", 0.05),
    "psnr_rgb_db@hrrsr": Metric("dB", "higher", 0.05),
    "ssim_y": Metric("fraction", "higher", 0.001),
    "ssim_y@pil-y": Metric("fraction", "higher", 0.001),
    "ssim_y@prenet": Metric("fraction", "higher", 0.001),
    "ssim_rgb@dcsfn": Metric("fraction", "higher", 0.001),
    "ssim_rgb@hrrsr": Metric("fraction", "higher", 0.001),
    "fsim": Metric("fraction", "higher", 0.001),
    "uqi": Metric("fraction", "higher", 0.001),
    "niqe": Metric("score", "lower", 0.01),
    "sseq": Metric("score", "lower", 0.1),
    "precision@mspfn-table6": Metric("fraction", "higher", 0.005),
    "recall@mspfn-table6": Metric("fraction", "higher", 0.005),
    "mean_iou@mspfn-table6": Metric("fraction", "higher", 0.005),
    "mpa": Metric("fraction", "higher", 0.005),
    "miou": Metric("fraction", "higher", 0.005),
    "elapsed_s": Metric("s", "lower"),
    "parameters": Metric("count", None),
    "images": Metric("count", None),
}
"""Every metric that a claim may name, with the slack of its claims where a file states no other."""


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
        if claim.trained_on is not None and METRICS[claim.metric].better is not None:
            images = (claim.dataset, claim.split, claim.size_px, claim.trained_on)
            columns.setdefault((claim.paper, claim.table, claim.metric, *images), []).append(claim)
    found = []
    for column in columns.values():
        for pair in itertools.combinations(column, 2):
            lower, higher = sorted(pair, key=lambda claim: claim.value)
            if lower.value < higher.value:
                upwards = METRICS[lower.metric].better == "higher"
                best_first = (higher, lower) if upwards else (lower, higher)
                found.append(OrdinalClaim(*best_first))
    return found
