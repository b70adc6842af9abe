"""What the weights in the package are worth: the tables and the plot of docs/weights.md.

    python benchmarks/weights.py [DATA [--workspace DIR] [--out DIR]]

DATA holds bsds500, rain100l, rain100h and real-rain, as docs/weights.yaml names them. All derainers
with weights in the package run on them, beside the median filter, and are timed afterwards; what
the tables need is kept in docs/weights.json, and each card gets its scores. What the workspace
holds is not measured again. Without DATA the tables alone are made anew from there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from harm import KINDS, changes_of, photographs_of
from pages import DOCS, arguments, filled, hours, run_suite, steps

from derainers import DERAINERS, WEIGHTS
from derainers.card import learning, read_card
from derainers.shards import shards
from derainers.training.benchmark import BENCHMARK
from harness.checks.costs import measure
from harness.checks.papers import select
from reports.plots.figure import Plot, legend_below, panels, style
from reports.plots.scatter import draw_front
from reports.results.conditions import floors
from reports.results.intervals import interval
from reports.results.results import Results
from reports.tables.text import grid, signed, span

SUITE, KEPT, PAGE, PLOT = (DOCS / f"weights.{ending}" for ending in ("yaml", "json", "md", "svg"))
OURS = tuple(name for name, row in DERAINERS.items() if row.weights is not None)
PSNR = "psnr_y_db"
DECIMALS = 2
"""Places after the point of decibels."""
FOOTING = "prenet"
"""The network of another paper that those of the same protocol are set against."""
SIZE_PX = (481, 321)
"""Width and height of the photographs, for the timing."""
PAIRS = ("rain100l", "rain100h")
PRINTED = {
    "granet": ("granet:1", "GraNet"),
    "granet-rain100l": ("granet:1", "GraNet"),
    "mspfn": ("mspfn:4", "MSPFN M17N1"),
    "mspfn-light": ("mspfn:4", "MSPFN M17N1"),
    "dcsfn": ("dcsfn:1", "DCSFN"),
    "dcsfn-light": ("dcsfn:1", "DCSFN"),
}
"""Where a paper prints its own PSNR on Rain100L and Rain100H, and what it calls its method; MSCG's
poster and the heavy-rain paper have none."""

Interval = tuple[float, float] | None
Kept = Mapping[str, Any]


def kept(found: Mapping[str, Results], real_rain: Path) -> dict[str, Any]:
    """What the tables need of the runs, by their names in the suite."""
    derainers = ("median", *OURS)
    photographs, scenes = found["photographs"], found["scenes"]
    runs = {rainy.rain: run for run in (photographs, scenes) for rainy in floors(run)}
    both = [rain for rain in BENCHMARK.rains if rain in runs]
    parts = {
        "seen": [rain for rain in both if runs[rain] is photographs],
        "unseen": list(BENCHMARK.held_out_rains),
    }
    real = photographs_of(real_rain)
    costs = {cost.derainer: cost for cost in measure(derainers, [SIZE_PX])}
    return {
        "weights": {r.derainer: r.weights for r in photographs.records if r.weights},
        "n": {name: max(r.n for r in run.records) for name, run in found.items()},
        "rains": {**parts, "of scenes": [rain for rain in both if runs[rain] is scenes]},
        "rainy": {rain: _value(run, rain, "identity", PSNR) for rain, run in runs.items()},
        "clean": {d: _value(photographs, "none", d, PSNR) for d in derainers},
        "gains": {
            d: {rain: _gain(run, [rain], d) for rain, run in runs.items()} for d in derainers
        },
        "means": {
            d: {part: _gain(photographs, of, d) for part, of in parts.items()} for d in derainers
        },
        "footing": {
            d: {part: _gain(photographs, of, d, FOOTING) for part, of in parts.items()}
            for d in OURS
            if d != FOOTING and under_protocol(d) and under_protocol(FOOTING)
        },
        "parameters": {d: costs[d].parameters for d in derainers},
        "seconds": {d: costs[d].median_s("1") for d in derainers},
        "pairs": {name: _pairs(found[name], derainers) for name in PAIRS},
        "pairs_gains": {
            name: {d: _gain(found[name], ["given"], d) for d in derainers} for name in PAIRS
        },
        "harm": {d: changes_of(d, real) for d in derainers},
    }


def under_protocol(name: str) -> bool:
    """Whether weights of the package were trained by ``--recipe benchmark``."""
    return bool(_card(name).get("recipe", {}).get("kind") == "benchmark")


def _card(name: str) -> dict[str, Any]:
    file = DERAINERS[name].weights
    assert file is not None
    return read_card(file)


def _pairs(results: Results, derainers: Sequence[str]) -> dict[str, dict[str, float]]:
    return {
        d: {r.metric: r.value for r in results.records if r.derainer == d and r.value is not None}
        for d in ("identity", *derainers)
    }


def _value(results: Results, rain: str, derainer: str, metric: str) -> float | None:
    return results.value(rain, derainer, "quality", metric).value


def _gain(
    results: Results, names: Sequence[str], derainer: str, over: str = "identity"
) -> tuple[float, Interval]:
    """Mean gain over the rainy input, or another derainer, over some rains; resampled together."""
    gains, draws = [], []
    for rain in names:
        floor, restored = (results.value(rain, d, "quality", PSNR) for d in (over, derainer))
        assert floor.value is not None
        assert restored.value is not None
        gains.append(restored.value - floor.value)
        draws.append(results.draws[restored.cell] - results.draws[floor.cell])
    return float(np.mean(gains)), interval(np.mean(draws, 0), results.groups(restored.n))


def weights(now: Kept) -> list[str]:
    """What there is and how it came about."""
    rows = []
    for name in OURS:
        card, file = _card(name), DERAINERS[name].weights
        assert file is not None
        seen = f"{card['crops_seen']:,}" if "crops_seen" in card else f"{steps(card)} steps"
        rows.append(
            [
                name,
                f"{now['parameters'][name] / 1e6:.2f}",
                f"{sum(shard.stat().st_size for shard in shards(file)) / 1e6:.1f}",
                "benchmark" if under_protocol(name) else card["recipe"]["kind"],
                seen,
                hours(card),
                learning(card) or "",
            ]
        )
    units = ["parameters [10⁶]", "MB", "recipe", "crops seen", "hours"]
    return grid(["derainer", *units, "not done"], rows)


def zoo(now: Kept) -> list[str]:
    """One row a derainer: what it gains, leaves, changes and costs."""
    rows = []
    for d, means in now["means"].items():
        pairs = [_change(now["pairs_gains"][name][d]) for name in PAIRS]
        gains = [_change(means[part]) for part in ("seen", "unseen")]
        clean, harm = f"{now['clean'][d]:.2f}", f"{now['harm'][d]['all']:.2f}"
        rows.append([d, *gains, *pairs, clean, harm, f"{now['seconds'][d]:.2g}"])
    headings = ["", "seen rains [dB]", "unseen rains [dB]", "Rain100L [dB]", "Rain100H [dB]"]
    return grid([*headings, "clean images [dB]", "harm [levels]", "s an image"], rows)


def gains_seen(now: Kept) -> list[str]:
    """Gain in dB under the rains of the protocol, ° where these weights did not see it."""
    names = [*now["rains"]["seen"], *now["rains"]["of scenes"]]
    return grid(*_gains(now, names, marked=True))


def gains_unseen(now: Kept) -> list[str]:
    """The same under rains that none was trained on."""
    return grid(*_gains(now, now["rains"]["unseen"], marked=False))


def _gains(now: Kept, names: Sequence[str], marked: bool) -> tuple[list[str], list[list[str]]]:
    rows = [["rainy input [dB]", *(f"{now['rainy'][rain]:.2f}" for rain in names)]]
    for d, gains in now["gains"].items():
        known = _card(d)["trained_on"]["rain_digests"] if d in OURS else names
        signs = ["°" if marked and rain not in known else "" for rain in names]
        cells = [_change(gains[rain]) + sign for rain, sign in zip(names, signs, strict=True)]
        rows.append([d, *cells])
    return ["", *names], rows


def footing(now: Kept) -> list[str]:
    """Those of one protocol against the network of another paper."""
    parts = ("seen", "unseen")
    rows = [[d, *(_change(means[p]) for p in parts)] for d, means in now["footing"].items()]
    return grid(["", *(f"over {FOOTING}, {part} rains [dB]" for part in parts)], rows)


def pairs(now: Kept) -> list[str]:
    """On the real pairs, beside print."""
    rows = []
    for data in PAIRS:
        for d, values in now["pairs"][data].items():
            rainy = d == "identity"
            row = [data, "rainy input" if rainy else d, f"{values[PSNR]:.2f}"]
            row += [f"{values['ssim_y']:.3f}"]
            row += ["" if rainy else _change(now["pairs_gains"][data][d])]
            rows.append([*row, *_printed(data, d, values)])
    headings = ["", "", "PSNR-Y [dB]", "SSIM-Y", "gain [dB]"]
    return grid([*headings, "in the paper's protocol [dB]", "printed [dB]", "distance [dB]"], rows)


def _printed(data: str, derainer: str, values: Mapping[str, float]) -> list[str]:
    if derainer not in PRINTED:
        return ["", "", ""]
    table, method = PRINTED[derainer]
    (claim,) = (
        c
        for c in select([table])
        if c.dataset == data and c.method == method and c.metric.startswith("psnr")
    )
    return [
        f"{values[claim.metric]:.2f} ({claim.metric})",
        f"{claim.value} ({claim.split})",
        signed(values[claim.metric] - claim.value, DECIMALS),
    ]


def harm(now: Kept) -> list[str]:
    """Change where there is no streak, see benchmarks/harm.py."""
    rows = [[d, *(f"{value:.2f}" for value in found.values())] for d, found in now["harm"].items()]
    return grid(["", "all 30", *(f"{kind}s" for kind in KINDS), "worst crop"], rows)


def _change(found: tuple[float, Interval]) -> str:
    mean, ci = found
    return signed(mean, DECIMALS) + ("" if ci is None else " " + span((ci[0], ci[1]), DECIMALS))


def plot(now: Kept) -> bytes:
    """Seconds an image against the mean gain of networks, seen and unseen rain apart, as SVG."""
    networks = [d for d in now["means"] if d != "median"]
    figure, drawn = panels(2, 4.2, 3.6, sharey=True)
    for panel, part in zip(drawn, ("seen", "unseen"), strict=True):
        for place, d in enumerate(networks):
            (gain, (low, high)), seconds = now["means"][d][part], now["seconds"][d]
            shape = style(place)
            panel.errorbar(
                seconds, gain, [[gain - low], [high - gain]], ls="", capsize=3, label=d, **shape
            )
        draw_front(panel, [(now["seconds"][d], now["means"][d][part][0]) for d in networks])
        panel.set_xlim(left=0)
        panel.set_title(f"{part}: {len(now['rains'][part])} rains")
        panel.set_xlabel("s an image")
    drawn[0].set_ylabel("mean gain in PSNR-Y [dB]")
    legend_below(figure)
    return Plot("weights", "", figure, "", "").svg


def scores(now: Kept, name: str) -> dict[str, Any]:
    """What a card says of its weights."""
    psnr = {r: round(now["rainy"][r] + gain, 2) for r, (gain, _) in now["gains"][name].items()}
    of_scenes = {rain: psnr.pop(rain) for rain in now["rains"]["of scenes"]}
    found: dict[str, Any] = {
        "bsds500 test": {
            "photographs": now["n"]["photographs"],
            PSNR: {"none": round(now["clean"][name], 2), **psnr},
        },
        "streetsim val": {"scenes": now["n"]["scenes"], PSNR: of_scenes},
    }
    for data in PAIRS:
        values = {metric: round(now["pairs"][data][name][metric], 4) for metric in (PSNR, "ssim_y")}
        found[data] = {"images": now["n"][data], **values}
    return found


def tables(now: Kept) -> dict[str, list[str]]:
    """Every table of the page by its name."""
    makers = (weights, zoo, gains_seen, gains_unseen, footing, pairs, harm)
    return {make.__name__: make(now) for make in makers}


def main() -> None:
    """Make the runs if data is given, then tables and plot."""
    a = arguments(__doc__, "weights")
    if a.data is not None:
        words = ["--derainer", ",".join(["identity", "median", *OURS])]
        found = run_suite(SUITE, a.data, a.workspace, a.out, words)
        now = kept(found, a.data / "real-rain")
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
