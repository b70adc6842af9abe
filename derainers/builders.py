"""How each derainer of `derainers.rows` is built from its weights, which may be None.

A function imports its network only when it is called. Where a file holds several weights, ``key``
says which are wanted, see `derainers.checkpoint.load_weights`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from derainers.errors import DerainerError
from derainers.shards import BUNDLE

if TYPE_CHECKING:
    from torch import nn

    from derainers.restorer import Restorer


def classical(_: Path | None, name: str) -> Restorer:
    """A filter of `derainers.classical`, by its name."""
    from derainers import classical
    from derainers.restorer import Filter

    return Filter(getattr(classical, name))


def _restorer(
    network: nn.Module, weights: Path | None, key: str | None, part: str = "", /, **convention: Any
) -> Restorer:
    """A network with its weights, if there are any, and what it expects of its input."""
    from derainers.checkpoint import load_weights
    from derainers.derainer import Derainer

    said = () if weights is None else load_weights(network, weights, part, key)
    derainer = Derainer(network, **{"multiple_of": 1} | convention)
    derainer.said = said
    return derainer


def granet(weights: Path | None, key: str | None = None, **settings: Any) -> Restorer:
    """GraNet."""
    from derainers.networks.granet import GraNet

    sizes = {"multiple_of": GraNet.multiple_of, "minimum_px": GraNet.minimum_px}
    return _restorer(GraNet(**settings), weights, key, **sizes)


def prenet(weights: Path | None, recurrent: bool, shared: bool, key: str | None = None) -> Restorer:
    """PReNet, or one of its kin."""
    from derainers.networks.prenet import PReNet

    return _restorer(PReNet(recurrent, shared), weights, key)


def rescan(weights: Path | None, key: str | None = None) -> Restorer:
    """RESCAN."""
    from derainers.networks.rescan import RESCAN

    return _restorer(RESCAN(), weights, key, channels="bgr")


def nledn(weights: Path | None, key: str | None = None, **settings: Any) -> Restorer:
    """NLEDN."""
    from derainers.networks.nledn import NLEDN

    return _restorer(NLEDN(**settings), weights, key, minimum_px=NLEDN.minimum_px)


def vrgnet(weights: Path | None, key: str | None = None) -> Restorer:
    """VRGNet's generator of clean images."""
    from derainers.networks.vrgnet import VRGNet

    return _restorer(VRGNet(), weights, key, "derainet.")


def sapnet(weights: Path | None, key: str | None = None) -> Restorer:
    """SAPNet."""
    from derainers.networks.sapnet import SAPNet

    return _restorer(SAPNet(), weights, key)


def spanet(weights: Path | None, key: str | None = None) -> Restorer:
    """SPANet."""
    from derainers.networks.spanet import SPANet

    return _restorer(SPANet(), weights, key, channels="bgr")


def umrl(weights: Path | None, key: str | None = None) -> Restorer:
    """UMRL."""
    from derainers.networks.umrl import UMRL

    sizes = {"multiple_of": UMRL.multiple_of, "minimum_px": UMRL.minimum_px}
    return _restorer(UMRL(), weights, key, range=(-1.0, 1.0), **sizes)


def urie(weights: Path | None, key: str | None = None) -> Restorer:
    """URIE."""
    from derainers.networks.urie import URIE

    return _restorer(URIE(), weights, key, minimum_px=URIE.minimum_px)


def mspfn(weights: Path | None, key: str | None = None, **settings: Any) -> Restorer:
    """MSPFN, from its release's bundle too."""
    from derainers.networks.mspfn import MSPFN

    network = MSPFN(**settings)
    if weights is not None and weights.suffix == BUNDLE:
        from derainers.mspfn_release import load_release

        if key is not None:
            raise DerainerError(f"{weights.name} has no keys: leave ',key={key}' out")
        load_release(network, weights)
        weights = None
    convention = {"range": (-1.0, 1.0), "channels": "bgr", "multiple_of": network.multiple_of}
    return _restorer(network, weights, key, **convention)


def dcsfn(weights: Path | None, key: str | None = None, **settings: Any) -> Restorer:
    """DCSFN."""
    from derainers.networks.dcsfn import DCSFN

    convention = {"channels": "bgr", "minimum_px": DCSFN.minimum_px}
    return _restorer(DCSFN(**settings), weights, key, **convention)


def mscg(weights: Path | None, key: str | None = None, **settings: Any) -> Restorer:
    """MSCG."""
    from derainers.networks.mscg import MSCG

    return _restorer(MSCG(**settings), weights, key, multiple_of=MSCG.multiple_of)


def hrrsr(weights: Path | None, key: str | None = None, **settings: Any) -> Restorer:
    """HRRSR."""
    from derainers.networks.hrrsr import HRRSR

    network = HRRSR(**settings)
    return _restorer(network, weights, key, channels="bgr", multiple_of=network.multiple_of)
