"""Printed numbers against measured ones: finds or runs what a claim needs, then judges it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from datasets.sample import DatasetError
from derainers.shards import weights_sha256
from harness.checks.paper_inputs import (
    DATA,
    PHOTOGRAPHS,
    Given,
    Input,
    images_of,
    needed,
    set_of,
    shown_by,
)
from harness.plan.rows import every_row
from harness.spec import RunSpec, UsageError, known
from reports.papers.claims import Claim, OrdinalClaim, ordinal_claims
from reports.papers.reading import read_claims
from reports.results.intervals import interval
from reports.results.record import Record
from reports.results.results import Results
from tasks.quality import METRICS

Verdict = Literal["reproduced", "differs", "inconclusive", "cannot-run"]


@dataclass(frozen=True)
class JudgedClaim:
    """What became of one claim."""

    claim: Claim
    verdict: Verdict
    measured: float | None = None
    """In the unit of print."""
    interval: tuple[float, float] | None = None
    """What measured − printed can be: one point where all images of the claim were measured, else
    the 95 % interval over resampled images, by which nothing is reproduced."""
    n: int | None = None
    reason: str | None = None
    """What is missing, or why it differs."""

    @property
    def difference(self) -> float | None:
        """Measured − printed, in the unit of print."""
        return None if self.measured is None else self.measured - self.claim.value

    @property
    def alarms(self) -> bool:
        """Whether it differs for no reason that the claim file knows."""
        return self.verdict == "differs" and self.claim.differs is None


@dataclass(frozen=True)
class JudgedOrder:
    """What became of the order of two methods."""

    claim: OrdinalClaim
    verdict: Verdict
    difference: float | None = None
    """Better − worse as print has them, so that a positive one agrees; in the harness's unit."""
    interval: tuple[float, float] | None = None
    """95 % interval over the same resampled images of both."""


@dataclass(frozen=True)
class Judged:
    """All that was found."""

    claims: list[JudgedClaim]
    ordinal: list[JudgedOrder]

    @property
    def alarms(self) -> list[str]:
        """Cells that differ without a reason, and orders that turned round."""
        turned = [o.claim for o in self.ordinal if o.verdict == "differs"]
        return [cell(f.claim) for f in self.claims if f.alarms] + [
            f"{cell(o.better)} above {cell(o.worse)}" for o in turned
        ]


def select(words: Sequence[str]) -> list[Claim]:
    """The claims of ``papers`` (all), of a paper, or of one table as ``PAPER:TABLE``.

    Raises:
        UsageError: If there is none such.
        ClaimError: If a file of claims is damaged.
    """
    everything = read_claims(every_row())
    chosen: list[Claim] = []
    papers = dict.fromkeys(c.paper for c in everything)
    parts = [word.partition(":") for word in words]
    missing = next((word for word in words if not Path(word).is_dir()), None)
    if len(words) == 2 and missing and not {paper for paper, _, _ in parts} & {"papers", *papers}:
        names = ", ".join(["papers", *papers])
        raise UsageError(f"{missing}: no such results folder, and no paper: known are {names}")
    for paper, _, table in parts:
        known(paper, papers, "paper", "papers")
        found = [c for c in everything if paper in ("papers", c.paper)]
        if table:
            known(table, dict.fromkeys(c.table for c in found), f"table of {paper}")
            found = [c for c in found if c.table == table]
        chosen += [c for c in found if c not in chosen]
    return chosen


def regress(claims: Sequence[Claim], held: Given, progress: Any = None) -> Judged:
    """Judge claims, running what they need as far as it is there.

    Args:
        claims: See `select`.
        held: Data, weights, and how to run.
        progress: Told (condition, images done, images).
    """
    found: dict[Claim, JudgedClaim] = {}
    wanted: dict[tuple[str, str], list[tuple[Claim, Input]]] = {}
    for claim in claims:
        if claim.metric == "parameters" and claim.cannot_run is None:
            found[claim] = _parameters(claim)
            continue
        of = needed(claim, held)
        if isinstance(of, str):
            found[claim] = JudgedClaim(claim, "cannot-run", reason=of)
        else:
            place = set_of(claim, held.data), claim.split or ""
            wanted.setdefault(place, []).append((claim, of))
    measured: dict[Claim, tuple[Results, Record]] = {}
    for (dataset, _), needs in wanted.items():
        for claim, outcome in _run(needs, held.data[dataset], held.spec, progress).items():
            if isinstance(outcome, str):
                found[claim] = JudgedClaim(claim, "cannot-run", reason=outcome)
                continue
            results, record = measured[claim] = outcome
            found[claim] = _judged(claim, results, record)
    orders = [_order(o, measured) for o in ordinal_claims(claims)]
    return Judged([found[claim] for claim in claims], orders)


