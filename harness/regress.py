"""Printed numbers against measured ones: finds or runs what a claim needs, then judges it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from datasets.sample import DatasetError
from harness import FETCHED
from harness.fetch import SOURCES
from harness.record import Record, Results, interval
from harness.spec import RunSpec, UsageError, known
from reports.claims import METRICS, Claim, OrdinalClaim, ordinal_claims, read_claims

if TYPE_CHECKING:
    from torch import nn

Verdict = Literal["reproduced", "differs", "inconclusive", "cannot-run"]

DATA = {
    "rain100l": "https://www.icst.pku.edu.cn/struct/Projects/joint_rain_removal.html",
    "rain100h": "https://www.icst.pku.edu.cn/struct/Projects/joint_rain_removal.html",
    "rain14000": "https://xueyangfu.github.io/projects/cvpr2017.html",
    "rain1200": "https://github.com/hezhangsprinter/DID-MDN",
}
"""Where the paired data sets of claims that can be run are published."""

PUBLISHED = {
    "prenet": "https://github.com/csdwren/PReNet",
    "nledn": "https://github.com/AlexHex7/NLEDN",
}
"""Where the weights lie that no entry of `SOURCES` has, by the network's family."""


@dataclass(frozen=True)
class Finding:
    """What became of one claim."""

    claim: Claim
    verdict: Verdict
    measured: float | None = None
    """In the unit of print."""
    interval: tuple[float, float] | None = None
    """Of measured − printed: one point where all images of the claim were measured, else the 95 %
    percentile interval over resampled images."""
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
class OrdinalFinding:
    """What became of the order of two methods."""

    claim: OrdinalClaim
    verdict: Verdict
    difference: float | None = None
    """Better − worse as print has them, so that a positive one agrees; in the harness's unit."""
    interval: tuple[float, float] | None = None
    """95 % percentile interval over the same resampled images of both."""


@dataclass(frozen=True)
class Findings:
    """All that was found."""

    claims: list[Finding]
    ordinal: list[OrdinalFinding]

    @property
    def alarms(self) -> list[str]:
        """Cells that differ without a reason, and orders that turned round."""
        turned = [o.claim for o in self.ordinal if o.verdict == "differs"]
        return [cell(f.claim) for f in self.claims if f.alarms] + [
            f"{cell(o.better)} above {cell(o.worse)}" for o in turned
        ]


@dataclass(frozen=True)
class Given:
    """What the user has at hand."""

    data: Mapping[str, Path]
    """Folder of a data set's test pairs, by the name that claims give it."""
    weights: Mapping[tuple[str, str], Path]
    """Weight file by derainer and the data set it was trained for."""
    spec: RunSpec
    """Workspace, workers, device and limit of the runs."""


def select(words: Sequence[str]) -> list[Claim]:
    """The claims of ``papers`` (all), of a paper, or of one table as ``PAPER:TABLE``.

    Raises:
        UsageError: If there is none such.
        ClaimError: If a file of claims is damaged.
    """
    everything = read_claims()
    chosen: list[Claim] = []
    for word in words:
        paper, _, table = word.partition(":")
        known(paper, dict.fromkeys(c.paper for c in everything), "paper", "papers")
        found = [c for c in everything if paper in ("papers", c.paper)]
        if table:
            known(table, dict.fromkeys(c.table for c in found), f"table of {paper}")
            found = [c for c in found if c.table == table]
        chosen += [c for c in found if c not in chosen]
    return chosen


def regress(claims: Sequence[Claim], given: Given, progress: Any = None) -> Findings:
    """Judge claims, running what they need as far as it is there.

    Args:
        claims: See `select`.
        given: Data, weights, and how to run.
        progress: Told (condition, images done, images).
    """
    found: dict[Claim, Finding] = {}
    wanted: dict[tuple[str, str], list[tuple[Claim, Path]]] = {}
    for claim in claims:
        if claim.cannot_run is not None:
            found[claim] = Finding(claim, "cannot-run", reason=claim.cannot_run)
        elif claim.metric == "parameters":
            found[claim] = _parameters(claim)
        else:
            file, missing = _needed(claim, given)
            if file is None:
                found[claim] = Finding(claim, "cannot-run", reason=missing)
            else:
                assert claim.dataset is not None
                wanted.setdefault((claim.dataset, claim.split or ""), []).append((claim, file))
    measured: dict[Claim, tuple[Results, Record]] = {}
    for (dataset, _), needs in wanted.items():
        for claim, outcome in _run(needs, given.data[dataset], given.spec, progress).items():
            if isinstance(outcome, str):
                found[claim] = Finding(claim, "cannot-run", reason=outcome)
                continue
            results, record = measured[claim] = outcome
            found[claim] = _judged(claim, results, record)
    orders = [_order(o, measured) for o in ordinal_claims(claims)]
    return Findings([found[claim] for claim in claims], orders)


