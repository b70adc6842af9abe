"""What `regress` and `verify` show and write, and the exit status they end with."""

from __future__ import annotations

import argparse
import json
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.checks import papers as regress
from harness.checks import runs as regress_runs
from harness.checks.junit import Case, Status, write_junit
from harness.checks.paper_inputs import given_of
from harness.checks.papers import Finding, Findings
from harness.checks.verify import BOUND, Check
from harness.cli.terminal import line, progress_bars, say, table
from harness.ledger.folder import load
from harness.spec import RunSpec, UsageError, checked
from reports.papers.claims import Claim

STATUS: dict[str, Status] = {
    "reproduced": "passed",
    "differs": "failed",
    "inconclusive": "skipped",
    "cannot-run": "skipped",
}
"""What the verdict on an order is to a test report."""


def regress_papers(arguments: argparse.Namespace) -> int:
    """Printed numbers against measured ones; 1 where one differs without a known reason."""
    claims = regress.select(arguments.what)
    fields = {k: v for k, v in vars(arguments).items() if k in RunSpec.model_fields}
    held = os.environ.get("DERAIN_HARNESS_DATA")
    given = given_of(
        arguments.data, arguments.weights, checked(**fields), Path(held) if held else None
    )
    with progress_bars() as progress:
        found = regress.regress(claims, given, progress)
    if arguments.json:
        line(json.dumps(_as_json(found), indent=1, allow_nan=False))
    else:
        _show_findings(found)
    if arguments.junit is not None:
        write_junit(arguments.junit, "printed numbers", _cases(found))
    for cell in found.alarms:
        say(f"differs: {cell}")
    return 1 if found.alarms else 0


def _show_findings(found: Findings) -> None:
    """A row per number; one per table and reason for what cannot be run."""
    rows = []
    by_table: dict[tuple[str, str], list[Finding]] = {}
    for finding in found.claims:
        by_table.setdefault((finding.claim.paper, finding.claim.table), []).append(finding)
    for (paper, name), findings in by_table.items():
        reasons: Counter[str] = Counter()
        for f in findings:
            if f.verdict == "cannot-run":
                reasons[f.reason or ""] += 1
                continue
            c = f.claim
            low, high = c.tolerance
            rows.append(
                [
                    f"{paper} {name}",
                    f"{c.row} | {c.column}",
                    f"{c.value:g}",
                    "" if f.measured is None else f"{f.measured:.{c.decimals + 2}f}",
                    "" if f.difference is None else f"{f.difference:+.{c.decimals + 2}f}",
                    _span(f.interval, c.decimals + 2),
                    f"{low:+g} to {high:+g}",
                    f.verdict,
                    f.reason or "",
                ]
            )
        for reason, number in reasons.items():
            many = f"all {number}" if number == len(findings) else f"{number} of {len(findings)}"
            rows.append([f"{paper} {name}", f"{many} numbers", *[""] * 5, "cannot-run", reason])
    headings = ["table", "number", "printed", "measured", "difference", "interval", "tolerance"]
    table([*headings, "verdict", "reason"], rows)
    for what, verdicts in (
        ("numbers", Counter(f.verdict for f in found.claims)),
        ("orders of two methods", Counter(o.verdict for o in found.ordinal)),
    ):
        line(f"{what}: " + ", ".join(f"{n} {verdict}" for verdict, n in verdicts.items()))


def _cases(found: Findings) -> list[Case]:
    """Every claim, and every order that could be measured."""
    cases = [
        Case(
            f"{f.claim.paper}.{f.claim.table}",
            f"{f.claim.row} | {f.claim.column}",
            "passed" if f.verdict == "reproduced" else "failed" if f.alarms else "skipped",
            f"{f.verdict}: {f.reason or ''}",
        )
        for f in found.claims
    ]
    for o in found.ordinal:
        if o.verdict != "cannot-run":
            better, worse = regress.cell(o.claim.better), regress.cell(o.claim.worse)
            suite = f"{o.claim.better.paper}.order"
            cases.append(Case(suite, f"{better} > {worse}", STATUS[o.verdict], o.verdict))
    return cases


def regress_folders(old: Path, new: Path, arguments: argparse.Namespace) -> int:
    """One results folder against another; 1 where a number got worse or is missing."""
    found = regress_runs.compare(
        load(old),
        load(new),
        _tolerances(arguments.tolerance),
        arguments.guard,
    )
    if arguments.json:
        line(regress_runs.as_json(found))
    else:
        rows = [
            [
                v.cell.replace("|", " | "),
                *("–" if value is None else f"{value:.4f}" for value in (v.old, v.new)),
                "–" if v.difference is None else f"{v.difference:+.4f}",
                _span(v.interval, 4),
                f"{v.tolerance:g}",
                v.verdict,
                "" if v.needed is None else f"{v.needed:,}",
            ]
            for v in found
        ]
        headings = ["number", "old", "new", "difference", "95 % interval", "tolerance"]
        table([*headings, "verdict", "images needed"], rows)
    bad = ["worse", "missing"] + (["inconclusive"] if arguments.require else [])
    if arguments.junit is not None:
        cases = [
            Case(
                v.cell.rsplit("|", 1)[0].replace("|", "."),
                v.cell.rsplit("|", 1)[1],
                "failed" if v.verdict in bad else "passed",
                f"{v.verdict}: {v.old} to {v.new}, interval of the difference {v.interval}",
            )
            for v in found
        ]
        write_junit(arguments.junit, f"{old.name} to {new.name}", cases)
    for v in found:
        if v.verdict in bad:
            say(f"{v.verdict}: {v.cell}")
    return 1 if any(v.verdict in bad for v in found) else 0


def show_checks(checks: Sequence[Check]) -> int:
    """A row per condition; 1 where a number is beyond its bound."""
    rows = [
        [
            c.rain,
            c.derainer,
            str(c.images),
            f"{c.same_pixels} of {c.images}",
            f"{max(c.largest.values(), default=0):.3g}",
            "holds" if c.holds else f"beyond the bound: {', '.join(c.beyond)}",
        ]
        for c in checks
    ]
    headings = ["rain", "derainer", "images", "same pixels", "largest difference", "verdict"]
    table(headings, rows)
    bounds = ", ".join(f"{task} {value:g}" for task, value in BOUND.items())
    line(f"bound of a number of one image where hardware or versions differ: {bounds}")
    return 0 if all(c.holds for c in checks) else 1


def _tolerances(words: Sequence[str]) -> dict[str, float]:
    """``METRIC=X`` words."""
    found = {}
    for word in words:
        metric, _, value = word.partition("=")
        try:
            found[metric] = float(value)
        except ValueError:
            found[metric] = -1.0
        if not 0 <= found[metric] < float("inf"):
            raise UsageError(f"--tolerance {word}: expected METRIC=X, X a number from 0 on")
    return found


def _span(ends: tuple[float, float] | None, digits: int) -> str:
    if ends is None:
        return ""
    return f"[{ends[0]:+.{digits}f}, {ends[1]:+.{digits}f}]"


def _as_json(findings: Findings) -> dict[str, Any]:
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
