"""What weights were trained on, as the card beside them tells it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Names = frozenset[str] | None


def images(trained: Mapping[str, Any]) -> Names:
    """The images, as ``DATASET/SPLIT`` or a whole ``DATASET``; None where that is not known.

    Args:
        trained: ``trained_on`` of a card; its ``before`` is that of the weights it began with.
    """
    names = trained.get("datasets", [trained["dataset"]] if "dataset" in trained else None)
    if not isinstance(names, list):
        return None
    found = frozenset(map(str, names))
    if trained.get("split") not in (None, "all"):
        # train:N is a part of train
        splits = [part.partition(":")[0] for part in str(trained["split"]).split("+")]
        found = frozenset(f"{name}/{split}" for name in found for split in splits)
    return _with_earlier(found, trained, images)


def rain_families(trained: Mapping[str, Any]) -> Names:
    """The families of rain; None where they are not known."""
    names = trained.get("rain_families")
    if not isinstance(names, list):
        return None
    return _with_earlier(frozenset(map(str, names)), trained, rain_families)


def holds(seen: frozenset[str], dataset: str, split: str) -> bool:
    """Whether images of a data set's split, or of all its splits, are among those of `images`."""
    if dataset in seen or split == "all":
        return any(each.partition("/")[0] == dataset for each in seen)
    return f"{dataset}/{split.partition(':')[0]}" in seen


def _with_earlier(
    found: frozenset[str], trained: Mapping[str, Any], read: Callable[[Mapping[str, Any]], Names]
) -> Names:
    if "before" not in trained:
        return found
    earlier = read(trained["before"]) if isinstance(trained["before"], dict) else None
    return None if earlier is None else found | earlier
