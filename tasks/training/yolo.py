"""Train the small network for boxes and masks with ultralytics' own trainer.

It gets images and outlines in memory, and no file. All else is the trainer's: flips, sizes, colour,
SGD or AdamW by its rule, the moving average of the weights that is kept.
"""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from ultralytics.models.yolo.segment import SegmentationTrainer
from ultralytics.nn.tasks import SegmentationModel

from datasets.image import UnreadableImageError
from datasets.sample import DatasetError, Sample
from tasks.models.architecture import checked, image_px_in
from tasks.models.ultralytics import architecture, street_image_px
from tasks.models.ultralytics_checkpoint import checkpoint_network
from tasks.models.weights import put, read_state
from tasks.networks.yolo_street import ARCHITECTURE
from tasks.task import TaskError
from tasks.training.checkpoint import Checkpoint, read_checkpoint, restore
from tasks.training.view import View
from tasks.training.yolo_images import Images


@dataclass(frozen=True)
class Recipe:
    """What decides the weights beside the images; the rest is ultralytics' default."""

    epochs: int = 12
    batch: int = 8
    image_px: int = 512
    """Longer side at which the network sees an image, in training and in use."""
    learning_rate: float = 1e-3
    warm_up_epochs: float = 1.0
    bias_warm_up_rate: float = 0.0
    """Rate of biases at the first step. ultralytics' default, 0.1, is SGD's: AdamW's steps are as
    large as its rate, and throw about what the biases of a network to begin with had learned."""
    optimiser: str = "AdamW"
    scale: float = 0.25
    """Images are resized by 1 plus or minus this share; 0.5, the default, loses far objects."""
    dtype: Literal["fp32", "bf16"] = "fp32"
    """bf16: forwards in bfloat16, which is faster where the processor has it."""
    seed: int = 0


@dataclass(frozen=True)
class Begin:
    """What a training begins with."""

    architecture: Mapping[str, Any] = field(default_factory=lambda: copy.deepcopy(ARCHITECTURE))
    """The layers, as ultralytics lists them."""
    file: Path | None = None
    weights: Mapping[str, torch.Tensor] | None = None
    """None = at random."""


def begin_with(file: Path | None, categories: Mapping[int, str]) -> Begin:
    """Weights to begin with: what this trainer made, or a checkpoint of ultralytics with masks.

    Args:
        file: ``.safetensors`` or ``.pt``; None = random weights of `tasks.networks.yolo_street`.
        categories: Category id to name, of the images that are to be learned from.

    Raises:
        TaskError: If it is damaged, finds boxes alone, was fused, or tells other classes apart.
    """
    if file is None:
        return Begin()
    if file.suffix != ".pt":
        return Begin(architecture(file), file, read_state(file))
    model = checkpoint_network(file)
    if not isinstance(model, SegmentationModel) or model.is_fused():
        raise TaskError(
            f"{file}: a training needs a checkpoint for boxes and masks, not fused: yolov8n-seg.pt"
        )
    own, wanted = dict(model.names), _names(categories)
    if own != wanted:
        raise TaskError(
            f"{file}: its {len(own)} classes are not the {len(wanted)} of the images, in their "
            "order: train on images with its classes"
        )
    return Begin(checked(model.yaml), file, model.state_dict())


def seen_px(file: Path | None) -> int:
    """Longer side at which weights to begin with saw images; the recipe's where nothing says it.

    Raises:
        TaskError: If the file or its card is damaged.
    """
    if file is not None and file.suffix == ".pt":
        return max(image_px_in(checkpoint_network(file).args))
    if file is None or not file.with_name(file.name + ".json").is_file():
        return Recipe.image_px
    return street_image_px(file)


def described(network: Any) -> dict[str, Any]:
    """What a card says of a network's layers: nothing of `tasks.networks.yolo_street`."""
    ours, layers = checked(ARCHITECTURE), checked(network.yaml)
    return {} if layers == ours | {"nc": layers["nc"]} else {"architecture": layers}


