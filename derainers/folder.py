"""Images that were restored elsewhere, as a derainer."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from datasets.image import NDArrayByte, NDArrayFloat, decode
from datasets.marked import MARKER, SUFFIXES, shown
from derainers.errors import DerainerError


class Folder:
    """A folder of restored images, one for each sample."""

    def __init__(
        self,
        files: Mapping[str, Path],
        digests: Mapping[str, str],
        inputs: Mapping[str, str] | None = None,
        digest_of: Callable[[NDArrayByte], str] | None = None,
    ) -> None:
        """Remember which file belongs to which sample.

        Args:
            files: By sample id.
            digests: The sha256 that each file must have.
            inputs: Digest of the pixels that a file was made from, where that is known.
            digest_of: Gives that digest.
        """
        self._files, self._digests = dict(files), dict(digests)
        self._inputs, self._digest_of = dict(inputs or {}), digest_of

    def __deepcopy__(self, memo: dict[int, Any]) -> Folder:
        """The same: it keeps nothing."""
        return self

    def restore(self, image: NDArrayByte, sample_id: str) -> NDArrayFloat:
        """The file's image as it is; see `derainers.derainer.Restorer`.

        Raises:
            DerainerError: If its size is not the rainy image's, it was made from another image, or
                it was changed.
            UnreadableImageError: If it cannot be decoded.
        """
        file = self._files[sample_id]
        data = file.read_bytes()
        if hashlib.sha256(data).hexdigest() != self._digests[sample_id]:
            raise DerainerError(
                f"{file.name} changed under the run: run again while nothing writes"
            )
        restored = decode(data, file.name)
        if restored.shape != image.shape:
            (have_h, have_w), (want_h, want_w) = restored.shape[:2], image.shape[:2]
            raise DerainerError(
                f"{file.name} is {have_w}x{have_h}, the rainy image {want_w}x{want_h}: "
                "save restored images at full size"
            )
        made_from = self._inputs.get(sample_id)
        if made_from is not None and self._digest_of and self._digest_of(image) != made_from:
            raise DerainerError(
                f"{file.name} was derained from another image than this: derain this one"
            )
        return restored.astype(np.float32) / np.float32(255.0)


Otherwise = Callable[[Mapping[str, Path]], dict[str, Path] | None]
"""Pairs restored files by other rules; None where these leave an image without one."""


def paired(
    folder: Path,
    names: Mapping[str, Path],
    otherwise: Otherwise = lambda _: None,
    beside: Callable[[], Iterable[str]] = tuple,
) -> dict[str, Path]:
    """The restored file of each sample, by the name of its image without the ending.

    A file below ``folder`` at the image's own relative path comes first, then one of the same stem
    directly in ``folder``, then the only one of that stem in any folder below. Hidden files and
    what the harness wrote below ``folder`` are left out.

    Args:
        folder: Where the restored images lie.
        names: Relative path of each sample's image, by sample id.
        otherwise: Is asked where that leaves images without a file, with all files by their path
            below ``folder`` without ending.
        beside: Gives the names, without ending, of all images of the set's folders, of which the
            samples may be a part: a file of one stem alone could be that of another of these.

    Returns:
        File by sample id.

    Raises:
        DerainerError: If there is no such folder, an image has no file, or two files or two images
            could be meant.
    """
    files = _files(folder)
    stems: dict[str, list[Path]] = {}
    for file in files.values():
        stems.setdefault(file.stem, []).append(file)
    namesakes = cache(lambda: _by_stem(beside()))  # listed where it is needed alone
    pairs: dict[str, Path] = {}
    users: dict[Path, str] = {}
    missing = []
    for sample_id, path in names.items():
        choices = (path.with_suffix("").as_posix(), path.stem)
        same = stems.get(path.stem, [])
        partner = next((files[c] for c in choices if c in files), same[0] if same else None)
        if partner is None:
            missing.append(path.name)
            continue
        if len(same) > 1 and partner not in (files.get(c) for c in choices):
            both = " and ".join(f.relative_to(folder).as_posix() for f in same[:2])
            raise DerainerError(f"dir:{folder.name}: {both} could both be {path.name}: keep one")
        other = users.get(partner)
        if other is None and path.parent.name and partner is not files.get(choices[0]):
            other = next((n for n in namesakes().get(path.stem, ()) if n != choices[0]), None)
        if other is not None:
            raise DerainerError(
                f"dir:{folder.name}: {partner.name} could be images {other} and "
                f"{sample_id}: lay the files out in the data set's own subfolders"
            )
        users[partner] = sample_id
        pairs[sample_id] = partner
    if missing and (others := otherwise(files)) is not None:
        return others
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise DerainerError(
            f"dir:{folder.name}: no restored image for {missing[0]}{more} of {len(names)}: "
            "restore them too, each called as its rainy image, or name fewer with --limit"
        )
    return pairs


def _files(folder: Path) -> dict[str, Path]:
    """The images of a folder by their path below it without ending."""
    if not folder.is_dir():
        raise DerainerError(f"dir:{folder}: no such folder; give the one with the restored images")
    files: dict[str, Path] = {}
    for file in shown(_images(folder), folder):
        name = file.relative_to(folder).with_suffix("").as_posix()
        if name in files:
            raise DerainerError(
                f"dir:{folder.name}: {files[name].name} and {file.name} are one image: remove one"
            )
        files[name] = file
    return files


def _images(folder: Path) -> Iterator[Path]:
    """Image files of a folder and all below it, through links too, but for what we wrote below."""
    seen: set[Path] = set()
    for word, below, names in os.walk(folder, followlinks=True):
        here = Path(word)
        real = here.resolve()
        if real in seen or (MARKER in names and here != folder):
            below.clear()
            continue
        seen.add(real)
        below.sort()
        found = (here / name for name in names)
        yield from (f for f in found if f.suffix.lower() in SUFFIXES and f.is_file())


def _by_stem(names: Iterable[str]) -> dict[str, list[str]]:
    """Names by the last of their parts."""
    found: dict[str, list[str]] = {}
    for name in names:
        found.setdefault(PurePosixPath(name).name, []).append(name)
    return found
