"""Every row of the derainer table keeps the contract."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from datasets.image import NDArrayByte, from_tensor, round_to_bytes, to_tensor
from derainers import DERAINERS
from derainers.derainer import Derainer
from derainers.restorer import Restorer

SIZES = [(33, 49), (1, 1), (7, 300)]
BIG = {"mspfn", "dcsfn", "dcsfn-paper"}
"""Slow on a CPU; each has a light form of the same design that is tested every time."""
EVERY = [pytest.param(n, marks=pytest.mark.slow) if n in BIG else n for n in DERAINERS]
LEARNED = [
    pytest.param(name, marks=pytest.mark.slow) if name in BIG else name
    for name, row in DERAINERS.items()
    if row.learned
]
NETWORKS = {repr(row.built): name for name, row in [*DERAINERS.items()][::-1] if row.learned}
"""The first row of each network, whatever weights others have."""
IDLE = {
    f"{unit}.{conv}.{kind}"
    for unit in ("up_units.2", "down_units.0")
    for conv in ("xr", "hz", "hr", "hn")
    for kind in ("weight", "bias")
}
BEFORE_NORMALISATION = {
    *(f"transmission.downs.{i}.{j}.bias" for i in range(4) for j in (0, 3)),
    *(f"attention.{i}.bias" for i in (0, 3, 6)),
}
UNUSED = {
    "spanet": {
        f"SAM1.attention_layer.conv{i}.{kind}" for i in (1, 2, 3) for kind in ("weight", "bias")
    },
    "umrl": {
        f"{part}.{kind}"
        for part in ("batchnorm1", "batchnorm20", "conf_res.conv_refin")
        for kind in ("weight", "bias")
    },
}
DEAD = {
    **dict.fromkeys(("hrrsr", "hrrsr-x1"), BEFORE_NORMALISATION),
    "granet": {f"region_blocks.{i}.phi.bias" for i in range(3)},
    **dict.fromkeys(("dcsfn", "dcsfn-paper", "dcsfn-light"), IDLE),
    "nledn": {
        "down_3.non_local.phi.0.bias",
        *(
            f"{block}.region_non_local.non_local_block.phi.0.bias"
            for block in ("up_1", "up_2", "up_3", "down_2", "down_1")
        ),
    },
    "spanet": UNUSED["spanet"],
    "umrl": {*UNUSED["umrl"], "conf_res.conv1.bias"},
    "urie": {"down1.bias"},
}
"""Weights that no gradient reaches: softmax does not change when all keys shift; the first unit of
each direction in DCSFN has no state; a batch normalisation takes away the bias before it; some of
the authors' files hold weights that their networks do not use."""


def noise(height: int, width: int) -> NDArrayByte:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


@pytest.fixture(params=EVERY, scope="module")
def restorer(request: pytest.FixtureRequest) -> Restorer:
    """The derainer with its own weights."""
    row = DERAINERS[request.param]
    built = row.build(row.weights)
    return built.to("cpu") if isinstance(built, Derainer) else built


@pytest.mark.parametrize("size", SIZES)
def test_any_size_in_range_and_repeatable(restorer: Restorer, size: tuple[int, int]) -> None:
    image = noise(*size)
    before = image.copy()
    restored = restorer.restore(image, "a")
    assert restored.shape == image.shape
    assert restored.dtype == np.float32
    assert 0 <= restored.min() <= restored.max() <= 1
    assert np.array_equal(restored, restorer.restore(image, "a"))
    assert np.array_equal(image, before)


def test_identity_gives_the_same_bytes() -> None:
    restorer = DERAINERS["identity"].build(None)
    assert np.array_equal(round_to_bytes(restorer.restore(noise(9, 9), "a")), noise(9, 9))


@pytest.mark.parametrize("name", LEARNED)
def test_a_batch_is_a_loop_of_singles(name: str, device: str) -> None:
    derainer = DERAINERS[name].build(DERAINERS[name].weights)
    assert isinstance(derainer, Derainer)
    derainer.to(device)
    images = [noise(33, 40), noise(33, 40)[::-1].copy()]
    together = from_tensor(derainer(to_tensor(images)))
    for image, restored in zip(images, together, strict=True):
        assert np.abs(derainer.restore(image, "a") - restored).max() < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS.values())
def test_gradient_reaches_every_weight(name: str) -> None:
    """From some start: a unit that is cut off by chance, behind a ReLU, is not by another."""
    dead = unreached(name, 0)
    for seed in range(1, 6):
        if dead != DEAD.get(name, set()):
            dead &= unreached(name, seed)
    assert dead == DEAD.get(name, set())


def unreached(name: str, seed: int) -> set[str]:
    """Names of the weights that no gradient reaches, from a random start."""
    torch.manual_seed(seed)
    built = DERAINERS[name].build(None)
    assert isinstance(built, Derainer)
    module = built.module.double().train()  # what is zero in theory is then far below the rest
    for part in module.modules():
        if isinstance(part, torch.nn.Dropout2d):
            part.eval()
    for parameter in module.parameters():
        parameter.data += 0.02 * torch.randn_like(parameter)  # some start at zero and block others
    module(torch.rand(2, 3, 64, 64).double()).square().mean().backward()
    sizes = {k: 0.0 if p.grad is None else p.grad.abs().max() for k, p in module.named_parameters()}
    largest = max(sizes.values())
    return {k for k, size in sizes.items() if size < 1e-11 * largest}


@pytest.mark.parametrize("name", LEARNED)
def test_state_dict_goes_round(name: str) -> None:
    built = DERAINERS[name].build(None)
    assert isinstance(built, Derainer)
    twin = copy.deepcopy(built.module)
    for parameter in twin.parameters():
        parameter.data.zero_()
    twin.load_state_dict(built.module.state_dict(), strict=True)
    x = torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        assert torch.equal(built.module.eval()(x), twin.eval()(x))
