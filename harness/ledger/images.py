"""Restored images beside the ledger: a cache, any of which may vanish."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Protocol

from datasets.image import UnreadableImageError, decode
from harness.machine.disk import WorkspaceError, storage_error
from harness.machine.files import aside, found, remove_left
from harness.plan.keys import pixels_sha256


class Images(Protocol):
    """Derained images under their keys, as PNG; `ImageCache` is one."""

    def read(self, key: str) -> bytes | None:
        """One image, None if it is not there."""
        ...

    def write(self, key: str, data: bytes) -> None:
        """Keep one."""
        ...


class ImageCache:
    """Restored images as PNG files under their key; any of them may vanish at any time."""

    def __init__(self, workspace: Path) -> None:
        """Use ``workspace/images``."""
        self._folder = workspace / "images"

    def path(self, key: str) -> Path:
        """Where an image lies, from its key alone."""
        return self._folder / key[:2] / f"{key}.png"

    def read(self, key: str) -> bytes | None:
        """The file's bytes, None if it is not there."""
        try:
            return self.path(key).read_bytes()
        except OSError:
            return None

    def write(self, key: str, data: bytes) -> None:
        """Write to a temporary name and rename.

        Raises:
            OSError: If there is no room.
            WorkspaceError: If it cannot be written for another reason.
        """
        path = self.path(key)
        temporary = aside(path, "tmp")
        try:
            try:
                temporary.write_bytes(data)
            except FileNotFoundError:
                self._folder.mkdir(exist_ok=True)  # where the workspace is gone, the run ends
                path.parent.mkdir(exist_ok=True)
                temporary.write_bytes(data)
            temporary.replace(path)
        except OSError as error:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            if storage_error(error) is not None:
                raise
            raise WorkspaceError(f"{self._folder} cannot be written: {error.strerror}") from error

    def trim(self, gigabytes: float) -> float:
        """Remove the oldest files until the rest fits, and what killed processes left half done.

        Returns:
            The bytes that there is room for beside the rest.
        """
        room = gigabytes * 1e9
        if not self._folder.is_dir():
            return room
        remove_left(self._folder, "*.tmp")
        for _, size, image in sorted(found(self._folder, "*.png"), reverse=True):
            room -= size
            if room < 0:
                image.unlink(missing_ok=True)
        return max(room, 0.0)


def is_whole(data: bytes, digest: str) -> bool:
    """Whether a file of the cache holds the pixels of this digest."""
    try:
        return pixels_sha256(decode(data, "cached image")) == digest
    except UnreadableImageError:
        return False
