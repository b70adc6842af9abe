"""The weights in the package, what their cards say, and their terms."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from datasets.image import NDArrayByte, round_to_bytes
from datasets.rain import RAINS, generator
from derainers import DERAINERS, WEIGHTS
from derainers.card import read_card
from derainers.shards import card_file, shards, weights_sha256
from derainers.training.benchmark import BENCHMARK
from derainers.training.recipes import PAPER
from harness.plan.data import open_dataset, open_splits
from harness.spec import RunSpec
from harness.training.derainer import MIXTURE
from harness.training.photographs import choose
from tasks.quality.psnr import psnr_y_db

FILES = {name: row.weights for name, row in DERAINERS.items() if row.weights is not None}
SPECIALISTS = {"granet-rain100l": {"rain100l"}, "dcsfn-rain100h": {"rain100h-dense"}}
"""The rains that their training ended with."""
LARGEST_BYTES = 14_000_000
ALL_BYTES = 124_000_000
APART_DB = {"fp32": 0.01, "bf16": 0.05}
"""How far a device and format may be from fp32 on the CPU."""
MARKS = {
    "fp32": (pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")),
    "bf16": (),
}
"""On the CPU fp32 is what all else is compared with."""
FORMATS = [
    pytest.param(name, dtype, 24, marks=pytest.mark.slow)
    if (name, dtype) == ("hrrsr-x1", "bf16")  # two scenes scatter more than its mean
    else pytest.param(name, dtype, 2, marks=MARKS[dtype])
    for name in FILES
    for dtype in APART_DB
]
"""Network, format, and scenes of the default run that the mean is taken over."""


def test_the_files_are_those_of_the_table_and_small() -> None:
    listed = [shard for file in FILES.values() for shard in shards(file)]
    cards = [card_file(file) for file in FILES.values()]
    assert sorted(WEIGHTS.glob("*.*")) == sorted({*listed, *cards, WEIGHTS / "LICENSE-WEIGHTS.md"})
    sizes = [file.stat().st_size for file in listed]
    assert max(sizes) <= LARGEST_BYTES
    assert sum(sizes) <= ALL_BYTES


@pytest.mark.parametrize("name", FILES)
def test_a_card_tells_what_the_weights_saw(name: str) -> None:
    file = FILES[name]
    card = read_card(file)
    assert card["sha256"] == weights_sha256(file)
    assert card["hours"] > 0
    trained, excluded = card["trained_on"], card["excluded"]["photographs"]
    assert trained["photographs"]
    by_protocol = card["recipe"].get("kind") == "benchmark"
    usual = set(BENCHMARK.rains) - {"none"} if by_protocol else set(MIXTURE)
    assert set(trained["rain_digests"]) - {"none"} == SPECIALISTS.get(name, usual)
    assert not set(trained["photographs"]) & {*excluded, *_validation(card)}
    if trained["datasets"] == ["bsds500"]:
        assert len(excluded) == 91
    (terms,) = (
        line.split("|")[3].strip()
        for line in (WEIGHTS / "LICENSE-WEIGHTS.md").read_text().splitlines()
        if line.startswith(f"| `{file.name}`")
    )
    assert terms.startswith("none") == card["data_terms"].startswith("none")


def _validation(card: dict[str, Any]) -> list[str]:
    found: list[str] = card.get("validated_on", {}).get("photographs", [])
    return found


@cache
def scenes(count: int, falling: str) -> list[tuple[NDArrayByte, NDArrayByte]]:
    """Clean and rainy ones."""
    spec = RunSpec(dataset="streetsim", split="demo", task=("none",))
    rain = RAINS[falling]
    cleans = [sample.image() for sample in open_dataset(spec).samples[:count]]
    return [
        (clean, rain.render(clean, generator(0, rain, str(number)), None).image)
        for number, clean in enumerate(cleans)
    ]


@cache
def restored_db(name: str, device: str, dtype: str, count: int) -> float:
    """Mean PSNR-Y of the scenes, under a rain that the derainer knows."""
    (falling,) = SPECIALISTS.get(name, {"photoshop-heavy"})
    derainer: Any = DERAINERS[name].build(FILES[name])
    derainer.to(device, dtype)
    pairs = [
        (clean, round_to_bytes(derainer.restore(rainy, "")))
        for clean, rainy in scenes(count, falling)
    ]
    return float(np.mean([psnr_y_db(clean, restored) for clean, restored in pairs]))


@pytest.mark.parametrize(("name", "dtype", "count"), FORMATS)
def test_every_device_and_format_restores_as_well(
    name: str, dtype: str, count: int, device: str
) -> None:
    reference = restored_db(name, "cpu", "fp32", count)
    restored = restored_db(name, device, dtype, count)
    assert restored == pytest.approx(reference, abs=APART_DB[dtype])


@pytest.mark.data
@pytest.mark.slow
def test_no_photograph_of_a_card_stands_in_rain100l(data: Path) -> None:
    root, targets = data / "bsds500", data / "rain100l" / "target"
    spec = RunSpec(dataset="folder", data_root=str(root), split="train+val")
    found = choose(open_splits(spec), PAPER["granet"], [targets])
    usable = {sample.id for sample in (*found.training, *found.validation)}
    cards = [read_card(file) for file in FILES.values()]
    ours = [c for c in cards if c["trained_on"]["datasets"] == ["bsds500"]]
    assert ours
    for card in ours:
        assert card["excluded"]["photographs"] == list(found.excluded)
        assert {*card["trained_on"]["photographs"], *_validation(card)} <= usable
