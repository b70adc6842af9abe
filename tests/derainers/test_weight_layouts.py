"""Weights as training codes write them: under any key, behind any beginning of names."""

from __future__ import annotations

import warnings
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file, save_model
from torch import Tensor, nn

from derainers import DerainerError
from derainers.checkpoint import load_weights

State = dict[str, Any]


class Ordered(OrderedDict[str, Tensor]):
    """As training codes have classes of their own for a state dict."""


class Net(nn.Module):
    def __init__(self, channels: int = 3) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.out = nn.Conv2d(4, 3, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.out(self.norm(self.conv(x)))
        return y


def state(seed: int = 1, prefix: str = "") -> State:
    torch.manual_seed(seed)
    return {prefix + name: value for name, value in Net().state_dict().items()}


def loaded(file: Path, content: Any, key: str | None = None) -> tuple[Net, tuple[str, ...]]:
    torch.save(content, file)
    network = Net()
    return network, load_weights(network, file, key=key)


def counters() -> State:
    zero = torch.zeros(1, dtype=torch.float64)
    return {"total_ops": zero, "total_params": zero, "conv.total_ops": zero}


def discriminator(prefix: str = "") -> State:
    return {f"{prefix}{k}": v for k, v in nn.Linear(3, 3).state_dict().items()}


def in_parts() -> State:
    """Each part's own state dict, as codes save networks that they build in parts."""
    network = _whole()
    return {name: part.state_dict() for name, part in network.named_children()}


def optimizer() -> State:
    return {"state": {0: {"exp_avg": torch.zeros(4, 3, 3, 3)}}, "param_groups": [{"lr": 0.1}]}


SILENT: dict[str, Callable[[], Any]] = {
    "ema_model": lambda: {"ema_model": state(), "step": 3},
    "lightning": lambda: {"state_dict": state(prefix="model."), "loops": {"a": {}}},
    "lightning and compiled": lambda: {"state_dict": state(prefix="net._orig_mod.")},
    "basicsr": lambda: {"params": state(prefix="module."), "iter": 7},
    "twice": lambda: state(prefix="module.module."),
    "compiled in parallel": lambda: state(prefix="module._orig_mod."),
    "weight": lambda: {"weight": OrderedDict(state()), "epoch": 1, "opt_g": {"state": {}}},
    "generator": lambda: {"generator_state_dict": state(), "discriminator": discriminator()},
    "netG": lambda: {"netG": state(), "netD": discriminator(), "optimizer": {"state": {0: {}}}},
    "deep": lambda: {"checkpoint": {"model": {"state_dict": state(prefix="backbone.")}}},
    "unknown key": lambda: {"my_derainer": state()},
    "loss beside": lambda: {"model_state_dict": state(), "loss": torch.tensor(1.0)},
    "numbers beside": lambda: {**state(), "epoch": 5, "name": "mine"},
    "own dict": lambda: {"state_dict": Ordered(state())},
    "whole network": lambda: {"net": _whole()},
    "old batch norm": lambda: {k: v for k, v in state().items() if "tracked" not in k},
    "in parts": lambda: {**in_parts(), "discriminator": discriminator(), "epoch": 3},
    "in parts below a key": lambda: {"model": in_parts(), "optimizer": optimizer()},
    "in a list": lambda: [state(), optimizer()],
    "in a tuple": lambda: (3, state()),
    "under a number": lambda: {0: state()},
    "in a list beside a loss": lambda: {"models": [state()], "loss": torch.tensor(1.0)},
    "mixed formats": lambda: {
        k: v.half() if "conv" in k else v.double() if v.is_floating_point() else v
        for k, v in state().items()
    },
}
TOLD: dict[str, tuple[Callable[[], Any], str]] = {
    "average": (
        lambda: {"params": state(2), "params_ema": state()},
        "params_ema was taken, not params",
    ),
    "average inside": (
        lambda: {"state_dict": {**state(2, "net."), **state(1, "net_ema.")}},
        "state_dict.net_ema was taken, not state_dict.net",
    ),
    "counters": (
        lambda: {"state_dict": {**state(), **counters()}},
        "conv.total_ops and 2 more left out, which only count",
    ),
    "loss network": (
        lambda: {"state_dict": {**state(1, "net_g."), **discriminator("vgg.")}},
        r"vgg\.bias and 1 more left out, which do not begin with net_g\.",
    ),
    "two that are known": (
        lambda: {"state_dict": state(2), "params": state()},
        "params was taken, not state_dict",
    ),
    "average by ema_pytorch": (
        lambda: {
            "model": state(2),
            "ema": {**state(2, "online_model."), **state(1, "ema_model."), "step": torch.tensor(5)},
        },
        r"ema\.ema_model was taken, not model, ema\.online_model",
    ),
    "average by torch_ema": (
        lambda: {"model": state(), "ema": {"shadow_params": list(state(2).values())}},
        r"ema\.shadow_params left out, an average without names",
    ),
    "swa": (
        lambda: {**state(1, "module."), "n_averaged": torch.tensor(3)},
        "n_averaged left out, which only count",
    ),
}


def _whole() -> nn.Module:
    network = Net()
    network.load_state_dict(state())
    return network


@pytest.mark.parametrize("name", SILENT)
def test_weights_are_found_wherever_they_stand(name: str, tmp_path: Path) -> None:
    network, said = loaded(tmp_path / "w.pth", SILENT[name]())
    for key, value in state().items():
        close = torch.allclose(network.state_dict()[key].double(), value.double(), atol=1e-2)
        assert close or "tracked" in key
    assert said == ()


@pytest.mark.parametrize("name", TOLD)
def test_what_was_chosen_or_left_out_is_told(name: str, tmp_path: Path) -> None:
    made, text = TOLD[name]
    network, said = loaded(tmp_path / "w.pth", made())
    assert torch.equal(network.conv.weight, state()["conv.weight"])
    assert len(said) == 1
    with pytest.raises(AssertionError, match=text):
        raise AssertionError(said[0])


def test_a_network_that_is_wrapped_takes_bare_weights(tmp_path: Path) -> None:
    torch.save(state(), tmp_path / "w.pth")
    for network in (nn.DataParallel(Net()), nn.Sequential(OrderedDict(net=Net()))):
        load_weights(network, tmp_path / "w.pth")
        values = list(network.state_dict().values())
        assert torch.equal(values[0], state()["conv.weight"])


def test_a_key_says_which_of_several(tmp_path: Path) -> None:
    content = {"params": state(2), "params_ema": state()}
    network, _ = loaded(tmp_path / "w.pth", content, key="params")
    assert torch.equal(network.conv.weight, state(2)["conv.weight"])
    with pytest.raises(DerainerError, match=r"under key=ema: they are under params, params_ema"):
        loaded(tmp_path / "w.pth", content, key="ema")


def test_two_that_nothing_tells_apart_are_refused(tmp_path: Path) -> None:
    for content in (
        {"netG_A": state(1), "netG_B": state(2)},
        {"state_dict": {**state(1, "student."), **state(2, "teacher.")}},
    ):
        with pytest.raises(DerainerError, match=r"several weights.*say which with ,key="):
            loaded(tmp_path / "w.pth", content)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (
            lambda: {"params": Net(6).state_dict()},
            r"w\.pth holds.*under params: the network wants conv\.weight \(4, 3, 3, 3\), the file "
            r"has conv\.weight \(4, 6, 3, 3\)",
        ),
        (
            lambda: {k.replace("conv", "conv1"): v for k, v in state().items()},
            r"wants conv\.weight \(4, 3, 3, 3\), the file has conv1\.weight \(4, 3, 3, 3\)",
        ),
        (lambda: {**state(), "extra.bias": torch.zeros(2)}, r"the file has extra\.bias \(2,\)"),
        (
            # Counters are no excuse where something else is missing.
            lambda: {k: v for k, v in {**state(), **counters()}.items() if k != "out.bias"},
            r"wants out\.bias \(3,\), the file has",
        ),
        (
            lambda: {k: v.to(torch.complex64) for k, v in state().items()},
            r"of complex numbers",
        ),
        (
            lambda: {k: v.to(torch.int8) for k, v in state().items()},
            r"has conv\.weight \(4, 3, 3, 3\) of int8: save the weights as floating-point numbers",
        ),
        (
            lambda: {"conv": in_parts()["conv"], "norm": in_parts()["norm"]},
            r"w\.pth holds.*: the network wants out\.weight \(3, 4, 3, 3\), the file has",
        ),
        (lambda: {"epoch": 3, "loss": [1.0]}, "holds no weights"),
        (lambda: [3, {"a": "b"}], r"no weights, but list: save the network's state_dict\(\) in it"),
        (lambda: {"ema": [torch.zeros(3)]}, r"no weights, but dict: save the network's state_dict"),
    ],
)
def test_weights_of_another_network_say_what_differs(
    content: Callable[[], Any], text: str, tmp_path: Path
) -> None:
    with pytest.raises(DerainerError, match=text) as caught:
        loaded(tmp_path / "w.pth", content())
    assert "\n" not in str(caught.value)


