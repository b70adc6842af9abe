"""A rainy copy of a data set in its own layout, with a manifest that names every byte."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from datasets import Dataset, Sample
from datasets.image import encode_jpeg, encode_png
from datasets.rain import Rain, RainyImage, digest, generator
from harness.plan import keys
from harness.plan.manifest import MANIFEST, entry_of, head_of
from harness.runs.copies import in_parallel, replace_file
from harness.spec import UsageError

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Recipe:
    """What decides the bytes of a copy."""

    rain_name: str
    rain: Rain
    seed: int = 0
    """As in `harness.run`: the same seed gives the same images."""
    jpeg_quality: int | None = None
    """1 to 100; None writes PNG, which loses nothing."""
    layers: bool = False
    """Keep what the image was made of (see `RainyImage`) in ``layers/<image>.npz``."""

    def head(self, dataset: Dataset) -> dict[str, Any]:
        """The manifest's first line."""
        return {
            "dataset": dataset.name,
            "split": dataset.split,
            "rain": self.rain_name,
            "rain_sha256": digest(self.rain),
            "parameters": self.rain.parameters(),
            "seed": self.seed,
            "jpeg_quality": self.jpeg_quality,
            "layers": self.layers,
        }


@dataclass(frozen=True)
class Copied:
    """What was done."""

    written: int
    kept: int
    """Images that an earlier call had written already."""


def synthesize(
    dataset: Dataset,
    root: Path,
    recipe: Recipe,
    out: Path,
    workers: int = 1,
    progress: Progress = lambda *_: None,
) -> Copied:
    """Write a rainy copy of a data set; continue where an earlier call stopped.

    Args:
        dataset: Read from ``root``; its annotations are copied, cut to its samples.
        root: Folder below which the images lie.
        recipe: Rain, seed and format.
        out: New or empty folder, or one that the same call began.
        workers: Images at a time.
        progress: Told of every finished image.

    Raises:
        UsageError: If ``out`` holds what this call did not write.
        OSError: If a file cannot be written.
    """
    places = _places(dataset, root, ".png" if recipe.jpeg_quality is None else ".jpg")
    done = _opened(out, recipe.head(dataset))
    if dataset.export_labels is not None:
        dataset.export_labels(out, places)
    todo = [s for s in dataset.samples if not _is_there(out, done.get(s.id))]
    kept = len(dataset.samples) - len(todo)
    write = partial(_write, recipe=recipe, out=out, places=places)
    progress(recipe.rain_name, kept, len(dataset.samples))
    with (out / MANIFEST).open("a", encoding="utf-8") as manifest:
        for i, line in enumerate(in_parallel(write, todo, workers), start=1):
            manifest.write(json.dumps(line) + "\n")
            manifest.flush()
            progress(recipe.rain_name, kept + i, len(dataset.samples))
    return Copied(len(todo), kept)


def _places(dataset: Dataset, root: Path, suffix: str) -> dict[str, PurePosixPath]:
    """Where each sample's rainy image goes, relative to the copy."""
    places: dict[str, PurePosixPath] = {}
    users: dict[PurePosixPath, str] = {}
    for sample in dataset.samples:
        source = sample.rainy_path or sample.path
        place = PurePosixPath(source.relative_to(root).with_suffix(suffix).as_posix())
        if place in users:
            raise UsageError(f"{place} would hold both {users[place]} and {sample.id}: rename one")
        users[place] = sample.id
        places[sample.id] = place
    return places


def _opened(out: Path, head: dict[str, Any]) -> dict[str, dict[str, str]]:
    """Make or continue the folder; returns the manifest's lines by sample."""
    file = out / MANIFEST
    if not file.is_file():
        begun = file.with_name(file.name + ".tmp")
        if out.exists() and (not out.is_dir() or any(f != begun for f in out.iterdir())):
            raise UsageError(f"{out} holds files that synth did not write: name a new folder")
        replace_file(file, (json.dumps(head) + "\n").encode())
        return {}
    lines = file.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)
    before = head_of(lines[0] if lines else "", file)
    other = next((k for k in head if before.get(k) != json.loads(json.dumps(head[k]))), None)
    if other is not None:
        raise UsageError(f"{out} was begun with another {other}: name a new folder")
    # A kill may have cut the last line; its image is then written again, to the same bytes.
    whole = [line for line in lines[1:] if line.endswith("\n")]
    if len(whole) < len(lines) - 1:
        replace_file(file, "".join([lines[0], *whole]).encode())
    entries = (entry_of(line, number, file) for number, line in enumerate(whole, 2))
    return {entry["sample"]: entry for entry in entries}


def _is_there(out: Path, entry: dict[str, str] | None) -> bool:
    """Whether an image of the manifest is still what was written."""
    if entry is None:
        return False
    file = out / entry["file"]
    return file.is_file() and keys.file_sha256(file) == entry["sha256"]


def _write(
    sample: Sample, recipe: Recipe, out: Path, places: dict[str, PurePosixPath]
) -> dict[str, Any]:
    """Write one image; returns its line of the manifest."""
    rng = generator(recipe.seed, recipe.rain, sample.id)
    rainy = recipe.rain.render(sample.image(), rng, sample.depth_m())
    place, quality = places[sample.id], recipe.jpeg_quality
    data = encode_png(rainy.image) if quality is None else encode_jpeg(rainy.image, quality)
    replace_file(out / place, data)
    if recipe.layers:
        replace_file(out / "layers" / place.with_suffix(".npz"), _layers(rainy))
    return {"sample": sample.id, "file": str(place), "sha256": hashlib.sha256(data).hexdigest()}


def _layers(rainy: RainyImage) -> bytes:
    """What `datasets.rain.recompose` needs to make an image again, as npz without pickle."""
    buffer = io.BytesIO()
    parts = {field.name: getattr(rainy, field.name) for field in fields(rainy)}
    del parts["image"]
    arrays = {name: np.asarray(part) for name, part in parts.items() if part is not None}
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()
