"""Do the intervals cover the truth, and do families err as seldom as they say? Simulated studies.

    python benchmarks/coverage.py CELL... --populations DIR --kept DIR [--studies N] [--draws N]

A population is the evidence of many images (`populations.py`); its own numbers are the truth. A
study draws images from it with replacement, resamples them as a run does, and looks whether the
truth lies inside the intervals. A CELL is ``POPULATION/METRIC/IMAGES``: coco128/psnr/32, or
``null/POPULATION/METRIC/IMAGES``: a family of seven derainers that change nothing, since each
image's eight pictures are dealt to the eight conditions by chance. Pieces of 100 studies, each with
its own seed, are kept, so that a simulation goes on where it stopped; `coverage_page.py` puts them
into docs/statistics.md.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from populations import HEAVY, MEDIUM, Population, Ranked, load

from reports.results.effects import CLEAR
from reports.results.intervals import LEVEL, Family, interval, level_interval, two_sided
from tasks.coco_ap import RECALLS
from tasks.confusion import means
from tasks.resampled_ap import Ranking, recalls_passed, resampled

PIECE = 100
"""Studies that share a seed, and are kept together."""
RAINY, CLEAN = f"{HEAVY}/identity", "none/identity"
PICTURES = tuple(
    f"{rain}/{name}"
    for rain in (HEAVY, MEDIUM, "none")
    for name in ("identity", "median", "bilateral", "guided")
)
"""The pictures of an image; families of nothing are dealt the first `DEALT` that were measured."""
DEALT = 8
CHECKED = 20_000
"""Images times sets below which AP is reduced as a run does it."""
Hits = dict[str, list[Any]]


def dealt_from(metric: Any) -> list[str]:
    """The pictures that are dealt."""
    return [c for c in PICTURES if metric.has(c)][:DEALT]


class Means:
    """A metric of images, and its mean over a set."""

    def __init__(self, values: Mapping[str, NDArray[np.float64]]) -> None:
        """Take the images' values by condition."""
        self.values = values
        self.size = len(next(iter(values.values())))

    def has(self, condition: str) -> bool:
        """Whether the population was measured so."""
        return condition in self.values

    def drawn(self, condition: str, images: Any, counts: Any) -> NDArray[np.float64]:
        """Values of sets that hold some images so often, ``(B,)``."""
        found: NDArray[np.float64] = counts @ self.values[condition][images] / counts.sum(1)
        return found

    def dealt(self, images: Any, dealt: Any, counts: Any) -> list[NDArray[np.float64]]:
        """The same of conditions whose pictures were dealt, ``dealt`` ``(conditions, images)``."""
        table = np.stack([self.values[c] for c in dealt_from(self)])
        return [counts @ table[mine, images] / counts.sum(1) for mine in dealt]


class Overlap(Means):
    """Mean IoU of the pixels of a set."""

    def drawn(self, condition: str, images: Any, counts: Any) -> NDArray[np.float64]:
        """As in `Means`."""
        matrices = self.values[condition][images]
        flat = counts.astype(np.float64) @ matrices.reshape(len(matrices), -1)
        return means(flat.reshape(len(counts), *matrices.shape[1:]))["miou"]


class Pooled:
    """Pooled AP of a set."""

    def __init__(self, ranked: Mapping[str, Ranked]) -> None:
        """Take the detections by condition; all of them are ranked once, by score."""
        score = np.concatenate([r.score for r in ranked.values()])
        order = np.argsort(-score, kind="stable")
        self.matched, self.counted = (
            np.concatenate([getattr(r, name) for r in ranked.values()], axis=1)[:, order]
            for name in ("matched", "counted")
        )
        self.objects = next(iter(ranked.values())).objects
        self.size = images = len(self.objects)
        image = np.concatenate([images * i + r.image for i, r in enumerate(ranked.values())])[order]
        by_image = np.argsort(image, kind="stable")
        ends = np.searchsorted(image[by_image], range(1, images * len(ranked)))
        split = np.split(by_image, ends)
        self.places = {c: split[images * i : images * (i + 1)] for i, c in enumerate(ranked)}

    def has(self, condition: str) -> bool:
        """As in `Means`."""
        return condition in self.places

    def drawn(self, condition: str, images: Any, counts: Any) -> NDArray[np.float64]:
        """As in `Means`."""
        return self._of([self.places[condition][i] for i in images], images, counts)

    def dealt(self, images: Any, dealt: Any, counts: Any) -> list[NDArray[np.float64]]:
        """As in `Means`."""
        pictures = [self.places[c] for c in dealt_from(self)]
        return [
            self._of(
                [pictures[c][i] for c, i in zip(mine, images, strict=True)],
                images,
                counts,
            )
            for mine in dealt
        ]

    def _of(self, mine: list[Any], images: Any, counts: Any) -> NDArray[np.float64]:
        place = np.concatenate(mine)
        order = np.argsort(place, kind="stable")
        image = np.repeat(np.arange(len(mine)), [len(m) for m in mine])[order]
        place = place[order]
        counted = self.counted[:, place]
        hits = self.matched[:, place] & counted
        ranking = Ranking(0, image, hits, counted, self.objects[images])
        if len(images) * len(counts) < CHECKED:
            found: NDArray[np.float64] = resampled(ranking, counts).mean(1)
            return found
        return by_products(ranking, counts)


