"""Derainers: rainy image in, rain-free image out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from derainers.derainer import Restorer

WEIGHTS = Path(__file__).parent / "weights"


class DerainerError(ValueError):
    """A derainer that cannot be used as it is; the message names the cause and the remedy."""


@dataclass(frozen=True)
class DerainerRow:
    """One row of the table below."""

    build: Callable[[Path | None], Restorer]
    """Makes the derainer from its weight file."""
    version: int
    """Raised whenever the same weights and image give another result."""
    weights: Path | None = None
    """The weight file that comes with the package."""
    learned: bool = True
    """Whether it needs weights at all."""
    published: str | None = None
    """Where the authors publish weights that this code loads; None = nowhere."""


def _identity(weights: Path | None) -> Restorer:
    from derainers import classical, derainer

    return derainer.Filter(classical.identity)


def _median(weights: Path | None) -> Restorer:
    from derainers import classical, derainer

    return derainer.Filter(classical.median)


def _granet(weights: Path | None) -> Restorer:
    from derainers.checkpoint import load_weights
    from derainers.derainer import Derainer
    from derainers.networks.granet import GraNet

    network = GraNet()
    if weights is not None:
        load_weights(network, weights)
    return Derainer(network, multiple_of=GraNet.multiple_of, minimum_px=GraNet.minimum_px)


def _prenet(recurrent: bool, shared: bool) -> Callable[[Path | None], Restorer]:
    def build(weights: Path | None) -> Restorer:
        from derainers.checkpoint import load_weights
        from derainers.derainer import Derainer
        from derainers.networks.prenet import PReNet

        network = PReNet(recurrent, shared)
        if weights is not None:
            load_weights(network, weights)
        return Derainer(network)

    return build


def _rescan(weights: Path | None) -> Restorer:
    from derainers.checkpoint import load_weights
    from derainers.derainer import Derainer
    from derainers.networks.rescan import RESCAN

    network = RESCAN()
    if weights is not None:
        load_weights(network, weights)
    return Derainer(network, channels="bgr")


def _nledn(weights: Path | None) -> Restorer:
    from derainers.checkpoint import load_weights
    from derainers.derainer import Derainer
    from derainers.networks.nledn import NLEDN

    network = NLEDN()
    if weights is not None:
        load_weights(network, weights)
    return Derainer(network, minimum_px=NLEDN.minimum_px)


def _mspfn(light: bool) -> Callable[[Path | None], Restorer]:
    def build(weights: Path | None) -> Restorer:
        from derainers.checkpoint import load_weights
        from derainers.derainer import Derainer
        from derainers.networks.mspfn import MSPFN

        network = MSPFN(5, 1, 32, 32, (32, 32, 32), steps=2) if light else MSPFN()
        if weights is not None:
            load_weights(network, weights)
        return Derainer(network, range=(-1.0, 1.0), channels="bgr", multiple_of=network.multiple_of)

    return build


def _dcsfn(width: int, blocks: int, scales: int) -> Callable[[Path | None], Restorer]:
    def build(weights: Path | None) -> Restorer:
        from derainers.checkpoint import load_weights
        from derainers.derainer import Derainer
        from derainers.networks.dcsfn import DCSFN

        network = DCSFN(width, blocks, scales)
        if weights is not None:
            load_weights(network, weights)
        return Derainer(network, channels="bgr", minimum_px=DCSFN.minimum_px)

    return build


def _mscg(weights: Path | None) -> Restorer:
    from derainers.checkpoint import load_weights
    from derainers.derainer import Derainer
    from derainers.networks.mscg import MSCG

    network = MSCG()
    if weights is not None:
        load_weights(network, weights)
    return Derainer(network, multiple_of=MSCG.multiple_of)


PRENET = "https://github.com/csdwren/PReNet"
RESCAN = "https://github.com/XiaLiPKU/RESCAN"
NLEDN = "https://github.com/AlexHex7/NLEDN"

DERAINERS: dict[str, DerainerRow] = {
    "identity": DerainerRow(_identity, version=1, learned=False),
    "median": DerainerRow(_median, version=1, learned=False),
    "granet": DerainerRow(_granet, version=1, weights=WEIGHTS / "granet.safetensors"),
    "prenet": DerainerRow(_prenet(recurrent=True, shared=False), version=1, published=PRENET),
    "prenet-r": DerainerRow(_prenet(recurrent=True, shared=True), version=1, published=PRENET),
    "prn": DerainerRow(_prenet(recurrent=False, shared=False), version=1, published=PRENET),
    "prn-r": DerainerRow(_prenet(recurrent=False, shared=True), version=1, published=PRENET),
    "rescan": DerainerRow(_rescan, version=1, published=RESCAN),
    "nledn": DerainerRow(_nledn, version=1, published=NLEDN),
    "mspfn": DerainerRow(_mspfn(light=False), version=1),
    "mspfn-light": DerainerRow(_mspfn(light=True), version=1),
    "dcsfn": DerainerRow(_dcsfn(width=20, blocks=16, scales=4), version=1),
    "dcsfn-paper": DerainerRow(_dcsfn(width=32, blocks=16, scales=3), version=1),
    "dcsfn-light": DerainerRow(_dcsfn(width=16, blocks=4, scales=3), version=1),
    "mscg": DerainerRow(_mscg, version=1),
}
"""Every derainer, literally. A function imports its network only when it is called."""
