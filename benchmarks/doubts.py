"""How often the doubt about a network's channels or range is right.

All bundled weights and all published ones that load, each with every seed of `known_rain`, are
declared as they were trained, with red and blue exchanged, and with each of the two other ranges.
Prints a Markdown table: right declarations that were doubted, and slips that were, in which the
convention named is the right one or not.

Only these four are measured: what a doubt tries beside the right declaration is among them, while
beside a slip it tries two more, so that more slips are found than counted here.

A slip that changes nothing is none: one that costs less than 0.1 dB (mean of PSNR) on eight cuts of
Rain100L, whose photographs and rain have nothing to do with the doubt's. They are counted apart.
Direct networks make the image anew; residual ones add to their input.

What was measured is kept in a file, so that a stopped run goes on:

    python benchmarks/doubts.py --data DATA --seeds 8 --keep doubts.jsonl

Would more images tell the order of channels? With --photographs the networks restore six cuts of
each of these and 100 of Rain100L, in both orders, and what the exchanged one costs is printed:

    python benchmarks/doubts.py --data DATA --photographs FOLDER --keep channels.jsonl
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import torch

from datasets.image import NDArrayByte, decode, to_tensor
from datasets.rain import RAINS
from derainers import DERAINERS
from derainers.derainer import Derainer
from derainers.plausible import CONVENTIONS, Convention, judged, measured, psnr_db
from harness.work.known_rain import SIDE_PX, known_rain

PUBLISHED = (
    *(("prenet", f"prenet-rain100{s}/PReNet6.pth") for s in "lh"),
    *(("prenet-r", f"prenet-rain100{s}/PReNet6_r.pth") for s in "lh"),
    *(("prn", f"prenet-rain100{s}/PRN6.pth") for s in "lh"),
    *(("prn-r", f"prenet-rain100{s}/PRN6_r.pth") for s in "lh"),
    *(("nledn", f"nledn/net_Rain100{s}.pth") for s in "LH"),
    *(("vrgnet", f"vrgnet/{s}.pt") for s in ("rain100l", "rain100h", "rain1400", "spa")),
    ("sapnet", "sapnet/net_latest.pth"),
    ("spanet", "spanet/latest.pth"),
    ("umrl", "umrl/Net_DIDMDN.pth"),
    ("urie", "urie/skunet.pt"),
)
"""Networks and their authors' weights."""
DIRECT = ("granet", "granet-benchmark", "granet-rain100l", "hrrsr", "hrrsr-x1", "spanet", "umrl")
REAL = "real"
"""Stands for a seed where the images are Rain100L's."""
CUTS = 6
"""Of each photograph."""
COSTS_DB = 0.1
"""What costs less is no slip."""
SLIPS = ("BGR", "−1..1", "0..255")
Rows = dict[tuple[str, str], tuple[int, list[float], list[list[float]]]]
"""By network and seed: its convention, PSNR of the rainy images, of the restored under each."""


def networks(data: Path) -> dict[str, Callable[[], Derainer]]:
    """What builds each network, by a name of its own."""
    found: dict[str, Callable[[], Derainer]] = {}
    for name, row in DERAINERS.items():
        if row.weights is not None and row.origin is None:
            found[name] = partial(row.build, row.weights)  # type: ignore[assignment]
    for name, file in PUBLISHED:
        label = f"{name} {Path(file).parent.name}/{Path(file).stem}"
        build = partial(DERAINERS[name].build, data / "weights" / file)
        found[label] = build  # type: ignore[assignment]
    return found


