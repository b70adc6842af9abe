"""The one protocol by which networks are trained that are to be compared: ``--recipe benchmark``.

Every network sees the same crops of the same rainy images in the same order, and as many of them;
its weights are chosen by the same validation alone. Only the loss, the first learning rate and
Adam's decays are its own. Equal crops compare how fast networks learn, not what they could become:
see ``converged`` in a card.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from derainers.training.recipes import Cosine, Recipe


@dataclass(frozen=True)
class Protocol:
    """What all networks share."""

    dataset: str
    """Kind of the data set that the photographs are."""
    split: str
    """The splits that are learned from."""
    validated_on: str
    """Photographs of this split alone are kept for the validation."""
    validation_photographs: int
    excluded: str
    """Whose photographs are left out, told by perceptual hashes (``--exclude``)."""
    scenes: str
    """Split of streetsim whose scenes, with their true distances, are learned from as well."""
    validation_scenes: int
    """The last of them are kept for the validation."""
    images: str
    """Digest of the names and contents of all photographs and scenes, see
    `harness.training.protocol`."""
    rains: tuple[str, ...]
    """One is drawn for each image; ``none`` leaves it clean, wet ground needs a scene."""
    held_out_rains: tuple[str, ...]
    """What weights are judged by and must not be trained on."""
    steps: int
    """Of the optimiser."""
    annealed_at: tuple[float, ...]
    """Shares of the steps at which the learning rate has come down, and begins anew."""
    crop_px: int
    batch: int
    crops_per_render: int
    large_px: int
    large_every_steps: int
    """The last of so many steps sees one crop of ``large_px``, which counts as the small ones that
    it is large as."""
    validated_every_crops: int
    ema_decay: float
    clip_norm: float
    seeds: tuple[int, ...]
    """What a network's spread is told by; the first where there is one training alone."""


BENCHMARK = Protocol(
    dataset="folder",
    split="train+val",
    validated_on="val",
    validation_photographs=20,
    excluded="the backgrounds of Rain100L and Rain100H",
    scenes="train:104",
    validation_scenes=9,
    images="085bb802e1668f2dbf2c9af15177d775032f1890de81331bdf7aebcb90931acf",
    rains=(
        "none",
        "photoshop-light",
        "photoshop-medium",
        "photoshop-heavy",
        "rain100l",
        "rain100h",
        "outdoor-rain",
        "real-like",
        "real-like+overcast+lens",
        "real-like+overcast+wet+lens",
    ),
    held_out_rains=("physical", "coco350", "bdd350", "bdd150", "albumentations"),
    steps=13_840,
    annealed_at=(0.25, 1.0),
    crop_px=96,
    batch=4,
    crops_per_render=2,
    large_px=288,
    large_every_steps=8,
    validated_every_crops=4_000,
    ema_decay=0.999,
    clip_norm=1.0,
    seeds=(0, 1, 2),
)
"""64,010 crops of BSDS500's photographs and rendered scenes, annealed at 16,000 and at the end; a
rain more is a word more, and another protocol."""


def benchmark(own: Recipe) -> Recipe:
    """The protocol with what is a network's own: loss, first learning rate, Adam's decays.

    Args:
        own: Its short recipe.
    """
    return replace(
        own,
        decay=Cosine(ends=BENCHMARK.annealed_at),
        epochs=1,
        steps_per_epoch=BENCHMARK.steps,
        batch=BENCHMARK.batch,
        patch_px=BENCHMARK.crop_px,
        crops_per_render=BENCHMARK.crops_per_render,
        large_px=BENCHMARK.large_px,
        large_every_steps=BENCHMARK.large_every_steps,
        validated_every_crops=BENCHMARK.validated_every_crops,
        ema_decay=BENCHMARK.ema_decay,
        clip_norm=BENCHMARK.clip_norm,
    )
