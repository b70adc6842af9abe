"""Train GraNet on photographs with synthetic rain.

    python -m derainers.training.granet --photos bsds500/train bsds500/val \
        --exclude rain100l/target --out granet

Mean absolute error and Adam at 5e-4 as in the paper (equation 9, section 4.3). For little compute:
random crops instead of whole images, cosine decay instead of a plateau rule, bfloat16 and
an exponential moving average of the weights. Photographs that also stand in ``--exclude`` are left
out.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import platform
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from datasets.duplicates import found_in
from datasets.image import NDArrayByte, decode, to_tensor
from datasets.rain import RAINS, digest, generator
from derainers.checkpoint import load_weights
from derainers.networks.granet import GraNet

RAIN = "photoshop-heavy"
SEED = 0
EMA_DECAY = 0.999
FINAL_LEARNING_RATE = 1e-6


@dataclass(frozen=True)
class Phase:
    """Steps on crops of one size; a phase starts from the average of the one before."""

    steps: int
    batch: int
    patch_px: int
    learning_rate: float


PHASES = (
    Phase(steps=10_000, batch=4, patch_px=96, learning_rate=5e-4),
    # The regions of the attention grow with the image: small crops alone leave it unprepared.
    Phase(steps=2_000, batch=1, patch_px=320, learning_rate=2e-4),
)


def photographs(folders: list[Path]) -> dict[str, NDArrayByte]:
    """Decode every image of the folders, by ``folder/file``."""
    files = sorted(
        f for folder in folders for f in folder.iterdir() if f.suffix in {".jpg", ".png"}
    )
    return {f"{f.parent.name}/{f.name}": decode(f.read_bytes(), f.name) for f in files}


def pairs(images: list[NDArrayByte], phase: Phase, step: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Rainy and clean crops of a step, each ``float32 (B, 3, P, P)``; phase and step decide all."""
    rng = np.random.default_rng((SEED, phase.patch_px, step))
    rain, side = RAINS[RAIN], phase.patch_px
    rainy_crops: list[NDArrayByte] = []
    clean_crops: list[NDArrayByte] = []
    for item in range(phase.batch):
        clean = images[int(rng.integers(len(images)))]
        rainy = rain.render(clean, generator(SEED, rain, f"{side}/{step}/{item}")).image
        top = int(rng.integers(clean.shape[0] - side + 1))
        left = int(rng.integers(clean.shape[1] - side + 1))
        way = int(rng.choice([-1, 1]))
        for crops, image in ((rainy_crops, rainy), (clean_crops, clean)):
            crops.append(image[top : top + side, left : left + side][:, ::way])
    return to_tensor(rainy_crops), to_tensor(clean_crops)


def train(network: GraNet, images: list[NDArrayByte], phase: Phase, checkpoint: Path) -> GraNet:
    """Train and return the averaged network; every 500 steps it is written to ``checkpoint``."""
    network = network.to(memory_format=torch.channels_last)
    ema = get_ema_multi_avg_fn(EMA_DECAY)
    average = AveragedModel(network, multi_avg_fn=ema)
    optimiser = torch.optim.Adam(network.parameters(), phase.learning_rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(
        optimiser, phase.steps, FINAL_LEARNING_RATE
    )
    started, running = time.monotonic(), 0.0
    for step in range(phase.steps):
        rainy, clean = pairs(images, phase, step)
        with torch.autocast("cpu", torch.bfloat16):
            restored = network(rainy.contiguous(memory_format=torch.channels_last))
        loss = torch.nn.functional.l1_loss(restored.float(), clean)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        average.update_parameters(network)
        running += (loss.item() - running) / min(step + 1, 100)
        if (step + 1) % 100 == 0:
            left = (time.monotonic() - started) / (step + 1) * (phase.steps - step - 1)
            print(f"step {step + 1} mae {running:.5f} left {left / 60:.0f} min", flush=True)
        if (step + 1) % 500 == 0 or step + 1 == phase.steps:
            state = average.module.state_dict().items()
            save_file({name: value.half().contiguous() for name, value in state}, checkpoint)
    assert isinstance(average.module, GraNet)
    return average.module


def main() -> None:
    """Train from the command line; writes OUT.safetensors and its card OUT.json."""
    parser = argparse.ArgumentParser(description="Train GraNet on photographs with synthetic rain.")
    parser.add_argument("--photos", type=Path, nargs="+", required=True, metavar="DIR")
    parser.add_argument("--exclude", type=Path, nargs="*", default=[], metavar="DIR")
    parser.add_argument("--out", type=Path, required=True, metavar="NAME")
    parser.add_argument(
        "--first-phase", type=Path, metavar="FILE", help="its result, if it is there"
    )
    arguments = parser.parse_args()
    images = photographs(arguments.photos)
    excluded = (
        found_in(images, photographs(arguments.exclude).values()) if arguments.exclude else []
    )
    kept = [name for name in images if name not in set(excluded)]
    print(f"{len(kept)} photographs, {len(excluded)} excluded", flush=True)
    weights = arguments.out.with_suffix(".safetensors")
    started = time.monotonic()
    torch.manual_seed(SEED)
    network = GraNet()
    phases: tuple[Phase, ...] = PHASES
    if arguments.first_phase is not None:
        load_weights(network, arguments.first_phase)
        phases = PHASES[1:]
    for phase in phases:
        network = train(network, [images[name] for name in kept], phase, weights)
    card = {
        "network": "granet",
        "arguments": {},
        "sha256": hashlib.sha256(weights.read_bytes()).hexdigest(),
        "trained_on": {
            "datasets": sorted({folder.resolve().parent.name for folder in arguments.photos}),
            "rain_families": [RAINS[RAIN].family],
            "rain_digests": {RAIN: digest(RAINS[RAIN])},
            "photographs": kept,
        },
        "excluded": {
            "why": f"also in {', '.join(f'{f.parent.name}/{f.name}' for f in arguments.exclude)}",
            "photographs": excluded,
        },
        "recipe": {
            "seed": SEED,
            "ema_decay": EMA_DECAY,
            "final_learning_rate": FINAL_LEARNING_RATE,
            "phases": [vars(phase) for phase in PHASES],
        },
        "hours": round((time.monotonic() - started) / 3600, 2),
        "hardware": f"{torch.get_num_threads()} CPU threads, {platform.machine()}",
        "torch": torch.__version__,
        "data_terms": "BSDS500: non-commercial research and education",
    }
    arguments.out.with_suffix(".json").write_text(json.dumps(card, indent=1) + "\n")


if __name__ == "__main__":
    main()
