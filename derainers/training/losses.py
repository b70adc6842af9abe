"""The losses that the papers train with: functions of the network and a batch.

Images are as the network takes them: its own range and channel order.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from derainers.checkpoint import load_weights
from derainers.networks.mscg import PatchDiscriminator
from derainers.training.own import of_function
from derainers.training.recipes import Loss

CHARBONNIER_EPSILON = 1e-3
EDGE_WEIGHT = 0.05
SSIM_SIDE_PX, SSIM_SIGMA_PX = 11, 1.5


def charbonnier(difference: Tensor) -> Tensor:
    """Mean of √(d² + ε²) (MSPFN, equation 1)."""
    return torch.sqrt(difference.square() + CHARBONNIER_EPSILON**2).mean()


def laplacian(images: Tensor) -> Tensor:
    """Edges by the kernel of MSPFN's authors: 8 in the centre, −1 around it, zeros beyond."""
    channels = images.shape[1]
    kernel = images.new_full((3, 3), -1.0)
    kernel[1:2, 1:2].fill_(8)
    return F.conv2d(images, kernel.expand(channels, 1, 3, 3), padding=1, groups=channels)


def ssim(a: Tensor, b: Tensor) -> Tensor:
    """Mean SSIM of ``(B, C, H, W)`` in [0, 1]: Gaussian window 11x11, σ 1.5, zeros beyond.

    Reference:
        Wang et al., "Image Quality Assessment: From Error Visibility to Structural Similarity",
        2004; padded as in the code that DCSFN and PReNet train with.
    """
    channels, half = a.shape[1], SSIM_SIDE_PX // 2
    at = torch.arange(-half, half + 1, dtype=a.dtype, device=a.device)
    row = torch.exp(-at.square() / (2 * SSIM_SIGMA_PX**2))
    row = row / row.sum()

    def mean(x: Tensor) -> Tensor:
        along = F.conv2d(x, row.expand(channels, 1, 1, -1), padding=(0, half), groups=channels)
        kernel = row[:, None].expand(channels, 1, -1, 1)
        return F.conv2d(along, kernel, padding=(half, 0), groups=channels)

    mean_a, mean_b = mean(a), mean(b)
    variance_a = mean(a * a) - mean_a.square()
    variance_b = mean(b * b) - mean_b.square()
    covariance = mean(a * b) - mean_a * mean_b
    c1, c2 = 0.01**2, 0.03**2
    luminance = (2 * mean_a * mean_b + c1) / (mean_a.square() + mean_b.square() + c1)
    structure = (2 * covariance + c2) / (variance_a + variance_b + c2)
    return (luminance * structure).mean()


def _mae(network: Any, rainy: Tensor, clean: Tensor) -> tuple[Tensor, Tensor]:
    """GraNet, equation 9."""
    restored = network(rainy)
    return F.l1_loss(restored, clean), restored


def _mse(network: Any, rainy: Tensor, clean: Tensor) -> tuple[Tensor, Tensor]:
    """Mean squared error."""
    restored = network(rainy)
    return F.mse_loss(restored, clean), restored


def _negative_ssim(network: Any, rainy: Tensor, clean: Tensor) -> tuple[Tensor, Tensor]:
    """DCSFN, equation 7, and PReNet."""
    restored = network(rainy)
    return -ssim(restored, clean), restored


def _charbonnier(network: Any, rainy: Tensor, clean: Tensor) -> tuple[Tensor, Tensor]:
    """MSPFN, equation 1."""
    restored = network(rainy)
    return charbonnier(restored - clean), restored


def _charbonnier_edge(network: Any, rainy: Tensor, clean: Tensor) -> tuple[Tensor, Tensor]:
    """MSPFN, equations 1 to 3."""
    restored = network(rainy)
    edges = charbonnier(laplacian(restored) - laplacian(clean))
    return charbonnier(restored - clean) + EDGE_WEIGHT * edges, restored


def _multi_scale(network: Any, rainy: Tensor, clean: Tensor) -> tuple[Tensor, Tensor]:
    """MSCG's fidelity: mean absolute error at every scale, summed with equal weights."""
    images = network.stages(rainy)
    loss = clean.new_zeros(())
    for image in images:
        loss = loss + F.l1_loss(image, F.interpolate(clean, size=image.shape[2:], mode="area"))
    return loss, images[-1]


def _two_stage(
    network: Any,
    rainy: Tensor,
    clean: Tensor,
    error: Callable[[Tensor, Tensor], Tensor] = F.mse_loss,
) -> tuple[Tensor, Tensor]:
    """Error of the heavy-rain network's result and of each image of its first stage; squared."""
    restored, images = network.stages(rainy)
    scale = rainy.shape[2] // images[0].shape[2]
    small = clean[:, :, ::scale, ::scale]
    loss = error(restored, clean)
    for image in images:
        loss = loss + error(image, small)
    return loss, restored


