"""HRRSR: heavy rain taken away at half size by three models at once, then super-resolution.

Paper: Dac Tung Vu, Munchurl Kim, "Jointly Learning of Heavy Rain Removal and Super-Resolution in
Single Images", equations 1 and 2, figures 1 and 2. Layers the paper leaves open follow the first
author's release (tungvd345/Deraining, the state of 2020-08-05, from which the paper's numbers are).
Input and output are BGR in [0, 1] of the same size; every second pixel is processed.

Choices where paper and release differ or are silent; ``release`` builds the release's:

- transmission T comes from a U-net and airlight A from pooling and one linear layer, as in the
  release: the paper's text has the two swapped, but T varies in space and A does not;
- T is a sigmoid with a floor of 0.05 and the rain model works on [0, 1]; the release's tanh crosses
  zero, where the model divides by T, and works on [-1, 1];
- addition and multiplication have layers of their own, without normalisation; the release shares
  one layer, whose output it standardises;
- both layers see the same features of the patches (the release draws its dropout for each);
- three 3x3 convolutions follow the dense blocks of the streaks (release: 1x1);
- attention of two 1x1 and two 3x3 convolutions with a softmax over the models, per pixel and
  channel; the release has four 1x1, squeeze and excitation, and no softmax;
- patches: the centres of the first 128 maximally stable colour regions of the half-size image in
  bytes are the top-left corners of patches of 1/16 of its sides, borders repeated; the last patch
  fills up, and where there is no region a fixed grid of patches stands in (release: random places);
- the refinement has two groups of two channel-attention blocks of 64 channels;
- before any training all of it gives the image back (release: PyTorch's random weights): nothing is
  carried around the second stage, so that short trainings would spend their steps on copying.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from datasets.image import NDArrayFloat, from_tensor, round_to_bytes

PATCHES = 128
MODELS = ("ats", "add", "mul")
"""The models of the first stage: airlight-transmission-streaks, addition, multiplication."""


class HRRSROutput(NamedTuple):
    """What the stages produce."""

    restored: Tensor
    """``(B, 3, H, W)`` BGR, about [0, 1]."""
    models: tuple[Tensor, ...]
    """Clean image at half size as each model of the first stage sees it; losses supervise all."""


def _nothing_but(bias: float, conv: Any) -> None:
    """Let a convolution give the same everywhere."""
    nn.init.zeros_(conv.weight)
    nn.init.constant_(conv.bias, bias)


def _conv(inputs: int, outputs: int, side: int = 3, stride: int = 1) -> nn.Conv2d:
    """Convolution that keeps the size."""
    return nn.Conv2d(inputs, outputs, side, stride=stride, padding=side // 2)


class PatchFeatures(nn.Module):
    """Three channels of the image's size out of the patches at its stable regions."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = [_conv(3 * PATCHES, 128), nn.LeakyReLU(0.2)]
        for a, b in pairwise((128, 64, 32, 16, 8)):
            layers += [nn.ConvTranspose2d(a, b, 4, stride=2, padding=1), nn.LeakyReLU(0.2)]
        self.body = nn.Sequential(*layers, _conv(8, 3, 1), nn.Dropout2d(0.5))

    def forward(self, patches: Tensor, size: tuple[int, int]) -> Tensor:
        """``(B, 384, H/16, W/16)`` to ``(B, 3, H, W)``."""
        features = self.body(patches)
        return F.interpolate(features, size=size, mode="bilinear", align_corners=True)


def stable_patches(images: Tensor) -> Tensor:
    """Patches at the first stable regions of each image.

    Args:
        images: ``(B, 3, H, W)`` BGR in [0, 1], sides of at least 16.

    Returns:
        ``(B, 384, H // 16, W // 16)``: `PATCHES` patches, one after another in the channels.
    """
    height, width = images.shape[2] // 16, images.shape[3] // 16
    padded = F.pad(images, (0, width, 0, height), mode="replicate")
    rows, columns = np.arange(height), np.arange(width)
    stacks = []
    with ThreadPoolExecutor() as pool:  # in training, the regions take longer than the layers
        found = list(pool.map(_corners, from_tensor(images.clamp(0, 1))))
    for image, corners in zip(padded, found, strict=True):
        y = torch.from_numpy(corners[:, 1, None] + rows).to(images.device)
        x = torch.from_numpy(corners[:, 0, None] + columns).to(images.device)
        patches = image[:, y[:, :, None], x[:, None, :]]  # (3, patches, height, width)
        stacks.append(patches.transpose(0, 1).flatten(0, 1))
    return torch.stack(stacks)


