"""Derainers one after another, and at half size."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from torch import nn

from datasets.image import NDArrayByte, round_to_bytes
from derainers import DERAINERS, DerainerError
from derainers.chain import Chain
from derainers.derainer import Derainer
from derainers.restorer import Filter, per_thread, restored
from harness.machine.device import Placement
from harness.plan.derainers import Loader


def smooth(height: int, width: int) -> NDArrayByte:
    levels = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
    return np.asarray(cv2.resize(levels, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)


def test_stages_follow_one_another_in_bytes() -> None:
    add = Filter(lambda x: (x // 2 + 1).astype(np.uint8))
    invert = Filter(lambda x: 255 - x)
    image = smooth(9, 11)
    made = round_to_bytes(Chain([add, invert]).restore(image, "a"))
    assert np.array_equal(made, 255 - (image // 2 + 1))


def test_a_chain_tells_the_smallest_tiles_and_a_filter_none() -> None:
    image = smooth(8, 400)
    same = Filter(lambda x: x)
    large, small = (Derainer(nn.Identity()).in_tiles(side) for side in (320, 192))
    assert restored(Chain([large, same, Chain([small])]), image, "a").tile_px == 192
    assert restored(same, image, "a").tile_px is None


@pytest.mark.parametrize("size", [(64, 96), (65, 97), (1, 1), (7, 50)])
def test_half_size_comes_back_to_full_size(size: tuple[int, int]) -> None:
    image = smooth(*size)
    made = Chain([DERAINERS["identity"].build(None)], half_size=True).restore(image, "a")
    assert made.shape == image.shape
    # bicubic interpolation keeps the pixels that were kept
    assert np.abs(made[::2, ::2] * 255 - image[::2, ::2]).max() < 1e-3
    if min(size) > 32:
        assert np.abs(made * 255 - image).mean() < 2


def test_a_super_resolution_network_takes_the_place_of_bicubic() -> None:
    double = Derainer(nn.Upsample(scale_factor=2), scale=2).to("cpu")
    image = smooth(21, 33)
    made = Chain([DERAINERS["median"].build(None), double], half_size=True).restore(image, "a")
    assert made.shape == image.shape
    assert np.array_equal(made[::2, ::2][:10, :16], made[1::2, 1::2])


def test_an_enlarging_network_alone_is_refused() -> None:
    double = Derainer(nn.Upsample(scale_factor=2), scale=2)
    with pytest.raises(DerainerError, match="enlarges images 2 times: use it behind another"):
        Loader(lambda _: double, "double")(Placement("cpu"))


@pytest.mark.parametrize("scale", [3, 4])
def test_half_size_takes_what_enlarges_twice_alone(scale: int) -> None:
    network = Derainer(nn.Upsample(scale_factor=scale), scale=scale)
    for may_enlarge in (False, True):
        load = Loader(lambda _: network, "large", may_enlarge)
        with pytest.raises(DerainerError, match=rf"enlarges images {scale} times: half: needs one"):
            load(Placement("cpu"))
    own = Filter(lambda x: np.kron(x, np.ones((scale, scale, 1), np.uint8)))
    with pytest.raises(DerainerError, match=r"half: made .* of \(4, 6, 3\): needs \(8, 12, 3\)"):
        Chain([own], half_size=True).restore(smooth(8, 11), "a")


def test_copies_for_threads_share_weights_that_nobody_writes_into() -> None:
    network = nn.Conv2d(3, 3, 1)
    chain = Chain([Derainer(network), Filter(lambda image: image)])
    for shares in (True, False):
        (copied, same), module = per_thread(chain, shares).stages, network  # type: ignore[attr-defined]
        assert isinstance(copied, Derainer)
        assert copied.module is not module
        assert (copied.module.weight is module.weight) == shares
        assert same is chain.stages[1]
