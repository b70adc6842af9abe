"""Networks on images of known rain, fed rightly and wrongly."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from derainers import DERAINERS
from derainers.derainer import Derainer
from derainers.errors import DerainerError
from derainers.plausible import Convention, doubt, judged
from harness.work.known_rain import known_rain

RGB, BGR = Convention("rgb", 0.0, 1.0), Convention("bgr", 0.0, 1.0)
BYTES = Convention("rgb", 0.0, 255.0)
BUNDLED = [name for name, row in DERAINERS.items() if row.weights is not None]
FILES = {
    "prenet": "prenet-rain100l/PReNet6.pth",
    "prenet-r": "prenet-rain100l/PReNet6_r.pth",
    "prn": "prenet-rain100l/PRN6.pth",
    "prn-r": "prenet-rain100l/PRN6_r.pth",
    "nledn": "nledn/net_Rain100L.pth",
}
MISTAKEN = {"rescan": Convention("bgr", -1.0, 1.0)}
"""Told of what is fed rightly: it darkens all images, and those of a narrower range less."""
RAINY_DB = [20.0, 25.0, 30.0]


def bundled(name: str) -> Derainer:
    derainer = DERAINERS[name].build(DERAINERS[name].weights)
    assert isinstance(derainer, Derainer)
    return derainer.to("cpu")


def fed(derainer: Derainer, channels: str, black: float, white: float) -> Derainer:
    other = derainer.in_tiles(None)
    other.channels, other.range = channels, (black, white)
    return other


@pytest.mark.parametrize(
    ("restored_db", "declared", "named"),
    [
        ({RGB: [25, 30, 35], BYTES: [20, 25, 30]}, RGB, None),
        ({RGB: [25, 30, 35], BYTES: [20, 25, 30]}, BYTES, RGB),
        ({RGB: [12, 15, 18], BYTES: [20, 25, 30]}, RGB, None),  # what changes nothing is no remedy
        ({RGB: [25, 30, 35], BYTES: [25.5, 30.5, 35.5]}, RGB, None),
        ({RGB: [25, 30, 35], BGR: [28, 33, 38]}, RGB, BGR),
        ({RGB: [25, 30, 35], BGR: [23, 30, 46]}, RGB, None),  # better on one image alone
        ({RGB: [25, 30, 35], BYTES: [23, 30, 46]}, RGB, BYTES),
        ({RGB: [20, 20, 20], BGR: [27, 32, 37], BYTES: [28, 33, 38]}, RGB, BYTES),
    ],
)
def test_only_what_removes_rain_clearly_better_is_named(
    restored_db: dict[Convention, list[float]], declared: Convention, named: Convention | None
) -> None:
    found = judged(RAINY_DB, restored_db, declared)
    assert (found and found.better) == named


def test_known_rain_is_known() -> None:
    first, again, other = known_rain(), known_rain(), known_rain(1)
    for (rainy, clean), (same, _), (differs, _) in zip(first, again, other, strict=True):
        assert rainy.shape == clean.shape
        assert (rainy == same).all()
        assert (rainy != differs).any()
        assert (rainy.astype(int) >= clean).all()


@pytest.mark.parametrize("network", [nn.Identity(), nn.Conv2d(3, 3, 3, padding=1)])
def test_what_removes_no_rain_raises_no_doubt(network: nn.Module) -> None:
    torch.manual_seed(0)
    assert doubt(Derainer(network).to("cpu"), "n", known_rain()) is None


def test_a_failing_network_is_named() -> None:
    class Breaks(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            raise KeyError("w")

    image = np.zeros((8, 9, 3), np.uint8)
    with pytest.raises(DerainerError, match="derainer mine fails on an image of 9x8 px: KeyError"):
        doubt(Derainer(Breaks()).to("cpu"), "mine", [(image, image)])


def test_a_quick_bundled_network_tells_its_range() -> None:
    derainer = bundled("mspfn-light")
    pairs = known_rain()[::2]
    assert doubt(derainer, "m", pairs) is None
    for levels in ((0.0, 1.0), (0.0, 255.0)):
        found = doubt(fed(derainer, "bgr", *levels), "m", pairs)
        assert found is not None
        assert found.better == Convention("bgr", -1.0, 1.0)
        assert found.better_db > found.declared_db + 1


class Converting(nn.Module):
    """A network of -1..1 that takes and returns values of other ranges."""

    def __init__(
        self, network: nn.Module, taken: tuple[float, float], returned: tuple[float, float]
    ) -> None:
        super().__init__()
        self.network, self.taken, self.returned = network, taken, returned

    def forward(self, x: Tensor) -> Tensor:
        black, white = self.taken
        y: Tensor = self.network((x - black) / (white - black) * 2 - 1)
        black, white = self.returned
        return (y + 1) / 2 * (white - black) + black


@pytest.mark.parametrize("declared", [(0.0, 1.0), (0.0, 255.0)])
@pytest.mark.parametrize(
    ("taken", "returned"),
    [((0.0, 1.0), (0.0, 255.0)), ((0.0, 1.0), (-1.0, 1.0)), ((-1.0, 1.0), (0.0, 1.0))],
)
def test_a_network_that_returns_other_values_than_it_takes_is_told(
    taken: tuple[float, float], returned: tuple[float, float], declared: tuple[float, float]
) -> None:
    derainer = fed(bundled("mspfn-light"), "bgr", *declared)
    derainer.module = Converting(derainer.module, taken, returned)
    found = doubt(derainer, "m", known_rain()[::2])
    assert found is not None
    assert (found.better[1:], found.returned) == (taken, returned)


@pytest.mark.slow
@pytest.mark.parametrize("name", BUNDLED)
def test_bundled_networks_are_fed_rightly(name: str) -> None:
    derainer = bundled(name)
    right = Convention(derainer.channels, *derainer.range)
    for told, slip in ((MISTAKEN.get(name), right), (MISTAKEN.get(name, right), BYTES)):
        found = doubt(fed(derainer, derainer.channels, *slip[1:]), name, known_rain())
        assert (None if found is None else found.better) == told


@pytest.mark.data
@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
def test_published_networks_tell_a_slip(name: str, data: Path) -> None:
    derainer = DERAINERS[name].build(data / "weights" / FILES[name])
    assert isinstance(derainer, Derainer)
    derainer.to("cpu")
    assert doubt(derainer, name, known_rain()) is None
    for levels in ((-1.0, 1.0), (0.0, 255.0)):
        found = doubt(fed(derainer, "rgb", *levels), name, known_rain())
        assert found is not None
        assert found.better[1:] == (0.0, 1.0)
