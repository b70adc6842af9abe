"""The tables of docs/study.md, from the pieces that `remedies.py` made.

    python benchmarks/remedies_page.py [OUT]

takes what the tables need of the finished pieces of OUT into docs/remedies-study.json first;
without it the tables alone are made anew. What a piece that is not there would fill says so.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from math import inf
from pathlib import Path
from typing import Any, NamedTuple

from pages import DOCS, filled
from remedies import HELD_OUT, LEARNING_RATES, PRIMARY, SEEN, Study, read_took, table

from harness.ledger.folder import load
from reports.findings.contrasts import judged
from reports.findings.rankings import Place, Ranking, agreement, by_quality, rankings
from reports.findings.remedies import (
    BOTH,
    CLEAN,
    DERAIN,
    MIXTURE,
    NOTHING,
    RAIN,
    Family,
    Remedy,
    families,
)
from reports.layouts.remedies import remedies
from reports.results.cell import Judge
from reports.results.conditions import conditions
from reports.results.record import Record
from reports.results.results import QUALITY, Results
from reports.tables import break_even, gates
from reports.tables.text import grid, mark, marks, signed, span

KEPT, PAGE = DOCS / "remedies-study.json", DOCS / "study.md"
Kept = Mapping[str, Any]


class Contrast(NamedTuple):
    """One of the primary contrasts of docs/study-plan.md."""

    name: str
    remedy: int
    other: int
    rain: str
    expected: tuple[float, float]
    """Between which the plan expected it."""


CONTRASTS = (
    Contrast("P1", DERAIN, RAIN, SEEN, (-0.05, 0.05)),
    Contrast("P2", BOTH, RAIN, SEEN, (0, 0.05)),
    Contrast("P3", RAIN, CLEAN, SEEN, (0, inf)),
    Contrast("P4", DERAIN, RAIN, HELD_OUT, (-inf, 0)),
    Contrast("P5", MIXTURE, NOTHING, "none", (-0.05, 0)),
)


def gathered(out: Path) -> dict[str, Any]:
    """What the tables need of the pieces that are done."""
    took = read_took(out / "pieces.json")
    names = [name for name in took if (out / name / "results.json").is_file()]
    runs = {name: load(out / name) for name in names}
    kept: dict[str, Any] = {"took": took, "runs": {n: _of_run(r) for n, r in runs.items()}}
    if all(name in runs for name in PRIMARY):
        kept["primary"] = primary([runs[name] for name in PRIMARY])
    kept["remedies"] = {
        name: remedies([runs[name]], "md").splitlines()
        for name in ("scenes", "coco")
        if name in runs
    }
    if "rates" in runs:
        rates = _bundled(_with_pixels(runs["rates"], out / "rates"))
        kept["break_even"], kept["gates"] = break_even.table(rates), gates.table(rates)
    if "benchmark" in runs:
        kept["orders"] = list(_orders({n: _bundled(r, has_gates=False) for n, r in runs.items()}))
    if "trials" in runs:
        kept["trials"] = _trials(out, runs["trials"])
    return kept


def _of_run(run: Results) -> dict[str, Any]:
    """What a run is of, and the primary metrics of the first network of each task."""
    run = _bundled(run)
    about = {name: run.spec[name] for name in ("dataset", "split", "seed")}
    marked: set[str] = set()
    place = {condition: i for i, condition in enumerate(conditions(run))}
    held = [r for r in run.records if r.metric == run.primary(r.task) and r.stage is None]
    records = [_kept(run, r, marked) for r in sorted(held, key=lambda r: place[r.condition])]
    failed = len({error.sample for error in run.errors})
    found = {"run": run.run, **about, "n": max(r.n for r in run.records), "failed": failed}
    return {**found, "records": records, "marks": marks(marked)}


def _bundled(run: Results, has_gates: bool = True) -> Results:
    """A run as the first network of each task sees it, which is none of those we trained."""
    trainings = run.provenance.trainings
    first = {task: Judge(task, next(iter(networks))) for task, networks in trainings.items()}
    first[QUALITY] = Judge(QUALITY)
    left = set() if has_gates else set(run.provenance.gates)
    records = [r for r in run.records if r.judge == first.get(r.task) and r.derainer not in left]
    return replace(run, records=records)


def _kept(run: Results, record: Record, marked: set[str]) -> dict[str, Any]:
    """A number; its change is that to the rainy input, of that itself to the clean one."""
    condition = record.condition
    floor = condition.clean if condition.is_input else condition.rainy
    before = None if floor == condition else run.at(floor, record.judge, record.metric)
    found = None if before is None else run.compare(before, record)
    names = ("rain", "task", "model", "metric", "unit", "value", "n", "n_identical", "ci")
    return {name: getattr(record, name) for name in names} | {
        "derainer": condition.name,
        "heading": run.metrics[record.metric].heading,
        "mark": mark(record, marked),
        "change": found and found.difference,
        "change_ci": found and found.ci,
    }


def primary(runs: Sequence[Results]) -> dict[str, Any]:
    """The primary contrasts, of what all seeds of the rain have been run with."""
    met = [{(r.method, r.weights) for r in run.records} for run in runs]
    shared = set.intersection(*met)
    alike = [
        replace(run, records=[r for r in run.records if (r.method, r.weights) in shared])
        for run in runs
    ]
    (family,) = (f for f in families(alike) if f.task == "detection")
    pairs = [_pair(family, c) for c in CONTRASTS]
    numbers = [
        None if first is None else family.against(first, other, c.rain)
        for c, (first, other) in zip(CONTRASTS, pairs, strict=True)
    ]
    rows = []
    found = zip(CONTRASTS, pairs, numbers, judged(numbers, family.row), strict=True)
    for contrast, (first, other), number, said in found:
        about = {"name": contrast.name, "rain": contrast.rain}
        if number is None or first is None or other is None:
            rows.append({**about, "value": None})
            continue
        values = None if number.table is None else number.table.mean((-1, 0, 2))
        many = values is not None and len(values) > 1
        rows.append(
            {
                **about,
                "contrast": f"{first.title} − {other.title}",
                "value": number.value,
                "ci": said.ci,
                "p_value": said.p_value,
                "verdict": said.verdict,
                "n": family.cells[first][contrast.rain][0].record.n,
                "repeats": None if number.table is None else list(number.table.shape[:2]),
                "spread": float(values.std(ddof=1)) if many and values is not None else None,
            }
        )
    return {"rows": rows, "without_twin": [remedy.title for remedy in family.without_twin()]}


def _pair(family: Family, contrast: Contrast) -> tuple[Remedy | None, Remedy | None]:
    """The remedies of a contrast; both at once is of the network that was trained on rain alone."""
    wet = family.first(RAIN)
    rains = () if wet is None else wet.rains
    found = [
        next(
            (r for r in family.cells if r.kind == kind and (kind != BOTH or r.rains == rains)), None
        )
        for kind in (contrast.remedy, contrast.other)
    ]
    return found[0], found[1]


def _with_pixels(run: Results, folder: Path) -> Results:
    """A loaded run with the digests of what was shown, by which a gate's share is counted."""
    known = {(c.rain, c.name): c for c in run.conditions}
    pixels: dict[Any, list[str]] = {}
    with (folder / "images.csv").open(newline="") as opened:
        for row in csv.DictReader(opened):
            if (row["rain"], row["derainer"]) in known:
                condition = known[row["rain"], row["derainer"]]
                pixels.setdefault(condition, []).append(row["pixels"])
    shown = {condition: tuple(digests) for condition, digests in pixels.items()}
    return replace(run, by_image=replace(run.by_image, pixels=shown))