def own_row(
    claims: Sequence[Claim], word: str, held: Given, progress: Any = None
) -> dict[tuple[str, str, str], dict[str, float]]:
    """What a derainer of the user has in the columns of tables, where their pairs are given.

    Args:
        claims: See `select`.
        word: The derainer's word.
        held: Data, and how to run.
        progress: Told (condition, images done, images).

    Returns:
        By paper, table and the word: its value in each column, in the unit of print.

    Raises:
        UsageError: If no chosen number is of images that are given, or they cannot be measured, or
            if a chosen table of them has no columns to put the row below.
    """
    usable = {
        (c.paper, c.table, c.column): c
        for c in claims
        if c.metric.partition("@")[0] in METRICS
        and c.dataset in DATA
        and set_of(c, held.data) in held.data
    }
    if not usable:
        raise UsageError(f"--own {word}: no chosen number is of images that are given: add --data")
    _require_columns(claims, word, {(c.paper, c.table) for c in usable.values()})
    found: dict[tuple[str, str, str], dict[str, float]] = {}
    sets = {(set_of(c, held.data), c.split or "") for c in usable.values()}
    for place in sorted(sets):
        needs = [
            (replace(c, derainer=None, row=word), Input(word))
            for c in usable.values()
            if (set_of(c, held.data), c.split or "") == place
        ]
        for claim, outcome in _run(needs, held.data[place[0]], held.spec, progress).items():
            if isinstance(outcome, str):
                raise UsageError(f"--own {word}: {outcome}")
            value = outcome[1].value
            assert value is not None
            row = found.setdefault((claim.paper, claim.table, word), {})
            row[claim.column] = claim.printed(value)
    return found


def _require_columns(
    claims: Sequence[Claim], word: str, wanted: Collection[tuple[str, str]]
) -> None:
    """Refuse tables whose columns are not of one set and metric each, as where rows are the sets.

    Raises:
        UsageError: Naming the first, and the tables of any paper that have such columns.
    """
    unfit = next((place for place in sorted(wanted) if not _has_columns(claims, *place)), None)
    if unfit is not None:
        every = read_claims(every_row())
        tables = dict.fromkeys((c.paper, c.table) for c in every if c.dataset in DATA)
        fit = ", ".join(":".join(place) for place in tables if _has_columns(every, *place))
        raise UsageError(
            f"--own {word}: {':'.join(unfit)} has no columns of one set and metric each, to put a "
            f"row below: choose among {fit}"
        )


def _has_columns(claims: Sequence[Claim], paper: str, table: str) -> bool:
    """Whether each column of a table is of one set and metric, and no two are of the same."""
    places = {
        (c.column, c.dataset, c.split, c.metric)
        for c in claims
        if (c.paper, c.table) == (paper, table)
    }
    return len(places) == len({column for column, *_ in places}) == len({p[1:] for p in places})


def judge(claim: Claim, measured: float, n: int, ci: tuple[float, float] | None) -> JudgedClaim:
    """Whether a measured value is the printed one; a part of the images can only tell that not.

    Args:
        claim: The print with its tolerance.
        measured: In the harness's unit.
        n: Images that were measured.
        ci: Interval of the value over resampled images, for where not all images are there.
    """
    value = claim.printed(measured)
    if n >= images_of(claim):
        ends = (value - claim.value, value - claim.value)
    elif ci is None:
        short = f"{n} of {images_of(claim)} images"
        return JudgedClaim(
            claim, "inconclusive", value, None, n, f"{short}, too few for an interval"
        )
    else:
        ends = (claim.printed(ci[0]) - claim.value, claim.printed(ci[1]) - claim.value)
    low, high = claim.tolerance
    spare = 1e-9 * max(1.0, abs(claim.value))
    is_within = low - spare <= ends[0] and ends[1] <= high + spare
    if is_within and n >= images_of(claim):
        return JudgedClaim(claim, "reproduced", value, ends, n)
    if ends[1] < low - spare or ends[0] > high + spare:
        return JudgedClaim(claim, "differs", value, ends, n, claim.differs)
    told = (
        "within the tolerance, as far as a part tells" if is_within else "wider than the tolerance"
    )
    reason = f"{n} of {images_of(claim)} images: the interval is {told}"
    return JudgedClaim(claim, "inconclusive", value, ends, n, reason)


def cell(claim: Claim) -> str:
    """Name of a printed number."""
    return f"{claim.paper}:{claim.table} {claim.row} | {claim.column}"


