"""The tables and the plot of docs/weights.md, of what benchmarks/weights.py keeps."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import harm
import numpy as np
from numpy.typing import NDArray
from pages import DOCS, hours, steps

from derainers import DERAINERS
from derainers.card import read_card
from derainers.shards import shards
from derainers.training.benchmark import BENCHMARK
from harness.checks.papers import select
from harness.scores.replicates import resample_counts
from harness.training.derainer import MIXTURE
from reports.plots.figure import Plot, legend_below, panels, style
from reports.plots.scatter import draw_front
from reports.results.intervals import interval
from reports.tables.text import grid, signed, span

KEPT, PAGE, PLOT = (DOCS / f"weights.{ending}" for ending in ("json", "md", "svg"))
AUTHORS = DOCS / "rain100l.json"
"""What authors' weights give on both sets of pairs, see benchmarks/rain100l.py."""
Kept = Mapping[str, Any]
CARDS = {name: read_card(row.weights) for name, row in DERAINERS.items() if row.weights is not None}
OURS = tuple(CARDS)
BY_PROTOCOL = tuple(n for n, card in CARDS.items() if card["recipe"].get("kind") == "benchmark")
PSNR = "psnr_y_db"
DECIMALS = 2
"""Places after the point of decibels."""
FOOTING = "prenet-benchmark"
"""The network of another paper that those of the protocol are set against."""
SIZE_PX = (481, 321)
"""Width and height of the photographs, for the timing."""
Cell = tuple[str, str]
"""A run of docs/weights.yaml, and a rain of it."""
CLEAN: Cell = ("photographs", "none")
WET: Cell = ("scenes", "real-like+overcast+wet+lens")
"""Wet ground needs distances, which photographs lack."""
SIX: tuple[Cell, ...] = tuple(("photographs", rain) for rain in MIXTURE)
"""What every network but the specialists learned from."""
REAL: tuple[Cell, ...] = (
    *(("photographs", r) for r in BENCHMARK.rains if r not in ("none", *MIXTURE, WET[1])),
    WET,
)
"""What those of the protocol learned from beside them."""
PAIRS: tuple[Cell, ...] = (("rain100l", "given"), ("rain100h", "given"))
PRINTED = {
    "granet": ("granet:1", "GraNet"),
    "prenet": ("baselines:prenet", "PReNet"),
    "nledn": ("granet:1", "NLEDN"),
    "rescan": ("mspfn:4", "RESCAN"),
    **dict.fromkeys(("mspfn", "mspfn-light"), ("mspfn:4", "MSPFN M17N1")),
    **dict.fromkeys(("dcsfn", "dcsfn-light"), ("dcsfn:1", "DCSFN")),
}
"""Table and name of a network where PSNR is printed for both sets of pairs; MSCG's poster and the
heavy-rain paper print none."""

Interval = tuple[float, float] | None


def new(now: Kept) -> tuple[Cell, ...]:
    """The rains that none of the protocol's networks learned from."""
    rains = now["derainers"]["identity"][PSNR]["photographs"]
    known = {"none", *(rain for _, rain in (*SIX, *REAL))}
    return tuple(("photographs", rain) for rain in rains if rain not in known)


def values(now: Kept, derainer: str, cell: Cell) -> NDArray[np.float64]:
    """PSNR-Y of each image; NaN where it equals its reference."""
    run, rain = cell
    found = now["derainers"][derainer][PSNR][run][rain]
    return np.array([np.nan if value is None else value for value in found])


@cache
def _counts(run: str, units: tuple[str, ...]) -> NDArray[np.float64]:
    return resample_counts(run, units).astype(np.float64)


def gain(
    now: Kept, derainer: str, cells: Sequence[Cell], over: str = "identity"
) -> tuple[float, Interval]:
    """Mean gain over the input, or another derainer, and its interval; a photograph is a unit.

    Sets of photographs are resampled apart, the rains on one set together.
    """
    means, draws = [], []
    for cell in cells:
        units = tuple(now["units"][cell[0]])
        counts = _counts(cell[0], units)
        difference = values(now, derainer, cell) - values(now, over, cell)
        means.append(difference.mean())
        draws.append(counts @ difference / counts.sum(1))
    groups = min(len(set(now["units"][run])) for run, _ in cells)
    return float(np.mean(means)), interval(np.mean(draws, 0), groups)


def missing(now: Kept) -> list[str]:
    """Which weights of the package are not in the tables of gains yet."""
    names = [f"`{name}`" for name in OURS if name not in now["derainers"]]
    if not names:
        return []
    return [f"Not measured by these tables yet: {', '.join(names)}."]