def _orders(runs: Mapping[str, Results]) -> Iterator[dict[str, Any]]:
    """Whether PSNR-Y orders derainers as the tasks do, and other images as the scenes."""
    scenes = runs["benchmark"]
    for found in by_quality(scenes):
        yield _order(found.second, "PSNR-Y", (found.tau, found.ci, found.derainers))
    here: dict[tuple[str, str], Ranking] = {}
    for ranking in rankings(scenes):
        here[ranking.place.task, ranking.place.rain] = ranking
    for name in ("coco", "camvid"):
        for other in rankings(runs[name]) if name in runs else ():
            mine = here.get((other.place.task, other.place.rain))
            tau = None if mine is None else agreement(mine, other)
            if mine is not None and tau is not None:
                yield _order(mine.place, f"{name}, by {other.place.network}", tau)


def _order(place: Place, other: str, tau: tuple[float, Any, int]) -> dict[str, Any]:
    names = {"rain": place.rain, "order": f"{place.task} by {place.network}", "other": other}
    return names | dict(zip(("tau", "ci", "derainers"), tau, strict=True))


def _trials(out: Path, run: Results) -> list[dict[str, Any]]:
    """The trials of the learning rate: pooled AP of each on dry images of `val`."""
    made = []
    for rate in LEARNING_RATES:
        file = out / f"trial-{rate}" / "yolo-streetsim.safetensors"
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        trainings = run.provenance.trainings["detection"]
        (network,) = (name for name, t in trainings.items() if t.sha256 == digest)
        record = run.value("none", "identity", "detection", "ap_pooled", network=network)
        made.append({"learning_rate": rate, "value": record.value, "ci": record.ci, "n": record.n})
    return made


