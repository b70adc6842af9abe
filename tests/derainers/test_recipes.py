"""How derainers are trained: the papers' schedules and the short ones."""

from __future__ import annotations

import pytest

from derainers.training.benchmark import benchmark
from derainers.training.recipes import PAPER, RELEASE, recipe_of, short
from harness.training.telling import cut_short


@pytest.mark.parametrize(
    ("name", "steps_per_epoch", "expected"),
    [
        # MSPFN halves every 20,000 steps, down to 1e-6; its release multiplies by 0.8 bit by bit.
        ("mspfn", 2000, {0: 2e-4, 10: 1e-4, 25: 5e-5}),
        ("mspfn", 100_000, {0: 2e-4, 1: 2e-4 / 32, 29: 1e-6}),
        ("dcsfn", 12, {0: 5e-4, 480: 5e-5, 640: 5e-6}),
        ("granet", 40, {0: 5e-4, 10: 5e-4, 100: 5e-4}),
        ("hrrsr", 75, {0: 5e-5, 100: 2.5e-5, 300: 1.25e-5}),
        ("mscg", 100, {0: 2e-4, 50: 2e-4, 99: 2e-4}),
        ("prenet", 100, {29: 1e-3, 30: 2e-4, 80: 8e-6}),
    ],
)
def test_learning_rates_of_the_papers(
    name: str, steps_per_epoch: int, expected: dict[int, float]
) -> None:
    steps = steps_per_epoch * PAPER[name].epochs
    for epoch, rate in expected.items():
        found = PAPER[name].rate(epoch * steps_per_epoch, steps, steps)
        assert found == pytest.approx(rate, rel=1e-9)


def test_the_released_schedule_falls_little_by_little() -> None:
    rates = [RELEASE["mspfn"].rate(step, 50_000, 50_000) for step in (0, 10_000, 40_000)]
    assert rates == pytest.approx([5e-4 + 1e-6, 5e-4 * 0.8**0.5 + 1e-6, 5e-4 * 0.64 + 1e-6])
    assert recipe_of("granet", "release") is None
    assert recipe_of("dcsfn", "release") == PAPER["dcsfn"]
    hrrsr = RELEASE["hrrsr"]  # VGG16's term is computed there and not added
    assert (hrrsr.loss, hrrsr.perceptual) == ("two-stage-release", 0)


def test_the_short_schedule_warms_up_and_ends_near_nothing() -> None:
    recipe = short("granet")
    rates = [recipe.rate(step, 12_000, 12_000) for step in range(12_000)]
    assert rates[0] == pytest.approx(5e-4 / 100)
    assert max(rates) == pytest.approx(5e-4, rel=1e-3)
    assert rates[6000] == pytest.approx(2.5e-4, rel=0.01)
    assert rates[-1] == pytest.approx(1e-6, rel=0.01)


AT_OWN_LENGTH: dict[tuple[str, str, int], dict[int, float]] = {
    ("paper", "mspfn", 13712): {0: 2e-4, 110185: 6.25e-06, 385650: 1e-06, 771299: 1e-06},
    ("paper", "mspfn", 200): {0: 2e-4, 5625: 2e-4, 11249: 2e-4},
    ("paper", "dcsfn", 200): {50: 5e-4, 3600: 5e-4, 5600: 5e-05, 7199: 5.000000000000001e-06},
    ("paper", "granet", 200): {0: 5e-4, 9999: 5e-4},
    ("paper", "hrrsr", 200): {
        50: 4.950495049504951e-05,
        3571: 2.9239766081871346e-05,
        12500: 1.4285714285714285e-05,
        24999: 8.347245409015026e-06,
    },
    ("paper", "mscg", 200): {0: 2e-4, 14999: 2e-4},
    ("paper", "prenet", 200): {
        2385: 0.001,
        8350: 4.000000000000001e-05,
        16699: 8.000000000000001e-06,
    },
    ("paper", "rescan", 200): {2857: 0.005, 15555: 0.0005, 19999: 5.000000000000001e-05},
    ("release", "mspfn", 200): {
        0: 0.000501,
        50: 0.0005007211483480238,
        6250: 0.00046732169969249576,
        12499: 0.00043591670762405994,
    },
    ("short", "dcsfn", 200): {
        0: 1e-05,
        50: 0.0005099781972243091,
        1714: 0.000950599658585048,
        9333: 0.00011877181514576722,
        11999: 2.0000171004602867e-06,
    },
    ("benchmark", "granet", 200): {
        50: 0.0002548688936599426,
        1977: 0.00019501257885602867,
        6920: 0.00037525,
        13839: 1.0000114273515756e-06,
    },
}
"""Rates of steps by kind of recipe, network and number of images, which no change may move."""


