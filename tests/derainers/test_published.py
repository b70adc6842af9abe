"""Baselines: sizes as published, and the authors' numbers from the authors' weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from datasets.image import decode, round_to_bytes
from derainers import DERAINERS
from derainers.derainer import Derainer
from derainers.networks.dcsfn import DCSFN
from derainers.networks.granet import GraNet
from derainers.networks.mscg import PatchDiscriminator
from derainers.networks.mspfn import MSPFN
from derainers.networks.prenet import PReNet
from derainers.networks.spanet import Recurrence
from derainers.networks.umrl import ImageNorm
from derainers.networks.urie import URIE
from derainers.networks.vrgnet import VRGNet
from derainers.published import PUBLISHED
from harness.plan.trained_on import images, rain_families
from tasks.quality.psnr import psnr_y_db

Floats = NDArray[np.float32]

PARAMETERS = {
    "prenet": 168_963,
    "prenet-r": 94_979,
    "prn": 95_107,
    "prn-r": 21_123,
    "rescan": 149_823,
    "nledn": 1_005_379,
    "vrgnet": 170_697,
    "sapnet": 180_483,
    "spanet": 283_716,
    "umrl": 984_356,
    "urie": 671_859,
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
    "vrgnet": ("vrgnet/rain100l.pt", "prenet", 36.94, 0.975, 0.05),
}
"""What PReNet's README, Table 1 of GraNet's paper and Table 3 of VRGNet's print for Rain100L."""

CORNERS = {
    # file, channels: PSNR-Y [dB]
    ("vrgnet", "vrgnet/rain100l.pt", "rgb"): 40.61,
    ("vrgnet", "vrgnet/rain100h.pt", "rgb"): 37.90,
    ("vrgnet", "vrgnet/rain1400.pt", "rgb"): 28.92,
    ("vrgnet", "vrgnet/spa.pt", "rgb"): 30.77,
    ("sapnet", "sapnet/net_latest.pth", "rgb"): 34.88,
    ("spanet", "spanet/latest.pth", "rgb"): 32.61,
    ("spanet", "spanet/latest.pth", "bgr"): 31.95,
    ("urie", "urie/skunet.pt", "rgb"): 25.12,
}
"""The upper left 240x160 px of the first four images of Rain100L by name, whose rainy ones have
26.91 dB. SPANet's known number is that of RGB; its authors feed BGR, as the row does."""


NO_VALUES = torch.device("meta")
"""Networks of which nothing but the size is asked."""


