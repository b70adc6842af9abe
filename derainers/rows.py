"""Derainers by name, with what each needs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datasets.installed import Table
from derainers.shards import BUNDLE

if TYPE_CHECKING:
    from torch import nn

    from derainers.restorer import Restorer

WEIGHTS = Path(__file__).parent / "weights"


@dataclass(frozen=True)
class DerainerRow:
    """One row of the table below."""

    build: Callable[..., Restorer]
    """Makes the derainer from its weight file or None; of the networks in `derainers.variants` also
    from arguments by name."""
    version: int
    """Raised whenever the same weights and image give another result."""
    weights: Path | None = None
    """The weight file that comes with the package."""
    learned: bool = True
    """Whether it needs weights at all."""
    published: str | None = None
    """Where the authors publish weights that this code loads; None = nowhere."""
    origin: str | None = None
    """The installed package that adds the row, see `datasets.installed`; None = ours."""
    stand_in: str | None = None
    """The row that runs in its place as long as it has no weights."""
    stages: tuple[str, ...] = ()
    """Intermediate outputs that can be scored, as the network's ``stages`` names them."""


def _filter(weights: Path | None, name: str) -> Restorer:
    from derainers import classical
    from derainers.restorer import Filter

    return Filter(getattr(classical, name))


def _restorer(network: nn.Module, weights: Path | None, **convention: Any) -> Restorer:
    """A network with its weights, if there are any, and what it expects of its input."""
    from derainers.checkpoint import load_weights
    from derainers.derainer import Derainer

    said = () if weights is None else load_weights(network, weights)
    derainer = Derainer(network, **{"multiple_of": 1} | convention)
    derainer.said = said
    return derainer


def _granet(weights: Path | None, **settings: Any) -> Restorer:
    from derainers.networks.granet import GraNet

    sizes = {"multiple_of": GraNet.multiple_of, "minimum_px": GraNet.minimum_px}
    return _restorer(GraNet(**settings), weights, **sizes)


def _prenet(weights: Path | None, recurrent: bool, shared: bool) -> Restorer:
    from derainers.networks.prenet import PReNet

    return _restorer(PReNet(recurrent, shared), weights)


def _rescan(weights: Path | None) -> Restorer:
    from derainers.networks.rescan import RESCAN

    return _restorer(RESCAN(), weights, channels="bgr")


def _nledn(weights: Path | None, **settings: Any) -> Restorer:
    from derainers.networks.nledn import NLEDN

    return _restorer(NLEDN(**settings), weights, minimum_px=NLEDN.minimum_px)


def _vrgnet(weights: Path | None) -> Restorer:
    from derainers.checkpoint import load_weights
    from derainers.derainer import Derainer
    from derainers.networks.vrgnet import VRGNet

    network = VRGNet()
    if weights is not None:
        load_weights(network, weights, "derainet.")
    return Derainer(network)


def _sapnet(weights: Path | None) -> Restorer:
    from derainers.networks.sapnet import SAPNet

    return _restorer(SAPNet(), weights)


def _spanet(weights: Path | None) -> Restorer:
    from derainers.networks.spanet import SPANet

    return _restorer(SPANet(), weights, channels="bgr")


def _umrl(weights: Path | None) -> Restorer:
    from derainers.networks.umrl import UMRL

    sizes = {"multiple_of": UMRL.multiple_of, "minimum_px": UMRL.minimum_px}
    return _restorer(UMRL(), weights, range=(-1.0, 1.0), **sizes)


def _urie(weights: Path | None) -> Restorer:
    from derainers.networks.urie import URIE

    return _restorer(URIE(), weights, minimum_px=URIE.minimum_px)


def _mspfn(weights: Path | None, **settings: Any) -> Restorer:
    from derainers.networks.mspfn import MSPFN

    network = MSPFN(**settings)
    if weights is not None and weights.suffix == BUNDLE:
        from derainers.mspfn_release import load_release

        load_release(network, weights)
        weights = None
    convention = {"range": (-1.0, 1.0), "channels": "bgr", "multiple_of": network.multiple_of}
    return _restorer(network, weights, **convention)


def _dcsfn(weights: Path | None, **settings: Any) -> Restorer:
    from derainers.networks.dcsfn import DCSFN

    convention = {"channels": "bgr", "minimum_px": DCSFN.minimum_px}
    return _restorer(DCSFN(**settings), weights, **convention)


def _mscg(weights: Path | None, **settings: Any) -> Restorer:
    from derainers.networks.mscg import MSCG

    return _restorer(MSCG(**settings), weights, multiple_of=MSCG.multiple_of)


def _hrrsr(weights: Path | None, **settings: Any) -> Restorer:
    from derainers.networks.hrrsr import HRRSR

    network = HRRSR(**settings)
    return _restorer(network, weights, channels="bgr", multiple_of=network.multiple_of)


