"""The checkpoint of MSPFN's authors: read without TensorFlow, the same network as their graph."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from datasets.inert import InertError, read_bundle
from derainers import DERAINERS, DerainerError
from derainers.checkpoint import load_weights
from derainers.networks.mspfn import MSPFN
from derainers.shards import shards, weights_sha256
from tests.derainers.bundle import entry, write_bundle, write_table

MODULES, HIDDEN = 2, {"4": 64, "2": 128, "": 256}
Shapes = dict[str, tuple[int, ...]]


def shapes() -> Shapes:
    """The variables of TEST_MSPFN_M17N1.py with fewer modules: names and shapes of its calls."""
    found: Shapes = {}

    def kernel(scope: str, *shape: int) -> None:
        found[f"{scope}/weight"] = (3, 3, *shape)

    def deconv(scope: str, outputs: int, inputs: int) -> None:
        kernel(scope, outputs, inputs)
        found[f"{scope}/alpha"] = (outputs,)

    for scale, hidden in HIDDEN.items():
        deconv(f"rnn{scale or 1}", 64, 3)
        deconv(f"residual_memory/rain{scale}_res1", 32, 64)
        lstm = f"residual_memory/lstm_group{scale}/convLSTM/LSTM_conv"
        found[f"{lstm}/weights"] = (3, 3, 32 + hidden, 4 * hidden)
        found[f"{lstm}/biases"] = (4 * hidden,)
        deconv(f"residual_memory/rain{scale}_res2", 64, hidden)
        deconv(f"rnn_recon{scale}", 64, 128)
    for up in ("upRMM4_2", "upRMM4_1", "upRMM2_1"):
        deconv(f"residual_memory/{up}", 64, 64)
    for n in range(MODULES):
        for scale in HIDDEN:
            at = f"BCM{scale}_{n}"
            deconv(f"{at}/down{scale}_{n + 1}", 64, 64)
            deconv(f"{at}/up_{n + 1}", 64, 128)
            sizes = ((3, 64, 64, True), (3, 64, 64, False), (1, 64, 16, True), (1, 16, 64, False))
            for i, (side, inputs, outputs, has_slopes) in enumerate(sizes):
                layer = f"{at}/group_{n + 1}_RCAB1/conv2d{f'_{i}' if i else ''}"
                found[f"{layer}/kernel"] = (side, side, inputs, outputs)
                found[f"{layer}/bias"] = (outputs,)
                if has_slopes:
                    found[f"{layer}/alpha"] = (outputs,)
        for up in (f"BCM2_{n}/upBCM4_2", f"BCM_{n}/upBCM4to1", f"BCM_{n}/upBCM2to1"):
            deconv(f"{up}_{n}", 64, 64)
    deconv("up4_2", 64, 64)
    deconv("up2_1", 64, 128)
    deconv("rnn5", 32, 128)
    kernel("rnn7", 3, 32)
    return found


def graph(v: dict[str, Tensor], rainy: Tensor) -> Tensor:
    """The graph, by TensorFlow's operations, of variables without ``generator/``."""

    def prelu(scope: str, x: Tensor) -> Tensor:
        alpha = v[f"{scope}/alpha"][:, None, None]
        return x.clamp(min=0) + alpha * x.clamp(max=0)

    def transposed(scope: str, x: Tensor, stride: int = 1) -> Tensor:
        out = F.conv_transpose2d(x, v[f"{scope}/weight"].permute(3, 2, 0, 1), stride=stride)
        return out[:, :, 1:-1, 1:-1] if stride == 1 else out[:, :, :-1, :-1]

    def deconv(scope: str, x: Tensor, stride: int = 1) -> Tensor:
        return prelu(scope, transposed(scope, x, stride))

    def conv(x: Tensor, kernel: Tensor, bias: Tensor | None = None, stride: int = 1) -> Tensor:
        if kernel.shape[0] == 3:
            x = F.pad(x, (0, 1, 0, 1) if stride == 2 else (1, 1, 1, 1))
        return F.conv2d(x, kernel.permute(3, 2, 0, 1), bias, stride)

    def memory(scale: str, x: Tensor) -> Tensor:
        x = deconv(f"residual_memory/rain{scale}_res1", x)
        lstm = f"residual_memory/lstm_group{scale}/convLSTM/LSTM_conv"
        state = x.new_zeros(x.shape[0], HIDDEN[scale], *x.shape[2:])
        gates = conv(torch.cat((x, state), 1), v[f"{lstm}/weights"], v[f"{lstm}/biases"])
        i, j, f, o = gates.chunk(4, 1)
        cell = state * torch.sigmoid(f + 1) + torch.sigmoid(i) * torch.tanh(j)
        return deconv(f"residual_memory/rain{scale}_res2", torch.tanh(cell) * torch.sigmoid(o))

    def block(scale: str, n: int, x: Tensor) -> Tensor:
        at = f"BCM{scale}_{n}"
        down = f"{at}/down{scale}_{n + 1}"
        short = prelu(down, conv(x, v[f"{down}/weight"], stride=2))
        layer = f"{at}/group_{n + 1}_RCAB1/conv2d"
        f = prelu(layer, conv(short, v[f"{layer}/kernel"], v[f"{layer}/bias"]))
        f = conv(f, v[f"{layer}_1/kernel"], v[f"{layer}_1/bias"])
        y = f.mean((2, 3), keepdim=True)
        y = prelu(f"{layer}_2", conv(y, v[f"{layer}_2/kernel"], v[f"{layer}_2/bias"]))
        y = torch.sigmoid(conv(y, v[f"{layer}_3/kernel"], v[f"{layer}_3/bias"]))
        return deconv(f"{at}/up_{n + 1}", torch.cat((short, short + f * y), 1), 2)

    rain = {
        "": deconv("rnn1", rainy),
        "2": deconv("rnn2", F.avg_pool2d(rainy, 2)),
        "4": deconv("rnn4", F.avg_pool2d(rainy, 4)),
    }
    r4 = memory("4", rain["4"]) + rain["4"]
    up = deconv("residual_memory/upRMM4_2", r4, 2)
    r2 = memory("2", rain["2"] + up) + rain["2"]
    up = deconv("residual_memory/upRMM4_1", up, 2)
    r1 = memory("", rain[""] + deconv("residual_memory/upRMM2_1", r2, 2) + up) + rain[""]
    x4, x2, x1 = r4, r2, r1
    for n in range(MODULES):
        x4 = x4 + block("4", n, x4)
        up = deconv(f"BCM2_{n}/upBCM4_2_{n}", x4, 2)
        x2 = x2 + block("2", n, x2 + up)
        up = deconv(f"BCM_{n}/upBCM4to1_{n}", up, 2)
        x1 = x1 + block("", n, x1 + up + deconv(f"BCM_{n}/upBCM2to1_{n}", x2, 2))
    x4 = deconv("rnn_recon4", torch.cat((x4, r4), 1))
    x2 = deconv("rnn_recon2", torch.cat((x2, r2), 1))
    x1 = deconv("rnn_recon", torch.cat((x1, r1), 1))
    up = deconv("up2_1", torch.cat((deconv("up4_2", x4, 2), x2), 1), 2)
    return rainy - transposed("rnn7", deconv("rnn5", torch.cat((x1, up), 1)))


