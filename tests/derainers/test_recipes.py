"""How derainers are trained: the papers' schedules and the short ones."""

from __future__ import annotations

import pytest

from derainers.training.recipes import PAPER, RELEASE, recipe_of, short


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
    for epoch, rate in expected.items():
        found = PAPER[name].rate(epoch * steps_per_epoch, steps_per_epoch)
        assert found == pytest.approx(rate, rel=1e-9)


def test_the_released_schedule_falls_little_by_little() -> None:
    rates = [RELEASE["mspfn"].rate(step, 1000) for step in (0, 10_000, 40_000)]
    assert rates == pytest.approx([5e-4 + 1e-6, 5e-4 * 0.8**0.5 + 1e-6, 5e-4 * 0.64 + 1e-6])
    assert recipe_of("granet", "release") is None
    assert recipe_of("dcsfn", "release") == PAPER["dcsfn"]
    hrrsr = RELEASE["hrrsr"]  # VGG16's term is computed there and not added
    assert (hrrsr.loss, hrrsr.perceptual) == ("two-stage-release", 0)


def test_the_short_schedule_warms_up_and_ends_near_nothing() -> None:
    recipe = short("granet")
    rates = [recipe.rate(step, 1000) for step in range(12_000)]
    assert rates[0] == pytest.approx(5e-4 / 100)
    assert max(rates) == pytest.approx(5e-4, rel=1e-3)
    assert rates[6000] == pytest.approx(2.5e-4, rel=0.01)
    assert rates[-1] == pytest.approx(1e-6, rel=0.01)


def test_batches_are_of_whole_renders() -> None:
    for name in PAPER:
        recipe = recipe_of(name, "short-gpu")
        assert recipe is not None
        assert recipe.batch == 4 * recipe.crops_per_render == 16
