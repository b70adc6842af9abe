"""The verb `run`: rain on a data set, derain it, run tasks on it, score, report."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli.flags import LAYOUTS, Verbs, add_field, allow_code, status_of
from harness.cli.terminal import is_users, line, progress_bars, say, show, table
from harness.spec import RunSpec, UsageError

if TYPE_CHECKING:
    from harness.ledger.frozen import Frozen
    from harness.runs.dry_run import CellSurvey
    from reports.results.results import Results


DESCRIPTION = """\
Every flag is a field of RunSpec. A run continues where an earlier one of the same workspace
stopped. Flags typed beside --suite or --from take the place of what stands there.

  your network, on photographs with labels, into a page:
    derain-harness run --dataset coco --data-root coco128 --split train2017 \\
        --derainer mine.py:build,granet --out report
  your detector behind each derainer, on your labels:
    derain-harness run --annotations labels.json --data-root images --model detection=yolo.pt
  what would be computed, and how long that takes:
    derain-harness run --rain physical:rate_mm_h=5/25 --dry-run
"""
GROUPS = {
    "data": (
        *("dataset", "data_root", "split", "annotations", "pair", "where", "attributes"),
        *("depth", "limit"),
    ),
    "rain": ("rain", "seed"),
    "derainers": ("derainer", "intermediate", "dtype", "tile_px"),
    "tasks": ("task", "model", "model_dir"),
    "scores": ("quality", "protocol"),
    "machine": (
        *("device", "workers", "shard", "engine", "address", "workspace", "cache_gb"),
        "max_errors",
    ),
    "output": ("out", "save", "images"),
}
"""Every field of RunSpec, by what it is about."""


def add(verbs: Verbs) -> None:
    """Add the verb and its flags."""
    parser = verbs.add_parser(
        "run",
        help="rain on a data set, derain it, run tasks on it, score, report",
        usage="%(prog)s [FLAG …]",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    files = parser.add_argument_group("what stands in a file")
    files.add_argument(
        "--suite",
        type=Path,
        metavar="FILE.yaml|benchmark-vN",
        help="a list of runs, one after the other: fields of RunSpec, and name, its folder below "
        "--out (default: its number); or a frozen benchmark, of which the rows of --derainer alone "
        "are computed and set beside those that are known",
    )
    files.add_argument(
        "--from",
        dest="again",
        metavar="RUN",
        help="repeat a run: an --out folder, its results.json, a spec as JSON, or the first digits "
        "of a run of --workspace",
    )
    allow_code(files)
    for title, names in GROUPS.items():
        group = parser.add_argument_group(title)
        for name in names:
            add_field(group, name)
    ways = parser.add_argument_group("ways to run")
    ways.add_argument(
        "--layout",
        choices=LAYOUTS,
        help="print the runs as MSPFN's Table 6 is laid out, those of a suite side by side, or "
        "with remedies against rain (derain, train on rain, both) as rows; LAYOUT.md and .tex stay "
        "below --out",
    )
    ways.add_argument(
        "--dry-run", action="store_true", help="say what is there, what would be computed, and stop"
    )
    ways.add_argument(
        "--seeds",
        type=int,
        metavar="N",
        help="run under N seeds of the rain from --seed on, each in a folder of its own below "
        "--out, with a page of the means and their spread over the seeds",
    )
    ways.add_argument("--quiet", action="store_true", help="do not say how far it is")
    ways.add_argument(
        "--power",
        type=float,
        metavar="CHANGE",
        help="with --dry-run: how many images show a change of the tasks' primary metrics, 0.01, "
        "in 80 %% of studies, by the workspace's runs, else by what photographs gave",
    )
    ways.add_argument(
        "--fresh",
        action="store_true",
        help="compute all anew, in a workspace that is then removed, and compare with what "
        "--workspace held; the exit status is 1 where something differs",
    )
    parser.set_defaults(action=_run, goes_on=True)


def _run(arguments: argparse.Namespace) -> int:
    from harness.cli.suites import frozen_of, seeded, specs_of

    if arguments.dry_run and arguments.fresh:
        raise UsageError("--dry-run and --fresh: give one of the two")
    if arguments.power is not None and not arguments.dry_run:
        raise UsageError("--power says what a run would need: give it with --dry-run")
    worst, specs = 0, specs_of(arguments)
    made: list[Results] = []
    if arguments.seeds is not None:
        specs = seeded(specs, arguments.seeds)
    for place, spec in specs.items():
        if place:
            print(place)
        try:
            if arguments.layout is None or arguments.dry_run or arguments.fresh:
                status = _run_one(spec, arguments)
            else:
                made.append(_made(spec, arguments)[0])
                status = _status(spec, made[-1])
        except ValueError as error:
            if not place or not is_users(error):
                raise
            say(f"error: {place}: {error}")
            status = 2
        worst = max(worst, status)
    benchmark = frozen_of(arguments)
    is_kept = not (arguments.dry_run or arguments.fresh)  # what --fresh makes, no ledger knows
    if benchmark is not None and worst != 2 and is_kept:
        _show_rows(benchmark, specs[benchmark.name])
    if arguments.seeds is not None and worst != 2 and is_kept:
        _compare_seeds(specs.values())
    if made:
        of_all = arguments.suite or arguments.seeds
        _show_layout(arguments.layout, made, getattr(arguments, "out", None) if of_all else None)
    return worst


def _show_rows(benchmark: Frozen, spec: RunSpec) -> None:
    """The rows that were run on the board of their benchmark, beside the submission's folder."""
    from harness.cli.terminal import show_board
    from harness.ledger.folder import load

    folder = Path(str(spec.out))
    results = load(folder)
    if results.errors:
        say(f"no row of {benchmark.name}: images failed: mend that; the same command goes on")
    else:
        show_board(benchmark, {folder: results}, folder.parent)


