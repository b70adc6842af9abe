"""What weights were trained on, as the card beside them tells it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from derainers.card import read_card
from derainers.published import card_of
from harness.plan import keys
from harness.spec import UsageError
from reports.results.cell import NO_RAIN
from reports.results.training import Training
from tasks.models import TRAINED_ON

Names = frozenset[str] | None
"""None where nothing is known."""


class Some(frozenset[str]):
    """Names that are known of more, as where weights began with others of which nothing is."""


def together(several: Iterable[Names]) -> Names:
    """All names of several; `Some` where only some of these are known whole."""
    sets = list(several)
    known = [each for each in sets if each is not None]
    names = frozenset[str]().union(*known)
    if len(known) == len(sets) and not any(isinstance(each, Some) for each in known):
        return names
    return Some(names) if known else None


def images(trained: Mapping[str, Any]) -> Names:
    """The images, as ``DATASET/SPLIT`` or a whole ``DATASET``.

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


def rain_families(trained: Mapping[str, Any], untold: Names = None) -> Names:
    """The families of rain.

    Args:
        trained: ``trained_on`` of a card.
        untold: What a card means that names none. One of a derainer leaves it open, one of a task
            network says that no rain was made.
    """
    names = trained.get("rain_families", untold)
    if not isinstance(names, list | frozenset):
        return None
    earlier = partial(rain_families, untold=untold)
    return _with_earlier(frozenset(map(str, names)), trained, earlier)


def by_card(file: Path | None, sha256: str | None) -> tuple[Names, Names]:
    """Families of rain and images that a derainer's weights saw, by their card or their authors.

    Args:
        file: The weights; None = nothing is known.
        sha256: Their digest.

    Raises:
        DerainerError: See `derainers.card.read_card`.
    """
    if file is None:
        return None, None
    card = read_card(file, sha256) or card_of(sha256)
    trained = card.get("trained_on", {})
    return rain_families(trained), images(trained)


@dataclass(frozen=True)
class Learned:
    """What a task network learned from."""

    training: Training
    images: Names = None
    """See the function `images`."""
    rain_families: Names = None


def learned(sha256: str, card: Mapping[str, Any]) -> Learned:
    """What the card of a task network tells.

    Args:
        sha256: Of its weights.
        card: Its card.

    Raises:
        KeyError, TypeError, AttributeError: If it does not tell of what the network was trained on.
    """
    trained = card["trained_on"]
    families = rain_families(trained, untold=frozenset())
    is_ours = isinstance(card.get("recipe"), dict)
    training = _training(sha256, card) if is_ours else Training(sha256)
    return Learned(training, images(trained), families)


def _training(sha256: str, card: Mapping[str, Any]) -> Training:
    """How a network was trained, where ``train`` wrote its card."""
    trained, recipe = card["trained_on"], dict(card["recipe"])
    steps, hours, seed = card.get("steps_done"), card.get("hours"), recipe.pop("seed", None)
    by, begun, images = trained.get("derained"), card.get("begun_with"), trained.get("digest")
    begun_with = None if begun is None else str(begun["sha256"])
    shared = {"network": card["network"], "recipe": recipe, "images": images, "steps": steps}
    is_told = isinstance(images, str) and isinstance(steps, int)
    return Training(
        sha256,
        rains=tuple(map(str, trained.get("rain_digests") or ())) or (NO_RAIN,),
        derained_by=None if by is None else str(by["by"]),
        derained_weights=None if by is None or by["weights"] is None else str(by["weights"]),
        begun_with=begun_with,
        steps=steps if isinstance(steps, int) else None,
        hours=float(hours) if isinstance(hours, int | float) else None,
        seed=seed if isinstance(seed, int) else None,
        footing=keys.key("footing", begun_with=begun_with, **shared) if is_told else None,
    )


def holds(seen: frozenset[str], dataset: str, split: str) -> bool:
    """Whether images of a data set's split, or of all its splits, are among those of `images`.

    COCO is coco: who writes a card by hand writes names as papers do.
    """
    named, data = {each.casefold() for each in seen}, dataset.casefold()
    if data in named or split == "all":
        return any(each.partition("/")[0] == data for each in named)
    return f"{data}/{split.partition(':')[0].casefold()}" in named


def _with_earlier(
    found: frozenset[str], trained: Mapping[str, Any], read: Callable[[Mapping[str, Any]], Names]
) -> Names:
    if "before" not in trained:
        return found
    before = trained["before"]
    return together([found, read(before) if before and isinstance(before, dict) else None])


def said_by(card: Path, sha256: str) -> Any:
    """What the card beside some weights says; None where there is none that can be read.

    Raises:
        UsageError: If it is the card of other weights.
    """
    try:
        said = json.loads(card.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    if isinstance(said, dict) and said.get("sha256", sha256) != sha256:
        raise UsageError(
            f"{card} is the card of other weights: put theirs beside them, write their sha256 into "
            f"it, {sha256}, if what it says holds of these too, or move it away"
        )
    return said


def of_weights(sha256: str, said: Any) -> Learned:
    """What a published checkpoint, or one with a card, was trained on."""
    if sha256 in TRAINED_ON:
        told = frozenset(["/".join(TRAINED_ON[sha256])])
        return Learned(Training(sha256), told, frozenset())
    try:
        return learned(sha256, said)
    except (ValueError, KeyError, TypeError, AttributeError):
        return Learned(Training(sha256))
