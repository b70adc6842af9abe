"""A rainy copy of a data set in its own layout, with a manifest that names every byte."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import tempfile
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, fields, replace
from functools import cached_property, partial
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from datasets import Dataset, Sample
from datasets.image import encode_jpeg, encode_png
from datasets.label_files import place_of
from datasets.marked import MANIFEST
from datasets.rain import Rain, RainyImage, digest, generator
from datasets.rain.rain import origin
from harness.machine.disk import message, storage_error
from harness.plan import keys
from harness.plan.manifest import entries_of, manifest_of
from harness.plan.stages import made_by
from harness.plan.unit_keys import Entry
from harness.runs.copies import in_parallel, remove_written, replace_file
from harness.spec import UsageError
from harness.work.scene import UnfinishedError, during
from reports.results.record import ImageError

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

    @cached_property
    def of_package(self) -> dict[str, str]:
        """What names the rain's code where a package brings it."""
        return keys.named(origin(self.rain))

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
    failures: tuple[ImageError, ...] = ()
    """Images that cannot be read or encoded, or that their rain refuses: not in the copy."""


def synthesize(
    dataset: Dataset,
    root: Path,
    recipe: Recipe,
    out: Path,
    workers: int = 1,
    progress: Progress = lambda *_: None,
) -> Copied:
    """Write a rainy copy of a data set; continue where an earlier call stopped.

    An image is written again where its photograph or depth is another than when it was written, or
    what was written is gone or changed.

    Args:
        dataset: Read from ``root``; its annotations are copied, cut to the samples that are there.
        root: Folder below which the images lie.
        recipe: Rain, seed and format.
        out: New or empty folder, or one that the same call began.
        workers: Images at a time.
        progress: Told of every finished image.

    Raises:
        UsageError: If ``out`` was begun with another recipe, an image lies outside of ``root``, or
            would be written over a file that no such call wrote.
        OSError: If a file cannot be written.
    """
    places = _places(dataset, root, ".png" if recipe.jpeg_quality is None else ".jpg")
    head = recipe.head(dataset)
    done = _opened(out, head)
    named = list(in_parallel(_named, dataset.samples, workers))
    entries = [each for each in named if isinstance(each, Entry)]
    failures = [each for each in named if isinstance(each, ImageError)]
    _require_ours(out, entries, recipe, places, done)
    if dataset.export_labels is not None:
        dataset.export_labels(out, places)
    todo = [e for e in entries if not _is_there(out, e, done.get(e.sample.id), places, recipe)]
    kept = len(entries) - len(todo)
    write = partial(_write, recipe=recipe, out=out, places=places)
    progress(recipe.rain_name, kept, len(entries))
    if todo:
        # What a kill leaves without a line of its own is then known to be ours.
        begun = {e.sample.id: _line(e, places, sha256="", key="") for e in todo}
        replace_file(out / MANIFEST, _manifest(head, done | begun))
        with (out / MANIFEST).open("a", encoding="utf-8") as manifest:
            for i, line in enumerate(in_parallel(write, todo, workers), start=1):
                if isinstance(line, ImageError):
                    failures.append(line)
                else:
                    manifest.write(json.dumps(line) + "\n")
                    manifest.flush()
                    done[line["sample"]] = line
                progress(recipe.rain_name, kept + i, len(entries))
        replace_file(out / MANIFEST, _manifest(head, done))
    failed = {failure.sample for failure in failures}
    for sample_id in failed & done.keys():
        remove_written(out, done.pop(sample_id), _files(places[sample_id], recipe))
    if failed:
        replace_file(out / MANIFEST, _manifest(head, done))
        _cut_labels(dataset, out, places, failed)
    written = sum(e.sample.id not in failed for e in todo)
    return Copied(written, kept, tuple(failures))


def _cut_labels(
    dataset: Dataset, out: Path, places: Mapping[str, PurePosixPath], failed: Collection[str]
) -> None:
    """Leave labels of the images that are there alone, in files of their own and shared ones."""
    if dataset.export_labels is None:
        return
    with tempfile.TemporaryDirectory() as scratch:
        dataset.export_labels(Path(scratch), {i: p for i, p in places.items() if i in failed})
        for file in (f for f in Path(scratch).rglob("*") if f.is_file()):
            (out / file.relative_to(scratch)).unlink(missing_ok=True)
    dataset.export_labels(out, {i: p for i, p in places.items() if i not in failed})


def _places(dataset: Dataset, root: Path, suffix: str) -> dict[str, PurePosixPath]:
    """Where each sample's rainy image goes, relative to the copy."""
    places: dict[str, PurePosixPath] = {}
    users: dict[PurePosixPath, str] = {}
    for sample in dataset.samples:
        source = sample.rainy_path or sample.path
        inner = place_of(source, root)
        if inner is None:
            raise UsageError(
                f"{source} lies outside of {root}, so a copy has no place for it: give the folder "
                "that holds all with --data-root, or leave --pair out"
            )
        place = PurePosixPath(inner.with_suffix(suffix).as_posix())
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
    before = manifest_of(out) or {}
    other = next((k for k in head if before.get(k) != json.loads(json.dumps(head[k]))), None)
    if other is not None:
        raise UsageError(f"{out} was begun with another {other}: name a new folder")
    return entries_of(out)


