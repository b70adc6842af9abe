"""Any images derained into a folder, without labels: what is done there is not done again."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from datasets import Dataset, Sample
from datasets.folder import image_files, require_data
from datasets.image import encode_jpeg, encode_png
from datasets.marked import MANIFEST, SUFFIXES
from datasets.names import text_of
from harness.ledger.ledger import Ledger
from harness.machine.device import one_thread_each, placement
from harness.machine.disk import message, storage_error
from harness.plan import keys
from harness.plan.derainers import DerainerPlan, derainer_plan
from harness.plan.manifest import entries_of, line_of, manifest_of, saved_names
from harness.plan.plan import ConditionPlan, Plan
from harness.plan.unit_keys import Entry, Keyring
from harness.runs.copies import in_parallel, remove_written, replace_file
from harness.runs.engine import Progress
from harness.runs.engine import entries_of as named_by_contents
from harness.runs.export import folder_names
from harness.spec import RunSpec, UsageError
from harness.work.doubts import check
from harness.work.restoration import Restorers, restoration
from harness.work.scene import Photograph, Scene, UnfinishedError, during
from harness.work.seats import Seats
from harness.work.trial import tried
from reports.results.cell import Condition, Data
from reports.results.record import ImageError

FILMS = {".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg"}
RAIN = "given"


@dataclass(frozen=True)
class Written:
    """What was done for one derainer."""

    derainer: str
    folder: Path
    written: int
    kept: int
    """Images that an earlier call had written already."""
    failures: tuple[ImageError, ...]
    said: str | None
    """Which weights these are, and for what they stand in."""


@dataclass(frozen=True)
class _Copy:
    """One derainer's folder."""

    plan: Plan
    condition: ConditionPlan
    out: Path
    places: dict[str, str]
    jpeg_quality: int | None

    def key(self, entry: Entry) -> str:
        """Names the image that comes out: input, derainer, number format, file format."""
        restored = Keyring(self.plan, self.condition).of(entry).restored
        return restored if self.jpeg_quality is None else f"{restored}-q{self.jpeg_quality}"


def gathered(inputs: Sequence[Path], out: Path) -> list[Sample]:
    """The images of files and folders, each folder's in the order of their numbers.

    Args:
        inputs: One folder, whose images are named by their paths in it; or several files and
            folders, whose images are named by the folder's name too.
        out: Where derained images go; what lies there is none of the images.

    Raises:
        UsageError: If there is none, one is no image, or two have one name.
        DatasetError: If the harness wrote into a folder.
    """
    samples: dict[str, Sample] = {}
    for given in inputs:
        if not given.exists():
            raise UsageError(f"{given}: no such file or folder")
        if given.is_dir() and given.resolve() == out.resolve():
            raise UsageError(f"--out {out} holds the images to derain: name another folder")
        if given.is_dir():
            require_data(given)
        top = given.parent if given.is_file() or len(inputs) > 1 else given
        for file in _images(given, out.resolve()):
            name = text_of(file.relative_to(top).as_posix())
            if name in samples:
                raise UsageError(f"{samples[name].path} and {file} are both {name}: derain apart")
            samples[name] = Sample(name, file, group=name, rainy_path=file, has_clean=False)
    if not samples:
        raise UsageError(f"{inputs[0]}: no image there ({' '.join(sorted(SUFFIXES))})")
    return list(samples.values())


def _images(given: Path, out: Path) -> list[Path]:
    """The image files that one word names."""
    if given.is_file():
        if given.suffix.lower() in FILMS:
            raise UsageError(
                f"{given.name} is a film: give its frames, ffmpeg -i {given.name} frames/%06d.png"
            )
        if given.suffix.lower() not in SUFFIXES:
            raise UsageError(f"{given.name}: none of {' '.join(sorted(SUFFIXES))}")
        return [given]
    found = (f for f in image_files(given) if not f.resolve().is_relative_to(out))
    return sorted(found, key=lambda f: _natural(f.relative_to(given).as_posix()))