def judge(claim: Claim, measured: float, n: int, ci: tuple[float, float] | None) -> Finding:
    """Whether a measured value is the printed one.

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
        return Finding(claim, "inconclusive", value, None, n, f"{short}, too few for an interval")
    else:
        ends = (claim.printed(ci[0]) - claim.value, claim.printed(ci[1]) - claim.value)
    low, high = claim.tolerance
    spare = 1e-9 * max(1.0, abs(claim.value))
    if low - spare <= ends[0] and ends[1] <= high + spare:
        return Finding(claim, "reproduced", value, ends, n)
    if ends[1] < low - spare or ends[0] > high + spare:
        return Finding(claim, "differs", value, ends, n, claim.differs)
    reason = f"{n} of {images_of(claim)} images: the interval is wider than the tolerance"
    return Finding(claim, "inconclusive", value, ends, n, reason)


def images_of(claim: Claim) -> int:
    """Images of the claim's split; 0 where it is of none."""
    number = (claim.split or "").rpartition("-")[2]
    return int(number) if number.isdigit() else 0


def cell(claim: Claim) -> str:
    """Name of a printed number."""
    return f"{claim.paper}:{claim.table} {claim.row} | {claim.column}"


def _parameters(claim: Claim) -> Finding:
    """Counts the values of the network that a claim is of."""
    import torch

    from derainers import DERAINERS
    from derainers.derainer import Derainer
    from derainers.networks.mspfn import MSPFN, VARIANTS

    left_out: tuple[str, ...] = ()
    network: nn.Module
    if claim.method in VARIANTS:
        settings, left_out = VARIANTS[claim.method]
        with torch.device("meta"):  # sizes alone, no values
            network = MSPFN(**settings)
    elif claim.derainer in DERAINERS:
        built = DERAINERS[claim.derainer].build(None)
        assert isinstance(built, Derainer)
        network = built.module
    else:
        return Finding(claim, "cannot-run", reason=f"{claim.method} is not built here")
    counts = (p.numel() for n, p in network.named_parameters() if n.split(".")[0] not in left_out)
    return judge(claim, sum(counts), 0, None)


def _needed(claim: Claim, given: Given) -> tuple[Path | None, str]:
    """The weights of a claim, or what it lacks and where that is."""
    dataset, derainer = claim.dataset or "", claim.derainer or ""
    if not derainer:
        return None, f"{claim.method} is no derainer of the harness"
    lacking = []
    if dataset not in given.data:
        where = DATA.get(dataset, "its authors")
        lacking.append(
            f"the {images_of(claim) or 'test'} pairs of {dataset} ({where}): --data {dataset}=DIR"
        )
    file = given.weights.get((derainer, dataset))
    if file is None:
        name = f"{derainer}-{'rain1400' if dataset == 'rain14000' else dataset}"
        family = "prenet" if derainer.startswith("pr") else derainer
        remedy = (
            f"python -m harness fetch {name}"
            if name in SOURCES
            else f"{PUBLISHED.get(family, 'its authors')}: --weights {derainer}:{dataset}=FILE"
        )
        lacking.append(f"the authors' weights of {derainer} for {dataset} ({remedy})")
    return (None, "; ".join(lacking)) if lacking else (file, "")


def _run(
    needs: Sequence[tuple[Claim, Path]], root: Path, spec: RunSpec, progress: Any
) -> dict[Claim, tuple[Results, Record] | str]:
    """Measure the claims of one data set in one run; a reason where it cannot be measured."""
    from harness.engine import run

    metrics = {claim.metric for claim, _ in needs}
    words = dict.fromkeys(f"{claim.derainer}@{file}" for claim, file in needs)
    protocols = dict.fromkeys(m.partition("@")[2] or "matlab-y" for m in sorted(metrics))
    try:
        results = run(
            spec.model_copy(
                update={
                    "dataset": "pairs",
                    "data_root": str(root),
                    "derainer": tuple(words),
                    "task": ("none",),
                    "quality": tuple(dict.fromkeys(m.partition("@")[0] for m in sorted(metrics))),
                    "protocol": tuple(protocols),
                    "images": False,
                }
            ),
            progress=progress,
        )
    except (DatasetError, UsageError) as error:
        return {claim: str(error) for claim, _ in needs}
    outcomes: dict[Claim, tuple[Results, Record] | str] = {}
    for claim, file in needs:
        sha256 = _sha256(file)
        record = next(
            (r for r in results.records if (r.weights, r.metric) == (sha256, claim.metric)), None
        )
        if record is None or record.value is None:
            outcomes[claim] = "nothing could be measured" if record is None else str(record.why)
        elif spec.limit is None and images_of(claim) not in (0, record.n):
            outcomes[claim] = (
                f"{root.name} holds {record.n} pairs, the print is of {images_of(claim)}"
            )
        else:
            outcomes[claim] = results, record
    return outcomes


