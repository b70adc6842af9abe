"""The generated tables of docs/papers.md and docs/methods: what is printed, and what came out here.

    python benchmarks/methods.py [DATA [--workspace DIR]]

DATA holds pairs by the names of their sets, and weights, as `regress` finds them there. Every
printed number that they allow is measured, once with the authors' weights, once with our own; what
is in the workspace is not measured again. What was measured on images is kept in
docs/methods/measured.json; without DATA the tables alone are made anew from there. On the pages
they stand between a line `<!-- NAME -->` and a line `<!-- end -->`.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, Literal

from pages import DOCS, arguments, filled, hours, steps
from variants import VARIANTS

from derainers import DERAINERS, WEIGHTS
from derainers.card import read_card
from harness.checks.paper_inputs import Given, given_of, network_of
from harness.checks.papers import JudgedClaim, cell, regress, select
from harness.spec import RunSpec
from reports.papers.claims import Claim
from reports.papers.reading import PAPERS
from reports.tables.text import grid

FOLDER = DOCS / "methods"
PAGE = DOCS / "papers.md"
MEASURED = FOLDER / "measured.json"
"""By whose weights they are: verdict, value, images and reason of each number that was measured on
images, by its cell."""
KEPT = ("verdict", "measured", "n", "reason")
OWN = {
    ("granet", "rain100l"): "granet-rain100l",
    ("granet", "rain100h"): "granet",
    ("prenet", "rain100l"): "prenet",
    ("prenet", "rain100h"): "prenet",
}
"""Rows whose weights are ours and whose network is the papers', by network and set."""
Whose = Literal["authors", "own"]


def measure(data: Path, workspace: Path) -> dict[Whose, dict[str, dict[str, Any]]]:
    """What the printed numbers are here, by whose weights they are measured with."""
    spec = RunSpec(workspace=str(workspace))
    claims = select(["papers"])
    authors = given_of([], [], spec, data)
    words = [f"{n}:{on}={DERAINERS[row].weights}" for (n, on), row in OWN.items()]
    ours = [c for c in claims if (network_of(c)[0], c.dataset) in OWN]
    own = given_of([], words, spec, data)
    return {
        "authors": _kept(regress(claims, authors).claims),
        "own": _kept(regress(ours, own).claims),
    }


def _kept(found: Iterable[JudgedClaim]) -> dict[str, dict[str, Any]]:
    return {cell(f.claim): {name: getattr(f, name) for name in KEPT} for f in found if f.n}


@cache
def measured() -> Mapping[Whose, Mapping[str, Any]]:
    """What is kept."""
    found: dict[Whose, dict[str, Any]] = json.loads(MEASURED.read_text())
    return found


@cache
def findings(paper: str) -> list[JudgedClaim]:
    """A verdict on each number of a paper, by its authors' weights."""
    found = regress(select([paper]), Given({}, {}, RunSpec())).claims
    return [replace(f, **measured()["authors"].get(cell(f.claim), {})) for f in found]


def reproduced(paper: str) -> list[str]:
    """Lines of the table of what was measured of a paper, by whosever weights."""
    found, rows = findings(paper), []
    for f in found:
        own = measured()["own"].get(cell(f.claim))
        if f.measured is None and own is None:
            continue
        value = f.claim.value
        ours = "" if own is None else f"{own['measured']:.{f.claim.decimals}f}"
        rows.append(
            [
                f.claim.table,
                f"{f.claim.row}, {f.claim.column}",
                f"{value:.{f.claim.decimals}f}",
                "" if f.measured is None else f"{f.measured:.{f.claim.decimals}f}",
                "" if f.measured is None else f.verdict,
                ours,
                "" if own is None else f"{own['measured'] - value:+.{f.claim.decimals}f}",
            ]
        )
    verdicts = Counter(f.verdict for f in found)
    said = f"{len(found)} numbers: " + ", ".join(f"{n} {v}" for v, n in verdicts.items()) + "."
    if not rows:
        return [said]
    headings = ["table", "number", "printed", "authors' weights", "verdict", "our weights", "gap"]
    return [said, "", *grid(headings, rows)]


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
    words = [v.word for v in VARIANTS[paper].values() if v.word in DERAINERS]
    rows = [[word, *_card(read_card(WEIGHTS / f"{word}.safetensors"))] for word in words]
    return grid(["derainer", "recipe", "photographs", "rains", "hours", "validation"], rows)


def _card(card: dict[str, Any]) -> list[str]:
    if not card:
        return ["none yet", *[""] * 4]
    recipe, data, judged = card["recipe"], card["trained_on"], card.get("validated_on")
    sets = ", ".join(data["datasets"])
    validation = "not in its card"
    if judged:
        (psnr, ssim), (psnr_now, ssim_now) = (
            (judged[k]["psnr_y_db"], judged[k]["ssim_y"]) for k in ("rainy", "restored")
        )
        validation = f"{psnr:.2f} to {psnr_now:.2f} dB, SSIM-Y {ssim:.3f} to {ssim_now:.3f}"
        validation += f" ({len(judged['photographs'])} photographs)"
    return [
        f"{recipe['kind']}, steps {steps(card)}",
        " ".join(filter(None, (f"{len(data['photographs'])} of", sets, data.get("split")))),
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
    """Measure if data is given, then write the tables into the pages."""
    a = arguments(__doc__, "methods")
    if a.data is not None:
        MEASURED.write_text(json.dumps(measure(a.data, a.workspace), indent=1) + "\n")
    for paper in VARIANTS:
        page = FOLDER / f"{paper}.md"
        page.write_text(filled(page.read_text(), tables(paper)))
    PAGE.write_text(filled(PAGE.read_text(), {name: reproduced(name) for name in PAPERS}))


if __name__ == "__main__":
    main()
