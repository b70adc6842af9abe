"""The verb `gather`: what several workspaces found, in one."""

from __future__ import annotations

import argparse
from pathlib import Path

from harness.cli.flags import Verbs
from harness.cli.terminal import shown


def add(verbs: Verbs) -> None:
    """Add the verb and its flags."""
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
