"""A derainer that learns for a task: what a frozen task network sees goes into its loss."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from harness.plan.networks import network_of
from harness.spec import RunSpec, UsageError
from tasks.rows import TASKS

if TYPE_CHECKING:
    from torch import Tensor


@runtime_checkable
class Shows(Protocol):
    """A task network that shows what it sees."""

    def seen(self, images: Tensor) -> Sequence[Tensor]:
        """Its maps of ``float32 (B, 3, H, W)`` RGB in [0, 1], with their gradients."""
        ...


@dataclass(frozen=True)
class ForTask:
    """A frozen task network that a derainer restores images for."""

    task: str
    name: str
    sha256: str
    load: Callable[[str], Callable[[Tensor, Tensor], Tensor]]
    """Loads it on a device, as a function of restored and clean images: see `difference`."""

    def told(self) -> dict[str, str]:
        """What a training's identity and card say of it."""
        return {"task": self.task, "network": self.name, "sha256": self.sha256}


def for_task(word: str, spec: RunSpec) -> ForTask:
    """The network that a word names.

    Args:
        word: ``TASK=NETWORK``, as ``run --model`` takes it.
        spec: Where networks are looked for.

    Raises:
        UsageError: If there is none such.
    """
    task, _, named = word.partition("=")
    if task not in TASKS or not named:
        tasks = ", ".join(TASKS)
        raise UsageError(f"--for {word}: expected TASK=NETWORK, the task one of {tasks}")
    network = network_of(task, named, spec)
    refusal = (
        f"--for {word}: nothing can be learned by it: give a detector of ultralytics, or a "
        "segmenter that is a PyTorch module"
    )
    if network.identity is not None:
        raise UsageError(refusal)

    def load(device: str) -> Callable[[Tensor, Tensor], Tensor]:
        built = network.build(device, ())
        if not isinstance(built, Shows):
            raise UsageError(refusal)
        return lambda restored, clean: difference(built, restored, clean)

    return ForTask(task, network.name, network.sha256, load)


def difference(network: Shows, restored: Tensor, clean: Tensor) -> Tensor:
    """How far what a network sees in restored images is from what it sees in clean ones.

    Mean over its maps of their squared distance, as a share of the squares of the clean images'.
    It needs no labels, and is nothing for equal images.

    Args:
        network: What it shows is compared.
        restored: Such images; gradients flow into them.
        clean: Such images.
    """
    import torch

    with torch.no_grad():
        wanted = network.seen(clean.float())
    found = network.seen(restored.float())
    shares = [
        (a - b).square().mean() / b.square().mean().clamp_min(1e-12)
        for a, b in zip(found, wanted, strict=True)
    ]
    return torch.stack(shares).mean()
