"""The data set that a spec names."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from datasets import DATASETS, Dataset
from datasets.pairs import with_rainy
from datasets.rows import DatasetRow
from datasets.where import select
from harness.machine.environment import FETCHED
from harness.spec import RunSpec, UsageError, known
from tasks.rows import TASKS


def open_dataset(spec: RunSpec) -> Dataset:
    """The data set of a spec, cut to its limit.

    Raises:
        UsageError: If it is not named, unknown, its folder is absent, or the spec would write among
            its images.
        DatasetError: If it cannot be read.
    """
    row = dataset_row(spec)
    root = root_of(spec)
    options: dict[str, Any] = {}
    if row.has_masks and any(TASKS[t].needs_masks for t in spec.task if t in TASKS):
        options["masks"] = True
    if row.takes_pair:
        options["pair"] = spec.pair
    dataset = row.open(root, spec.split, **options)
    if spec.pair and not row.takes_pair:
        dataset = with_rainy(dataset, root / spec.pair)
    _require_apart(spec, root, dataset)
    dataset = select(dataset, spec.where).limited(spec.limit)
    if spec.shard is None:
        return dataset
    number, count = map(int, spec.shard.split("/"))
    if not number < count <= len(dataset.samples):
        raise UsageError(
            f"--shard {spec.shard}: of {len(dataset.samples)} images there are at most as many "
            "parts, numbered from 0"
        )
    return dataset.shard(number, count)


def _require_apart(spec: RunSpec, root: Path, dataset: Dataset) -> None:
    """Refuse to write into a folder of the data: it would be marked, and its images be no data."""
    named = (path.parent for s in dataset.samples for path in (s.path, s.rainy_path) if path)
    folders = {folder.resolve() for folder in set(named)}
    root = root.resolve()
    for word, given in (("out", spec.out), ("workspace", spec.workspace)):
        place = Path(given or ".").resolve()
        is_above = place != root and root.is_relative_to(place)
        if given and not is_above and any(folder.is_relative_to(place) for folder in folders):
            raise UsageError(
                f"--{word} {given} holds images of the data set: name another folder, beside "
                "them or inside --data-root"
            )


def root_of(spec: RunSpec) -> Path:
    """The folder where a spec's data set lies; of streetsim it may still be absent.

    Raises:
        UsageError: If it is not named, or absent.
    """
    if dataset_row(spec).is_rendered:
        return Path(spec.data_root) if spec.data_root else FETCHED / kind_of(spec)
    if spec.data_root is None:
        raise UsageError(f"data set {spec.dataset} needs --data-root, the folder where it lies")
    root = Path(spec.data_root)
    if not root.is_dir():
        raise UsageError(f"--data-root {root}: no such folder; give the one where the data lie")
    return root


def kind_of(spec: RunSpec) -> str:
    """The kind of the data set, one of `DATASETS`.

    Raises:
        UsageError: If it is not named or unknown.
    """
    if spec.dataset is None:
        raise UsageError(
            f"--data-root {spec.data_root}: name the data set there with --dataset: "
            f"{', '.join(DATASETS)}"
        )
    return known(spec.dataset, DATASETS, "data set")


def dataset_row(spec: RunSpec) -> DatasetRow:
    """What its table says of the data set of a spec; see `kind_of`."""
    return DATASETS[kind_of(spec)]


def data_name(spec: RunSpec, dataset: Dataset) -> str:
    """The data set's name in cards of weights; of folders and pairs that of their folder."""
    return root_of(spec).resolve().name if dataset_row(spec).is_folder else dataset.name


def open_splits(spec: RunSpec) -> Dataset:
    """The data set of a spec, several splits joined by ``+`` as one; ids then begin with theirs."""
    splits = (spec.split or "").split("+")
    if len(splits) == 1:
        return open_dataset(spec)
    parts = [open_dataset(spec.model_copy(update={"split": split})) for split in splits]
    samples = [
        replace(sample, id=f"{split}/{sample.id}")
        for split, part in zip(splits, parts, strict=True)
        for sample in part.samples
    ]
    return replace(parts[0], split=spec.split or "", samples=samples)
