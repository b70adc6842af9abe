"""The verb `fetch`: weights and models from elsewhere."""

from __future__ import annotations

import argparse
import functools
from pathlib import Path

from harness.cli.flags import Verbs
from harness.cli.terminal import progress_bars, shown, table
from harness.spec import known


def add(verbs: Verbs) -> None:
    """Add the verb and its flags."""
    parser = verbs.add_parser(
        "fetch",
        help="download weights and models, checked by sha256",
        description="Without a name: what can be fetched. No other verb opens a connection.",
    )
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--to", type=Path, metavar="DIR", help="default: where run finds them")
    parser.set_defaults(action=_fetch)


def _fetch(arguments: argparse.Namespace) -> int:
    from harness.machine.environment import FETCHED
    from harness.machine.sources import SOURCES, fetch

    folder: Path = arguments.to or FETCHED
    if not arguments.names:
        rows = [
            [name, source.used_by.format("FILE"), source.licence, source.url]
            for name, source in SOURCES.items()
        ]
        table(["name", "used by", "licence", "from"], rows)
    for name in arguments.names:
        known(name, SOURCES, "file")
    for name in arguments.names:
        with progress_bars() as progress:
            file = fetch(name, folder, functools.partial(progress, name))
        print(f"{shown(file)}: {SOURCES[name].used_by.format(shown(file))}")
    return 0