def weights(now: Kept) -> list[str]:
    """What there is by recipes of its own, and how it came about."""
    rows = []
    for name in (n for n in OURS if n not in BY_PROTOCOL):
        card = CARDS[name]
        data = card["trained_on"]
        source = f"{len(data['photographs'])} of {', '.join(data['datasets'])} {data['split']}"
        rows.append(
            [name, _megabytes(name), source, steps(card), hours(card), card["hardware"]],
        )
    return grid(["derainer", "MB", "images", "steps", "hours", "hardware"], rows)


def _megabytes(name: str) -> str:
    file = DERAINERS[name].weights
    assert file is not None
    return f"{sum(shard.stat().st_size for shard in shards(file)) / 1e6:.1f}"


def protocol(now: Kept) -> list[str]:
    """The rows of `--recipe benchmark`, by what their validation gave."""
    rows = []
    for name in sorted(BY_PROTOCOL, key=lambda n: -_restored(n)[PSNR]):
        card, restored = CARDS[name], _restored(name)
        risen = restored[PSNR] - card["validated_on"]["rainy"][PSNR]
        rows.append(
            [
                name,
                _megabytes(name),
                f"{restored['crops']:,} of {card['crops']:,}",
                f"{restored[PSNR]:.2f}",
                signed(risen, DECIMALS),
                "–" if card["last_quarter_db"] is None else signed(card["last_quarter_db"], 2),
                "yes" if card["converged"] else "no",
                f"{card['hours']:.2f}",
                card["hardware"],
            ]
        )
    headings = ["derainer", "MB", "crops", "PSNR-Y [dB]", "gain [dB]", "last quarter [dB]"]
    return grid([*headings, "converged", "hours", "hardware"], rows)


def _restored(name: str) -> dict[str, Any]:
    """What the validation that chose the weights gave."""
    found: dict[str, Any] = CARDS[name]["validated_on"]["restored"]
    return found


def _derained(now: Kept) -> list[str]:
    return [name for name in now["derainers"] if name != "identity"]


def gains_six(now: Kept) -> list[str]:
    """Gain in dB under the six rains of the mixture, and what deraining leaves of clean images."""
    headings, (rainy, *rows) = _gains(now, SIX)
    rows = [[*row, f"{np.nanmean(values(now, row[0], CLEAN)):.2f}"] for row in rows]
    return grid([*headings, "clean images [dB]"], [[*rainy, ""], *rows])


def gains_real(now: Kept) -> list[str]:
    """The same under the rains that the protocol has beside them."""
    return grid(*_gains(now, REAL))


def gains_new(now: Kept) -> list[str]:
    """The same under rains that none was trained on."""
    return grid(*_gains(now, new(now)))


def _gains(now: Kept, cells: Sequence[Cell]) -> tuple[list[str], list[list[str]]]:
    rainy = [f"{values(now, 'identity', cell).mean():.2f}" for cell in cells]
    rows = [["rainy input [dB]", *rainy]]
    rows += [[d, *(_change(gain(now, d, [cell])) for cell in cells)] for d in _derained(now)]
    return ["", *(rain for _, rain in cells)], rows


def ranking(now: Kept) -> list[str]:
    """By the mean gain under the six, with what it takes."""
    parts = (SIX, new(now))
    rows = []
    for d in sorted(_derained(now), key=lambda d: -gain(now, d, SIX)[0]):
        cost = now["cost"].get(d, {})
        shown = [
            "" if cost.get(key) is None else form.format(cost[key] / unit)
            for key, form, unit in (("seconds", "{:.2g}", 1), ("multiply_adds", "{:.0f}", 1e9))
        ]
        rows.append([d, *(_change(gain(now, d, cells)) for cells in parts), *shown])
    headings = ["derainer", "mean gain, mixture [dB]", "new rains [dB]", "s an image", "GMAC"]
    return grid(headings, rows)


def footing(now: Kept) -> list[str]:
    """Each network of the protocol against PReNet by the same protocol."""
    parts = ((*SIX, *REAL), new(now), PAIRS[:1], PAIRS[1:])
    rows = [
        [d, *(_change(gain(now, d, cells, FOOTING)) for cells in parts)]
        for d in _derained(now)
        if d in BY_PROTOCOL and d != FOOTING and FOOTING in now["derainers"]
    ]
    headings = [f"over {FOOTING} [dB]:", "rains of the protocol", "new rains"]
    return grid([*headings, "Rain100L", "Rain100H"], rows)


