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
    from rich.console import Console

    from harness.engine import Progress
    from harness.record import Results

REPEATED = ("rain", "derainer", "intermediate", "task", "quality", "protocol")
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
    from datasets.sample import DatasetError
    from derainers import DerainerError
    from tasks.task import TaskError

    return isinstance(error, DatasetError | DerainerError | TaskError)


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

    synth = verbs.add_parser(
        "synth",
        help="write a rainy copy of a data set in its own layout, with a manifest",
        description="The images are those that run shows for the same rain and seed. A second call "
        "continues where the first one stopped.",
        argument_default=argparse.SUPPRESS,
    )
    for name in ("dataset", "data_root", "split", "pair", "seed", "limit", "workers"):
        options = {"type": int} if name in ("seed", "limit", "workers") else {}
        synth.add_argument(
            "--" + name.replace("_", "-"), help=RunSpec.model_fields[name].description, **options
        )
    synth.add_argument("--rain", default="photoshop-heavy", help="one rain")
    synth.add_argument("--out", type=Path, required=True, metavar="DIR", help="a new folder")
    synth.add_argument(
        "--jpeg", type=int, metavar="QUALITY", help="write JPEG, 1 to 100; default: PNG, lossless"
    )
    synth.add_argument(
        "--layers", action="store_true", default=False, help="keep streaks, veil and airlight too"
    )
    synth.set_defaults(verb=_synth)

    bench = verbs.add_parser(
        "bench",
        help="seconds, parameters, multiply-adds and memory of derainers",
        description="Each derainer at each size in a process of its own: one run to warm up, then "
        "the median, fastest and slowest of the timed ones, with one thread and with all.",
    )
    bench.add_argument(
        "--derainer", action="append", default=[], metavar="NAME[,NAME…]", help="default: networks"
    )
    bench.add_argument(
        "--size", action="append", default=[], metavar="WxH", help="default: the papers' three"
    )
    bench.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    bench.add_argument("--dtype", choices=("fp32", "bf16", "fp16"), default="fp32")
    bench.add_argument("--repeats", type=int, default=3, metavar="N", help="timed runs (default 3)")
    bench.add_argument("--json", type=Path, metavar="FILE", help="write every run's seconds too")
    bench.set_defaults(verb=_bench)

    names = verbs.add_parser("list", help="what can be named on the command line")
    names.add_argument(
        "table", choices=("derainers", "datasets", "rains", "tasks", "models", "metrics")
    )
    names.add_argument("--json", action="store_true", help="as a JSON list")
    names.set_defaults(verb=_list)
    return parser


def _run(arguments: argparse.Namespace) -> int:
    from harness.engine import run
    from harness.memory import keep_large_blocks

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


def _synth(arguments: argparse.Namespace) -> int:
    from datasets.rain import RAINS
    from harness.plan import open_dataset, worker_count
    from harness.spec import known
    from harness.synth import Recipe, synthesize

    fields = {k: v for k, v in vars(arguments).items() if k in RunSpec.model_fields}
    spec = checked(**{k: v for k, v in fields.items() if k not in ("rain", "out")})
    jpeg_quality: int | None = getattr(arguments, "jpeg", None)
    if jpeg_quality is not None and not 1 <= jpeg_quality <= 100:
        raise UsageError(f"--jpeg {jpeg_quality}: a quality from 1 to 100")
    rain = RAINS[known(arguments.rain, RAINS, "rain")]
    recipe = Recipe(arguments.rain, rain, spec.seed, jpeg_quality, arguments.layers)
    dataset = open_dataset(spec)
    with _progress() as progress:
        done = synthesize(
            dataset,
            Path(spec.data_root or ""),
            recipe,
            arguments.out,
            worker_count(spec, "cpu"),
            progress or (lambda *_: None),
        )
    print(f"{arguments.out}: {done.written} images written, {done.kept} were there already")
    return 0


def _bench(arguments: argparse.Namespace) -> int:
    from harness import bench

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
            _say(f"{cost.derainer} at {cost.width_px}x{cost.height_px} done")
    if arguments.json is not None:
        bench.write_json(costs, arguments.json)
    _table(*bench.rows(costs))
    for line in bench.ratios(costs):
        print(line)
    return 0


def _list(arguments: argparse.Namespace) -> int:
    names = _names(arguments.table)
    print(json.dumps(names, indent=1) if arguments.json else "\n".join(names))
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
    from rich.text import Text

    from reports.tables import plain, summary

    headings, rows, notes = summary(results)
    console = _table(headings, rows)
    for note in notes:
        console.print(Text(note))
    for error in results.errors:
        line = f"failed: {error['sample']} ({error['stage']}): {error['message']}"
        console.print(Text(plain(line)))
    if spec.out is not None:
        console.print(Text(str(Path(spec.out) / "report.html")), soft_wrap=True)


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> Console:
    """A table on the terminal; returns where to print what belongs to it."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table()
    for heading in headings:
        table.add_column(Text(heading))
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    console = Console(width=None if sys.stdout.isatty() else 140)
    console.print(table)
    return console


def _say(line: str) -> None:
    """One line to standard error, without whatever a file's content might do to a terminal."""
    text = "".join(c if c.isprintable() else " " for c in line)
    print(" ".join(text.split()), file=sys.stderr)
