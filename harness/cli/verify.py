"""The verb `verify`: some images of a results folder once more, compared."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli.flags import OF_DATA, Verbs, add_field, allow_code, fields_of
from harness.cli.terminal import line, progress_bars, table
from harness.spec import UsageError

if TYPE_CHECKING:
    from harness.checks.verify import Check


def add(verbs: Verbs) -> None:
    """Add the verb and its flags."""
    parser = verbs.add_parser(
        "verify",
        help="recompute some images of a results folder and compare",
        description="The images are drawn by chance, anew each time. Flags say where data and "
        "networks lie on this machine; everything else is the run's own.",
    )
    parser.add_argument("folder", type=Path, metavar="DIR", help="the --out folder of a run")
    many = parser.add_mutually_exclusive_group()
    many.add_argument(
        "--images", dest="number", type=int, default=16, metavar="K", help="how many (default 16)"
    )
    many.add_argument(
        "--all",
        action="store_true",
        help="all images, and with them the numbers of the whole set, their intervals and draws",
    )
    for name in (*OF_DATA, "device", "workers"):
        add_field(parser, name)
    allow_code(parser)
    parser.set_defaults(action=_verify)


def _verify(arguments: argparse.Namespace) -> int:
    from harness.checks.verify import verify

    if arguments.number < 1:
        raise UsageError(f"--images {arguments.number}: at least 1")
    number = None if arguments.all else arguments.number
    typed, allowed = fields_of(arguments), arguments.allow_code
    with progress_bars() as progress:
        checks = verify(arguments.folder, typed, number, progress, allowed)
    return _show(checks)


def _show(checks: Sequence[Check]) -> int:
    """A row per condition; 1 where a number is beyond its bound, or absent."""
    from harness.checks.verify import BOUND

    rows = [
        [
            c.rain,
            c.derainer,
            str(c.images),
            f"{c.same_pixels} of {c.images}",
            f"{max(c.largest.values(), default=0):.3g}",
            _verdict(c),
        ]
        for c in checks
    ]
    headings = ["rain", "derainer", "images", "same pixels", "largest difference", "verdict"]
    table(headings, rows)
    bounds = ", ".join(f"{task} {value:g}" for task, value in BOUND.items())
    line(f"bound of a number of one image where hardware or versions differ: {bounds}")
    return 0 if all(c.holds for c in checks) else 1


def _verdict(check: Check) -> str:
    """What became of a condition, in words."""
    named = {"beyond the bound": check.beyond, "lacking": check.lacking}
    return "; ".join(f"{how}: {', '.join(what)}" for how, what in named.items() if what) or "holds"
