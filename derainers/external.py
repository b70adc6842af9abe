"""Networks of others: ONNX files and what spandrel knows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from datasets.inert.graphs import files_beside
from derainers.checkpoint import read_state
from derainers.derainer import Derainer
from derainers.errors import DerainerError

if TYPE_CHECKING:
    import onnxruntime

MULTIPLES = (1, 2, 4, 8, 16, 32, 64)
"""Sizes that a network may ask its input to be a multiple of, tried in this order."""


class OnnxNetwork(nn.Module):
    """An ONNX graph run by onnxruntime, without libraries of custom operators."""

    def __init__(self, file: Path, device: str) -> None:
        """Open and check the file.

        Raises:
            DerainerError: If a package is missing, the file is damaged or needs files from
                elsewhere, or the graph does not map one image to one image.
        """
        super().__init__()
        try:
            import onnx
            import onnxruntime
        except ImportError as error:
            raise DerainerError(
                f"{file.name}: {error.name} is not installed: pip install 'derain-harness[onnx]'"
            ) from error
        self._name = file.name
        try:
            # Weights beside the model are found by its name alone; it is not told otherwise.
            model = file.read_bytes() if onnx_files(file) == [file] else str(file)
            # Also refuses external data that lies elsewhere than beside the model.
            onnx.checker.check_model(model)
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = options.inter_op_num_threads = 1
            options.log_severity_level = 3
            provider = "CUDAExecutionProvider" if device == "cuda" else "CPUExecutionProvider"
            if provider not in onnxruntime.get_available_providers():
                raise DerainerError(f"{file.name}: this onnxruntime has no CUDA: use --device cpu")
            self._session = onnxruntime.InferenceSession(model, options, [provider])
        except DerainerError:
            raise
        except Exception as error:
            # onnx and onnxruntime raise a dozen classes of their own.
            reason = " ".join(str(error).split())[:200]
            raise DerainerError(f"{file.name}: not a usable ONNX model: {reason}") from error
        self._input = self._signature()

    def _signature(self) -> str:
        """Name of the one input."""
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        for what, found in (("input", inputs), ("output", outputs)):
            if len(found) != 1:
                names = ", ".join(node.name for node in found)
                raise DerainerError(
                    f"{self._name}: expected one {what}, found {len(found)} ({names}): "
                    "export the restored image alone"
                )
        self._check(inputs[0])
        return str(inputs[0].name)

    def _check(self, node: onnxruntime.NodeArg) -> None:
        """Refuse inputs that are no float image of any size."""
        shape = list(node.shape)
        fits = len(shape) == 4 and (shape[1] == 3 or not isinstance(shape[1], int))
        if node.type != "tensor(float)" or not fits:
            raise DerainerError(
                f"{self._name}: input {node.name} is {node.type} {shape}, "
                "expected tensor(float) [batch, 3, height, width]"
            )
        if any(isinstance(side, int) for side in shape[2:]):
            raise DerainerError(
                f"{self._name}: input {node.name} has the fixed size {shape[2:]}: "
                "export it with dynamic height and width (dynamic_axes, dynamic_shapes)"
            )

    def __deepcopy__(self, memo: dict[int, Any]) -> OnnxNetwork:
        """The same: a session may serve several threads at once."""
        return self

    def forward(self, x: Tensor) -> Tensor:
        """``float32 (B, 3, H, W)`` to whatever the graph makes of it."""
        images = np.ascontiguousarray(x.detach().cpu().numpy())
        return torch.from_numpy(self._session.run(None, {self._input: images})[0])


def onnx_derainer(file: Path, device: str, dtype: str) -> Derainer:
    """A derainer from an ONNX file; what its sizes must be multiples of is found by trying.

    Raises:
        DerainerError: See `OnnxNetwork`; or if the number format is not fp32.
    """
    if dtype != "fp32":
        raise DerainerError(
            f"{file.name}: an ONNX file has its own number format: use --dtype fp32"
        )
    network = OnnxNetwork(file, device)
    for multiple in MULTIPLES:
        x = torch.zeros(1, 3, 64 + multiple, 64 + multiple)
        try:
            if network(x).shape[2:] == x.shape[2:]:
                return Derainer(network, multiple_of=multiple)
        except Exception:  # any failure means: not this size
            continue
    raise DerainerError(
        f"{file.name}: does not keep the size of images of 65 to 128 px: "
        "export a network whose output is as large as its input"
    )


def onnx_files(file: Path) -> list[Path]:
    """The model's file and those beside it that hold its weights."""
    try:
        import onnx
    except ImportError as error:
        raise DerainerError(
            f"{file.name}: onnx is not installed: pip install 'derain-harness[onnx]'"
        ) from error
    try:
        model = onnx.load_from_string(file.read_bytes())
    except Exception as error:
        raise DerainerError(f"{file.name}: not an ONNX file, or damaged") from error
    names = files_beside(model)
    if any(Path(name).name != name for name in names):
        raise DerainerError(f"{file.name}: its weights lie elsewhere: put them beside the model")
    return [file, *(file.parent / name for name in names)]


def spandrel_derainer(file: Path) -> Derainer:
    """A network that spandrel recognises by its weights (Restormer, MPRNet and many more).

    It gets tensors: it would open a ``.pt`` file as TorchScript, which is code.

    Raises:
        DerainerError: If spandrel is missing or does not know the file.
    """
    try:
        import spandrel
    except ImportError as error:
        raise DerainerError(
            "spandrel is not installed: pip install 'derain-harness[spandrel]'"
        ) from error
    try:
        tensors = spandrel.canonicalize_state_dict(read_state(file))
        found = spandrel.ModelLoader(device="cpu").load_from_state_dict(tensors)
    except DerainerError:
        raise
    except Exception as error:
        reason = " ".join(str(error).split())[:200] or "no network that spandrel knows"
        raise DerainerError(f"spandrel:{file.name}: {reason}") from error
    channels = found.input_channels, found.output_channels
    if not isinstance(found, spandrel.ImageModelDescriptor) or channels != (3, 3):
        raise DerainerError(
            f"spandrel:{file.name}: {found.architecture.name} maps {channels[0]} channels to "
            f"{channels[1]}, a derainer maps 3 to 3"
        )
    return Derainer(Described(found), scale=found.scale)


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
