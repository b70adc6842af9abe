"""What the ledger keeps of resampled sets: of tasks, of parts, and beside the clean images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.ledger.ledger import Ledger
from harness.ledger.packed import pack, unpack
from harness.plan import keys
from harness.plan.networks import TaskPlan
from harness.plan.stages import made_by
from harness.scores.replicates import KEPT, VERSION, Resampling, on_resampled
from tasks.rows import ScoresRow
from tasks.task import BesideClean, Evidence, Score, Scorer


@dataclass(frozen=True)
class Scored:
    """What is scored of a condition: image quality, or a task."""

    name: str
    scorer: Scorer
    row: ScoresRow
    task: TaskPlan | None = None


def draws(
    scored: Scored,
    evidences: Sequence[Evidence],
    wanted: Sequence[Sequence[str]],
    sets: Resampling,
    ledger: Ledger,
) -> dict[str, NDArray[np.float32]]:
    """Each primary metric on the resampled sets, which the ledger keeps."""

    def drawn() -> dict[str, NDArray[np.float32]]:
        resample = partial(scored.scorer.resample, evidences, units=sets.units)
        values = on_resampled(resample, sets.counts)
        holds = partial(scored.row.resampled, units=len(set(sets.units)))
        return {metric: v.astype(np.float32) for metric, v in values.items() if holds(metric)}

    named = {"version": VERSION, "kept": KEPT, "task": scored.name, **made_by("replicates")}
    return kept(ledger, keys.key("replicates", **named, **sets.key(wanted)), drawn)


def part(
    scored: Scored,
    evidences: Sequence[Evidence],
    places: NDArray[np.int64],
    metric: str,
    wanted: Sequence[Sequence[str]],
    sets: Resampling,
    ledger: Ledger,
) -> tuple[Score, NDArray[np.float32]]:
    """A metric of a part of the set, and its values on the resamples of the whole set."""

    def drawn() -> dict[str, NDArray[Any]]:
        once = np.ones((1, len(places)), np.uint8)
        both = np.concatenate([once, sets.counts[:, places]])
        mine, units = ([each[i] for i in places] for each in (evidences, sets.units))
        values = on_resampled(partial(scored.scorer.resample, mine, units=units), both)[metric]
        return {"value": values[:1], "draws": values[1:].astype(np.float32)}

    named = {"version": VERSION, "places": places.tolist(), "metric": metric}
    named |= made_by("replicates")
    found = kept(ledger, keys.key("slice", **named, **sets.key(wanted)), drawn)
    value = float(found["value"][0])
    missing = Score(None, "nothing to count in these images")
    return Score(value) if np.isfinite(value) else missing, found["draws"]


@dataclass(frozen=True)
class Images:
    """What the images of a set contribute under one condition."""

    evidences: list[Evidence]
    wanted: list[list[str]]
    """Keys of each image's evidence."""


def beside_clean(
    scored: Scored, clean: Images, images: Images, sets: Resampling, ledger: Ledger
) -> tuple[dict[str, Score], dict[str, NDArray[np.float32]]]:
    """What a task tells of a set by the clean images of it, and that on resampled sets."""
    scorer, both = scored.scorer, (clean.evidences, images.evidences)
    if not isinstance(scorer, BesideClean) or not all(map(any, both)):
        return {}, {}
    once = scorer.beside_clean(*both, np.ones((1, len(images.evidences)), np.int64))

    def drawn() -> dict[str, NDArray[Any]]:
        resample = partial(scorer.beside_clean, *both, units=sets.units)
        whole = on_resampled(resample, sets.counts)
        return {metric: v.astype(np.float32) for metric, v in whole.items()}

    named = {"version": VERSION, "task": scored.name, **made_by("replicates")}
    named |= sets.key(images.wanted) | {"clean": [list(ks) for ks in clean.wanted]}
    found = kept(ledger, keys.key("beside-clean", **named), drawn)
    none = Score(None, "no object counts")
    return {m: Score(float(v[0])) if np.isfinite(v[0]) else none for m, v in once.items()}, found


def kept(
    ledger: Ledger, key: str, make: Callable[[], dict[str, NDArray[Any]]]
) -> dict[str, NDArray[Any]]:
    """Arrays that the ledger holds, made first where it does not."""
    found = ledger.get("replicates", [key])
    if key in found:
        return unpack(found[key])
    arrays = make()
    with ledger.transaction():
        ledger.put("replicates", {key: pack(arrays)})
    return arrays
