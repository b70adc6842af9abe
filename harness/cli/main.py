"""The command line: a shell over `harness.run`."""

from __future__ import annotations

import argparse
import functools
import sqlite3
import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli.arguments import parser
from harness.cli.flags import OF_DATA, REPEATED, fields_of, split_words
from harness.cli.terminal import progress_bars, say, show, show_survey, table
from harness.machine.disk import storage_error
from harness.spec import RunSpec, UsageError, checked
from reports.write import write

if TYPE_CHECKING:
    from reports.results.results import Results


def run_command_line(words: Sequence[str]) -> int:
    """Run one command.

    Returns:
        Exit status: 0 done; 1 done, but images failed; 2 a user's mistake, told in one line;
        130 interrupted and resumable.
    """
    arguments = parser().parse_args(words)
    # torch warns of some files that it then refuses; the refusal is told in one line.
    warnings.filterwarnings("ignore", "Detected pickle protocol")
    try:
        _ours()
        return VERBS[arguments.verb](arguments)
    except KeyboardInterrupt:
        say("interrupted: the same command continues where it stopped")
        return 130
    except (OSError, sqlite3.Error) as error:
        said = storage_error(error)
        if said is None:
            raise
        say(f"error: {said}")
        return 2
    except ValueError as error:
        if not _is_users(error):
            raise
        say(f"error: {error}")
        return 2


def _is_users(error: ValueError) -> bool:
    """Whether an error is a mistake that the user can mend, from any room."""
    if isinstance(error, UsageError):
        return True
    from datasets.image import ImageError
    from datasets.sample import DatasetError
    from derainers import DerainerError
    from reports.papers.claims import ClaimError
    from tasks.task import TaskError

    known = DatasetError | DerainerError | ImageError | TaskError | ClaimError
    return isinstance(error, known)


def _ours() -> None:
    """Make sure that the five packages are this harness's and not some folder's of the user."""
    import importlib.util

    home = Path(__file__).resolve().parents[2]
    for name in ("datasets", "derainers", "tasks", "reports"):
        found = importlib.util.find_spec(name)
        where = Path(found.origin).resolve() if found and found.origin else None
        if where is None or where.parent.parent != home:
            raise UsageError(
                f"'import {name}' finds {where or 'nothing'}, not the harness's own package: "
                "rename that file or folder, or run from elsewhere"
            )


def _run(arguments: argparse.Namespace) -> int:
    from harness.cli.suites import specs_of

    worst = 0
    for place, spec in specs_of(arguments).items():
        if place:
            print(place)
        try:
            status = _run_one(spec, arguments.dry_run)
        except ValueError as error:
            if not place or not _is_users(error):
                raise
            say(f"error: {place}: {error}")
            status = 2
        worst = max(worst, status)
    return worst


def _run_one(spec: RunSpec, is_dry: bool) -> int:
    from harness.machine.memory import keep_large_blocks
    from harness.runs.dry_run import survey
    from harness.runs.engine import run

    if is_dry:
        return show_survey(survey(spec))
    keep_large_blocks()
    with progress_bars() as progress:
        results = run(spec, progress=progress)
    show(results, spec.out)
    failed, scored = len(results.errors), max((r.n for r in results.records), default=0)
    share = failed + scored if spec.max_errors < 1 else 1
    return 1 if failed > spec.max_errors * share else 0


def _score(arguments: argparse.Namespace) -> int:
    fields = {k: v for k, v in vars(arguments).items() if k in RunSpec.model_fields}
    fields = {k: split_words(v) if k in REPEATED and k != "task" else v for k, v in fields.items()}
    out, task = fields.pop("out"), fields.pop("task")
    if task == "quality":
        from harness.scores.restored_images import score_quality

        if arguments.restored is None:
            raise UsageError("--task quality needs --restored, the folder of images to judge")
        spec = checked(**fields)
        results = score_quality(
            arguments.restored, arguments.reference, spec.quality, spec.protocol, spec.workers
        )
    else:
        from harness.scores.predictions import score_predictions

        if arguments.predictions is None:
            raise UsageError(f"--task {task} needs --predictions, a file or folder")
        results = score_predictions(arguments.predictions, checked(**fields, task=(task,)))
    if out is not None:
        write(results, out)
    show(results, out)
    return 1 if results.errors else 0


