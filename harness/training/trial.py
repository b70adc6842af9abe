"""A user's network before its training: the sizes that it takes, and one step on a copy of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from derainers import DerainerError
from derainers.words import NO_PARAMETERS, Parameters
from harness.machine.generators import seeded
from harness.spec import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from derainers.derainer import Derainer
    from derainers.training.data import Crops
    from derainers.training.recipes import Recipe

IN_TRAINING = (
    "in training it returns more than the one tensor that it returns else: let its function return "
    "Derainer(network, output=lambda made: made if isinstance(made, torch.Tensor) else made[0])"
)

ALONE = (
    ": some steps see one crop alone, and a batch norm of one number for each channel has no "
    "variance there: take nn.GroupNorm or nn.LayerNorm in its place"
)


def learnable(
    word: str,
    value: Any,
    recipe: Recipe,
    loss: Callable[..., Any] | None,
    seed: int,
    parameters: Parameters = NO_PARAMETERS,
) -> Derainer:
    """What a user's function returned as a derainer that can learn, found and tried as `run` does.

    Args:
        word: What the user calls it.
        value: What was returned.
        recipe: How it is to learn.
        loss: The user's, in place of the recipe's.
        seed: Of the weights that lazy layers draw.
        parameters: How it is fed and read, which comes before what it declares.

    Raises:
        UsageError: If it is no network, or a step of its training fails.
        DerainerError: If no size is found that it takes.
    """
    import copy

    import torch

    from derainers.derainer import Derainer
    from derainers.fitting import fitted
    from derainers.training.own import Ordinary
    from harness.plan.user_code import completed

    derainer = Derainer(value) if isinstance(value, torch.nn.Module) else value
    if not isinstance(derainer, Derainer) or not any(
        p.requires_grad for p in derainer.module.parameters()
    ):
        raise UsageError(
            f"{word} returned {type(value).__name__}: training needs a torch.nn.Module "
            "or a Derainer with parameters to learn"
        )
    derainer = completed(word, derainer, seed).to("cpu")
    parameters.put_on(derainer)
    if derainer.scale != 1:
        raise UsageError(f"{word}: it enlarges images, and rain goes at one size alone")
    shown = copy.copy(derainer)
    shown.module = Ordinary(
        derainer.module
    )  # its file may keep what a forward made, for all copies
    with seeded("fit"):
        derainer = fitted(shown, word)
    derainer.module = shown.module.network
    with seeded("step"):
        _step(word, derainer, recipe, loss)
    return derainer


def _step(word: str, derainer: Derainer, recipe: Recipe, loss: Callable[..., Any] | None) -> None:
    """Loss and gradients of a crop of each size that is learned from, by a copy of a network."""
    import copy

    import torch

    from derainers.outputs import image_of
    from derainers.training.losses import loss_of
    from derainers.training.own import in_one_line

    black, white = derainer.range
    with in_one_line(f"{word}: a copy of it, which training needs,"):
        network = copy.deepcopy(derainer.module).train()
    shapes = _shapes(word, network)

    def restored(x: torch.Tensor) -> torch.Tensor:
        result = network(x)
        try:
            made = image_of(result, derainer.output, tuple(x.shape))[0]
        except DerainerError as error:
            if derainer.output is not None:
                raise
            raise DerainerError(f"{IN_TRAINING} ({error})") from error
        if made.shape != x.shape:
            raise DerainerError(f"in training it makes {tuple(made.shape)} of {tuple(x.shape)}")
        if not made.requires_grad:
            raise DerainerError(
                "what it returns does not follow from its parameters: nothing can be learned; "
                "its forward must do without detach(), numpy() and no_grad"
            )
        return made

    for height, width in crops_of(derainer, recipe).sizes_px:
        rainy, clean = (torch.rand(1, 3, height, width) * (white - black) + black for _ in "xy")
        try:
            with in_one_line(f"a step of training on one crop of {width}x{height}"):
                of_batch = loss_of(recipe.loss, derainer.range, loss)
                of_batch(restored, rainy, clean)[0].backward()
        except DerainerError as error:
            remedy = ALONE if "more than 1 value per channel" in str(error) else ""
            raise UsageError(f"{word}: {error}{remedy}") from error
    for name, shape in _shapes(word, network).items():
        if shape != shapes.get(name):
            raise UsageError(
                f"{word}: its forward changes the size of {name}, so that its weights would fit no "
                "new one: register_buffer(…, persistent=False) keeps it out of them"
            )


def _shapes(word: str, network: Any) -> dict[str, tuple[int, ...]]:
    """The sizes of all that a network's weights hold."""
    import torch

    state = network.state_dict()
    for name, value in state.items():
        if not isinstance(value, torch.Tensor):
            raise UsageError(
                f"{word}: {name} in its weights is {type(value).__name__}, and a file of weights "
                "holds tensors alone: let it do without get_extra_state"
            )
    return {name: tuple(value.shape) for name, value in state.items()}


def crops_of(derainer: Derainer, recipe: Recipe) -> Crops:
    """Crops of the sizes that a network takes, of no photographs yet."""
    from derainers.training.data import Crops

    sizes = derainer.multiple_of, derainer.minimum_px, derainer.fixed_px
    return Crops((), (), recipe, 0, *sizes)
