"""The verb `score`: restored images or predictions that were made elsewhere."""

from __future__ import annotations

import argparse
from pathlib import Path

from harness.cli.flags import Verbs, add_field, fields_of
from harness.cli.terminal import show
from harness.spec import UsageError, checked, known


def add(verbs: Verbs) -> None:
    """Add the verb and its flags."""
    parser = verbs.add_parser(
        "score",
        help="restored images or predictions made elsewhere",
        description="Quality: two folders in, paired by stem; without --reference, metrics that "
        "need no clean image. Other tasks: predictions in, a file of COCO results or BDD100K's "
        "frames (of instances: with masks, or a folder with boxes.json and masks.json) or a folder "
        "of label maps by stem, "
        "with the data set they are of; no network is needed.",
    )
    parser.add_argument(
        "--task", default="quality", metavar="NAME", help="quality, or a task (default: quality)"
    )
    parser.add_argument("--restored", type=Path, metavar="DIR", help="quality: the images to judge")
    parser.add_argument("--reference", type=Path, metavar="DIR", help="quality: the clean images")
    parser.add_argument("--predictions", type=Path, metavar="PATH", help="a file or folder")
    where = (
        *("dataset", "data_root", "split", "annotations", "pair"),
        *("attributes", "where", "limit"),
    )
    for name in (*where, "quality", "protocol", "workers"):
        add_field(parser, name)
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder for results and page")
    parser.set_defaults(action=_score)


def _score(arguments: argparse.Namespace) -> int:
    fields = fields_of(arguments, without=("task", "out"))
    task, out = arguments.task, arguments.out
    if task == "quality":
        from harness.scores.restored_images import score_quality

        if arguments.restored is None:
            raise UsageError("--task quality needs --restored, the folder of images to judge")
        judged = [folder for folder in (arguments.restored, arguments.reference) if folder]
        if out is not None and out.resolve() in [folder.resolve() for folder in judged]:
            raise UsageError(f"--out {out} holds images to judge: name another folder")
        spec = checked(**fields)
        results = score_quality(
            arguments.restored, arguments.reference, spec.quality, spec.protocol, spec.workers
        )
    else:
        from harness.scores.predictions import score_predictions
        from tasks.rows import TASKS

        known(task, TASKS, "task", "quality")

        if arguments.predictions is None:
            raise UsageError(f"--task {task} needs --predictions, a file or folder")
        spec = checked(**fields, task=(task,), out=None if out is None else str(out))
        results = score_predictions(arguments.predictions, spec)
    if out is not None:
        from reports.write import write

        write(results, out)
    show(results, out)
    return 1 if results.errors else 0
