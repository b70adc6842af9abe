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
        description="Without a name: what can be fetched. No other verb opens a connection, but "
        "run --address to your Ray cluster.",
    )
    parser.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help="of that list, or hf://OWNER/REPO/FILE@SHA256, or https://HOST/FILE@SHA256",
    )
    parser.add_argument("--to", type=Path, metavar="DIR", help="default: where run finds them")
    parser.set_defaults(action=_fetch)


def _fetch(arguments: argparse.Namespace) -> int:
    from derainers.words import is_remote
    from harness.machine.environment import FETCHED
    from harness.machine.remote import FORM, remote_source
    from harness.machine.sources import SOURCES, fetch_source

    folder: Path = arguments.to or FETCHED
    if not arguments.names:
        rows = [
            [name, source.used_by.format("FILE"), source.licence, source.url]
            for name, source in SOURCES.items()
        ]
        table(["name", "used by", "licence", "from"], rows)
    sources = {}
    for name in arguments.names:
        if not is_remote(name):
            known(name, SOURCES, "file", FORM)
        sources[name] = remote_source(name) if is_remote(name) else SOURCES[name]
    for name, source in sources.items():
        with progress_bars() as progress:
            file = fetch_source(name, source, folder, functools.partial(progress, name))
        used_by = f"NAME@{name}" if is_remote(name) else source.used_by.format(shown(file))
        print(f"{shown(file)}: {used_by}")
    return 0
