"""Baselines: sizes as published, and the authors' numbers from the authors' weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from derainers import DERAINERS
from derainers.derainer import Derainer
from derainers.networks.dcsfn import DCSFN
from derainers.networks.granet import GraNet
from derainers.networks.mscg import PatchDiscriminator
from derainers.networks.mspfn import MSPFN

PARAMETERS = {
    "prenet": 168_963,
    "prenet-r": 94_979,
    "prn": 95_107,
    "prn-r": 21_123,
    "rescan": 149_823,
    "nledn": 1_005_379,
    "granet": 1_009_455,
    "granet-rain100l": 1_009_455,
    "mspfn": 13_113_024,
    "mspfn-light": 1_666_320,
    "mspfn-streetsim": 1_666_320,
    "dcsfn": 6_451_507,
    "dcsfn-paper": 12_626_359,
    "dcsfn-light": 819_463,
    "mscg": 6_141_961,
    "hrrsr": 11_780_492,
    "hrrsr-x1": 11_669_708,
}
"""Values in the authors' weight files; where none are public, by arithmetic on the layers."""

MSPFN_TABLE_3 = {
    (30, 1): 21.81,
    (17, 1): 13.35,
    (17, 2): 17.20,
    (13, 2): 13.63,
    (10, 3): 13.22,
    (8, 5): 14.56,
}
"""Millions of parameters for M modules of N units, as printed in Table 3 of MSPFN's paper."""

RAIN100L = {
    # name, file, protocol, PSNR-Y [dB], SSIM-Y, tolerance [dB]
    "prenet": ("prenet-rain100l/PReNet6.pth", "prenet", 37.48, 0.979, 0.05),
    "prenet-r": ("prenet-rain100l/PReNet6_r.pth", "prenet", 37.10, 0.977, 0.05),
    "prn": ("prenet-rain100l/PRN6.pth", "prenet", 36.99, 0.977, 0.05),
    "prn-r": ("prenet-rain100l/PRN6_r.pth", "prenet", 36.11, 0.973, 0.05),
    "nledn": ("nledn/net_Rain100L.pth", "pil-y", 36.57, 0.9747, 0.1),
}
"""What the README of PReNet and Table 1 of GraNet's paper print for Rain100L."""


def count(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameter_counts(name: str) -> None:
    built = DERAINERS[name].build(None)
    assert isinstance(built, Derainer)
    assert count(built.module) == PARAMETERS[name]


@pytest.mark.parametrize("setting", MSPFN_TABLE_3)
def test_mspfn_has_the_papers_size_within_two_percent(setting: tuple[int, int]) -> None:
    assert count(MSPFN(*setting)) / 1e6 == pytest.approx(MSPFN_TABLE_3[setting], rel=0.02)


def test_the_discriminators_size() -> None:
    assert count(PatchDiscriminator()) == 2_767_809


def test_mspfn_models_3_and_5_with_wide_entry_to_the_recurrent_units() -> None:
    """Table 2 prints 2.29 M without fine fusion and 5.60 M with five modules."""
    assert count(MSPFN(0, 1, inner=None)) == 2_293_664
    assert count(MSPFN(5, 1, inner=None)) == 5_649_344


@pytest.mark.parametrize(
    ("options", "parameters"),
    [
        ({"unit": "lstm"}, 6_496_587),
        ({"unit": "rnn"}, 6_364_627),
        ({"cross_scale": False}, 2_106_947),
        ({"scales": 3}, 4_944_307),
    ],
)
def test_dcsfn_ablations_have_their_size(options: dict[str, Any], parameters: int) -> None:
    assert count(DCSFN(**options)) == parameters


@pytest.mark.parametrize(
    "options",
    [
        *({"skips": "none"}, {"skips": "after"}, {"dense": False}, {"inner_connection": False}),
        *({"cross_scale": False}, {"unit": "lstm"}, {"unit": "rnn"}, {"scales": 1}, {"scales": 4}),
    ],
)
def test_dcsfn_ablations_are_networks_of_their_own(options: dict[str, Any]) -> None:
    torch.manual_seed(0)
    plain = DCSFN(8, 2, 3, 2)
    ablated = DCSFN(8, 2, **{"scales": 3, "convs": 2, **options})
    shared = {k: v for k, v in plain.state_dict().items() if k in ablated.state_dict()}
    fits = {k: v for k, v in shared.items() if v.shape == ablated.state_dict()[k].shape}
    ablated.load_state_dict(fits, strict=False)
    x = torch.rand(1, 3, 40, 33)
    assert ablated(x).shape == x.shape
    assert not torch.equal(ablated(x), plain(x))


@pytest.mark.parametrize(
    ("options", "parameters"),
    [
        ({"region_aware": False, "fine": "none"}, 538_819),
        ({"fine": "none"}, 563_875),
        ({"fine": "plain"}, 567_398),
    ],
)
def test_granet_ablations(options: dict[str, Any], parameters: int) -> None:
    """Table 2; without a fine stage the coarse image is the result."""
    network = GraNet(**options)
    assert count(network) == parameters
    stages = network.stages(torch.rand(1, 3, 16, 24))
    assert torch.equal(stages.restored, stages.coarse) == (options["fine"] == "none")


@pytest.mark.data
@pytest.mark.slow
@pytest.mark.parametrize("name", RAIN100L)
def test_authors_numbers_on_rain100l(name: str, data: Path, tmp_path: Path) -> None:
    """Tolerances: the images here are cropped by one pixel, the authors' are not."""
    from harness import RunSpec, run

    file, protocol, psnr_y_db, ssim_y, tolerance_db = RAIN100L[name]
    spec = RunSpec(
        dataset="pairs",
        data_root=str(data / "rain100l"),
        derainer=(f"{name}@{data / 'weights' / file}",),
        task=("none",),
        quality=("psnr_y_db", "ssim_y"),
        protocol=(protocol,),
        workspace=str(tmp_path),
    )
    records = [r for r in run(spec).records if r.derainer != "identity"]
    measured = {r.metric: r.value for r in records}
    assert {r.n for r in records} == {100}
    assert measured[f"psnr_y_db@{protocol}"] == pytest.approx(psnr_y_db, abs=tolerance_db)
    assert measured[f"ssim_y@{protocol}"] == pytest.approx(ssim_y, abs=0.001)
