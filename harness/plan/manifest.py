"""The manifest beside rainy or derained images: what made them, and which image is whose."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from datasets import Dataset, DatasetError, Sample
from datasets.folder import by_name
from datasets.marked import HEAD, LONGEST_LINE, MANIFEST, is_copy
from datasets.names import text_of
from datasets.pairs import Side, pairs_of
from datasets.partners import partners
from harness.spec import UsageError


class RestoredFile(NamedTuple):
    """An image that was restored elsewhere, or by us."""

    path: Path
    input: str | None = None
    """Digest of the pixels that it was made from, where its manifest says so."""
    made_in: Path | None = None
    """The folder whose manifest that is."""


def manifest_of(folder: Path) -> dict[str, Any] | None:
    """First line of a folder's manifest; None where it has none.

    Raises:
        UsageError: If there is one that the harness did not write.
    """
    file = folder / MANIFEST
    if not file.is_file():
        return None
    with file.open(encoding="utf-8", errors="replace") as lines:
        return head_of(lines.readline(LONGEST_LINE), file)


def head_of(line: str, file: Path) -> dict[str, Any]:
    """A manifest's first line.

    Raises:
        UsageError: If it is none.
    """
    try:
        content = json.loads(line)
        if isinstance(content, dict) and content.keys() >= HEAD:
            return content
    except (ValueError, RecursionError):
        pass
    raise UsageError(f"{file} is no manifest of synth, run or derain: name another folder")


def entry_of(line: str, number: int, file: Path) -> dict[str, str]:
    """The entry of a line of the manifest: sample, file, sha256 and more, all text.

    Raises:
        UsageError: If it is none, or names a file outside of the folder.
    """
    with contextlib.suppress(ValueError, RecursionError):
        entry = json.loads(line)
        if (
            isinstance(entry, dict)
            and all(isinstance(value, str) for value in entry.values())
            and {"sample", "file", "sha256"} <= entry.keys()
            and _is_below(entry["file"])
        ):
            return entry
    raise UsageError(f"{file}: line {number} is damaged: remove it, or name a new folder")


def _is_below(name: str) -> bool:
    """Whether a name can be that of a file in a folder or below it."""
    path = PurePosixPath(name)
    try:
        lengths = [len(os.fsencode(part)) for part in path.parts]
    except UnicodeEncodeError:
        return False
    is_name = bool(lengths) and max(lengths) < 256 and sum(lengths) < 2048 and "\0" not in name
    return is_name and not path.is_absolute() and ".." not in path.parts


def line_of(sample: str, file: str, data: bytes, made_from: str) -> dict[str, str]:
    """The entry of a derained image.

    Args:
        sample: Its id.
        file: Its path below the folder.
        data: The file's bytes.
        made_from: Digest of the pixels that it was made from.
    """
    sha256 = hashlib.sha256(data).hexdigest()
    return {"sample": sample, "file": file, "sha256": sha256, "input": made_from}


def entries_of(folder: Path) -> dict[str, dict[str, str]]:
    """The last entry of each sample in a folder's manifest; a line cut by a kill is none.

    Raises:
        UsageError: If the manifest is damaged.
    """
    file, entries = folder / MANIFEST, {}
    with file.open(encoding="utf-8", errors="replace") as lines:
        head_of(lines.readline(LONGEST_LINE), file)
        number = 1
        while line := lines.readline(LONGEST_LINE):
            number += 1
            if line.endswith("\n"):
                entry = entry_of(line, number, file)
                entries[entry["sample"]] = entry
    return entries


def rain_of_copy(dataset: Dataset, folders: Iterable[Path]) -> str | None:
    """The rain and seed of a rainy copy that a set's own images are; None where they are none.

    Args:
        dataset: Of pairs the rainy images are not its own.
        folders: Where the copy may begin.
    """
    paths = {sample.path for sample in dataset.samples}
    for folder in filter(is_copy, dict.fromkeys(folders)):
        head = manifest_of(folder) or {}
        is_rainy = head.get("rain") is not None and "derainer" not in head
        if is_rainy and any(folder / e["file"] in paths for e in entries_of(folder).values()):
            return f"{head['rain']}, seed {head['seed']}"
    return None


def shown_names(samples: Iterable[Sample]) -> dict[str, Path]:
    """The relative path by which each sample's image is known, with its ending, by id.

    Ids of plain folders and of pairs are paths; those of other sets are not, and their images,
    which may lie anywhere, are known by the file's own name.
    """
    names = {}
    for sample in samples:
        path, inside = sample.rainy_path or sample.path, PurePosixPath(sample.id)
        is_inside = not inside.is_absolute() and ".." not in inside.parts
        if inside.suffix == path.suffix and is_inside:
            names[sample.id] = Path(inside)
        elif inside.name == text_of(path.stem) and is_inside:
            names[sample.id] = Path(inside.with_name(path.name))
        else:
            names[sample.id] = Path(path.name)
    return names


def saved_names(samples: Iterable[Sample], suffix: str = ".png") -> dict[str, str]:
    """The relative path under which each sample's image is saved, by id; no two are one.

    It is the image's own with another ending. Where that would be two images' the old ending stays
    before the new one, and where that does not help, the beginning of the id's sha256.
    """
    names = {i: PurePosixPath(text_of(str(n))) for i, n in shown_names(samples).items()}
    plain = {i: name.with_suffix(suffix) for i, name in names.items()}
    whole = {i: name.with_name(name.name + suffix) for i, name in names.items()}
    long = {
        i: name.with_name(f"{name.stem}-{hashlib.sha256(i.encode()).hexdigest()[:8]}{suffix}")
        for i, name in names.items()
    }
    chosen = plain
    for other in (whole, long):
        shared = Counter(str(name).casefold() for name in chosen.values())
        chosen = {i: n if shared[str(n).casefold()] == 1 else other[i] for i, n in chosen.items()}
    return {i: str(name) for i, name in chosen.items()}


def restored_files(folder: Path, dataset: Dataset) -> dict[str, RestoredFile]:
    """The restored image of each sample, by id.

    A manifest that names all samples says it; else the names of the files do, in a folder without a
    manifest by the rules of `datasets.partners` too. What an image was made of the nearest manifest
    says, which may lie in a folder below or above the one named.

    Raises:
        DerainerError: If an image has none, or could have two.
        UsageError: If the manifest is damaged, or a file is not the one that it names.
    """
    from derainers.folder import paired

    head = manifest_of(folder)
    entries = {} if head is None else entries_of(folder)
    files = {s.id: folder / entries[s.id]["file"] for s in dataset.samples if s.id in entries}
    if len(files) < len(dataset.samples) or not all(file.is_file() for file in files.values()):
        otherwise = partial(_by_rules, folder, dataset)
        names = shown_names(dataset.samples)
        rainy = {i: name.with_suffix("").as_posix() for i, name in names.items()}
        pair = partial(paired, folder, names, beside=partial(_beside, dataset, rainy))
        files = pair(otherwise) if head is None else pair()
    manifests: dict[Path, _Manifest | None] = {}
    return {
        i: _restored(file.absolute(), folder.absolute(), manifests) for i, file in files.items()
    }


def _by_rules(
    folder: Path, dataset: Dataset, restored: Mapping[str, Path]
) -> dict[str, Path] | None:
    """Restored files by the rainy names, else by the clean ones; None where neither gives all.

    They are held against all names of the set's folders: of a part of them alone, ``1_2_restored``
    could be taken for that of ``1``.

    Args:
        folder: Theirs.
        dataset: What they are of.
        restored: They, by name.

    Raises:
        DerainerError: If two of them could be one image.
    """
    rainy = {i: name.with_suffix("").as_posix() for i, name in shown_names(dataset.samples).items()}
    for names, others in ((rainy, _beside(dataset, rainy)), _clean(dataset, rainy, restored)):
        try:
            found = partners(restored, others)
        except DatasetError:
            continue
        choices: dict[str, list[str]] = {}
        for name, other in found.clean.items():
            # The only image of a folder is not known to be this one.
            if name not in found.of_scene:
                choices.setdefault(other, []).append(name)
        if names and all(name in choices for name in names.values()):
            return {i: restored[_one(folder, choices[n], n, restored)] for i, n in names.items()}
    return None


def _one(folder: Path, names: Sequence[str], wanted: str, restored: Mapping[str, Path]) -> str:
    """The name among some that is the wanted one, or the only one."""
    from derainers.errors import DerainerError

    if wanted in names:
        return wanted
    if len(names) > 1:
        both = " and ".join(restored[name].name for name in names[:2])
        raise DerainerError(f"dir:{folder.name}: {both} could both be {wanted}: keep one")
    return names[0]


def _beside(dataset: Dataset, names: Mapping[str, str]) -> set[str]:
    """The rainy names, and all that lie beside them."""
    found = set(names.values())
    for home in _homes(dataset, names):
        with contextlib.suppress(DatasetError):
            found |= by_name(home).keys()
    return found


def _clean(
    dataset: Dataset, rainy: Mapping[str, str], restored: Mapping[str, Path]
) -> tuple[Mapping[str, str], Collection[str]]:
    """The clean names, and all that lie beside them; none unless each has one rainy image alone."""
    homes = _homes(dataset, rainy), {sample.path.parent for sample in dataset.samples}
    if any(len(each) != 1 for each in homes) or any("/" in name for name in restored):
        return {}, ()
    try:
        whole = pairs_of(Side(homes[0].pop()), Side(homes[1].pop()), None)
    except DatasetError:
        return {}, ()
    uses = Counter(whole.paired.clean.values())
    names = {s.id: whole.paired.clean.get(rainy[s.id], "") for s in dataset.samples}
    is_told = all(
        uses[names[s.id]] == 1 and whole.clean.get(names[s.id]) == s.path for s in dataset.samples
    )
    return (names if is_told else {}), whole.clean


def _homes(dataset: Dataset, names: Mapping[str, str]) -> set[Path]:
    """The folders below which the rainy images have their names."""
    found = set()
    for sample in dataset.samples:
        above, depth = (sample.rainy_path or sample.path).parents, names[sample.id].count("/")
        found |= set(above[depth : depth + 1])
    return found


class _Manifest(NamedTuple):
    """The manifest of a folder."""

    is_derained: bool
    entries: dict[Path, dict[str, str]]
    """By file."""


def _restored(file: Path, folder: Path, manifests: dict[Path, _Manifest | None]) -> RestoredFile:
    """A restored image with what the nearest manifest says of it.

    Args:
        file: It.
        folder: The one that was named. A manifest above that counts where it names the image.
        manifests: Those that were read, which this adds to.
    """
    for place in file.parents:
        is_inside = place == folder or folder in place.parents
        if place not in manifests:
            manifests[place] = _read(place, is_inside)
        manifest = manifests[place]
        if manifest is not None and (is_inside or file in manifest.entries):
            made_from = _input(file, manifest.entries) if manifest.is_derained else None
            return RestoredFile(file, made_from, place)
    return RestoredFile(file)


def _read(place: Path, is_inside: bool) -> _Manifest | None:
    """The manifest of a folder; above the one that was named another's file is none of ours."""
    try:
        head = manifest_of(place)
        entries = {} if head is None else entries_of(place)
    except (UsageError, OSError):
        if is_inside:
            raise
        return None
    if head is None:
        return None
    return _Manifest("derainer" in head, {place / e["file"]: e for e in entries.values()})


def _input(file: Path, by_file: Mapping[Path, Mapping[str, str]]) -> str | None:
    """Digest of what a derained image was made from; None where the manifest does not know it."""
    from harness.plan import keys

    entry = by_file.get(file)
    if entry is not None and keys.file_sha256(file) != entry["sha256"]:
        raise UsageError(
            f"{file.parent.name}/{file.name} is not the image that {MANIFEST} names: derain again, "
            f"or remove {MANIFEST} if the change is meant"
        )
    return None if entry is None else entry.get("input")