@dataclass(frozen=True)
class _Work:
    """What a trainer works on."""

    samples: Sequence[Sample]
    categories: Mapping[int, str]
    begin: Begin
    checkpoint: Checkpoint
    kept: Mapping[str, Any] | None
    """What the checkpoint held at the start."""
    view: View | None
    """What is seen of an image in an epoch; None: the image itself."""


def train(
    samples: Sequence[Sample],
    categories: Mapping[int, str],
    recipe: Recipe,
    checkpoint: Checkpoint,
    report: Callable[[int, float], bool] = lambda *_: True,
    begin: Path | None = None,
    view: View | None = None,
    device: str = "cpu",
) -> SegmentationModel:
    """Train, or continue from ``checkpoint``, which every epoch writes.

    Args:
        samples: Images with boxes and masks; crowds are left out.
        categories: Category id to name; the network's classes are those, by rising id.
        recipe: See `Recipe`.
        checkpoint: With everything that continuing needs.
        report: Told of every epoch (its number from 1, summed loss) once it is kept; False ends the
            training there.
        begin: Weights to begin with, see `begin_with`.
        view: What is seen of an image in an epoch; None: the image itself.
        device: ``cpu`` or ``cuda``.

    Returns:
        The averaged network with ``names``, in single floats.

    Raises:
        TaskError: If ``begin`` or the checkpoint is damaged or another network's, an image cannot
            be read, or the loss becomes NaN.
    """
    kept = read_checkpoint(checkpoint.file) if checkpoint.file.is_file() else None
    work = _Work(samples, categories, begin_with(begin, categories), checkpoint, kept, view)

    def told(trainer: Any) -> None:
        loss = float(sum(float(v) for v in trainer.label_loss_items(trainer.tloss).values()))
        goes_on = report(trainer.epoch + 1, loss)
        trainer.stop = trainer.stop or not goes_on

    # What ultralytics writes is thrown away: it goes into no folder that holds files of anybody.
    with tempfile.TemporaryDirectory(prefix="derain-harness-") as folder:
        trainer = (_MixedTraining if recipe.dtype == "bf16" else _Training)(
            work, _overrides(recipe, folder, device, epochs_differ=view is not None)
        )
        trainer.add_callback("on_model_save", told)
        if kept is None or kept["epoch"] < recipe.epochs:
            average = trainer.trained()
        else:
            average = trainer.get_model()
            restore(checkpoint.file, kept, {"average": average})
    model: SegmentationModel = copy.deepcopy(average).float().eval().cpu()
    model.names = _names(categories)
    return model


