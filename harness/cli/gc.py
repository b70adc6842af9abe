"""The verb `gc`: room in a workspace."""

from __future__ import annotations

import argparse
from pathlib import Path

from harness.cli.flags import Verbs
from harness.spec import UsageError


def add(verbs: Verbs) -> None:
    """Add the verb and its flags."""
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
