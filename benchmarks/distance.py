"""How near the made-up distances of photographs come to true ones, and where they were fitted.

    python benchmarks/distance.py --streetsim STREETSIM --carla ../shared/data/carlarain
    python benchmarks/distance.py --streetsim STREETSIM --carla ../shared/data/carlarain --fit

The first prints the error of the veil's transmission against that at the true distances, beside
the flat road's alone. The second fits the weights in ``datasets/rain/sky.py`` to 200 scenes of
StreetSim's training and to CARLARain's towns of odd numbers, and prints them; what the table shows
is of StreetSim's ``val`` and of each half of the towns.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from datasets import DATASETS, Sample
from datasets.image import NDArrayByte, NDArrayFloat
from datasets.rain import PhysicalRain, sky
from datasets.rain.depth import road_scene_m
from datasets.rain.physical import SKY_M, STANDING_M

RATES = (25, 50, 100)
FIT_RATE = 50
OLD_FARTHEST_M = 150.0
"""End of the flat road, up to the top of the picture, that was all there was before."""
TRAINED = 200
COPIES = {"streetsim": 1, "carla": 12}
"""Copies of each scene that differ in light, colour and framing."""
STEPS, BATCH, HIDDEN = 2500, 24, 8


def town(sample: Sample) -> int:
    """Number of the town that a scene of CARLARain lies in."""
    return int(sample.attributes["town"].removeprefix("Town"))


def road(rate: float, shape: tuple[int, ...], farthest_m: float) -> NDArrayFloat:
    """Transmission of the flat road alone, ``(H, W)``."""
    rain = PhysicalRain(rate_mm_h=rate)
    distance = road_scene_m(shape[0], rain.focal_px(shape[1]), farthest_m)
    return np.broadcast_to(np.exp(-rain.attenuation_per_km / 1000 * distance), shape[:2])


def error(sample: Sample, rate: float) -> tuple[float, float, float, float]:
    """Mean magnitude of the error, old and new, and its mean, old and new."""
    clean, depth = sample.image(), sample.depth_m()
    assert depth is not None
    rain = PhysicalRain(rate_mm_h=rate)
    true = np.exp(-rain.attenuation_per_km / 1000 * depth)
    old = road(rate, clean.shape, OLD_FARTHEST_M) - true
    new = rain.through(clean)[0] - true
    return float(abs(old).mean()), float(abs(new).mean()), float(old.mean()), float(new.mean())


def table(sets: dict[str, Sequence[Sample]]) -> None:
    """Print a row for every set and rate."""
    print("| scenes | n | mm/h | flat road | bias | with sky | bias | share of the old error |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for name, samples in sets.items():
        for rate in RATES:
            rows = np.array([error(s, rate) for s in samples])
            old, new, old_bias, new_bias = rows.mean(axis=0)
            spread = rows.std(axis=0, ddof=1) / math.sqrt(len(rows))
            print(
                f"| {name} | {len(rows)} | {rate} | {old:.3f} ± {spread[0]:.3f} | {old_bias:+.3f} "
                f"| {new:.3f} ± {spread[1]:.3f} | {new_bias:+.3f} | {100 * new / old:.0f} % |"
            )


def another(
    clean: NDArrayByte, depth: NDArrayFloat, rng: np.random.Generator
) -> tuple[NDArrayByte, NDArrayFloat]:
    """A copy in other light and colour, perhaps grey, cut and mirrored."""
    gain, gamma = 2 ** rng.uniform(-1, 0.6), 2 ** rng.uniform(-0.4, 0.4)
    curve = 255 * (np.arange(256) / 255) ** gamma * gain
    image = np.empty_like(clean)
    for i in range(3):
        tinted = np.clip(curve * 2 ** rng.uniform(-0.15, 0.15), 0, 255).astype(np.uint8)
        image[:, :, i] = tinted[clean[:, :, i]]
    if rng.random() < 0.1:
        image[:] = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[:, :, None]
    height, width = depth.shape
    top, bottom = (int(height * rng.uniform(0, 0.15)) for _ in range(2))
    left = int(width * rng.uniform(0, 0.1))
    way = int(rng.choice([-1, 1]))
    window = np.s_[top : height - bottom, left:]
    return np.ascontiguousarray(image[window][:, ::way]), depth[window][:, ::way]


def tensors(samples: Sequence[Sample], copies: int) -> tuple[Any, Any, Any, Any]:
    """Features, transmission, the road's transmission and share of sky, of cells."""
    import torch

    rng = np.random.default_rng(0)
    beta = PhysicalRain(rate_mm_h=FIT_RATE).attenuation_per_km / 1000
    columns: tuple[list[Any], ...] = ([], [], [], [])
    for sample in samples:
        clean, depth = sample.image(), sample.depth_m()
        assert depth is not None
        for number in range(copies + 1):
            image, metres = another(clean, depth, rng) if number else (clean, depth)
            seen = np.stack(sky.features(image), axis=-1)
            flat = road(FIT_RATE, image.shape, STANDING_M)
            shown = (np.exp(-beta * metres), flat, (metres > 599).astype(np.float32))
            small = [_cells(np.asarray(part, np.float32)) for part in shown]
            for column, value in zip(columns, (seen, *small), strict=True):
                column.append(value)
    return tuple(torch.tensor(np.array(c), dtype=torch.float32) for c in columns)  # type: ignore[return-value]


