"""Exported networks that can be called: ONNX files, and TorchScript, which is code."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from datasets.image import NDArrayFloat
from datasets.inert.graphs import UNSEEDED, drawing_in, files_beside
from datasets.installed import installing
from tasks.models.card import names_by_number
from tasks.task import TaskError

NUMBERS = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(uint8)": np.uint8,
}
"""Number formats of pictures by onnxruntime's names."""


@dataclass(frozen=True)
class Said:
    """What a file says about its network, as ultralytics' exports do; None = nothing of it."""

    names: list[str] | None = None
    imgsz: tuple[int, int] | None = None
    stride: int = 32
    is_dynamic: bool | None = None
    is_suppressed: bool | None = None
    """Whether the boxes that it gives overlap no more."""
    head: str = ""
    is_ultralytics: bool = False


class Runtime(Protocol):
    """An exported network."""

    said: Said
    fixed_px: tuple[int, int] | None
    """Height and width of the one size that it takes; None = any."""
    is_raw: bool
    """Whether it takes bytes, 0 to 255, as they are."""
    tells_size: bool
    """Whether it is told the picture's own size, and answers in its pixels."""

    def __call__(self, batch: NDArrayFloat, size_px: tuple[int, int]) -> list[NDArray[Any]]:
        """Outputs for ``(1, 3, H, W)`` of a picture of that height and width; named boxes last."""
        ...


class OnnxRuntime:
    """An ONNX file on the CPU, in one file, without libraries of operators."""

    def __init__(self, file: Path) -> None:
        """Open and check it.

        Raises:
            TaskError: If a package is missing, or the file cannot be run, takes no picture or draws
                random numbers.
        """
        try:
            import onnx
            import onnxruntime
        except ImportError as error:
            raise TaskError(
                f"{file.name}: {error.name} is not installed: {installing('derain-harness[onnx]')}"
            ) from error
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            data = file.read_bytes()
            model = onnx.load_from_string(data)
            if files_beside(model):
                # Results are kept under the digest of this one file.
                raise TaskError(f"{file.name}: its weights are in other files: save them inside it")
            if drawing := drawing_in(model):
                raise TaskError(f"{file.name} {UNSEEDED.format(', '.join(drawing))}")
            onnx.checker.check_model(data)
            self._session = onnxruntime.InferenceSession(
                data, options, providers=["CPUExecutionProvider"]
            )
        except TaskError:
            raise
        except Exception as error:
            # ONNX Runtime raises a dozen classes of its own, all with one remedy.
            raise TaskError(
                f"{file}: cannot be run ({type(error).__name__}): export it again"
            ) from error
        picture, *others = self._session.get_inputs()
        shape = [side if isinstance(side, int) else None for side in picture.shape]
        self._is_single = len(shape) == 3
        shape = [1, *shape] if self._is_single else shape
        self._is_last = len(shape) == 4 and shape[3] == 3 and shape[1] != 3
        shape = [shape[0], shape[3], shape[1], shape[2]] if self._is_last else shape
        two_sides = len(shape) == 4 and (shape[2] is None) == (shape[3] is None)
        is_picture = two_sides and shape[0] in (1, None) and shape[1] in (3, None)
        sizes_alone = all("size" in node.name and len(node.shape) == 2 for node in others)
        if not is_picture or picture.type not in NUMBERS or len(others) > 1 or not sizes_alone:
            said = ", ".join(f"{n.name} {n.type} {n.shape}" for n in [picture, *others])
            raise TaskError(
                f"{file.name}: takes {said}: expected one picture (1, 3, H, W), perhaps with its "
                "size; export it so"
            )
        self._input, self._dtype = picture.name, NUMBERS[picture.type]
        self._size = others[0].name if others else None
        self._size_type = np.float32 if others and "float" in others[0].type else np.int64
        outputs = sorted(self._session.get_outputs(), key=lambda node: "box" in node.name)
        self._outputs = [node.name for node in outputs]
        self.outputs = [(node.shape, node.type) for node in outputs]
        height, width = shape[2:]
        self.fixed_px = None if height is None or width is None else (height, width)
        self.is_raw, self.tells_size = self._dtype is np.uint8, self._size is not None
        self.said = _said(self._session.get_modelmeta().custom_metadata_map)

    def __deepcopy__(self, memo: Any) -> OnnxRuntime:
        """Itself: a session may be used by several threads, and cannot be copied."""
        return self

    def __call__(self, batch: NDArrayFloat, size_px: tuple[int, int]) -> list[NDArray[Any]]:
        """See `Runtime`."""
        shown: NDArray[Any] = batch.astype(self._dtype)
        shown = shown.transpose(0, 2, 3, 1) if self._is_last else shown
        given = {self._input: np.ascontiguousarray(shown[0] if self._is_single else shown)}
        if self._size is not None:
            given[self._size] = np.array([[size_px[1], size_px[0]]], self._size_type)
        found = self._session.run(self._outputs, given)
        return [np.asarray(a).astype(np.float32) if a.dtype == np.float16 else a for a in found]


