"""The protocol that all rows of the benchmark share."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from datasets.image import NDArrayByte, NDArrayFloat
from datasets.rain import digest, parse
from derainers import DERAINERS
from derainers.derainer import Derainer
from derainers.training.benchmark import BENCHMARK, benchmark
from derainers.training.data import Crops, loader
from derainers.training.recipes import PAPER, short

NAMES = (
    *("granet", "mspfn", "mspfn-light", "dcsfn", "dcsfn-light", "hrrsr", "hrrsr-x1", "mscg"),
    *("prenet", "rescan", "nledn"),
)


class Noise:
    """A photograph of BSDS500's size."""

    def __init__(self, number: int) -> None:
        self.id = str(number)

    def image(self) -> NDArrayByte:
        rng = np.random.default_rng(int(self.id))
        return rng.integers(0, 256, (321, 481, 3), np.uint8)

    def given_rain(self) -> NDArrayByte:
        return 255 - self.image()

    def depth_m(self) -> NDArrayFloat | None:
        return None


def crops_of(name: str, **changes: object) -> Crops:
    recipe = replace(benchmark(short(name)), **changes)  # type: ignore[arg-type]
    derainer = DERAINERS[name].build(None)
    assert isinstance(derainer, Derainer)
    small = (BENCHMARK.crops - BENCHMARK.large_crops) // recipe.batch
    steps = small + BENCHMARK.large_steps
    recipe = replace(recipe, large_share=BENCHMARK.large_steps / steps)
    return Crops([Noise(i) for i in range(7)], (), recipe, steps, derainer.multiple_of)


def test_every_network_sees_so_many_crops_and_no_more() -> None:
    for name in NAMES:
        crops = crops_of(name)
        assert crops.seen(crops.steps) == BENCHMARK.crops == 64_000
        assert crops.steps == BENCHMARK.steps
        assert crops.recipe.steps_per_epoch == crops.steps


@pytest.mark.parametrize("name", ["hrrsr", "mscg"])
def test_the_crops_are_the_same_whatever_network_and_batch(name: str) -> None:
    one, other = crops_of("prenet"), crops_of(name, batch=8)
    assert other.seen(other.steps) == one.seen(one.steps)
    last = one.renders(one.steps - 1)
    assert last == other.renders(other.steps - 1)
    for number in (0, 1, 24_007, 24_008, *last):
        for ours, theirs in zip(one[number], other[number], strict=True):
            assert np.array_equal(ours[0], theirs[0])
            assert np.array_equal(ours[1], theirs[1])
    assert [pair[0].shape for pair in one[24_007]] == [(96, 96, 3)] * 2
    assert [pair[0].shape for pair in one[24_008]] == [(288, 288, 3)]
    (first,) = next(iter(loader(one, 0, 0)))
    (second,) = next(iter(loader(other, 0, 0)))
    assert (len(first[0]), len(second[0])) == (4, 8)
    assert np.array_equal(first[0], second[0][:4])


def test_only_loss_rate_and_decays_are_a_networks_own() -> None:
    own = {"loss": "mae", "learning_rate": 0.0, "betas": (0.0, 0.0), "adversarial": 0.0}
    own |= {"perceptual": 0.0}
    shared = {repr(replace(benchmark(short(name)), **own)) for name in NAMES}  # type: ignore[arg-type]
    assert len(shared) == 1
    assert set(NAMES) <= set(PAPER)


def test_held_out_rains_are_none_of_the_trained() -> None:
    trained, held = (
        {digest(rain) for word in words for _, rain in parse(word)}
        for words in (BENCHMARK.rains, BENCHMARK.held_out_rains)
    )
    assert not trained & held
    assert len(trained) == len(BENCHMARK.rains)
