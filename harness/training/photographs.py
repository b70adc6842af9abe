"""The photographs that a derainer is trained on, and those that it must not see."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datasets.image import UnreadableImageError
from datasets.sample import Dataset, DatasetError, Sample
from harness.spec import UsageError

if TYPE_CHECKING:
    from derainers.training.recipes import Recipe

VALIDATION_IMAGES = 16
SMALLEST_PX = 64
"""Shorter side of the smallest photograph to train on, where the crops are not larger."""
NAMED = 5
"""So many photographs are named that could not be used."""


@dataclass(frozen=True)
class Photographs:
    """What is trained on, and what is not."""

    training: Sequence[Sample]
    validation: Sequence[Sample]
    excluded: Sequence[str]
    unusable: Sequence[str]
    """Unreadable or too small, each with the reason."""
    more: tuple[str, ...] = ()
    """``DATASET/SPLIT`` of those that are no part of the data set that was asked for."""


@dataclass(frozen=True)
class Held:
    """What is kept for the validation: whole groups, those with the smallest sha256 of a name.

    A photograph that shares its group with no other is a group of its own.
    """

    most: int = VALIDATION_IMAGES
    """One group in eight, so many at most; of their photographs so many at most are looked at."""
    split: str | None = None
    """Of this split alone; None = of all."""

    def among(self, dataset: Dataset) -> tuple[Sequence[Sample], Sequence[Sample]]:
        """What may be learned from, and what the weights are judged by.

        Where all are of one group, or none can be kept without half of the photographs, each
        photograph counts as a group.
        """
        sizes = Counter(s.group for s in dataset.samples)
        asked = dataset.samples
        if self.split is not None:
            asked = [s for s in asked if s.id.startswith(f"{self.split}/")]
        order = replace(dataset, samples=asked).limited(None).samples
        groups = max(1, min(self.most, len(sizes) // 8))
        kept: set[str] = set()
        room = len(dataset.samples) // 2
        for group in dict.fromkeys(s.group for s in order):
            if len(kept) < groups and sizes[group] <= room:
                kept.add(group)
                room -= sizes[group]
        if kept:
            others = [s for s in dataset.samples if s.group not in kept]
            return others, [s for s in order if s.group in kept][: self.most]
        judged = order[: max(1, min(self.most, len(dataset.samples) // 8))]
        ids = {s.id for s in judged}
        return [s for s in dataset.samples if s.id not in ids], judged


def choose(
    dataset: Dataset,
    recipe: Recipe,
    exclude: Sequence[Path],
    brings_rain: bool = False,
    held: Held = Held(),
    crop_px: tuple[int, int] = (0, 0),
) -> Photographs:
    """Look at every photograph: which can be used, and which must not be.

    Args:
        dataset: The photographs.
        recipe: What is cut from them.
        exclude: Folders of photographs that must not be trained on.
        brings_rain: Whether their own rainy images are learned from.
        held: What is kept for the validation.
        crop_px: Height and width of the smallest crops that the network takes.

    Raises:
        UsageError: If too few are left.
    """
    import numpy as np

    from datasets.duplicates import alike, hashes_of_views, perceptual_hash
    from datasets.folder import open_folder

    least_px = max(recipe.patch_px or 0, SMALLEST_PX)
    height, width = (max(least_px, side) for side in crop_px)
    wanted = f"{width} pixels" if height == width else f"{width}x{height} pixels"

    def look(sample: Sample) -> tuple[str | None, Any]:
        try:
            image = sample.image()
            rainy = sample.given_rain() if brings_rain else image
        except (UnreadableImageError, DatasetError, OSError) as error:
            return f"{sample.id} ({error})", None
        if image.shape[0] < height or image.shape[1] < width:
            size = f"{image.shape[1]}x{image.shape[0]}"
            return f"{sample.id} ({size}, the crops need {wanted})", None
        if rainy.shape != image.shape:
            sizes = [f"{each.shape[1]}x{each.shape[0]}" for each in (rainy, image)]
            return f"{sample.id} (its rainy image is {sizes[0]}, its clean one {sizes[1]})", None
        return None, hashes_of_views(image) if exclude else None

    with ThreadPoolExecutor() as pool:
        looks = list(pool.map(look, dataset.samples))
    usable = [(s, views) for s, (why, views) in zip(dataset.samples, looks, strict=True) if not why]
    excluded: set[str] = set()
    others = [sample for folder in exclude for sample in open_folder(folder, None).samples]
    if others and usable:
        hashes = np.stack([perceptual_hash(sample.image()) for sample in others])
        pairs = alike(hashes, np.stack([views for _, views in usable]))
        excluded = {usable[place][0].id for _, place in pairs}
    kept = replace(dataset, samples=[s for s, _ in usable if s.id not in excluded])
    unusable = [why for why, _ in looks if why]
    if len(kept.samples) < 4:
        raise UsageError(
            f"{dataset.name} {dataset.split}: {len(kept.samples)} photographs to train on, at "
            f"least 4 are needed; {len(excluded)} are excluded, "
            + (cannot_be_used(unusable) if unusable else "0 cannot be used")
        )
    training, validation = held.among(kept)
    return Photographs(training, validation, sorted(excluded), unusable)


def left_out(photographs: Photographs, exclude: Sequence[Path]) -> list[str]:
    """What is said of photographs before the training."""
    lines = [
        f"{len(photographs.training)} photographs to train on, {len(photographs.validation)} to "
        "validate with"
    ]
    if {s.group for s in photographs.training} & {s.group for s in photographs.validation}:
        lines.append(
            "the validation shows scenes that are learned from, since too few scenes are here to "
            "keep one apart: it tells less of other scenes than it says"
        )
    if exclude:
        folders = ", ".join(short_name(folder) for folder in exclude)
        lines.append(f"{len(photographs.excluded)} left out: they also stand in {folders}")
    if photographs.unusable:
        lines.append(cannot_be_used(photographs.unusable))
    return lines


def cannot_be_used(unusable: Sequence[str]) -> str:
    """How many photographs cannot be used, and why the first of them."""
    named, more = "; ".join(unusable[:NAMED]), len(unusable) - NAMED
    return f"{len(unusable)} cannot be used: {named}" + (f"; and {more} more" if more > 0 else "")


def short_name(folder: Path) -> str:
    """A folder with the one it lies in."""
    return "/".join(folder.resolve().parts[-2:])
