"""The tables of docs/study.md and of README.md, from the pieces that `study.py` made.

    python benchmarks/study_page.py [OUT]

takes what the tables need of the finished pieces of OUT into docs/study.json first, where
numbers of other pieces stay; without it the tables alone are made anew. What a piece that was never
made would fill says so.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from functools import partial
from math import inf
from pathlib import Path
from statistics import stdev
from typing import Any

from pages import DOCS, filled
from study import LEARNED, LEARNING_RATES, PAIRS, PRIMARY, SEEDED, SEEDS, Study, table
from study_numbers import CONTRASTS, FIRST, Kept, gathered

from reports.results.results import QUALITY
from reports.tables.text import grid, signed, span

KEPT, PAGE = DOCS / "study.json", DOCS / "study.md"
README = DOCS.parent / "README.md"


def tables(kept: Kept) -> dict[str, list[str]]:
    """Every table of the page by its name; one line in the place of what is not there."""
    primary = " and ".join(PRIMARY)
    made: dict[str, tuple[str, Callable[[Kept], list[str]]]] = {
        "trials": ("trials", _of_trials),
        "first": (" and ".join(FIRST), lambda k: _of_primary(k["first"], k["runs"][FIRST[0]])),
        "primary": (primary, lambda k: _of_primary(k["primary"], k["runs"][PRIMARY[0]])),
        "headline": (primary, headline),
        "expected": (" and ".join((*FIRST, *PRIMARY)), _of_expected),
        "remedies": ("scenes", lambda k: k["remedies"]["scenes"]),
        "derainers": ("benchmark", lambda k: derainers(k["runs"]["benchmark"])),
        "rivals": (f"{PRIMARY[0]} and benchmark", _of_rivals),
        "orders": ("benchmark", _of_orders),
        "rates": ("rates", lambda k: _text_table(k["break_even"])),
        "apart": ("rates", lambda k: derainers(k["runs"]["rates"])),
        "gate": ("rates", lambda k: _text_table(k["gates"])),
        "for-task": ("for-task", _of_for_task),
        "learned": ("for-task", lambda k: derainers(k["runs"]["for-task"])),
        "footing": ("footing", lambda k: k["remedies"]["footing"]),
        **{f"seeds-{name}": (f"seeds-{name}", partial(_of_seeds, name)) for name in SEEDED},
        "coco": ("coco", lambda k: derainers(k["runs"]["coco"])),
        "coco-remedies": ("coco-remedies", lambda k: k["remedies"]["coco-remedies"]),
        "camvid": ("camvid", lambda k: derainers(k["runs"]["camvid"], is_told=False)),
        "carlarain": ("carlarain", lambda k: derainers(k["runs"]["carlarain"])),
        **{name: (name, partial(_of_pairs, name)) for name in PAIRS},
        "real-rain": ("real-rain", lambda k: derainers(k["runs"]["real-rain"], dry="as taken")),
        "took": ("", _of_took),
    }
    lines = {}
    for name, (pieces, make) in made.items():
        wanted = pieces.split(" and ") if pieces else []
        lacking = [piece for piece in wanted if piece not in kept.get("runs", {})]
        lines[name] = [f"Not run yet: {', '.join(lacking)}."] if lacking else make(kept)
    return lines


def headline(kept: Kept) -> list[str]:
    """The remedies in few lines: README's table."""
    found = kept["headline"]
    headings = ["against rain"]
    for rain, is_seen in found["rains"].items():
        known = "seen in training" if is_seen else "held out"
        headings.append("dry images" if rain == "none" else f"{rain} ({known})")
    rows = []
    for row in found["rows"]:
        cells = []
        for each in row["cells"]:
            text = "–" if each["value"] is None else f"{each['value']:.3f}"
            if each["change"] is not None:
                text += f", {signed(each['change'], 3)}"
                text += f" {span(each['ci'], 3)}" if each["ci"] else ""
            cells.append(text)
        hours = "" if row["hours"] is None else f"{row['hours']:.2f}"
        rows.append([row["remedy"], *cells, hours])
    lines = grid([*headings, "more training [h]"], rows)
    return [*lines, "", f"n = {found['n']} images under {found['seeds']} seeds of the rain."]


def _of_primary(numbers: Kept, run: Kept) -> list[str]:
    rows = []
    for row in numbers["rows"]:
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
    lacking = numbers["without_twin"]
    if lacking:
        lines += ["", f"Void, for want of a twin of as many steps: {'; '.join(lacking)}."]
    return [*lines, "", _n(run)]


def _of_expected(kept: Kept) -> list[str]:
    """The plan's expectations beside what came twice; the value alone counts, not its interval."""
    rows = []
    both = (kept[name]["rows"] for name in ("first", "primary"))
    for contrast, *came in zip(CONTRASTS, *both, strict=True):
        low, high = contrast.expected
        if low == -inf:
            said = f"below {high:g}"
        else:
            said = f"above {low:g}" if high == inf else f"between {low:g} and {high:g}"
        row = [contrast.name, said]
        for value in (each["value"] for each in came):
            if value is None:
                row += ["–", "–"]
            else:
                row += [signed(value, 3), "as expected" if low < value < high else "otherwise"]
        rows.append(row)
    return grid(["", "expected", "first", "", "again", ""], rows)