def by_products(ranking: Ranking, counts: Any) -> NDArray[np.float64]:
    """What `resampled` gives, by products of matrices: faster where images are few.

    Both are compared on one set of a study, see `main`.
    """
    objects = counts @ ranking.objects
    weights = np.ascontiguousarray(counts.T.astype(np.float32))
    total = np.zeros(len(counts))
    images = len(ranking.objects)
    for matched, counted in zip(ranking.matched, ranking.counted, strict=True):
        hits = np.flatnonzero(matched)
        if not hits.size:
            continue
        mine = np.flatnonzero(counted)
        nearest = np.searchsorted(hits, mine)  # the first hit at or below each detection
        mine, nearest = mine[nearest < len(hits)], nearest[nearest < len(hits)]
        above, true = (
            np.bincount(at * images + image, minlength=len(hits) * images)
            .reshape(len(hits), images)
            .cumsum(0)
            .astype(np.float32)
            @ weights
            for at, image in (
                (nearest, ranking.image[mine]),
                (np.arange(len(hits)), ranking.image[hits]),
            )
        )
        precision = true / (above + np.float32(1e-30))
        envelope = np.maximum.accumulate(precision[::-1], axis=0)[::-1]
        passed = recalls_passed(true.astype(np.int32), np.maximum(objects, 1))
        steps = np.diff(passed, axis=0, prepend=0)
        total += (envelope * steps).sum(0)
    values: NDArray[np.float64] = total / (len(RECALLS) * len(ranking.matched))
    return np.where(objects > 0, values, np.nan)


def metric_of(population: Population, metric: str) -> Any:
    """What a metric's sets are reduced by."""
    make = {"psnr": Means, "miou": Overlap, "ap_pooled": Pooled, "mask_ap_pooled": Pooled}[metric]
    name = {"miou": "confusion", "ap_pooled": "boxes", "mask_ap_pooled": "masks"}.get(metric)
    return make(getattr(population, name or metric))


def percentile(draws: NDArray[Any]) -> tuple[float, float]:
    """Plain percentile interval."""
    low, high = np.percentile(draws[np.isfinite(draws)], [2.5, 97.5])
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


MEDIAN, GUIDED, DRY = f"{HEAVY}/median", f"{HEAVY}/guided", "none/median"
SWEEP = tuple(f"{rain}/{name}" for name in ("identity", "median") for rain in (MEDIUM, HEAVY))
QUANTITIES = (
    Quantity("level, rainy", (RAINY,), lambda v: v, is_level=True),
    Quantity("level, median", (MEDIAN,), lambda v: v, is_level=True),
    Quantity("change, median", (RAINY, MEDIAN), difference),
    Quantity("change, guided", (RAINY, GUIDED), difference),
    Quantity("recovery, median", (RAINY, MEDIAN, CLEAN), recovered),
    Quantity("harm, median", (CLEAN, DRY), difference),
    Quantity("change over two rains, median", SWEEP, swept),
)


def shown(quantity: Quantity, study: Mapping[str, Any], images: int) -> bool:
    """Whether a run prints the interval: of a share only where cost and gain are clear."""
    if quantity.make is not recovered:
        return True
    rainy, derained, clean = (study[c] for c in quantity.of)
    gain = interval(derained[1:] - rainy[1:], images)
    is_clear = clean[0] - rainy[0] > CLEAR * np.nanstd(clean[1:] - rainy[1:], ddof=1)
    return bool(is_clear and gain is not None and not gain[0] <= 0 <= gain[1])


