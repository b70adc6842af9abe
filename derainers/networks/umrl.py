"""UMRL: rain is estimated at a quarter, a half and the full size, with a confidence each.

Paper: Rajeev Yasarla, Vishal M. Patel, "Uncertainty Guided Multi-Scale Residual Learning Using a
Cycle Spinning CNN for Single Image De-Raining", CVPR 2019, arXiv:1906.11129. Names and
shapes of the weights are those of the authors' release (rajeevyasarla/UMRL--using-Cycle-Spinning).
Input and output are RGB in [-1, 1]; the network makes the image anew, and a tanh bounds it.

Choices:
- Normalisation takes each image's own means and variances, as the authors' ``umrl_test.py`` does,
  which leaves the network in training mode with one image a batch. The averages that the weights
  hold are those of small batches and do harm: with them the weights trained on JORDER's pairs lose
  8 dB on five images of Rain100L.
- The output is the network's. The authors' script stretches each image between its darkest and its
  brightest value before it is saved, which costs 0.5 to 2.6 dB on five images of each set.
- The estimates at a quarter and half of the size serve the loss alone and are not made clean here.
  The confidence at full size is not computed: nothing uses it.
- Testing with cycle spinning (the mean over shifted images) is not built.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class ImageNorm(nn.BatchNorm2d):
    """Batch normalisation by the statistics of each image; the averages it keeps are not used."""

    def forward(self, x: Tensor) -> Tensor:
        """``(B, C, H, W)`` to the same shape."""
        return F.instance_norm(x, weight=self.weight, bias=self.bias, eps=self.eps)


class Bottleneck(nn.Module):
    """Two convolutions, whose result stands beside their input."""

    def __init__(self, inputs: int, outputs: int, side: int) -> None:
        super().__init__()
        self.bn1 = ImageNorm(inputs)
        self.conv1 = nn.Conv2d(inputs, 4 * outputs, 1, bias=False)
        self.bn2 = ImageNorm(4 * outputs)
        self.conv2 = nn.Conv2d(4 * outputs, outputs, side, padding=side // 2, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, inputs, H, W)`` to ``(B, inputs + outputs, H, W)``."""
        inner = self.conv1(F.relu(self.bn1(x)))
        return torch.cat((x, self.conv2(F.relu(self.bn2(inner)))), 1)


class Transition(nn.Module):
    """A 1x1 convolution to half, the same or twice the size."""

    def __init__(self, inputs: int, outputs: int, scale: float) -> None:
        super().__init__()
        self.bn1 = ImageNorm(inputs)
        self.conv1 = nn.ConvTranspose2d(inputs, outputs, 1, bias=False)
        self._scale = scale

    def forward(self, x: Tensor) -> Tensor:
        """``(B, inputs, H, W)`` to ``(B, outputs, scale·H, scale·W)``."""
        x = self.conv1(F.relu(self.bn1(x)))
        if self._scale < 1:
            return F.avg_pool2d(x, 2)
        return F.interpolate(x, scale_factor=self._scale) if self._scale > 1 else x


class Estimate(nn.Module):
    """The rain at one scale, in (-1, 1)."""

    def __init__(self) -> None:
        super().__init__()
        for i, inputs in enumerate((64, 32, 32), start=1):
            self.add_module(f"conv{i}", Bottleneck(inputs, 32, 3))
            self.add_module(f"trans_block{i}", Transition(inputs + 32, 32, 1))
        self.conv_refin = nn.Conv2d(32, 16, 3, padding=1)
        self.refine3 = nn.Conv2d(16, 3, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, 64, H, W)`` to ``(B, 3, H, W)``."""
        for i in (1, 2, 3):
            x = self.get_submodule(f"trans_block{i}")(self.get_submodule(f"conv{i}")(x))
        return torch.tanh(self.refine3(F.leaky_relu(self.conv_refin(x), 0.2)))


class Confidence(nn.Module):
    """How far to trust an estimate, in (0, 1)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(35, 16, 3, padding=1)
        for i in (2, 3):
            self.add_module(f"conv{i}", Bottleneck(16, 16, 3))
            self.add_module(f"trans_block{i}", Transition(32, 16, 1))
        self.conv_refin = nn.Conv2d(16, 16, 3, padding=1)  # the release holds it and skips it
        self.refine3 = nn.Conv2d(16, 3, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, 35, H, W)`` to ``(B, 3, H, W)``."""
        x = self.conv1(x)
        for i in (2, 3):
            x = self.get_submodule(f"trans_block{i}")(self.get_submodule(f"conv{i}")(x))
        return torch.sigmoid(self.refine3(x))


class UMRL(nn.Module):
    """UMRL with 984,356 parameters."""

    multiple_of = 16
    """Four halvings."""
    minimum_px = 32
    """At the bottom more than one pixel must be left to normalise by."""

    def __init__(self) -> None:
        super().__init__()
        for name, inputs, grown, outputs, scale in (
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
            self.add_module(f"dense_block{name}", Bottleneck(inputs, grown, 5))
            self.add_module(f"trans_block{name}", Transition(inputs + grown, outputs, scale))
        self.conv_refin = nn.Conv2d(16, 16, 3, padding=1)
        self.refine3 = nn.Conv2d(16, 3, 3, padding=1)
        self.refineclean1 = nn.Conv2d(3, 8, 7, padding=3)
        self.refineclean2 = nn.Conv2d(8, 3, 3, padding=1)
        self.batchnorm20, self.batchnorm1 = ImageNorm(20), ImageNorm(1)  # in the release, unused
        self.res_est, self.conf_res = Estimate(), Confidence()

    def forward(self, rainy: Tensor) -> Tensor:
        """Restore ``(B, 3, H, W)`` RGB in [-1, 1]."""
        half = self._block("1", rainy)
        quarter = self._block("2", half)
        eighth = self._block("3", quarter)
        deep = self._block("3_2", self._block("3_1", eighth))
        x = self._block("4", torch.cat((deep, eighth), 1))
        for name, beside in (("5", quarter), ("6", half)):
            rain = self.res_est(torch.cat((x, beside), 1))
            confidence = self.conf_res(torch.cat((x, rain), 1))
            x = self._block(name, torch.cat((x, beside, rain * confidence), 1))
        x = F.leaky_relu(self.conv_refin(self._block("6_1", x)), 0.2)
        clean = rainy - torch.tanh(self.refine3(x))
        return torch.tanh(self.refineclean2(F.leaky_relu(self.refineclean1(clean), 0.2)))

    def _block(self, name: str, x: Tensor) -> Tensor:
        """A dense block and its transition."""
        x = self.get_submodule(f"dense_block{name}")(x)
        changed: Tensor = self.get_submodule(f"trans_block{name}")(x)
        return changed
