"""Networks of the pages in docs/methods: as printed, as released, and the ablations."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import nn

from derainers import DERAINERS
from derainers.networks import mspfn
from derainers.networks.dcsfn import DCSFN
from derainers.networks.granet import GraNet
from derainers.networks.hrrsr import HRRSR
from derainers.networks.mscg import MSCG, PatchDiscriminator
from derainers.networks.mspfn import MSPFN
from derainers.variants import variant_of


class Variant(NamedTuple):
    """A network that can be built."""

    network: type[nn.Module]
    settings: dict[str, Any]
    idle: tuple[str, ...] = ()
    """Parts that this variant does not use."""
    word: str = ""
    """Derainer that it is."""

    def parameters(self) -> int:
        """Trainable values in use."""
        with torch.device("meta"):  # sizes alone, no values
            named = self.network(**self.settings).named_parameters()
        return sum(p.numel() for name, p in named if not name.startswith(self.idle or ("-",)))

    def call(self) -> str:
        """What builds it, as one writes it."""
        settings = ", ".join(f"{name}={value!r}" for name, value in self.settings.items())
        without = f" without {', '.join(self.idle)}" if self.idle else ""
        return f"{self.network.__name__}({settings}){without}"


COARSER = tuple(
    f"{part}.{i}" for part in ("encoders", "joins", "decoders", "heads") for i in (1, 2)
)


def _of(word: str, *idle: str) -> Variant:
    """The network of a derainer's word."""
    variant = variant_of(word)
    usual = getattr(DERAINERS[variant.row].build, "keywords", {})
    network = NETWORKS[variant.row.partition("-")[0]]
    return Variant(network, {**usual, **variant.settings}, idle, word)


NETWORKS: dict[str, type[nn.Module]] = {
    "mspfn": MSPFN,
    "granet": GraNet,
    "dcsfn": DCSFN,
    "hrrsr": HRRSR,
    "mscg": MSCG,
}
VARIANTS: dict[str, dict[str, Variant]] = {
    "mspfn": {
        **{name: Variant(*of) for name, of in mspfn.COUNTED.items()},
        "MSPFN without FFM": _of("mspfn:m=0"),
        "MSPFN M5N1 width 64": _of("mspfn:m=5"),
        "MSPFN M6N3": _of("mspfn:m=6:n=3"),
        "MSPFN M30N1": _of("mspfn:m=30"),
        "MSPFN M17N1": _of("mspfn"),
        "MSPFN M17N2": _of("mspfn:n=2"),
        "MSPFN M13N2": _of("mspfn:m=13:n=2"),
        "MSPFN M10N3": _of("mspfn:m=10:n=3"),
        "MSPFN M8N5": _of("mspfn:m=8:n=5"),
        "MSPFN light": _of("mspfn-light"),
        "MSPFN light, the protocol": _of("mspfn-light-benchmark"),
        "MSPFN light, rendered scenes": _of("mspfn-streetsim"),
        "M17N1, hidden as released": _of("mspfn:layers=release"),
        "single scale, wide entry": Variant(mspfn.SingleScale, {"inner": None}),
        "without FFM, wide entry": Variant(MSPFN, {"modules": 0, "inner": None}),
        "M5N1, wide entry": Variant(MSPFN, {"modules": 5, "inner": None}),
    },
    "granet": {
        "GraNet": _of("granet"),
        "GraNet, the protocol": _of("granet-benchmark"),
        "GraNet, specialist": _of("granet-rain100l"),
        "GraNet coarse without RA": _of("granet:ra=no:fine=no"),
        "GraNet coarse with RA": _of("granet:fine=no"),
        "GraNet without context": _of("granet:context=no"),
    },
    "dcsfn": {
        "DCSFN": _of("dcsfn-paper"),
        "DCSFN as released": _of("dcsfn"),
        "DCSFN light": _of("dcsfn-light"),
        "DCSFN light, the protocol": _of("dcsfn-light-benchmark"),
        "DCSFN light, specialist": _of("dcsfn-rain100h"),
        "DCSFN without skip connection": _of("dcsfn-paper:skips=no"),
        "DCSFN without dense connection": _of("dcsfn-paper:dense=no"),
        "DCSFN single network": _of("dcsfn-paper:networks=1"),
        "DCSFN without inner-scale connection": _of("dcsfn-paper:inner=no"),
        **{f"DCSFN K {k}": _of(f"dcsfn-paper:scales={k}") for k in (1, 2, 4)},
        **{f"DCSFN {u.upper()}": _of(f"dcsfn-paper:unit={u}") for u in ("rnn", "lstm")},
    },
    "hrrsr": {
        "HRRSR": _of("hrrsr"),
        "HRRSR at full size": _of("hrrsr-x1"),
        "HRRSR as released": _of("hrrsr:layers=release"),
        "HRRSR Add+Mul": _of("hrrsr:operations=add+mul"),
        "HRRSR ATS+Mul": _of("hrrsr:operations=ats+mul"),
        "HRRSR ATS+Add": _of("hrrsr:operations=ats+add"),
    },
    "mscg": {
        "MSCG": _of("mscg"),
        "MSCG single scale": _of("mscg:scales=1", "downs", *COARSER),
        "MSCG at half the width": Variant(MSCG, {"widths": (32, 64, 128)}),
        "discriminator of training": Variant(PatchDiscriminator, {}),
    },
}
"""By page: ablations under the names that `reports.papers.claims` has, and what else there is."""