def tables(kept: Kept) -> dict[str, list[str]]:
    """Every table of the page by its name; one line in the place of what is not there."""
    made: dict[str, tuple[str, Callable[[Kept], list[str]]]] = {
        "trials": ("trials", _of_trials),
        "primary": (" and ".join(PRIMARY), _of_primary),
        "expected": (" and ".join(PRIMARY), _of_expected),
        "remedies": ("scenes", lambda k: k["remedies"]["scenes"]),
        "derainers": ("benchmark", lambda k: derainers(k["runs"]["benchmark"])),
        "orders": ("benchmark", _of_orders),
        "rates": ("rates", lambda k: _text_table(k["break_even"])),
        "apart": ("rates", lambda k: derainers(k["runs"]["rates"])),
        "gate": ("rates", lambda k: _text_table(k["gates"])),
        "coco": ("coco", lambda k: derainers(k["runs"]["coco"])),
        "coco-remedies": ("coco", lambda k: k["remedies"]["coco"]),
        "camvid": ("camvid", lambda k: derainers(k["runs"]["camvid"], is_told=False)),
        "took": ("", _of_took),
    }
    lines = {}
    for name, (pieces, make) in made.items():
        wanted = pieces.split(" and ") if pieces else []
        lacking = [piece for piece in wanted if piece not in kept.get("runs", {})]
        lines[name] = [f"Not run yet: {', '.join(lacking)}."] if lacking else make(kept)
    return lines


def _of_primary(kept: Kept) -> list[str]:
    rows = []
    for row in kept["primary"]["rows"]:
        if row["value"] is None:
            rows.append([row["name"], "–", row["rain"], *["–"] * 6])
            continue
        repeats = "–" if row["repeats"] is None else " x ".join(map(str, row["repeats"]))
        rows.append(
            [
                *(row["name"], row["contrast"], "dry" if row["rain"] == "none" else row["rain"]),
                signed(row["value"], 3),
                span(row["ci"], 3),
                "–" if row["p_value"] is None else _p_value(row["p_value"]),
                row["verdict"] or "–",
                f"{row['n']} x {repeats}",
                "–" if row["spread"] is None else f"{row['spread']:.4f}",
            ]
        )
    headings = ["", "contrast", "rain", "difference", "95 %", "p", "verdict"]
    headings += ["images x seeds x trainings", "spread over trainings"]
    lines = grid(headings, rows)
    lacking = kept["primary"]["without_twin"]
    if lacking:
        lines += ["", f"Void, for want of a twin of as many steps: {'; '.join(lacking)}."]
    return [*lines, "", _n(kept["runs"][PRIMARY[0]])]


def _of_expected(kept: Kept) -> list[str]:
    """The plan's expectations beside what came; the value alone counts, not its interval."""
    rows = []
    for contrast, row in zip(CONTRASTS, kept["primary"]["rows"], strict=True):
        low, high = contrast.expected
        if low == -inf:
            said = f"below {high:g}"
        else:
            said = f"above {low:g}" if high == inf else f"between {low:g} and {high:g}"
        value = row["value"]
        came = ["–", "–"]
        if value is not None:
            came = [signed(value, 3), "as expected" if low < value < high else "otherwise"]
        rows.append([contrast.name, said, *came])
    return grid(["", "expected", "came", ""], rows)