def _cells(field: NDArrayFloat) -> NDArrayFloat:
    size = sky.COLUMNS, sky.ROWS
    return np.asarray(cv2.resize(field, size, interpolation=cv2.INTER_AREA), np.float32)


def fit(sets: list[Sequence[Sample]], copies: list[int]) -> tuple[tuple[float, ...], ...]:
    """Weights by Adam on the mean error of the transmission, an equal part of every set a step."""
    import torch
    from torch import nn

    torch.manual_seed(0)
    torch.set_num_threads(1)
    data = [tensors(*pair) for pair in zip(sets, copies, strict=True)]
    hidden, last = nn.Linear(len(sky.FEATURES), HIDDEN), nn.Linear(HIDDEN, 1)
    parameters = [*hidden.parameters(), *last.parameters()]
    optimizer = torch.optim.Adam(parameters, lr=0.02, weight_decay=1e-5)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
    kernel = torch.tensor([1.0, 2, 2, 2, 1]) / 8
    square = (kernel[:, None] * kernel)[None, None]
    far = math.exp(-PhysicalRain(rate_mm_h=FIT_RATE).attenuation_per_km / 1000 * SKY_M)
    pad: Callable[[Any], Any] = lambda p: nn.functional.pad(p[:, None], (2,) * 4, mode="replicate")  # noqa: E731
    for step in range(STEPS):
        loss = torch.zeros(())
        for seen, true, flat, is_sky in data:
            chosen = torch.randint(len(seen), (BATCH,))
            total = last(torch.relu(hidden(seen[chosen])))[..., 0]
            soft = nn.functional.conv2d(pad(torch.sigmoid(total)), square)[:, 0]
            made = flat[chosen] + soft * (far - flat[chosen])
            loss = loss + (made - true[chosen]).abs().mean()
            loss = loss + 0.05 * nn.functional.binary_cross_entropy_with_logits(
                total, is_sky[chosen]
            )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step % 500 == 499:
            print(f"# step {step + 1}: {loss.item():.4f}", flush=True)
    outs, starts = last.weight[0].tolist(), hidden.bias.tolist()
    units = zip(outs, starts, hidden.weight.tolist(), strict=True)
    rows = [(out, start, *each) for out, start, each in units]
    return tuple(tuple(round(v, 3) for v in row) for row in [*rows, (last.bias.item(),)])


def main() -> None:
    """Print the table, or fit and print the weights first."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--streetsim", type=Path, required=True)
    parser.add_argument("--carla", type=Path, required=True)
    parser.add_argument("--fit", action="store_true")
    arguments = parser.parse_args()
    carla = DATASETS["carla"].open(arguments.carla, None).samples
    odd = [s for s in carla if town(s) % 2]
    if arguments.fit:
        scenes = DATASETS["streetsim"].open(arguments.streetsim, f"train:{TRAINED}").samples
        weights = fit([scenes, odd], list(COPIES.values()))
        print("WEIGHTS: tuple[tuple[float, ...], ...] = (")
        for row in weights:
            print(f"    ({', '.join(map(str, row))},),")
        print(")")
        sky.WEIGHTS = weights
    val = DATASETS["streetsim"].open(arguments.streetsim, "val").samples
    even = [s for s in carla if not town(s) % 2]
    table(
        {
            "StreetSim val, not fitted to": val,
            "CARLARain, all": carla,
            "of it towns 2, 4, 6, 10, not fitted to": even,
            "of it towns 1, 3, 5, 7, fitted to": odd,
        }
    )


if __name__ == "__main__":
    main()
