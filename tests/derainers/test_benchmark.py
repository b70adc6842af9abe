"""The protocol that all rows of the benchmark share."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice

import numpy as np
import pytest

from datasets.image import NDArrayByte, NDArrayFloat
from datasets.rain import digest
from derainers import DERAINERS
from derainers.derainer import Derainer
from derainers.training.benchmark import BENCHMARK, benchmark
from derainers.training.data import Crops, loader
from derainers.training.recipes import PAPER, short
from harness.plan.rains import rains_of
from harness.training.validation import Validation

NAMES = (
    *("granet", "mspfn", "mspfn-light", "dcsfn", "dcsfn-light", "hrrsr", "hrrsr-x1", "mscg"),
    *("prenet", "rescan", "nledn"),
)


class Noise:
    """A photograph of BSDS500's size."""

    def __init__(self, number: int, has_depth: bool = False) -> None:
        self.id, self.has_depth = str(number), has_depth

    def image(self) -> NDArrayByte:
        rng = np.random.default_rng(int(self.id))
        return rng.integers(0, 256, (321, 481, 3), np.uint8)

    def given_rain(self) -> NDArrayByte:
        return 255 - self.image()

    def depth_m(self) -> NDArrayFloat | None:
        return np.geomspace(100, 4, 321 * 481, dtype=np.float32).reshape(321, 481)


def crops_of(name: str, **changes: object) -> Crops:
    recipe = replace(benchmark(short(name)), **changes)  # type: ignore[arg-type]
    derainer = DERAINERS[name].build(None)
    assert isinstance(derainer, Derainer)
    noise = [Noise(i) for i in range(7)]
    return Crops(noise, (), recipe, BENCHMARK.steps, derainer.multiple_of)


def test_every_network_sees_so_many_crops_and_no_more() -> None:
    for name in NAMES:
        crops = crops_of(name)
        assert crops.seen(crops.steps) == 64_010
        assert [crops.seen(round(crops.steps * s)) for s in BENCHMARK.annealed_at] == [
            16_000,
            64_010,
        ]
        assert crops.recipe.steps_per_epoch == crops.steps


@pytest.mark.parametrize("name", ["hrrsr", "mscg"])
def test_the_crops_are_the_same_whatever_network(name: str) -> None:
    one, other = crops_of("prenet"), crops_of(name)
    for number in (0, 1, 13, 14, *one.renders(one.steps - 1)):
        for ours, theirs in zip(one[number], other[number], strict=True):
            assert np.array_equal(ours[0], theirs[0])
            assert np.array_equal(ours[1], theirs[1])


def test_the_last_of_eight_steps_sees_one_large_crop_and_no_number_is_left_out() -> None:
    crops = crops_of("prenet")
    steps = [crops.renders(step) for step in range(17)]
    assert [len(numbers) for numbers in steps] == [2] * 7 + [1] + [2] * 7 + [1, 2]
    assert [n for numbers in steps for n in numbers] == list(range(32))
    sizes = [{pair[0].shape[0] for n in numbers for pair in crops[n]} for numbers in steps]
    assert sizes == [{96}] * 7 + [{288}] + [{96}] * 7 + [{288}, {96}]
    assert len(crops) == 13_840 // 8 * 15
    batches = [[len(rainy) for rainy, _ in groups] for groups in islice(loader(crops, 5, 0), 4)]
    assert batches == [[4], [4], [1], [4]]


def test_wet_ground_falls_where_distances_are_known() -> None:
    rains = [rain for word in ("none", "real-like+wet") for _, rain in rains_of(word)]
    flat, deep = (
        replace(crops_of("prenet"), photographs=[Noise(i, deep) for i in range(3)], rains=rains)
        for deep in (False, True)
    )
    changed = [
        [not np.array_equal(*pair) for n in range(6) for pair in crops[n]] for crops in (flat, deep)
    ]
    assert not any(changed[0])
    assert any(changed[1])


def test_the_rate_comes_down_at_16000_crops_and_again_at_the_end() -> None:
    recipe = benchmark(short("prenet"))
    steps = BENCHMARK.steps, BENCHMARK.steps
    rates = [recipe.rate(step, *steps) for step in (100, 3_459, 3_460, 8_650, 13_839)]
    first = recipe.learning_rate
    assert rates == pytest.approx([first, first * 0.002, first, first * 0.501, first * 0.002], 0.01)


def test_a_validation_has_a_wet_rain_where_distances_are_known() -> None:
    rains = dict(pair for word in BENCHMARK.rains for pair in rains_of(word))
    scores = Validation([Noise(i, i > 8) for i in range(18)], rains, 0).scores(  # type: ignore[misc]
        lambda image, _: image / 255
    )
    assert [word for word in scores if word.startswith("psnr_y_db:")] == [
        f"psnr_y_db:{word}" for word in BENCHMARK.rains if word != "none"
    ]


def test_only_loss_rate_and_decays_are_a_networks_own() -> None:
    own = {"loss": "mae", "learning_rate": 0.0, "betas": (0.0, 0.0), "adversarial": 0.0}
    own |= {"perceptual": 0.0}
    shared = {repr(replace(benchmark(short(name)), **own)) for name in NAMES}  # type: ignore[arg-type]
    assert len(shared) == 1
    assert set(NAMES) <= set(PAPER)


def test_held_out_rains_are_none_of_the_trained() -> None:
    trained, held = (
        {rain and digest(rain) for word in words for _, rain in rains_of(word)}
        for words in (BENCHMARK.rains, BENCHMARK.held_out_rains)
    )
    assert not trained & held
    assert len(trained) == len(BENCHMARK.rains)
