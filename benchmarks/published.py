"""Networks of others whose published weights serve to measure the doubt about a convention.

Each function makes one from its authors' weights, so that this file is a derainer's word too:
``benchmarks/published.py:vrgnet@rain100l.pt``. They are written anew from the papers and the shapes
of the released weights, whose names they keep.
"""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from derainers.checkpoint import load_weights
from derainers.derainer import Derainer
from derainers.networks.prenet import PReNet


def vrgnet(weights: Path) -> Derainer:
    """PReNet with a mean and a variance (Wang et al., CVPR 2021), RGB in [0, 1]."""
    network = VRGNet()
    load_weights(network, weights, "derainet.")
    return Derainer(network)


def sapnet(weights: Path) -> Derainer:
    """PReNet with dilation and attention (Zheng et al., WACVW 2022), RGB in [0, 1]."""
    network = SAPNet()
    load_weights(network, weights)
    return Derainer(network)


def spanet(weights: Path) -> Derainer:
    """A direct network with spatial attention (Wang et al., CVPR 2019), BGR in [0, 1]."""
    network = SPANet()
    load_weights(network, weights)
    return Derainer(network, channels="bgr")


def umrl(weights: Path) -> Derainer:
    """A direct network with confidences (Yasarla and Patel, CVPR 2019), RGB in [-1, 1]."""
    network = UMRL()
    load_weights(network, weights)
    return Derainer(network, range=(-1.0, 1.0), multiple_of=16)


def urie(weights: Path) -> Derainer:
    """An enhancer trained for recognition (Son et al., ECCV 2020), RGB in [0, 1]."""
    network = URIE()
    load_weights(network.inner, weights)
    return Derainer(network, multiple_of=16)


class VRGNet(PReNet):
    """PReNet whose sixth run ends in another layer: the image's mean and its variance."""

    def __init__(self) -> None:
        super().__init__()
        self.convfinal = nn.Sequential(nn.Conv2d(32, 6, 3, padding=1))

    def forward(self, rainy: Tensor) -> Tensor:
        """Restore ``(B, 3, H, W)``."""
        estimate = rainy
        hidden = cell = rainy.new_zeros(rainy.shape[0], 32, *rainy.shape[2:])
        for run in range(self.stages):
            x = self.conv0(torch.cat((rainy, estimate), 1))
            hidden, cell = self._lstm(torch.cat((x, hidden), 1), cell)
            x = hidden
            for name in self.blocks:
                x = F.relu(self.get_submodule(name)(x) + x)
            last = run == self.stages - 1
            estimate = rainy + (self.convfinal(x)[:, :3] if last else self.conv(x))
        return estimate


