"""The command line: a shell over `harness.run`. The only room that prints."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from harness.spec import RunSpec, UsageError, checked

if TYPE_CHECKING:
    from harness.engine import Progress
    from harness.record import Results

REPEATED = ("rain", "derainer", "task", "quality", "protocol")
"""Fields that take several words: the flag repeated, or commas between names."""


def run_command_line(words: Sequence[str]) -> int:
    """Run one command.

    Returns:
        Exit status: 0 done; 1 done, but images failed; 2 a user's mistake, told in one line;
        130 interrupted and resumable.
    """
    arguments = _parser().parse_args(words)
    try:
        _ours()
        status: int = arguments.verb(arguments)
        return status
    except KeyboardInterrupt:
        _say("interrupted: the same command continues where it stopped")
        return 130
    except ValueError as error:
        if not _is_users(error):
            raise
        _say(f"error: {error}")
        return 2


def _is_users(error: ValueError) -> bool:
    """Whether an error is a mistake that the user can mend, from any room."""
    if isinstance(error, UsageError):
        return True
    from datasets.image import ImageError
    from datasets.sample import DatasetError
    from derainers import DerainerError
    from tasks.task import TaskError

    return isinstance(error, DatasetError | DerainerError | ImageError | TaskError)


def _ours() -> None:
    """Make sure that the five packages are this harness's and not some folder's of the user."""
    import importlib.util

    home = Path(__file__).resolve().parent.parent
    for name in ("datasets", "derainers", "tasks", "reports"):
        found = importlib.util.find_spec(name)
        where = Path(found.origin).resolve() if found and found.origin else None
        if where is None or where.parent.parent != home:
            raise UsageError(
                f"'import {name}' finds {where or 'nothing'}, not the harness's own package: "
                "rename that file or folder, or run from elsewhere"
            )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="derain-harness",
        description="Does removing rain from an image help the vision system that sees it next?",
    )
    verbs = parser.add_subparsers(required=True, metavar="VERB")

    run = verbs.add_parser(
        "run",
        help="rain on a data set, derain it, run tasks on it, score, report",
        description="Every flag is a field of RunSpec. A run continues where an earlier one of the "
        "same workspace stopped.",
        argument_default=argparse.SUPPRESS,
    )
    for name, field in RunSpec.model_fields.items():
        flag = "--" + name.replace("_", "-")
        if name == "model":
            run.add_argument(flag, action="append", metavar="TASK=FILE", help=field.description)
            continue
        default = field.get_default(call_default_factory=True)
        shown = ",".join(default) if isinstance(default, tuple) else default
        text = (field.description or "") + (f" (default: {shown})" if shown is not None else "")
        kinds = get_args(field.annotation) or (field.annotation,)
        options: dict[str, Any] = {"help": text}
        if name in REPEATED:
            options.update(action="append", metavar="NAME[,NAME…]")
        elif int in kinds:
            options.update(type=int, metavar="N")
        elif float in kinds:
            options.update(type=float, metavar="X")
        elif str in kinds:
            options.update(metavar="PATH" if "folder" in text or "where" in text else "NAME")
        else:
            options.update(choices=kinds)
        run.add_argument(flag, **options)
    run.set_defaults(verb=_run)

    report = verbs.add_parser("report", help="tables, plots and page again, from a ledger alone")
    report.add_argument("workspace", type=Path, help="the workspace of the run")
    report.add_argument(
        "--run", metavar="DIGEST", help="which run, by its first digits; default: latest"
    )
    report.add_argument("--out", type=Path, required=True, metavar="DIR")
    report.set_defaults(verb=_report)

    names = verbs.add_parser("list", help="what can be named on the command line")
    names.add_argument(
        "table", choices=("derainers", "datasets", "rains", "tasks", "models", "metrics")
    )
    names.add_argument("--json", action="store_true", help="as a JSON list")
    names.add_argument(
        "--sheet", type=Path, metavar="FILE.png", help="rains: write each on one photograph, too"
    )
    names.add_argument(
        "--image", type=Path, metavar="FILE", help="that photograph (default: a street)"
    )
    names.set_defaults(verb=_list)
    return parser


def _run(arguments: argparse.Namespace) -> int:
    from harness.engine import run

    fields = {k: v for k, v in vars(arguments).items() if k in RunSpec.model_fields}
    for name in REPEATED:
        if name in fields:
            fields[name] = tuple(w for words in fields[name] for w in words.split(",") if w)
    if "model" in fields:
        pairs = [word.partition("=") for word in fields["model"]]
        wrong = next((task for task, _, file in pairs if not file), None)
        if wrong is not None:
            raise UsageError(f"--model {wrong}: expected TASK=FILE, e.g. detection=yolov8n.pt")
        fields["model"] = {task: file for task, _, file in pairs}
    spec = checked(**fields)
    keep_large_blocks()
    with _progress() as progress:
        results = run(spec, progress=progress)
    _show(results, spec)
    return 1 if len(results.errors) > spec.max_errors else 0


def _report(arguments: argparse.Namespace) -> int:
    from harness.ledger import load_results

    load_results(arguments.workspace, arguments.run).report(arguments.out)
    print(arguments.out / "report.html")
    return 0


def _list(arguments: argparse.Namespace) -> int:
    sheet, image = arguments.sheet, arguments.image
    if (sheet or image) and arguments.table != "rains":
        raise UsageError("--sheet and --image belong to list rains")
    if image and not sheet:
        raise UsageError("--image needs --sheet FILE.png, the picture to write")
    names = _names(arguments.table)
    print(json.dumps(names, indent=1) if arguments.json else "\n".join(names))
    if sheet:
        from harness.sheet import write_rain_sheet

        write_rain_sheet(sheet, image)
    return 0


def _names(table: str) -> list[str]:
    if table == "datasets":
        from datasets import DATASETS

        return list(DATASETS)
    if table == "rains":
        from datasets.rain import RAINS

        return ["none", *RAINS]
    if table == "derainers":
        from derainers import DERAINERS

        return list(DERAINERS)
    if table == "tasks":
        from tasks import TASKS

        return list(TASKS)
    if table == "models":
        from tasks.models import MODELS

        return list(MODELS)
    from tasks.quality import METRICS

    return list(METRICS)


@contextlib.contextmanager
def _progress() -> Iterator[Progress | None]:
    """A bar per condition with images/s and time left; nothing where the output is no terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich import progress as bars
    from rich.console import Console
    from rich.markup import escape

    with bars.Progress(
        bars.TextColumn("{task.description}"),
        bars.BarColumn(),
        bars.MofNCompleteColumn(),
        bars.TextColumn("{task.fields[rate]}"),
        bars.TimeRemainingColumn(),
        console=Console(stderr=True),
    ) as display:
        rows: dict[str, bars.TaskID] = {}

        def show(label: str, done: int, total: int) -> None:
            if label not in rows:
                rows[label] = display.add_task(escape(label), total=total, completed=done, rate="")
            speed = display.tasks[rows[label]].speed
            rate = f"{speed:.2f} images/s" if speed else ""
            display.update(rows[label], completed=done, rate=rate)

        yield show


