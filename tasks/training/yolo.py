"""Train the small network for boxes and masks with ultralytics' own trainer.

The data set is written as ultralytics reads it: links to the images, and for each a text file of
outlines. All else is the trainer's: flips, sizes, colour, SGD or AdamW by its rule, the moving
average of the weights that is kept.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
import torch
from ultralytics.models.yolo.segment import SegmentationTrainer
from ultralytics.nn.tasks import SegmentationModel

from datasets.masks import decode
from datasets.sample import Annotations, Sample
from tasks.models.weights import put, read_state
from tasks.networks.yolo_street import ARCHITECTURE

SMALLEST_OUTLINE_PX2 = 4
"""Outlines of smaller pieces of an object are left out."""


@dataclass(frozen=True)
class Recipe:
    """What decides the weights beside the images; the rest is ultralytics' default."""

    epochs: int = 12
    batch: int = 8
    image_px: int = 512
    """Longer side at which the network sees an image, in training and in use."""
    learning_rate: float = 1e-3
    warm_up_epochs: float = 1.0
    optimiser: str = "AdamW"
    scale: float = 0.25
    """Images are resized by 1 plus or minus this share; 0.5, the default, loses far objects."""
    dtype: Literal["fp32", "bf16"] = "fp32"
    """bf16: forwards in bfloat16, which is faster where the processor has it."""
    seed: int = 0


def train(
    samples: Sequence[Sample],
    categories: Mapping[int, str],
    recipe: Recipe,
    folder: Path,
    report: Callable[[int, float], bool] = lambda *_: True,
    begin: Path | None = None,
    device: str = "cpu",
) -> SegmentationModel:
    """Train, or continue from ``folder/ultralytics/weights/last.pt``, which every epoch writes.

    Args:
        samples: Images with boxes and masks; crowds are left out.
        categories: Category id to name; the network's classes are those, by rising id.
        recipe: See `Recipe`.
        folder: For the data set as ultralytics reads it and its trainer's files.
        report: Told of every epoch (its number from 1, summed loss) once it is kept; False ends the
            training there.
        begin: Weights to begin with, of as many classes.
        device: ``cpu`` or ``cuda``.

    Returns:
        The averaged network with ``names``, in single floats.

    Raises:
        TaskError: If ``begin`` is damaged or another network's.
    """
    data = _written(samples, categories, folder / "data")
    last = folder / "ultralytics" / "weights" / "last.pt"
    trainer = (_MixedTrainer if recipe.dtype == "bf16" else _Trainer)(
        overrides={
            "model": str(last) if last.is_file() else "yolo-street.yaml",  # the name alone is used
            "resume": str(last) if last.is_file() else False,
            "data": str(data),
            "epochs": recipe.epochs,
            "batch": recipe.batch,
            "nbs": recipe.batch,  # a step of the optimiser for every batch
            "imgsz": recipe.image_px,
            "lr0": recipe.learning_rate,
            "optimizer": recipe.optimiser,
            "amp": False,
            "warmup_epochs": recipe.warm_up_epochs,
            "scale": recipe.scale,
            "mosaic": 0.0,  # outlines of four crowded scenes at once are dear
            "cache": "ram",
            "seed": recipe.seed,
            "project": str(folder.resolve()),
            "name": "ultralytics",
            "exist_ok": True,
            "device": device,
            "pretrained": False,
            "val": False,
            "plots": False,
            "verbose": False,
        }
    )

    trainer.begin = begin

    def told(trainer: Any) -> None:
        loss = float(sum(float(v) for v in trainer.label_loss_items(trainer.tloss).values()))
        goes_on = report(trainer.epoch + 1, loss)
        trainer.stop = trainer.stop or not goes_on

    trainer.add_callback("on_model_save", told)
    trainer.train()
    model: SegmentationModel = copy.deepcopy(trainer.ema.ema).float().eval().cpu()
    model.names = dict(enumerate(categories[c] for c in sorted(categories)))
    return model


