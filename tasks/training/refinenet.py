"""Train the light-weight RefineNet on a set of images with label maps.

AdamW with a cosine schedule; random scale, crop, flip and colour by albumentations; each class is
weighted by 1/ln(1.1 + share), the form of Paszke et al. ("ENet", 2016) with a larger constant:
theirs finds rare classes in too many places. An exponential moving average of the weights is kept
and shipped. Epoch and place in it decide every random number, so training that was broken off
continues with the same losses.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import albumentations as A
import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from datasets.image import NDArrayByte, to_tensor
from datasets.sample import IGNORED, Sample
from tasks.models.weights import put, read_state
from tasks.networks.refinenet import RefineNet
from tasks.task import TaskError
from tasks.training.checkpoint import Checkpoint, read_checkpoint, restore
from tasks.training.view import View


@dataclass(frozen=True)
class Recipe:
    """What decides the weights beside the images."""

    epochs: int = 100
    batch: int = 4
    crop_px: int = 320
    learning_rate: float = 1e-3
    warm_up_epochs: float = 3
    weight_decay: float = 1e-2
    largest_ema_decay: float = 0.998
    """The average's decay after n steps is the smaller of it and (1 + n) / (10 + n), so that a
    short training does not ship the weights that it began with."""
    scale: tuple[float, float] = (-0.4, 0.6)
    """Images are resized by 1 + a number drawn from this range."""
    dtype: Literal["fp32", "bf16"] = "fp32"
    """bf16: convolutions in bfloat16, which halves the time where the processor has it."""
    seed: int = 0


def train(
    samples: Sequence[Sample],
    classes: int,
    recipe: Recipe,
    checkpoint: Checkpoint,
    report: Callable[[int, float], bool] = lambda *_: True,
    begin: Path | None = None,
    view: View | None = None,
) -> RefineNet:
    """Train, or continue from ``checkpoint``, which every epoch writes.

    Args:
        samples: Images with label maps.
        classes: Number of classes; label maps hold 0 to classes - 1, and `IGNORED`.
        recipe: See `Recipe`.
        checkpoint: With everything that continuing needs.
        report: Told of every epoch (its number from 1, mean loss) once it is in the checkpoint;
            False ends the training there.
        begin: Weights to begin with; the last layer begins at random where their classes are
            not as many.
        view: What is seen of an image in an epoch; None: the image itself.

    Returns:
        The averaged network.

    Raises:
        TaskError: If ``begin`` or the checkpoint is damaged or another network's, or the loss
            becomes NaN.
    """
    torch.manual_seed(recipe.seed)
    network = _begun(classes, begin)
    average = AveragedModel(
        network, multi_avg_fn=partial(_average, recipe.largest_ema_decay), use_buffers=True
    )
    optimiser = torch.optim.AdamW(
        network.parameters(), recipe.learning_rate, weight_decay=recipe.weight_decay
    )
    parts: dict[str, Any] = {"network": network, "average": average, "optimiser": optimiser}
    first = 0
    if checkpoint.file.is_file():
        kept = read_checkpoint(checkpoint.file)
        restore(checkpoint.file, kept, parts)
        first = kept["epoch"]
    images = [(sample.image(), sample.label_map()) for sample in samples]
    weights = torch.tensor(class_weights([labels for _, labels in images], classes))
    steps = steps_per_epoch(len(images), recipe)
    for epoch in range(first, recipe.epochs):
        network.train()
        order = np.random.default_rng((recipe.seed, epoch)).permutation(len(images))
        losses = []
        for step in range(steps):
            for group in optimiser.param_groups:
                group["lr"] = learning_rate(epoch + step / steps, recipe)
            torch.manual_seed(recipe.seed + epoch * steps + step)  # of the dropout
            chosen = order[step * recipe.batch : (step + 1) * recipe.batch]
            pairs = [images[i] for i in chosen]
            if view is not None:
                pairs = [
                    (view(samples[i], image, epoch), labels)
                    for i, (image, labels) in zip(chosen, pairs, strict=True)
                ]
            x, truth = _batch(pairs, (epoch, step), recipe)
            if (truth == IGNORED).all():
                continue  # a mean over no pixel is none
            losses.append(_step(network, optimiser, x, truth, weights, recipe))
            average.update_parameters(network)
        checkpoint.keep(parts, epoch=epoch + 1)
        if not report(epoch + 1, float(np.mean(losses)) if losses else 0.0):
            break
    assert isinstance(average.module, RefineNet)
    return average.module.eval()


def steps_per_epoch(images: int, recipe: Recipe) -> int:
    """Steps in which so many images are seen once, but for those that fill no batch."""
    return images // recipe.batch


def _begun(classes: int, begin: Path | None) -> RefineNet:
    """A network at random, or with the weights of another, all but a last layer that differs."""
    network = RefineNet(classes).to(memory_format=torch.channels_last)
    if begin is not None:
        state, own = read_state(begin, "classify.weight"), network.state_dict()
        if len(state.get("classify.weight", ())) != classes:
            state |= {k: v for k, v in own.items() if k.startswith("classify.")}
        put(network, state, begin)
    return network


def _average(largest_decay: float, averaged: Any, current: Any, steps: Any) -> None:
    """One step of the average, for `AveragedModel`."""
    n = int(steps)
    get_ema_multi_avg_fn(min(largest_decay, (1 + n) / (10 + n)))(averaged, current, steps)


def _step(
    network: RefineNet,
    optimiser: torch.optim.Optimizer,
    x: torch.Tensor,
    truth: torch.Tensor,
    weights: torch.Tensor,
    recipe: Recipe,
) -> float:
    """One step of the optimiser; gives the loss.

    Raises:
        TaskError: If that is no finite number.
    """
    with torch.autocast("cpu", torch.bfloat16, enabled=recipe.dtype == "bf16"):
        logits = network(x)
    loss = torch.nn.functional.cross_entropy(logits.float(), truth, weights, ignore_index=IGNORED)
    if not loss.isfinite():
        raise TaskError(
            f"the loss became {loss.item()}: the checkpoint of the epoch before stays; train in "
            "fp32, or from another seed"
        )
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    return loss.item()


def learning_rate(epoch: float, recipe: Recipe) -> float:
    """Linear warm-up, then half a cosine down to a hundredth."""
    if epoch < recipe.warm_up_epochs:
        return recipe.learning_rate * (epoch + 0.1) / (recipe.warm_up_epochs + 0.1)
    done = (epoch - recipe.warm_up_epochs) / (recipe.epochs - recipe.warm_up_epochs)
    return recipe.learning_rate * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * done)))


def class_weights(maps: Sequence[NDArrayByte], classes: int) -> NDArray[np.float32]:
    """1/ln(1.1 + share of the pixels) of each class."""
    counts = sum(np.bincount(labels.ravel(), minlength=256)[:classes] for labels in maps)
    share = np.asarray(counts, np.float64) / np.maximum(np.sum(counts), 1)
    return np.asarray(1 / np.log(1.1 + share), np.float32)


def _batch(
    pairs: Sequence[tuple[NDArrayByte, NDArrayByte]], place: tuple[int, int], recipe: Recipe
) -> tuple[torch.Tensor, torch.Tensor]:
    """Augmented crops and their labels; epoch and step decide all."""
    augment = _augmentation(recipe)
    crops, labels = [], []
    for i, (image, truth) in enumerate(pairs):
        seed = np.random.SeedSequence((recipe.seed, *place, i)).generate_state(1)
        augment.set_random_seed(int(seed[0]))
        made = augment(image=image, mask=truth)
        crops.append(made["image"])
        labels.append(made["mask"])
    x = to_tensor(crops).contiguous(memory_format=torch.channels_last)
    return x, torch.from_numpy(np.stack(labels)).long()


def _augmentation(recipe: Recipe) -> A.Compose:
    side = recipe.crop_px
    return A.Compose(
        [
            A.RandomScale(recipe.scale, mask_interpolation=cv2.INTER_NEAREST, p=1.0),
            A.PadIfNeeded(side, side, fill=128, fill_mask=IGNORED),
            A.RandomCrop(side, side),
            A.HorizontalFlip(p=0.5),
            A.ColorJitter(0.4, 0.4, 0.4, 0.05, p=0.8),
        ]
    )
