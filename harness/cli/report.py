"""The verb `report`: tables, plots and page again, from a ledger alone."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli.flags import LAYOUTS, OF_DATA, Verbs, add_field, allow_code, fields_of
from harness.cli.terminal import shown
from harness.spec import RunSpec, UsageError

if TYPE_CHECKING:
    from reports.results.results import Results


def add(verbs: Verbs) -> None:
    """Add the verb and its flags."""
    parser = verbs.add_parser(
        "report",
        help="tables, plots and page again, from a ledger alone; many runs on one page",
        description="Two results folders, or two runs by the first digits of their digests (list "
        "runs), are compared on one page. Several workspaces are the parts of one run, made with "
        "--shard, or, with --board and --compare, hold many runs.",
    )
    parser.add_argument(
        "workspace",
        type=Path,
        nargs="*",
        metavar="PLACE",
        help="a workspace, the parts of a run, a results folder, or a run's first digits; with "
        "--suite none of them makes the board as it is frozen",
    )
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
        choices=("paper", *LAYOUTS),
        help="paper: the plots as PDF too, of a column's width; table6, as MSPFN's Table 6 is laid "
        "out, or remedies, those against rain as rows: LAYOUT.md and LAYOUT.tex too",
    )
    parser.add_argument(
        "--beside",
        type=Path,
        metavar="FOLDER",
        help="a results folder whose derainers stand beside the run's, paired, where it is of the "
        "same images, labels, networks, rain and seed",
    )
    parser.add_argument(
        "--suite",
        metavar="benchmark-vN",
        help="board.html: submissions, a results folder each, beside a frozen benchmark's rows",
    )
    parser.add_argument("--no-images", action="store_true", help="no pictures on the page")
    parts = parser.add_argument_group("of parts, where data and networks lie on this machine")
    for name in OF_DATA:
        add_field(parts, name)
    allow_code(parts)
    parser.set_defaults(action=_report)


def _report(arguments: argparse.Namespace) -> int:
    from harness.ledger.runs import finished_runs, load_results

    workspaces, out = arguments.workspace, arguments.out
    if arguments.suite is not None:
        return _board_of(arguments)
    if not workspaces:
        raise UsageError("name a workspace, a results folder, or a run by its first digits")
    known = [_finished(place) for place in workspaces]
    if any(known):
        return _report_of(known, arguments)
    if arguments.compare or arguments.board:
        from reports.pages.runs import write_board
        from reports.pages.two_runs import write_comparison

        if (
            arguments.run
            or arguments.layout
            or arguments.beside
            or (arguments.compare and arguments.board)
        ):
            raise UsageError(
                "--board and --compare stand alone, without --run, --layout and --beside"
            )
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
    _write(results, arguments)
    return 0


def _write(results: Results, arguments: argparse.Namespace) -> None:
    """A run's folder, as it is asked for."""
    from reports.write import write

    out = arguments.out
    if arguments.no_images:
        results = replace(results, gallery=[])
    write(_beside(results, arguments.beside, out), out, arguments.layout)
    print(shown(out / "report.html"))


def _board_of(arguments: argparse.Namespace) -> int:
    """The board of a frozen benchmark with submissions to it."""
    from harness.cli.terminal import show_board
    from harness.ledger.frozen import frozen

    for name in ("run", "board", "compare", "layout", "beside"):
        if getattr(arguments, name):
            raise UsageError(f"--suite makes a board of its own: leave --{name} out")
    benchmark = frozen(arguments.suite)
    runs: dict[Path, Results] = {}
    for place in arguments.workspace:
        run = _finished(place)
        if run is None:
            raise UsageError(f"{place}: no results folder: a submission is what run --out wrote")
        if place in runs:
            raise UsageError(f"{place} stands there twice")
        runs[place] = run
    show_board(benchmark, runs, arguments.out)
    return 0


def _finished(place: Path) -> Results | None:
    """The run of a results folder, or of the usual workspace by its first digits; None of others.

    Raises:
        UsageError: If there is no such run.
    """
    from harness.api import load
    from reports.folder import RESULTS

    if (place / RESULTS).is_file():
        return load(place)
    if place.exists() or not re.fullmatch(r"[0-9a-f]{4,64}", str(place)):
        return None
    return load(RunSpec.model_fields["workspace"].default, str(place))


def _report_of(runs: Sequence[Results | None], arguments: argparse.Namespace) -> int:
    """The page of one finished run, or of two that are compared."""
    from reports.pages.two_runs import write_comparison

    out, found = arguments.out, [run for run in runs if run is not None]
    if len(found) != len(runs) or len(found) > 2:
        raise UsageError(
            "one results folder or run is shown, two are compared; workspaces stand alone"
        )
    if arguments.compare or arguments.board or arguments.run:
        raise UsageError("--board, --compare and --run are of workspaces, not of results folders")
    if len(found) == 2:
        if arguments.beside is not None:
            raise UsageError("--beside is of one run; two are compared")
        if arguments.layout is not None:
            raise UsageError("--layout is of one run; two are compared")
        write_comparison(found[0], found[1], out)
        print(shown(out / "compare.html"))
        return 0
    _write(found[0], arguments)
    return 0


def _beside(results: Results, folder: Path | None, out: Path) -> Results:
    """A run with the derainers of a results folder beside its own, if one is named.

    Raises:
        UsageError: If the folder is of another benchmark, or is to be written into.
    """
    from harness.ledger.folder import load
    from reports.beside import beside

    if folder is None:
        return results
    if folder.resolve() == out.resolve():
        raise UsageError(f"--out {out} is the folder of --beside: name another folder")
    try:
        return beside(results, load(folder))
    except ValueError as error:
        raise UsageError(f"--beside {folder}: {error}") from error


def _one_run(workspaces: Sequence[Path], digest: str) -> Results:
    """The run whose digest begins so, wherever it lies."""
    from harness.ledger.runs import finished_runs

    found = finished_runs(workspaces, digest)
    if len({run.run for run in found}) != 1:
        known = ", ".join(run.run[:12] for run in found or finished_runs(workspaces)) or "none"
        which = "several runs begin" if found else "no finished run begins"
        raise UsageError(f"--compare {digest}: {which} so: {known}")
    return found[0]