def _natural(name: str) -> list[tuple[int, str]]:
    """Sorts frame-2 before frame-10."""
    parts = re.split(r"([0-9]+)", name)
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]


def derain(
    samples: Sequence[Sample],
    spec: RunSpec,
    out: Path,
    jpeg_quality: int | None = None,
    progress: Progress = lambda *_: None,
    say: Callable[[str], None] = lambda _: None,
) -> list[Written]:
    """Derain images into a folder, or with several derainers a folder for each.

    An image is done again where it, the derainer or the format is another than when it was written.

    Args:
        samples: From `gathered`.
        spec: Names derainers, device, number format, tiles, workers, limit and workspace.
        out: Folder of what is written; sub-folders stay as they are.
        jpeg_quality: 1 to 100; None writes PNG.
        progress: Told of every finished image.
        say: Told what looks wrong with a network from elsewhere.

    Raises:
        UsageError, DerainerError: In one line; nothing is written over that is not ours.
    """
    ledger = Ledger(Path(spec.workspace))
    try:
        plan = tried(_plan(samples, spec), ledger)
        for doubt in check(plan, ledger):
            say(doubt)
    finally:
        ledger.close()
    entries, unread = named_by_contents(plan)
    names = folder_names(c.derainer.name for c in plan.conditions)
    suffix = ".png" if jpeg_quality is None else ".jpg"
    places = saved_names(samples, suffix)
    copies = []
    for condition in plan.conditions:
        name = condition.derainer.name
        folder = out / names[name] if len(plan.conditions) > 1 else out
        copies.append(_Copy(plan, condition, folder, places, jpeg_quality))
    begun = [_begun(copy, entries) for copy in copies]
    return [
        _derained(copy, entries, done, tuple(unread.values()), progress)
        for copy, done in zip(copies, begun, strict=True)
    ]


def _plan(samples: Sequence[Sample], spec: RunSpec) -> Plan:
    """Each derainer on the images as they are."""
    dataset = Dataset("folder", "all", samples)
    kept = {sample.id for sample in dataset.limited(spec.limit).samples}
    dataset = replace(dataset, samples=[s for s in samples if s.id in kept])
    derainers: dict[str, DerainerPlan] = {}
    for word in dict.fromkeys(spec.derainer):
        if word == "identity" or any(part.startswith("dir:") for part in word.split("+")):
            raise UsageError(f"--derainer {word} derains nothing: name a network")
        derainer = derainer_plan(word, {}, dataset)
        if derainer.is_identity or derainer.folders:
            raise UsageError(f"--derainer {word} derains nothing: name a network")
        if derainers.setdefault(derainer.name, derainer).key != derainer.key:
            raise UsageError(f"--derainer: two are called {derainer.name}: rename a file")
    conditions = tuple(
        ConditionPlan(Condition(Data("folder", "all"), RAIN, spec.seed, d.method, None), d)
        for d in derainers.values()
    )
    return Plan(spec, dataset, {}, conditions, (), (), placement(spec))


def _begun(copy: _Copy, entries: Iterable[Entry]) -> dict[str, dict[str, str]]:
    """What the folder's manifest holds already.

    Raises:
        UsageError: If it was not written by this verb, or an image would be written over a file
            that was not.
    """
    made = manifest_of(copy.out) if copy.out.is_dir() else None
    if made is not None and "derained" not in made:
        raise UsageError(f"{copy.out} was not written by derain: name another folder")
    done = {} if made is None else entries_of(copy.out)
    ours = {entry["file"] for entry in done.values()}
    for entry in entries:
        place = copy.places[entry.sample.id]
        file = copy.out / place
        if file.exists() and (place not in ours or file.samefile(entry.sample.path)):
            raise UsageError(f"{file} is there, and derain did not write it: name another --out")
    return done