class ChannelAttention(nn.Module):
    """Weighs channels by their means."""

    def __init__(self) -> None:
        super().__init__()
        narrow, wide = nn.Conv2d(32, 2, 1, bias=False), nn.Conv2d(2, 32, 1, bias=False)
        self.conv_du = nn.Sequential(narrow, nn.ReLU(), wide)
        self.conv_1_1 = nn.Conv2d(32, 32, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, 32, H, W)`` to the same."""
        mean = x.mean((2, 3), keepdim=True)
        return x * torch.sigmoid(self.conv_du(mean) + self.conv_1_1(mean))


class SAPNet(PReNet):
    """PReNet whose blocks are dilated 1 to 16 times and weigh their channels."""

    def __init__(self) -> None:
        super().__init__()
        for block, step in zip(self.blocks, (1, 2, 4, 8, 16), strict=True):
            layers: list[nn.Module] = []
            for _ in range(2):
                layers.append(nn.Conv2d(32, 32, 3, padding=step, dilation=step))
                layers += [ChannelAttention(), nn.ReLU()]
            self.add_module(block, nn.Sequential(*layers))


class Recurrence(nn.Module):
    """Each row and column as a sequence, read from four sides."""

    def __init__(self) -> None:
        super().__init__()
        for side in ("left", "right", "up", "down"):
            self.add_module(f"{side}_weight", nn.Conv2d(32, 32, 1, groups=32))

    def forward(self, x: Tensor) -> Tensor:
        """``(B, 32, H, W)`` to four times as many channels: up, right, down, left."""
        ways = (("up", 2, True), ("right", 3, False), ("down", 2, False), ("left", 3, True))
        return torch.cat([self._one(x, *way) for way in ways], 1)

    def _one(self, x: Tensor, side: str, axis: int, backwards: bool) -> Tensor:
        step = self.get_submodule(f"{side}_weight")
        assert isinstance(step, nn.Conv2d)
        assert step.bias is not None
        weight, bias = step.weight.view(-1, 1, 1), step.bias.view(-1, 1, 1)
        lines = list(x.split(1, axis))
        if backwards:
            lines.reverse()
        for i in range(1, len(lines)):
            lines[i] = F.relu(weight * lines[i - 1] + bias + lines[i])
        if backwards:
            lines.reverse()
        return torch.cat(lines, axis)


class SpatialAttention(nn.Module):
    """A map of where rain is. Its four sides are not weighted: the release drops the product."""

    def __init__(self) -> None:
        super().__init__()
        self.irnn1, self.irnn2 = Recurrence(), Recurrence()
        self.conv_in = nn.Conv2d(32, 32, 3, padding=1, bias=False)
        self.conv2 = nn.Conv2d(128, 32, 3, padding=1, bias=False)
        self.conv3 = nn.Conv2d(128, 32, 3, padding=1, bias=False)
        self.conv_out = nn.Conv2d(32, 1, 1, bias=False)
        self.attention_layer = nn.Module()
        for name, inputs, outputs, side in (
            ("conv1", 32, 16, 3),
            ("conv2", 16, 16, 3),
            ("conv3", 16, 4, 1),
        ):
            self.attention_layer.add_module(name, nn.Conv2d(inputs, outputs, side))

    def forward(self, x: Tensor) -> Tensor:
        """``(B, 32, H, W)`` to ``(B, 1, H, W)`` in [0, 1]."""
        x = self.conv2(self.irnn1(self.conv_in(x)))
        return torch.sigmoid(self.conv_out(F.relu(self.conv3(self.irnn2(x)))))


class SPANet(nn.Module):
    """Seventeen residual blocks, of which twelve act where the attention says."""

    def __init__(self) -> None:
        super().__init__()
        self.conv_in = nn.Sequential(nn.Conv2d(3, 32, 3, padding=1, bias=False))
        self.SAM1 = SpatialAttention()
        for i in range(1, 18):
            block, layers = nn.Module(), nn.Sequential()
            for name, side in (("conv1", 1), ("conv2", 3), ("conv3", 1)):
                wide = {"padding": 2, "dilation": 2} if side == 3 else {}
                layers.add_module(name, nn.Conv2d(32, 32, side, bias=False, **wide))
                if name != "conv3":
                    layers.add_module(f"{name}_relu", nn.ReLU())
            block.add_module("group1", layers)
            self.add_module(f"res_block{i}", block)
        self.conv_out = nn.Sequential(nn.Conv2d(32, 3, 3, padding=1, bias=False))

    def forward(self, rainy: Tensor) -> Tensor:
        """Restore ``(B, 3, H, W)``."""
        x = F.relu(self.conv_in(rainy))
        attention: Tensor | float = 1.0
        for i in range(1, 18):
            if i in (4, 7, 10, 13):
                attention = self.SAM1(x)
            weight = attention if 4 <= i <= 15 else 1.0
            x = F.relu(self.get_submodule(f"res_block{i}.group1")(x) * weight + x)
        restored: Tensor = self.conv_out(x)
        return restored


class Dense(nn.Module):
    """A bottleneck whose input is kept beside its output."""

    def __init__(self, inputs: int, outputs: int, side: int) -> None:
        super().__init__()
        self.bn1, self.bn2 = nn.BatchNorm2d(inputs), nn.BatchNorm2d(4 * outputs)
        self.conv1 = nn.Conv2d(inputs, 4 * outputs, 1, bias=False)
        self.conv2 = nn.Conv2d(4 * outputs, outputs, side, padding=side // 2, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """More channels."""
        narrow = self.conv1(F.relu(self.bn1(x)))
        return torch.cat((x, self.conv2(F.relu(self.bn2(narrow)))), 1)


class Transition(nn.Module):
    """Other channels, at ``scale`` times the size."""

    def __init__(self, inputs: int, outputs: int, scale: float) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(inputs)
        self.conv1 = nn.ConvTranspose2d(inputs, outputs, 1, bias=False)
        self._scale = scale

    def forward(self, x: Tensor) -> Tensor:
        """``(B, inputs, H, W)`` to ``(B, outputs, scale·H, scale·W)``."""
        x = self.conv1(F.relu(self.bn1(x)))
        if self._scale < 1:
            return F.avg_pool2d(x, 2)
        return F.interpolate(x, scale_factor=self._scale) if self._scale > 1 else x


class Head(nn.Module):
    """UMRL's estimate of rain at one scale, or of how far to trust it."""

    def __init__(self, inputs: int, width: int, trust: bool) -> None:
        super().__init__()
        self._trust = trust
        self.conv1 = nn.Conv2d(inputs, width, 3, padding=1) if trust else Dense(inputs, width, 3)
        if not trust:
            self.trans_block1 = Transition(inputs + width, width, 1)
        self.conv2, self.conv3 = Dense(width, width, 3), Dense(width, width, 3)
        self.trans_block2 = Transition(2 * width, width, 1)
        self.trans_block3 = Transition(2 * width, width, 1)
        self.conv_refin = nn.Conv2d(width, 16, 3, padding=1)
        self.refine3 = nn.Conv2d(16, 3, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, inputs, H, W)`` to ``(B, 3, H, W)``."""
        x = self.conv1(x)
        x = x if self._trust else self.trans_block1(x)
        x = self.trans_block3(self.conv3(self.trans_block2(self.conv2(x))))
        if self._trust:
            return torch.sigmoid(self.refine3(x))
        return torch.tanh(self.refine3(F.leaky_relu(self.conv_refin(x), 0.2)))


class UMRL(nn.Module):
    """Rain is estimated at a quarter, a half and full size; what is left passes two layers."""

    def __init__(self) -> None:
        super().__init__()
        for name, inputs, outputs, after, scale in (
            ("1", 3, 29, 32, 0.5),
            ("2", 32, 32, 32, 0.5),
            ("3", 32, 32, 32, 0.5),
            ("3_1", 32, 32, 32, 0.5),
            ("3_2", 32, 32, 32, 2),
            ("4", 64, 32, 32, 2),
            ("5", 67, 32, 32, 2),
            ("6", 67, 16, 16, 2),
            ("6_1", 16, 16, 16, 1),
        ):
            self.add_module(f"dense_block{name}", Dense(inputs, outputs, 5))
            self.add_module(f"trans_block{name}", Transition(inputs + outputs, after, scale))
        self.conv_refin = nn.Conv2d(16, 16, 3, padding=1)
        self.refine3 = nn.Conv2d(16, 3, 3, padding=1)
        self.refineclean1 = nn.Conv2d(3, 8, 7, padding=3)
        self.refineclean2 = nn.Conv2d(8, 3, 3, padding=1)
        self.batchnorm20, self.batchnorm1 = nn.BatchNorm2d(20), nn.BatchNorm2d(1)
        self.res_est, self.conf_res = Head(64, 32, False), Head(35, 16, True)

    def forward(self, rainy: Tensor) -> Tensor:
        """Restore ``(B, 3, H, W)``."""
        half = self._block("1", rainy)
        quarter = self._block("2", half)
        eighth = self._block("3", quarter)
        deep = self._block("3_2", self._block("3_1", eighth))
        x = self._block("4", torch.cat((deep, eighth), 1))
        for name, beside in (("5", quarter), ("6", half)):
            rain = self.res_est(torch.cat((x, beside), 1))
            trust = self.conf_res(torch.cat((x, rain), 1))
            x = self._block(name, torch.cat((x, beside, rain * trust), 1))
        x = F.leaky_relu(self.conv_refin(self._block("6_1", x)), 0.2)
        left = rainy - torch.tanh(self.refine3(x))
        return torch.tanh(self.refineclean2(F.leaky_relu(self.refineclean1(left), 0.2)))

    def _block(self, name: str, x: Tensor) -> Tensor:
        x = self.get_submodule(f"dense_block{name}")(x)
        changed: Tensor = self.get_submodule(f"trans_block{name}")(x)
        return changed


class Selector(nn.Module):
    """How much of each of two results to take, in each of 16 fields."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        fields = 16 * channels
        self.fc = nn.Sequential(nn.Linear(fields, channels, bias=False), nn.ReLU())
        self.att_conv1, self.att_conv2 = nn.Linear(channels, fields), nn.Linear(channels, fields)

    def forward(self, x: Tensor) -> Tensor:
        """The first one's share, ``(B, C, H, W)``."""
        y = self.fc(F.adaptive_avg_pool2d(x, 4).flatten(1))
        share = torch.sigmoid(self.att_conv1(y) - self.att_conv2(y))
        return F.interpolate(share.view(*x.shape[:2], 4, 4), size=x.shape[2:])