def _named(sample: Sample) -> Entry | ImageError:
    """A sample named by the contents of its images and depth; its labels are none of the rain's."""
    try:
        return Entry.of(replace(sample, labels=None, label_map_path=None))
    except OSError as error:
        return ImageError(sample.id, "read", message(error))


def _key(entry: Entry, recipe: Recipe) -> str:
    """Names what decides an image beside the manifest's first line."""
    distances: dict[str, str | None] = {"depth": None, **entry.distances("rainy")}
    of_package = recipe.of_package
    return keys.key("synth", image=entry.image, **distances, **of_package, **made_by("rainy"))


def _line(
    entry: Entry, places: Mapping[str, PurePosixPath], sha256: str, key: str
) -> dict[str, str]:
    """An image's line of the manifest."""
    sample = entry.sample.id
    return {"sample": sample, "file": str(places[sample]), "sha256": sha256, "key": key}


def _manifest(head: Mapping[str, Any], lines: Mapping[str, Mapping[str, str]]) -> bytes:
    """The manifest's bytes, a line for each image."""
    return "".join(json.dumps(line) + "\n" for line in (head, *lines.values())).encode()


def _files(place: PurePosixPath, recipe: Recipe) -> dict[str, PurePosixPath]:
    """Where an image and its layers lie, by the names of their digests in its line."""
    layers = {"layers": "layers" / place.with_suffix(".npz")} if recipe.layers else {}
    return {"sha256": place, **layers}


def _require_ours(
    out: Path,
    entries: Iterable[Entry],
    recipe: Recipe,
    places: Mapping[str, PurePosixPath],
    done: Mapping[str, Mapping[str, str]],
) -> None:
    """Refuse to write over what is rained on, or over what no line names and is another file."""
    ours = {line["file"] for line in done.values()}
    for entry in entries:
        place = places[entry.sample.id]
        there = [f for f in _files(place, recipe).values() if (out / f).exists()]
        read = next((file for file in there if _is_read(out / file, entry.sample)), None)
        if read is not None:
            raise UsageError(f"{out / read} is an image to rain on: name a new folder")
        if not there or str(place) in ours:
            continue
        # A kill may have cut its line off.
        made: dict[PurePosixPath, bytes] = {}
        with contextlib.suppress(UnfinishedError):
            made = _made(entry, recipe, places)
        other = next((f for f in there if (out / f).read_bytes() != made.get(f)), None)
        if other is not None:
            raise UsageError(
                f"{out / other} is there, and synth did not write it: name a new folder"
            )


def _is_read(file: Path, sample: Sample) -> bool:
    """Whether a file is one that the sample is read from."""
    read = filter(None, (sample.path, sample.rainy_path, sample.depth_path))
    return any(file.samefile(other) for other in read if file.exists())


def _is_there(
    out: Path,
    entry: Entry,
    line: Mapping[str, str] | None,
    places: Mapping[str, PurePosixPath],
    recipe: Recipe,
) -> bool:
    """Whether an image and its layers are as this call would write them."""
    place = places[entry.sample.id]
    if line is None or (line["file"], line.get("key")) != (str(place), _key(entry, recipe)):
        return False
    return all(
        (out / file).is_file() and keys.file_sha256(out / file) == line.get(name)
        for name, file in _files(place, recipe).items()
    )


def _made(
    entry: Entry, recipe: Recipe, places: Mapping[str, PurePosixPath]
) -> dict[PurePosixPath, bytes]:
    """The files of one image, itself first.

    Raises:
        UnfinishedError: If it cannot be read or encoded, or its rain refuses it.
    """
    sample, quality = entry.sample, recipe.jpeg_quality
    rng = generator(recipe.seed, recipe.rain, sample.id)
    with during("decode"):
        clean, depth = sample.image(), sample.depth_m()
    with during("rain"):
        rainy = recipe.rain.render(clean, rng, depth)
    place, *layers = _files(places[sample.id], recipe).values()
    with during("keep"):
        image = encode_png(rainy.image) if quality is None else encode_jpeg(rainy.image, quality)
    return {place: image, **{file: _layers(rainy) for file in layers}}


def _write(
    entry: Entry, recipe: Recipe, out: Path, places: Mapping[str, PurePosixPath]
) -> dict[str, str] | ImageError:
    """Write one image; returns its line of the manifest, or why there is none."""
    try:
        made = _made(entry, recipe, places)
    except UnfinishedError as error:
        if storage_error(error.cause) is not None:
            raise error.cause from error
        return ImageError(entry.sample.id, error.stage, message(error.cause))
    for file, data in made.items():
        replace_file(out / file, data)
    line = _line(entry, places, sha256="", key=_key(entry, recipe))
    files = _files(places[entry.sample.id], recipe)
    return line | {name: hashlib.sha256(made[file]).hexdigest() for name, file in files.items()}


def _layers(rainy: RainyImage) -> bytes:
    """What `datasets.rain.recompose` needs to make an image again, as npz without pickle."""
    buffer = io.BytesIO()
    parts = {field.name: getattr(rainy, field.name) for field in fields(rainy)}
    del parts["image"]
    arrays = {name: np.asarray(part) for name, part in parts.items() if part is not None}
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()
