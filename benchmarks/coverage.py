"""Do the intervals cover the truth, and do families err as seldom as they say? Simulated studies.

    python benchmarks/coverage.py CELL... --populations DIR --kept DIR [--studies N] [--draws N]

A population is the evidence of many images (`populations.py`); its own numbers are the truth. A
study draws images from it with replacement, resamples them as a run does, and looks whether the
truth lies inside the intervals. A CELL is ``POPULATION/METRIC/IMAGES``: coco128/psnr/32, or
``null/POPULATION/METRIC/IMAGES``: a family of seven derainers that change nothing, since each
image's eight pictures are dealt to the eight conditions by chance. Pieces of 100 studies, each with
its own seed, are kept, so that a simulation goes on where it stopped; `coverage_page.py` puts them
into docs/statistics.md. What was drawn lies in DIR/draws: where intervals have changed, take away
the cells' .json, and the same studies are judged anew in seconds. ``deviation/POPULATION/METRIC``
simulates nothing: it is how much the filters' paired changes vary there, which
`harness/runs/power.py` plans by.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from populations import HEAVY, MEDIUM, load
from simulated import DEALT, metric_of

from reports.findings.effects import CLEAR
from reports.results.intervals import (
    LEVEL,
    Family,
    interval,
    level_interval,
    selected_interval,
    tail,
    two_sided,
)

PIECE = 100
"""Studies that share a seed, and are kept together."""
PARTS = 10
"""Times that many draws tell a standard deviation, for the sake of memory."""
RAINY, CLEAN = f"{HEAVY}/identity", "none/identity"
Hits = dict[str, list[Any]]


def percentile(draws: NDArray[Any]) -> tuple[float, float]:
    """Plain percentile interval."""
    low, high = np.percentile(draws[np.isfinite(draws)], [2.5, 97.5])
    return float(low), float(high)


def expanded(draws: NDArray[Any], groups: int) -> tuple[float, float]:
    """Expanded percentile interval."""
    finite = draws[np.isfinite(draws)]
    out = 100 * tail(groups)
    low, high = np.percentile(finite, [out, 100 - out])
    return float(low), float(high)


def students(value: float, draws: NDArray[Any], groups: int) -> tuple[float, float]:
    """Student's interval, by the draws' standard deviation."""
    from scipy.special import stdtrit

    deviation = float(np.nanstd(draws, ddof=1)) * math.sqrt(groups / (groups - 1))
    half = float(stdtrit(groups - 1, 1 - LEVEL / 2)) * deviation
    return value - half, value + half


def accelerated(value: float, draws: NDArray[Any], left_out: NDArray[Any]) -> tuple[float, float]:
    """Bias-corrected and accelerated interval (Efron 1987), its acceleration by the jackknife."""
    from scipy.special import ndtr, ndtri

    finite = draws[np.isfinite(draws)]
    off = np.nanmean(left_out) - left_out
    spread = float(np.nansum(off**2) ** 1.5)
    bend = float(np.nansum(off**3)) / (6 * spread) if spread else 0.0
    below = (finite < value).mean() + (finite == value).mean() / 2
    bias = float(ndtri(np.clip(below, 1e-4, 1 - 1e-4)))
    z = bias + ndtri(np.array([LEVEL / 2, 1 - LEVEL / 2]))
    low, high = np.percentile(finite, 100 * ndtr(bias + z / (1 - bend * z)))
    return float(low), float(high)


class Quantity(NamedTuple):
    """A number that studies give with an interval."""

    name: str
    of: tuple[str, ...]
    """The conditions that it is made of."""
    make: Callable[..., Any]
    is_level: bool = False


def difference(first: Any, second: Any) -> Any:
    """Second − first."""
    return second - first


def recovered(rainy: Any, derained: Any, clean: Any) -> Any:
    """Share of the rain's cost that came back."""
    return (derained - rainy) / (clean - rainy)


def swept(*values: Any) -> Any:
    """Difference of the means over a sweep: rainy ones first, then as many derained ones."""
    half = len(values) // 2
    return sum(values[half:]) / half - sum(values[:half]) / half


