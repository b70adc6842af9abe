"""Baselines: sizes as published, and the authors' numbers from the authors' weights."""

from __future__ import annotations

from pathlib import Path

import pytest

from derainers import DERAINERS
from derainers.derainer import Derainer
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
    "mspfn": 13_113_024,
    "mspfn-light": 1_666_320,
    "dcsfn": 6_451_507,
    "dcsfn-paper": 12_626_359,
    "dcsfn-light": 819_463,
    "mscg": 6_141_961,
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


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameter_counts(name: str) -> None:
    built = DERAINERS[name].build(None)
    assert isinstance(built, Derainer)
    assert sum(p.numel() for p in built.module.parameters()) == PARAMETERS[name]


@pytest.mark.parametrize("setting", MSPFN_TABLE_3)
def test_mspfn_has_the_papers_size_within_two_percent(setting: tuple[int, int]) -> None:
    count = sum(p.numel() for p in MSPFN(*setting).parameters())
    assert count / 1e6 == pytest.approx(MSPFN_TABLE_3[setting], rel=0.02)
    assert sum(p.numel() for p in PatchDiscriminator().parameters()) == 2_767_809


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
