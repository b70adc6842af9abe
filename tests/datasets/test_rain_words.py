"""Rains by their words: names, sweeps, and mistakes told in one line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datasets.rain import RAINS, PhysicalRain, RainError, parse


@pytest.mark.parametrize("name", RAINS)
def test_a_bare_name_is_its_row(name: str) -> None:
    assert parse(name) == [(name, RAINS[name])]


def test_parameters_stand_in_the_order_of_the_model() -> None:
    ((name, rain),) = parse("physical:exposure_ms=4.0:rate_mm_h=25")
    assert name == "physical:rate_mm_h=25:exposure_ms=4"
    assert rain == PhysicalRain(rate_mm_h=25, exposure_ms=4)
    assert parse(name) == [(name, rain)]


def test_slashes_sweep_in_their_order_and_over_every_combination() -> None:
    found = dict(parse("physical:rate_mm_h=5/1/5.0:wind_m_s=-2/0"))
    assert list(found) == [
        f"physical:rate_mm_h={rate}:wind_m_s={wind}" for rate in (5, 1) for wind in (-2, 0)
    ]
    assert found["physical:rate_mm_h=1:wind_m_s=-2"] == PhysicalRain(rate_mm_h=1, wind_m_s=-2)


@given(rate=st.floats(0, 300))
def test_a_name_holds_every_digit(rate: float) -> None:
    ((name, rain),) = parse(f"physical:rate_mm_h={rate!r}")
    assert rain == PhysicalRain(rate_mm_h=rate)
    assert parse(name) == [(name, rain)]


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("rain100m", r"unknown rain 'rain100m' \(did you mean rain100\w\?\): known are photoshop-"),
        ("physical:rate=1", r"no parameter 'rate' \(did you mean rate_mm_h\?\): known are rate_mm"),
        ("photoshop-heavy:layers=1", "no parameter 'layers': known are angle_deg, angle_spread"),
        ("physical:rate_mm_h", "'rate_mm_h' in rain 'physical:rate_mm_h': write it as key=value"),
        ("physical:rate_mm_h=1:rate_mm_h=2", "rate_mm_h stands twice"),
        ("physical:rate_mm_h=heavy", "rate_mm_h=heavy: must be a number"),
        ("physical:rate_mm_h=1/", "rate_mm_h=: must be a number"),
        ("rain100h:directions=2.5", "directions=2.5: must be a whole number"),
        ("physical:rate_mm_h=1/-1", r"rate_mm_h=-1.0: must lie in \[0, 300\]"),
        ("physical:rate_mm_h=nan", r"rate_mm_h=nan: must lie in \[0, 300\]"),
        ("physical:rate_mm_h=1e999", r"rate_mm_h=inf: must lie in \[0, 300\]"),
    ],
)
def test_mistakes_are_one_line_with_the_remedy(word: str, message: str) -> None:
    with pytest.raises(RainError, match=message) as caught:
        parse(word)
    assert "\n" not in str(caught.value)
