"""How each derainer is trained: the papers' schedules, and a short one for little compute.

Sources: MSPFN section 4.1 and its released code; GraNet section 4.3; DCSFN section 4.2 and its
settings; the heavy-rain paper section 2.3 and its first author's code; PReNet's and RESCAN's
released code. MSCG's poster gives no schedule: its row is a choice. NLEDN's is that of GraNet,
whose paper says that it trains as NLEDN did. Where a paper trains on patches cut once, the same
number is cut anew at random; flips stand for augmentations that a paper does not describe.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

Loss = Literal[
    "mae",
    "mse",
    "negative-ssim",
    "charbonnier",
    "charbonnier-edge",
    "multi-scale",
    "two-stage",
    "two-stage-mae",
    "two-stage-release",
    "stages-mse",
    "own",
]


class Place(NamedTuple):
    """Where a training stands."""

    step: int
    """From 0."""
    own_step: float
    """The step of the recipe at its own length, on the same images."""
    epoch: float
    """Of the recipe's."""
    share: float
    """Of the training that is done, in [0, 1)."""


@dataclass(frozen=True)
class Constant:
    """The learning rate never changes."""

    def factor(self, at: Place) -> float:
        """1."""
        return 1.0


@dataclass(frozen=True)
class Milestones:
    """Multiplied by ``by`` at each of some epochs."""

    epochs: tuple[float, ...]
    by: float

    def factor(self, at: Place) -> float:
        """How often a milestone has passed, as a power."""
        return self.by ** sum(at.epoch >= milestone for milestone in self.epochs)


