"""The verb `bench`: what derainers cost."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli.flags import Verbs, derainer_words, split_words
from harness.cli.terminal import say, table
from harness.spec import UsageError

if TYPE_CHECKING:
    from harness.checks.costs import SizeCost


def add(verbs: Verbs) -> None:
    """Add the verb and its flags."""
    parser = verbs.add_parser(
        "bench",
        help="seconds, parameters, multiply-adds and memory of derainers",
        description="Each derainer at each size in a process of its own: one run to warm up, then "
        "the median, fastest and slowest of the timed ones, with one thread and with all.",
    )
    parser.add_argument(
        "--derainer", action="append", default=[], metavar="NAME[,NAME…]", help="default: networks"
    )
    parser.add_argument(
        "--size", action="append", default=[], metavar="WxH", help="default: the papers' three"
    )
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--dtype", choices=("fp32", "bf16", "fp16"), default="fp32")
    parser.add_argument(
        "--repeats", type=int, default=3, metavar="N", help="timed runs (default 3)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every run's seconds too")
    parser.set_defaults(action=_bench)


def _bench(arguments: argparse.Namespace) -> int:
    from harness.checks import costs

    if arguments.repeats < 1:
        raise UsageError(f"--repeats {arguments.repeats}: at least 1")
    words = costs.names(derainer_words(arguments.derainer))
    sizes_px = costs.sizes(split_words(arguments.size))
    measured: list[SizeCost] = []
    try:
        for cost in costs.measure(
            words, sizes_px or costs.SIZES_PX, arguments.device, arguments.dtype, arguments.repeats
        ):
            measured.append(cost)
            if sys.stderr.isatty():
                say(f"{cost.derainer} at {cost.width_px}x{cost.height_px} done")
    finally:  # what was measured before one failed stays
        if measured:
            _show(measured, arguments.json)
    return 0


def _show(measured: Sequence[SizeCost], file: Path | None) -> None:
    """What was measured, as a table and, where one is named, in a file."""
    from harness.checks import costs

    if file is not None:
        costs.write_json(measured, file)
    table(*costs.rows(measured))
    for line in costs.ratios(measured):
        print(line)