def _derained(
    copy: _Copy,
    entries: Sequence[Entry],
    done: dict[str, dict[str, str]],
    unread: tuple[ImageError, ...],
    progress: Progress,
) -> Written:
    """Write what one derainer's folder lacks."""
    todo = [entry for entry in entries if not _is_there(copy, entry, done.get(entry.sample.id))]
    derainer, kept = copy.condition.derainer, len(entries) - len(todo)
    label, said = derainer.name, derainer.said
    progress(label, kept, len(entries))
    if not todo:
        _remove_stale(copy, done, unread)
        return Written(label, copy.out, 0, kept, unread, said)
    _remove_renamed(copy, done, todo)
    # What a kill leaves without a line of its own is then known to be ours.
    names = [entry.sample.id for entry in todo]
    begun = {i: {"sample": i, "file": copy.places[i], "sha256": ""} for i in names}
    lines = [_head(copy), *{**done, **begun}.values()]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    replace_file(copy.out / MANIFEST, text.encode())
    failures = list(unread)
    with one_thread_each(copy.plan.device), (copy.out / MANIFEST).open("a") as manifest:
        restorers = Restorers(derainer, copy.plan.placement, Seats(copy.plan.placement))
        work = partial(_write, copy=copy, restorers=restorers)
        for i, line in enumerate(in_parallel(work, todo, copy.plan.workers), start=1):
            if isinstance(line, ImageError):
                failures.append(line)
            else:
                manifest.write(json.dumps(line) + "\n")
                manifest.flush()
            progress(label, kept + i, len(entries))
    _remove_stale(copy, done, failures)
    written = len(todo) - (len(failures) - len(unread))
    return Written(label, copy.out, written, kept, tuple(failures), said)


def _remove_renamed(
    copy: _Copy, done: Mapping[str, Mapping[str, str]], todo: Iterable[Entry]
) -> None:
    """Remove what earlier calls made under names that are no image's any more: another format's."""
    places = set(copy.places.values())
    for line in (done[entry.sample.id] for entry in todo if entry.sample.id in done):
        if line["file"] not in places:
            remove_written(copy.out, line, {"sha256": line["file"]})


def _remove_stale(
    copy: _Copy, done: Mapping[str, Mapping[str, str]], failures: Iterable[ImageError]
) -> None:
    """Remove what earlier calls made of images that fail now: it is of what they were."""
    for sample in {f.sample for f in failures} & done.keys():
        remove_written(copy.out, done[sample], {"sha256": copy.places[sample]})


def _head(copy: _Copy) -> dict[str, Any]:
    """The manifest's first line; which rain it was only each image's own input tells."""
    return {
        "derained": 1,
        "rain": None,
        "rain_sha256": None,
        "seed": copy.plan.spec.seed,
        "derainer": copy.condition.derainer.name,
        "dtype": copy.plan.placement.dtype,
        "tile_px": copy.plan.placement.tile_px,
        "jpeg_quality": copy.jpeg_quality,
    }


def _is_there(copy: _Copy, entry: Entry, line: dict[str, str] | None) -> bool:
    """Whether an image is as this call would write it."""
    place = copy.places[entry.sample.id]
    if line is None or (line["file"], line.get("key")) != (place, copy.key(entry)):
        return False
    file = copy.out / place
    return file.is_file() and keys.file_sha256(file) == line["sha256"]


def _write(entry: Entry, copy: _Copy, restorers: Restorers) -> dict[str, str] | ImageError:
    """Derain and write one image; returns its line of the manifest."""
    scene = Scene(copy.plan, copy.condition.rain, Photograph(entry))
    place = copy.places[entry.sample.id]
    try:
        made = restoration(scene, copy.condition, restorers.own()).image
        quality = copy.jpeg_quality
        with during("keep"):
            data = encode_png(made) if quality is None else encode_jpeg(made, quality)
    except UnfinishedError as error:
        if storage_error(error.cause) is not None or isinstance(error.cause, UsageError):
            raise error.cause from error
        return ImageError(entry.sample.id, error.stage, message(error.cause))
    replace_file(copy.out / place, data)
    given = keys.pixels_sha256(scene.rainy)
    return {**line_of(entry.sample.id, place, data, given), "key": copy.key(entry)}
