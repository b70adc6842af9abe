"""The verb `doctor`: what this machine has and lacks."""

from __future__ import annotations

import argparse
from pathlib import Path

from harness.cli.flags import Verbs, add_field, fields_of
from harness.cli.terminal import table
from harness.spec import checked


def add(verbs: Verbs) -> None:
    """Add the verb and its flags."""
    parser = verbs.add_parser("doctor", help="what this machine has and lacks, with the remedy")
    add_field(parser, "workspace")
    parser.set_defaults(action=_doctor)


def _doctor(arguments: argparse.Namespace) -> int:
    from harness.machine.doctor import examine

    spec = checked(**fields_of(arguments))
    found = list(examine(Path(spec.workspace)))
    table(["what", "state", "detail"], [[f.what, f.state, f.detail] for f in found])
    return 0
