"""The verb `score`: restored images or predictions that were made elsewhere."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.cli.flags import Verbs, add_field, fields_of
from harness.cli.terminal import show
from harness.spec import UsageError, checked, known

if TYPE_CHECKING:
    from reports.results.results import Results


OF_DATA = ("dataset", "data_root", "split", "annotations", "attributes", "where")
"""Fields that say which data set."""


def add(verbs: Verbs) -> None:
    """Add the verb and its flags."""
    parser = verbs.add_parser(
        "score",
        help="restored images or predictions made elsewhere",
        description="Quality: restored images in, with --reference, a folder of clean ones, or "
        "with --dataset, whose clean ones they are; which belong together is found as run finds "
        "it, and said by --pair where names do not; without either, metrics that need no clean "
        "image. Other tasks: predictions in, a file of COCO results or BDD100K's "
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
    for name in (*OF_DATA, "pair", "limit", "quality", "protocol", "workers"):
        add_field(parser, name)
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder for results and page")
    parser.set_defaults(action=_score)


def _score(arguments: argparse.Namespace) -> int:
    from reports.folder import require_free

    fields = fields_of(arguments, without=("task", "out"))
    out = arguments.out
    if out is not None:
        require_free(out)
    if arguments.task == "quality":
        results = _quality(arguments, fields)
    else:
        results = _predictions(arguments, fields)
    if out is not None:
        from reports.write import write

        write(results, out)
    show(results, out)
    return 1 if results.errors else 0


def _quality(arguments: argparse.Namespace, fields: dict[str, Any]) -> Results:
    """Restored images beside a folder, a data set, or nothing."""
    from harness.scores.restored_images import score_quality, score_restored

    restored, reference, out = arguments.restored, arguments.reference, arguments.out
    if arguments.predictions is not None:
        raise UsageError("--predictions belongs to the other tasks: give --task too, or leave it")
    if restored is None:
        raise UsageError("--task quality needs --restored, the folder of images to judge")
    judged = [folder for folder in (restored, reference) if folder]
    if out is not None and out.resolve() in [folder.resolve() for folder in judged]:
        raise UsageError(f"--out {out} holds images to judge: name another folder")
    of_data = [name for name in OF_DATA if name in fields]
    if of_data and reference is not None:
        flag = _flag(of_data[0])
        raise UsageError(f"--reference and {flag}: the clean images are one's or the other's")
    if of_data and not {"dataset", "data_root"} & fields.keys():
        raise UsageError(f"{_flag(of_data[0])} belongs to a data set: give --dataset too")
    if "pair" in fields and reference is None and not of_data:
        raise UsageError("--pair says which clean image is whose: give --reference or --dataset")
    spec = checked(**fields)
    if of_data:
        return score_restored(restored, spec)
    measured = spec.quality, spec.protocol, spec.workers
    return score_quality(restored, reference, *measured, spec.pair, spec.limit)


def _predictions(arguments: argparse.Namespace, fields: dict[str, Any]) -> Results:
    """Predictions of a task on a data set."""
    from harness.scores.predictions import score_predictions
    from tasks.rows import TASKS

    task, out = arguments.task, arguments.out
    known(task, TASKS, "task", "quality")
    given = {**fields, "restored": arguments.restored, "reference": arguments.reference}
    for name in ("restored", "reference", "quality", "protocol"):
        if given.get(name) is not None:
            raise UsageError(f"{_flag(name)} belongs to --task quality: leave it out with {task}")
    if arguments.predictions is None:
        raise UsageError(f"--task {task} needs --predictions, a file or folder")
    spec = checked(**fields, task=(task,), out=None if out is None else str(out))
    return score_predictions(arguments.predictions, spec)


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")
