"""Seconds of `report` for a large run: 5,000 images under 10 conditions, from a ledger alone.

    python benchmarks/report.py

The floor is a process that imports what drawing and writing need, and reads the ledger's row.
Beside the time on the clock stands the processor's, which other programs stretch less.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from harness.ledger.ledger import Ledger
from harness.ledger.packed import pack
from harness.plan.rows import with_rows
from reports.results.provenance import Provenance
from reports.results.record import Correlation, Cost, Record
from reports.results.results import ByImage, Results
from reports.results.written import arrays_of, to_json

IMAGES = 5000
RAINS = ("coco350", "photoshop-heavy", "rain100h")
DERAINERS = ("identity", "median", "granet")
QUALITY = ("psnr_y_db", "psnr_rgb_db", "ssim_y", "ssim_rgb")
CLASSES = 80
REPEATS = 3
FLOOR = """
import sqlite3, sys, jinja2, numpy, matplotlib.figure, matplotlib.backends.backend_svg
row = sqlite3.connect(sys.argv[1]).execute("SELECT results, arrays FROM runs").fetchone()
"""


def main() -> None:
    """Print the seconds of both."""
    with tempfile.TemporaryDirectory() as folder:
        ledger = Ledger(Path(folder))
        made = study()
        now = datetime.now(UTC).isoformat()
        ledger.save_run(made.run, now, to_json(made), pack(arrays_of(made)), "[]")
        ledger.close()
        report = ["-m", "harness", "report", folder, "--out", f"{folder}/out"]
        floor = ["-c", FLOOR, f"{folder}/ledger.sqlite"]
        times = [(seconds(report), seconds(floor)) for _ in range(REPEATS)]
    print(f"{IMAGES:,} images, {1 + len(RAINS) * len(DERAINERS)} conditions, {CLASSES} classes")
    for name, (clock, processor) in zip(
        ("report", "imports and reading alone"), np.median(times, axis=0), strict=True
    ):
        print(f"{name}: {clock:.2f} s, {processor:.2f} s of the processor")


def seconds(words: list[str]) -> tuple[float, float]:
    """Time that a fresh process takes: on the clock, and of the processor."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([sys.executable, *words], check=True, capture_output=True)
    clock, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return clock, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def study() -> Results:
    """A run with numbers of the right shape."""
    rng = np.random.default_rng(0)
    conditions = [("none", "identity"), *((r, d) for r in RAINS for d in DERAINERS)]
    records, draws, values, curves = [], {}, {}, {}
    for rain, derainer in conditions:
        scores = {"ap": 0.4, "ap50": 0.6, "ap_pooled": 0.35}
        scores |= {f"ap/class {k}": float(rng.random()) for k in range(CLASSES)}
        cells = [("detection", m, v, "fraction") for m, v in scores.items()]
        for m in QUALITY:
            is_db = m.endswith("_db")
            cells.append(("quality", m, 25.0 if is_db else 0.8, "dB" if is_db else "fraction"))
        for task, metric, value, unit in cells:
            one = Record(
                "coco",
                "val2017",
                rain,
                derainer,
                None,
                task,
                None,
                metric,
                value,
                IMAGES,
                None,
                (),
                0,
                unit,
            )
            records.append(one)
            if metric == "ap_pooled":
                values[one.cell.of("f1@c25-iou50")] = rng.random(IMAGES).astype(np.float32)
                curves[one.cell] = np.linspace(1, 0, 101, dtype=np.float32)
            if "/" not in metric:
                draws[one.cell] = (value + 0.01 * rng.normal(size=2000)).astype(np.float32)
            if task == "quality":
                values[one.cell] = (value + rng.normal(size=IMAGES)).astype(np.float32)
    ids = tuple(f"{i:012}" for i in range(IMAGES))
    return with_rows(
        Results(
            run="0" * 64,
            spec={"dataset": "coco", "split": "val2017", "seed": 0},
            provenance=Provenance(groups=IMAGES),
            cost=[
                Cost(condition, IMAGES, 0.1, 2, "cpu", tiled=0, smallest_tile_px=None)
                for condition in dict.fromkeys(r.condition for r in records)
            ],
            errors=[],
            records=records,
            draws=draws,
            by_image=ByImage(ids, ids, values),
            curves=curves,
            correlations=[
                Correlation(r, d, "detection", "f1@c25-iou50", q, 0.3, (0.2, 0.4), IMAGES)
                for r in RAINS
                for d in (None, *DERAINERS)
                for q in ("psnr_y_db", "ssim_y")
            ],
        )
    )


if __name__ == "__main__":
    main()