@pytest.mark.parametrize("case", AT_OWN_LENGTH)
def test_rates_at_a_recipe_s_own_length_are_these_to_the_last_bit(
    case: tuple[str, str, int],
) -> None:
    kind, name, images = case
    recipe = benchmark(short(name)) if kind == "benchmark" else recipe_of(name, kind)
    assert recipe is not None
    steps = recipe.steps(images)
    found = {step: recipe.rate(step, steps, steps) for step in AT_OWN_LENGTH[case]}
    assert found == AT_OWN_LENGTH[case]


@pytest.mark.parametrize("kind", ["paper", "release", "short"])
@pytest.mark.parametrize("images", [37, 200, 13_712])
def test_epochs_at_a_recipe_s_own_length_are_whole_numbers_of_steps(kind: str, images: int) -> None:
    recipe = recipe_of("mspfn", kind)
    assert recipe is not None
    steps = recipe.steps(images)
    per_epoch = steps // recipe.epochs
    for step in range(0, steps, 997):
        assert recipe.epoch(step, steps) == step / per_epoch


@pytest.mark.parametrize(
    ("name", "kind", "images", "steps", "falls"),
    [
        # 480 and 640 of 800 epochs; 30, 50 and 80 of 100; 15,000 and 17,500 of 20,000 steps.
        ("dcsfn", "paper", 200, 1500, [900, 1200]),
        ("prenet", "paper", 200, 1500, [450, 750, 1200]),
        ("rescan", "paper", 200, 1500, [1125, 1313]),
        ("dcsfn", "paper", 200, 500, [300, 400]),  # fewer steps than epochs
        # Of 77,250 steps the 20,000th, 40,000th and 60,000th.
        ("mspfn", "paper", 1373, 1500, [389, 777, 1166]),
    ],
)
def test_fewer_steps_hold_the_whole_schedule(
    name: str, kind: str, images: int, steps: int, falls: list[int]
) -> None:
    recipe = recipe_of(name, kind)
    assert recipe is not None
    rates = [recipe.rate(step, steps, recipe.steps(images)) for step in range(steps)]
    assert [s for s in range(1, steps) if rates[s] < rates[s - 1]] == falls
    assert rates == sorted(rates, reverse=True)


@pytest.mark.parametrize("steps", [5, 100, 250, 1500, 11_999])
def test_a_cosine_ends_with_the_training(steps: int) -> None:
    recipe = short("granet")
    rates = [recipe.rate(step, steps, recipe.steps(200)) for step in range(steps)]
    assert rates[100:] == sorted(rates[100:], reverse=True)
    if steps > 200:
        assert rates[-1] < 0.01 * recipe.learning_rate


def test_other_epochs_say_that_the_rate_falls_where_it_did() -> None:
    said = cut_short("dcsfn", PAPER["dcsfn"], 100)
    assert said is not None
    assert said.startswith(
        "dcsfn: --epochs 100 moves no fall of the learning rate, which are those"
    )
    assert cut_short("dcsfn", PAPER["dcsfn"], 800) is None
    assert cut_short("dcsfn", short("dcsfn"), 3) is None


def test_batches_are_of_whole_renders() -> None:
    for name in PAPER:
        recipe = recipe_of(name, "short-gpu")
        assert recipe is not None
        assert recipe.batch == 4 * recipe.crops_per_render == 16
