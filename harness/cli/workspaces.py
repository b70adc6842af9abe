"""The verbs `gc` and `gather`: room in a workspace, and what several found in one."""

from __future__ import annotations

import argparse
from pathlib import Path

from harness.cli.flags import Verbs
from harness.cli.terminal import shown
from harness.spec import UsageError


def add(verbs: Verbs) -> None:
    """Add both verbs and their flags."""
    _add_gc(verbs)
    _add_gather(verbs)


def _add_gc(verbs: Verbs) -> None:
    parser = verbs.add_parser(
        "gc",
        help="free cached images and predictions, never evidence",
        description="The oldest go first. Records and pages stay as they are; a later run computes "
        "again what it needs of the rest.",
    )
    parser.add_argument("workspace", type=Path, help="the workspace of the runs")
    parser.add_argument(
        "--keep-gb", type=float, default=0.0, metavar="X", help="room that may stay (default 0)"
    )
    parser.add_argument(
        "--older-than", type=float, default=0.0, metavar="DAYS", help="only files older than that"
    )
    parser.set_defaults(action=_gc)


def _gc(arguments: argparse.Namespace) -> int:
    from harness.ledger.gc import free

    for flag, value in (("--keep-gb", arguments.keep_gb), ("--older-than", arguments.older_than)):
        if not value >= 0:
            raise UsageError(f"{flag} {value}: a number from 0 on")
    freed = free(arguments.workspace, arguments.keep_gb, arguments.older_than)
    print(
        f"{freed.files} files removed, {freed.freed_bytes / 1e9:.2f} GB; "
        f"{freed.kept_bytes / 1e9:.2f} GB of images and predictions kept"
    )
    return 0


def _add_gather(verbs: Verbs) -> None:
    parser = verbs.add_parser(
        "gather",
        help="put what several workspaces found into one",
        description="For parts of a run, made with --shard: the same run without it, on the "
        "gathered workspace, then computes what is missing still, and reports.",
    )
    parser.add_argument("workspaces", type=Path, nargs="+", metavar="WORKSPACE")
    parser.add_argument("--workspace", type=Path, required=True, dest="into", metavar="PATH")
    parser.set_defaults(action=_gather)


def _gather(arguments: argparse.Namespace) -> int:
    from harness.ledger.gather import gather

    new = gather(arguments.workspaces, arguments.into)
    into, number = shown(arguments.into), len(arguments.workspaces)
    print(f"{into}: {new} rows of {number} workspaces are new there")
    return 0
