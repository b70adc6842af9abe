"""What is shown on a terminal: bars, tables, single lines."""

from __future__ import annotations

import contextlib
import importlib.util
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.training.moment import duration

if TYPE_CHECKING:
    from rich.console import Console

    from harness.ledger.frozen import Frozen
    from harness.runs.engine import Progress
    from harness.training.moment import Moment
    from reports.results.results import Results


LINE_EVERY_S = 60
"""Where there is no terminal, a training says so often where it stands."""
RUN_LINE_EVERY_S = 30.0
"""Where there is no terminal, a run says so often where it stands, and once more of it is done than
this share,"""
RUN_LINE_EVERY_SHARE = 0.05
SOONEST_S = 5.0
"""but not within so many seconds after its last line, and nothing in its first 30 s."""
ALL = "all conditions"


@contextlib.contextmanager
def progress_bars(is_quiet: bool = False) -> Iterator[Progress]:
    """A bar per condition and one for all, with images/s and time left; lines without a terminal.

    Args:
        is_quiet: Whether nothing is to be shown.
    """
    if is_quiet or sys.stderr is None:
        yield lambda *_: None
        return
    if not _has_bars():
        yield _RunLines()
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
        sums = Sums()

        def shown(label: str, done: int, total: int) -> None:
            if label not in rows:
                rows[label] = display.add_task(
                    escape(_inert(label)), total=total, completed=done, rate=""
                )
            speed = display.tasks[rows[label]].speed
            rate = f"{speed:.2f} images/s" if speed else ""
            display.update(rows[label], completed=done, total=total, rate=rate)

        def told(label: str, done: int, total: int) -> None:
            sums.add(label, done, total)
            shown(label, done, total)
            if len(sums.labels) > 1:
                shown(ALL, sums.done, sums.total)

        yield told


def _has_bars() -> bool:
    """Whether a terminal is there, or a notebook with what draws bars in it."""
    if "ipykernel" in sys.modules:
        return importlib.util.find_spec("ipywidgets") is not None
    return sys.stderr is not None and sys.stderr.isatty()


class Sums:
    """Images done and to do over all conditions of a run."""

    def __init__(self) -> None:
        self.labels: dict[str, tuple[int, int]] = {}

    def add(self, label: str, done: int, total: int) -> None:
        """A condition has come so far."""
        self.labels[label] = done, total

    @property
    def done(self) -> int:
        """Of all conditions."""
        return sum(done for done, _ in self.labels.values())

    @property
    def total(self) -> int:
        """Of all conditions that were told of."""
        return sum(total for _, total in self.labels.values())


class _RunLines:
    """Says now and then where a run stands, on a line each."""

    def __init__(self) -> None:
        self._sums = Sums()
        self._began = self._last = time.monotonic()
        self._first: int | None = None
        self._said = 0.0

    def __call__(self, label: str, done: int, total: int) -> None:
        self._sums.add(label, done, total)
        all_done, all_total, now = self._sums.done, self._sums.total, time.monotonic()
        if self._first is None:
            self._first = all_done  # what an earlier run left there took no time
        share, waited_s = all_done / max(1, all_total), now - self._last
        is_due = waited_s >= RUN_LINE_EVERY_S or share - self._said >= RUN_LINE_EVERY_SHARE
        if not is_due or waited_s < SOONEST_S or now - self._began < RUN_LINE_EVERY_S:
            return
        self._last, self._said = now, share
        line = f"{all_done:,} of {all_total:,} derained images, {100 * share:.0f} %"
        new = all_done - self._first
        if new > 0 and all_done < all_total:
            line += f", {duration((all_total - all_done) * (now - self._began) / new)} left"
        say(line)


@contextlib.contextmanager
def training_bar() -> Iterator[Callable[[Moment], None]]:
    """A bar with step, loss, gain and time left; without a terminal, a line a minute."""
    if sys.stderr is None:
        yield lambda _: None
        return
    if not sys.stderr.isatty():
        yield _lines(time.monotonic())
        return
    from rich import progress as bars
    from rich.console import Console
    from rich.markup import escape

    columns = bars.TextColumn("{task.description}"), bars.BarColumn(bar_width=20)
    with bars.Progress(*columns, console=Console(stderr=True)) as display:
        row = display.add_task("", total=None)

        def told(moment: Moment) -> None:
            said = escape(_inert(moment.line()))
            display.update(row, description=said, completed=moment.done, total=moment.total)

        yield told