def _judged(claim: Claim, results: Results, record: Record) -> Finding:
    assert record.value is not None
    if not images_of(claim):
        reason = "the source does not say which images these are"
        return Finding(claim, "cannot-run", claim.printed(record.value), None, record.n, reason)
    drawn = results.draws.get(record.cell())
    ci = record.ci if drawn is None or record.ci is None else interval(drawn)
    return judge(claim, record.value, record.n, ci)


def _order(claim: OrdinalClaim, measured: Mapping[Claim, tuple[Results, Record]]) -> OrdinalFinding:
    """Whether two methods stand in the printed order, beyond chance."""
    if claim.better not in measured or claim.worse not in measured:
        return OrdinalFinding(claim, "cannot-run")
    results, better = measured[claim.better]
    _, worse = measured[claim.worse]
    paired = results.compare(worse, better)
    if paired is None or paired.ci is None:
        return OrdinalFinding(claim, "inconclusive", paired.difference if paired else None)
    sign = 1 if METRICS[claim.better.metric].better == "higher" else -1
    low, high = sorted(sign * end for end in paired.ci)
    verdict: Verdict = "reproduced" if low > 0 else "differs" if high < 0 else "inconclusive"
    return OrdinalFinding(claim, verdict, sign * paired.difference, (low, high))


def found_weights(folders: Iterable[Path]) -> dict[tuple[str, str], Path]:
    """Published weights in some folders, known by their sha256."""
    digests = {source.sha256: name for name, source in SOURCES.items()}
    found: dict[tuple[str, str], Path] = {}
    files = (f for folder in folders if folder.is_dir() for f in sorted(folder.rglob("*.pth")))
    for file in files:
        name = digests.get(_sha256(file))
        if name is not None:
            derainer, _, data = name.rpartition("-")
            found.setdefault((derainer, "rain14000" if data == "rain1400" else data), file)
    return found


def _sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def given_of(
    data: Sequence[str], weights: Sequence[str], spec: RunSpec, held: Path | None
) -> Given:
    """What the command line names, beside what lies in known places.

    Args:
        data: Words ``DATASET=DIR``.
        weights: Words ``DERAINER:DATASET=FILE``.
        spec: How to run.
        held: A folder with data sets by name, and ``weights``.

    Raises:
        UsageError: For a word that is not so, or a folder or file that is absent.
    """
    folders = {}
    if held is not None:
        folders = {name: held / name for name in DATA if (held / name).is_dir()}
    for word in data:
        name, _, folder = word.partition("=")
        known(name, DATA, "data set in --data")
        if not Path(folder).is_dir():
            raise UsageError(f"--data {word}: no such folder, expected {name}=DIR")
        folders[name] = Path(folder)
    files = found_weights([FETCHED / "weights", *([held / "weights"] if held else [])])
    for word in weights:
        place, _, file = word.partition("=")
        derainer, _, name = place.partition(":")
        if not (derainer and name and Path(file).is_file()):
            raise UsageError(
                f"--weights {word}: expected DERAINER:DATASET=FILE, a file that is there"
            )
        files[derainer, name] = Path(file)
    return Given(folders, files, spec)


def as_json(findings: Findings) -> dict[str, Any]:
    """Everything as plain values."""

    def fields(claim: Claim) -> dict[str, Any]:
        names = (
            "paper",
            "table",
            "row",
            "column",
            "metric",
            "method",
            "derainer",
            "dataset",
            "split",
        )
        return {name: getattr(claim, name) for name in names}

    return {
        "claims": [
            fields(f.claim)
            | {
                "printed": f.claim.value,
                "unit": f.claim.unit,
                "tolerance": list(f.claim.tolerance),
                "measured": f.measured,
                "difference": f.difference,
                "interval": None if f.interval is None else list(f.interval),
                "n": f.n,
                "verdict": f.verdict,
                "reason": f.reason,
                "note": f.claim.note,
            }
            for f in findings.claims
        ],
        "orders": [
            {
                "better": fields(o.claim.better),
                "worse": fields(o.claim.worse),
                "difference": o.difference,
                "interval": None if o.interval is None else list(o.interval),
                "verdict": o.verdict,
            }
            for o in findings.ordinal
        ],
    }
