"""The data set that a spec names."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from datasets import DATASETS, Dataset, DatasetError
from datasets.attributes import with_attributes
from datasets.depth_files import with_depth
from datasets.ids import require_distinct
from datasets.joined import alike_numbered
from datasets.names import text_of
from datasets.rainy_beside import with_rainy
from datasets.rows import DatasetRow, looks_like
from datasets.weather import taken_for_rain
from datasets.where import select
from harness.machine.environment import FETCHED
from harness.plan.manifest import rain_of_copy
from harness.spec import RunSpec, UsageError, known
from tasks.rows import TASKS


def open_dataset(spec: RunSpec) -> Dataset:
    """The data set of a spec: what it chooses of all that is there.

    Raises:
        UsageError: As `whole_dataset`.
        DatasetError: As `whole_dataset`, or if nothing is left.
    """
    return chosen(whole_dataset(spec), spec)


def whole_dataset(spec: RunSpec) -> Dataset:
    """The data set of a spec before images are chosen: for files that tell of all of them.

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
    try:
        dataset = require_distinct(row.open(root, spec.split, **options, **label_file(spec)))
    except DatasetError as error:
        raise DatasetError(f"{error}{_hint(spec, root)}") from error
    if spec.pair and not row.takes_pair:
        dataset = with_rainy(dataset, root / spec.pair)
    _require_apart(spec, root, dataset)
    if (rain := fallen_on(spec, dataset)) is not None:
        note = f"the images are a rainy copy ({rain})"
        dataset = replace(dataset, notes=(*dataset.notes, note))
    return with_attributes(dataset, root, spec.attributes)


def fallen_on(spec: RunSpec, dataset: Dataset) -> str | None:
    """Rain and seed where the images of a spec's data set are a rainy copy; else None."""
    root = root_of(spec)
    return rain_of_copy(dataset, (root, root / (spec.split or "")))


def require_dry(rains: Iterable[str], spec: RunSpec, dataset: Dataset) -> None:
    """Refuse to let a rain of ours fall on a copy that it has rained on already.

    Raises:
        UsageError: With the copy's rain.
    """
    fallen, name = fallen_on(spec, dataset), next(iter(rains), None)
    if fallen is not None and name is not None:
        raise UsageError(
            f"--rain {name}: the images of {root_of(spec)} are a rainy copy already ({fallen}): "
            "give --rain given to derain them as they are, or the set that the copy was made of"
        )


def chosen(whole: Dataset, spec: RunSpec) -> Dataset:
    """What a spec takes of its data set: by attributes, weather, limit and shard.

    Raises:
        UsageError: If there are fewer images than shards.
        DatasetError: If nothing is left, or the depth of an image lacks.
    """
    row = dataset_row(spec)
    is_real_rain = spec.rain == ("given",)
    dataset = select(whole, spec.where, is_clean=not is_real_rain).limited(spec.limit)
    if is_real_rain and not row.is_rendered:
        dataset = taken_for_rain(dataset)
    if spec.depth is not None:
        dataset = with_depth(dataset, root_of(spec), spec.depth)
    if spec.shard is None:
        return dataset
    number, count = map(int, spec.shard.split("/"))
    if not number < count <= len(dataset.samples):
        raise UsageError(
            f"--shard {spec.shard}: of {len(dataset.samples)} images there are at most as many "
            "parts, numbered from 0"
        )
    return dataset.shard(number, count)


def _hint(spec: RunSpec, root: Path) -> str:
    """What to name where the folder lies above one of the kind that was said, or is of another."""
    row = dataset_row(spec)
    if spec.annotations is not None or row.is_in(root):
        return ""
    inner = next((f for f in sorted(root.glob("*")) if f.is_dir() and row.is_in(f)), None)
    if inner is not None:
        return f"; {inner} looks like it"
    kind = looks_like(root)
    return "" if kind is None else f"; it looks like --dataset {kind}"


def label_file(spec: RunSpec) -> dict[str, Path]:
    """What a reader is told of the file that ``--annotations`` names.

    Raises:
        UsageError: If the reader takes none.
    """
    if spec.annotations is None:
        return {}
    if not dataset_row(spec).takes_annotations:
        takes = " and ".join(name for name, row in DATASETS.items() if row.takes_annotations)
        raise UsageError(f"--annotations {spec.annotations}: only {takes} take a label file")
    return {"annotations": Path(spec.annotations)}


def _require_apart(spec: RunSpec, root: Path, dataset: Dataset) -> None:
    """Refuse to write into a folder of the data: it would be marked, and its images be no data."""
    files = (path for s in dataset.samples for path in (s.path, s.rainy_path) if path)
    # As text: 100,000 paths take long to be cut up by pathlib.
    named = {str(file).rpartition(os.sep)[0] for file in files}
    folders = {Path(folder).resolve() for folder in named}
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
        kind = looks_like(Path(spec.data_root or ""))
        hint = f" (it looks like {kind})" if kind else ""
        raise UsageError(
            f"--data-root {spec.data_root}: name the data set there with --dataset: "
            f"{', '.join(DATASETS)}{hint}"
        )
    try:
        return known(spec.dataset, DATASETS, "data set")
    except UsageError as error:
        raise UsageError(
            f"{error}; labels in another form go in as an export, COCO's JSON (--dataset coco "
            "--annotations FILE), YOLO or VOC, and what a network made elsewhere of the images is "
            "scored by score --predictions"
        ) from error


def dataset_row(spec: RunSpec) -> DatasetRow:
    """What its table says of the data set of a spec; see `kind_of`."""
    return DATASETS[kind_of(spec)]


def data_name(spec: RunSpec, dataset: Dataset) -> str:
    """The data set's name in cards of weights; where it is that of a form, its folder's."""
    is_own = dataset_row(spec).is_own or spec.annotations is not None
    return text_of(root_of(spec).resolve().name) if is_own else dataset.name


def open_splits(spec: RunSpec) -> Dataset:
    """The data set of a spec, several splits joined by ``+`` as one; ids then begin with theirs.

    So do groups of one image that have its name; drives and scenes may reach over several splits.
    Where these number the classes differently, they go together by name.

    Raises:
        UsageError: If a split is named twice; else as `open_dataset`.
        DatasetError: As `open_dataset`.
    """
    splits = (spec.split or "").split("+")
    if len(splits) == 1:
        return open_dataset(spec)
    if len(set(splits)) < len(splits):
        raise UsageError(f"--split {spec.split}: names a part twice")
    parts = alike_numbered(
        [open_dataset(spec.model_copy(update={"split": split})) for split in splits]
    )
    samples = [
        replace(s, id=f"{split}/{s.id}", group=f"{split}/{s.id}" if s.group == s.id else s.group)
        for split, part in zip(splits, parts, strict=True)
        for s in part.samples
    ]
    return require_distinct(replace(parts[0], split=spec.split or "", samples=samples))
