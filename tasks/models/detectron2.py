"""Networks of detectron2, which its authors give as source alone: an optional package.

The zoo's configurations are read from detectron2's own folder as files: its ``model_zoo`` module
needs ``pkg_resources``, which setuptools 81 no longer has. A user's own configuration is read as
plain YAML, which runs no code. Pictures are resized as its predictor does.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from datasets.image import NDArrayByte
from tasks import rle
from tasks.coco_ap import Detections
from tasks.models.card import card_of, read_card
from tasks.models.weights import put, read_state
from tasks.task import TaskError

MOST_BASES = 16
"""Configurations that one may be made of."""
OWN = {
    "GeneralizedRCNN": "ROI_HEADS",
    "PanopticFPN": "ROI_HEADS",
    "RetinaNet": "RETINANET",
    "SemanticSegmentor": "SEM_SEG_HEAD",
}
"""Where a configuration says the number of classes, by its kind of network."""


def zoo_config(config: str) -> Path:
    """A file below detectron2's ``model_zoo/configs``.

    Raises:
        TaskError: If detectron2 is not there.
    """
    package = importlib.util.find_spec("detectron2")
    if package is None or not package.submodule_search_locations:
        raise TaskError("detectron2 is not installed: its INSTALL.md says how")
    return Path(package.submodule_search_locations[0]) / "model_zoo" / "configs" / config


def config_files(config: Path) -> list[Path]:
    """A configuration and those that it is made of, by ``_BASE_``.

    Raises:
        TaskError: If one is no plain YAML, lies on the network, or is not there.
    """
    found: list[Path] = []
    todo = [config]
    while todo:
        file = todo.pop(0)
        if file in found:
            continue
        if len(found) == MOST_BASES:
            raise TaskError(f"{config.name}: is made of more than {MOST_BASES} configurations")
        found.append(file)
        todo += _bases(file)
    return found


def _bases(file: Path) -> Iterator[Path]:
    import yaml

    try:
        text = file.read_text(encoding="utf-8")
        said = yaml.unsafe_load(text) if _is_shipped(file) else yaml.safe_load(text)
    except OSError as error:
        raise TaskError(f"{file.name}: no such configuration") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())[:120]
        raise TaskError(
            f"{file.name}: no plain YAML, which a configuration must be, or detectron2's own, "
            f"unchanged: {reason}"
        ) from error
    if not isinstance(said, dict):
        raise TaskError(f"{file.name}: no configuration of detectron2 (yacs, .yaml)")
    bases = said.get("_BASE_", [])
    for base in bases if isinstance(bases, list) else [bases]:
        if not isinstance(base, str) or "://" in base:
            told = base if isinstance(base, str) else f"a {type(base).__name__}"
            raise TaskError(f"{file.name}: _BASE_ must name a file beside it, not {told}")
        yield Path(base).expanduser() if base.startswith("~") else file.parent / base


def _is_shipped(file: Path) -> bool:
    """Whether a configuration is one of detectron2's own, some of which hold expressions."""
    shipped = zoo_config("").rglob(file.name)
    return any(other.read_bytes() == file.read_bytes() for other in shipped)


class Detectron2Network:
    """A network by its configuration, with its weights and its classes."""

    def __init__(
        self, config: Path, file: Path, device: str, is_semantic: bool, imgsz: int | None = None
    ) -> None:
        """Build it and load its weights.

        Args:
            config: A configuration.
            file: ``.pkl`` of the zoo, or a state dict; a card beside it may name the classes.
            device: Where it shall run.
            is_semantic: Whether its classes are those of pixels.
            imgsz: Shorter side in pixels at which pictures are seen; None: the configuration's.

        Raises:
            TaskError: If detectron2 is not there, the configuration cannot be used, the file holds
                other weights, or the classes are not named.
        """
        if importlib.util.find_spec("detectron2") is None:
            raise TaskError("detectron2 is not installed: its INSTALL.md says how")
        from detectron2.config import get_cfg
        from detectron2.data.transforms import ResizeShortestEdge
        from detectron2.modeling import build_model

        # What is not plain is detectron2's own: `config_files` refuses all other.
        holds_code = any(_is_shipped(part) for part in config_files(config))
        settings = get_cfg()
        try:
            settings.merge_from_file(str(config), allow_unsafe=holds_code)
            settings.MODEL.DEVICE = device
            settings.MODEL.WEIGHTS = ""
            self._module = build_model(settings).eval()
        except Exception as error:
            # Configurations go wrong in as many ways as there are keys.
            reason = " ".join(str(error).split())[:160]
            raise TaskError(
                f"{config.name}: detectron2 cannot build it ({type(error).__name__}: {reason}): "
                "networks with code of their own are taken as FILE.py:FACTORY"
            ) from error
        expected = self._module.state_dict()
        state = read_state(file, next(iter(expected), ""))
        # The zoo's files also hold anchors and the like, which detectron2 now computes itself.
        put(self._module, {k: v for k, v in state.items() if k in expected}, file)
        shortest, longest = settings.INPUT.MIN_SIZE_TEST, settings.INPUT.MAX_SIZE_TEST
        if imgsz is not None:
            shortest, longest = imgsz, round(longest * imgsz / max(shortest, 1))
        self._resize: Any = ResizeShortestEdge([shortest, shortest], longest)
        self._is_bgr = settings.INPUT.FORMAT == "BGR"
        self.makes_objects = settings.MODEL.META_ARCHITECTURE != "SemanticSegmentor"
        self.makes_classes = settings.MODEL.META_ARCHITECTURE in (
            "SemanticSegmentor",
            "PanopticFPN",
        )
        self.names = _names(settings, config, file, is_semantic)

    def __call__(self, image: NDArrayByte) -> dict[str, Any]:
        """What detectron2's own predictor gives for ``uint8 (H, W, 3) RGB``."""
        shown = np.ascontiguousarray(image[:, :, ::-1]) if self._is_bgr else image
        resized = self._resize.get_transform(shown).apply_image(shown)
        tensor = torch.as_tensor(resized.astype(np.float32).transpose(2, 0, 1))
        given = {"image": tensor, "height": image.shape[0], "width": image.shape[1]}
        found: dict[str, Any] = self._module([given])[0]
        return found