class Selective(nn.Module):
    """Two convolutions, after normalising by batch and by instance, mixed by their `Selector`."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        self.conv2 = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        self.selector = Selector(outputs)
        self.BN = nn.BatchNorm2d(inputs)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, inputs, H, W)`` to ``(B, outputs, H, W)``."""
        first = self.conv1(F.leaky_relu(self.BN(x)))
        second = self.conv2(F.leaky_relu(F.instance_norm(x)))
        share = self.selector(first + second)
        return first * share + second * (1 - share)


class SKUNet(nn.Module):
    """A small U of selective convolutions that is added to its input."""

    def __init__(self) -> None:
        super().__init__()
        self.down1 = nn.Conv2d(3, 32, 9, padding=4)
        for name, part, layers in (
            ("down2", "maxpool_conv", nn.Sequential(nn.MaxPool2d(2), Selective(32, 64))),
            ("down3", "maxpool_conv", nn.Sequential(nn.MaxPool2d(2), Selective(64, 64))),
            ("up1", "conv", Selective(128, 32)),
            ("up2", "conv", Selective(64, 16)),
        ):
            self.add_module(name, nn.ModuleDict({part: layers}))
        self.up3 = nn.Conv2d(16, 3, 3, padding=1)

    def forward(self, rainy: Tensor) -> Tensor:
        """Enhance ``(B, 3, H, W)``, normalised."""
        x1 = self.down1(rainy)
        x2 = self.get_submodule("down2.maxpool_conv")(x1)
        x = self.get_submodule("down3.maxpool_conv")(x2)
        for name, beside in (("up1", x2), ("up2", x1)):
            x = F.interpolate(x, size=beside.shape[2:], mode="bilinear", align_corners=True)
            x = self.get_submodule(f"{name}.conv")(torch.cat((beside, x), 1))
        enhanced: Tensor = self.up3(x) + rainy
        return enhanced


class URIE(nn.Module):
    """`SKUNet` between ImageNet's normalisation and its inverse."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = SKUNet()
        self.mean = nn.Parameter(torch.tensor((0.485, 0.456, 0.406)).view(3, 1, 1))
        self.spread = nn.Parameter(torch.tensor((0.229, 0.224, 0.225)).view(3, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Enhance ``(B, 3, H, W)`` in [0, 1]."""
        restored: Tensor = self.inner((x - self.mean) / self.spread) * self.spread + self.mean
        return restored