def steps_per_epoch(images: int, recipe: Recipe) -> int:
    """Steps in which so many images are seen once; those left over make a smaller batch."""
    return -(-images // recipe.batch)


def _overrides(recipe: Recipe, folder: str, device: str, epochs_differ: bool) -> dict[str, Any]:
    """What ultralytics' trainer is told."""
    # Processes that load images ahead do not know the epoch that they load for.
    alone = {"workers": 0} if epochs_differ else {}
    return alone | {
        "model": "yolo-street.yaml",  # the name alone is used
        "data": "data.yaml",  # this one too
        "epochs": recipe.epochs,
        "batch": recipe.batch,
        "nbs": recipe.batch,  # a step of the optimiser for every batch
        "imgsz": recipe.image_px,
        "lr0": recipe.learning_rate,
        "optimizer": recipe.optimiser,
        "amp": False,
        "warmup_epochs": recipe.warm_up_epochs,
        "warmup_bias_lr": recipe.bias_warm_up_rate,
        "scale": recipe.scale,
        "mosaic": 0.0,  # outlines of four crowded scenes at once are dear
        "seed": recipe.seed,
        "project": folder,
        "name": "ultralytics",
        "device": device,
        "pretrained": False,
        "val": False,
        "plots": False,
        "verbose": False,
    }


def _names(categories: Mapping[int, str]) -> dict[int, str]:
    """The classes by their numbers in the network."""
    return dict(enumerate(categories[c] for c in sorted(categories)))


class _Training(SegmentationTrainer):  # type: ignore[misc]
    """ultralytics' trainer with our network, images and checkpoint instead of its files.

    To classes called "Trainer" it adds what reports to Weights & Biases, Comet, MLflow and others,
    and imports Ray: ours is called otherwise, and reports to nobody.
    """

    network = SegmentationModel

    def __init__(self, work: _Work, overrides: dict[str, Any]) -> None:
        self._work = work
        super().__init__(overrides=overrides)

    def trained(self) -> SegmentationModel:
        """Train to the end, or until a callback says to stop; gives the averaged network."""
        try:
            self.train()
        except (UnreadableImageError, DatasetError, OSError) as error:
            # From a process that loads images it comes with all lines of where it happened.
            why = str(error).strip().splitlines()[-1]
            raise TaskError(f"the training ended at an image: {why}") from error
        average: SegmentationModel = self.ema.ema
        return average

    def get_dataset(self) -> dict[str, Any]:
        """The data set in ultralytics' words, which lies nowhere."""
        names = _names(self._work.categories)
        return {"train": "train", "val": "val", "names": names, "nc": len(names), "channels": 3}

    def setup_model(self) -> None:
        """Our network."""
        self.model = self.get_model()

    def get_model(
        self,
        cfg: Any = None,
        weights: torch.nn.Module | None = None,
        verbose: bool = False,
    ) -> SegmentationModel:
        """Our network, with the weights that are begun with."""
        begin = self._work.begin
        model: SegmentationModel = self.network(
            copy.deepcopy(begin.architecture), nc=self.data["nc"], ch=3, verbose=verbose
        )
        if begin.weights is not None and begin.file is not None:
            put(model, begin.weights, begin.file)
        return model.to(memory_format=torch.channels_last)

    def _parts(self) -> dict[str, Any]:
        return {"network": self.model, "average": self.ema.ema, "optimiser": self.optimizer}

    def resume_training(self, ckpt: None) -> None:
        """Go on from the checkpoint, if there is one."""
        kept = self._work.kept
        if kept is not None:
            restore(self._work.checkpoint.file, kept, self._parts())
            self.ema.updates, self.start_epoch = int(kept["updates"]), kept["epoch"]

    def save_model(self) -> bool:
        """Keep what goes on; ultralytics would pickle the network."""
        counts = {"epoch": self.epoch + 1, "updates": self.ema.updates}
        self._work.checkpoint.keep(self._parts(), **counts)
        return True

    def _handle_nan_recovery(self, epoch: int) -> bool:
        """Refuse a loss that is no number, of which ultralytics would go on from its own file."""
        if self.loss is not None and not self.loss.isfinite():
            raise TaskError(
                f"the loss became {float(self.loss)} in epoch {epoch + 1}: the checkpoint of the "
                f"epoch before stays in {self._work.checkpoint.file.parent}; train in fp32"
            )
        return False

    def build_dataset(self, img_path: str, mode: str = "train", batch: int | None = None) -> Any:
        """Images in batches of one shape that encloses them all; to validate, one that is not used.

        Its own trainer fills every image up to a square, a quarter of it grey for 4:3.
        """
        is_training = mode == "train"
        work = self._work
        images = Images(
            work.samples if is_training else work.samples[:1],
            work.categories,
            work.view,
            imgsz=self.args.imgsz,
            batch_size=batch,
            augment=is_training,
            hyp=self.args,
            stride=self.stride,
            pad=0.0,
            data=self.data,
        )
        if is_training:
            sides = np.array([label["shape"] for label in images.labels], float)  # height, width
            longer = (sides / sides.max(1, keepdims=True)).max(0) * self.args.imgsz
            images.batch_shapes = np.ceil(longer / images.stride).astype(int)[None] * images.stride
            images.batch = np.zeros(len(images.labels), int)
            images.rect = True
            self.add_callback("on_train_epoch_start", lambda t: setattr(images, "epoch", t.epoch))
        return images

    def preprocess_batch(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Channels last, which the processor's convolutions are faster in."""
        batch = super().preprocess_batch(batch)
        batch["img"] = batch["img"].contiguous(memory_format=torch.channels_last)
        return batch

    def validate(self) -> tuple[dict[str, Any], None]:
        """Nothing: the harness scores."""
        return self.metrics, None

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


class _MixedTraining(_Training):
    """ultralytics' own switch for bfloat16 refuses the CPU."""

    network = _Mixed