def _names(settings: Any, config: Path, file: Path, is_semantic: bool) -> list[str]:
    """Those of the card, else of the data set that the configuration names."""
    from detectron2.data import MetadataCatalog

    kind = "SEM_SEG_HEAD" if is_semantic else OWN.get(settings.MODEL.META_ARCHITECTURE, "ROI_HEADS")
    count = int(settings.MODEL[kind].NUM_CLASSES)
    names = read_card(file).classes
    attribute = "stuff_classes" if is_semantic else "thing_classes"
    for dataset in (*settings.DATASETS.TEST, *settings.DATASETS.TRAIN):
        if names is None and dataset in MetadataCatalog:
            known = getattr(MetadataCatalog.get(dataset), attribute, None)
            names = list(known) if known is not None and len(known) == count else None
    if names is None or len(names) != count:
        has = f"{len(names)} names are known" if names else "their names are not known"
        raise TaskError(
            f"{config.name} has {count} classes, {has}: name them in {card_of(file).name}, "
            '{"classes": ["name", …]}'
        )
    return names


class Detectron2Detector:
    """A detector of detectron2, with masks where it makes them."""

    def __init__(
        self, config: Path, file: Path, device: str, has_masks: bool, imgsz: int | None = None
    ) -> None:
        """Build it, see `Detectron2Network`.

        Raises:
            TaskError: If it finds no objects.
        """
        self._network = Detectron2Network(config, file, device, False, imgsz)
        if not self._network.makes_objects:
            raise TaskError(f"{config.name} finds no objects: give it with --model semantic=")
        self.names = self._network.names
        self._has_masks = has_masks

    @torch.inference_mode()
    def detect(self, images: list[NDArrayByte]) -> list[Detections]:
        """Find objects, one image per forward.

        Raises:
            TaskError: If masks are asked for and it makes none.
        """
        return [self._one(image) for image in images]

    def _one(self, image: NDArrayByte) -> Detections:
        found = self._network(image)["instances"].to("cpu")
        if self._has_masks and not found.has("pred_masks"):
            raise TaskError("the network makes no masks: give it with --model detection=")
        masks = found.pred_masks.byte().numpy() if self._has_masks else None
        return Detections(
            boxes_xyxy_px=found.pred_boxes.tensor.numpy().astype(np.float32),
            scores=found.scores.numpy().astype(np.float32),
            categories=found.pred_classes.numpy().astype(np.int64),
            masks=() if masks is None else rle.encoded(masks),
        )


class Detectron2Segmenter:
    """A network of detectron2 that names the class of every pixel (``sem_seg``)."""

    def __init__(self, config: Path, file: Path, device: str, imgsz: int | None = None) -> None:
        """Build it, see `Detectron2Network`.

        Raises:
            TaskError: If it names no classes of pixels.
        """
        self._network = Detectron2Network(config, file, device, True, imgsz)
        if not self._network.makes_classes:
            raise TaskError(f"{config.name} has no semantic head: give it with --model detection=")
        self.names = self._network.names

    @torch.inference_mode()
    def segment(self, images: list[NDArrayByte]) -> list[NDArrayByte]:
        """Label maps ``uint8 (H, W)``, one image per forward; values are places in ``names``."""
        found = [self._network(image)["sem_seg"].argmax(0) for image in images]
        return [labels.to(torch.uint8).cpu().numpy() for labels in found]