def test_one_dict_named_many_times_ends(tmp_path: Path) -> None:
    inner: State = {"a": {}}
    for _ in range(4):
        inner = {f"k{i}": inner for i in range(300)}
    with pytest.raises(DerainerError, match="holds no weights"):
        loaded(tmp_path / "w.pth", inner)


def test_a_folder_of_safetensors_stands_for_them(tmp_path: Path) -> None:
    with pytest.raises(DerainerError, match=r"holds none of the \.safetensors"):
        load_weights(Net(), tmp_path)
    first, second = dict(list(state().items())[:3]), dict(list(state().items())[3:])
    save_file(first, tmp_path / "model-00001-of-00002.safetensors")
    save_file(second, tmp_path / "model-00002-of-00002.safetensors")
    save_file(discriminator(), tmp_path / "optimizer.safetensors")
    network = Net()
    load_weights(network, tmp_path)
    assert torch.equal(network.state_dict()["out.bias"], state()["out.bias"])
    save_file(discriminator(), tmp_path / "other.safetensors")
    for file in tmp_path.glob("model*"):
        file.unlink()
    with pytest.raises(DerainerError, match=r"several \(optimizer, other\)"):
        load_weights(network, tmp_path)


class Tied(nn.Module):
    """Two layers of one weight."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 3, 1, bias=False)
        self.last = nn.Sequential(nn.Conv2d(3, 3, 1, bias=False))
        self.last[0].weight = self.first.weight


@pytest.mark.parametrize("prefix", ["", "net."])
def test_a_tensor_that_two_layers_share_is_stored_once(prefix: str, tmp_path: Path) -> None:
    torch.manual_seed(1)
    trained, network = Tied(), Tied()
    file = tmp_path / "w.safetensors"
    save_model(nn.ModuleDict({"net": trained}) if prefix else trained, str(file))
    assert load_weights(network, file) == ()
    assert torch.equal(network.first.weight, trained.first.weight)
    assert network.last[0].weight is network.first.weight
    save_file({"other": torch.zeros(3)}, file)
    with pytest.raises(DerainerError, match=r"the network wants first\.weight"):
        load_weights(network, file)


class Renaming(nn.Module):
    """Takes the names that its layers had once."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 1)
        self._register_load_state_dict_pre_hook(self._renamed)  # type: ignore[no-untyped-call]

    def _renamed(self, state: State, prefix: str, *_: Any) -> None:
        for name in ("weight", "bias"):
            state[f"{prefix}conv.{name}"] = state.pop(f"{prefix}old.{name}")