def _p_value(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def derainers(run: Kept, is_told: bool = True, dry: str = "dry") -> list[str]:
    """Derainers x rains: a column for each task's primary metric, image quality beside.

    Args:
        run: See `_of_run`.
        is_told: Whether intervals are shown where there are any.
        dry: What images are called on which no rain was laid.
    """
    columns = dict.fromkeys((r["task"], r["model"], r["heading"]) for r in run["records"])
    ordered = sorted(columns, key=lambda column: column[0] == QUALITY)
    rows: dict[tuple[str, str], dict[Any, str]] = {}
    for r in run["records"]:
        if r["value"] is None:
            continue
        rain = dry if r["rain"] == "none" else r["rain"]
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
    decimals = 3 if record["unit"] == "fraction" else 2
    text = _of(record, decimals, record["mark"])
    if record["change"] is not None:
        text += f", {signed(record['change'], decimals)}"
        if is_told and record["change_ci"] is not None:
            text += f" {span(record['change_ci'], decimals)}"
    return text


def _of(record: Kept, decimals: int, mark: str = "") -> str:
    """A value, and of how many images where some equal their reference."""
    left = record["n"] - record["n_identical"]
    return f"{record['value']:.{decimals}f}{mark}" + (f" of {left}" if left < record["n"] else "")


def _n(run: Kept) -> str:
    failed = f"; {run['failed']} failed and are left out of all" if run["failed"] else ""
    of = " ".join(filter(None, (run["dataset"], run["split"])))
    return f"{of}, n = {run['n']} images{failed}; run {run['run'][:12]}."


def _of_rivals(kept: Kept) -> list[str]:
    rains = list(dict.fromkeys(rain for row in kept["rivals"] for rain in row["cells"]))
    rows = []
    for row in kept["rivals"]:
        found = [row["cells"].get(rain) for rain in rains]
        cells = [f"{signed(n['value'], 3)} {span(n['ci'], 3)}" if n else "–" for n in found]
        rows.append([row["remedy"], *cells])
    headings = ["against training on rain", *("dry" if r == "none" else r for r in rains)]
    return [*grid(headings, rows), "", _n(kept["runs"]["benchmark"])]


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


def _of_for_task(kept: Kept) -> list[str]:
    """What learning for a detector gave beyond learning of pixels for as many steps."""
    rows = []
    for row in kept["for_task"]:
        decimals = 2 if row["unit"] == "dB" else 3
        values = [_of(row[name], decimals) for name in LEARNED]
        change = "–" if row["difference"] is None else signed(row["difference"], decimals)
        change += f" {span(row['ci'], decimals)}" if row["ci"] else ""
        rain = "dry" if row["rain"] == "none" else row["rain"]
        rows.append([rain, row["judge"], *values, change])
    headings = ["rain", "judged by", *LEARNED, "difference"]
    return [*grid(headings, rows), "", _n(kept["runs"]["for-task"])]


def _of_seeds(network: str, kept: Kept) -> list[str]:
    """Each training's change to the rainy image, and how far trainings lie apart."""
    run = kept["runs"][f"seeds-{network}"]
    names = [f"{network}-benchmark", *(f"{network}-{seed}" for seed in SEEDS[1:])]
    found = {(r["rain"], r["task"], r["derainer"]): r for r in run["records"]}
    rows = []
    for rain, task in dict.fromkeys((r["rain"], r["task"]) for r in run["records"]):
        each = [found[rain, task, name] for name in names]
        changes = [one["change"] for one in each]
        if None in changes:  # image quality of dry images, which have none without a derainer
            continue
        decimals = 2 if each[0]["unit"] == "dB" else 3
        rows.append(
            [
                *("dry" if rain == "none" else rain, each[0]["heading"]),
                *(signed(change, decimals) for change in changes),
                f"{stdev(changes):.{decimals + 1}f}",
            ]
        )
    headings = ["rain", "metric", *(f"seed {seed}" for seed in SEEDS)]
    return [*grid([*headings, "standard deviation"], rows), "", _n(run)]


def _of_pairs(name: str, kept: Kept) -> list[str]:
    return derainers(kept["runs"][name])


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
    study = Study(Path(), Path(), LEARNING_RATES[0], "mspfn-light")
    return table(study.pieces(), kept.get("took", {}))


def main() -> None:
    """Read the pieces if they are given, then make the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("out", type=Path, nargs="?", metavar="OUT")
    a = parser.parse_args()
    if a.out is not None:
        before = json.loads(KEPT.read_text()) if KEPT.is_file() else {}
        KEPT.write_text(json.dumps(gathered(a.out, before), indent=1) + "\n")
    kept = json.loads(KEPT.read_text())
    PAGE.write_text(filled(PAGE.read_text(), tables(kept)))
    if "headline" in kept:
        README.write_text(filled(README.read_text(), {"remedies": headline(kept)}))


if __name__ == "__main__":
    main()