def mean_of(*values: Any) -> Any:
    """The mean over a sweep."""
    return sum(values) / len(values)


def relative(clean: Any, *values: Any) -> Any:
    """That as a share of the clean value."""
    return mean_of(*values) / clean


MEDIAN, GUIDED, DRY = f"{HEAVY}/median", f"{HEAVY}/guided", "none/median"
RAINS = {"two rains": (MEDIUM, HEAVY), "dry and heavy": ("none", HEAVY)}
"""Sweeps: the one where the other rain was measured, or where a clean image has a score."""


def over(which: str, *names: str) -> tuple[str, ...]:
    """The conditions of a sweep, of one derainer after the other."""
    return tuple(f"{rain}/{name}" for name in names for rain in RAINS[which])


QUANTITIES = (
    Quantity("level, clean", (CLEAN,), lambda v: v, is_level=True),
    Quantity("level, rainy", (RAINY,), lambda v: v, is_level=True),
    Quantity("level, median", (MEDIAN,), lambda v: v, is_level=True),
    Quantity("change, median", (RAINY, MEDIAN), difference),
    Quantity("change, guided", (RAINY, GUIDED), difference),
    Quantity("recovery, median", (RAINY, MEDIAN, CLEAN), recovered),
    Quantity("harm, median", (CLEAN, DRY), difference),
    *(
        quantity
        for which in RAINS
        for quantity in (
            Quantity(f"mean over {which}, median", over(which, "median"), mean_of, is_level=True),
            Quantity(f"change of mean over {which}", over(which, "identity", "median"), swept),
        )
    ),
    Quantity(
        "mean over dry and heavy as a share of clean, median",
        (CLEAN, *over("dry and heavy", "median")),
        relative,
    ),
)


class Study(NamedTuple):
    """What was drawn of a study: kept, so that another interval is tried in seconds."""

    times: NDArray[np.int64]
    """``(images,)`` how often it holds each of its images."""
    values: NDArray[np.float32]
    """``(conditions, 1 + draws + images)``: as it is, resampled, each image left out once; of a
    family ``(members, draws)``."""


def quantities(metric: Any) -> list[Quantity]:
    """Those that a population was measured for."""
    return [q for q in QUANTITIES if all(metric.has(c) for c in q.of)]


def conditions(metric: Any) -> list[str]:
    """What they are made of."""
    return list(dict.fromkeys(c for q in quantities(metric) for c in q.of))


def printed(
    quantity: Quantity, study: Mapping[str, Any], images: int, level_images: int
) -> tuple[float, float] | None:
    """The interval that a run prints, if any.

    A mean over a sweep has one where each of its levels has, a share where cost and gain are clear.
    """
    of = [study[c] for c in quantity.of]
    value, *drawn = quantity.make(*of)
    draws = np.array(drawn)
    if quantity.make is recovered:
        rainy, derained, clean = of
        gains = derained[1:] - rainy[1:]
        gain = interval(gains, images)
        is_clear = clean[0] - rainy[0] > CLEAR * np.nanstd(clean[1:] - rainy[1:], ddof=1)
        is_real = gain is not None and not gain[0] <= 0 <= gain[1]
        return selected_interval(draws, gains, images) if is_clear and is_real else None
    if not quantity.is_level:
        return interval(draws, images)
    levels = [level_interval(v[1:], float(v[0]), images) for v in of]
    return (
        None
        if None in levels or images < level_images
        else level_interval(draws, float(value), images)
    )


def studied(metric: Any, images: int, draws: int, seed: Sequence[int]) -> list[Study]:
    """One piece of studies of images drawn with replacement."""
    rng = np.random.default_rng(seed)
    found: list[Study] = []
    for _ in range(PIECE):
        places, times = np.unique(rng.integers(metric.size, size=images), return_counts=True)
        without = times - np.eye(len(times), dtype=np.int64)
        resamples = rng.multinomial(images, times / images, size=draws)
        counts = np.concatenate([times[None], resamples, without])
        values = [metric.drawn(c, places, counts) for c in conditions(metric)]
        found.append(Study(times, np.stack(values).astype(np.float32)))
    return found


