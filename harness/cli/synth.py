"""The verb `synth`: a rainy copy of a data set."""

from __future__ import annotations

import argparse
from pathlib import Path

from harness.cli.flags import Verbs, add_field, add_jpeg, fields_of, jpeg_quality
from harness.cli.terminal import line, progress_bars, say, shown
from harness.spec import DEFAULT_RAIN, UsageError, checked
from reports.results.said import image_count


def add(verbs: Verbs) -> None:
    """Add the verb and its flags."""
    parser = verbs.add_parser(
        "synth",
        help="write a rainy copy of a data set in its own layout, with a manifest",
        description="The images are those that run shows for the same --dataset, --annotations, "
        "--rain and --seed: rain falls by an image's id. A second call continues where the first "
        "one stopped, and does anew what is of another photograph or depth. Damaged images are "
        "named and left out; the exit status is then 1.",
    )
    for name in (
        *("dataset", "data_root", "split", "annotations", "pair", "attributes", "where"),
        *("depth", "seed", "limit", "workers"),
    ):
        add_field(parser, name)
    parser.add_argument("--rain", default=DEFAULT_RAIN, help="one rain")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="a new folder")
    add_jpeg(parser)
    parser.add_argument("--layers", action="store_true", help="keep streaks, veil and airlight too")
    parser.set_defaults(action=_synth, goes_on=True)


def _synth(arguments: argparse.Namespace) -> int:
    from harness.machine.device import worker_count
    from harness.plan.data import open_dataset, require_dry, root_of
    from harness.plan.rains import rains_of, require_depth
    from harness.runs.rainy_copy import Recipe, synthesize

    spec = checked(**fields_of(arguments, without=("rain", "out")))
    quality = jpeg_quality(arguments)
    (name, rain), *others = rains_of(arguments.rain)
    if rain is None or others:
        raise UsageError(f"--rain {arguments.rain}: a copy is of one rain, name a single one")
    recipe = Recipe(name, rain, spec.seed, quality, arguments.layers)
    dataset = open_dataset(spec)
    if not dataset.has_clean:
        raise UsageError("photographs of real rain get no rain on top: leave them out with --where")
    require_dry([name], spec, dataset)
    require_depth({name: rain}, dataset)
    with progress_bars() as progress:
        done = synthesize(
            dataset,
            root_of(spec),
            recipe,
            arguments.out,
            worker_count(spec, "cpu"),
            progress,
        )
    written = image_count(done.written)
    line(f"{shown(arguments.out)}: {written} written, {done.kept} were there already")
    for failure in done.failures:
        say(f"failed: {failure.sample} ({failure.stage}): {failure.message}")
    return 1 if done.failures else 0
