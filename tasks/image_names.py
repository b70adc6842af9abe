"""Which image of a set the file names in results are of."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from pathlib import PurePosixPath

from datasets.names import composed, text_of
from datasets.sample import Sample
from tasks.task import TaskError


class ImageNames:
    """The images of a set by their files' names and stems, or their stems as numbers.

    Of several images of one name those are meant whose folders the name begins with.
    """

    def __init__(self, samples: Iterable[Sample]) -> None:
        """Take the images."""
        self._paths = [composed(sample.path.as_posix()) for sample in samples]
        self._named: dict[str | int, list[int]] = defaultdict(list)
        self._of_text: dict[str, list[int]] = {}
        self._of_number: str | None = None
        """A shared name whose images go by the number in it, or its stem."""
        self._has_ids = False
        """Whether images of a shared name go by another id than that."""
        for place, path in enumerate(self._paths):
            inner = PurePosixPath(path)
            for name in {inner.name, inner.stem}:
                self._named[name].append(place)
            if _is_number(inner.stem):
                self._named[int(inner.stem)].append(place)

    def places(self, image: int | str) -> list[int]:
        """The places of the images that a name, a path or a number may mean."""
        if isinstance(image, int):
            return self._named.get(image, [])
        if image not in self._of_text:
            self._of_text[image] = self._of_path(composed(image).replace("\\", "/"))
        return self._of_text[image]

    def place(self, image: int | str) -> int | None:
        """The place of the one image that is meant; None of none and of several."""
        found = self.places(image)
        return found[0] if len(found) == 1 else None

    def _of_path(self, path: str) -> list[int]:
        """As `places`, of the longest end that some have."""
        *folders, name = PurePosixPath(path).parts or ("",)
        named = self._named.get(name, [])
        for start in range(len(folders) if len(named) > 1 else 0):
            end = "/".join(["", *folders[start:]])
            inside = [i for i in named if f"/{self._folder(i)}".endswith(end)]
            if inside:
                return inside
        return named

    def _folder(self, place: int) -> str:
        return self._paths[place].rpartition("/")[0]

    def shared(self, name: str, image: int | str) -> None:
        """Note a result that names a file as several images are called, and the id beside it."""
        stem = PurePosixPath(name.replace("\\", "/")).stem
        if str(image) in (stem, str(int(stem)) if _is_number(stem) else stem):
            self._of_number = name
        else:
            self._has_ids = True

    def require_ids(self, file: str) -> None:
        """Refuse results of several images of one name without the set's ids.

        ultralytics takes the number in a file's name for the id, whatever folder it lies in.

        Raises:
            TaskError: With two of the images.
        """
        if self._of_number is not None and not self._has_ids:
            raise TaskError(f"{file}: {self._of_number} {self.doubt(self._of_number)}")

    def doubt(self, image: int | str) -> str:
        """What to say of a name that several images have; nothing of others."""
        found = [PurePosixPath(self._paths[i]) for i in self.places(image)[:2]]
        if len(found) < 2:
            return ""
        one, two = (text_of(f"{path.parent.name}/{path.name}") for path in found)
        return f"may be {one} or {two}: write paths, or the data set's ids"


def _is_number(stem: str) -> bool:
    return stem.isascii() and stem.isdecimal()