class TorchScriptRuntime:
    """A TorchScript file. Loading it runs its code: the user asks for that by the word."""

    is_raw = tells_size = False

    def __init__(self, file: Path, device: str) -> None:
        """Load it.

        Raises:
            TaskError: If it is no TorchScript.
        """
        extra: dict[str, Any] = {"config.txt": ""}
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", FutureWarning)  # of torch, about its own format
                loaded = torch.jit.load(str(file), device, _extra_files=extra)  # noqa: TID251
                self._module = loaded.eval()
        except Exception as error:
            # Damaged archives end in several kinds of exception, all with one remedy.
            raise TaskError(
                f"{file}: is no TorchScript ({type(error).__name__}): export it again"
            ) from error
        self._device = device
        text = extra["config.txt"]
        try:
            found = json.loads(text) if text else {}
        except (ValueError, RecursionError):
            found = {}
        self.said = _said(found if isinstance(found, dict) else {})
        self.fixed_px = self.said.imgsz if self.said.is_dynamic is False else None

    @torch.inference_mode()
    def __call__(self, batch: NDArrayFloat, size_px: tuple[int, int]) -> list[NDArray[Any]]:
        """See `Runtime`."""
        found = self._module(torch.from_numpy(batch).to(self._device))
        return [tensor.cpu().numpy() for tensor in _flat(found)]


def _flat(found: Any) -> Iterator[torch.Tensor]:
    """The tensors of what a network returned, which may be nested."""
    if isinstance(found, torch.Tensor):
        yield found.float() if found.dtype in (torch.float16, torch.bfloat16) else found
    elif isinstance(found, Mapping):
        for key in sorted(found, key=lambda key: "box" in str(key)):
            yield from _flat(found[key])
    elif isinstance(found, list | tuple):
        for value in found:
            yield from _flat(value)


def _said(found: Mapping[str, Any]) -> Said:
    """Metadata as ultralytics writes it: values as they are, or as their text."""
    arguments = _value(found.get("args"))
    arguments = arguments if isinstance(arguments, dict) else {}
    size, stride = _value(found.get("imgsz")), _value(found.get("stride"))
    fits = isinstance(size, list) and len(size) == 2 and all(type(s) is int for s in size)
    is_ultralytics = str(found.get("author", "")) == "Ultralytics"
    ends = _value(found.get("end2end")) is True or arguments.get("nms") is True
    return Said(
        names=names_by_number(found.get("names")),
        imgsz=(size[0], size[1]) if fits else None,
        stride=stride if type(stride) is int and stride > 0 else 32,
        is_dynamic=bool(arguments["dynamic"]) if "dynamic" in arguments else None,
        is_suppressed=ends if is_ultralytics else None,
        head=str(found.get("head", "")),
        is_ultralytics=is_ultralytics,
    )


def _value(text: Any) -> Any:
    """What a text spells as a Python literal; other values as they are."""
    import ast

    if not isinstance(text, str):
        return text
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return text
