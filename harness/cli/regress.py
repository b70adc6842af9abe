"""The verb `regress`: measured numbers against printed ones, or one run against another."""

from __future__ import annotations

import argparse
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.cli.flags import Verbs, add_field, fields_of
from harness.cli.terminal import line, progress_bars, say, table
from harness.spec import UsageError, checked

if TYPE_CHECKING:
    from harness.checks.junit import Case, Status
    from harness.checks.papers import Judged, JudgedClaim
    from harness.checks.runs import CellVerdict, Outcome, Required, Verdict
    from reports.papers.claims import Claim

STATUS: dict[str, Status] = {
    "reproduced": "passed",
    "differs": "failed",
    "inconclusive": "skipped",
    "cannot-run": "skipped",
}
"""What the verdict on an order is to a test report."""
SUITES = {"rain13k": ["later"]}
"""What the names of ``--suite`` stand for."""
OF_PAPERS = (
    *("data", "weights", "restored", "own", "layout"),
    *("limit", "workers", "device", "workspace"),
)
"""Options of printed numbers alone."""
OF_FOLDERS = ("tolerance", "guard", "require")
"""Options of two results folders alone."""
EXIT: dict[Outcome, int] = {"passed": 0, "failed": 1, "undecided": 3}
"""The exit status of a comparison of folders; 2 is a mistake of the user."""


def add(verbs: Verbs) -> None:
    """Add the verb and its flags."""
    parser = verbs.add_parser(
        "regress",
        help="measured against what papers print, or one results folder against another",
        description="papers, PAPER or PAPER:TABLE judges printed numbers, running what they need; "
        "two results folders, old and new, judge the new one. The exit status is 1 where a printed "
        "number differs without a known reason, or a number got worse or is missing, and 3 where "
        "none did but some are inconclusive (see --require).",
    )
    parser.add_argument("what", nargs="*", metavar="WHAT", help="papers, PAPER[:TABLE], or OLD NEW")
    parser.add_argument("--json", action="store_true", help="print every verdict as JSON")
    parser.add_argument("--junit", type=Path, metavar="FILE.xml", help="write them as JUnit XML")
    papers = parser.add_argument_group("of papers")
    papers.add_argument(
        "--data", action="append", default=[], metavar="DATASET=DIR", help="test pairs of a set"
    )
    papers.add_argument(
        "--weights",
        action="append",
        default=[],
        metavar="DERAINER:DATASET=FILE",
        help="authors' weights, or those to be judged by their print; what fetch knows is found by "
        "itself",
    )
    papers.add_argument(
        "--restored",
        action="append",
        default=[],
        metavar="METHOD:DATASET=DIR",
        help="images that a method restored, paired by name: RESCAN:rain100h=DIR",
    )
    papers.add_argument(
        "--own",
        metavar="WORD",
        help="with --layout: a derainer of yours, as run has them, as a row below the table's, on "
        "each set whose pairs are given; of tables whose columns are sets",
    )
    papers.add_argument(
        "--layout",
        choices=("paper",),
        help="print each table as the paper has it, what was measured behind a semicolon",
    )
    papers.add_argument(
        "--suite",
        choices=SUITES,
        help="in place of WHAT: later papers' tables of the five test sets of Rain13K in their "
        "layout, --own below each",
    )
    for name in ("limit", "workers", "device", "workspace"):
        add_field(papers, name)
    folders = parser.add_argument_group("of folders")
    folders.add_argument(
        "--tolerance",
        action="append",
        default=[],
        metavar="METRIC=X",
        help="difference that does not matter (default: 0.1 dB, 0.005 of a fraction)",
    )
    folders.add_argument(
        "--guard",
        action="append",
        default=[],
        metavar="METRIC",
        help="judge this number too: ap/person, ap_pooled/weather=rainy",
    )
    folders.add_argument(
        "--require",
        choices=("equivalent", "not-worse"),
        help="a comparison has passed (exit 0: each number equivalent or better), has failed (1: "
        "one is worse or missing) or is undecided (3: none is, but one is inconclusive); with "
        "equivalent, inconclusive numbers fail (1), with not-worse they do not matter (0)",
    )
    parser.set_defaults(action=_regress, goes_on=True)


def _regress(arguments: argparse.Namespace) -> int:
    from harness.checks import papers

    if arguments.suite is not None and arguments.what:
        raise UsageError(f"--suite {arguments.suite} names its tables: leave WHAT out")
    if arguments.suite is not None:
        arguments.what, arguments.layout = SUITES[arguments.suite], "paper"
    if not arguments.what:
        raise UsageError("what is to be judged? papers, PAPER[:TABLE], or two results folders")
    folders = [Path(word) for word in arguments.what]
    if len(folders) == 2 and all(folder.is_dir() for folder in folders):
        _refuse(arguments, OF_PAPERS, "printed numbers", "two results folders")
        return _folders(folders[0], folders[1], arguments)
    claims = papers.select(arguments.what)
    _refuse(arguments, OF_FOLDERS, "two results folders", "printed numbers")
    if arguments.json and arguments.layout is not None:
        raise UsageError("--json prints verdicts and no table: leave out it or --layout or --suite")
    return _papers(claims, arguments)


def _refuse(arguments: argparse.Namespace, names: Sequence[str], of: str, what: str) -> None:
    """Refuse options that would do nothing."""
    given = [name for name in names if getattr(arguments, name, None) not in (None, [])]
    if given:
        raise UsageError(
            f"--{given[0]} is of {of}, and {' '.join(arguments.what)} names {what}: leave it out"
        )