def real_pairs(data: Path, count: int = 8) -> list[tuple[NDArrayByte, NDArrayByte]]:
    """So many cuts of 80 px of Rain100L, rainy and clean."""
    files = sorted((data / "rain100l" / "input").iterdir())
    cuts = [
        [
            decode(file.read_bytes(), file.name)[120:200, 180:260].copy()
            for file in (rainy, data / "rain100l" / "target" / rainy.name)
        ]
        for rainy in files[:: len(files) // count][:count]
    ]
    return [(rainy, clean) for rainy, clean in cuts]


def measure(data: Path, seeds: list[str], keep: Path) -> Rows:
    """Every network with every seed; what the file holds is not measured again."""
    rows = _kept(keep)
    loaded: dict[str, Derainer] = {}
    for seed in seeds:
        pairs = real_pairs(data) if seed == REAL else known_rain(int(seed))
        rainy_db = [psnr_db(to_tensor([rainy]), to_tensor([clean])) for rainy, clean in pairs]
        for name, build in networks(data).items():
            if (name, seed) in rows:
                continue
            derainer = loaded.setdefault(name, build().to("cpu"))
            own = CONVENTIONS.index(Convention(derainer.channels, *derainer.range))
            wanted = (CONVENTIONS[own], *(slip for _, slip in declared(CONVENTIONS[own])))
            found = measured(derainer, pairs, wanted)
            row = [name, seed, own, rainy_db, [found.get(c, []) for c in CONVENTIONS]]
            with keep.open("a") as file:
                file.write(json.dumps(row) + "\n")
    return _kept(keep)


def _kept(keep: Path) -> Rows:
    lines = keep.read_text().splitlines() if keep.exists() else []
    return {(row[0], row[1]): tuple(row[2:]) for row in map(json.loads, lines)}


def photographed(folder: Path) -> list[tuple[NDArrayByte, NDArrayByte]]:
    """Six cuts of each photograph at half its size, under rain like Rain100L's and without."""
    pairs = []
    for number, file in enumerate(sorted(folder.iterdir())):
        whole = decode(file.read_bytes(), file.name)
        size = whole.shape[1] // 2, whole.shape[0] // 2
        half = np.asarray(cv2.resize(whole, size, interpolation=cv2.INTER_AREA), np.uint8)
        rng = np.random.default_rng(number)
        rows, columns = (side // SIDE_PX for side in half.shape[:2])
        for place in rng.permutation(rows * columns)[:CUTS]:
            top, left = (SIDE_PX * int(i) for i in divmod(place, columns))
            clean = np.ascontiguousarray(half[top : top + SIDE_PX, left : left + SIDE_PX])
            pairs.append((RAINS["rain100l"].render(clean, rng).image, clean))
    return pairs


def channels(data: Path, folder: Path, keep: Path) -> None:
    """What exchanged channels cost each network: on photographs and on Rain100L, mean ± error."""
    known = [json.loads(line) for line in keep.read_text().splitlines()] if keep.exists() else []
    rows: dict[str, list[list[float]]] = dict(known)
    cuts = photographed(folder)
    sets = [cuts, [(clean, clean) for _, clean in cuts], real_pairs(data, 100)]
    for name, build in networks(data).items():
        if name in rows:
            continue
        derainer = build().to("cpu")
        right = Convention(derainer.channels, *derainer.range)
        wrong = next(slip for _, slip in declared(right))
        rows[name] = []
        for pairs in sets:
            found = measured(derainer, pairs, (right, wrong))
            rows[name].append([a - b for a, b in zip(found[right], found[wrong], strict=True)])
        with keep.open("a") as file:
            file.write(json.dumps([name, rows[name]]) + "\n")
    titles = (f"{len(cuts)} cuts, rainy", "the same, clean", "100 cuts of Rain100L")
    print(f"| network | {' | '.join(titles)} |\n| --- | --- | --- | --- |")
    for name, costs in rows.items():
        cells = [f"{statistics.mean(c):+.2f} ± {_error(c):.2f}" for c in costs]
        print(f"| {name} | {' | '.join(cells)} |")
    for title, of_set in zip(titles, zip(*rows.values(), strict=True), strict=True):
        told = [statistics.mean(c) / _error(c) for c in of_set if _error(c)]
        more, less = (sum(sign * t >= 2 for t in told) for sign in (1, -1))
        print(f"{title}: of {len(rows)} networks {more} lose by two errors or more, {less} gain")


def _error(values: list[float]) -> float:
    """The standard error of a mean."""
    return statistics.stdev(values) / math.sqrt(len(values))


def declared(right: Convention) -> Iterator[tuple[str, Convention]]:
    """The three slips; where a network's own range is one of the two, 0..1 takes its place."""
    yield SLIPS[0], right._replace(channels="bgr" if right.channels == "rgb" else "rgb")
    for slip, black, white in ((SLIPS[1], -1.0, 1.0), (SLIPS[2], 0.0, 255.0)):
        levels = (0.0, 1.0) if (right.black, right.white) == (black, white) else (black, white)
        yield slip, Convention(right.channels, *levels)


def counted(rows: Rows, seeds: list[str]) -> tuple[Counter[tuple[str, str, str]], list[str]]:
    """Cases by group, declaration and outcome, and the false alarms and slips that were missed."""
    counts: Counter[tuple[str, str, str]] = Counter()
    told = []
    for (name, seed), (own, rainy_db, values) in rows.items():
        if seed not in seeds or seed == REAL:
            continue
        right = CONVENTIONS[own]
        kind = "direct" if name.split()[0] in DIRECT else "residual"
        group = f"{'published' if ' ' in name else 'bundled'}, {kind}"
        restored = {c: v for c, v in zip(CONVENTIONS, values, strict=True) if v}
        real = dict(zip(CONVENTIONS, rows[name, REAL][2], strict=True))
        found = judged(rainy_db, restored, right)
        counts[group, "right", "doubted" if found else "quiet"] += 1
        if found:
            told.append(f"false alarm: {name}, seed {seed}: {found}")
        for slip, wrong in declared(right):
            cost_db = sum(real[right]) / len(real[right]) - sum(real[wrong]) / len(real[wrong])
            found = judged(rainy_db, restored, wrong)
            outcome = "missed" if found is None else "named" if found.better == right else "doubted"
            counts[group, slip, outcome if cost_db >= COSTS_DB else "none"] += 1
            if outcome == "missed" and cost_db >= COSTS_DB:
                told.append(f"missed: {name}, seed {seed}: {slip}, which costs {cost_db:.1f} dB")
    return counts, told


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="holds weights/ and rain100l/")
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--keep", type=Path, required=True, help="file of what was measured")
    parser.add_argument("--photographs", type=Path, help="what exchanged channels cost on these")
    parser.add_argument("--told", action="store_true", help="list false alarms and missed slips")
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.photographs is not None:
        channels(options.data, options.photographs, options.keep)
        return
    seeds = [REAL, *map(str, range(options.first, options.first + options.seeds))]
    rows = measure(options.data, seeds, options.keep)
    counts, told = counted(rows, seeds)
    print(f"| networks | right, doubted | {' | '.join(f'{s} found' for s in SLIPS)} | no slips |")
    print("| --- | --- | --- | --- | --- | --- |")
    groups = sorted({group for group, _, _ in counts})
    for label, members in [*((g, [g]) for g in groups), ("all", groups)]:

        def of(what: str, *outcomes: str, members: list[str] = members) -> int:
            return sum(counts[g, what, outcome] for g in members for outcome in outcomes)

        cells = [f"{of('right', 'doubted')} of {of('right', 'doubted', 'quiet')}"]
        for slip in SLIPS:
            found = of(slip, "named", "doubted")
            cells.append(f"{found} of {found + of(slip, 'missed')}")
        cells.append(str(sum(of(slip, "none") for slip in SLIPS)))
        print(f"| {label} | {' | '.join(cells)} |")
    slips = {o: sum(counts[g, s, o] for g in groups for s in SLIPS) for o in ("named", "doubted")}
    print(f"\nof the slips found {slips['named']} with the right convention named")
    print("\n".join(told) if options.told else "")


if __name__ == "__main__":
    main()
