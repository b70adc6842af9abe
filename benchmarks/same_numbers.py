"""Do two commits give the same numbers? Runs both and compares all that they write.

    python benchmarks/same_numbers.py OLD NEW DATA

OLD and NEW are commits of this repository, or ``.`` for the working tree; DATA holds ``coco128``
and ``weights/yolov8n-seg.pt``. Both commits run in this environment: the default run, an instance
run on 16 photographs, and a sweep of rates with intermediate outputs on 8 scenes. Compared are
every field of every record, the rest of ``results.json``, and what the ledger holds, whatever its
keys, which name the sources too; not what depends on the clock. The exit status is 1 where
something that OLD wrote is another in NEW; fields that NEW adds are named.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import sqlite3
import subprocess
import sys
import tarfile
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
RUNS = {
    "default": (),
    "instance": (
        *("--dataset", "coco", "--data-root", "{data}/coco128", "--split", "train2017"),
        *("--limit", "16", "--task", "instance", "--rain", "photoshop-heavy,none"),
        *("--model", "instance={data}/weights/yolov8n-seg.pt", "--derainer", "granet,median"),
    ),
    "sweep": (
        *("--limit", "8", "--rain", "physical:rate_mm_h=1/5/25"),
        *("--derainer", "granet,median", "--intermediate", "coarse,mask"),
    ),
}
SECONDS = {"median_s_per_image", "mean_s_per_image"}
CLOCK = {"finished", "elapsed_s", "commit", "dirty", "files"} | SECONDS
"""Fields that differ between two runs of one commit; ``files`` holds digests of pages with them."""
CODE = {"run", "code", "sources"}
"""Fields that name the sources."""
KEYS = ("images", "evidence", "replicates", "timings", "tiles", "doubts", "pictures")
CONTENTS = ("images", "evidence", "replicates", "pictures")
"""Tables of the ledger whose rows do not depend on the clock."""


def main() -> int:
    """Run both commits and print what differs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("old")
    parser.add_argument("new")
    parser.add_argument("data", type=Path)
    parser.add_argument("--only", choices=RUNS, action="append", help="this run alone")
    a = parser.parse_args()
    status = 0
    with tempfile.TemporaryDirectory() as folder:
        checkouts = [_checkout(commit, Path(folder)) for commit in (a.old, a.new)]
        for name in a.only or RUNS:
            outs = [_run(checkout, name, a.data.resolve()) for checkout in checkouts]
            lines = list(_differences(*outs))
            print(f"{name}: {'the same' if not any(d for _, d in lines) else 'NOT the same'}")
            for text, is_difference in lines:
                print(f"  {'differs' if is_difference else 'added'}: {text}")
                status |= is_difference
    return int(status)


def _checkout(commit: str, folder: Path) -> Path:
    """The files of a commit; the working tree itself for a dot."""
    if commit == ".":
        return ROOT
    place = folder / commit.replace("/", "-")
    done = subprocess.run(
        ["git", "-C", str(ROOT), "archive", commit], capture_output=True, check=True
    )
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        archive.extractall(place, filter="data")
    return place


def _run(checkout: Path, name: str, data: Path) -> Path:
    """Where a run of a checkout lies."""
    home = Path(tempfile.mkdtemp(prefix=f"same-{name}-"))
    words = [word.format(data=data) for word in RUNS[name]]
    subprocess.run(
        [sys.executable, "-m", "harness", "run", *words, "--workspace", "ws", "--out", "out"],
        cwd=home,
        env=os.environ | {"PYTHONPATH": str(checkout)},
        stdout=subprocess.DEVNULL,
        check=True,
    )
    return home


def _differences(old: Path, new: Path) -> Iterator[tuple[str, bool]]:
    """What differs, and whether it is more than an addition."""
    theirs, ours = (json.loads((home / "out" / "results.json").read_text()) for home in (old, new))
    yield from _fields("results.json", theirs, ours)
    for table, holds in ((t, t in CONTENTS) for t in KEYS):
        before, after = (_rows(home / "ws" / "ledger.sqlite", table) for home in (old, new))
        if len(before) != len(after):
            yield f"ledger {table}: {len(before)} rows -> {len(after)}", True
        elif holds and (gone := Counter(before) - Counter(after)):
            yield f"ledger {table}: {gone.total()} rows hold something else", True


def _rows(ledger: Path, table: str) -> list[Any]:
    """What a table holds, without its keys."""
    db = sqlite3.connect(ledger)
    try:
        return [value for _, value in db.execute(f"SELECT * FROM {table}")]
    finally:
        db.close()


def _fields(where: str, old: Any, new: Any) -> Iterator[tuple[str, bool]]:
    """Differences of two values of JSON."""
    if isinstance(old, dict) and isinstance(new, dict):
        for name in old.keys() - CLOCK - CODE:
            if name not in new:
                yield f"{where}.{name} is gone", True
            else:
                yield from _fields(f"{where}.{name}", old[name], new[name])
        if added := sorted(new.keys() - old.keys()):
            yield f"{where}: {', '.join(added)}", False
    elif isinstance(old, list) and isinstance(new, list) and _named(old) and _named(new):
        before, after = _named(old), _named(new)
        for name in before.keys() | after.keys():
            if name not in before or name not in after:
                yield f"{where}: {name} stands in {'OLD' if name in before else 'NEW'} alone", True
            else:
                yield from _fields(f"{where} {name}", before[name], after[name])
    elif old != new:
        yield f"{where}: {old!r} -> {new!r}", True


def _named(rows: list[Any]) -> dict[str, Any]:
    """Records, costs and correlations by what they are of."""
    names = ("rain", "derainer", "task", "metric", "quality")
    if not all(isinstance(row, dict) for row in rows):
        return {}
    found = {" | ".join(str(row[n]) for n in names if n in row): row for row in rows}
    return found if len(found) == len(rows) else {}


if __name__ == "__main__":
    sys.exit(main())
