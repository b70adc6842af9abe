"""A clean photograph through networks that are fed wrongly."""

from __future__ import annotations

from pathlib import Path

import pytest

from derainers import DERAINERS
from derainers.derainer import Derainer
from derainers.plausible import doubt

FILES = {
    "prenet": "prenet-rain100l/PReNet6.pth",
    "prenet-r": "prenet-rain100l/PReNet6_r.pth",
    "prn": "prenet-rain100l/PRN6.pth",
    "prn-r": "prenet-rain100l/PRN6_r.pth",
    "nledn": "nledn/net_Rain100L.pth",
}


def test_the_bundled_network_is_fed_rightly() -> None:
    row = DERAINERS["granet"]
    derainer = row.build(row.weights)
    assert isinstance(derainer, Derainer)
    assert doubt(derainer.to("cpu"), "granet") is None


@pytest.mark.data
@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
def test_published_networks_tell_a_slip(name: str, data: Path) -> None:
    derainer = DERAINERS[name].build(data / "weights" / FILES[name])
    assert isinstance(derainer, Derainer)
    derainer.to("cpu")
    assert doubt(derainer, name) is None
    derainer.channels = "bgr"
    assert "channels='rgb', range=(0, 1)" in str(doubt(derainer, name))
    derainer.channels, derainer.range = "rgb", (-1.0, 1.0)
    assert "range=(0, 1)" in str(doubt(derainer, name))
