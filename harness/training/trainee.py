"""The network that a training is of: one of the table, or a user's own."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from derainers import DERAINERS, words
from derainers.training.recipes import PAPER
from derainers.variants import Variant, variant_of
from derainers.words import NO_PARAMETERS, Parameters, Word
from harness.plan import keys
from harness.spec import UsageError, known
from harness.training.folder import TRAINING
from harness.training.trial import learnable
from harness.training.wish import KINDS, LOSSES, Wish

if TYPE_CHECKING:
    from derainers.derainer import Derainer
    from derainers.training.recipes import Recipe

OWN = re.compile(r"(?P<source>[^@]+):(?P<name>[A-Za-z_]\w*)")
"""``FILE.py:FUNCTION`` or ``MODULE:FUNCTION``."""
KNOWN = "[,range=A..B][,channels=bgr][,multiple_of=N][,output=N]"
"""What may stand behind that."""


@dataclass(frozen=True)
class Trainee:
    """A network to train."""

    name: str
    """What its files are called."""
    word: str
    build: Callable[[Path | None, int], Derainer]
    """Makes it, from weights where some are given, and of a seed."""
    recipe: Recipe
    kind: str
    """Of the recipe."""
    loss: Callable[..., Any] | None = None
    """The user's, in place of the recipe's."""
    files: dict[str, str] = field(default_factory=dict)
    """Digests of the modules of the user's network and of what they read; known once it is built.
    """
    own_loss: dict[str, Any] | None = None
    """Where the user's loss stands: file (or module), function, sha256 of the file, and the digests
    of further modules of the user's."""
    is_own: bool = False
    """Whether the user brought it."""

    def objective(self, span: tuple[float, float], vgg: Path | None) -> dict[str, Any]:
        """What is made small, where it is more than the recipe says; else nothing.

        Args:
            span: The network's black and white.
            vgg: VGG16's weights.
        """
        from derainers.training.losses import is_mapped

        said: dict[str, Any] = {} if self.own_loss is None else {"own_loss": self.own_loss}
        if self.own_loss is None and is_mapped(self.recipe.loss, span):
            said["loss_in"] = [0, 1]
        if self.recipe.perceptual and vgg is not None:
            said["perceptual"] = keys.file_sha256(vgg)
        return said


def trainee(word: str, wish: Wish, names: tuple[str, ...] = ()) -> Trainee:
    """What is trained, and how.

    Args:
        word: A key of `PAPER` with or without keys of `derainers.variants`, ``FILE.py:FUNCTION`` or
            ``MODULE:FUNCTION``, with parameters of `derainers.words` behind commas.
        wish: How it is to learn.
        names: Other words that a user may have meant.

    Raises:
        UsageError: If there is no such network, recipe or loss, or the user's code raises.
        DerainerError: For a parameter that is unknown or impossible.
    """
    if OWN.fullmatch(word) or OWN.fullmatch(word.partition(",")[0]):
        return _own(word, wish)
    words.require_function(word.partition("@")[0])
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
    return Trainee(name, variant.word, partial(_row, variant), recipe, kind)


def _row(variant: Variant, file: Path | None, seed: int) -> Derainer:
    import torch

    torch.manual_seed(seed)
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


def _function(word: str) -> tuple[re.Match[str], Parameters]:
    """A user's function, and how its network is fed and read."""
    if (own := OWN.fullmatch(word)) is not None:
        return own, NO_PARAMETERS
    said = words.read(word)
    part = said.parts[0]
    own = OWN.fullmatch(part.text)
    if own is None or said != Word(None, False, (part,)):
        raise UsageError(f"{word}: training is of one network: expected FILE.py:FUNCTION{KNOWN}")
    if part.parameters.key is not None:
        raise UsageError(f"{word}: a network to train is FILE.py:FUNCTION{KNOWN}: leave key out")
    return own, part.parameters


def _own(word: str, wish: Wish) -> Trainee:
    """A network of the user's."""
    from derainers.training.benchmark import benchmark
    from derainers.training.recipes import own as recipe_of_own
    from derainers.training.recipes import sixteen_crops
    from harness.plan.own_code import sources_of
    from harness.plan.user_code import built_by

    own, parameters = _function(word)
    source, name, word = own["source"], own["name"], f"{own[0]}{parameters.said}"
    kind = wish.recipe or "short"
    if kind not in ("short", "short-gpu", "benchmark"):
        raise UsageError(f"--recipe {kind}: {word} has no paper here: short, short-gpu, benchmark")
    recipe = recipe_of_own(wish.learning_rate)
    recipe = sixteen_crops(recipe) if kind == "short-gpu" else recipe
    recipe = benchmark(recipe) if kind == "benchmark" else recipe
    loss, told = None, None
    if wish.loss in LOSSES or wish.loss is None:
        recipe = replace(recipe, loss=LOSSES[wish.loss or "l1"])  # type: ignore[arg-type]
    else:
        loss, told = _loss(wish.loss)
        recipe = replace(recipe, loss="own")
    stem = Path(source).stem if source.endswith(".py") else source.rpartition(".")[2]
    stem += "-network" * (f"{stem}.json" == TRAINING)  # its card is NAME.json, beside that

    files: dict[str, str] = {}

    def build(file: Path | None, seed: int) -> Derainer:
        built = built_by(source, name, file, None, seed)
        # The card says which weights it began with.
        read = [f for f in built.files if file is None or not _is_below(Path(f), file)]
        files.update(sources_of(built.module, read))
        return learnable(word, built.value, recipe, loss, seed, parameters)

    return Trainee(stem, word, build, recipe, kind, loss, files, told, is_own=True)


def _is_below(file: Path, other: Path) -> bool:
    """Whether a file is another, or lies in that folder."""
    return file.resolve().is_relative_to(other.resolve())


def _loss(word: str) -> tuple[Callable[..., Any], dict[str, Any]]:
    """A user's loss, and where it stands."""
    from harness.plan.own_code import sources_of
    from harness.plan.user_code import function_of

    match = OWN.fullmatch(word)
    if match is None:
        raise UsageError(f"--loss {word}: one of {', '.join(LOSSES)}, or FILE.py:FUNCTION")
    source, name = match["source"], match["name"]
    built = function_of(source, name)
    files = sources_of(built.module, built.files)
    file = Path(source).name if source.endswith(".py") else source
    said = {"file": file, "function": name, "sha256": files.pop(file, None)}
    return built.value, said | ({"files": files} if files else {})
