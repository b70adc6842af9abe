"""The verb `check-data`: a data set looked over before a long run."""

from __future__ import annotations

import argparse
from pathlib import Path

from harness.cli.flags import Verbs, add_field, fields_of
from harness.spec import checked


def add(verbs: Verbs) -> None:
    """Add the verb and its flags."""
    parser = verbs.add_parser(
        "check-data",
        help="look a data set over before a long run",
        description="Every label and image is looked at; the exit status is 1 where errors remain.",
    )
    of_labels = ("dataset", "data_root", "split", "annotations", "pair")
    for name in (*of_labels, "model", "model_dir"):
        add_field(parser, name)
    parser.add_argument(
        "--against", type=Path, metavar="DIR", help="images that the set should share none with"
    )
    parser.add_argument(
        "--sheet", type=Path, metavar="FILE.png", help="write some images with their labels drawn"
    )
    parser.set_defaults(action=_check_data)


def _check_data(arguments: argparse.Namespace) -> int:
    from harness.checks.data import check_data

    spec = checked(**fields_of(arguments))
    lines, has_errors = check_data(spec, arguments.against, arguments.sheet)
    for line in lines:
        print("".join(c if c.isprintable() else " " for c in line))
    return 1 if has_errors else 0
