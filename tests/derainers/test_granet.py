"""GraNet as the paper draws it."""

from __future__ import annotations

import pytest
import torch

from derainers.networks.granet import DenseBlock, GraNet, RegionAwareBlock


def test_parameter_count_at_paper_size() -> None:
    # stems 2·1,792, dense blocks 6·141,504, region blocks 3·45,280, coarse head 1,731,
    # fine fusion 12,352, fine head 6,924
    count = 2 * 1792 + 6 * 141504 + 3 * 45280 + 1731 + 12352 + 6924
    assert sum(p.numel() for p in GraNet().parameters()) == count == 1_009_455
    assert sum(p.numel() for p in GraNet(width=32, growth=16).parameters()) == 255_903


def test_stages_add_up() -> None:
    torch.manual_seed(0)
    rainy = torch.rand(1, 3, 16, 24)
    stages = GraNet(width=8, growth=4).stages(rainy)
    assert torch.equal(stages.coarse, rainy - stages.mask)
    assert stages.restored.shape == stages.mask.shape == rainy.shape


def test_a_region_does_not_see_the_others() -> None:
    torch.manual_seed(0)
    block = RegionAwareBlock(8, grid=2)
    torch.nn.init.normal_(block.w.weight)
    torch.nn.init.zeros_(block.conv.weight)
    block.conv.weight.data[:, :, 1, 1] = torch.eye(8)  # let each pixel through on its own
    x = torch.rand(1, 8, 16, 16)
    y = x.clone()
    y[..., 8:, 8:] += 1.0
    changed = (block(y) != block(x)).any(1)[0]
    assert changed[8:, 8:].any()
    assert not changed[:8].any()
    assert not changed[:, :8].any()


def test_attention_is_the_plain_embedded_gaussian() -> None:
    torch.manual_seed(0)
    block = RegionAwareBlock(4, grid=1)
    torch.nn.init.normal_(block.w.weight)
    x = torch.rand(1, 4, 4, 6)
    pool = torch.nn.MaxPool2d(2)
    theta, phi, g = block.theta(x), pool(block.phi(x)), pool(block.g(x))
    weights = torch.softmax(theta.flatten(2).mT @ phi.flatten(2), dim=-1)
    attended = (weights @ g.flatten(2).mT).mT.reshape(1, 2, 4, 6)
    expected = torch.relu(block.conv(x + block.w(attended)))
    assert torch.allclose(block(x), expected, atol=1e-6)


def test_merging_takes_the_mean_of_every_third_channel() -> None:
    torch.manual_seed(0)
    network = GraNet(width=8, growth=4)
    votes = torch.rand(1, 12, 16, 16)
    network.fine_head = Constant(votes)  # type: ignore[assignment]
    restored = network(torch.rand(1, 3, 16, 16))
    expected = torch.stack([votes[:, c::3].mean(1) for c in range(3)], 1)
    assert torch.allclose(restored, expected)


class Constant(torch.nn.Module):
    def __init__(self, value: torch.Tensor) -> None:
        super().__init__()
        self.value = value

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.value


@pytest.mark.parametrize("layers", [1, 4])
def test_a_dense_block_keeps_its_shape(layers: int) -> None:
    assert DenseBlock(8, 4, layers)(torch.rand(2, 8, 5, 6)).shape == (2, 8, 5, 6)
