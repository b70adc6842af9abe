"""What learns in the training of a derainer: network, optimisers, average, and their checkpoint."""

from __future__ import annotations

import contextlib
import copy
import logging
import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from datasets.inert import InertError, read
from derainers.derainer import Derainer
from derainers.errors import DerainerError
from derainers.outputs import image_of
from derainers.training.average import Average
from derainers.training.data import Crops, Group
from derainers.training.losses import LOOKS_ON_CPU, OF_STAGES, Judge, Perceptual, loss_of
from derainers.training.own import Ordinary
from derainers.training.recipes import Plateau
from derainers.training.replay import Replays
from derainers.training.state import State

PRECISIONS: dict[str, Any] = {"fp32": "32-true", "bf16": "bf16-mixed"}

DROPS = (
    *(nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d),
    *(nn.AlphaDropout, nn.FeatureAlphaDropout, nn.MultiheadAttention),
)
"""Layers that drop where they are in training."""

FOR_TASK = 0.1
"""Weight of what a task network sees, a relative error: with it, of the size of an absolute one."""


@dataclass(frozen=True)
class Means:
    """What a training runs on, and with."""

    device: str = "cpu"
    """``cpu``, or ``cuda`` for all there are."""
    dtype: str = "fp32"
    """A key of `PRECISIONS`."""
    workers: int = 0
    """Processes that make crops; 0 = none beside this one."""
    vgg: Path | None = None
    """VGG16's weights, for recipes with a perceptual term."""
    hardware: str = ""
    """What the device is, in words."""
    is_own: bool = False
    """Whether the network is a user's, of which nothing is known."""
    loss: Callable[[Tensor, Tensor], Tensor] | None = None
    """A user's function of restored and clean images, in place of the recipe's."""
    for_task: Callable[[Tensor, Tensor], Tensor] | None = None
    """How far what a frozen task network sees in restored images is from what it sees in clean
    ones, both RGB in [0, 1]; joins the recipe's loss with `FOR_TASK`."""


@dataclass(frozen=True)
class Checkpoint:
    """Where a training keeps all that going on needs."""

    file: Path
    training: Mapping[str, Any] = field(default_factory=dict)
    """What it is, as plain values; in the file."""
    note: Callable[[Path], None] = lambda _: None
    """Told of a new file before it takes the old one's place."""


def _layout_of(derainer: Derainer, means: Means) -> torch.memory_format:
    """How the numbers lie: channels last is faster on the CPU, and the same on a GPU.

    Networks that were found to need them in order get them so, and dilated convolutions in bfloat16
    too: oneDNN's gradients of these are NaN where channels come last and their number is none of
    its blocks' (RESCAN's 24, with torch 2.15).
    """
    if derainer._layout == torch.contiguous_format:
        return torch.contiguous_format
    modules = derainer.module.modules()
    is_dilated = any(isinstance(m, nn.Conv2d) and max(m.dilation) > 1 for m in modules)
    if means.device == "cpu" and means.dtype == "bf16" and is_dilated:
        return torch.contiguous_format
    return torch.channels_last