def covering(metric: Any, images: int, draws: int, studies: Sequence[Study]) -> Hits:
    """Where the truth lay in a piece of studies, by quantity and kind of interval."""
    everyone, once = np.arange(metric.size), np.ones((1, metric.size), np.int64)
    true = {c: metric.drawn(c, everyone, once) for c in conditions(metric)}
    found: Hits = {}
    for times, drawn_of in studies:
        values = dict(zip(true, drawn_of.astype(np.float64), strict=True))
        study = {c: v[: draws + 1] for c, v in values.items()}
        for q in quantities(metric):
            truth = float(q.make(*(true[c] for c in q.of))[0])
            whole = q.make(*(values[c] for c in q.of))
            value, drawn = float(whole[0]), whole[1 : draws + 1]
            left_out = np.repeat(whole[draws + 1 :], times)
            ends = {
                "percentile": percentile(drawn),
                "expanded": expanded(drawn, images),
                "both": interval(drawn, images),
                "student": students(value, drawn, images),
                "bca": accelerated(value, drawn, left_out),
                "printed": printed(q, study, images, metric.level_images),
            }
            for kind, ci in ends.items():
                place = None if ci is None else int(truth < ci[0]) - int(truth > ci[1])
                found.setdefault(f"{q.name}: {kind}", []).append(place)
    return found


def dealt(metric: Any, images: int, draws: int, seed: Sequence[int]) -> list[Study]:
    """One piece of families of seven that change nothing: their changes against the floor."""
    rng = np.random.default_rng(seed)
    found: list[Study] = []
    for _ in range(PIECE):
        places = rng.integers(metric.size, size=images)
        pictures = rng.permuted(np.tile(np.arange(DEALT), (images, 1)), axis=1).T
        resamples = rng.multinomial(images, np.full(images, 1 / images), size=draws)
        floor, *others = metric.dealt(places, pictures, resamples)
        changes = np.stack([other - floor for other in others]).astype(np.float32)
        found.append(Study(np.ones(images, np.int64), changes))
    return found


def nothing(images: int, families: Sequence[Study], change: float | None) -> Hits:
    """How a piece of families of seven was judged that change nothing, but for the last one.

    Args:
        images: Of a study.
        families: Their changes.
        change: What the last one truly raises, and lowers, in a second look at each family; None:
            no look.
    """
    found: Hits = {}
    for _, changes in families:
        drawn = changes.astype(np.float64)
        family = Family.of(list(drawn), images)
        alone = [two_sided(d, images) for d in drawn]
        before = [plain(d) for d in drawn]
        for name, least in (
            ("minP", min(family.p_values)),
            ("Holm", min(holm(alone))),
            ("Holm, plain percentiles", min(holm(before))),
            ("no correction", min(alone)),
        ):
            found.setdefault(f"wrong: {name}", []).append(int(least < LEVEL))
        found.setdefault("shown", []).append(family.shown(drawn[-1]))
        for moved in () if change is None else (change, -change):
            looked = [*drawn[:-1], drawn[-1] + moved]
            p_values = {
                "minP": Family.of(looked, images).p_values,
                "Holm": holm([two_sided(d, images) for d in looked]),
            }
            for name, ps in p_values.items():
                found.setdefault(f"found: {name}", []).append(int(ps[-1] < LEVEL))
    return found


def plain(differences: NDArray[Any]) -> float:
    """p-value of plain percentiles, at least 2/(B + 1)."""
    below, above = int((differences <= 0).sum()), int((differences >= 0).sum())
    return min(1.0, 2 * (1 + min(below, above)) / (1 + len(differences)))


def holm(p_values: Sequence[float]) -> list[float]:
    """Corrected without regard to how members move together (Holm 1979)."""
    order = np.argsort(p_values, kind="stable")
    corrected = np.empty(len(order))
    factors = len(order) - np.arange(len(order))
    corrected[order] = np.maximum.accumulate(np.minimum(1, factors * np.array(p_values)[order]))
    return [float(p) for p in corrected]