def _report(arguments: argparse.Namespace) -> int:
    from harness.ledger.runs import finished_runs, load_results

    workspaces, out = arguments.workspace, arguments.out
    if arguments.compare or arguments.board:
        from reports.pages.runs import write_board, write_comparison

        if arguments.run or arguments.layout or (arguments.compare and arguments.board):
            raise UsageError("--board and --compare stand alone, without --run and --layout")
        if arguments.board:
            runs = finished_runs(workspaces)
            if not runs:
                raise UsageError("no finished run there: --board shows those that are")
            write_board(runs, out)
            print(out / "board.html")
            return 0
        first, second = (_one_run(workspaces, digest) for digest in arguments.compare)
        write_comparison(first, second, out)
        print(out / "compare.html")
        return 0
    if len(workspaces) > 1:
        from harness.runs.shards import union

        if arguments.run:
            raise UsageError("--run is of one workspace; several are the parts of one run")
        typed = fields_of(arguments)
        results = union(
            workspaces, {k: typed[k] for k in OF_DATA if k in typed}, arguments.allow_code
        )
    else:
        results = load_results(workspaces[0], arguments.run)
    if arguments.no_images:
        results = replace(results, gallery=[])
    write(results, out, arguments.layout)
    print(out / "report.html")
    return 0


def _one_run(workspaces: Sequence[Path], digest: str) -> Results:
    """The run whose digest begins so, wherever it lies."""
    from harness.ledger.runs import finished_runs

    found = finished_runs(workspaces, digest)
    if len({run.run for run in found}) != 1:
        known = ", ".join(run.run[:12] for run in found or finished_runs(workspaces)) or "none"
        which = "several runs begin" if found else "no finished run begins"
        raise UsageError(f"--compare {digest}: {which} so: {known}")
    return found[0]


def _synth(arguments: argparse.Namespace) -> int:
    from harness.machine.device import worker_count
    from harness.plan.data import open_dataset, root_of
    from harness.plan.rains import rains_of
    from harness.runs.rainy_copy import Recipe, synthesize

    fields = {k: v for k, v in vars(arguments).items() if k in RunSpec.model_fields}
    fields["where"] = split_words(fields.get("where", ()))
    spec = checked(**{k: v for k, v in fields.items() if k not in ("rain", "out")})
    jpeg_quality: int | None = arguments.jpeg
    if jpeg_quality is not None and not 1 <= jpeg_quality <= 100:
        raise UsageError(f"--jpeg {jpeg_quality}: a quality from 1 to 100")
    (name, rain), *others = rains_of(arguments.rain)
    if rain is None or others:
        raise UsageError(f"--rain {arguments.rain}: a copy is of one rain, name a single one")
    recipe = Recipe(name, rain, spec.seed, jpeg_quality, arguments.layers)
    dataset = open_dataset(spec)
    if not dataset.has_clean:
        raise UsageError("photographs of real rain get no rain on top: leave them out with --where")
    with progress_bars() as progress:
        done = synthesize(
            dataset,
            root_of(spec),
            recipe,
            arguments.out,
            worker_count(spec, "cpu"),
            progress,
        )
    print(f"{arguments.out}: {done.written} images written, {done.kept} were there already")
    return 0


def _check_data(arguments: argparse.Namespace) -> int:
    from harness.checks.data import check_data

    fields = {k: v for k, v in vars(arguments).items() if k in RunSpec.model_fields}
    lines, has_errors = check_data(checked(**fields), arguments.against, arguments.sheet)
    for line in lines:
        print("".join(c if c.isprintable() else " " for c in line))
    return 1 if has_errors else 0


