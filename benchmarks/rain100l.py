"""The tables of docs/rain100l.md: authors' weights on Rain100L and Rain100H.

    python benchmarks/rain100l.py [DATA [--workspace DIR] [--out DIR]]

DATA holds rain100l, rain100h and weights, as docs/rain100l.yaml names them. What is in the
workspace is not measured again, so that a stopped run goes on. What the tables need is kept in
docs/rain100l.json; without DATA the tables alone are made anew from there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from pages import DOCS, arguments, filled, run_suite

from derainers.published import PUBLISHED
from reports.results.results import Results
from reports.tables.text import grid

SUITE, KEPT, PAGE = (DOCS / f"rain100l.{ending}" for ending in ("yaml", "json", "md"))
TEN = "-ten"
"""Ends the names of the runs of ten pairs, whose rows stand in the same tables."""
PROTOCOLS = {"prenet": "@prenet", "pil-y": "@pil-y", "matlab-y": ""}
"""What the names of metrics end in."""
PRINTED = {
    ("rain100l", "prn-r-rain100l"): "36.11 / 0.973 (prenet)",
    ("rain100l", "prn-rain100l"): "36.99 / 0.977 (prenet)",
    ("rain100l", "prenet-r-rain100l"): "37.10 / 0.977 (prenet)",
    ("rain100l", "prenet-rain100l"): "37.48 / 0.979 (prenet)",
    ("rain100l", "nledn-rain100l"): "36.57 / 0.9747 (pil-y)",
    ("rain100l", "vrgnet-rain100l"): "36.94 / 0.975 (prenet)",
    ("rain100h", "prenet-rain100h"): "29.46 / 0.899 (prenet)",
    ("rain100h", "vrgnet-rain100h"): "30.08 / 0.887 (prenet)",
}
"""PSNR [dB] and SSIM in print by set and weights, with the protocol in which they were made: README
of PReNet's repository, Table 3 of VRGNet's paper, Table 1 of GraNet's."""

Kept = Mapping[str, Any]


def kept(results: Results) -> dict[str, Any]:
    """What a table needs of a run: each derainer's numbers, named as its weights are."""
    names = {file.sha256: name for name, file in PUBLISHED.items()}
    rows: dict[str, dict[str, float | None]] = {}
    for record in results.records:
        if record.rain != "given":
            continue
        name = names.get(record.weights or "", record.derainer)
        rows.setdefault(name, {"n": record.n})[record.metric] = record.value
    return rows


def merged(found: Mapping[str, Results]) -> dict[str, dict[str, Any]]:
    """The rows of each set: those of ten pairs behind the others, without a rainy input."""
    now = {data: kept(results) for data, results in found.items() if not data.endswith(TEN)}
    for data, rows in now.items():
        few = kept(found[data + TEN])
        rows |= {name: row for name, row in few.items() if name != "identity"}
    return now


def table(data: str, now: Kept) -> list[str]:
    """Lines of the table of one set: PSNR-Y and SSIM-Y in each protocol, beside print."""
    rows = []
    for name, values in now.items():
        title = "rainy input" if name == "identity" else name
        cells = [
            f"{values[f'psnr_y_db{suffix}']:.3f} / {values[f'ssim_y{suffix}']:.4f}"
            for suffix in PROTOCOLS.values()
        ]
        rows.append([title, f"{values['n']}", PRINTED.get((data, name), "–"), *cells])
    return grid(["", "pairs", "printed", *PROTOCOLS], rows)


def tables(now: Mapping[str, Kept]) -> dict[str, Sequence[str]]:
    """Every table of the page by its name."""
    return {data: table(data, part) for data, part in now.items()}


def main() -> None:
    """Make the runs if data is given, then the tables."""
    a = arguments(__doc__, "rain100l")
    if a.data is not None:
        found = run_suite(SUITE, a.data, a.workspace, a.out)
        KEPT.write_text(json.dumps(merged(found), indent=1) + "\n")
    PAGE.write_text(filled(PAGE.read_text(), tables(json.loads(KEPT.read_text()))))


if __name__ == "__main__":
    main()