def count(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameter_counts(name: str) -> None:
    with NO_VALUES:
        built = DERAINERS[name].build(None)
    assert isinstance(built, Derainer)
    assert count(built.module) == PARAMETERS[name]


@pytest.mark.parametrize("setting", MSPFN_TABLE_3)
def test_mspfn_has_the_papers_size_within_two_percent(setting: tuple[int, int]) -> None:
    with NO_VALUES:
        network = MSPFN(*setting)
    assert count(network) / 1e6 == pytest.approx(MSPFN_TABLE_3[setting], rel=0.02)


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
    with NO_VALUES:
        network = DCSFN(**options)
    assert count(network) == parameters


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
    own = ablated.state_dict()
    shared = {k: v for k, v in plain.state_dict().items() if k in own}
    fits = {k: v for k, v in shared.items() if v.shape == own[k].shape}
    ablated.load_state_dict(fits, strict=False)
    x = torch.rand(1, 3, 40, 33)
    with torch.no_grad():
        restored = ablated(x)
        assert restored.shape == x.shape
        assert not torch.equal(restored, plain(x))


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


@pytest.mark.data
@pytest.mark.parametrize(("name", "file", "channels"), CORNERS)
def test_known_numbers_of_named_networks(name: str, file: str, channels: str, data: Path) -> None:
    built = DERAINERS[name].build(data / "weights" / file)
    assert isinstance(built, Derainer)
    built.to("cpu").channels = channels
    values = []
    for rainy in sorted((data / "rain100l" / "input").iterdir())[:4]:
        pair = (
            decode(f.read_bytes(), f.name) for f in (rainy, data / "rain100l/target" / rainy.name)
        )
        image, clean = (each[:160, :240].copy() for each in pair)
        values.append(psnr_y_db(round_to_bytes(built.restore(image, "a")), clean))
    assert np.mean(values) == pytest.approx(CORNERS[name, file, channels], abs=0.006)


def by_the_kernel(x: Floats, weights: dict[str, Floats], biases: dict[str, Floats]) -> Floats:
    """SPANet's recurrence as its CUDA kernel has it: one loop for each pixel and direction."""
    out = np.zeros((4, *x.shape), np.float32)
    _, height, width = x.shape
    for c, h, w in np.ndindex(*x.shape):
        ways = {
            "up": [(i, w) for i in range(height - 1, h - 1, -1)],
            "right": [(h, i) for i in range(w + 1)],
            "down": [(i, w) for i in range(h + 1)],
            "left": [(h, i) for i in range(width - 1, w - 1, -1)],
        }
        for k, (name, way) in enumerate(ways.items()):
            weight, bias = float(weights[name][c]), float(biases[name][c])
            state = max(float(x[c][way[0]]), 0.0)
            for place in way[1:]:
                state = max(state * weight + bias + float(x[c][place]), 0.0)
            out[k, c, h, w] = state
    return out.reshape(-1, height, width)


def test_spanets_recurrence_is_that_of_its_kernel() -> None:
    torch.manual_seed(0)
    recurrence = Recurrence(3)
    for parameter in recurrence.parameters():
        parameter.data.normal_()
    held = {k: p.detach().numpy().ravel() for k, p in recurrence.named_parameters()}
    weights = {way: held[f"{way}_weight.weight"] for way in ("up", "right", "down", "left")}
    biases = {way: held[f"{way}_weight.bias"] for way in weights}
    x = torch.randn(1, 3, 5, 7)
    with torch.no_grad():
        ours = recurrence(x)[0].numpy()
    assert ours == pytest.approx(by_the_kernel(x[0].numpy(), weights, biases), rel=1e-5, abs=1e-6)


def test_umrl_normalises_each_image_by_itself_as_a_batch_of_one_in_training() -> None:
    torch.manual_seed(0)
    ours, theirs = ImageNorm(3), nn.BatchNorm2d(3)
    for norm in (ours, theirs):
        nn.init.constant_(norm.weight, 2.0)
        nn.init.constant_(norm.bias, 0.5)
    x = torch.rand(2, 3, 4, 5)
    alone = torch.cat([theirs.train()(image[None]) for image in x])
    assert torch.allclose(ours.eval()(x), alone, atol=1e-6)


@pytest.mark.parametrize("size", [(32, 48), (27, 45), (9, 8)])
def test_urie_adds_its_residual_at_any_size(size: tuple[int, int]) -> None:
    """With a last layer of zeros the image comes back, whatever is cut when it is halved."""
    network = URIE().eval()
    nn.init.zeros_(network.up3.weight)
    nn.init.zeros_(network.up3.bias)  # type: ignore[arg-type]
    x = torch.rand(1, 3, *size)
    with torch.no_grad():
        assert torch.allclose(network(x), x, atol=1e-6)


def test_vrgnet_is_prenet_but_for_the_last_layer() -> None:
    torch.manual_seed(0)
    plain, ours = PReNet(), VRGNet()
    ours.load_state_dict(plain.state_dict(), strict=False)
    with torch.no_grad():
        for final, other in zip(ours.convfinal.parameters(), plain.conv.parameters(), strict=True):
            final[:3] = other
    x = torch.rand(1, 3, 12, 16)
    with torch.no_grad():
        assert torch.allclose(ours(x), plain(x), atol=1e-6)


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_weights_name_a_row_and_what_they_learned_from(name: str) -> None:
    published = PUBLISHED[name]
    row = DERAINERS[published.derainer]
    assert name.startswith(published.derainer)
    assert row.published is not None
    owner = row.published.removeprefix("https://github.com")
    assert f"{owner}/" in published.url
    known = images(published.trained_on), rain_families(published.trained_on)
    assert (None in known) == (name == "umrl-jorder")
