"""One clean photograph through a derainer: a slip of channels or range shows at once."""

from __future__ import annotations

import copy
import importlib.resources
import itertools
import math

import torch
from torch import Tensor

from datasets.image import decode, to_tensor
from derainers.derainer import Derainer
from derainers.errors import DerainerError

RANGES = ((0.0, 1.0), (-1.0, 1.0), (0.0, 255.0))
"""Values of black and white that networks are fed with."""
MARGIN_DB = 3.0
"""By how much another convention must keep the photograph better to be named."""
FAR_DB = 20.0
"""Below this a clean photograph was not kept."""


def doubt(derainer: Derainer, name: str) -> str | None:
    """What looks wrong with how a network is fed, or None.

    A derainer leaves a photograph without rain nearly as it is, so the right channel order and
    range keep it best. The photograph is scikit-image's *coffee* (CC0), whose warm colours tell
    channels apart. With published weights of five networks the right convention is 3 to 20 dB
    ahead of each wrong one.

    Args:
        derainer: On its device; left as it is.
        name: What to call it.

    Raises:
        DerainerError: If the network fails on the photograph or returns no image.
    """
    photograph = _photograph()
    try:
        restored = derainer(photograph)
    except DerainerError as error:
        raise DerainerError(f"derainer {name}: {error}") from error
    except Exception as error:
        raise DerainerError(
            f"derainer {name} fails on a photograph of 256x256 px: {type(error).__name__}: {error}"
        ) from error
    kept_db = best_db = _psnr_db(restored, photograph)
    best = ""
    for channels, (black, white) in itertools.product(("rgb", "bgr"), RANGES):
        other = copy.copy(derainer)
        other.channels, other.range = channels, (black, white)
        if white > 1 and kept_db >= FAR_DB:
            continue  # residual networks hardly act on such large numbers and keep anything
        try:
            other_db = _psnr_db(other(photograph), photograph)
        except (DerainerError, RuntimeError):
            continue
        if other_db > best_db:
            best_db, best = other_db, f"channels={channels!r}, range=({black:g}, {white:g})"
    said = f"derainer {name}: a clean photograph comes out at {kept_db:.1f} dB"
    if best and best_db >= kept_db + MARGIN_DB and best_db >= FAR_DB:
        return f"{said}, with {best} at {best_db:.1f} dB: a slip in Derainer(...)?"
    if kept_db < FAR_DB:
        if _psnr_db(restored.flip(1), photograph) >= FAR_DB:
            return f"{said}, with red and blue exchanged near the original: is its output BGR?"
        return f"{said}: are the weights, the range and the channels right?"
    return None


def _psnr_db(restored: Tensor, photograph: Tensor) -> float:
    """PSNR over the three channels; of an enlarged image every pixel that the photograph has."""
    scale = restored.shape[2] // photograph.shape[2]
    error = float((restored[:, :, ::scale, ::scale] - photograph).square().mean())
    return -10 * math.log10(max(error, 1e-10))


def _photograph() -> Tensor:
    """``(1, 3, 256, 256)`` in [0, 1]."""
    file = importlib.resources.files("skimage") / "data" / "coffee.png"
    image = decode(file.read_bytes(), "coffee.png")
    with torch.no_grad():
        return to_tensor([image[30:286, 60:316].copy()])
