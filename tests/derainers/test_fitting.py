"""Networks that are picky: about sizes, and about which of their outputs is the image."""

from __future__ import annotations

import operator
from collections import OrderedDict
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from derainers import DerainerError
from derainers.derainer import Derainer
from derainers.fitting import fitted
from harness.machine.log import own_line

RNG = np.random.default_rng(0)
IMAGE = RNG.integers(0, 256, (107, 161, 3), np.uint8)


class Multiple(nn.Module):
    """Takes sides that are multiples of something, and of some least size."""

    def __init__(self, multiple: int, least_px: int = 1) -> None:
        super().__init__()
        self.multiple, self.least_px = multiple, least_px
        self.shown: list[tuple[int, int]] = []

    def forward(self, x: Tensor) -> Tensor:
        self.shown.append((x.shape[2], x.shape[3]))
        if any(side % self.multiple or side < self.least_px for side in x.shape[2:]):
            raise RuntimeError(f"The size of tensor a ({x.shape[2]}) must match\nthe size of b")
        return x


class Cropping(nn.Module):
    """Gives back less than it got, without an error."""

    def forward(self, x: Tensor) -> Tensor:
        return x[:, :, : x.shape[2] // 8 * 8, : x.shape[3] // 8 * 8]


class Returning(nn.Module):
    def __init__(self, made: Any) -> None:
        super().__init__()
        self.made = made

    def forward(self, x: Tensor) -> Any:
        return self.made(x)


@pytest.mark.parametrize("multiple", [1, 2, 8, 12, 24, 28, 64, 128])
def test_multiples_are_found_by_trying(multiple: int) -> None:
    network = Multiple(multiple)
    derainer = fitted(Derainer(network).to("cpu"), "it")
    assert derainer.multiple_of == multiple
    assert network.shown == []  # what it keeps of a forward is not touched
    assert np.array_equal(np.rint(derainer.restore(IMAGE, "") * 255), IMAGE)
    assert (derainer.said == ()) == (multiple == 1)


def test_a_network_that_crops_is_padded() -> None:
    assert fitted(Derainer(Cropping()).to("cpu"), "it").multiple_of == 8


def test_a_least_size_is_no_multiple() -> None:
    for multiple in (1, 4):
        derainer = fitted(Derainer(Multiple(multiple, 150)).to("cpu"), "it")
        assert derainer.multiple_of == multiple
        assert 150 <= derainer.minimum_px < 230
        small = IMAGE[:64, :64]
        assert np.array_equal(np.rint(derainer.restore(small, "") * 255), small)


class Raising(nn.Module):
    """Fails whatever it is shown."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error, self.calls = error, [0]

    def forward(self, x: Tensor) -> Tensor:
        self.calls[0] += 1
        raise self.error

    def __deepcopy__(self, memo: dict[int, Any]) -> Raising:
        return self


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        (RuntimeError("Found no NVIDIA driver on your system"), "without cuda(), or give --device"),
        (
            AssertionError("Torch not compiled with CUDA enabled"),
            "without cuda(), or give --device",
        ),
        (RuntimeError("Expected all tensors to be on the same device, but"), "device=x.device and"),
        (RuntimeError("mat1 and mat2 must have the same dtype, but got"), "dtype=x.dtype"),
    ],
)
def test_what_no_size_would_mend_is_told_at_once(error: Exception, remedy: str) -> None:
    network = Raising(error)
    with pytest.raises(DerainerError) as caught:
        fitted(Derainer(network).to("cpu"), "it")
    assert remedy in str(caught.value)
    assert "multiple_of" not in str(caught.value)
    assert network.calls == [1]


def test_torch_says_these_words() -> None:
    for module in (
        nn.Conv2d(1, 1, 3),
        Returning(lambda x: x.flatten(2) @ x.flatten(2).double().mT),
    ):
        with pytest.raises(DerainerError, match=r"takes another number of|mixes devices or number"):
            fitted(Derainer(module).to("cpu"), "it")


def test_other_sizes_are_named_in_one_line() -> None:
    text = r"derainer it fails on an image of 71x67 px \(RuntimeError: The size.*multiple_of=N"
    with pytest.raises(DerainerError, match=text) as caught:
        fitted(Derainer(Multiple(9)).to("cpu"), "it")
    assert "\n" not in str(caught.value)
    assert fitted(Derainer(Multiple(9), multiple_of=9).to("cpu"), "it").multiple_of == 9


def test_an_error_that_is_always_the_same_is_told_once() -> None:
    def fails(x: Tensor) -> Tensor:
        if any(side % 36 for side in x.shape[2:]):
            raise ValueError("bad size")
        return x

    text = (
        r"71x67 px \(ValueError: bad size\), and so on every other that was tried: if it "
        r"takes others, give multiple_of=N, or Derainer\(network, fixed_px=.* in its code$"
    )
    with pytest.raises(DerainerError, match=text):
        fitted(Derainer(Returning(fails)).to("cpu"), "it")
    assert fitted(Derainer(Returning(fails), multiple_of=36).to("cpu"), "it").multiple_of == 36


def test_a_network_that_takes_small_images_alone_is_told_what_to_do() -> None:
    place = torch.zeros(1, 3, 128, 128)

    def placed(x: Tensor) -> Tensor:
        return x + place[:, :, : x.shape[2], : x.shape[3]]

    derainer = fitted(Derainer(Returning(placed)).to("cpu"), "it")
    text = r"^fails on 161x107 px \(The size of tensor a \(161\) .*: .* --tile-px N, or .*fixed_px="
    with pytest.raises(DerainerError, match=text) as caught:
        derainer.restore(IMAGE, "")
    assert own_line(caught.value).startswith(" (test_fitting.py:")
    derainer = fitted(Derainer(Returning(placed), fixed_px=(128, 128)).to("cpu"), "it")
    assert np.abs(derainer.restore(IMAGE, "") * 255 - IMAGE).max() < 1e-3


class Adapting(nn.Module):
    """Fits its gain to each image before it answers."""

    def __init__(self, is_told: bool, leaf: str = "gain") -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(1.0))
        self.is_told, self.leaf = is_told, leaf

    def forward(self, x: Tensor) -> Tensor:
        if not self.is_told:
            with torch.enable_grad():
                return self.adapted(x)
        with torch.inference_mode(False), torch.enable_grad():
            return self.adapted(x.clone())

    def adapted(self, x: Tensor) -> Tensor:
        gain = self.gain.detach().clone().requires_grad_()
        leaf = gain if self.leaf == "gain" else x.requires_grad_()
        (slope,) = torch.autograd.grad(((x * gain).mean() - 0.25) ** 2, leaf)
        return (x * (gain - slope.mean())).detach()


@pytest.mark.parametrize("leaf", ["gain", "image"])
def test_a_network_that_needs_gradients_is_told_how_to_have_them(leaf: str) -> None:
    text = r"^derainer it: the network needs gradients .* x\.clone\(\) inside `with"
    with pytest.raises(DerainerError, match=text):
        fitted(Derainer(Adapting(False, leaf)).to("cpu"), "it")
    with pytest.raises(DerainerError, match=text.replace("derainer it: ", "")):
        Derainer(Adapting(False, leaf)).to("cpu").restore(IMAGE, "")
    derainer = fitted(Derainer(Adapting(True, leaf)).to("cpu"), "it")
    assert derainer.restore(IMAGE, "").shape == IMAGE.shape


def test_what_no_size_mends_is_told_at_once() -> None:
    network = Returning(lambda x: x.no_such_thing)
    with pytest.raises(DerainerError, match=r"derainer it fails.*AttributeError"):
        fitted(Derainer(network).to("cpu"), "it")


@pytest.mark.parametrize(
    ("made", "shape"),
    [
        (lambda x: x[:, :1], r"\(1, 1, 67, 71\)"),
        (lambda x: x.permute(0, 2, 3, 1), r"\(1, 67, 71, 3\)"),
        (lambda x: x[0], r"\(3, 67, 71\)"),
        (lambda x: [x[0], x[:, :1]], r"0 \(3, 67, 71\), 1 \(1, 1, 67, 71\)"),
    ],
)
def test_another_kind_of_output_is_no_question_of_sizes(made: Any, shape: str) -> None:
    text = rf"^derainer it: the network .*{shape}((?!multiple|fails).)*$"
    with pytest.raises(DerainerError, match=text):
        fitted(Derainer(Returning(made)).to("cpu"), "it")


class Pair(NamedTuple):
    image: Tensor
    mask: Tensor


@pytest.mark.parametrize(
    ("made", "output"),
    [
        (lambda x: [x[:, :, ::4, ::4], x[:, :, ::2, ::2], x], "2"),
        (lambda x: (x, x[:, :1]), "0"),
        (lambda x: {"rain": x[:, :1], "pred": x}, "pred"),
        (lambda x: OrderedDict(a=1, sample=x), "sample"),
        (lambda x: Pair(x, x[:, :1]), "0"),
        (lambda x: [{"image": x}, x[:, :1]], "0.image"),
        (lambda x: [x], "0"),
    ],
)
def test_the_only_image_of_the_size_is_taken_and_said(made: Any, output: str) -> None:
    derainer = fitted(Derainer(Returning(made)).to("cpu"), "it")
    assert derainer.output == output
    assert derainer.said == (f"output {output} is taken, the only one of the input's size",)
    assert derainer.restore(IMAGE, "").shape == IMAGE.shape


@pytest.mark.parametrize(
    ("made", "text"),
    [
        (lambda x: [x, x / 2, x / 4], r"returns 3 images of the input's size \(0, 1, 2\).*output="),
        (lambda x: {"pred": x, "rain": x}, r"\(pred, rain\): say which with output=pred"),
        (lambda x: (x[:, :1], x[:, :, :5]), r"none of shape.*but 0 \(1, 1, 67, 71\), 1 "),
        (lambda x: {}, "returned dict, not a tensor"),
        (lambda x: None, "returned NoneType, not a tensor"),
    ],
)
def test_where_several_or_none_could_be_meant_it_is_refused(made: Any, text: str) -> None:
    with pytest.raises(DerainerError, match=text):
        fitted(Derainer(Returning(made)).to("cpu"), "it")


def test_output_says_which() -> None:
    network = Returning(lambda x: [x, x * 0])
    outputs: list[Any] = [0, "0", operator.itemgetter(0)]
    for output in outputs:
        derainer = fitted(Derainer(network, output=output).to("cpu"), "it")
        assert np.array_equal(np.rint(derainer.restore(IMAGE, "") * 255), IMAGE)
    with pytest.raises(DerainerError, match=r"no output=7: it returns 0 \(1, 3"):
        fitted(Derainer(network, output=7).to("cpu"), "it")
    with pytest.raises(DerainerError, match="one tensor: leave output=0 out"):
        fitted(Derainer(nn.Identity(), output=0).to("cpu"), "it")


class Parameters(nn.Module):
    """Of every rank, some complex, in several number formats."""

    def __init__(self) -> None:
        super().__init__()
        for rank in range(7):
            self.register_parameter(f"p{rank}", nn.Parameter(torch.ones((1,) * rank)))
        self.half_ = nn.Parameter(torch.ones(3, 3, 1, 1, dtype=torch.float16))
        self.double_ = nn.Parameter(torch.ones(1, dtype=torch.float64))
        self.register_buffer("turn", torch.ones(1, 3, 1, 1, dtype=torch.complex64) * 1j)
        self.register_buffer("count", torch.tensor(2))

    turn: Tensor

    def forward(self, x: Tensor) -> Tensor:
        turned: Tensor = (x * self.turn * self.turn).real * -1
        y = turned + 0 * nn.functional.conv2d(x, self.half_) + 0 * self.double_
        return y * self.get_parameter("p5").reshape(1) * self.get_parameter("p6").reshape(1)


@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
def test_parameters_of_any_rank_and_format(dtype: str) -> None:
    derainer = fitted(Derainer(Parameters()).to("cpu", dtype), "it")
    assert np.abs(derainer.restore(IMAGE, "") * 255 - IMAGE).max() < (
        1e-3 if dtype == "fp32" else 2
    )


def test_a_fixed_size_becomes_blended_tiles() -> None:
    class Fixed(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            assert x.shape[2:] == (64, 48)
            return x

    derainer = fitted(Derainer(Fixed(), fixed_px=(64, 48)).to("cpu"), "it")
    assert derainer.said == ("takes 48x64 px alone: works in tiles of that size, blended",)
    for image in (IMAGE, IMAGE[:64, :48], IMAGE[:20, :30], IMAGE[:200, :49]):
        made = derainer.measured(image, "")
        assert np.abs(made.image * 255 - image).max() < 1e-3
        assert made.tile_px == 48


class Placed(nn.Module):
    """Adds a parameter of one size."""

    def __init__(self, *size_px: int) -> None:
        super().__init__()
        self.place = nn.Parameter(torch.zeros(1, 3, *size_px))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.place


@pytest.mark.parametrize("side", [64, 128, 224, 256, 512])
@pytest.mark.parametrize("is_traced", [False, True])
def test_one_square_size_is_found_by_trying(side: int, is_traced: bool) -> None:
    network: nn.Module = Placed(side, side)
    if is_traced:
        network = torch.jit.trace(network, torch.rand(1, 3, side, side))
    derainer = fitted(Derainer(network).to("cpu"), "it")
    assert derainer.fixed_px == (side, side)
    assert derainer.said == (f"takes {side}x{side} px alone: works in tiles of that size, blended",)
    assert np.abs(derainer.restore(IMAGE, "") * 255 - IMAGE).max() < 1e-3
    assert fitted(Derainer(Placed(9, 9), fixed_px=(9, 9)).to("cpu"), "it").fixed_px == (9, 9)


def test_another_fixed_size_is_told_where_to_say_it() -> None:
    text = r"and on squares: .*, or Derainer\(network, fixed_px=\(HEIGHT, WIDTH\)\) in its code$"
    with pytest.raises(DerainerError, match=text):
        fitted(Derainer(Placed(90, 120)).to("cpu"), "it")


def test_a_network_that_wants_numbers_in_order_gets_them() -> None:
    class Viewing(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 3, 3, padding=1)

        def forward(self, x: Tensor) -> Tensor:
            y: Tensor = self.conv(x)
            return y.view(x.shape[0], -1).view(x.shape)

    network = Viewing()
    expected = network(torch.from_numpy(IMAGE).permute(2, 0, 1)[None] / 255).clamp(0, 1)
    derainer = fitted(Derainer(network).to("cpu"), "it")
    made = torch.from_numpy(derainer.restore(IMAGE, "")).permute(2, 0, 1)[None]
    assert torch.allclose(made, expected, atol=1e-5)
    assert derainer.multiple_of == 1
