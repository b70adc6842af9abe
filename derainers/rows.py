"""Derainers by name, with what each needs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datasets.installed import Table
from derainers import builders

if TYPE_CHECKING:
    from derainers.restorer import Restorer

WEIGHTS = Path(__file__).parent / "weights"


@dataclass(frozen=True)
class DerainerRow:
    """One row of the table below."""

    build: Callable[..., Restorer]
    """Makes the derainer from its weight file or None; of the networks in `derainers.variants` also
    from arguments by name. Where it takes ``key``, a word may say under which key weights stand."""
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
    stages: tuple[str, ...] = ()
    """Intermediate outputs that can be scored, as the network's ``stages`` names them."""

    @property
    def built(self) -> list[Any]:
        """The function that builds it, and its arguments, for the keys of what it makes."""
        whole = self.build if isinstance(self.build, partial) else partial(self.build)
        return [f"{whole.func.__module__}:{whole.func.__qualname__}", whole.keywords]


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
        "identity": DerainerRow(
            partial(builders.classical, name="identity"), version=1, learned=False
        ),
        "median": DerainerRow(partial(builders.classical, name="median"), version=1, learned=False),
        "bilateral": DerainerRow(
            partial(builders.classical, name="bilateral"), version=1, learned=False
        ),
        "guided": DerainerRow(partial(builders.classical, name="guided"), version=1, learned=False),
        "granet": DerainerRow(
            builders.granet,
            version=1,
            weights=WEIGHTS / "granet.safetensors",
            stages=("coarse", "mask"),
        ),
        "granet-benchmark": DerainerRow(
            builders.granet,
            version=1,
            weights=WEIGHTS / "granet-benchmark.safetensors",
            stages=("coarse", "mask"),
        ),
        "granet-rain100l": DerainerRow(
            builders.granet,
            version=1,
            weights=WEIGHTS / "granet-rain100l.safetensors",
            stages=("coarse", "mask"),
        ),
        "prenet": DerainerRow(
            partial(builders.prenet, recurrent=True, shared=False),
            version=1,
            weights=WEIGHTS / "prenet.safetensors",
            published=PRENET,
        ),
        "prenet-benchmark": DerainerRow(
            partial(builders.prenet, recurrent=True, shared=False),
            version=1,
            weights=WEIGHTS / "prenet-benchmark.safetensors",
        ),
        "prenet-r": DerainerRow(
            partial(builders.prenet, recurrent=True, shared=True), version=1, published=PRENET
        ),
        "prn": DerainerRow(
            partial(builders.prenet, recurrent=False, shared=False), version=1, published=PRENET
        ),
        "prn-r": DerainerRow(
            partial(builders.prenet, recurrent=False, shared=True), version=1, published=PRENET
        ),
        "rescan": DerainerRow(builders.rescan, version=1, weights=WEIGHTS / "rescan.safetensors"),
        "nledn": DerainerRow(
            builders.nledn, version=1, weights=WEIGHTS / "nledn.safetensors", published=NLEDN
        ),
        "vrgnet": DerainerRow(builders.vrgnet, version=1, published=VRGNET),
        "sapnet": DerainerRow(builders.sapnet, version=1, published=SAPNET),
        "spanet": DerainerRow(builders.spanet, version=1, published=SPANET),
        "umrl": DerainerRow(builders.umrl, version=1, published=UMRL),
        "urie": DerainerRow(builders.urie, version=1, published=URIE),
        "mspfn": DerainerRow(
            builders.mspfn, version=1, weights=WEIGHTS / "mspfn-00001-of-00002.safetensors"
        ),
        "mspfn-light": DerainerRow(
            partial(builders.mspfn, **LIGHT), version=1, weights=WEIGHTS / "mspfn-light.safetensors"
        ),
        "mspfn-light-benchmark": DerainerRow(
            partial(builders.mspfn, **LIGHT),
            version=1,
            weights=WEIGHTS / "mspfn-light-benchmark.safetensors",
        ),
        "mspfn-streetsim": DerainerRow(
            partial(builders.mspfn, **LIGHT),
            version=1,
            weights=WEIGHTS / "mspfn-streetsim.safetensors",
        ),
        "dcsfn": DerainerRow(
            partial(builders.dcsfn, width=20, blocks=16, scales=4),
            version=1,
            weights=WEIGHTS / "dcsfn.safetensors",
        ),
        "dcsfn-paper": DerainerRow(
            partial(builders.dcsfn, width=32, blocks=16, scales=3), version=1
        ),
        "dcsfn-light": DerainerRow(
            partial(builders.dcsfn, width=16, blocks=4, scales=3),
            version=1,
            weights=WEIGHTS / "dcsfn-light.safetensors",
        ),
        "dcsfn-light-benchmark": DerainerRow(
            partial(builders.dcsfn, width=16, blocks=4, scales=3),
            version=1,
            weights=WEIGHTS / "dcsfn-light-benchmark.safetensors",
        ),
        "dcsfn-rain100h": DerainerRow(
            partial(builders.dcsfn, width=16, blocks=4, scales=3),
            version=1,
            weights=WEIGHTS / "dcsfn-rain100h.safetensors",
        ),
        "mscg": DerainerRow(builders.mscg, version=1, weights=WEIGHTS / "mscg.safetensors"),
        "hrrsr": DerainerRow(
            partial(builders.hrrsr, scale=2),
            version=2,
            weights=WEIGHTS / "hrrsr-00001-of-00002.safetensors",
        ),
        "hrrsr-x1": DerainerRow(
            partial(builders.hrrsr, scale=1),
            version=2,
            weights=WEIGHTS / "hrrsr-x1-00001-of-00002.safetensors",
        ),
    },
)
"""Every derainer, literally, and those of installed packages. A row more is no new work for the
others: keys hold the row that a derainer is built by, and not this file."""
