"""Two runs against each other, on one page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from reports.folder import put_pages
from reports.pages.runs import as_pages
from reports.plots.two_runs import dots
from reports.results.marks import marks
from reports.results.said import failures_of
from reports.results.two_runs import changes, matched, placed, unclear, uncompared
from reports.tables.summary import about
from reports.tables.text import Table, plain, signed, span, words, written

if TYPE_CHECKING:
    from reports.results.record import Record
    from reports.results.results import Results


def write_comparison(first: Results, second: Results, directory: Path) -> None:
    """Write ``compare.html`` and ``compare.md``: what changed from the first run to the second.

    Raises:
        FolderError: If a file of one's own would be written over.
    """
    drawn = dots(first, second)
    said = [_run("The first", first), _run("The second", second), *differences(first, second)]
    plots = [drawn] if drawn else []
    put_pages(directory, as_pages(comparison(first, second), "Two runs", said, "compare", plots))


def _run(name: str, run: Results) -> str:
    """Data, images, networks and date of a run, in a sentence."""
    finished = (run.provenance.finished or "").replace("T", " ")[:16]
    when = f", of {finished} UTC" if finished else ""
    return plain(f"{name} is run {run.run[:12]}{when}: {about(run)}")


def comparison(first: Results, second: Results) -> Table:
    """Each number that both runs hold, of the tasks' primary metrics: second − first."""
    marked: set[str] = set()

    def place_and_values(a: Record, b: Record) -> list[str]:
        named = [*words(a.condition), plain(first.called(a.judge)), first.metrics[a.metric].heading]
        return [*named, written(first, a, marked), written(second, b, marked)]

    rows = [
        [
            *place_and_values(change.first, change.second),
            signed(change.difference, first.metrics[change.first.metric].decimals),
            span(change.ci, first.metrics[change.first.metric].decimals),
            change.verdict,
        ]
        for change in changes(first, second)
    ]
    without = [[*place_and_values(a, b), "–", "–", "–"] for a, b in uncompared(first, second)]
    headings = ["rain", "derainer", "task", "metric", f"run {first.run[:12]}"]
    headings += [f"run {second.run[:12]}", "difference", "95 % interval", "verdict"]
    notes = [
        f"Differences second − first, {_how(first, second)}; verdict: significant at 5 % for all "
        "rows together (minP).",
    ]
    if without:
        notes.append(
            "The last rows have no difference: a value is missing, or the two are means over other "
            "images, since those that equal their reference have none."
        )
    return headings, rows + without, notes + marks(marked)


def _how(first: Results, second: Results) -> str:
    """Whether the differences are paired, in words."""
    if first.sets == second.sets:
        return "paired over the same resampled images"
    of_one = first.provenance.data_fingerprint == second.provenance.data_fingerprint
    return "over other resampled sets, so unpaired" if of_one else "of independent sets of images"


def differences(first: Results, second: Results) -> list[str]:
    """In words: what sets two runs apart beside their numbers."""
    said = []
    for name, a, b in (
        ("The images", *(r.provenance.data_fingerprint for r in (first, second))),
        ("The labels", *(r.provenance.labels for r in (first, second))),
        ("The commit", *(r.provenance.commit for r in (first, second))),
        ("The versions", *(r.provenance.versions for r in (first, second))),
        ("The task networks", *(r.provenance.models for r in (first, second))),
    ):
        said.append(f"{name}: {'the same' if a == b else 'not the same'}.")
    failed = failures_of({"in the first": first.errors, "in the second": second.errors})
    if failed:
        said.append(f"Images that failed are in no number: {failed}.")
    names = matched(first, second)
    ours = first.provenance.code or {}
    theirs = {names.get(name, name): code for name, code in (second.provenance.code or {}).items()}
    for name in sorted(n for n in ours.keys() & theirs.keys() if ours[n] != theirs[n]):
        said.append(f"Code or weights of {name}: not the same.")
    for name in (n for n in names if n != names[n]):
        said.append(f"{name} of the second run stands beside {names[name]} of the first.")
    for method, was, now in unclear(first, second):
        said.append(
            f"{method} is {', '.join(was)} in the first and {', '.join(now)} in the second: nobody "
            "can tell which is which, and they are not compared."
        )
    for field in sorted({*first.spec, *second.spec}):
        a, b = first.spec.get(field), second.spec.get(field)
        if a != b:
            said.append(f"{field}: {_word(a)} in the first, {_word(b)} in the second.")
    place_of = placed(first, second)
    cells = [{place_of(r) for r in run.records} for run in (first, second)]
    alone = [len(cells[0] - cells[1]), len(cells[1] - cells[0])]
    if any(alone):
        said.append(f"{alone[0]} numbers stand in the first run alone, {alone[1]} in the second.")
    return said


def _word(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "none"
    return "none" if value in (None, {}) else str(value)