@dataclass(frozen=True)
class Stairs:
    """Multiplied by ``by`` every so many steps, at once or little by little, above a floor."""

    every_steps: int
    by: float
    floor: float
    """Share of the first learning rate that always stays: the least of it, or added to it."""
    smooth: bool = False

    def factor(self, at: Place) -> float:
        """At once: not below the floor; little by little: above the floor by the power."""
        if self.smooth:
            return float(self.by ** (at.own_step / self.every_steps)) + self.floor
        return max(float(self.by ** (at.own_step // self.every_steps)), self.floor)


@dataclass(frozen=True)
class Inverse:
    """Divided by 1 + epoch / ``epochs``."""

    epochs: int

    def factor(self, at: Place) -> float:
        """One half after ``epochs`` epochs."""
        return 1 / (1 + math.floor(at.epoch) / self.epochs)


@dataclass(frozen=True)
class Cosine:
    """Warm-up over the first steps, then half a cosine down to almost nothing, perhaps repeatedly.

    Warm restarts: Loshchilov and Hutter, SGDR, ICLR 2017.
    """

    warm_up_steps: int = 100
    last: float = 0.002
    ends: tuple[float, ...] = (1.0,)
    """Shares of the training at which a half cosine ends, rising, the last of them 1."""

    def factor(self, at: Place) -> float:
        """By the share of the training that is done."""
        end = next((end for end in self.ends if at.share < end), self.ends[-1])
        begin = max((earlier for earlier in self.ends if earlier < end), default=0.0)
        done = (at.share - begin) / (end - begin)
        warm = min(1.0, (at.step + 1) / self.warm_up_steps)
        return warm * (self.last + (1 - self.last) * 0.5 * (1 + math.cos(math.pi * done)))


@dataclass(frozen=True)
class Plateau:
    """Multiplied by ``by`` where the validation's PSNR has not risen for ``patience`` epochs."""

    by: float
    patience: int
    floor: float
    """Share of the first learning rate below which it does not fall."""

    def factor(self, at: Place) -> float:
        """1: the loop knows the validation, see `derainers.training.loop`."""
        return 1.0


Decay = Constant | Milestones | Stairs | Inverse | Cosine | Plateau


@dataclass(frozen=True)
class Recipe:
    """What decides the weights beside network, images and rain."""

    loss: Loss
    learning_rate: float
    decay: Decay
    epochs: int
    batch: int
    patch_px: int | None
    """Side of the square crops; None = whole images, cut where they are longer than `LONGEST_PX`,
    one after the other, their gradients averaged over the batch."""
    crops_per_image: int = 1
    """An epoch draws so many crops from each image, on average."""
    crops_per_render: int = 1
    """So many crops of a step show one rainy photograph; ``batch`` is a multiple of it. On a GPU
    making rain takes longer than the step."""
    steps_per_epoch: int | None = None
    """Steps of an epoch; None = as many as images, crops and batch give."""
    betas: tuple[float, float] = (0.9, 0.999)
    """Adam's decays of the gradient's mean and of its square's."""
    ema_decay: float | None = None
    """Moving average of the weights, which is then what comes out; None = the weights are."""
    clip_norm: float | None = None
    """Largest norm of the gradient."""
    dropout: bool = True
    """Whether layers of dropout drop; short trainings have nothing to forget."""
    large_px: int | None = None
    """Side of a larger crop that a step now and then sees alone: networks whose regions or means
    grow with the image are not ready for large ones otherwise."""
    large_every_steps: int = 6
    """The last of so many steps sees it."""
    validated_every_crops: int | None = None
    """Small crops from one validation to the next; None = see `derainers.training.loop`."""
    adversarial: float = 0.0
    """Weight of the discriminator's term."""
    perceptual: float = 0.0
    """Weight of the term on VGG16's features, where its weights are given."""
    seed: int = 0

    def steps(self, images: int) -> int:
        """Steps of the whole recipe on so many images."""
        per_epoch = -(-images * self.crops_per_image // self.batch)
        return (self.steps_per_epoch or per_epoch) * self.epochs

    def epoch(self, step: int, steps: int) -> float:
        """The epoch of a step where all epochs take so many steps."""
        return step * self.epochs / steps

    def rate(self, step: int, steps: int, own_steps: int) -> float:
        """The learning rate of a step.

        Args:
            step: Its number, from 0.
            steps: Of the training, into which the schedule is put.
            own_steps: Of the recipe on the same images.
        """
        epoch = self.epoch(step, steps)
        place = Place(step, step * own_steps / steps, epoch, epoch / self.epochs)
        return self.learning_rate * self.decay.factor(place)


LONGEST_PX = 512
_MSPFN = Recipe(
    loss="charbonnier-edge",
    learning_rate=2e-4,
    decay=Stairs(every_steps=20_000, by=0.5, floor=1e-6 / 2e-4),
    epochs=30,
    batch=8,
    patch_px=96,
    crops_per_image=15,  # non-overlapping ones of 481x321
)
_DCSFN = Recipe(
    loss="negative-ssim",
    learning_rate=5e-4,
    decay=Milestones(epochs=(480, 640), by=0.1),
    epochs=800,
    batch=24,
    patch_px=64,
)
_GRANET = Recipe(
    loss="mae",
    learning_rate=5e-4,
    decay=Plateau(by=0.9, patience=10, floor=1e-4 / 5e-4),
    epochs=400,
    batch=8,
    patch_px=None,
)
_HRRSR = Recipe(
    loss="two-stage",
    learning_rate=5e-5,
    decay=Inverse(epochs=100),
    epochs=500,
    batch=4,
    patch_px=None,
    perceptual=1.0,
)
_MSCG = Recipe(
    loss="multi-scale",
    learning_rate=2e-4,
    decay=Constant(),
    epochs=100,
    batch=8,
    patch_px=128,
    crops_per_image=6,
    betas=(0.5, 0.999),
    adversarial=6.6e-3,
    perceptual=1.0,
)
_PRENET = Recipe(
    loss="negative-ssim",
    learning_rate=1e-3,
    decay=Milestones(epochs=(30, 50, 80), by=0.2),
    epochs=100,
    batch=18,
    patch_px=100,
    crops_per_image=15,  # at a stride of 80 pixels in 481x321
)
_RESCAN = Recipe(
    loss="stages-mse",
    learning_rate=5e-3,
    decay=Milestones(epochs=(15, 17.5), by=0.1),  # at 15,000 and 17,500 of 20,000 steps
    epochs=20,
    steps_per_epoch=1000,
    batch=64,
    patch_px=64,
)
PAPER: dict[str, Recipe] = {
    "mspfn": _MSPFN,
    "mspfn-light": _MSPFN,
    "dcsfn": _DCSFN,
    "dcsfn-paper": _DCSFN,
    "dcsfn-light": _DCSFN,
    "granet": _GRANET,
    "hrrsr": _HRRSR,
    "hrrsr-x1": _HRRSR,
    "mscg": _MSCG,
    "prenet": _PRENET,
    "prenet-r": _PRENET,
    "prn": _PRENET,
    "prn-r": _PRENET,
    "rescan": _RESCAN,
    "nledn": _GRANET,
}
"""The recipe of each derainer's paper, literally; all derainers that can be trained are here."""

RELEASE: dict[str, Recipe] = {
    "mspfn": replace(
        _MSPFN,
        learning_rate=5e-4,
        decay=Stairs(every_steps=20_000, by=0.8, floor=1e-6 / 5e-4, smooth=True),
        epochs=50,
        batch=12,
    ),
    "dcsfn": _DCSFN,  # 480 and 640 of 800 epochs are 3/5 and 4/5 there
    "hrrsr": replace(_HRRSR, loss="two-stage-release", perceptual=0.0),
}
"""Schedule and loss of the authors' code, where it is published."""

SHORT_RATES = {"dcsfn": 1e-3, "hrrsr": 2e-4, "mspfn": 5e-4, "rescan": 1e-3}
"""First learning rates of the short recipe by family, where the paper's is too small for it, or, as
RESCAN's for batches of 64, too large."""
OWN_RATE = 5e-4
"""First learning rate of a user's network, where none is given."""


def short(name: str) -> Recipe:
    """A recipe for hours instead of days: the paper's loss, few steps, a cosine, an average.

    HRRSR's squared errors are absolute ones here: under ``outdoor-rain`` they are sixty times what
    they are in light rain, and for their sake the images of all rains would come out too dark.
    """
    paper = PAPER[name]
    return replace(
        _few_steps(paper),
        loss="two-stage-mae" if paper.loss == "two-stage" else paper.loss,
        learning_rate=SHORT_RATES.get(name.partition("-")[0], paper.learning_rate),
    )


def _few_steps(recipe: Recipe) -> Recipe:
    """12,000 steps of four crops, whatever is learned."""
    return replace(
        recipe,
        decay=Cosine(),
        epochs=12,
        steps_per_epoch=1000,
        batch=4,
        patch_px=96,
        crops_per_image=1,
        ema_decay=0.999,
        clip_norm=1.0,
        dropout=False,
        large_px=320,
    )


def own(learning_rate: float | None = None) -> Recipe:
    """The short recipe for a network of the user's; of its loss the caller decides."""
    rate = OWN_RATE if learning_rate is None else learning_rate
    return _few_steps(Recipe("mae", rate, Cosine(), epochs=12, batch=4, patch_px=96))


def sixteen_crops(recipe: Recipe) -> Recipe:
    """With sixteen crops of four rainy photographs a step, for a GPU."""
    return replace(recipe, batch=16, crops_per_render=4)


def recipe_of(name: str, kind: str) -> Recipe | None:
    """The recipe of a derainer; None where there is none of that kind.

    Args:
        name: A key of `PAPER`.
        kind: ``paper``, ``release``, ``short`` or ``short-gpu``, which is ``short`` with sixteen
            crops of four rainy photographs.
    """
    if kind == "short":
        return short(name)
    if kind == "short-gpu":
        return sixteen_crops(short(name))
    return {"paper": PAPER, "release": RELEASE}[kind].get(name)
