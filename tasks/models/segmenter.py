"""Semantic segmentation by any network that maps a picture to a score per class and pixel.

A network takes ``float32 (1, 3, H, W)`` RGB, in [0, 1] or normalised, and gives scores
``(1, C, h, w)``, which are enlarged to the picture where they are smaller, or a dict with them
under ``out``. It must say what its classes are called: nobody can notice a permuted class map
otherwise.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from datasets.image import NDArrayByte, to_tensor
from datasets.inert.graphs import files_beside
from tasks.models.weights import class_names
from tasks.task import TaskError


class ModuleSegmenter:
    """A PyTorch network."""

    def __init__(
        self,
        module: nn.Module,
        names: Sequence[str],
        device: str,
        mean: Sequence[float] = (0.0, 0.0, 0.0),
        std: Sequence[float] = (1.0, 1.0, 1.0),
    ) -> None:
        """Take a network.

        Args:
            module: The network.
            names: Its classes, in the order of its scores.
            device: Where it shall run.
            mean: Subtracted from each channel, in [0, 1].
            std: What each channel is then divided by.
        """
        self.names = list(names)
        self._module = module.eval().to(device)
        self._device = device
        self._mean = torch.tensor(mean).view(1, 3, 1, 1)
        self._std = torch.tensor(std).view(1, 3, 1, 1)

    @torch.inference_mode()
    def segment(self, images: list[NDArrayByte]) -> list[NDArrayByte]:
        """Label maps ``uint8 (H, W)``, one image per forward; values are places in ``names``."""
        return [self._one(image) for image in images]

    def _one(self, image: NDArrayByte) -> NDArrayByte:
        batch = (to_tensor([image]) - self._mean) / self._std
        output = self._module(batch.to(self._device))
        scores = output["out"] if isinstance(output, dict) else output
        return labels(scores, image.shape[:2], len(self.names))


class OnnxSegmenter:
    """An ONNX file, run by ONNX Runtime on the CPU."""

    def __init__(self, file: Path, device: str) -> None:
        """Open the file; its classes stand in its metadata ``names``, or in a card beside it.

        Raises:
            TaskError: If it cannot be run, or its classes are not named.
        """
        try:
            import onnx
            import onnxruntime
        except ImportError as error:
            raise TaskError(
                f"{file.name}: install {error.name} to run it: pip install 'derain-harness[onnx]'"
            ) from error
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        try:
            data = file.read_bytes()
            if files_beside(onnx.load_from_string(data)):
                # Results are kept under the digest of this one file.
                raise TaskError(f"{file.name}: its weights are in other files: save them inside it")
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
            ) from (error)
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        if len(inputs) != 1 or len(outputs[0].shape) != 4:
            raise TaskError(f"{file.name}: expected one input and scores (1, C, H, W)")
        self._input = inputs[0].name
        said = _named(self._session.get_modelmeta().custom_metadata_map.get("names", ""))
        classes = outputs[0].shape[1]
        count = classes if isinstance(classes, int) else len(said)
        self.names = class_names(file, count, said)

    def __deepcopy__(self, memo: Any) -> OnnxSegmenter:
        """Itself: a session may be used by several threads, and cannot be copied."""
        return self

    def segment(self, images: list[NDArrayByte]) -> list[NDArrayByte]:
        """Label maps ``uint8 (H, W)``; values are places in ``names``."""
        found = []
        for image in images:
            scores = self._session.run(None, {self._input: to_tensor([image]).numpy()})[0]
            found.append(labels(torch.from_numpy(scores), image.shape[:2], len(self.names)))
        return found


def own_segmenter(module: Any, name: str, device: str) -> ModuleSegmenter:
    """What a user's factory returned: a network with its classes' names.

    Raises:
        TaskError: If it is no network, or has no list ``names``.
    """
    if not isinstance(module, nn.Module):
        raise TaskError(f"{name} returned {type(module).__name__}, expected a torch.nn.Module")
    names = getattr(module, "names", None)
    if not isinstance(names, list | tuple) or not all(isinstance(n, str) for n in names):
        raise TaskError(
            f"{name}: the network must have a list 'names', its classes in the order of its scores"
        )
    mean = getattr(module, "mean", (0.0, 0.0, 0.0))
    return ModuleSegmenter(module, names, device, mean, getattr(module, "std", (1.0, 1.0, 1.0)))


def labels(scores: Any, size_px: tuple[int, ...], classes: int) -> NDArrayByte:
    """The class with the highest score of every pixel, ``uint8 (H, W)``.

    Raises:
        TaskError: If there is not one finite score per class.
    """
    if not isinstance(scores, Tensor) or scores.ndim != 4 or scores.shape[:2] != (1, classes):
        shape = tuple(scores.shape) if isinstance(scores, Tensor) else type(scores).__name__
        raise TaskError(f"the network gave {shape}, expected scores (1, {classes}, H, W)")
    if not torch.isfinite(scores).all():
        raise TaskError("the network gave non-finite scores")
    if scores.shape[2:] != size_px:
        scores = functional.interpolate(
            scores.float(), size=size_px, mode="bilinear", align_corners=False
        )
    best: NDArrayByte = scores[0].argmax(0).cpu().numpy().astype(np.uint8)
    return best


def _named(text: str) -> list[str]:
    """Names in a model's metadata: a list, or a dict by number as ultralytics writes it."""
    try:
        names = json.loads(text)
    except ValueError:
        try:
            names = ast.literal_eval(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            return []
    if isinstance(names, dict):
        names = list(names.values())
    return names if isinstance(names, list) and all(isinstance(n, str) for n in names) else []
