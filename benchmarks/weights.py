"""What the weights in the package are worth: the numbers, tables and plot of docs/weights.md.

    python benchmarks/weights.py [DATA [--derainer NAME,...] [--workspace DIR] [--out DIR]] [--cost]

DATA holds bsds500, rain100l, rain100h and real-rain. The derainers that are named, by default all
with weights in the package and the median filter, run there as docs/weights.yaml says, in fp32;
then those of `harm` do. What they gave image by image is kept in docs/weights.json beside what was
measured before: a network's numbers take the place of its own earlier ones alone. ``--cost`` times
every network of the page again, one beside the other, for which the machine must have nothing else
to do. Tables, plot and the scores in the cards are made anew each time.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import harm
from pages import DOCS, filled, run_suite
from weights_page import KEPT, OURS, PAGE, PAIRS, PLOT, PSNR, SIZE_PX, Kept, plot, scores, tables

from derainers import DERAINERS, WEIGHTS
from derainers.shards import weights_sha256
from harness.checks.costs import measure
from reports.results.record import Record
from reports.results.results import Results

SUITE = DOCS / "weights.yaml"


def sha256(name: str) -> str | None:
    """Digest of a derainer's weights; None where it has none."""
    file = DERAINERS[name].weights
    return None if file is None else weights_sha256(file)


def add(now: dict[str, Any], run: str, out: Path, records: Sequence[Record]) -> None:
    """Join the numbers of a run's folder to those that are kept.

    Args:
        now: What is kept, which grows.
        run: Its name in docs/weights.yaml.
        out: Its folder.
        records: Its numbers; of pairs the means of all metrics are kept.

    Raises:
        SystemExit: Where the same images under the same rains are not what they were: numbers of
            before must not stand beside those of now.
    """
    with (out / "images.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    units = [r["unit"] for r in rows if (r["rain"], r["derainer"]) == ("none", "identity")]
    found: dict[str, dict[str, list[float | None]]] = {}
    for row in rows:
        value = float(row[f"quality/{PSNR}"])
        kept = None if value == float("inf") else round(value, 4)  # equal to its clean image
        found.setdefault(row["derainer"], {}).setdefault(row["rain"], []).append(kept)
    rainy = now["derainers"].get("identity", {}).get(PSNR, {}).get(run)
    if rainy is not None and (rainy != found["identity"] or now["units"][run] != units):
        raise SystemExit(
            f"{run}: images or rains are not those that {KEPT.name} was made of: move it away and "
            "measure every derainer anew"
        )
    now["units"][run] = units
    for name, values in found.items():
        of = now["derainers"].setdefault(name, {"weights": sha256(name), PSNR: {}, "means": {}})
        of[PSNR][run] = values
        if (run, "given") in PAIRS:
            of["means"][run] = {
                r.metric: round(r.value, 4)
                for r in records
                if r.derainer == name and r.rain == "given" and r.value is not None
            }


def joined(
    now: Kept, runs: Mapping[str, Results], out: Path, changes: Mapping[str, Sequence[harm.Change]]
) -> Kept:
    """What is kept, with the numbers of some derainers in the place of their own earlier ones."""
    others = {name: of for name, of in now["derainers"].items() if name not in changes}
    fresh = {**now, "units": dict(now["units"]), "derainers": others}
    for run, results in runs.items():
        add(fresh, run, out / run, results.records)
    for name, found in changes.items():
        fresh["derainers"][name]["harm"] = [[round(x, 3) for x in each] for each in found]
    order = [n for n in ("identity", *DERAINERS) if n in fresh["derainers"]]
    return {**fresh, "derainers": {name: fresh["derainers"][name] for name in order}}


def harms(names: Sequence[str], folder: Path) -> dict[str, list[harm.Change]]:
    """What each derainer makes of each crop of real rain."""
    images = harm.photographs(folder)
    rainy = harm.crops(images)
    return {name: harm.changes(rainy, harm.restored(name, folder, images)) for name in names}


def costs(names: Sequence[str]) -> dict[str, dict[str, float | None]]:
    """Seconds of one image with one thread, and multiply-adds, by derainer."""
    return {
        cost.derainer: {"seconds": cost.median_s("1"), "multiply_adds": cost.multiply_adds}
        for cost in measure(names, [SIZE_PX])
    }


def text(now: Kept) -> str:
    """What is kept as JSON, a line for each derainer."""
    lines = [f'  "{name}": {json.dumps(of)}' for name, of in now["derainers"].items()]
    derainers = ",\n".join(lines)
    return (
        f'{{\n "units": {json.dumps(now["units"])},\n "derainers": {{\n{derainers}\n }},\n'
        f' "cost": {json.dumps(now["cost"])}\n}}\n'
    )


def main() -> None:
    """Measure what is asked for, then write numbers, tables, plot and cards."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", type=Path, nargs="?", metavar="DATA")
    parser.add_argument("--derainer", default=",".join(("median", *OURS)), metavar="NAME,...")
    parser.add_argument("--workspace", type=Path, default=Path("weights-runs"))
    parser.add_argument("--out", type=Path, default=Path("weights"))
    parser.add_argument("--cost", action="store_true", help="time every network anew")
    a = parser.parse_args()
    now: Kept = {"units": {}, "derainers": {}, "cost": {}}
    found = None
    if a.data is not None:
        names = a.derainer.split(",")
        words = ["--derainer", ",".join(["identity", *names])]
        runs = run_suite(SUITE, a.data, a.workspace, a.out, words)
        found = runs, a.out, harms(names, a.data / "real-rain")
    if KEPT.exists():  # read now: another process may have measured others meanwhile
        now = json.loads(KEPT.read_text())
    if found is not None:
        now = joined(now, *found)
    if a.cost:
        now = {**now, "cost": costs([name for name in now["derainers"] if name != "identity"])}
    KEPT.write_text(text(now))
    PAGE.write_text(filled(PAGE.read_text(), tables(now)))
    PLOT.write_bytes(plot(now))
    for name in now["derainers"]:
        if name in OURS:
            file = WEIGHTS / f"{name}.json"
            card = {**json.loads(file.read_text()), "scores": scores(now, name)}
            file.write_text(json.dumps(card, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
