"""Derainers one after another, and at half size."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from torch import nn

from datasets.image import NDArrayByte, round_to_bytes
from derainers import DERAINERS, DerainerError
from derainers.chain import Chain
from derainers.derainer import Derainer, Filter
from harness.plan.derainers import Loader


def smooth(height: int, width: int) -> NDArrayByte:
    levels = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
    return np.asarray(cv2.resize(levels, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)


def test_stages_follow_one_another_in_bytes() -> None:
    add = Filter(lambda x: (x // 2 + 1).astype(np.uint8))
    invert = Filter(lambda x: 255 - x)
    image = smooth(9, 11)
    restored = round_to_bytes(Chain([add, invert]).restore(image, "a"))
    assert np.array_equal(restored, 255 - (image // 2 + 1))


@pytest.mark.parametrize("size", [(64, 96), (65, 97), (1, 1), (7, 50)])
def test_half_size_comes_back_to_full_size(size: tuple[int, int]) -> None:
    image = smooth(*size)
    restored = Chain([DERAINERS["identity"].build(None)], half_size=True).restore(image, "a")
    assert restored.shape == image.shape
    # bicubic interpolation keeps the pixels that were kept
    assert np.abs(restored[::2, ::2] * 255 - image[::2, ::2]).max() < 1e-3
    if min(size) > 32:
        assert np.abs(restored * 255 - image).mean() < 2


def test_a_super_resolution_network_takes_the_place_of_bicubic() -> None:
    double = Derainer(nn.Upsample(scale_factor=2), scale=2).to("cpu")
    image = smooth(21, 33)
    restored = Chain([DERAINERS["median"].build(None), double], half_size=True).restore(image, "a")
    assert restored.shape == image.shape
    assert np.array_equal(restored[::2, ::2][:10, :16], restored[1::2, 1::2])


def test_an_enlarging_network_alone_is_refused() -> None:
    double = Derainer(nn.Upsample(scale_factor=2), scale=2)
    with pytest.raises(DerainerError, match="enlarges images 2 times: use it behind another"):
        Loader(lambda device, dtype: double, "double")("cpu", "fp32")