def _parameters(claim: Claim) -> JudgedClaim:
    """Counts the values of the network that a claim is of."""
    import torch

    from derainers import DERAINERS
    from derainers.derainer import Derainer
    from derainers.networks.mspfn import COUNTED
    from derainers.variants import variant_of

    left_out: tuple[str, ...] = ()
    with torch.device("meta"):  # sizes alone, no values
        if claim.method in COUNTED:
            build, settings, left_out = COUNTED[claim.method]
            network = build(**settings)
        elif claim.derainer is not None:
            variant = variant_of(claim.derainer)
            built = DERAINERS[variant.row].build(None, **variant.settings)
            assert isinstance(built, Derainer)
            network = built.module
        else:
            return JudgedClaim(claim, "cannot-run", reason=f"{claim.method} is not built here")
    counts = (p.numel() for n, p in network.named_parameters() if n.split(".")[0] not in left_out)
    return judge(claim, sum(counts), 0, None)


def _run(
    needs: Sequence[tuple[Claim, Input]], root: Path, spec: RunSpec, progress: Any
) -> dict[Claim, tuple[Results, Record] | str]:
    """Measure the claims of one split in one run; a reason where it cannot be measured."""
    from harness.plan.data import open_dataset
    from harness.runs.engine import run

    asked, printed = _asked(needs, root, spec), images_of(needs[0][0])
    shown = shown_by(needs[0][0].dataset or "")
    try:
        if spec.limit is not None:
            # Fewer than print has may be a part of its images, more are others.
            whole = len(open_dataset(asked.model_copy(update={"limit": None})).samples)
            if 0 < printed < whole:
                raise UsageError(f"{root.name} holds {whole} {shown}, the print is of {printed}")
        results = run(asked, progress=progress)
    except (DatasetError, UsageError) as error:
        return {claim: str(error) for claim, _ in needs}
    outcomes: dict[Claim, tuple[Results, Record] | str] = {}
    for claim, of in needs:
        record = _record(results, claim, of)
        if record is None or record.value is None:
            outcomes[claim] = "nothing could be measured" if record is None else str(record.why)
        elif spec.limit is None and printed not in (0, record.n):
            outcomes[claim] = f"{root.name} holds {record.n} {shown}, the print is of {printed}"
        else:
            outcomes[claim] = results, record
    return outcomes


def _asked(needs: Sequence[tuple[Claim, Input]], root: Path, spec: RunSpec) -> RunSpec:
    """The run that measures the claims of one data set."""
    metrics = sorted({claim.metric for claim, _ in needs})
    is_real = needs[0][0].dataset in PHOTOGRAPHS
    return spec.model_copy(
        update={
            "dataset": "folder" if is_real else "pairs",
            "rain": ("given",) if is_real else spec.rain,
            "data_root": str(root),
            "derainer": tuple(dict.fromkeys(of.word for _, of in needs)),
            "intermediate": tuple(sorted({of.stage for _, of in needs if of.stage})),
            "task": ("none",),
            "quality": tuple(dict.fromkeys(m.partition("@")[0] for m in metrics)),
            "protocol": tuple(dict.fromkeys(m.partition("@")[2] or "matlab-y" for m in metrics)),
            "images": False,
        }
    )


def _record(results: Results, claim: Claim, of: Input) -> Record | None:
    """The number that a claim is compared with; of a user's word the one that is no input's."""
    if of.weights is None and claim.row == of.word:
        rivals = (r for r in results.records if r.derainer != "identity" and r.stage is None)
        return next((r for r in rivals if r.metric == claim.metric), None)
    sha256 = None if of.weights is None else weights_sha256(of.weights)
    for r in results.records:
        is_its = r.derainer == of.name if sha256 is None else r.weights == sha256
        if is_its and (r.metric, r.stage) == (claim.metric, of.stage):
            return r
    return None


def _judged(claim: Claim, results: Results, record: Record) -> JudgedClaim:
    assert record.value is not None
    if not images_of(claim):
        reason = "the source does not say which images these are"
        return JudgedClaim(claim, "cannot-run", claim.printed(record.value), None, record.n, reason)
    drawn = results.draws.get(record.cell)
    ci = (
        record.ci if drawn is None or record.ci is None else interval(drawn, results.groups(record))
    )
    return judge(claim, record.value, record.n, ci)


def _order(claim: OrdinalClaim, measured: Mapping[Claim, tuple[Results, Record]]) -> JudgedOrder:
    """Whether two methods stand in the printed order, beyond chance."""
    if claim.better not in measured or claim.worse not in measured:
        return JudgedOrder(claim, "cannot-run")
    results, better = measured[claim.better]
    _, worse = measured[claim.worse]
    paired = results.compare(worse, better)
    if paired is None or paired.ci is None:
        return JudgedOrder(claim, "inconclusive", paired.difference if paired else None)
    sign = 1 if claim.better.higher_is_better else -1
    low, high = sorted(sign * end for end in paired.ci)
    verdict: Verdict = "reproduced" if low > 0 else "differs" if high < 0 else "inconclusive"
    if verdict == "reproduced" and better.n < images_of(claim.better):
        verdict = "inconclusive"
    return JudgedOrder(claim, verdict, sign * paired.difference, (low, high))
