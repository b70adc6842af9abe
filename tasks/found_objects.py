"""Which objects a detector finds as it is used: by size and distance, and beside the clean images.

- ``recall@c25-iou50/small``, ``medium``, ``large``: share of the objects of a size that a box of
  confidence >= 0.25 finds at IoU 0.5; COCO's sizes.
- ``recall@c25-iou50/near``, ``middle``, ``far``: the same by distance, up to 30 m, up to 50 m and
  beyond, where the set has depths: the median of those inside the object's box.
- ``flips@c25-iou50``: share of the objects that are found so in the clean image or here, not in
  both. Of derained clean images it is what deraining alone changes.
- ``recall@fppi0.1``, ``recall@fppi1``: share of the objects that are found above the confidence
  that leaves 0.1, or 1, false positives an image on the clean images; of all classes with one such
  confidence, and of each class with its own (``recall@fppi1/person``). So it says what a detector
  still finds in rain that was set up on a clear day. The confidences are those of the whole set,
  in resampled sets too.

References: Dollar, Wojek, Schiele, Perona, "Pedestrian Detection: An Evaluation of the State of
the Art", TPAMI 2012 (false positives per image); Sun et al., "Scalability in Perception for
Autonomous Driving: Waymo Open Dataset", CVPR 2020 (distances).
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datasets.sample import Annotations
from tasks.coco_ap import AREA_NAMES
from tasks.task import MetricRow, has_draws

CONFIDENCE = 0.25
DISTANCES_M = {"near": (0.0, 30.0), "middle": (30.0, 50.0), "far": (50.0, np.inf)}
FALSE_POSITIVES = {"fppi0.1": 0.1, "fppi1": 1.0}
"""An image, on the clean images."""
RECALL, FLIPS = "recall@c25-iou50", "flips@c25-iou50"

METRICS = {
    **{
        f"{RECALL}/{name}": MetricRow("recall c25-iou50").of("size", f"{name}, recall c25-iou50")
        for name in (*AREA_NAMES[1:], *DISTANCES_M)
    },
    **{
        f"recall@{name}": MetricRow(
            f"recall {name}",
            caption=f"recall where the clean images have {most:g} false positives each",
            is_column=False,
        )
        for name, most in FALSE_POSITIVES.items()
    },
    FLIPS: MetricRow(
        "flips c25-iou50",
        higher_is_better=False,
        caption="objects found in the clean image or here, not in both, at confidence 0.25",
        is_column=False,
    ),
}
"""What `found_by_kind` and `beside_clean` give, but for single classes."""


def of_classes(classes: Sequence[str]) -> dict[str, MetricRow]:
    """The numbers of single classes."""
    return {
        f"recall@{name}/{each}": METRICS[f"recall@{name}"].of("class", f"{each}, recall {name}")
        for each in classes
        for name in FALSE_POSITIVES
    }


def distances(truth: Annotations, depth_m: NDArray[Any] | None) -> dict[str, NDArray[Any]]:
    """``truth_m`` ``(G,)``: objects' distances in the order of `tasks.matching.match`.

    NaN where none is known.

    Args:
        truth: The image's objects.
        depth_m: ``(H, W)``.
    """
    found = np.full(len(truth.categories), np.nan, np.float32)
    for place, box in enumerate(truth.boxes_xyxy_px if depth_m is not None else ()):
        left, top, right, bottom = np.maximum(np.rint(box), 0).astype(int)
        assert depth_m is not None
        inside = depth_m[top : max(bottom, top + 1), left : max(right, left + 1)]
        if inside.size:
            found[place] = np.median(inside)
    return {"truth_m": found[np.argsort(truth.categories, kind="stable")]}


def found_by_kind(
    evidences: Sequence[Any], counts: NDArray[np.int64]
) -> dict[str, NDArray[np.float64]]:
    """Recall by size, and by distance where any is known, of resampled sets, ``(B,)`` each."""
    objects = _Objects(evidences)
    is_found = objects.score >= CONFIDENCE
    kinds = {n: ~objects.ignored[k] for k, n in enumerate(AREA_NAMES) if k}
    if np.isfinite(objects.distance_m).any():
        for name, (least, most) in DISTANCES_M.items():
            within = (objects.distance_m >= least) & (objects.distance_m < most)
            kinds[name] = within & objects.counts
    return {f"{RECALL}/{n}": objects.share(is_found, kind, counts) for n, kind in kinds.items()}


def beside_clean(
    clean: Sequence[Any],
    evidences: Sequence[Any],
    counts: NDArray[np.int64],
    categories: Mapping[int, str],
    units: Sequence[Hashable] | None = None,
) -> dict[str, NDArray[np.float64]]:
    """Flips and recall at the clean images' false positives, of resampled sets.

    Args:
        clean: What `tasks.matching.match` gave of each clean image.
        evidences: The same of the images in question.
        counts: ``(B, n)``: how often draw b holds image i.
        categories: Names by category id.
        units: See `tasks.task.BesideClean`.

    Returns:
        ``(B,)`` fractions, NaN where a draw has no object.
    """
    before, now = _Objects(clean), _Objects(evidences)
    flipped = (before.score >= CONFIDENCE) != (now.score >= CONFIDENCE)
    found = {FLIPS: now.share(flipped, now.counts, counts)}
    wrong = [_false_positives(e) for e in clean]
    category, score = (np.concatenate(each) for each in zip(*wrong, strict=True))
    for name, each in FALSE_POSITIVES.items():
        most = int(each * len(clean) + 1e-9)
        is_found = now.score > _beyond(score, most)
        found[f"recall@{name}"] = now.share(is_found, now.counts, counts)
        for number in np.unique(now.category[now.counts]):
            mine = now.counts & (now.category == number)
            if units is None or has_draws(now.image[mine], units):
                is_found = now.score > _beyond(score[category == number], most)
                metric = f"recall@{name}/{categories[int(number)]}"
                found[metric] = now.share(is_found, mine, counts)
    return found


class _Objects:
    """The objects of all images, one behind the other."""

    def __init__(self, evidences: Sequence[Any]) -> None:
        sizes = [len(e["truth_category"]) for e in evidences]
        self.image = np.repeat(np.arange(len(evidences)), sizes)
        self.category = np.concatenate([e["truth_category"] for e in evidences])
        # In single precision, in which a network's 0.25 is not below 0.25.
        self.score = np.concatenate([e["truth_score"] for e in evidences]).astype(np.float32)
        self.ignored = np.concatenate([e["truth_ignored"] for e in evidences], axis=1)
        self.distance_m = np.concatenate([e["truth_m"] for e in evidences])

    @property
    def counts(self) -> NDArray[np.bool_]:
        """Which objects count."""
        return np.asarray(~self.ignored[0], np.bool_)

    def share(
        self, hits: NDArray[np.bool_], of: NDArray[np.bool_], counts: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Share of some objects that are hit, of resampled sets."""
        images = counts.shape[1]
        rows = [np.bincount(self.image[each], minlength=images) for each in (of & hits, of)]
        hit, whole = (counts @ np.stack(rows, 1)).T
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(whole > 0, hit / whole, np.nan)


def _false_positives(evidence: Any) -> tuple[NDArray[Any], NDArray[Any]]:
    """Category and confidence of an image's wrong boxes."""
    wrong = ~evidence["matched"][0, 0] & ~evidence["ignored"][0, 0]
    return evidence["category"][wrong], evidence["score"][wrong].astype(np.float32)


def _beyond(score: NDArray[Any], most: int) -> float:
    """The confidence above which so many false positives are left at most; -1 if all may be."""
    return -1.0 if len(score) <= most else float(np.sort(score)[::-1][most])