class Deaf(Renaming):
    """Takes anything, and leaves it out."""

    def _renamed(self, state: State, prefix: str, *_: Any) -> None:
        for name, value in self.conv.state_dict().items():
            state[f"conv.{name}"] = value
            state.pop(f"deaf.{name}", None)


@pytest.mark.parametrize("prefix", ["", "module.", "net."])
def test_names_that_the_network_itself_translates_are_found(prefix: str, tmp_path: Path) -> None:
    file, new = tmp_path / "w.pth", Renaming()
    shapes = {"weight": (3, 3, 1, 1), "bias": (3,)}
    weights = {f"{prefix}old.{k}": torch.full(shape, 0.5) for k, shape in shapes.items()}
    torch.save({"state_dict": weights, "optimizer": {"a": torch.ones(3)}}, file)
    load_weights(new, file)
    assert all((value == 0.5).all() for value in new.conv.parameters())
    with pytest.raises(DerainerError, match="no weights for this network under key=x: they are"):
        load_weights(new, file, key="x")


def test_weights_that_a_network_does_not_take_leave_it_as_it_was(tmp_path: Path) -> None:
    file, network = tmp_path / "w.pth", Deaf()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    for weights in (
        {"deaf.weight": torch.ones(3), "deaf.bias": torch.ones(3)},
        {"old.weight": torch.ones(3, 3, 1, 1), "old.bias": torch.ones(4)},
    ):
        torch.save(weights, file)
        with pytest.raises(DerainerError, match="holds the weights of another network than Deaf"):
            load_weights(network, file)
        assert all(torch.equal(before[k], v) for k, v in network.state_dict().items())


def test_old_weight_norms_become_new_ones(tmp_path: Path) -> None:
    file, conv = tmp_path / "w.pth", nn.Conv2d(3, 3, 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        old = nn.ModuleDict({"c": nn.utils.weight_norm(conv)})
    torch.save({"params": old.state_dict()}, file)
    network = nn.ModuleDict({"c": nn.utils.parametrizations.weight_norm(nn.Conv2d(3, 3, 1))})
    load_weights(network, file)
    x = torch.rand(1, 3, 4, 4)
    assert torch.allclose(network["c"](x), old["c"](x))