def deviations(metric: Any, draws: int, seed: Sequence[int]) -> dict[str, float]:
    """Standard deviation of each filter's paired change, times the root of the images."""
    images, everyone = metric.size, np.arange(metric.size)
    rng = np.random.default_rng(seed)
    found: dict[str, list[float]] = {"median": [], "bilateral": [], "guided": []}
    for _ in range(PARTS):
        counts = rng.multinomial(images, np.full(images, 1 / images), size=draws)
        floor = metric.drawn(RAINY, everyone, counts)
        for name, variances in found.items():
            changes = metric.drawn(f"{HEAVY}/{name}", everyone, counts) - floor
            variances.append(float(changes.var(ddof=1)) * images**2 / (images - 1))
    return {name: math.sqrt(float(np.mean(values))) for name, values in found.items()}


def simulate(cell: str, populations: Path, kept: Path, studies: int, draws: int) -> None:
    """Go on with a cell until it holds so many studies."""
    file = kept / f"{cell.replace('/', '-')}.json"
    pieces = json.loads(file.read_text()).get("pieces", []) if file.is_file() else []
    if cell.startswith("deviation/"):
        _, name, metric = cell.split("/")
        found = metric_of(load(populations / name), metric)
        about = {"cell": cell, "draws": draws, "images": found.size}
        seed = list(cell.encode())
        file.write_text(json.dumps(about | {"deviations": deviations(found, draws, seed)}))
        return
    *null, name, metric, images = cell.split("/")
    found, n = metric_of(load(populations / name), metric), int(images)
    while PIECE * len(pieces) < studies:
        drawn = kept / "draws" / f"{file.stem}-{draws}-{len(pieces):03}.npz"
        seed = [len(pieces), n, *cell.encode()]
        make = dealt if null else studied
        made, seconds = _drawn(drawn, partial(make, found, n, draws, seed))
        start = time.process_time()
        if null:
            change = pieces[0]["shown"][1] / PIECE if pieces else None
            hits = nothing(n, made, change)
        else:
            hits = covering(found, n, draws, made)
        seconds = round(seconds + time.process_time() - start, 1)
        pieces.append({k: _counted(k, v) for k, v in hits.items()} | {"seconds": seconds})
        text = json.dumps({"cell": cell, "draws": draws, "pieces": pieces})
        unfinished = file.with_suffix(".part")
        unfinished.write_text(text)
        unfinished.rename(file)


def _drawn(file: Path, make: Callable[[], list[Study]]) -> tuple[list[Study], float]:
    """A piece, and the seconds of a processor that it took: of its file, or made now."""
    if not file.is_file():
        start = time.process_time()
        arrays = {f"{k}{i}": a for i, one in enumerate(make()) for k, a in one._asdict().items()}
        file.parent.mkdir(exist_ok=True)
        unfinished = file.with_suffix(".part.npz")
        np.savez(unfinished, seconds=np.array(time.process_time() - start), **arrays)
        unfinished.rename(file)
    with np.load(file) as kept:
        return [Study(kept[f"times{i}"], kept[f"values{i}"]) for i in range(PIECE)], float(
            kept["seconds"]
        )


def _counted(name: str, hits: list[Any]) -> Any:
    """Studies that printed an interval, and of them those with the truth below and above it."""
    if ": " not in name:
        return [len(hits), sum(hits)]
    if name.startswith(("wrong", "found")):
        return [len(hits), sum(hits)]
    held = [h for h in hits if h is not None]
    return [len(held), sum(h == 1 for h in held), sum(h == -1 for h in held)]


def main() -> None:
    """Simulate."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("cell", nargs="+")
    words.add_argument("--populations", type=Path, required=True)
    words.add_argument("--kept", type=Path, required=True, help="folder of what was simulated")
    words.add_argument("--studies", type=int, default=2000)
    words.add_argument("--draws", type=int, default=2000)
    a = words.parse_args()
    a.kept.mkdir(parents=True, exist_ok=True)
    for cell in a.cell:
        simulate(cell, a.populations, a.kept, a.studies, a.draws)


if __name__ == "__main__":
    main()