@pytest.fixture(scope="module")
def variables() -> dict[str, Tensor]:
    made = torch.Generator().manual_seed(0)
    return {n: torch.randn(s, generator=made) * 0.05 for n, s in shapes().items()}


@pytest.fixture(scope="module")
def index(variables: dict[str, Tensor], tmp_path_factory: pytest.TempPathFactory) -> Path:
    named = {f"generator/{name}": value for name, value in variables.items()}
    slots = {f"{name}/Adam": value for name, value in named.items()}
    return write_bundle(tmp_path_factory.mktemp("release") / "epoch50", named | slots)


def build(file: Path, **settings: Any) -> Any:
    return DERAINERS["mspfn"].build(file, **{"modules": MODULES, **settings})


def test_the_released_checkpoint_is_the_authors_graph(
    variables: dict[str, Tensor], index: Path
) -> None:
    derainer = build(index, hidden=(64, 128, 256))
    rainy = torch.rand(1, 3, 8, 16, generator=torch.Generator().manual_seed(1)) * 2 - 1
    with torch.no_grad():
        ours, theirs = derainer.module(rainy), graph(variables, rainy)
    assert (theirs - rainy).abs().max() > 1e-3
    assert (ours - theirs).abs().max() < 1e-5


def test_both_files_are_the_weights(index: Path, tmp_path: Path) -> None:
    assert [f.suffix for f in shards(index)] == [".index", ".data-00000-of-00001"]
    before = weights_sha256(index)
    for file in shards(index):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    data = shards(tmp_path / index.name)[1]
    data.write_bytes(data.read_bytes()[:-1] + b"\1")
    assert weights_sha256(tmp_path / index.name) != before


def test_what_is_no_such_checkpoint_is_one_line(index: Path, tmp_path: Path) -> None:
    with pytest.raises(DerainerError, match="the authors' network is mspfn:layers=release"):
        build(index)
    with pytest.raises(DerainerError, match=r"holds no generator/BCM4_2/.*TEST_MSPFN_M17N1"):
        build(index, modules=MODULES + 1, hidden=(64, 128, 256))
    with pytest.raises(DerainerError, match="is TensorFlow's"):
        load_weights(MSPFN(1), index)
    (tmp_path / index.name).write_bytes(index.read_bytes())
    with pytest.raises(DerainerError, match="data-00000-of-00001"):
        build(tmp_path / index.name, hidden=(64, 128, 256))


def test_a_damaged_index_is_refused(tmp_path: Path) -> None:
    """Cut anywhere, or with any byte changed, it is read as before or refused."""
    whole = {"a/weight": torch.ones(2, 3), "a/bias": torch.zeros(3)}
    index = write_bundle(tmp_path / "small", whole)
    assert {name: value.tolist() for name, value in read_bundle(index).items()} == {
        name: value.tolist() for name, value in whole.items()
    }
    table = index.read_bytes()
    for at in range(len(table)):
        for damaged in (table[:at], table[:at] + bytes([table[at] ^ 255]) + table[at + 1 :]):
            index.write_bytes(damaged)
            try:
                read_bundle(index)
            except InertError:
                continue
            assert len(damaged) == len(table)


def test_entries_that_share_their_bytes_fill_no_memory(tmp_path: Path) -> None:
    """A small file may name the same bytes again and again."""
    (tmp_path / "a.data-00000-of-00001").write_bytes(bytes(4000))
    entries = [(f"v{i:04}".encode(), entry([1000], 0, 4000)) for i in range(9)]
    with pytest.raises(InertError, match="more bytes than its data"):
        read_bundle(write_table(tmp_path / "a.index", entries))
