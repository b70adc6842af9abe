"""The verb `report`: tables, plots and page again, from a ledger alone."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli.flags import OF_DATA, Verbs, add_field, allow_code, fields_of
from harness.cli.terminal import shown
from harness.spec import UsageError

if TYPE_CHECKING:
    from reports.results.results import Results


def add(verbs: Verbs) -> None:
    """Add the verb and its flags."""
    parser = verbs.add_parser(
        "report",
        help="tables, plots and page again, from a ledger alone; many runs on one page",
        description="Several workspaces are the parts of one run, made with --shard, or, with "
        "--board and --compare, hold many runs.",
    )
    parser.add_argument("workspace", type=Path, nargs="+", help="of a run, its parts, or many")
    parser.add_argument("--run", metavar="DIGEST", help="by its first digits (default: latest)")
    parser.add_argument("--board", action="store_true", help="board.html: all runs on one page")
    parser.add_argument(
        "--compare",
        nargs=2,
        metavar="DIGEST",
        help="compare.html: what changed from the first run to the second",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    parser.add_argument(
        "--layout",
        choices=("table6",),
        help="table6.md and table6.tex too, as MSPFN's Table 6 is laid out",
    )
    parser.add_argument("--no-images", action="store_true", help="no pictures on the page")
    parts = parser.add_argument_group("of parts, where data and networks lie on this machine")
    for name in OF_DATA:
        add_field(parts, name)
    allow_code(parts)
    parser.set_defaults(action=_report)


def _report(arguments: argparse.Namespace) -> int:
    from harness.ledger.runs import finished_runs, load_results
    from reports.write import write

    workspaces, out = arguments.workspace, arguments.out
    if arguments.compare or arguments.board:
        from reports.pages.runs import write_board, write_comparison

        if arguments.run or arguments.layout or (arguments.compare and arguments.board):
            raise UsageError("--board and --compare stand alone, without --run and --layout")
        if arguments.board:
            runs = finished_runs(workspaces)
            if not runs:
                raise UsageError("no finished run there: --board shows those that are")
            write_board(runs, out)
            print(shown(out / "board.html"))
            return 0
        first, second = (_one_run(workspaces, digest) for digest in arguments.compare)
        write_comparison(first, second, out)
        print(shown(out / "compare.html"))
        return 0
    if len(workspaces) > 1:
        from harness.runs.shards import union

        if arguments.run:
            raise UsageError("--run is of one workspace; several are the parts of one run")
        typed = fields_of(arguments)
        results = union(
            workspaces, {k: typed[k] for k in OF_DATA if k in typed}, arguments.allow_code
        )
    else:
        results = load_results(workspaces[0], arguments.run)
    if arguments.no_images:
        results = replace(results, gallery=[])
    write(results, out, arguments.layout)
    print(shown(out / "report.html"))
    return 0


def _one_run(workspaces: Sequence[Path], digest: str) -> Results:
    """The run whose digest begins so, wherever it lies."""
    from harness.ledger.runs import finished_runs

    found = finished_runs(workspaces, digest)
    if len({run.run for run in found}) != 1:
        known = ", ".join(run.run[:12] for run in found or finished_runs(workspaces)) or "none"
        which = "several runs begin" if found else "no finished run begins"
        raise UsageError(f"--compare {digest}: {which} so: {known}")
    return found[0]