def _p_value(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def derainers(run: Kept, is_told: bool = True) -> list[str]:
    """Derainers x rains: a column for each task's primary metric, image quality beside.

    Args:
        run: See `_of_run`.
        is_told: Whether intervals are shown where there are any.
    """
    columns = dict.fromkeys((r["task"], r["model"], r["heading"]) for r in run["records"])
    ordered = sorted(columns, key=lambda column: column[0] == QUALITY)
    rows: dict[tuple[str, str], dict[Any, str]] = {}
    for r in run["records"]:
        rain = "dry" if r["rain"] == "none" else r["rain"]
        place = rain, "–" if r["derainer"] == "identity" else r["derainer"]
        column = r["task"], r["model"], r["heading"]
        rows.setdefault(place, {})[column] = _number(r, is_told)
    headings = [f"{heading} by {model}" if model else heading for _, model, heading in ordered]
    lines = [[*place, *(row.get(c, "–") for c in ordered)] for place, row in rows.items()]
    said = [
        "Behind the comma the paired change to the same rain without a derainer, of that itself to "
        "dry images, with its 95 % interval where there is one. Images that equal their reference "
        "have no PSNR: it is of those left.",
        *run["marks"],
        _n(run),
    ]
    return [*grid(["rain", "derainer", *headings], lines), "", *(f"{line}  " for line in said)]


def _number(record: Kept, is_told: bool) -> str:
    if record["value"] is None:
        return "–"
    decimals = 2 if record["unit"] == "dB" else 3
    text = f"{record['value']:.{decimals}f}{record['mark']}"
    if record["n_identical"]:
        text += f" of {record['n'] - record['n_identical']}"
    if record["change"] is not None:
        text += f", {signed(record['change'], decimals)}"
        if is_told and record["change_ci"] is not None:
            text += f" {span(record['change_ci'], decimals)}"
    return text


def _n(run: Kept) -> str:
    failed = f"; {run['failed']} failed and are left out of all" if run["failed"] else ""
    return f"{run['dataset']} {run['split']}, n = {run['n']} images{failed}; run {run['run'][:12]}."


def _of_orders(kept: Kept) -> list[str]:
    rows = [
        [
            *(row["rain"], row["order"], row["other"], signed(row["tau"], 2)),
            span(row["ci"], 2),
            str(row["derainers"]),
        ]
        for row in kept["orders"]
    ]
    if not rows:
        return ["Fewer than four derainers: no order."]
    headings = ["rain", "order on the scenes", "order of", "τ", "95 %", "derainers"]
    return [*grid(headings, rows), "", _n(kept["runs"]["benchmark"])]


def _text_table(made: Sequence[Any]) -> list[str]:
    headings, rows, notes = made
    return [*grid(headings, rows), "", *(f"{note}  " for note in notes)]


def _of_trials(kept: Kept) -> list[str]:
    best = max(kept["trials"], key=lambda row: row["value"])
    rows = [
        [f"{row['learning_rate']:g}", f"{row['value']:.4f}", "chosen" if row == best else ""]
        for row in kept["trials"]
    ]
    headings = ["learning rate", "AP pooled, dry images", ""]
    return [*grid(headings, rows), "", _n(kept["runs"]["trials"])]


def _of_took(kept: Kept) -> list[str]:
    """Planned hours hang on no choice, so that any stands for those that were made."""
    return table(Study(Path(), Path(), LEARNING_RATES[0], "X").pieces(), kept.get("took", {}))


def main() -> None:
    """Read the pieces if they are given, then make the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("out", type=Path, nargs="?", metavar="OUT")
    a = parser.parse_args()
    if a.out is not None:
        KEPT.write_text(json.dumps(gathered(a.out), indent=1) + "\n")
    PAGE.write_text(filled(PAGE.read_text(), tables(json.loads(KEPT.read_text()))))


if __name__ == "__main__":
    main()
