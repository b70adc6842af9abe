"""The generated tables of docs/methods: parameters, weights and printed numbers of each paper.

    python benchmarks/methods.py [--measured FILE]

Each page has its tables between a line `<!-- NAME -->` and a line `<!-- end -->`; what stands there
is replaced. FILE is what `python -m harness regress papers --json` printed: the values that it
measured on images are kept in docs/methods/measured.json, which later calls read again.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from pages import DOCS, filled, hours, steps
from variants import VARIANTS

from derainers import WEIGHTS
from derainers.card import read_card
from harness.checks.paper_inputs import Given
from harness.checks.papers import JudgedClaim, cell, regress, select
from harness.spec import RunSpec
from reports.papers.claims import Claim
from reports.tables.text import grid

FOLDER = DOCS / "methods"
MEASURED = FOLDER / "measured.json"
"""Verdict, value, images and reason of each number that was measured on images, by its cell."""
KEPT = ("verdict", "measured", "n", "reason")


@cache
def findings(paper: str) -> list[JudgedClaim]:
    """A verdict on each number of a paper, from the repository alone."""
    kept = json.loads(MEASURED.read_text()) if MEASURED.is_file() else {}
    found = regress(select([paper]), Given({}, {}, RunSpec())).claims
    return [replace(f, **kept.get(cell(f.claim), {})) for f in found]


def parameters(paper: str) -> list[str]:
    """Lines of the table of variants."""
    printed = {f.claim.method: f for f in findings(paper) if f.claim.metric == "parameters"}
    rows = []
    for name, variant in VARIANTS[paper].items():
        row = [name, variant.word, variant.call(), f"{variant.parameters():,}"]
        if printed:
            f = printed.get(name)
            row += [f"{f.claim.value:.{f.claim.decimals}f} M", f.verdict] if f else ["", ""]
        rows.append(row)
    headings = ["variant", "derainer", "built by", "parameters"]
    return grid(headings + (["printed", "verdict"] if printed else []), rows)


def weights(paper: str) -> list[str]:
    """Lines of the table of weights that come with the package."""
    words = [v.word for v in VARIANTS[paper].values() if v.word]
    rows = [[word, *_card(read_card(WEIGHTS / f"{word}.safetensors"))] for word in words]
    return grid(["derainer", "recipe", "photographs", "rains", "hours", "validation"], rows)


def _card(card: dict[str, Any]) -> list[str]:
    if not card:
        return ["none yet", *[""] * 4]
    recipe, data, judged = card["recipe"], card["trained_on"], card.get("validated_on")
    validation = "not in its card"
    if judged:
        (psnr, ssim), (psnr_now, ssim_now) = (
            (judged[k]["psnr_y_db"], judged[k]["ssim_y"]) for k in ("rainy", "restored")
        )
        validation = f"{psnr:.2f} to {psnr_now:.2f} dB, SSIM-Y {ssim:.3f} to {ssim_now:.3f}"
        validation += f" ({len(judged['photographs'])} photographs)"
    return [
        f"{recipe['kind']}, steps {steps(card)}",
        f"{len(data['photographs'])} of {', '.join(data['datasets'])} {data['split']}",
        ", ".join(data["rain_digests"]),
        f"{hours(card)}, {card['hardware']}",
        validation,
    ]


def claims(paper: str) -> list[str]:
    """Lines of all printed tables with what became of their numbers."""
    found = findings(paper)
    verdicts = Counter(f.verdict for f in found)
    lines = [f"{len(found)} numbers: " + ", ".join(f"{n} {v}" for v, n in verdicts.items()) + "."]
    for table in dict.fromkeys(f.claim.table for f in found):
        ours = [f for f in found if f.claim.table == table]
        lines += ["", f"### Table {table}" if table.isdigit() else f"### Table: {table}", ""]
        lines += [*_pivot(ours), "", *_said(ours)]
    return lines


def _pivot(found: list[JudgedClaim]) -> list[str]:
    """A row for each metric of some images, a column for each method."""
    cells: dict[tuple[str, str], dict[str, str]] = {}
    for f in found:
        c = f.claim
        unit = {"million": " [M]", "percent": " [%]", "dB": " [dB]", "s": " [s]"}.get(c.unit, "")
        images = " ".join(x for x in (c.dataset, c.split, c.size_px) if x)
        row = cells.setdefault((images, c.metric + unit), {})
        row[c.method or "printed"] = f"{c.value:.{c.decimals}f}" + _measured(f)
    methods = list(dict.fromkeys(method for row in cells.values() for method in row))
    rows = [[*name, *(row.get(method, "") for method in methods)] for name, row in cells.items()]
    return grid(["images", "metric", *methods], rows)


def _measured(f: JudgedClaim) -> str:
    if f.measured is None:
        return ""
    return f"; {f.measured:.{f.claim.decimals}f} {f.verdict}" + (f" (n {f.n})" if f.n else "")


def _said(found: list[JudgedClaim]) -> list[str]:
    """The protocols of the numbers, and the reasons of their verdicts."""
    lines = []
    for protocol in dict.fromkeys(f.claim.protocol for f in found):
        of = dict.fromkeys(f"`{f.claim.metric}`" for f in found if f.claim.protocol == protocol)
        lines.append(f"- Protocol of {', '.join(of)}: {protocol}.")
    reasons: dict[tuple[str, str], list[Claim]] = {}
    for f in found:
        if f.reason:
            reasons.setdefault((f.verdict, f.reason), []).append(f.claim)
    for (verdict, reason), same in reasons.items():
        many = "all numbers" if len(same) == len(found) else f"{len(same)} numbers"
        one = f"`{same[0].metric}` of {same[0].method}"
        lines.append(f"- {verdict}, {many if len(same) > 1 else one}: {reason}.")
    return lines


def tables(paper: str) -> dict[str, list[str]]:
    """Every table of a paper's page by its name."""
    return {make.__name__: make(paper) for make in (parameters, weights, claims)}


def main() -> None:
    """Write the tables into the pages."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--measured", type=Path, metavar="FILE")
    file: Path | None = parser.parse_args().measured
    if file is not None:
        judged = json.loads(file.read_text())["claims"]
        names = (f"{c['paper']}:{c['table']} {c['row']} | {c['column']}" for c in judged)
        kept = {n: {k: c[k] for k in KEPT} for n, c in zip(names, judged, strict=True) if c["n"]}
        MEASURED.write_text(json.dumps(kept, indent=1) + "\n")
    for paper in VARIANTS:
        page = FOLDER / f"{paper}.md"
        page.write_text(filled(page.read_text(), tables(paper)))


if __name__ == "__main__":
    main()
