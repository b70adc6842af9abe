"""A user's network and loss in training: nothing is known of them, and what fails is one line."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from derainers.errors import DerainerError

LONGEST = 200
"""So many characters are shown of what an error says."""


class Ordinary(nn.Module):
    """A network that is looked at while it learns.

    Derainers run in inference mode, and what a network kept of that, such as a grid of the image's
    size, no later step could be taken back through.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Any:
        """What the network makes of ``(B, 3, H, W)``, which stays as it is."""
        with torch.inference_mode(False), torch.no_grad():
            return self.network(x.clone())


def of_function(
    function: Callable[[Tensor, Tensor], Tensor],
) -> Callable[[Any, Tensor, Tensor], tuple[Tensor, Tensor]]:
    """A user's function of restored and clean images as one of `derainers.training.losses`.

    Raises:
        DerainerError: When called, if it raises, or gives what nothing can be learned by.
    """

    def loss(network: Any, rainy: Tensor, clean: Tensor) -> tuple[Tensor, Tensor]:
        restored = network(rainy)
        with in_one_line("the loss"):
            value = function(restored, clean)
        if not isinstance(value, Tensor) or value.numel() != 1:
            shape = f"a tensor of {tuple(value.shape)}" if isinstance(value, Tensor) else None
            raise DerainerError(
                "the loss must return a tensor of one number, such as a mean(), not "
                f"{shape or type(value).__name__}"
            )
        if restored.requires_grad and not value.requires_grad:
            raise DerainerError(
                "the loss does not follow from the restored images: nothing is learned by it; "
                "compute it from them by torch alone, without detach(), item(), numpy() or no_grad"
            )
        return value.reshape(()), restored

    return loss


@contextlib.contextmanager
def in_one_line(what: str, is_own: bool = True) -> Iterator[None]:
    """Tell of an error in a user's code in one line; of ours it stays as it is.

    A lack of memory and a disk that is gone are nobody's code.

    Args:
        what: What is done, in words.
        is_own: Whether it is a user's code that runs.

    Raises:
        DerainerError: If it raises anything.
    """
    try:
        yield
    except (DerainerError, OSError, MemoryError, torch.OutOfMemoryError):
        raise
    except Exception as error:
        said = " ".join(str(error).split())
        if not is_own or "allocate memory" in said:
            raise
        raise DerainerError(f"{what} raised {type(error).__name__}: {said[:LONGEST]}") from error