def _lines(since: float) -> Callable[[Moment], None]:
    """Says a moment once a minute."""
    last = since

    def told(moment: Moment) -> None:
        nonlocal last
        if time.monotonic() - last >= LINE_EVERY_S:
            last = time.monotonic()
            say(moment.line())

    return told


def show(results: Results, out: str | Path | None) -> None:
    """The table on the terminal, the verdicts, errors and where the page is."""
    from rich.text import Text

    from reports.tables.answers import answers
    from reports.tables.summary import summary

    headings, rows, notes = summary(results)
    console = table(headings, rows)
    for note in notes:
        console.print(Text(_inert(note)))
    for answer in answers(results):
        console.print(Text(_inert(f"{answer.about}: {answer.headline}")))
    for error in results.errors:
        failed = f"failed: {error.sample} ({error.stage}): {error.message}"
        console.print(Text(_inert(failed)))
    console.print(Text(f"run {results.run[:12]}"))
    if out is not None:
        console.print(Text(shown(Path(out) / "report.html")), soft_wrap=True)


def show_board(benchmark: Frozen, submissions: Mapping[Path, Results], out: Path) -> None:
    """The board of a frozen benchmark, into a folder and on the terminal.

    Args:
        benchmark: Its own rows.
        submissions: Others by their folders, of which the board tells the last two names.
        out: Gets the board.

    Raises:
        UsageError: If a submission is none of this benchmark.
        FolderError: If a file of one's own would be written over.
    """
    from harness.spec import UsageError
    from reports.folder import FolderError
    from reports.pages.leaderboard import write_leaderboard

    named = {shown(Path(*f.absolute().parts[-2:])): run for f, run in submissions.items()}
    if len(named) < len(submissions):
        raise UsageError("two submissions lie in folders of the same names: rename one")
    name, kept = benchmark.name, benchmark.results
    both = {**benchmark.added, **named}
    try:
        headings, rows, _ = write_leaderboard(name, benchmark.sha256, kept, both, out)
    except FolderError:
        raise
    except ValueError as error:
        raise UsageError(f"no row of {name}: {error}") from error
    table(headings, rows)
    print(shown(out / "board.html"))


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> Console:
    """A table on the terminal; returns where to print what belongs to it."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    class _Console(Console):
        def on_broken_pipe(self) -> None:
            """Raise, as printing does, where the library would end the process."""
            raise  # noqa: PLE0704

    grid = Table()
    for heading in headings:
        grid.add_column(Text(_inert(heading)), overflow="fold")
    for row in rows:
        grid.add_row(*(Text(_inert(cell)) for cell in row))
    console = _Console(width=None if sys.stdout and sys.stdout.isatty() else 170)
    console.print(grid)
    return console


def line(text: str) -> None:
    """One line to standard output."""
    print(text)


def say(text: str) -> None:
    """One line to standard error, without whatever a file's content might do to a terminal."""
    if sys.stderr is not None:  # where it is closed there is nobody to tell
        with contextlib.suppress(OSError):
            print(_inert(text), file=sys.stderr)


def shown(path: Path) -> str:
    """A path as it can be written on a terminal."""
    from datasets.names import text_of

    return "".join(c if c.isprintable() else " " for c in text_of(str(path)))


def _inert(text: str) -> str:
    """Text on one line, without what steers a terminal."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def is_users(error: ValueError) -> bool:
    """Whether an error is a mistake that the user can mend, from any room."""
    from harness.spec import UsageError

    if isinstance(error, UsageError):
        return True  # before the rooms are imported, of which one may be hidden
    from datasets.image import UnreadableImageError
    from datasets.rain import RainError
    from datasets.sample import DatasetError
    from derainers import DerainerError
    from reports.folder import FolderError
    from reports.papers.claims import ClaimError
    from tasks.task import TaskError

    of_data = DatasetError | UnreadableImageError | RainError | FolderError
    return isinstance(error, of_data | DerainerError | TaskError | ClaimError)