def _show(results: Results, spec: RunSpec) -> None:
    """The table on the terminal, errors and where the page is."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from reports.tables import plain, summary

    headings, rows, notes = summary(results)
    table = Table()
    for heading in headings:
        table.add_column(Text(heading))
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    console = Console(width=None if sys.stdout.isatty() else 140)
    console.print(table)
    for note in notes:
        console.print(Text(note))
    for error in results.errors:
        line = f"failed: {error['sample']} ({error['stage']}): {error['message']}"
        console.print(Text(plain(line)))
    if spec.out is not None:
        console.print(Text(str(Path(spec.out) / "report.html")), soft_wrap=True)


def keep_large_blocks() -> None:
    """Tell glibc to keep large blocks instead of mapping and unmapping every activation.

    Halves the time of 640x480 forwards on the CPU. Set for this process alone, which is ours;
    without glibc nothing happens.
    """
    import ctypes

    with contextlib.suppress(OSError, AttributeError):
        libc = ctypes.CDLL("libc.so.6")
        trim_threshold, mmap_max, arena_max = -1, -4, -8
        libc.mallopt(mmap_max, 0)
        libc.mallopt(trim_threshold, 2**31 - 1)
        # Other arenas would map large blocks all the same.
        libc.mallopt(arena_max, 1)


def _say(line: str) -> None:
    """One line to standard error, without whatever a file's content might do to a terminal."""
    text = "".join(c if c.isprintable() else " " for c in line)
    print(" ".join(text.split()), file=sys.stderr)
