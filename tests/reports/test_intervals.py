"""Intervals, p-values and families: they agree with each other, and hold their level."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm, t

from reports.results.intervals import (
    FEWEST,
    Family,
    bounded_interval,
    interval,
    level_interval,
    selected_interval,
    tail,
    two_sided,
)

RNG = np.random.default_rng


def test_the_percentiles_lie_as_far_out_as_students_do() -> None:
    """By hand, of 32 groups: t(31) at 2.5 % is -2.0395, times the root of 32/31 -2.0722."""
    assert t.ppf(0.025, 31) == pytest.approx(-2.03951, abs=1e-5)
    assert tail(32) == pytest.approx(norm.cdf(-2.0722), abs=1e-5)
    assert tail(10**7) == pytest.approx(0.025, abs=1e-6)
    # 0.019125 of 2,001 is 38.3: the 38th from each end, further out than Student's.
    z = norm.ppf(np.arange(1, 2001) / 2001)
    draws = RNG(0).permutation(np.sign(z) * np.maximum(abs(z) - 1, 0))
    ends = np.sort(draws)[[37, 1962]]
    assert interval(draws, 32) == pytest.approx(ends)
    assert interval(np.append(draws, np.nan), 32) == pytest.approx(ends)


def test_where_the_percentiles_are_nearer_the_ends_are_students() -> None:
    """By hand, of 1 to 2,000: mean 1,000.5, deviation 577.494, times 2.0722."""
    draws = RNG(0).permutation(np.arange(1, 2001)).astype(np.float32)
    assert interval(draws, 32) == pytest.approx((-196.2, 2197.2), abs=0.1)
    # What has bounds ends at its outermost draws.
    assert bounded_interval(draws, 32) == (1.0, 2000.0)
    assert level_interval(draws, 1000.5, 32) == (1.0, 2000.0)
    skewed = RNG(0).permutation(norm.ppf(np.arange(1, 2001) / 2001) + 9) ** 3
    low, high = interval(skewed, 32) or (0, 0)
    assert low == pytest.approx(skewed.mean() - 2.0722 * skewed.std(ddof=1), rel=1e-4)
    assert high == np.sort(skewed)[1962]


def test_there_is_none_of_few_groups_or_few_draws() -> None:
    draws = RNG(0).normal(size=2000)
    assert interval(draws, FEWEST - 1) is None
    assert interval(draws, FEWEST) is not None
    assert interval(draws[:30], 100) is None
    assert interval(np.full(9, np.nan), 100) is None
    assert bounded_interval(np.full(9, np.nan), 100) is None
    assert level_interval(draws, 0.0, 100) is not None
    assert level_interval(draws, 0.1, 100) is not None
    assert level_interval(draws, 0.2, 100) is None
    assert level_interval(draws, -0.2, 100) is not None
    assert level_interval(draws, -0.3, 100) is None


def test_a_share_that_is_told_of_significant_gains_alone_holds_the_truth() -> None:
    """Of a gain of half a standard error one in fourteen passes, all too large; of ten all."""
    spread = norm.ppf(np.arange(1, 1000) / 1000)
    for truth, whole in ((0.5, 10.0), (3.0, -10.0), (10.0, 20.0)):
        held, plain = [], []
        for estimate in truth + norm.ppf(np.arange(1, 400) / 400):
            gains = estimate + spread
            ci, told = interval(gains / whole, 1000), interval(gains, 1000)
            share = selected_interval(gains / whole, gains, 1000)
            assert ci is not None
            assert told is not None
            assert share is not None
            assert share[0] <= ci[0] + 1e-9
            assert share[1] >= ci[1] - 1e-9
            if told[0] > 0:
                held.append(share[0] <= truth / whole <= share[1])
                plain.append(ci[0] <= truth / whole <= ci[1])
        assert np.mean(held) > 0.93, truth
        assert np.mean(plain) < 0.8 or truth > 1, truth
    passed = 2 * spread.std(ddof=1) + spread
    low, high = selected_interval(passed / 10, passed, 1000) or (1, 1)
    assert low == 0.0
    assert high == (interval(passed / 10, 1000) or (0, 0))[1]


@pytest.mark.parametrize("groups", [20, 32, 100, 5000])
def test_an_interval_leaves_out_zero_just_where_its_p_value_rejects(groups: int) -> None:
    outside = set()
    for made in (RNG(1).normal(size=999), RNG(1).exponential(size=999), RNG(1).uniform(size=999)):
        ordered = np.sort(made)
        for below in range(60):
            shift = (ordered[below - 1] + ordered[below]) / 2 if below else ordered[0] - 9
            for side in (ordered - shift, shift - ordered):
                ci = interval(side, groups)
                assert ci is not None
                rejects = two_sided(side, groups) < 0.05
                assert rejects == (not ci[0] <= 0 <= ci[1])
                assert rejects == (Family.of([side], groups).p_values[0] < 0.05)
                outside.add(rejects)
    assert outside == {True, False}


def test_no_difference_at_all_is_none() -> None:
    same = np.zeros(2000)
    assert interval(same, 32) == (0.0, 0.0)
    assert two_sided(same, 32) == 1.0
    assert two_sided(same + 0.1, 32) < 0.01
    other = RNG(2).normal(3, 1, 2000)
    family = Family.of([same, other], 32)
    assert family.p_values[0] == 1.0
    assert family.p_values[1] < 0.05
    assert family.shown(same) == 0.0


def test_members_that_move_together_pay_for_one() -> None:
    """Seven copies of one difference are one comparison; seven strangers cost seven."""
    one = RNG(3).normal(2.3, 1, 4000)
    alone = two_sided(one, 100)
    assert Family.of([one] * 7, 100).p_values == pytest.approx([alone] * 7, rel=0.1)
    strangers = [2.3 + RNG(i).normal(0, 1, 4000) for i in range(7)]
    assert min(Family.of(strangers, 100).p_values) == pytest.approx(7 * alone, rel=0.35)
    assert Family.of(strangers, 100).level == pytest.approx(0.05 / 7, rel=0.15)


def test_a_family_steps_down() -> None:
    """Once the clear ones are judged, the last is held against itself alone."""
    clear = [9 + RNG(i).normal(0, 1, 4000) for i in range(6)]
    last = RNG(9).normal(2.3, 1, 4000)
    assert Family.of([*clear, last], 100).p_values[-1] == pytest.approx(
        two_sided(last, 100), rel=0.05
    )


def test_families_of_nothing_alarm_seldom_and_changes_show_as_said() -> None:
    """Five differences to one floor, 40 images: 5 % alarm, and 80 % show what is said."""
    rng = RNG(4)
    studies, n, times = 200, 40, 2000
    alarms, found, said = 0, 0.0, []
    for _ in range(studies):
        images = rng.normal(size=(6, n))
        counts = rng.multinomial(n, np.full(n, 1 / n), size=times) / n
        draws = counts @ (images[1:] - images[0]).T  # (times, 5)
        family = Family.of(list(draws.T), n)
        alarms += min(family.p_values) < 0.05
        said.append(family.shown(draws[:, 0]))
        changed = [two_sided(d + 0.8, n) < family.level for d in draws.T]
        found += float(np.mean(changed))
    assert np.mean(said) == pytest.approx(0.8, abs=0.02)
    assert 0.02 < alarms / studies < 0.085
    assert 0.74 < found / studies < 0.86


def test_what_would_have_shown_is_more_where_a_few_images_weigh_much() -> None:
    """By hand, of 31 groups: a deviation varies by √((2/30 + the draws' excess kurtosis)/4)."""
    z = norm.ppf(np.arange(1, 2000) / 2000)
    z /= z.std(ddof=1)
    heavy = z + 0.03 * z**3
    heavy /= heavy.std(ddof=1)
    tails = float((heavy**4).mean()) - 3
    assert 0.3 < tails < 1
    ends = np.sort(heavy)
    family = Family.of([heavy], 31)
    half = max(-ends[round(2000 * tail(31)) - 1], 2.042 * np.sqrt(31 / 30))
    varies = 31 / 30 + half**2 * (2 / 30 + tails) / 4
    assert family.shown(heavy) == pytest.approx(half + norm.ppf(0.8) * np.sqrt(varies), rel=0.01)


def test_too_few_draws_for_so_many_give_no_verdict() -> None:
    strangers = [RNG(i).normal(9, 1, 100) for i in range(30)]
    assert not Family.of(strangers, 50).can_reject
    assert Family.of(strangers[:1], 50).can_reject
    assert not Family.of([], 50).can_reject
