"""Networks of the pages in docs/methods: as printed, as released, and the ablations."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import nn

from derainers.networks import mspfn
from derainers.networks.dcsfn import DCSFN
from derainers.networks.granet import GraNet
from derainers.networks.hrrsr import HRRSR
from derainers.networks.mscg import MSCG, PatchDiscriminator
from derainers.networks.mspfn import MSPFN


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


PAPER = {"width": 32, "scales": 3}
"""DCSFN as its paper has it, which all of its ablations are of."""
COARSER = tuple(
    f"{part}.{i}" for part in ("encoders", "joins", "decoders", "heads") for i in (1, 2)
)
LIGHT = {"modules": 5, "width": 32, "inner": 32, "hidden": (32, 32, 32), "steps": 2}
VARIANTS: dict[str, dict[str, Variant]] = {
    "mspfn": {
        **{name: Variant(*of) for name, of in mspfn.VARIANTS.items()},
        "MSPFN M17N1": Variant(MSPFN, {}, word="mspfn"),
        "MSPFN light": Variant(MSPFN, LIGHT, word="mspfn-light"),
        "MSPFN light, rendered scenes": Variant(MSPFN, LIGHT, word="mspfn-streetsim"),
        "M17N1, hidden as released": Variant(MSPFN, {"hidden": (64, 128, 256)}),
        "single scale, wide entry": Variant(mspfn.SingleScale, {"inner": None}),
        "without FFM, wide entry": Variant(MSPFN, {"modules": 0, "inner": None}),
        "M5N1, wide entry": Variant(MSPFN, {"modules": 5, "inner": None}),
    },
    "granet": {
        "GraNet": Variant(GraNet, {}, word="granet"),
        "GraNet, specialist": Variant(GraNet, {}, word="granet-rain100l"),
        "GraNet coarse without RA": Variant(GraNet, {"region_aware": False, "fine": "none"}),
        "GraNet coarse with RA": Variant(GraNet, {"fine": "none"}),
        "GraNet without context": Variant(GraNet, {"fine": "plain"}),
    },
    "dcsfn": {
        "DCSFN": Variant(DCSFN, PAPER, word="dcsfn-paper"),
        "DCSFN as released": Variant(DCSFN, {}, word="dcsfn"),
        "DCSFN light": Variant(DCSFN, {"width": 16, "blocks": 4, "scales": 3}, word="dcsfn-light"),
        "DCSFN without skip connection": Variant(DCSFN, PAPER | {"skips": "none"}),
        "DCSFN without dense connection": Variant(DCSFN, PAPER | {"dense": False}),
        "DCSFN single network": Variant(DCSFN, PAPER | {"cross_scale": False}),
        "DCSFN without inner-scale connection": Variant(DCSFN, PAPER | {"inner_connection": False}),
        **{f"DCSFN K {k}": Variant(DCSFN, PAPER | {"scales": k}) for k in (1, 2, 4)},
        **{f"DCSFN {u.upper()}": Variant(DCSFN, PAPER | {"unit": u}) for u in ("rnn", "lstm")},
    },
    "hrrsr": {
        "HRRSR": Variant(HRRSR, {}, word="hrrsr"),
        "HRRSR at full size": Variant(HRRSR, {"scale": 1}, word="hrrsr-x1"),
        "HRRSR as released": Variant(HRRSR, {"release": True}),
        "HRRSR Add+Mul": Variant(HRRSR, {"models": ("add", "mul")}),
        "HRRSR ATS+Mul": Variant(HRRSR, {"models": ("ats", "mul")}),
        "HRRSR ATS+Add": Variant(HRRSR, {"models": ("ats", "add")}),
    },
    "mscg": {
        "MSCG": Variant(MSCG, {}, word="mscg"),
        "MSCG single scale": Variant(MSCG, {"cascade": False}, ("downs", *COARSER)),
        "MSCG at half the width": Variant(MSCG, {"widths": (32, 64, 128)}),
        "discriminator of training": Variant(PatchDiscriminator, {}),
    },
}
"""By page: ablations under the names that `reports.papers.claims` has, and what else there is."""
