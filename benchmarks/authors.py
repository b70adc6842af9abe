r"""How far networks of others, as they are built here, are from their authors' own code, on a CPU.

CLONES holds the authors' repositories as git clones them; their weights lie in them. What their
files import must be installed.

    for r in hongwang01/VRGNet ShenZheng2000/SAPNet-for-image-deraining stevewongv/SPANet \
        rajeevyasarla/UMRL--using-Cycle-Spinning taeyoungson/urie; do
        git -C CLONES clone https://github.com/$r; done
    python benchmarks/authors.py CLONES

Prints, for each weight file, the largest difference of any value of the output on noise of two
sizes. SPANet's recurrence exists in CUDA alone: the loops of its kernel are here in NumPy. This
runs the authors' code.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from derainers import DERAINERS
from derainers.checkpoint import load_weights
from derainers.published import PUBLISHED
from reports.tables.text import grid

SIZES_PX = ((96, 128), (107, 161))
"""Height and width; of UMRL, which halves four times, the multiples of 16 below."""


def file_of(clone: Path, name: str) -> ModuleType:
    """A module of the authors by its path in their repository."""
    spec = importlib.util.spec_from_file_location(Path(name).stem, clone / name)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def vrgnet(clone: Path) -> tuple[nn.Module, Callable[..., Tensor]]:
    """The mean of the two that it returns."""
    return file_of(clone, "for_syn/prenet.py").PReNet(6), lambda net, x: net(x)[0]


def sapnet(clone: Path) -> tuple[nn.Module, Callable[..., Tensor]]:
    """The image of the last stage."""
    return file_of(clone, "Modeling/network.py").SAPNet(), lambda net, x: net(x)[0]


def spanet(clone: Path) -> tuple[nn.Module, Callable[..., Tensor]]:
    """Their layers around the loops of their kernel."""
    stand_in = ModuleType("irnn")
    stand_in.irnn = lambda: kernel  # type: ignore[attr-defined]
    sys.modules["irnn"] = stand_in
    return file_of(clone, "SPANet.py").SPANet(), lambda net, x: net(x)[1]


def kernel(x: Tensor, *weights_and_biases: Tensor) -> tuple[Tensor, ...]:
    """``IRNN_Forward_cuda.cu``: up, right, down and left, four weights and four biases."""
    channels = x.shape[1]
    flat = [each.numpy().reshape(1, channels, 1) for each in weights_and_biases]
    ways = ((2, -1), (3, 1), (2, 1), (3, -1))
    found = []
    for (axis, step), weight, bias in zip(ways, flat[:4], flat[4:], strict=True):
        lines = np.moveaxis(x.numpy(), axis, 0)[::step]
        states = [np.maximum(lines[0], np.float32(0))]
        for line in lines[1:]:
            states.append(np.maximum(states[-1] * weight + bias + line, np.float32(0)))
        found.append(torch.from_numpy(np.moveaxis(np.stack(states)[::step], 0, axis).copy()))
    return tuple(found)


def umrl(clone: Path) -> tuple[nn.Module, Callable[..., Tensor]]:
    """In training mode, one image at a time, as their ``umrl_test.py`` runs it."""

    def call(net: nn.Module, x: Tensor) -> Tensor:
        half, quarter = (F.interpolate(x, scale_factor=scale) for scale in (0.5, 0.25))
        restored: Tensor = net.train()(x, half, quarter)[1]
        return restored

    return file_of(clone, "models/derain_mulcmp.py").UMRL(), call


def urie(clone: Path) -> tuple[nn.Module, Callable[..., Tensor]]:
    """Between ImageNet's normalisation and its inverse."""
    sys.path.insert(0, str(clone))
    mean = torch.tensor((0.485, 0.456, 0.406)).view(3, 1, 1)
    spread = torch.tensor((0.229, 0.224, 0.225)).view(3, 1, 1)
    network = importlib.import_module("models.skunet_model").SKUNet()
    return network, lambda net, x: net((x - mean) / spread)[0] * spread + mean


THEIRS = {f.__name__: f for f in (vrgnet, sapnet, spanet, umrl, urie)}


def difference(name: str, clones: Path) -> list[float]:
    """The largest difference on noise of each size."""
    published = PUBLISHED[name]
    _, _, repository, _, *inside = urlsplit(published.url).path.split("/")
    clone = clones / repository
    weights = clone.joinpath(*inside)
    ours: Any = DERAINERS[published.derainer].build(weights)
    theirs, call = THEIRS[published.derainer](clone)
    load_weights(theirs, weights, "derainet." if published.derainer == "vrgnet" else "")
    network, found = ours.module.eval(), []
    step = 16 if published.derainer == "umrl" else 1
    for size in SIZES_PX:
        sides = [side // step * step for side in size]
        noise = torch.rand(1, 3, *sides, generator=torch.Generator().manual_seed(0))
        low, high = ours.range
        x = low + noise * (high - low)
        with torch.no_grad():
            found.append(float((call(theirs.eval(), x) - network(x)).abs().max()))
    return found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("clones", type=Path)
    clones = parser.parse_args().clones
    torch.set_num_threads(1)
    setattr(torch.Tensor, "cuda", Tensor.cpu)  # noqa: B010  (their code asks for a GPU)
    names = [name for name, file in PUBLISHED.items() if file.derainer in THEIRS]
    rows = [[name, *(f"{d:.1g}" for d in difference(name, clones))] for name in names]
    print("\n".join(grid(["weights", *(f"{w}x{h} px" for h, w in SIZES_PX)], rows)))


if __name__ == "__main__":
    main()