def _two_stage_release(network: Any, rainy: Tensor, clean: Tensor) -> tuple[Tensor, Tensor]:
    """As HRRSR's authors train: beside the squared errors 1 - SSIM, and how neighbours differ.

    Source: train.py and helper.py of tungvd345/Deraining at 40b20f1. Its images are in [-1, 1],
    which weighs differences twice and squares four times; its SSIM has no zeros beyond.
    """
    squares, restored = _two_stage(network, rainy, clean)
    edges = sum(
        (F.l1_loss(restored.diff(dim=axis).abs(), clean.diff(dim=axis).abs()) for axis in (2, 3)),
        clean.new_zeros(()),
    )
    return 4 * squares + (1 - ssim(restored, clean)) + 2 * edges, restored


def _stages_mse(network: Any, rainy: Tensor, clean: Tensor) -> tuple[Tensor, Tensor]:
    """RESCAN's: squared error of every stage's image, which is that of the rain it sees, summed."""
    images = network.stages(rainy)
    return sum((F.mse_loss(image, clean) for image in images), clean.new_zeros(())), images[-1]


OfBatch = Callable[[Any, Tensor, Tensor], tuple[Tensor, Tensor]]
"""Function of (network, rainy, clean) that gives the loss and the restored images."""
LOSSES: dict[Loss, OfBatch] = {
    "mae": _mae,
    "mse": _mse,
    "negative-ssim": _negative_ssim,
    "charbonnier": _charbonnier,
    "charbonnier-edge": _charbonnier_edge,
    "multi-scale": _multi_scale,
    "two-stage": _two_stage,
    "two-stage-mae": partial(_two_stage, error=F.l1_loss),
    "two-stage-release": _two_stage_release,
    "stages-mse": _stages_mse,
}
"""By the name that a recipe has."""
LOOKS_ON_CPU: tuple[Loss, ...] = ("two-stage", "two-stage-mae", "two-stage-release")
"""Losses of a network that looks at its input on the CPU, which no recording would repeat."""
OF_STAGES: tuple[Loss, ...] = ("multi-scale", *LOOKS_ON_CPU, "stages-mse")
"""Losses that call the network's ``stages``."""
IN_UNIT: tuple[Loss, ...] = ("negative-ssim",)
"""Losses that mean something of images in [0, 1] alone.

Errors, absolute or squared, mean the same in any range. Charbonnier's ε smooths differences below a
grey level in all of them, and MSPFN learns by it in [-1, 1].
"""


def loss_of(
    loss: Loss, span: tuple[float, float], own: Callable[[Tensor, Tensor], Tensor] | None = None
) -> OfBatch:
    """The loss of a batch.

    Args:
        loss: Of the recipe.
        span: Black and white of the images.
        own: A user's function of restored and clean images, in place of it.
    """
    if own is not None:
        return of_function(own)
    return _in_unit(LOSSES[loss], span) if is_mapped(loss, span) else LOSSES[loss]


def is_mapped(loss: Loss, span: tuple[float, float]) -> bool:
    """Whether images of this black and white are brought to [0, 1] for a loss."""
    return loss in IN_UNIT and span != (0.0, 1.0)


def _in_unit(loss: OfBatch, span: tuple[float, float]) -> OfBatch:
    """A loss of images that are brought from black and white to [0, 1]."""
    black, white = span

    def mapped(network: Any, rainy: Tensor, clean: Tensor) -> tuple[Tensor, Tensor]:
        restored = network(rainy)
        a, b = ((x - black) / (white - black) for x in (restored, clean))
        return loss(lambda _: a, rainy, b)[0], restored

    return mapped


class Perceptual(nn.Module):
    """Squared distance between VGG16's features of two images (relu2_2)."""

    MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

    def __init__(self, weights: Path) -> None:
        """Load torchvision's VGG16.

        Raises:
            DerainerError: If the file is not its state dict.
        """
        super().__init__()
        from torchvision.models.vgg import cfgs, make_layers

        layers = make_layers(cfgs["D"])
        load_weights(layers, weights, "features.")
        self.features = layers[:9].eval().requires_grad_(False)

    def forward(self, restored: Tensor, clean: Tensor) -> Tensor:
        """Distance of ``(B, 3, H, W)`` RGB in [0, 1]."""
        mean = restored.new_tensor(self.MEAN)[:, None, None]
        std = restored.new_tensor(self.STD)[:, None, None]
        a, b = (self.features((x - mean) / std) for x in (restored, clean))
        return F.mse_loss(a, b)


class Judge(nn.Module):
    """MSCG's discriminator with both sides of its game: conditional, non-saturating."""

    def __init__(self) -> None:
        """Build the discriminator."""
        super().__init__()
        self.discriminator = PatchDiscriminator()

    def forward(self, restored: Tensor, rainy: Tensor) -> Tensor:
        """What the derainer pays for images that look made."""
        logits = self.discriminator(restored, rainy)
        return F.binary_cross_entropy_with_logits(logits, torch.ones_like(logits))

    def error(self, restored: Tensor, clean: Tensor, rainy: Tensor) -> Tensor:
        """What the discriminator pays for taking one for the other."""
        real = self.discriminator(clean, rainy)
        made = self.discriminator(restored.detach(), rainy)
        right = F.binary_cross_entropy_with_logits(real, torch.ones_like(real))
        wrong = F.binary_cross_entropy_with_logits(made, torch.zeros_like(made))
        return 0.5 * (right + wrong)
