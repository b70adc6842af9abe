"""The average of a network's weights, which is what a training gives out."""

from __future__ import annotations

from itertools import chain

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel


class Average(AveragedModel):
    """An exponential average that soon forgets the weights it began with.

    Its decay after n steps is the smaller of ``decay`` and (1 + n) / (10 + n): with 0.999 from the
    start, a seventh of what 2,000 steps give would be the random weights before the first.

    Whole numbers and infinities are taken as they are: the average of an index with itself would
    be cut to the number below, and that of two infinities is none. So are buffers that a forward
    made, or made anew of another size.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        super().__init__(network, use_buffers=True)
        self._decay = decay
        self._infinite: set[str] | None = None
        """Tensors that hold infinities, such as masks; known from the first update on."""

    @torch.no_grad()
    def update_parameters(self, model: nn.Module) -> None:
        """Take in the present weights of the network."""
        n = int(self.n_averaged)
        decay = min(self._decay, (1 + n) / (10 + n))
        self._take_buffers(model)
        held = _tensors(self.module)
        pairs = [(name, held[name].detach(), v.detach()) for name, v in _tensors(model).items()]
        if self._infinite is None:
            self._infinite = {name for name, _, value in pairs if value.isinf().any()}
        averaged: list[Tensor] = []
        present: list[Tensor] = []
        for name, own, value in pairs:
            is_number = own.is_floating_point() or own.is_complex()
            if n and is_number and name not in self._infinite:
                averaged.append(own)
                present.append(value)
            else:
                own.copy_(value)
        if averaged:
            torch._foreach_lerp_(averaged, present, 1 - decay)
        self.n_averaged += 1

    def _take_buffers(self, model: nn.Module) -> None:
        """Buffers that the average has not, or of another kind."""
        held = dict(self.module.named_buffers())
        for name, value in model.named_buffers():
            own = held.get(name)
            if own is None or (own.shape, own.dtype) != (value.shape, value.dtype):
                owner, _, leaf = name.rpartition(".")
                self.module.get_submodule(owner)._buffers[leaf] = value.detach().clone()


def _tensors(network: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers by name."""
    return dict(chain(network.named_parameters(), network.named_buffers()))
