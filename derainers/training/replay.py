"""Loss and gradients of a batch as one CUDA graph, replayed for every batch of its size.

Networks of hundreds of small layers wait for each layer's launch otherwise, not for the GPU.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

WARM_UPS = 3
SIZES = 2
"""So many sizes of batch are recorded; each keeps its own activations in memory."""

Backward = Callable[[Tensor, Tensor], Tensor]
"""Function of a rainy and a clean batch that adds to the gradients and gives the loss."""


class Replays:
    """A `Backward` that is recorded when a size comes first, and replayed after that."""

    def __init__(self, backward: Backward, parameters: Sequence[nn.Parameter]) -> None:
        """Keep what will be recorded.

        Args:
            backward: Draws no random numbers, never waits for the GPU, and leaves nothing to Python
                that a replay would lack.
            parameters: All whose gradients it makes.
        """
        self._backward, self._parameters = backward, parameters
        self._recorded: dict[torch.Size, _Recorded] = {}

    def __call__(self, rainy: Tensor, clean: Tensor) -> Tensor:
        """Loss of a batch on a GPU; the gradients are set, not added to."""
        if rainy.shape not in self._recorded and len(self._recorded) < SIZES:
            self._recorded[rainy.shape] = _Recorded(self._backward, self._parameters, rainy, clean)
        if rainy.shape in self._recorded:
            return self._recorded[rainy.shape](rainy, clean)
        _forget_gradients(self._parameters)
        return self._backward(rainy, clean)


class _Recorded:
    """One size."""

    def __init__(
        self,
        backward: Backward,
        parameters: Sequence[nn.Parameter],
        rainy: Tensor,
        clean: Tensor,
    ) -> None:
        self._parameters = parameters
        self._rainy, self._clean = rainy.clone(), clean.clone()
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(WARM_UPS):
                _forget_gradients(parameters)
                backward(self._rainy, self._clean)
        torch.cuda.current_stream().wait_stream(side)
        _forget_gradients(parameters)
        self._graph = torch.cuda.CUDAGraph()
        # The loader pins memory in a thread of its own, which must not break the recording.
        with torch.cuda.graph(self._graph, capture_error_mode="thread_local"):
            self._loss = backward(self._rainy, self._clean)
        self._gradients = [parameter.grad for parameter in parameters]

    def __call__(self, rainy: Tensor, clean: Tensor) -> Tensor:
        self._rainy.copy_(rainy)
        self._clean.copy_(clean)
        self._graph.replay()
        for parameter, gradient in zip(self._parameters, self._gradients, strict=True):
            parameter.grad = gradient
        return self._loss


def _forget_gradients(parameters: Sequence[nn.Parameter]) -> None:
    for parameter in parameters:
        parameter.grad = None
