"""The tables of docs/statistics.md, from what `coverage.py` simulated.

    python benchmarks/coverage_page.py [--kept DIR]

takes what was simulated there into docs/statistics.json first; without it the tables alone are made
anew.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from coverage import PIECE, QUANTITIES, Quantity
from pages import DOCS, filled

from reports.tables.text import grid

KEPT, PAGE = (DOCS / f"statistics.{ending}" for ending in ("json", "md"))


def gathered(kept: Path) -> list[dict[str, Any]]:
    """Every cell that was simulated, its pieces put together."""
    found = []
    for file in sorted(kept.glob("*.json")):
        cell = json.loads(file.read_text())
        if "deviations" in cell:
            found.append(cell)
            continue
        total: dict[str, Any] = {}
        for piece in cell["pieces"]:
            for name, hits in piece.items():
                if name == "seconds":
                    continue
                before = total.get(name, [0] * len(hits))
                total[name] = [a + b for a, b in zip(before, hits, strict=True)]
        studies = PIECE * len(cell["pieces"])
        seconds = round(sum(piece["seconds"] for piece in cell["pieces"]))
        found.append(
            {"cell": cell["cell"], "draws": cell["draws"], "studies": studies, "seconds": seconds}
            | total
        )
    return found


NAMES = {
    "psnr": "PSNR-Y",
    "ap_pooled": "AP pooled",
    "mask_ap_pooled": "mask AP pooled",
    "miou": "mIoU",
}
KINDS = ("percentile", "bca", "student", "expanded", "both")


def share(hits: int, of: int) -> str:
    """A share in percent, and its 99 % interval by the number of studies (Clopper and Pearson)."""
    from scipy.stats import binomtest

    ends = binomtest(hits, of).proportion_ci(0.99)
    return f"{100 * hits / of:.1f} [{100 * ends.low:.1f}, {100 * ends.high:.1f}]"


BOUNDS = {"difference": (0.94, 0.965), "level": (0.93, 0.97), "wrong": (0.04, 0.06)}
"""What is promised: shares of the intervals that hold the truth, of the families that err."""
POWER = (0.77, 0.83)
"""Of what is said to show in 80 % of studies."""
FEW = 20
"""Printed intervals that say nothing of whether they hold."""
PROMISED_IMAGES = 32
"""From so many on intervals are no wider than promised; of fewer they are at least as wide."""


def meets(hits: int, of: int, bounds: tuple[float, float]) -> bool:
    """Whether a share's 99 % interval meets what is promised."""
    from scipy.stats import binomtest

    ends = binomtest(hits, of).proportion_ci(0.99)
    return bool(ends.low <= bounds[1] and ends.high >= bounds[0])


def holds(cell: Mapping[str, Any], quantity: Quantity) -> str:
    """yes, no, wide (of few images, rather than too narrow), or – where few were printed."""
    count, *outside = cell.get(f"{quantity.name}: printed", [0])
    if count < FEW:
        return "–"
    bounds = BOUNDS["level" if quantity.is_level else "difference"]
    if meets(count - sum(outside), count, bounds):
        return "yes"
    is_wide = meets(count - sum(outside), count, (bounds[0], 1.0))
    return "wide" if is_wide and int(cell["cell"].split("/")[-1]) < PROMISED_IMAGES else "no"


def missed(cell: Mapping[str, Any]) -> list[str]:
    """What of a cell does not hold, by name."""
    found = [f"{cell['cell']}: {q.name}" for q in QUANTITIES if holds(cell, q) == "no"]
    for kind, bounds in (("wrong", BOUNDS["wrong"]), ("found", POWER)):
        of, hits = cell.get(f"{kind}: minP", (0, 0))
        if of and not meets(hits, of, bounds):
            found.append(f"{cell['cell']}: {kind}")
    return found


def covers(hits: Sequence[int]) -> str:
    """How many of the intervals held the truth, in percent."""
    return f"{100 * (1 - sum(hits[1:]) / hits[0]):.1f}" if hits[0] else "–"


