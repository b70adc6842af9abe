"""The verb `derain`: files in, files out, without labels."""

from __future__ import annotations

import argparse
from pathlib import Path

from harness.cli.flags import Verbs, add_field, add_jpeg, fields_of, jpeg_quality, status_of
from harness.cli.terminal import line, progress_bars, say, shown
from harness.spec import UsageError, checked
from reports.results.said import image_count


def add(verbs: Verbs) -> None:
    """Add the verb and its flags."""
    parser = verbs.add_parser(
        "derain",
        help="derain images of any folder into another, without labels",
        description="Sub-folders stay as they are, a film is a folder of frames; several derainers "
        "get a folder each below --out. A second call does what is new, changed or missing. "
        "Damaged images are named and left out; the exit status is then 1.",
    )
    parser.add_argument(
        "inputs", type=Path, nargs="+", metavar="INPUT", help="image files, or folders of them"
    )
    parser.add_argument(
        "--derainer",
        action="append",
        default=argparse.SUPPRESS,
        metavar="NAME[,NAME…]",
        help="derainers as in run, each NAME or NAME@WEIGHTS",
    )
    for name in ("device", "dtype", "tile_px", "workers", "limit", "max_errors"):
        add_field(parser, name)
    parser.add_argument(
        "--workspace",
        default=argparse.SUPPRESS,
        metavar="PATH",
        help="where it is kept what networks from elsewhere gave when they were tried (default: "
        "derain-runs)",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where they go")
    add_jpeg(parser)
    parser.set_defaults(action=_derain, goes_on=True)


def _derain(arguments: argparse.Namespace) -> int:
    from harness.machine.memory import keep_large_blocks
    from harness.runs.derained_copy import derain, gathered

    fields = fields_of(arguments, without=("out",))
    if "derainer" not in fields:
        raise UsageError("derain needs --derainer, e.g. --derainer granet (list derainers)")
    quality = jpeg_quality(arguments)
    fixed = {"dataset": "folder", "data_root": ".", "rain": ("given",), "task": ("none",)}
    spec = checked(**fields, **fixed, quality=("none",))
    samples = gathered(arguments.inputs, arguments.out)
    keep_large_blocks()
    with progress_bars() as progress:
        done = derain(samples, spec, arguments.out, quality, progress, say)
    failed = {failure.sample: failure for each in done for failure in each.failures}
    for each in done:
        line(
            f"{shown(each.folder)}: {image_count(each.written)} derained by {each.derainer}, "
            f"{each.kept} were there already{f' ({each.said})' if each.said else ''}"
        )
    for failure in failed.values():
        say(f"failed: {failure.sample} ({failure.stage}): {failure.message}")
    tried = max(each.written + each.kept + len(each.failures) for each in done)
    return status_of(spec, len(failed), tried)