def rain100l(now: Kept) -> list[str]:
    """On the real pairs of the one set, beside print."""
    return _pairs(now, PAIRS[0])


def rain100h(now: Kept) -> list[str]:
    """On those of the other."""
    return _pairs(now, PAIRS[1])


def _pairs(now: Kept, cell: Cell) -> list[str]:
    rows = []
    for d, of in now["derainers"].items():
        means = of["means"][cell[0]]
        row = [
            "rainy input" if d == "identity" else d,
            f"{means[PSNR]:.2f}",
            f"{means['ssim_y']:.3f}",
            "" if d == "identity" else _change(gain(now, d, [cell])),
        ]
        rows.append([*row, *_printed(d, cell[0], means)])
    theirs = json.loads(AUTHORS.read_text())[cell[0]][f"prenet-{cell[0]}"]
    learned = f"prenet-{cell[0]}, its authors' weights"
    rows.append([learned, f"{theirs[PSNR]:.2f}", f"{theirs['ssim_y']:.3f}", *[""] * 4])
    headings = ["", "PSNR-Y [dB]", "SSIM-Y", "gain [dB]"]
    return grid([*headings, "in the paper's protocol [dB]", "printed [dB]", "distance [dB]"], rows)


def _printed(derainer: str, run: str, means: Mapping[str, float]) -> list[str]:
    network = CARDS[derainer]["network"] if derainer in CARDS else None
    if network not in PRINTED:
        return ["", "", ""]
    table, method = PRINTED[network]
    (claim,) = (
        c
        for c in select([table])
        if c.dataset == run and c.method == method and c.metric.startswith("psnr")
    )
    return [
        f"{means[claim.metric]:.2f} ({claim.metric})",
        f"{claim.value} ({claim.split})",
        signed(means[claim.metric] - claim.value, DECIMALS),
    ]


def harmed(now: Kept) -> list[str]:
    """Change of real rainy photographs outside streaks."""
    found = {
        d: [harm.Change(*each) for each in now["derainers"][d]["harm"]] for d in _derained(now)
    }
    rows = [harm.row(d, each) for d, each in found.items()]
    return grid(list(harm.HEADINGS), rows)


def _change(found: tuple[float, Interval]) -> str:
    mean, ci = found
    return signed(mean, DECIMALS) + ("" if ci is None else " " + span((ci[0], ci[1]), DECIMALS))


def plot(now: Kept) -> bytes:
    """Seconds an image against the mean gain of networks, as SVG."""
    networks = [d for d in _derained(now) if d in OURS and d in now["cost"]]
    figure, drawn = panels(2, 4.2, 3.6)
    parts = {"six rains that all learned": SIX, "rains that none learned": new(now)}
    for panel, (title, cells) in zip(drawn, parts.items(), strict=True):
        gains = {d: gain(now, d, cells) for d in networks}
        seconds = {d: now["cost"][d]["seconds"] for d in networks}
        for place, d in enumerate(networks):
            value, ci = gains[d]
            low, high = ci or (value, value)
            panel.errorbar(
                seconds[d],
                value,
                [[value - low], [high - value]],
                ls="",
                capsize=3,
                label=d,
                **style(place),
            )
        draw_front(panel, [(seconds[d], gains[d][0]) for d in networks])
        panel.set_xlim(left=0)
        panel.set_title(title)
        panel.set_xlabel("s an image")
    drawn[0].set_ylabel("mean gain in PSNR-Y [dB]")
    legend_below(figure)
    return Plot("weights", "", figure, "", "", "").svg


def scores(now: Kept, name: str) -> dict[str, Any]:
    """What a card says of its weights."""
    of = now["derainers"][name]
    photographs = of[PSNR]["photographs"]
    psnr = {
        rain: round(float(np.nanmean(values(now, name, ("photographs", rain)))), 2)
        for rain in photographs
    }
    pairs = {
        run: {"images": len(now["units"][run]), PSNR: means[PSNR], "ssim_y": means["ssim_y"]}
        for run, means in of["means"].items()
    }
    return {"bsds500 test": {"photographs": len(photographs["none"]), PSNR: psnr}, **pairs}


def tables(now: Kept) -> dict[str, list[str]]:
    """Every table of the page by its name."""
    makers = (missing, weights, protocol, gains_six, gains_real, gains_new, ranking, footing)
    pairs = (rain100l, rain100h)
    return {make.__name__: make(now) for make in (*makers, *pairs, harmed)}
