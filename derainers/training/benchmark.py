"""The one protocol by which networks are trained that are to be compared: ``--recipe benchmark``.

Every network sees the same crops of the same rainy photographs in the same order, whatever its
batch, and as many of them; its weights are chosen by the same validation alone. Only the loss, the
first learning rate and Adam's decays are its own. Equal crops compare how fast networks learn, not
what they could become: see ``converged`` in a card.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from derainers.training.recipes import Recipe


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
    photographs: str
    """Digest of the names and files of all, see `harness.training.derainer`."""
    excluded: str
    """Whose photographs are left out, told by perceptual hashes (``--exclude``)."""
    rains: tuple[str, ...]
    """One is drawn for each photograph."""
    held_out_rains: tuple[str, ...]
    """What weights are judged by and must not be trained on."""
    crops: int
    """How many a network sees; one of `large_px` counts as the small ones that it is large as."""
    crop_px: int
    batch: int
    crops_per_render: int
    large_px: int
    large_crops: int
    """So many of ``crops`` are seen in large ones, one by one, at the end."""
    validated_every_crops: int
    ema_decay: float
    clip_norm: float
    seeds: tuple[int, ...]
    """What a network's spread is told by; the first where there is one training alone."""

    @property
    def steps(self) -> int:
        """Steps of the optimiser."""
        return (self.crops - self.large_crops) // self.batch + self.large_steps

    @property
    def large_steps(self) -> int:
        """Steps that see one large crop each."""
        return self.large_crops // (self.large_px // self.crop_px) ** 2


BENCHMARK = Protocol(
    dataset="folder",
    split="train+val",
    validated_on="val",
    validation_photographs=20,
    photographs="add8d9210fac37e411b64567ec775644f10098e113a57eb0541749f92fd3aa79",
    excluded="the backgrounds of Rain100L and Rain100H",
    rains=(
        "photoshop-light",
        "photoshop-medium",
        "photoshop-heavy",
        "rain100l",
        "rain100h",
        "outdoor-rain",
    ),
    held_out_rains=("physical", "coco350", "bdd350", "bdd150", "albumentations"),
    crops=64_000,
    crop_px=96,
    batch=4,
    crops_per_render=2,
    large_px=288,
    large_crops=15_984,
    validated_every_crops=4_000,
    ema_decay=0.999,
    clip_norm=1.0,
    seeds=(0, 1, 2),
)
"""BSDS500's photographs; a rain more is a word more, and another protocol."""


def benchmark(own: Recipe) -> Recipe:
    """The protocol with what is a network's own: loss, first learning rate, Adam's decays.

    Args:
        own: Its short recipe, of which the schedule is kept too.
    """
    steps = BENCHMARK.steps
    return replace(
        own,
        epochs=1,
        steps_per_epoch=steps,
        batch=BENCHMARK.batch,
        patch_px=BENCHMARK.crop_px,
        crops_per_render=BENCHMARK.crops_per_render,
        large_px=BENCHMARK.large_px,
        large_share=BENCHMARK.large_steps / steps,
        validated_every_crops=BENCHMARK.validated_every_crops,
        ema_decay=BENCHMARK.ema_decay,
        clip_norm=BENCHMARK.clip_norm,
    )