class _Trainer(SegmentationTrainer):  # type: ignore[misc]
    """ultralytics' trainer with our network instead of one of its files."""

    network = SegmentationModel
    begin: Path | None = None

    def get_model(
        self,
        cfg: Any = None,
        weights: torch.nn.Module | None = None,
        verbose: bool = True,
    ) -> SegmentationModel:
        """Our network, with the weights of the checkpoint that is continued or begun with."""
        model: SegmentationModel = self.network(
            copy.deepcopy(ARCHITECTURE), nc=self.data["nc"], ch=3, verbose=verbose
        )
        if weights is not None:
            model.load(weights)
        elif self.begin is not None:
            put(model, read_state(self.begin), self.begin)
        return model.to(memory_format=torch.channels_last)

    def build_dataset(self, img_path: str, mode: str = "train", batch: int | None = None) -> Any:
        """Images in batches of one shape that encloses them all.

        Its own trainer fills every image up to a square, a quarter of it grey for 4:3.
        """
        images = super().build_dataset(img_path, mode, batch)
        if mode == "train":
            sides = np.array([label["shape"] for label in images.labels], float)  # height, width
            longer = (sides / sides.max(1, keepdims=True)).max(0) * self.args.imgsz
            images.batch_shapes = np.ceil(longer / images.stride).astype(int)[None] * images.stride
            images.batch = np.zeros(len(images.labels), int)
            images.rect = True
        return images

    def preprocess_batch(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Channels last, which the processor's convolutions are faster in."""
        batch = super().preprocess_batch(batch)
        batch["img"] = batch["img"].contiguous(memory_format=torch.channels_last)
        return batch

    def final_eval(self) -> None:
        """Nothing: the harness scores."""


class _Mixed(SegmentationModel):  # type: ignore[misc]
    """The network with its forwards in training in bfloat16."""

    def loss(
        self, batch: dict[str, Any], preds: Any = None
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """As ultralytics has it, in mixed precision on whatever device."""
        with torch.autocast(batch["img"].device.type, torch.bfloat16):
            lost: tuple[torch.Tensor, dict[str, torch.Tensor]] = super().loss(batch, preds)
        return lost


class _MixedTrainer(_Trainer):
    """ultralytics' own switch for bfloat16 refuses the CPU."""

    network = _Mixed


def outlines(annotations: Annotations, categories: Sequence[int]) -> list[str]:
    """An image's objects as ultralytics' lines: class and outline, in shares of width and height.

    An object in several pieces is several lines' worth of points joined in one, as ultralytics
    does with COCO: piece after piece, there and back through their nearest points.
    """
    from ultralytics.data.converter import merge_multi_segment

    place = {category: i for i, category in enumerate(categories)}
    lines = []
    rows = zip(annotations.masks, annotations.categories, annotations.is_crowd, strict=True)
    for mask, category, is_crowd in rows:
        if is_crowd:
            continue
        filled = decode(mask).astype(np.uint8)
        found, _ = cv2.findContours(filled, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        pieces = [c[:, 0] for c in found if cv2.contourArea(c) >= SMALLEST_OUTLINE_PX2]
        if not pieces:
            continue
        if len(pieces) > 1:
            parts = merge_multi_segment([piece.ravel().tolist() for piece in pieces])
            points = np.concatenate(parts)
        else:
            points = pieces[0]
        shares = (points + 0.5) / (mask.width_px, mask.height_px)
        words = " ".join(f"{v:.5f}" for v in shares.clip(0, 1).ravel())
        lines.append(f"{place[int(category)]} {words}")
    return lines


def _written(samples: Sequence[Sample], categories: Mapping[int, str], folder: Path) -> Path:
    """The data set in ultralytics' layout; returns its YAML."""
    images, labels = folder / "images", folder / "labels"
    images.mkdir(parents=True, exist_ok=True)
    labels.mkdir(exist_ok=True)
    ids = sorted(categories)
    for number, sample in enumerate(samples):
        assert sample.annotations is not None
        name = f"{number:06}{sample.path.suffix}"
        if not (images / name).exists():
            (images / name).symlink_to(sample.path.resolve())
        text = "\n".join(outlines(sample.annotations, ids))
        (labels / f"{number:06}.txt").write_text(text + "\n" * bool(text), encoding="utf-8")
    few = folder / "few.txt"
    few.write_text(f"./images/000000{samples[0].path.suffix}\n", encoding="utf-8")
    file = folder / "data.yaml"
    said = {
        "path": str(folder.resolve()),
        "train": "images",
        "val": few.name,  # asked for, not used
        "names": {i: categories[c] for i, c in enumerate(ids)},
    }
    file.write_text(json.dumps(said), encoding="utf-8")  # JSON is YAML
    return file
