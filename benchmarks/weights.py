"""What the weights in the package are worth: the tables and the plot of docs/weights.md.

    python benchmarks/weights.py [DATA [--workspace DIR] [--out DIR]]

DATA holds bsds500 and rain100l, as docs/weights.yaml names them. All derainers with weights in the
package run on them, beside the median filter, and are timed afterwards; what the tables need is
kept in docs/weights.json, and each card gets its scores. Without DATA the tables alone are made
anew from there.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from pages import DOCS, arguments, filled, hours, run_suite, steps

from derainers import DERAINERS, WEIGHTS
from derainers.card import read_card
from derainers.shards import shards
from harness.checks.costs import measure
from harness.checks.papers import select
from harness.training.derainer import MIXTURE
from reports.plots.figure import Plot, legend_below, panels, style
from reports.plots.scatter import draw_front
from reports.results.conditions import floors
from reports.results.intervals import interval
from reports.results.results import Results
from reports.tables.text import grid, signed, span

SUITE, KEPT, PAGE, PLOT = (DOCS / f"weights.{ending}" for ending in ("yaml", "json", "md", "svg"))
CARDS = {name: read_card(row.weights) for name, row in DERAINERS.items() if row.weights is not None}
BY_PROTOCOL = tuple(n for n, card in CARDS.items() if card["recipe"].get("kind") == "benchmark")
"""Compared with each other by their validation; the runs of the suite are of all others."""
OURS = tuple(name for name in CARDS if name not in BY_PROTOCOL)
PSNR = "psnr_y_db"
DECIMALS = 2
"""Places after the point of decibels."""
FOOTING = "prenet"
"""The network of another paper that the five methods are set against on equal footing."""
SIZE_PX = (481, 321)
"""Width and height of the photographs, for the timing."""
PRINTED = {
    "granet": ("granet:1", "GraNet"),
    "granet-rain100l": ("granet:1", "GraNet"),
    "mspfn-light": ("mspfn:4", "MSPFN M17N1"),
    "mspfn-streetsim": ("mspfn:4", "MSPFN M17N1"),
    "dcsfn-light": ("dcsfn:1", "DCSFN"),
}
"""Where a paper prints its own PSNR on Rain100L, and what it calls its method; MSCG's poster and
the heavy-rain paper have none."""

Interval = tuple[float, float] | None


def kept(photographs: Results, pairs: Results) -> dict[str, Any]:
    """What the tables need of the two runs."""
    derainers = ("median", *OURS)
    rains = [rainy.rain for rainy in floors(photographs)]
    parts = {
        "seen": list(MIXTURE),
        "unseen": [rain for rain in rains if rain not in MIXTURE],
    }
    return {
        "weights": {r.derainer: r.weights for r in photographs.records if r.weights},
        "n": max(r.n for r in photographs.records),
        "rains": parts,
        "rainy": {r: _value(photographs, r, "identity", PSNR) for r in rains},
        "clean": {d: _value(photographs, "none", d, PSNR) for d in derainers},
        "gains": {d: {rain: _gain(photographs, [rain], d) for rain in rains} for d in derainers},
        "means": {
            d: {part: _gain(photographs, of, d) for part, of in parts.items()} for d in derainers
        },
        "footing": {
            d: {part: _gain(photographs, of, d, FOOTING) for part, of in parts.items()}
            for d in derainers
            if d not in ("median", FOOTING)
        },
        "seconds": {cost.derainer: cost.median_s("1") for cost in measure(derainers, [SIZE_PX])},
        "pairs": {
            d: {
                metric: _value(pairs, "given", d, metric)
                for metric in dict.fromkeys(r.metric for r in pairs.records)
                if any(r.derainer == d and r.metric == metric for r in pairs.records)
            }
            for d in ("identity", *derainers)
        },
        "pairs_n": max(r.n for r in pairs.records),
        "pairs_gains": {d: _gain(pairs, ["given"], d) for d in derainers},
    }


def _value(results: Results, rain: str, derainer: str, metric: str) -> float | None:
    return results.value(rain, derainer, "quality", metric).value


def _gain(
    results: Results, names: Sequence[str], derainer: str, over: str = "identity"
) -> tuple[float, Interval]:
    """Mean gain over the rainy input, or another derainer, over some rains; resampled together."""
    gains, draws = [], []
    restored = None
    for rain in names:
        floor, restored = (results.value(rain, d, "quality", PSNR) for d in (over, derainer))
        assert floor.value is not None
        assert restored.value is not None
        gains.append(restored.value - floor.value)
        draws.append(results.draws[restored.cell] - results.draws[floor.cell])
    assert restored is not None
    return float(np.mean(gains)), interval(np.mean(draws, 0), results.groups(restored.n))


def weights(now: dict[str, Any]) -> list[str]:
    """What there is and how it came about."""
    rows = []
    for name in OURS:
        card = CARDS[name]
        data = card["trained_on"]
        file = DERAINERS[name].weights
        assert file is not None
        rows.append(
            [
                name,
                f"{sum(shard.stat().st_size for shard in shards(file)) / 1e6:.1f}",
                f"{len(data['photographs'])} of {', '.join(data['datasets'])} {data['split']}",
                steps(card),
                hours(card),
                card["hardware"],
            ]
        )
    return grid(["derainer", "MB", "images", "steps", "hours", "hardware"], rows)


def protocol(now: dict[str, Any]) -> list[str]:
    """The rows of `--recipe benchmark`, by what their validation gave."""
    rows = []
    for name in sorted(BY_PROTOCOL, key=lambda n: -_restored(n)[PSNR]):
        card, restored = CARDS[name], _restored(name)
        gain = restored[PSNR] - card["validated_on"]["rainy"][PSNR]
        rows.append(
            [
                name,
                f"{restored['crops']:,} of {card['crops']:,}",
                f"{restored[PSNR]:.2f}",
                signed(gain, DECIMALS),
                "–" if card["last_quarter_db"] is None else signed(card["last_quarter_db"], 2),
                "yes" if card["converged"] else "no",
                f"{card['hours']:.2f}",
                card["hardware"],
            ]
        )
    headings = ["derainer", "crops", "PSNR-Y [dB]", "gain [dB]", "last quarter [dB]", "converged"]
    return grid([*headings, "hours", "hardware"], rows)


def _restored(name: str) -> dict[str, Any]:
    """What the validation that chose the weights gave."""
    found: dict[str, Any] = CARDS[name]["validated_on"]["restored"]
    return found


def gains_seen(now: dict[str, Any]) -> list[str]:
    """Gain in dB under the rains of the mixture, and what deraining leaves of clean images."""
    headings, (rainy, *rows) = _gains(now, now["rains"]["seen"])
    rows = [[*row, f"{now['clean'][row[0]]:.2f}"] for row in rows]
    return grid([*headings, "clean images [dB]"], [[*rainy, ""], *rows])


def gains_unseen(now: dict[str, Any]) -> list[str]:
    """The same under rains that none was trained on."""
    return grid(*_gains(now, now["rains"]["unseen"]))


def _gains(now: dict[str, Any], names: Sequence[str]) -> tuple[list[str], list[list[str]]]:
    rows = [["rainy input [dB]", *(f"{now['rainy'][rain]:.2f}" for rain in names)]]
    rows += [[d, *(_change(gains[rain]) for rain in names)] for d, gains in now["gains"].items()]
    return ["", *names], rows


def ranking(now: dict[str, Any]) -> list[str]:
    """By the mean gain, seen and unseen rain apart, with what it takes."""
    order = sorted(now["means"], key=lambda d: -now["means"][d]["seen"][0])
    rows = [
        [d, *(_change(now["means"][d][p]) for p in now["rains"]), f"{now['seconds'][d]:.2g}"]
        for d in order
    ]
    return grid(["derainer", "mean gain, mixture [dB]", "unseen [dB]", "s an image"], rows)


def footing(now: dict[str, Any]) -> list[str]:
    """Each method against the network of another paper on the same photographs and rains."""
    rows = [
        [d, *(_change(means[part]) for part in now["rains"])] for d, means in now["footing"].items()
    ]
    return grid(["", f"over {FOOTING}, mixture [dB]", "unseen [dB]"], rows)


def rain100l(now: dict[str, Any]) -> list[str]:
    """On the real pairs, beside print."""
    rows = []
    for d, values in now["pairs"].items():
        row = [
            "rainy input" if d == "identity" else d,
            f"{values[PSNR]:.2f}",
            f"{values['ssim_y']:.3f}",
            "" if d == "identity" else _change(now["pairs_gains"][d]),
        ]
        rows.append([*row, *_printed(d, values)])
    headings = ["", "PSNR-Y [dB]", "SSIM-Y", "gain [dB]"]
    return grid([*headings, "in the paper's protocol [dB]", "printed [dB]", "distance [dB]"], rows)


def _printed(derainer: str, values: dict[str, float]) -> list[str]:
    if derainer not in PRINTED:
        return ["", "", ""]
    table, method = PRINTED[derainer]
    (claim,) = (
        c
        for c in select([table])
        if c.dataset == "rain100l" and c.method == method and c.metric.startswith("psnr")
    )
    return [
        f"{values[claim.metric]:.2f} ({claim.metric})",
        f"{claim.value} ({claim.split})",
        signed(values[claim.metric] - claim.value, DECIMALS),
    ]


def _change(found: tuple[float, Interval]) -> str:
    mean, ci = found
    return signed(mean, DECIMALS) + ("" if ci is None else " " + span((ci[0], ci[1]), DECIMALS))


def plot(now: dict[str, Any]) -> bytes:
    """Seconds an image against the mean gain of networks, seen and unseen rain apart, as SVG."""
    networks = [d for d in now["means"] if d != "median"]
    figure, drawn = panels(2, 4.2, 3.6, sharey=True)
    for panel, (part, of) in zip(drawn, now["rains"].items(), strict=True):
        for place, d in enumerate(networks):
            (gain, (low, high)), seconds = now["means"][d][part], now["seconds"][d]
            shape = style(place)
            panel.errorbar(
                seconds, gain, [[gain - low], [high - gain]], ls="", capsize=3, label=d, **shape
            )
        draw_front(panel, [(now["seconds"][d], now["means"][d][part][0]) for d in networks])
        panel.set_xlim(left=0)
        panel.set_title(f"{part}: {len(of)} rains")
        panel.set_xlabel("s an image")
    drawn[0].set_ylabel("mean gain in PSNR-Y [dB]")
    legend_below(figure)
    return Plot("weights", "", figure, "", "", "").svg


def scores(now: dict[str, Any], name: str) -> dict[str, Any]:
    """What a card says of its weights."""
    psnr = {r: round(now["rainy"][r] + gain, 2) for r, (gain, _) in now["gains"][name].items()}
    pairs = {metric: round(now["pairs"][name][metric], 4) for metric in (PSNR, "ssim_y")}
    return {
        "bsds500 test": {
            "photographs": now["n"],
            PSNR: {"none": round(now["clean"][name], 2), **psnr},
        },
        "rain100l": {"images": now["pairs_n"], **pairs},
    }


def tables(now: dict[str, Any]) -> dict[str, list[str]]:
    """Every table of the page by its name."""
    makers = (weights, protocol, gains_seen, gains_unseen, ranking, footing, rain100l)
    return {make.__name__: make(now) for make in makers}


def main() -> None:
    """Make the runs if data is given, then tables and plot."""
    a = arguments(__doc__, "weights")
    if a.data is not None:
        words = ["--derainer", ",".join(["identity", "median", *OURS])]
        found = run_suite(SUITE, a.data, a.workspace, a.out, words)
        now = kept(found["photographs"], found["rain100l"])
        KEPT.write_text(json.dumps(now, indent=1) + "\n")
    now = json.loads(KEPT.read_text())
    PAGE.write_text(filled(PAGE.read_text(), tables(now)))
    PLOT.write_bytes(plot(now))
    for name in OURS:
        file = WEIGHTS / f"{name}.json"
        card = {**json.loads(file.read_text()), "scores": scores(now, name)}
        file.write_text(json.dumps(card, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