LIGHT: dict[str, Any] = {"modules": 5, "width": 32, "inner": 32, "hidden": (32, 32, 32), "steps": 2}
"""MSPFN* of the paper's Table 6."""
PRENET = "https://github.com/csdwren/PReNet"
NLEDN = "https://github.com/AlexHex7/NLEDN"
VRGNET = "https://github.com/hongwang01/VRGNet"
SAPNET = "https://github.com/ShenZheng2000/SAPNet-for-image-deraining"
SPANET = "https://github.com/stevewongv/SPANet"
UMRL = "https://github.com/rajeevyasarla/UMRL--using-Cycle-Spinning"
URIE = "https://github.com/taeyoungson/urie"

DERAINERS: Table[DerainerRow] = Table(
    "derainers",
    DerainerRow,
    {
        "identity": DerainerRow(partial(_filter, name="identity"), version=1, learned=False),
        "median": DerainerRow(partial(_filter, name="median"), version=1, learned=False),
        "bilateral": DerainerRow(partial(_filter, name="bilateral"), version=1, learned=False),
        "guided": DerainerRow(partial(_filter, name="guided"), version=1, learned=False),
        "granet": DerainerRow(
            _granet,
            version=1,
            weights=WEIGHTS / "granet.safetensors",
            stages=("coarse", "mask"),
        ),
        "granet-benchmark": DerainerRow(
            _granet,
            version=1,
            weights=WEIGHTS / "granet-benchmark.safetensors",
            stages=("coarse", "mask"),
        ),
        "granet-rain100l": DerainerRow(
            _granet,
            version=1,
            weights=WEIGHTS / "granet-rain100l.safetensors",
            stages=("coarse", "mask"),
        ),
        "prenet": DerainerRow(
            partial(_prenet, recurrent=True, shared=False),
            version=1,
            weights=WEIGHTS / "prenet.safetensors",
            published=PRENET,
        ),
        "prenet-r": DerainerRow(
            partial(_prenet, recurrent=True, shared=True), version=1, published=PRENET
        ),
        "prn": DerainerRow(
            partial(_prenet, recurrent=False, shared=False), version=1, published=PRENET
        ),
        "prn-r": DerainerRow(
            partial(_prenet, recurrent=False, shared=True), version=1, published=PRENET
        ),
        "rescan": DerainerRow(_rescan, version=1),
        "nledn": DerainerRow(_nledn, version=1, published=NLEDN),
        "vrgnet": DerainerRow(_vrgnet, version=1, published=VRGNET),
        "sapnet": DerainerRow(_sapnet, version=1, published=SAPNET),
        "spanet": DerainerRow(_spanet, version=1, published=SPANET),
        "umrl": DerainerRow(_umrl, version=1, published=UMRL),
        "urie": DerainerRow(_urie, version=1, published=URIE),
        "mspfn": DerainerRow(_mspfn, version=1, stand_in="mspfn-light"),
        "mspfn-light": DerainerRow(
            partial(_mspfn, **LIGHT), version=1, weights=WEIGHTS / "mspfn-light.safetensors"
        ),
        "mspfn-light-benchmark": DerainerRow(
            partial(_mspfn, **LIGHT),
            version=1,
            weights=WEIGHTS / "mspfn-light-benchmark.safetensors",
        ),
        "mspfn-streetsim": DerainerRow(
            partial(_mspfn, **LIGHT), version=1, weights=WEIGHTS / "mspfn-streetsim.safetensors"
        ),
        "dcsfn": DerainerRow(
            partial(_dcsfn, width=20, blocks=16, scales=4), version=1, stand_in="dcsfn-light"
        ),
        "dcsfn-paper": DerainerRow(
            partial(_dcsfn, width=32, blocks=16, scales=3), version=1, stand_in="dcsfn-light"
        ),
        "dcsfn-light": DerainerRow(
            partial(_dcsfn, width=16, blocks=4, scales=3),
            version=1,
            weights=WEIGHTS / "dcsfn-light.safetensors",
        ),
        "dcsfn-light-benchmark": DerainerRow(
            partial(_dcsfn, width=16, blocks=4, scales=3),
            version=1,
            weights=WEIGHTS / "dcsfn-light-benchmark.safetensors",
        ),
        "mscg": DerainerRow(_mscg, version=1, weights=WEIGHTS / "mscg.safetensors"),
        "hrrsr": DerainerRow(partial(_hrrsr, scale=2), version=2, stand_in="hrrsr-x1"),
        "hrrsr-x1": DerainerRow(
            partial(_hrrsr, scale=1),
            version=2,
            weights=WEIGHTS / "hrrsr-x1-00001-of-00002.safetensors",
        ),
    },
)
"""Every derainer, literally, and those of installed packages. A function imports its network only
when it is called."""
