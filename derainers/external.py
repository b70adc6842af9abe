"""Networks of others: what spandrel knows by its weights; ONNX files; programs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import Tensor, nn

from datasets.installed import installing
from derainers.architectures import EXTRA, has_extra
from derainers.checkpoint import likeliest, read_states
from derainers.derainer import Derainer
from derainers.errors import DerainerError
from derainers.onnx_network import OnnxNetwork, onnx_derainer
from derainers.programs import program_derainer

__all__ = [
    "OnnxNetwork",
    "onnx_derainer",
    "program_derainer",
    "spandrel_derainer",
]


def spandrel_derainer(file: Path, key: str | None = None) -> Derainer:
    """A network that spandrel recognises by its weights: NAFNet, Restormer and many more.

    It gets tensors: it would open a ``.pt`` file as TorchScript, which is code.

    Args:
        file: The weights.
        key: Under which of the file's keys they stand; None = wherever a network is recognised.

    Raises:
        DerainerError: If spandrel is missing or does not know the file.
    """
    try:
        import spandrel
    except ImportError as error:
        raise DerainerError(
            f"spandrel is not installed: {installing('derain-harness[spandrel]')}"
        ) from error
    is_extended = _with_extra()
    reason = "no network that spandrel knows"
    for state in likeliest(read_states(file), key):
        try:
            tensors = spandrel.canonicalize_state_dict(state)
            found = spandrel.ModelLoader(device="cpu").load_from_state_dict(tensors)
        except Exception as error:
            said = " ".join(str(error).split())[:200]
            # The first that it recognises and cannot load says more than the rest.
            if said and not isinstance(error, spandrel.UnsupportedModelError):
                reason = said
            continue
        return _described(found, file)
    more = (
        f" or {EXTRA} knows"
        if is_extended
        else f": Restormer, MPRNet and others are in {EXTRA}, which is not installed: "
        f"{installing('derain-harness[spandrel-extra]')} (list architectures has their licences)"
    )
    if reason.endswith("knows"):
        reason = f"no network that spandrel{more}" if is_extended else f"{reason}{more}"
    raise DerainerError(f"spandrel:{file.name}: {reason}")


def _described(found: Any, file: Path) -> Derainer:
    import spandrel

    channels = found.input_channels, found.output_channels
    if not isinstance(found, spandrel.ImageModelDescriptor) or channels != (3, 3):
        raise DerainerError(
            f"spandrel:{file.name}: {found.architecture.name} maps {channels[0]} channels to "
            f"{channels[1]}, a derainer maps 3 to 3"
        )
    # What it says of sizes is not always all: they are tried, see `derainers.fitting`.
    derainer = Derainer(Described(found), scale=found.scale)
    derainer.said = (f"{found.architecture.name}, as spandrel knows by its weights",)
    return derainer


def _with_extra() -> bool:
    """Whether the architectures of the other package are known to spandrel from now on."""
    if not has_extra():
        return False
    import spandrel_extra_arches

    spandrel_extra_arches.install(ignore_duplicates=True)
    return True


class Described(nn.Module):
    """A network with spandrel's description, which pads and picks the image itself."""

    def __init__(self, description: Any) -> None:
        super().__init__()
        self.network = description.model
        self._description = description

    def forward(self, x: Tensor) -> Tensor:
        """``(B, 3, H, W)`` to ``(B, 3, scale·H, scale·W)``."""
        restored: Tensor = self._description(x)
        return restored
