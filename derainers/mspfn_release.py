"""The weights that MSPFN's authors publish, from TensorFlow's checkpoint into our network.

Names and shapes are those of the graph in model/TEST_MSPFN_M17N1.py of kuijiang94/MSPFN, with the
layers of utils/layer.py and utils/BasicConvLSTMCell.py there. How its kernels become ours:

- ``conv2d`` has height, width, inputs, outputs; ours has outputs, inputs, height, width;
- ``conv2d_transpose`` of stride 1 is a convolution by the kernel turned around, and its kernel has
  height, width, outputs, inputs;
- that of stride 2 is ours but for the order of its axes;
- where the features of 1/4 and 1/2 are joined, the graph has those of 1/4 first, ours last.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

from datasets.inert import InertError, read_bundle
from derainers.errors import DerainerError
from derainers.networks.mspfn import MSPFN

SCALES = ("4", "2", "")
"""What the graph calls 1/4, 1/2 and full size."""


def load_release(network: MSPFN, index: Path) -> None:
    """Load the authors' checkpoint.

    Args:
        network: With the layers of the release: ``mspfn:layers=release``.
        index: ``epoch50.index``, its data beside it.

    Raises:
        DerainerError: If a file is absent or damaged, or is of another network.
    """
    try:
        theirs = read_bundle(index)
    except (InertError, OSError) as error:
        raise DerainerError(f"{index}: {error}") from error
    expected = network.state_dict()
    state: dict[str, Tensor] = {}
    for ours, (name, kind) in _names(len(network.fine)):
        if name not in theirs:
            raise DerainerError(
                f"{index.name} holds no {name}: it is not the checkpoint of TEST_MSPFN_M17N1.py"
            )
        state[ours] = _turned(theirs[name], kind)
        if state[ours].shape != expected[ours].shape:
            raise DerainerError(
                f"{index.name}: {name} is of shape {tuple(state[ours].shape)} here, expected "
                f"{tuple(expected[ours].shape)}: the authors' network is mspfn:layers=release"
            )
        if not torch.isfinite(state[ours]).all():
            raise DerainerError(f"{index.name}: {name} holds NaN or infinity")
    more = sorted(n for n in theirs if "RCAB2" in n)
    if more:
        raise DerainerError(
            f"{index.name} holds {more[0]}: two attention units or more, as TEST_MSPFN.py has, and "
            "the graph of M17N1 has one"
        )
    network.load_state_dict(state)


def _turned(value: Tensor, kind: str) -> Tensor:
    """A variable of the graph as ours."""
    if kind == "vector":
        return value
    if value.ndim != 4:
        raise DerainerError(f"a kernel of {value.ndim} axes, expected 4")
    if kind == "conv":
        return value.permute(3, 2, 0, 1).contiguous()
    if kind == "same":
        return value.permute(2, 3, 0, 1).flip(2, 3).contiguous()
    value = value.permute(3, 2, 0, 1).contiguous()
    return torch.cat(value.chunk(2)[::-1]) if kind == "up-swapped" else value


def _names(modules: int) -> Iterator[tuple[str, tuple[str, str]]]:
    """Each tensor of ours with the graph's variable and how that becomes ours."""
    memory = "residual_memory"
    for i, scale in enumerate(SCALES):
        yield from _conv(f"enter.{i}", f"rnn{scale or 1}")
        rain = f"{memory}/rain{scale}"
        yield from _conv(f"recurrent.{i}.enter", f"{rain}_res1")
        lstm = f"{memory}/lstm_group{scale}/convLSTM/LSTM_conv"
        yield f"recurrent.{i}.gates.weight", (f"generator/{lstm}/weights", "conv")
        yield f"recurrent.{i}.gates.bias", (f"generator/{lstm}/biases", "vector")
        yield from _conv(f"recurrent.{i}.leave", f"{rain}_res2")
        yield from _conv(f"join.{i}", f"rnn_recon{scale}")
    for i, name in enumerate(("upRMM4_2", "upRMM4_1", "upRMM2_1")):
        yield from _up(f"coarse_ups.{i}", f"{memory}/{name}")
    for n in range(modules):
        for i, scale in enumerate(SCALES):
            block, at = f"fine.{n}.blocks.{i}", f"BCM{scale}_{n}"
            down = f"generator/{at}/down{scale}_{n + 1}"
            yield f"{block}.downs.0.1.weight", (f"{down}/weight", "conv")
            yield f"{block}.downs.0.2.weight", (f"{down}/alpha", "vector")
            yield from _attention(f"{block}.attention.0", f"generator/{at}/group_{n + 1}_RCAB1")
            yield from _up(f"{block}.ups.0", f"{at}/up_{n + 1}")
        yield from _up(f"fine.{n}.quarter_up", f"BCM2_{n}/upBCM4_2_{n}")
        yield from _up(f"fine.{n}.quarter_up_twice", f"BCM_{n}/upBCM4to1_{n}")
        yield from _up(f"fine.{n}.half_up", f"BCM_{n}/upBCM2to1_{n}")
    yield from _up("quarter_up", "up4_2")
    yield from _up("half_up", "up2_1", "up-swapped")
    yield from _conv("leave.0", "rnn5")
    yield "leave.1.weight", ("generator/rnn7/weight", "same")


def _conv(ours: str, theirs: str) -> Iterator[tuple[str, tuple[str, str]]]:
    """A convolution of stride 1, written as a transposed one, and its slopes."""
    yield f"{ours}.0.weight", (f"generator/{theirs}/weight", "same")
    yield f"{ours}.1.weight", (f"generator/{theirs}/alpha", "vector")


def _up(ours: str, theirs: str, kind: str = "up") -> Iterator[tuple[str, tuple[str, str]]]:
    """A transposed convolution of stride 2 and its slopes."""
    yield f"{ours}.conv.weight", (f"generator/{theirs}/weight", kind)
    yield f"{ours}.activation.weight", (f"generator/{theirs}/alpha", "vector")


def _attention(ours: str, theirs: str) -> Iterator[tuple[str, tuple[str, str]]]:
    """Four convolutions of `tf.layers`, of which the first and the third have slopes."""
    layers = (("body.0", "body.1"), ("body.2", ""), ("scale.1", "scale.2"), ("scale.3", ""))
    for i, (conv, slopes) in enumerate(layers):
        layer = f"{theirs}/conv2d{f'_{i}' if i else ''}"
        yield f"{ours}.{conv}.weight", (f"{layer}/kernel", "conv")
        yield f"{ours}.{conv}.bias", (f"{layer}/bias", "vector")
        if slopes:
            yield f"{ours}.{slopes}.weight", (f"{layer}/alpha", "vector")
