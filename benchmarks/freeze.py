"""Freeze a finished run as a benchmark that the package ships.

    python benchmarks/freeze.py RUN_FOLDER v1
    python benchmarks/freeze.py SUBMISSION v1+NAME
    python benchmarks/freeze.py

RUN_FOLDER is the `--out` folder of a run of every row, on a whole split. Of its numbers the columns
of the tables stay, of its resampled sets those of the primary metrics, of its single images what
these rest on; beside them comes a description that machines read, `croissant.json`. The digests of
what lies in `harness/frozen/v1` then stand in `harness/frozen/SHA256SUMS`, and it is never changed:
other scenes, rains or networks are `v2`. Rows may come later: SUBMISSION is a results folder that
`run --suite benchmark-v1` wrote, and `v1+NAME` lies beside `v1`. Without a folder the boards of
docs/benchmark.md are made anew, which each has a place there by its word.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import io
import json
import re
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
from croissant import croissant
from pages import DOCS, filled

from harness.ledger import frozen
from harness.ledger.folder import load, read
from harness.scores.replicates import DRAWS
from harness.spec import UsageError
from reports.beside import on_board, rows_of
from reports.folder import RESULTS
from reports.pages.leaderboard import board
from reports.results.results import Results
from reports.results.written import draws_of, to_json
from reports.tables.by_image import column
from reports.tables.text import grid

PAGE = DOCS / "benchmark.md"
ROWS = re.compile(r"[a-z0-9][a-z0-9.-]*")
"""What rows that come later are called."""
ABOUT = ("image", "unit", "rain", "derainer", "pixels")
"""What a line of ``images.csv`` is of, before its numbers."""


def freeze(folder: Path, version: str) -> Path:
    """Write a benchmark into the package, and its digests.

    Args:
        folder: A results folder that `run` wrote.
        version: ``v1`` and so on, or ``v1+NAME`` for further rows of one that is frozen.

    Returns:
        The new folder.

    Raises:
        ValueError: If there is such a version, or the run cannot be one.
    """
    number, plus, name = version.partition("+")
    word, into = f"benchmark-{number}", frozen.HOME / version
    if not frozen.WORD.fullmatch(word) or (plus and not ROWS.fullmatch(name)):
        raise UsageError(f"{version}: expected v1, v2 and so on, or v1+NAME for further rows")
    if into.exists():
        raise UsageError(f"{into} is there, and what is frozen is never changed: take a new number")
    run = load(folder)
    _require_fit(run)
    small = trimmed(run)
    if plus:
        known = frozen.frozen(word)
        on_board(known.results, {**known.added, version: small})
    table = _fewer_columns(read(folder, ("images.csv",))["images.csv"].decode(), small)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **draws_of(small))  # type: ignore[arg-type]
    files = {"draws.npz": buffer.getvalue(), "images.csv": table.encode()}
    files[RESULTS] = to_json(small, {name: _sha256(data) for name, data in files.items()}).encode()
    told = croissant(f"benchmark-{version}", small, files)
    files["croissant.json"] = (json.dumps(told, indent=1, ensure_ascii=False) + "\n").encode()
    into.mkdir(parents=True)
    for name, data in files.items():
        (into / name).write_bytes(data)
    lines = [f"{_sha256(data)}  {version}/{name}\n" for name, data in sorted(files.items())]
    with (frozen.HOME / frozen.SUMS).open("a", encoding="utf-8") as sums:
        sums.writelines(lines)
    return into


def trimmed(run: Results) -> Results:
    """A run without what no board needs."""
    kept = {m for m, row in run.metrics.items() if row.is_column or row.primary}
    images = {run.image_metric(task) for task in run.tasks}
    tasks = run.tasks.keys()
    primary = {(task, run.primary(task)) for task in tasks}
    return replace(
        run,
        records=[r for r in run.records if r.metric in kept and r.task in tasks],
        metrics={m: row for m, row in run.metrics.items() if m in kept | images},
        draws={c: d for c, d in run.draws.items() if (c.task, c.metric) in primary},
        correlations=[],
    )


def tables() -> dict[str, list[str]]:
    """The board of every benchmark of the page as it is frozen, by its word."""
    made = {}
    for word in frozen.digests():
        found = frozen.frozen(word)
        headings, rows, notes = board(found.board(), found.results, found.added)
        made[word] = [*grid(headings, rows), "", *(f"{note}  " for note in notes)]
    return made


def _require_fit(run: Results) -> None:
    """Refuse a run that others could not repeat, or not pair with."""
    times = {len(draws) for draws in run.draws.values()}
    rains = {record.rain for record in run.records}
    words = [
        w
        for said in run.spec["model"].values()
        for w in ([said] if isinstance(said, str) else said)
    ]
    for is_wrong, said in (
        (run.errors, "images failed in it"),
        (any(run.spec.get(k) for k in ("limit", "shard")), "it is of a part of its split"),
        (any(run.spec.get(k) for k in ("where", "intermediate")), "it has conditions of its own"),
        (any(set("@:./") & set(word) for word in words), "its networks are files of yours"),
        (not rows_of(run), "it has no row of a derainer"),
        (len(rains) < 2, "it has no rain beside dry images"),
        (times != {DRAWS}, f"it has other than {DRAWS:,} resampled sets: too many rows, or none"),
    ):
        if is_wrong:
            raise UsageError(f"run {run.run[:12]} cannot be frozen: {said}")


def _fewer_columns(text: str, run: Results) -> str:
    """``images.csv`` with the numbers that the run still names."""
    names = {column(run, judge, metric) for judge in run.judges for metric in run.metrics}
    rows = list(csv.reader(io.StringIO(text, newline="")))
    kept = [i for i, name in enumerate(rows[0]) if name in ABOUT or name in names]
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows([row[i] for i in kept] for row in rows)
    return buffer.getvalue()


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def main() -> None:
    """Freeze if there is something to freeze, and say what to do next; else make the page anew."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?", metavar="RUN_FOLDER")
    parser.add_argument("version", nargs="?", metavar="vN[+NAME]")
    a = parser.parse_args()
    if a.folder is None:
        PAGE.write_text(filled(PAGE.read_text(), tables()))
        return
    if a.version is None:
        parser.error(f"{a.folder}: say as what it is frozen, v1 or v1+NAME")
    try:
        into = freeze(a.folder, a.version)
    except ValueError as error:
        sys.exit(f"error: {error}")
    for file in sorted(into.iterdir()):
        print(f"{file.stat().st_size:>12,} bytes  {file.name}")
    run = load(into)
    made = f"commit {run.provenance.commit}{', with changes' if run.provenance.dirty else ''}"
    print(f"{len(rows_of(run))} rows: {', '.join(rows_of(run))}; made at {made}")
    print(f"name it in {PAGE}, run this again without a folder, and commit {frozen.HOME} with it")


if __name__ == "__main__":
    main()
