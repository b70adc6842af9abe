"""The network that a training is of: one of the table, or a user's own."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from derainers import DERAINERS, DerainerError
from derainers.training.recipes import PAPER
from derainers.variants import Variant, variant_of
from harness.plan import keys
from harness.spec import UsageError, known
from harness.training.wish import KINDS, LOSSES, Wish

if TYPE_CHECKING:
    from derainers.derainer import Derainer
    from derainers.training.recipes import Recipe

OWN = re.compile(r"(?P<source>[^@]+):(?P<name>[A-Za-z_]\w*)")
"""``FILE.py:FUNCTION`` or ``MODULE:FUNCTION``."""


@dataclass(frozen=True)
class Trainee:
    """A network to train."""

    name: str
    """What its files are called."""
    word: str
    build: Callable[[Path | None], Derainer]
    """Makes it, from weights where some are given."""
    recipe: Recipe
    kind: str
    """Of the recipe."""
    loss: Callable[..., Any] | None = None
    """The user's, in place of the recipe's."""
    files: dict[str, str] = field(default_factory=dict)
    """Digests of the user's files that decide what is learned, by name."""

    @property
    def is_own(self) -> bool:
        """Whether the user brought it."""
        return OWN.fullmatch(self.word) is not None


def trainee(word: str, wish: Wish, names: tuple[str, ...] = ()) -> Trainee:
    """What is trained, and how.

    Args:
        word: A key of `PAPER` with or without keys of `derainers.variants`, ``FILE.py:FUNCTION`` or
            ``MODULE:FUNCTION``.
        wish: How it is to learn.
        names: Other words that a user may have meant.

    Raises:
        UsageError: If there is no such network, recipe or loss, or the user's code raises.
    """
    own = OWN.fullmatch(word)
    if own is not None:
        return _own(word, own["source"], own["name"], wish)
    known(word.partition(":")[0], [*names, *PAPER], "network to train", "FILE.py:FUNCTION")
    variant = variant_of(word)
    if wish.loss is not None or wish.learning_rate is not None:
        flag = "--loss" if wish.loss is not None else "--learning-rate"
        raise UsageError(f"{flag} is for networks of your own: {word} learns by its --recipe")
    kind = wish.recipe or "paper"
    recipe = _recipe(variant.row, kind)
    if variant.loss is not None:
        recipe = replace(recipe, loss=variant.loss)  # type: ignore[arg-type]
    name = re.sub("[:=+]", "-", variant.word)
    return Trainee(name, variant.word, lambda file: _row(variant, file), recipe, kind)


def _row(variant: Variant, file: Path | None) -> Derainer:
    derainer: Any = DERAINERS[variant.row].build(file, **variant.settings)
    return derainer  # type: ignore[no-any-return]


def _recipe(name: str, kind: str) -> Recipe:
    from derainers.training.benchmark import benchmark
    from derainers.training.recipes import recipe_of, short

    recipe = benchmark(short(name)) if kind == "benchmark" else recipe_of(name, kind)
    if recipe is None:
        others = ", ".join(k for k in KINDS[:-1] if k != "release")
        raise UsageError(f"--recipe {kind}: {name} has {others} and {KINDS[-1]}")
    return recipe


def _own(word: str, source: str, name: str, wish: Wish) -> Trainee:
    """A network of the user's."""
    from derainers.training.benchmark import benchmark
    from derainers.training.recipes import own, sixteen_crops

    kind = wish.recipe or "short"
    if kind not in ("short", "short-gpu", "benchmark"):
        raise UsageError(f"--recipe {kind}: {word} has no paper here: short, short-gpu, benchmark")
    recipe = own(wish.learning_rate)
    recipe = sixteen_crops(recipe) if kind == "short-gpu" else recipe
    recipe = benchmark(recipe) if kind == "benchmark" else recipe
    loss, files = None, _digest(source)
    if wish.loss in LOSSES or wish.loss is None:
        recipe = replace(recipe, loss=LOSSES[wish.loss or "l1"])  # type: ignore[arg-type]
    else:
        loss, more = _loss(wish.loss)
        recipe = replace(recipe, loss="own")
        files |= more
    stem = Path(source).stem if source.endswith(".py") else source.rpartition(".")[2]
    return Trainee(stem, word, lambda file: _built(source, name, file), recipe, kind, loss, files)


def _built(source: str, name: str, file: Path | None) -> Derainer:
    """A user's network, tried on one crop."""
    import torch

    from derainers.derainer import Derainer
    from harness.plan.user_code import built_by

    value = built_by(source, name, file).value
    derainer = Derainer(value) if isinstance(value, torch.nn.Module) else value
    if not isinstance(derainer, Derainer) or not any(
        p.requires_grad for p in derainer.module.parameters()
    ):
        raise UsageError(
            f"{source}:{name} returned {type(value).__name__}: training needs a torch.nn.Module "
            "or a Derainer with parameters to learn"
        )
    if derainer.scale != 1:
        raise UsageError(f"{source}:{name}: it enlarges images, and rain goes at one size alone")
    try:
        derainer(torch.rand(1, 3, 96, 96))
    except DerainerError as error:
        raise UsageError(f"{source}:{name}: {error}") from error
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise UsageError(
            f"{source}:{name}: a forward of a 96x96 crop raised {type(error).__name__}: {reason}"
        ) from error
    return derainer


def _loss(word: str) -> tuple[Callable[..., Any], dict[str, str]]:
    """A user's loss, and the digest of its file."""
    from harness.plan.user_code import function_of

    match = OWN.fullmatch(word)
    if match is None:
        raise UsageError(f"--loss {word}: one of {', '.join(LOSSES)}, or FILE.py:FUNCTION")
    return function_of(match["source"], match["name"]), _digest(match["source"])


def _digest(source: str) -> dict[str, str]:
    """The digest of a user's file by its name; of an installed module there is none."""
    file = Path(source)
    if not source.endswith(".py"):
        return {}
    if not file.is_file():
        raise UsageError(f"{source} not found: give FILE.py:FUNCTION")
    return {file.name: keys.file_sha256(file)}