def processes_here() -> int:
    """Processes that a launcher (torchrun) started for this training on this machine; 1 = none."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", "1"))


class Learner:
    """Network, optimisers and average of one training."""

    def __init__(self, derainer: Derainer, crops: Crops, means: Means) -> None:
        self.recipe = recipe = crops.recipe
        self.steps, self.own_steps = crops.steps, recipe.steps(len(crops.photographs))
        self.steps_per_epoch = max(1, crops.steps // recipe.epochs)  # from a validation to the next
        self.derainer = derainer
        self.learning_rate = recipe.learning_rate
        torch.manual_seed(recipe.seed)
        logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
        self.fabric = Fabric(
            accelerator=means.device,
            devices="auto" if means.device == "cuda" else processes_here(),
            precision=PRECISIONS[means.dtype],
        )
        self.fabric.launch()
        self.place = self.fabric.global_rank, self.fabric.world_size
        if crops.renders_per_step % self.place[1]:
            raise DerainerError(
                f"{self.place[1]} processes cannot share the {crops.renders_per_step} photographs "
                "of a step evenly: start another number of them"
            )
        torch.backends.cudnn.allow_tf32 = False  # SSIM's variances are differences of averages
        self._layout = _layout_of(derainer, means)
        network = self._learning(derainer.module)
        self.network, self.optimiser = self.fabric.setup(network, self._adam(network))
        if recipe.loss in OF_STAGES:
            self.network.mark_forward_method("stages")
        self.average = Average(network, recipe.ema_decay or 0.0)
        self.judge: Any = None
        if recipe.adversarial:
            judge = Judge()
            self.judge, self.judge_optimiser = self.fabric.setup(judge, self._adam(judge))
            self.judge.mark_forward_method("error")
        self.perceptual: Perceptual | None = None
        if recipe.perceptual and means.vgg is not None:
            self.perceptual = Perceptual(means.vgg).to(self.fabric.device)
        self._replays = (
            Replays(self._backward, list(self.network.parameters()))
            if self._can_be_recorded(means)
            else None
        )
        self._best: dict[str, Tensor] | None = None
        self._of_batch = loss_of(recipe.loss, derainer.range, means.loss)
        self._for_task = means.for_task

    def step(self, groups: Sequence[Group], state: State) -> float:
        """One step of the optimisers; gives the loss."""
        self.learning_rate = self._rate(state.step, state)
        for optimiser in self._optimisers():
            for group in optimiser.param_groups:
                group["lr"] = self.learning_rate
        torch.manual_seed(self.recipe.seed + state.step)  # of dropout
        count = sum(len(rainy) for rainy, _ in groups)
        self.optimiser.zero_grad()
        total = 0.0
        shown: list[tuple[Tensor, Tensor, Tensor]] = []
        for number, (rainy, clean) in enumerate(groups):
            x, y = self._as_taken(rainy), self._as_taken(clean)
            if self._replays is not None and len(groups) == 1:
                total = self._replays(x, y).item()
                break
            more_follow = number < len(groups) - 1
            with self.fabric.no_backward_sync(self.network, enabled=more_follow):
                loss, restored = self._loss(x, y)
                if self.judge is not None:
                    loss = loss + self.recipe.adversarial * self.judge(restored, x)
                if self.perceptual is not None:
                    features = self.perceptual(self._as_seen(restored), self._as_seen(y))
                    loss = loss + self.recipe.perceptual * features
                if self._for_task is not None:
                    seen = self._for_task(self._as_seen(restored), self._as_seen(y))
                    loss = loss + FOR_TASK * seen
                loss = loss * (len(rainy) / count)
                self.fabric.backward(loss)
            total += loss.item()
            shown.append((restored.detach(), y, x))
        total = self._mean(total)
        if not math.isfinite(total):
            return total
        if self.recipe.clip_norm is not None:
            norm = self.fabric.clip_gradients(
                self.network,
                self.optimiser,
                max_norm=self.recipe.clip_norm,
                error_if_nonfinite=False,
            )
            if norm is not None and not torch.isfinite(norm):
                return math.nan
        self.optimiser.step()
        if self.judge is not None:
            self.judge_optimiser.zero_grad()
            for restored, y, x in shown:
                self.fabric.backward(self.judge.error(restored, y, x) * (len(x) / count))
            self.judge_optimiser.step()
        if self.recipe.ema_decay is not None:
            self.average.update_parameters(self.derainer.module)
        return total

    def _rate(self, step: int, state: State) -> float:
        """The learning rate of a step."""
        return self.recipe.rate(step, self.steps, self.own_steps) * state.factor

    def _loss(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """The recipe's loss of a batch, without judge and perceptual term, and what is restored."""
        # Fabric sees to the format where the network itself is called, not one of its methods.
        of_stages = self.recipe.loss in OF_STAGES
        with self.fabric.autocast() if of_stages else contextlib.nullcontext():
            return self._of_batch(self.network if of_stages else self._restored, x, y)

    def _restored(self, x: Tensor) -> Tensor:
        """The image that the network makes of a batch."""
        return image_of(self.network(x), self.derainer.output, tuple(x.shape))[0]

    def _backward(self, x: Tensor, y: Tensor) -> Tensor:
        """Loss of a batch, its gradients added."""
        loss, _ = self._loss(x, y)
        self.fabric.backward(loss)
        return loss.detach()

    def _can_be_recorded(self, means: Means) -> bool:
        """Whether a step is the same work on one GPU each time: see `Replays`."""
        module = self.derainer.module
        return (
            self.fabric.device.type == "cuda"
            and self.place[1] == 1
            and self.recipe.patch_px is not None
            and self.recipe.loss not in LOOKS_ON_CPU
            and self.judge is None
            and self.perceptual is None
            and means.for_task is None
            and not means.is_own
            and not any(m.training for m in module.modules() if isinstance(m, DROPS))
        )

    def _adam(self, network: nn.Module) -> torch.optim.Adam:
        is_cuda = self.fabric.device.type == "cuda"
        rate, betas = self.recipe.learning_rate, self.recipe.betas
        return torch.optim.Adam(network.parameters(), rate, betas, fused=is_cuda or None)

    def validated(
        self, validate: Callable[[Derainer], Mapping[str, float] | None], state: State
    ) -> Mapping[str, float] | None:
        """Scores of the present weights, which are kept where they are the best so far.

        The first of several processes validates, for all. None: there was no time for it.
        """
        kept = self._kept()
        scores: Mapping[str, float] | None = None
        if self.fabric.is_global_zero:
            with self._shown(kept):
                shown = copy.copy(self.derainer)
                shown.module = Ordinary(self.derainer.module)
                scores = validate(shown)
        scores = self.fabric.broadcast(scores)
        if scores is None:
            return None
        first = next(iter(scores.values()), math.nan)
        decay = self.recipe.decay
        if first > state.best or self._best is None:
            state.best, state.since = max(first, state.best), 0
            self._best = {name: value.detach().cpu().clone() for name, value in kept.items()}
        else:
            state.since += 1
            if isinstance(decay, Plateau) and state.since > decay.patience:
                state.factor = max(decay.floor, state.factor * decay.by)
                state.since = 0
        return scores

    def any_of(self, mine: bool) -> bool:
        """Whether it is so in any of the processes; all ask at the same place."""
        return mine if self.place[1] == 1 else self._mean(float(mine)) > 0

    def _mean(self, value: float) -> float:
        """Mean of a number over the processes."""
        if self.place[1] == 1:
            return value
        mean: Tensor = self.fabric.all_reduce(torch.tensor(value, device=self.fabric.device))  # type: ignore[assignment]
        return float(mean)

    def finds(self, file: Path) -> bool:
        """Whether there is a checkpoint, once the first process has put it there."""
        self.fabric.barrier()
        return file.is_file()

    def best(self) -> nn.Module:
        """The network with the weights that the validation chose; the present ones before any."""
        module = self.derainer.module
        module.load_state_dict(self._best if self._best is not None else self._kept())
        return module.eval()

    def save(self, checkpoint: Checkpoint, state: State) -> None:
        """Write the checkpoint, of which is told first; a kill leaves the old one or the new."""
        content = {name: part.state_dict() for name, part in self._parts().items()}
        content |= {"best": self._best, "state": state.plain(), "training": checkpoint.training}
        temporary = checkpoint.file.with_suffix(".tmp")
        self.fabric.save(temporary, content)
        if self.fabric.is_global_zero:
            checkpoint.note(temporary)
            temporary.replace(checkpoint.file)
        self.fabric.barrier()

    def restored(self, file: Path) -> State:
        """Take everything back from a checkpoint.

        Raises:
            DerainerError: If it is damaged, or another training's.
        """
        try:
            content = read(file)
        except (InertError, OSError) as error:
            raise DerainerError(f"{file}: {error}") from error
        try:
            for name, part in self._parts().items():
                part.load_state_dict(self._as_here(part, content[name]))
            self._best, state = content["best"], State.of(content["state"])
            self.learning_rate = self._rate(max(state.step - 1, 0), state)
            return state
        except Exception as error:
            # What is not a part's own state ends in any kind of exception.
            raise DerainerError(f"{file} is another training's: give a new --out") from error

    @staticmethod
    def _as_here(part: Any, saved: Any) -> Any:
        """A part's state for this device: Adam has a fused form on a GPU alone."""
        here = getattr(part, "param_groups", [])
        for group, own in zip(saved["param_groups"] if here else [], here, strict=False):
            group["fused"] = own["fused"]
        return saved

    def _parts(self) -> dict[str, Any]:
        parts = {"network": self.network, "optimiser": self.optimiser, "average": self.average}
        if self.judge is not None:
            parts |= {"judge": self.judge, "judge optimiser": self.judge_optimiser}
        return parts

    def _optimisers(self) -> list[Any]:
        return [self.optimiser, *([self.judge_optimiser] if self.judge is not None else [])]

    def _kept(self) -> dict[str, Tensor]:
        """The weights that would come out now."""
        averaged = self.recipe.ema_decay is not None
        module: nn.Module = self.average.module if averaged else self.derainer.module
        return dict(module.state_dict())

    @contextlib.contextmanager
    def _shown(self, weights: Mapping[str, Tensor]) -> Iterator[None]:
        """The derainer with some weights, ready to restore; after it, as it was."""
        module = self.derainer.module
        mine = {name: value.detach().clone() for name, value in module.state_dict().items()}
        module.load_state_dict(weights)
        self.derainer.to(str(self.fabric.device))
        try:
            yield
        finally:
            module.load_state_dict(mine)
            self._learning(module)

    def _learning(self, module: nn.Module) -> nn.Module:
        """A network as it is in training."""
        module.to(memory_format=self._layout).train()
        for part in module.modules():
            if isinstance(part, DROPS):
                part.train(self.recipe.dropout)
        return module

    def _as_taken(self, images: Tensor) -> Tensor:
        """From RGB in [0, 1] to the network's own convention, on its device."""
        black, white = self.derainer.range
        x = images.to(self.fabric.device, non_blocking=True) * (white - black) + black
        x = x.flip(1) if self.derainer.channels == "bgr" else x
        return x.contiguous(memory_format=self._layout)

    def _as_seen(self, images: Tensor) -> Tensor:
        """Back to RGB in [0, 1]."""
        black, white = self.derainer.range
        x = (images - black) / (white - black)
        return x.flip(1) if self.derainer.channels == "bgr" else x
