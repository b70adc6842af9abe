"""Networks in ONNX files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from datasets.inert.graphs import UNSEEDED, drawing_in
from datasets.installed import installing
from derainers.derainer import Derainer
from derainers.errors import DerainerError
from derainers.shards import onnx_files

if TYPE_CHECKING:
    import onnxruntime

FORMATS = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(double)": np.float64}
"""Number formats of an input."""
EXPECTED = "expected float [batch, 3, height, width] or [batch, height, width, 3]"


class OnnxNetwork(nn.Module):
    """An ONNX graph run by onnxruntime, without libraries of custom operators."""

    def __init__(self, file: Path, device: str) -> None:
        """Open and check the file.

        Raises:
            DerainerError: If a package is missing, the file is damaged or needs files from
                elsewhere, or the graph does not take one image or draws random numbers.
        """
        super().__init__()
        try:
            import onnx
            import onnxruntime
        except ImportError as error:
            raise DerainerError(
                f"{file.name}: {error.name} is not installed: {installing('derain-harness[onnx]')}"
            ) from error
        self._name = file.name
        try:
            # Weights beside the model are found by its name alone; it is not told otherwise.
            model = file.read_bytes() if onnx_files(file) == [file] else str(file)
            # Also refuses external data that lies elsewhere than beside the model.
            onnx.checker.check_model(model)
            drawing = drawing_in(onnx.load(file, load_external_data=False))
            if drawing:
                raise DerainerError(f"{file.name} {UNSEEDED.format(', '.join(drawing))}")
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = options.inter_op_num_threads = 1
            options.log_severity_level = 4
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
        self._read_signature()

    def _read_signature(self) -> None:
        """How the one input wants its image."""
        inputs = self._session.get_inputs()
        if len(inputs) != 1:
            names = ", ".join(node.name for node in inputs)
            raise DerainerError(
                f"{self._name}: expected one input, found {len(inputs)} ({names}): export a "
                "network that takes the image alone"
            )
        node: onnxruntime.NodeArg = inputs[0]
        shape = [side if isinstance(side, int) and side > 0 else None for side in node.shape]
        self.is_nhwc = len(shape) == 4 and shape[3] == 3 and shape[1] != 3
        self._input, self._outputs = node.name, [o.name for o in self._session.get_outputs()]
        self._said = f"input {node.name} is {node.type} {list(node.shape)}"
        channels = shape[3 if self.is_nhwc else 1] if len(shape) == 4 else 0
        if node.type not in FORMATS or channels not in (3, None):
            raise DerainerError(f"{self._name}: {self._said}, {EXPECTED}")
        self._format = FORMATS[node.type]
        self._batch = shape[0] or 1
        height, width = shape[1:3] if self.is_nhwc else shape[2:]
        if (height is None) != (width is None):
            raise DerainerError(
                f"{self._name}: {self._said}, one side of a fixed size: export it with both "
                "dynamic, or both fixed"
            )
        self.fixed_px = None if height is None or width is None else (height, width)

    def __deepcopy__(self, memo: dict[int, Any]) -> OnnxNetwork:
        """The same: a session may serve several threads at once."""
        return self

    def forward(self, x: Tensor) -> Tensor | dict[str, Tensor]:
        """``float32 (B, 3, H, W)`` to what the graph makes of it, by name where that is several."""
        images = x.detach().cpu().numpy().astype(self._format)
        made = [self._run(image) for image in images]
        found = {}
        for name, *arrays in zip(self._outputs, *made, strict=True):
            value = np.concatenate(arrays)
            if self.is_nhwc and value.ndim == 4:
                value = np.ascontiguousarray(value.transpose(0, 3, 1, 2))
            if value.dtype.kind == "f":
                value = value.astype(np.float32)
            found[name] = torch.from_numpy(value)
        return found if len(found) > 1 else next(iter(found.values()))

    def _run(self, image: np.ndarray[Any, Any]) -> list[np.ndarray[Any, Any]]:
        """The outputs of one image."""
        shown = image.transpose(1, 2, 0) if self.is_nhwc else image
        batch = np.ascontiguousarray(np.stack([shown] * self._batch))
        try:
            made = self._session.run(None, {self._input: batch})
        except Exception as error:
            reason = " ".join(str(error).split())[:120]
            layout = "channels last (NHWC), " if self.is_nhwc else ""
            raise RuntimeError(f"{self._said}, {layout}onnxruntime: {reason}") from error
        return [np.asarray(each)[:1] if np.ndim(each) else np.asarray([each]) for each in made]


def onnx_derainer(file: Path, device: str, dtype: str) -> Derainer:
    """A derainer from an ONNX file; what its sizes must be multiples of is for `fitted` to find.

    Raises:
        DerainerError: See `OnnxNetwork`; or if the number format is not fp32.
    """
    if dtype != "fp32":
        raise DerainerError(
            f"{file.name}: an ONNX file has its own number format: use --dtype fp32"
        )
    network = OnnxNetwork(file, device)
    return Derainer(network, fixed_px=network.fixed_px)