def coverage_table(cells: Sequence[Mapping[str, Any]]) -> list[str]:
    """A row for each quantity of each cell."""
    rows = []
    for cell in cells:
        name, metric, images = cell["cell"].split("/")
        for quantity in (q for q in QUANTITIES if f"{q.name}: both" in cell):
            ends = cell[f"{quantity.name}: printed"]
            held = "–" if not ends[0] else share(ends[0] - sum(ends[1:]), ends[0])
            rows.append(
                [
                    name,
                    NAMES[metric],
                    images,
                    quantity.name,
                    f"{cell['studies']:,}",
                    *(covers(cell[f"{quantity.name}: {kind}"]) for kind in KINDS),
                    f"{100 * ends[0] / cell['studies']:.0f}",
                    held,
                    holds(cell, quantity),
                ]
            )
    headings = ["set", "metric", "images", "interval of", "studies", "percentile", "BCa"]
    headings += ["Student", "expanded", "both", "printed", "covers where printed", "holds"]
    return grid(headings, rows)


def family_table(cells: Sequence[Mapping[str, Any]]) -> list[str]:
    """A row for each cell of families."""
    rows = []
    for cell in cells:
        _, name, metric, images = cell["cell"].split("/")
        wrong = {k.split(": ")[1]: v for k, v in cell.items() if k.startswith("wrong")}
        shown = {k.split(": ")[1]: v for k, v in cell.items() if k.startswith("found")}
        of = next(iter(wrong.values()))[0]
        unit = " dB" if metric == "psnr" else ""
        rows.append(
            [
                name,
                NAMES[metric],
                images,
                f"{of:,}",
                *(f"{100 * wrong[kind][1] / of:.1f}" for kind in ("no correction", "Holm")),
                share(wrong["minP"][1], of),
                f"{cell['shown'][1] / cell['shown'][0]:.3f}{unit}",
                f"{100 * shown['Holm'][1] / shown['Holm'][0]:.1f}",
                share(shown["minP"][1], shown["minP"][0]),
            ]
        )
    headings = ["set", "metric", "images", "families", "uncorrected", "Holm", "minP"]
    return grid([*headings, "said to show", "Holm finds", "minP finds"], rows)


def deviation_table(cells: Sequence[Mapping[str, Any]]) -> list[str]:
    """A row for each cell of deviations."""
    rows = []
    for cell in cells:
        _, name, metric = cell["cell"].split("/")
        places, unit = (2, " dB") if metric == "psnr" else (3, "")
        numbers = [f"{value:.{places}f}{unit}" for value in cell["deviations"].values()]
        rows.append([name, NAMES[metric], str(cell["images"]), *numbers])
    return grid(["set", "metric", "images", "median", "bilateral", "guided"], rows)


def cost_table(cells: Sequence[Mapping[str, Any]]) -> list[str]:
    """A row for each cell of 128 images: what a thousand studies take."""
    rows = []
    for cell in cells:
        name, metric, images = cell["cell"].removeprefix("null/").split("/")
        if images == "128":
            seconds = 1000 * cell["seconds"] / cell["studies"]
            what = "families" if cell["cell"].startswith("null/") else "studies"
            minutes = f"{seconds / 60 / 2:.1f}"
            rows.append(
                [name, NAMES[metric], what, f"{cell['draws']:,}", f"{seconds:.0f}", minutes]
            )
    headings = ["set", "metric", "1,000", "draws of each", "s of a processor", "min on two cores"]
    return grid(headings, rows)


def tables(cells: list[dict[str, Any]]) -> dict[str, list[str]]:
    """The page's tables by name."""
    cells.sort(key=lambda c: [w.zfill(5) if w.isdigit() else w for w in c["cell"].split("/")])
    kinds: dict[str, list[dict[str, Any]]] = {"null": [], "deviation": [], "coverage": []}
    for cell in cells:
        kinds.get(cell["cell"].split("/")[0], kinds["coverage"]).append(cell)
    return {
        "coverage": coverage_table(kinds["coverage"]),
        "families": family_table(kinds["null"]),
        "cost": cost_table([*kinds["coverage"], *kinds["null"]]),
        "deviations": deviation_table(kinds["deviation"]),
    }


def main() -> None:
    """Fill the page."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--kept", type=Path)
    a = words.parse_args()
    if a.kept is not None:
        KEPT.write_text("[\n" + ",\n".join(map(json.dumps, gathered(a.kept))) + "\n]\n")
    PAGE.write_text(filled(PAGE.read_text(), tables(json.loads(KEPT.read_text()))))


if __name__ == "__main__":
    main()