def _corners(image: NDArrayFloat) -> NDArray[np.int64]:
    """``(PATCHES, 2)``: x, y of the patches of one ``(H, W, 3) BGR`` in [0, 1]."""
    height, width = image.shape[:2]
    found = cv2.MSER.create().detect(round_to_bytes(image))[:PATCHES]
    if found:
        corners = np.array([point.pt for point in found]).astype(np.int64)
        corners = np.concatenate([corners, np.repeat(corners[-1:], PATCHES - len(corners), 0)])
    else:
        # 16 x 8 places, a patch apart in x and two in y.
        place = np.arange(PATCHES)
        corners = np.stack([place % 16 * width // 16, place // 16 * height // 8], 1)
    return np.clip(corners, 0, (width - 1, height - 1))


class DenseBlock(nn.Module):
    """Four densely connected 3x3 convolutions, two 1x1 to fuse, plus the input."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.convs = nn.ModuleList(_conv(width * (i + 1), width) for i in range(4))
        self.fuse = nn.Sequential(
            _conv(5 * width, 5 * width // 2, 1),
            nn.ReLU(),
            _conv(5 * width // 2, width, 1),
            nn.Dropout2d(0.5),
        )

    def forward(self, x: Tensor) -> Tensor:
        """``(B, C, H, W)`` to the same shape."""
        features = [x]
        for conv in self.convs:
            features.append(F.relu(conv(torch.cat(features, 1))))
        fused: Tensor = self.fuse(torch.cat(features, 1))
        return x + fused


def _streaks(side: int) -> nn.Sequential:
    """Estimates the streaks S."""
    return nn.Sequential(
        *(_conv(3, 32), nn.ReLU(), DenseBlock(32)),
        *(_conv(32, 64, side), nn.ReLU(), DenseBlock(64)),
        *(_conv(64, 32, side), nn.ReLU(), _conv(32, 3, side), nn.Dropout2d(0.5)),
    )


class Transmission(nn.Module):
    """U-net whose output, before any squashing, is the transmission T."""

    def __init__(self) -> None:
        super().__init__()
        widths = (64, 128, 256, 512, 512)
        self.enter = nn.Sequential(
            _conv(3, 3, 1), _conv(3, 32), nn.ReLU(), _conv(32, 64), nn.ReLU()
        )
        self.downs = nn.ModuleList(self._down(a, b) for a, b in pairwise(widths))
        ups = ((512, 512, 256), (256, 256, 128), (128, 128, 64), (64, 64, 32))
        self.ups = nn.ModuleList(nn.ConvTranspose2d(a, a, 2, stride=2) for a, _, _ in ups)
        self.joins = nn.ModuleList(
            nn.Sequential(_conv(a + skip, b), nn.ReLU(), _conv(b, b), nn.ReLU())
            for a, skip, b in ups
        )
        self.leave = _conv(32, 3, 1)

    @staticmethod
    def _down(inputs: int, outputs: int) -> nn.Sequential:
        halve = (_conv(inputs, outputs, stride=2), nn.BatchNorm2d(outputs), nn.ReLU())
        return nn.Sequential(*halve, _conv(outputs, outputs, 1), nn.BatchNorm2d(outputs), nn.ReLU())

    def forward(self, x: Tensor) -> Tensor:
        """``(B, 3, H, W)`` to the same shape; H and W are multiples of 16."""
        x = self.enter(x)
        skips = []
        for down in self.downs:
            skips.append(x)
            x = down(x)
        for up, join in zip(self.ups, self.joins, strict=True):
            x = join(torch.cat((up(x), skips.pop()), 1))
        out: Tensor = self.leave(x)
        return out


class Airlight(nn.Module):
    """One brightness for the whole image."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            _conv(3, 64), nn.LeakyReLU(0.2), _conv(64, 128), nn.LeakyReLU(0.2)
        )
        layers: list[nn.Module] = []
        widths, sides = (128, 32, 32, 8, 8, 2), (128, 64, 32, 16, 1)
        for (a, b), side in zip(pairwise(widths), sides, strict=True):
            layers += [_conv(a, b), nn.ReLU(), nn.AdaptiveAvgPool2d(side)]
        self.body = nn.Sequential(*layers, nn.Flatten(), nn.Linear(2, 1))

    def forward(self, x: Tensor) -> Tensor:
        """``(B, 3, H, W)`` to ``(B, 1, 1, 1)``."""
        out: Tensor = self.body(self.stem(x))
        return out[:, :, None, None]


class ChannelAttentionBlock(nn.Module):
    """Two convolutions, scaled per channel by what their means say, plus the input (RCAB)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(_conv(width, width), nn.ReLU(), _conv(width, width))
        self.scale = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            *(_conv(width, width // 4, 1), nn.ReLU(), _conv(width // 4, width, 1), nn.Sigmoid()),
        )

    def forward(self, x: Tensor) -> Tensor:
        """``(B, C, H, W)`` to the same shape."""
        y = self.body(x)
        scaled: Tensor = y * self.scale(y)
        return x + scaled


class Refinement(nn.Module):
    """Second stage: channel-attention blocks and enlargement by ``scale``."""

    def __init__(self, scale: int) -> None:
        super().__init__()
        self.enter = nn.Sequential(_conv(3, 64, 7), nn.ReLU())
        self.groups = nn.ModuleList(
            nn.Sequential(ChannelAttentionBlock(64), ChannelAttentionBlock(64)) for _ in range(2)
        )
        self.join = _conv(64, 64)
        enlarge = (_conv(64, 64 * scale**2), nn.PixelShuffle(scale), nn.ReLU())
        self.leave = nn.Sequential(*enlarge, _conv(64, 3, 7))

    @torch.no_grad()
    def begin_as_copy(self) -> None:
        """Let the first three channels carry the image, each pixel ``scale`` times across."""
        convs: tuple[Any, ...] = self.enter[0], self.leave[0], self.leave[-1]
        _nothing_but(0, self.join)
        _nothing_but(0, self.leave[-1])
        for conv in convs:
            copies = max(1, conv.out_channels // 64)  # pixels that one becomes
            centre = conv.kernel_size[0] // 2
            conv.weight[: 3 * copies] = 0
            conv.bias[: 3 * copies] = 0
            for i in range(3):
                conv.weight[i * copies : (i + 1) * copies, i, centre, centre] = 1

    def forward(self, x: Tensor) -> Tensor:
        """``(B, 3, H, W)`` to ``(B, 3, scale·H, scale·W)``."""
        shallow = y = self.enter(x)
        for group in self.groups:
            y = y + group(y)
        out: Tensor = self.leave(shallow + self.join(y))
        return out


class HRRSR(nn.Module):
    """HRRSR; 11,661,560 parameters as released."""

    floor = 0.05
    """Smallest transmission."""

    def __init__(
        self, scale: int = 2, models: tuple[str, ...] = MODELS, release: bool = False
    ) -> None:
        """Build the network.

        Args:
            scale: 2 works on every second pixel and enlarges the result; 1 works at full size.
            models: Models of the first stage, some of `MODELS`: the paper's Table 1.
            release: Layers of the release instead of the paper's.
        """
        super().__init__()
        self.scale = scale
        self.models = models
        self.release = release
        self.multiple_of = 16 * scale
        if "ats" in models:
            self.streaks = _streaks(1 if release else 3)
            self.transmission = Transmission()
            self.airlight = Airlight()
        self.patch_features = PatchFeatures()
        operations = [m for m in models if m != "ats"]
        self.operations = nn.ModuleDict(
            {m: self._operation() for m in (["shared"] if release else operations)}
        )
        count = 3 * len(models)
        side = 1 if release else 3
        layers: list[nn.Module] = []
        for a, b, s in ((count, 128, 1), (128, 64, side), (64, 32, side)):
            layers += [_conv(a, b, s), nn.BatchNorm2d(b), nn.LeakyReLU(0.2)]
        self.attention = nn.Sequential(*layers, _conv(32, count, 1))
        if release:
            self.excitation = nn.Sequential(
                nn.AdaptiveAvgPool2d(1),
                *(_conv(count, 2, 1), nn.LeakyReLU(0.2), _conv(2, count, 1), nn.Sigmoid()),
            )
        self.refinement = Refinement(scale)
        if not release:
            self._begin_as_copy()

    @torch.no_grad()
    def _begin_as_copy(self) -> None:
        """No streaks, hardly any haze, nothing to add and to multiply by."""
        operations: dict[str, Any] = dict(self.operations)
        for model, operation in operations.items():
            _nothing_but(float(model == "mul"), operation[-1])
        if "ats" in self.models:
            _nothing_but(0, self.streaks[-2])
            _nothing_but(4, self.transmission.leave)  # a sigmoid of 0.98
        self.refinement.begin_as_copy()

    def _operation(self) -> nn.Sequential:
        """Two convolutions that make the layer R of equation 1 or 2."""
        if not self.release:
            return nn.Sequential(_conv(3, 64), nn.LeakyReLU(0.2), _conv(64, 3))
        first = (_conv(3, 64), nn.InstanceNorm2d(64), nn.LeakyReLU(0.2))
        return nn.Sequential(*first, _conv(64, 3), nn.InstanceNorm2d(3), nn.LeakyReLU(0.2))

    def forward(self, rainy: Tensor) -> Tensor:
        """Restore ``(B, 3, H, W)`` BGR in [0, 1]; H and W are multiples of `multiple_of`."""
        return self.stages(rainy).restored

    def stages(self, rainy: Tensor) -> HRRSROutput:
        """Restore and keep what the losses of the first stage need."""
        small = rainy[:, :, :: self.scale, :: self.scale]
        patches = stable_patches(small)
        if self.release:
            small, patches = 2 * small - 1, 2 * patches - 1
        features = self.patch_features(patches, (small.shape[2], small.shape[3]))
        images = [self._clean(model, small, features) for model in self.models]
        fused = self._fused(torch.cat(images, 1), small.dtype)
        restored = self.refinement(fused)
        if self.release:
            restored, images = (restored + 1) / 2, [(image + 1) / 2 for image in images]
        return HRRSROutput(restored, tuple(images))

    def _clean(self, model: str, x: Tensor, features: Tensor) -> Tensor:
        """Clean image as one model of the first stage sees it."""
        if model == "ats":
            return self._ats(x)
        layer: Tensor = self.operations["shared" if self.release else model](features).float()
        return x.float() + layer if model == "add" else x.float() * layer  # equations 2 and 1

    def _ats(self, x: Tensor) -> Tensor:
        """The heavy-rain model solved for the clean image: (I − (1 − T)·A)/T − S.

        In single precision: with the eight bits of bfloat16 each operation would round the image.
        """
        estimate = self.transmission(x).float()
        if self.release:
            transmission = torch.tanh(estimate)
            divisor = transmission + 1e-4
        else:
            transmission = self.floor + (1 - self.floor) * torch.sigmoid(estimate)
            divisor = transmission
        airlight, streaks = self.airlight(x).float(), self.streaks(x).float()
        clean: Tensor = (x.float() - (1 - transmission) * airlight) / divisor - streaks
        return clean

    def _fused(self, images: Tensor, dtype: torch.dtype) -> Tensor:
        """Sum of the models' images under learned weights, in the format of the layers."""
        weights = self.attention(images.to(dtype))
        if self.release:
            weights = weights * self.excitation(weights)
        weights = weights.float().unflatten(1, (len(self.models), 3))
        if not self.release:
            weights = weights.softmax(1)
        fused: Tensor = (weights * images.unflatten(1, (len(self.models), 3))).sum(1)
        return fused.to(dtype)
