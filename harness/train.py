"""Train a network on a data set: checkpoint, curve, weights and their card in one folder."""

from __future__ import annotations

import csv
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from datasets.sample import Dataset
from harness import keys
from harness.plan import open_dataset
from harness.provenance import machine
from harness.spec import RunSpec, UsageError

if TYPE_CHECKING:
    from tasks.networks.refinenet import RefineNet
    from tasks.training.refinenet import Epoch

NETWORKS = ("refinenet",)


def train_refinenet(
    spec: RunSpec,
    out: Path,
    epochs: int | None = None,
    max_minutes: float | None = None,
    progress: Callable[[str, int, int], None] = lambda *_: None,
) -> Path:
    """Train the light-weight RefineNet on the label maps of a data set's ``train`` split.

    Args:
        spec: Data set, split (default ``train``), selection and limit.
        out: Folder for ``checkpoint.pt``, ``curve.csv`` and the weights with their card; a training
            that was broken off goes on from the checkpoint.
        epochs: In place of the recipe's.
        max_minutes: End after the first epoch that passes this time.
        progress: Told (network, epochs done, epochs).

    Returns:
        The weights, half floats: ``refinenet-DATASET.safetensors``.

    Raises:
        UsageError: If the split has too few label maps, or the folder holds another training.
    """
    from tasks.training.refinenet import Recipe, train

    dataset = open_dataset(spec.model_copy(update={"split": spec.split or "train"}))
    if spec.dtype == "fp16":
        raise UsageError("--dtype fp16: training is in fp32 or bf16")
    recipe = replace(Recipe(), epochs=epochs or Recipe.epochs, dtype=spec.dtype)
    unlabelled = sum(sample.label_map_path is None for sample in dataset.samples)
    if unlabelled or len(dataset.samples) < recipe.batch:
        raise UsageError(
            f"{dataset.name} {dataset.split}: {len(dataset.samples)} images, {unlabelled} of them "
            f"without a label map; training needs label maps of all and {recipe.batch} images"
        )
    names = [dataset.classes[label] for label in sorted(dataset.classes)]
    if sorted(dataset.classes) != list(range(len(names))):
        raise UsageError(f"{dataset.name}: its classes are not numbered from 0 without a gap")
    out.mkdir(parents=True, exist_ok=True)
    run = {"dataset": dataset.name, "split": dataset.split, "recipe": asdict(recipe)}
    _same_training(out / "training.json", run)
    started = time.monotonic()
    curve = _Curve(out / "curve.csv")

    def told(epoch: Epoch) -> bool:
        curve.add(epoch)
        progress("refinenet", epoch.number, recipe.epochs)
        return max_minutes is None or time.monotonic() - started < 60 * max_minutes

    network = train(dataset.samples, len(names), recipe, out / "checkpoint.pt", told)
    file = out / f"refinenet-{dataset.name}.safetensors"
    _write_weights(file, network)
    card = {
        "network": "refinenet",
        "classes": names,
        "parameters": sum(p.numel() for p in network.parameters()),
        "recipe": asdict(recipe),
        "epochs_done": curve.last,
        "trained_on": {
            "dataset": dataset.name,
            "split": dataset.split,
            "images": len(dataset.samples),
            "terms": dataset.terms,
        },
        "validated_on": _validation(network, spec, dataset),
        "hours": round(curve.hours, 2),
        "made_with": {k: v for k, v in machine(0).items() if k in ("versions", "system")},
        "sha256": keys.file_sha256(file),
    }
    text = json.dumps(card, indent=1, ensure_ascii=False)
    file.with_name(file.name + ".json").write_text(text + "\n", encoding="utf-8")
    return file


def _same_training(file: Path, run: Mapping[str, Any]) -> None:
    """Keep what is trained beside the checkpoint, and refuse to go on with something else."""
    run = json.loads(json.dumps(run))
    if not file.is_file():
        file.write_text(json.dumps(run, indent=1) + "\n", encoding="utf-8")
        return
    try:
        kept = json.loads(file.read_bytes())
    except ValueError:
        kept = None
    if kept != run:
        raise UsageError(
            f"{file.parent} holds another training ({file.name}): give a new --out, or the data "
            "set and epochs it was begun with"
        )


class _Curve:
    """Loss by epoch in a CSV file; epochs that are done again replace what stood there."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._rows: dict[int, tuple[str, str]] = {}
        if file.is_file():
            with file.open(newline="") as lines:
                for row in csv.DictReader(lines):
                    self._rows[int(row["epoch"])] = row["loss"], row["elapsed_s"]

    def add(self, epoch: Epoch) -> None:
        self._rows[epoch.number] = f"{epoch.loss:.7f}", f"{epoch.elapsed_s:.1f}"
        with self._file.open("w", newline="") as lines:
            writer = csv.writer(lines)
            writer.writerow(["epoch", "loss", "elapsed_s"])
            writer.writerows([number, *row] for number, row in sorted(self._rows.items()))

    @property
    def last(self) -> int:
        return max(self._rows, default=0)

    @property
    def hours(self) -> float:
        return sum(float(elapsed_s) for _, elapsed_s in self._rows.values()) / 3600


def _write_weights(file: Path, network: RefineNet) -> None:
    import torch
    from safetensors.torch import save_file

    state = {
        name: value.half() if value.is_floating_point() else value
        for name, value in network.state_dict().items()
    }
    if not all(torch.isfinite(value.float()).all() for value in state.values()):
        raise UsageError("the training ended in weights that half floats cannot hold")
    save_file({name: value.contiguous() for name, value in state.items()}, file)


def _validation(network: RefineNet, spec: RunSpec, trained: Dataset) -> dict[str, Any] | None:
    """Mean IoU on the data set's ``val`` split; None where it has none."""
    from datasets.sample import DatasetError
    from tasks.confusion import confusion, ious
    from tasks.models.segmenter import ModuleSegmenter

    try:
        dataset = open_dataset(spec.model_copy(update={"split": "val", "limit": None}))
    except (DatasetError, UsageError):
        return None
    if trained.split == "val" or dataset.classes != trained.classes:
        return None
    segmenter = ModuleSegmenter(network, list(dataset.classes.values()), "cpu")
    labels = sorted(dataset.classes)
    whole = np.sum(
        [
            confusion(s.label_map(), segmenter.segment([s.image()])[0], labels)
            for s in dataset.samples
        ],
        axis=0,
    )
    miou = float(np.nanmean(ious(whole)))
    return {"split": "val", "images": len(dataset.samples), "miou": round(miou, 4)}