def covering(metric: Any, images: int, draws: int, seed: Sequence[int]) -> Hits:
    """One piece of studies: where the truth lay, by quantity and kind of interval."""
    rng = np.random.default_rng(seed)
    size = metric.size
    chosen = [q for q in QUANTITIES if all(metric.has(c) for c in q.of)]
    needed = dict.fromkeys(c for q in chosen for c in q.of)
    once = np.ones((1, size), np.int64)
    true = {c: metric.drawn(c, np.arange(size), once) for c in needed}
    found: Hits = {}
    for _ in range(PIECE):
        places, times = np.unique(rng.integers(size, size=images), return_counts=True)
        without = times - np.eye(len(times), dtype=np.int64)
        resamples = rng.multinomial(images, times / images, size=draws)
        counts = np.concatenate([times[None], resamples, without])
        values = {c: metric.drawn(c, places, counts) for c in needed}
        study = {c: v[: draws + 1] for c, v in values.items()}
        for q in chosen:
            truth = float(q.make(*(true[c] for c in q.of))[0])
            whole = q.make(*(values[c] for c in q.of))
            value, drawn = float(whole[0]), whole[1 : draws + 1]
            left_out = np.repeat(whole[draws + 1 :], times)
            ends = {
                "percentile": percentile(drawn),
                "expanded": interval(drawn, images),
                "student": students(value, drawn, images),
                "bca": accelerated(value, drawn, left_out),
                "printed": level_interval(drawn, value, images)
                if q.is_level
                else interval(drawn, images)
                if shown(q, study, images)
                else None,
            }
            for kind, ci in ends.items():
                place = None if ci is None else int(truth < ci[0]) - int(truth > ci[1])
                found.setdefault(f"{q.name}: {kind}", []).append(place)
    return found


def nothing(
    metric: Any, images: int, draws: int, seed: Sequence[int], change: float | None
) -> Hits:
    """One piece of families of seven that change nothing, but for the last one where asked.

    Args:
        metric: Its sets.
        images: Of a study.
        draws: B.
        seed: Of the piece.
        change: What the last one truly changes in a second look at each family; None: no look.
    """
    rng = np.random.default_rng(seed)
    found: Hits = {}
    for _ in range(PIECE):
        places = rng.integers(metric.size, size=images)
        dealt = rng.permuted(np.tile(np.arange(DEALT), (images, 1)), axis=1).T
        resamples = rng.multinomial(images, np.full(images, 1 / images), size=draws)
        floor, *others = metric.dealt(places, dealt, resamples)
        drawn = np.stack([other - floor for other in others])
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
        if change is not None:
            drawn[-1] += change
            p_values = {
                "minP": Family.of(list(drawn), images).p_values,
                "Holm": holm([two_sided(d, images) for d in drawn]),
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


def simulate(cell: str, populations: Path, kept: Path, studies: int, draws: int) -> None:
    """Go on with a cell until it holds so many studies."""
    file = kept / f"{cell.replace('/', '-')}.json"
    pieces = json.loads(file.read_text())["pieces"] if file.is_file() else []
    *null, name, metric, images = cell.split("/")
    found, n = metric_of(load(populations / name), metric), int(images)
    while PIECE * len(pieces) < studies:
        start = time.process_time()
        seed = [len(pieces), n, *cell.encode()]
        if null:
            change = pieces[0]["shown"] / PIECE if pieces else None
            hits = nothing(found, n, draws, seed, change)
        else:
            hits = covering(found, n, draws, seed)
        seconds = round(time.process_time() - start, 1)
        pieces.append({k: _counted(k, v) for k, v in hits.items()} | {"seconds": seconds})
        text = json.dumps({"cell": cell, "draws": draws, "pieces": pieces})
        unfinished = file.with_suffix(".part")
        unfinished.write_text(text)
        unfinished.rename(file)


def _counted(name: str, hits: list[Any]) -> Any:
    """Studies that printed an interval, and of them those with the truth below and above it."""
    if ": " not in name:
        return float(sum(hits))
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