def _papers(claims: Sequence[Claim], arguments: argparse.Namespace) -> int:
    """Printed numbers against measured ones; 1 where one differs without a known reason."""
    import json

    from harness.checks import papers
    from harness.checks.junit import write_junit
    from harness.checks.paper_inputs import ALIASES, given_of, require_used

    if arguments.own is not None and arguments.layout is None:
        raise UsageError("--own is a row of a table: add --layout paper")
    spec = checked(**fields_of(arguments))
    held = os.environ.get("DERAIN_HARNESS_DATA")
    given = given_of(
        arguments.data,
        arguments.weights,
        spec,
        Path(held) if held else None,
        arguments.restored,
    )
    typed = (word.partition("=")[0] for word in arguments.data)
    require_used(claims, given, [ALIASES.get(name, name) for name in typed])
    with progress_bars() as progress:
        own = papers.own_row(claims, arguments.own, given, progress) if arguments.own else {}
        found = papers.regress(claims, given, progress)
    if arguments.json:
        line(json.dumps(_as_json(found), indent=1, allow_nan=False))
    elif arguments.layout is not None:
        _show_tables(found, own)
        if spec.limit is not None:
            say(f"what was measured is of at most {spec.limit:,} images of each set (--limit)")
    else:
        _show_findings(found)
    if arguments.junit is not None:
        write_junit(arguments.junit, "printed numbers", _cases(found))
    for cell in found.alarms:
        say(f"differs: {cell}")
    return 1 if found.alarms else 0


def _show_tables(found: Judged, own: Mapping[tuple[str, str, str], Mapping[str, float]]) -> None:
    """Each table in the layout of its paper."""
    from harness.plan.rows import every_row
    from reports.papers.layout import laid_out
    from reports.papers.reading import read_tables

    measured = {f.claim: f.measured for f in found.claims if f.measured is not None}
    judged = {(f.claim.paper, f.claim.table) for f in found.claims}
    for printed in read_tables(every_row()):
        if (printed.paper, printed.table) in judged:
            at = (printed.paper, printed.table)
            rows = {word: values for (*place, word), values in own.items() if tuple(place) == at}
            line("\n".join([*laid_out(printed, measured, rows), ""]))


def _show_findings(found: Judged) -> None:
    """A row per number; one per table and reason for what cannot be run."""
    rows = []
    by_table: dict[tuple[str, str], list[JudgedClaim]] = {}
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


def _cases(found: Judged) -> list[Case]:
    """Every claim, and every order that could be measured."""
    from harness.checks.junit import Case
    from harness.checks.papers import cell

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
            better, worse = cell(o.claim.better), cell(o.claim.worse)
            suite = f"{o.claim.better.paper}.order"
            cases.append(Case(suite, f"{better} > {worse}", STATUS[o.verdict], o.verdict))
    return cases


def _folders(old: Path, new: Path, arguments: argparse.Namespace) -> int:
    """One results folder against another; see `EXIT`."""
    from harness.checks import runs
    from harness.checks.junit import Case, write_junit
    from harness.ledger.folder import load

    found = runs.compare(load(old), load(new), _tolerances(arguments.tolerance), arguments.guard)
    required: Required | None = arguments.require
    if arguments.json:
        line(runs.as_json(found))
    else:
        _show_verdicts(found)
    if arguments.junit is not None:
        cases = [
            Case(
                ".".join(v.words[:-1]),
                v.metric,
                _status(v.verdict, required),
                f"{v.verdict}: {v.old} to {v.new}, interval of the difference {v.interval}",
            )
            for v in found
        ]
        write_junit(arguments.junit, f"{old.name} to {new.name}", cases)
    for v in found:
        if v.verdict in ("worse", "missing", "inconclusive"):
            say(f"{v.verdict}: {v.cell}")
    for why, without in Counter(v.why for v in found if v.why is not None).items():
        say(f"{without} of {len(found)} numbers have no interval: {why}")
    reached = runs.outcome(found, required)
    decided = _decided(found)
    if decided:
        say(f"{reached}: {decided}{' (see --require)' * (reached == 'undecided')}")
    return EXIT[reached]


def _decided(found: Sequence[CellVerdict]) -> str:
    """How many numbers have not passed, and why, in words; empty where all have."""
    counts, of = Counter(v.verdict for v in found), f" of {len(found)} numbers"
    said = []
    for word in ("worse", "missing", "inconclusive"):
        if n := counts[word]:
            said.append(f"{n}{of} {'is' if n == 1 else 'are'} {word}")
            of = ""
    return ", ".join(said)


def _status(verdict: Verdict, required: Required | None) -> Status:
    """What a verdict is to a test report: what is inconclusive never has passed."""
    from harness.checks.runs import counted

    if counted(verdict, required) == "failed":
        return "failed"
    return "skipped" if verdict == "inconclusive" else "passed"


def _show_verdicts(found: Sequence[CellVerdict]) -> None:
    """A row per number of either folder."""
    rows = [
        [
            " | ".join(v.words),
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


def _tolerances(words: Sequence[str]) -> dict[str, float]:
    """``METRIC=X`` words."""
    found = {}
    for word in words:
        metric, _, value = word.rpartition("=")  # a part's name holds one too
        try:
            found[metric] = float(value)
        except ValueError:
            found[metric] = -1.0
        if not metric or not 0 <= found[metric] < float("inf"):
            raise UsageError(f"--tolerance {word}: expected METRIC=X, X a number from 0 on")
    return found


def _span(ends: tuple[float, float] | None, digits: int) -> str:
    if ends is None:
        return ""
    return f"[{ends[0]:+.{digits}f}, {ends[1]:+.{digits}f}]"


def _as_json(findings: Judged) -> dict[str, Any]:
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