def _bench(arguments: argparse.Namespace) -> int:
    from harness.checks import costs as bench

    if arguments.repeats < 1:
        raise UsageError(f"--repeats {arguments.repeats}: at least 1")
    words = bench.names([w for words in arguments.derainer for w in words.split(",") if w])
    sizes_px = bench.sizes([w for words in arguments.size for w in words.split(",") if w])
    costs = []
    for cost in bench.measure(
        words, sizes_px or bench.SIZES_PX, arguments.device, arguments.dtype, arguments.repeats
    ):
        costs.append(cost)
        if sys.stderr.isatty():
            say(f"{cost.derainer} at {cost.width_px}x{cost.height_px} done")
    if arguments.json is not None:
        bench.write_json(costs, arguments.json)
    table(*bench.rows(costs))
    for line in bench.ratios(costs):
        print(line)
    return 0


def _train(arguments: argparse.Namespace) -> int:
    from harness.cli.train import train

    return train(arguments)


def _fetch(arguments: argparse.Namespace) -> int:
    from harness.machine.environment import FETCHED
    from harness.machine.sources import SOURCES, fetch
    from harness.spec import known

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
        print(f"{file}: {SOURCES[name].used_by.format(file)}")
    return 0


def _list(arguments: argparse.Namespace) -> int:
    from harness.cli.list import show_names

    return show_names(arguments)


def _regress(arguments: argparse.Namespace) -> int:
    from harness.cli import regress as judging

    folders = [Path(word) for word in arguments.what]
    if len(folders) == 2 and all(folder.is_dir() for folder in folders):
        return judging.regress_folders(folders[0], folders[1], arguments)
    return judging.regress_papers(arguments)


def _verify(arguments: argparse.Namespace) -> int:
    from harness.checks.verify import verify
    from harness.cli.regress import show_checks

    if arguments.number < 1:
        raise UsageError(f"--images {arguments.number}: at least 1")
    number = None if arguments.all else arguments.number
    typed, allowed = fields_of(arguments), arguments.allow_code
    with progress_bars() as progress:
        checks = verify(arguments.folder, typed, number, progress, allowed)
    return show_checks(checks)


def _doctor(arguments: argparse.Namespace) -> int:
    from harness.machine.doctor import examine

    spec = checked(**fields_of(arguments))
    found = list(examine(Path(spec.workspace)))
    table(["what", "state", "detail"], [[f.what, f.state, f.detail] for f in found])
    return 0


def _gc(arguments: argparse.Namespace) -> int:
    from harness.ledger.gc import free

    for flag, value in (("--keep-gb", arguments.keep_gb), ("--older-than", arguments.older_than)):
        if not value >= 0:
            raise UsageError(f"{flag} {value}: a number from 0 on")
    freed = free(arguments.workspace, arguments.keep_gb, arguments.older_than)
    print(
        f"{freed.files} files removed, {freed.freed_bytes / 1e9:.2f} GB; "
        f"{freed.kept_bytes / 1e9:.2f} GB of images and predictions kept"
    )
    return 0


def _gather(arguments: argparse.Namespace) -> int:
    from harness.ledger.gather import gather

    new = gather(arguments.workspaces, arguments.into)
    print(f"{arguments.into}: {new} rows of {len(arguments.workspaces)} workspaces are new there")
    return 0


VERBS: dict[str, Callable[[argparse.Namespace], int]] = {
    "run": _run,
    "report": _report,
    "score": _score,
    "regress": _regress,
    "verify": _verify,
    "synth": _synth,
    "check-data": _check_data,
    "bench": _bench,
    "train": _train,
    "fetch": _fetch,
    "list": _list,
    "doctor": _doctor,
    "gc": _gc,
    "gather": _gather,
}
"""What each verb of `harness.cli.arguments` does; returns the exit status."""
