"""DCSFN: three sub-networks at three scales, exchanging features through gated recurrent units.

Paper: Cong Wang, Xiaoying Xing, Yutong Wu, Zhixun Su, Junyang Chen, "DCSFN: Deep Cross-Scale Fusion
Network for Single Image Rain Removal", ACM Multimedia 2020, doi:10.1145/3394171.3413820. Layers the
paper leaves open follow the authors' release (Ohraincu/DCSFN). Input and output are BGR in [0, 1];
the network predicts the rain, which is subtracted.

Choices where paper and release differ or are silent:

- width 20 with four inner scales (the release) or 32 with three (the paper's text), by argument;
- the encoder's skip enters a decoder block before the block, as in the release (equation 3 adds it
  after); block i of the decoder gets the skip of block i of the encoder;
- resizing between scales is nearest; all activations are leaky ReLUs of slope 0.2;
- an LSTM's first step gives its cell without a hyperbolic tangent, as in the release;
- two 2C -> C fusions of the release serve its LSTM alone and are built for it alone; the first unit
  of each direction has no state to come, so four of its six convolutions stay idle, kept to agree
  with the release.
"""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

State = tuple[Tensor, ...]
"""A recurrent unit's output and, for LSTM, its cell."""


def _conv(inputs: int, outputs: int, side: int = 3) -> nn.Sequential:
    """Convolution and leaky ReLU."""
    return nn.Sequential(nn.Conv2d(inputs, outputs, side, padding=side // 2), nn.LeakyReLU(0.2))


def _resized(x: Tensor, like: Tensor) -> Tensor:
    """Nearest neighbour to the size of another map; that of this size is itself."""
    if x.shape[2:] == like.shape[2:]:
        return x
    return F.interpolate(x, size=like.shape[2:], mode="nearest")


def _states(state: State, like: Tensor) -> State:
    """A unit's state at the size of another map."""
    return tuple(_resized(part, like) for part in state)


class InnerScaleBlock(nn.Module):
    """Convolutions at several poolings of one map, joined from coarse to fine, plus the input."""

    def __init__(self, width: int, scales: int, convs: int, connected: bool) -> None:
        super().__init__()
        self.scales = scales
        self.connected = connected
        self.convs = nn.ModuleList(
            nn.Sequential(*(_conv(width, width) for _ in range(convs))) for _ in range(scales)
        )
        joins = scales - 1 if connected else 0
        self.joins = nn.ModuleList(_conv(2 * width, width, 1) for _ in range(joins))
        self.merge = _conv(scales * width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, C, H, W)`` to the same shape."""
        pooled = [x if k == 0 else F.max_pool2d(x, 2**k) for k in range(self.scales)]
        maps = [self.convs[-1](pooled[-1])]
        for k in range(self.scales - 2, -1, -1):
            x_k = pooled[k]
            if self.connected:
                x_k = self.joins[k](torch.cat((x_k, _resized(maps[0], x_k)), 1))
            maps.insert(0, self.convs[k](x_k))
        merged: Tensor = self.merge(torch.cat([_resized(m, x) for m in maps], 1))
        return x + merged


class DenseChain(nn.Module):
    """Inner-scale blocks, each fed with a 1x1 fusion of all outputs so far; encoder and decoder."""

    def __init__(
        self, width: int, blocks: int, block: Callable[[], nn.Module], dense: bool
    ) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(block() for _ in range(blocks))
        fusions = blocks if dense else 0
        self.fusions = nn.ModuleList(_conv((i + 2) * width, width, 1) for i in range(fusions))

    def forward(
        self, x: Tensor, skips: list[Tensor] | None = None, skip_after: bool = False
    ) -> tuple[Tensor, list[Tensor]]:
        """The last fusion and every block's output; ``skips`` are added to the blocks' inputs."""
        outputs: list[Tensor] = []
        features = [x]
        for i, block in enumerate(self.blocks):
            if skips is None:
                out = block(x)
            else:
                out = block(x) + skips[i] if skip_after else block(x + skips[i])
            outputs.append(out)
            features.append(out)
            if self.fusions:
                joined = torch.cat(features, 1)
                x = self.fusions[i](joined)
                # Gradients then add up as wholes, not in a slice for each map of each fusion.
                features = [joined] if torch.is_grad_enabled() else features
            else:
                x = out
        return x, outputs


class RecurrentUnit(nn.Module):
    """Convolutional recurrent unit: gated (GRU), long short-term memory (LSTM) or plain (RNN)."""

    GATES = MappingProxyType({"gru": "zrn", "lstm": "ifgo", "rnn": "n"})

    def __init__(self, width: int, kind: str) -> None:
        super().__init__()
        self.kind = kind
        for name in (side + gate for side in "xh" for gate in self.GATES[kind]):
            self.add_module(name, nn.Conv2d(width, width, 3, padding=1))

    def forward(self, x: Tensor, state: State | None = None) -> State:
        """State after the features ``x``; its first map is the unit's output."""
        conv = self.get_submodule
        from_x = {gate: conv("x" + gate)(x) for gate in self.GATES[self.kind]}
        if self.kind == "gru":
            z, r, n = from_x["z"], from_x["r"], from_x["n"]
            if state is None:
                h = torch.sigmoid(z) * torch.tanh(n)
            else:
                z = torch.sigmoid(z + conv("hz")(state[0]))
                r = torch.sigmoid(r + conv("hr")(state[0]))
                n = torch.tanh(n + conv("hn")(r * state[0]))
                h = (1 - z) * state[0] + z * n
            return (F.leaky_relu(h, 0.2),)
        if state is not None:
            from_x = {gate: y + conv("h" + gate)(state[0]) for gate, y in from_x.items()}
        if self.kind == "rnn":
            return (F.leaky_relu(torch.tanh(from_x["n"]), 0.2),)
        cell = torch.sigmoid(from_x["i"]) * torch.tanh(from_x["g"])
        if state is not None:
            cell = cell + torch.sigmoid(from_x["f"]) * state[1]
        shown = cell if state is None else torch.tanh(cell)
        h = torch.sigmoid(from_x["o"]) * shown
        return F.leaky_relu(h, 0.2), cell


class DCSFN(nn.Module):
    """DCSFN; 6,451,507 parameters at the release's setting, 12,626,359 at the paper's."""

    minimum_px = 32
    """Smallest side: the coarsest pooling of the coarsest sub-network must leave a pixel."""

    def __init__(  # noqa: PLR0913 - one for each of the paper's ablations
        self,
        width: int = 20,
        blocks: int = 16,
        scales: int = 4,
        convs: int = 4,
        *,
        skips: Literal["before", "after", "none"] = "before",
        dense: bool = True,
        cross_scale: bool = True,
        inner_connection: bool = True,
        unit: Literal["gru", "lstm", "rnn"] = "gru",
    ) -> None:
        """Build the network.

        Args:
            width: C, channels of every feature map.
            blocks: L, inner-scale blocks in each encoder and decoder.
            scales: K, poolings inside a block (Table 5).
            convs: n, convolutions at each of them.
            skips: The encoder's skips enter the decoder's blocks before them, are added after them
                as equation 3 says, or are left out (Table 3).
            dense: Fuse all earlier outputs before each block, or chain the blocks (Table 3).
            cross_scale: Three sub-networks, or the one at full size (Table 3).
            inner_connection: Let coarser poolings flow into finer ones in a block (Table 4).
            unit: Kind of recurrent unit between the sub-networks (Table 6).
        """
        super().__init__()
        self.skips = skips
        networks = 3 if cross_scale else 1

        def block() -> nn.Module:
            return InnerScaleBlock(width, scales, convs, inner_connection)

        def chains() -> nn.ModuleList:
            return nn.ModuleList(DenseChain(width, blocks, block, dense) for _ in range(networks))

        self.enter = _conv(3, width)
        self.encoders = chains()
        self.decoders = chains()
        self.leave = nn.Sequential(*_conv(networks * width, 3, 1), nn.Conv2d(3, 3, 3, padding=1))
        if cross_scale:
            self.up_units = nn.ModuleList(RecurrentUnit(width, unit) for _ in range(3))
            self.down_units = nn.ModuleList(RecurrentUnit(width, unit) for _ in range(3))
            maps = 2 if unit == "lstm" else 1
            self.up_joins = nn.ModuleList(_conv(2 * width, width, 1) for _ in range(maps))
            self.down_joins = nn.ModuleList(_conv(2 * width, width, 1) for _ in range(maps))

    def forward(self, rainy: Tensor) -> Tensor:
        """Restore ``(B, 3, H, W)`` BGR in [0, 1]; sides of at least `minimum_px`."""
        features = self.enter(rainy)
        inputs = [F.max_pool2d(features, 2**i) for i in range(len(self.encoders))]
        encoded = [encoder(x) for encoder, x in zip(self.encoders, inputs, strict=True)]
        fused = [x for x, _ in encoded]
        if len(fused) > 1:
            fused = self._exchanged(*fused)
        decoded = []
        for decoder, x, (_, skips) in zip(self.decoders, fused, encoded, strict=True):
            used = None if self.skips == "none" else skips
            decoded.append(decoder(x, used, self.skips == "after")[0])
        rain: Tensor = self.leave(torch.cat([_resized(d, rainy) for d in decoded], 1))
        return rainy - rain

    def _exchanged(self, e1: Tensor, e2: Tensor, e4: Tensor) -> list[Tensor]:
        """Features of the three scales after they saw each other, from coarse to fine and back."""
        a4 = self.up_units[2](e4)
        a2 = self.up_units[1](e2, _states(a4, e2))
        a1 = self.up_units[0](e1, self._joined(self.up_joins, a2, a4, e1))
        b1 = self.down_units[0](a1[0])
        b2 = self.down_units[1](a2[0], _states(b1, e2))
        b4 = self.down_units[2](a4[0], self._joined(self.down_joins, b1, b2, e4))
        return [b1[0], b2[0], b4[0]]

    def _joined(self, joins: nn.ModuleList, first: State, second: State, like: Tensor) -> State:
        """One state out of two scales', at the size of a third."""
        both = zip(joins, _states(first, like), _states(second, like), strict=True)
        return tuple(join(torch.cat((a, b), 1)) for join, a, b in both)