def _compare_seeds(specs: Iterable[RunSpec]) -> None:
    """Pages of the means over seeds and their spread, beside the folders of the seeds."""
    from harness.ledger.folder import load
    from harness.ledger.runs import load_results
    from reports.findings.over_seeds import averaged
    from reports.pages.run import page
    from reports.pages.runs import write_board
    from reports.plots.plots import plots
    from reports.tables.repeats import table as spread_table
    from reports.tables.summary import SEEDS

    folders: dict[Path, list[tuple[Path, Path]]] = {}
    for spec in specs:
        out = Path(str(spec.out))
        folders.setdefault(out.parent, []).append((out, Path(spec.workspace)))
    for parent, outs in folders.items():
        # The ledger knows the numbers of single images, too.
        found = [load_results(workspace, load(out).run) for out, workspace in outs]
        mean = averaged(found)
        means = None if mean is None else page(mean, plots(mean))
        write_board(found, parent, {"report.html": means})
        if means is not None:
            line(str(parent / "report.html"))
        headings, rows, _ = spread_table(found)
        shown = [headings.index(h) for h in ("rain", "derainer", "task", "metric", "mean", SEEDS)]
        table([headings[i] for i in shown], [[row[i] for i in shown] for row in rows])
        line(str(parent / "repeats.html"))


def _show_layout(layout: str, made: Sequence[Results], out: str | None) -> None:
    """The runs as one table, on the terminal and, of several, in their folder."""
    from reports.folder import put_pages
    from reports.layouts.layouts import laid_out

    files = laid_out(layout, made)
    line(files[f"{layout}.md"])
    if out is not None:
        put_pages(Path(out), files)


def _run_one(spec: RunSpec, arguments: argparse.Namespace) -> int:
    from harness.machine.memory import keep_large_blocks
    from harness.runs.dry_run import survey

    if arguments.dry_run:
        cells = survey(spec)
        _show_survey(cells)
        if arguments.power is not None:
            images = max((c.done + c.todo for c in cells), default=0)
            _show_power(spec, arguments.power, images)
        return 0
    if arguments.fresh:
        keep_large_blocks()
        return _audited(spec, arguments.quiet)
    results, busy = _made(spec, arguments)
    show(results, spec.out)
    for said in busy:
        line(said)
    return _status(spec, results)


def _made(spec: RunSpec, arguments: argparse.Namespace) -> tuple[Results, list[str]]:
    """A run, and how devices were used."""
    from harness.machine.memory import keep_large_blocks
    from harness.runs.engine import run

    keep_large_blocks()
    busy: list[str] = []
    with progress_bars(arguments.quiet) as progress:
        results = run(spec, progress=progress, said=busy.append, layout=arguments.layout)
    return results, busy


def _audited(spec: RunSpec, is_quiet: bool) -> int:
    """Compute a run anew and compare; 1 where the ledger held something else."""
    from harness.checks.fresh import audit

    with progress_bars(is_quiet) as progress:
        found = audit(spec, progress=progress)
    show(found.results, spec.out)
    if found.difference is not None:
        say(f"differs: {found.difference}")
        return 1
    new = f"; {found.new:,} more it did not hold" if found.new else ""
    unheld = "".join(f"; nothing of {condition}" for condition in found.unheld)
    line(
        f"computed anew: {found.images:,} images and {found.values:,} measurements are what the "
        f"ledger held{new}{unheld}"
    )
    return _status(spec, found.results)


def _status(spec: RunSpec, results: Results) -> int:
    """The exit status of a run."""
    failed, scored = len(results.errors), max((r.n for r in results.records), default=0)
    return status_of(spec, failed, failed + scored)


def _show_survey(cells: Sequence[CellSurvey]) -> None:
    """What a run would do, a row per condition."""
    from harness.training.moment import duration

    rows = [
        [
            c.rain,
            c.derainer,
            f"{c.done:,}",
            f"{c.todo:,}",
            "unknown" if c.seconds is None else duration(c.seconds),
            f"{c.cached_bytes / 1e9:.2f} GB",
        ]
        for c in cells
    ]
    table(["rain", "derainer", "there", "to compute", "deraining", "cached images"], rows)
    known = [c.seconds for c in cells if c.seconds is not None]
    unknown = sum(c.seconds is None and c.todo > 0 for c in cells)
    more = f", and {unknown} conditions whose time is not known yet" if unknown else ""
    line(
        f"{sum(c.todo for c in cells):,} images to compute; deraining takes "
        f"{duration(sum(known))} on one worker, from the ledger's times{more}"
    )


def _show_power(spec: RunSpec, change: float, images: int) -> None:
    """A line for each task: the images that would show a change."""
    from harness.runs.power import needs

    family, found = needs(spec, change)
    among = f"among {family} derainers" if family > 1 else "of one derainer"
    for need in found:
        unit = " dB" if need.row.unit == "dB" else ""
        said = f"{need.task}: a change of {need.row.title} by {change:g}{unit}, {among}: "
        if need.deviation is None:
            line(f"{said}not known; run a pilot in this workspace first")
            continue
        known = f"per-image deviation {need.deviation:.3g}, from {need.source}"
        enough = "more images than there are" if need.images is None else f"{need.images:,} images"
        line(f"{said}80 % of studies of {enough} show it ({known}); this set has {images:,}")
