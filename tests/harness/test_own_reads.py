"""Files that own code reads for one image: their contents stand in no key."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pytest
from own import number, spec_of

from harness import RunSpec, run
from harness.plan.origins import is_data
from harness.spec import UsageError

MAPS = """
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent


class Mapped:
    def restore(self, image, sample_id):
        factor = np.load(HERE / f"{sample_id}.npy")
        return (image * factor / 255).astype("float32")


def build():
    return Mapped()


def build_said():
    made = Mapped()
    made.digest = (HERE / "digest.txt").read_text()
    return made


class Piped:
    def restore(self, image, sample_id):
        np.save(HERE / f"{sample_id}-made.npy", image)
        return np.load(HERE / f"{sample_id}-made.npy") / 510


def piped():
    return Piped()
"""
DETECTOR = """
from pathlib import Path

import numpy as np


def build():
    def detect(image):
        if image.shape[0] not in (64, 65):
            (Path(__file__).parent / "large.txt").read_text()
        return {"boxes": np.zeros((0, 4)), "scores": np.zeros(0), "classes": np.zeros(0, int)}
    return detect
"""


def maps(folder: Path, factor: float) -> None:
    (folder / "maps.py").write_text(MAPS)
    (folder / "digest.txt").write_text(str(factor))
    for i in range(2):
        np.save(folder / f"p{i}.png.npy", factor)
        age(folder / f"p{i}.png.npy")


def age(file: Path) -> None:
    """What is older than a call was not written by it."""
    os.utime(file, (0, 0))


@pytest.mark.parametrize("word", ["{}", "{}+median"])
def test_a_file_that_is_read_for_an_image_is_refused(word: str, folder: Path) -> None:
    maps(folder, 1.0)
    said = r"maps:build reads .*p\d\.png\.npy for an image.*digest.*dir:FOLDER"
    with pytest.raises(UsageError, match=said.replace("build", "build.*")):
        run(spec_of(folder, word.format(f"{folder / 'maps.py'}:build")))


def test_what_tells_a_time_to_come_was_not_written_by_the_call(folder: Path) -> None:
    maps(folder, 1.0)
    for i in range(2):
        os.utime(folder / f"p{i}.png.npy", (2**32, 2**32))
    time.sleep(0.3)
    with pytest.raises(UsageError, match=r"maps:build reads .*p\d\.png\.npy for an image"):
        run(spec_of(folder, f"{folder / 'maps.py'}:build"))


def test_a_system_keeps_no_data_of_users(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "is_file", lambda _: True)
    for file in ("/usr/src/app/0.npy", "/usr/workspace/maps/0.npy", "/dev/shm/0.npy", "/data/0"):
        assert is_data(file)
    for file in ("/usr/share/zoneinfo/UTC", "/etc/localtime", "/usr/lib/x.so", "/proc/stat"):
        assert not is_data(file)


def test_a_digest_stands_for_files_that_are_read_for_an_image(folder: Path) -> None:
    maps(folder, 1.0)
    word = f"{folder / 'maps.py'}:build_said"
    before = number(folder, word)
    maps(folder, 0.5)
    assert number(folder, word) < before - 3


def test_what_a_call_wrote_itself_it_may_read(folder: Path) -> None:
    maps(folder, 1.0)
    number(folder, f"{folder / 'maps.py'}:piped")


def test_a_file_that_a_task_network_reads_for_an_image_is_refused(
    folder: Path, coco_root: Path
) -> None:
    (folder / "large.txt").write_text("")
    age(folder / "large.txt")
    (folder / "found.py").write_text(DETECTOR)
    spec = RunSpec(
        dataset="coco",
        data_root=str(coco_root),
        derainer=("identity",),
        rain=("none",),
        quality=("none",),
        task=("detection",),
        model={"detection": (f"{folder / 'found.py'}:build",)},
        workspace=str(folder / "runs"),
    )
    with pytest.raises(UsageError, match=r"found:build reads .*large\.txt for an image"):
        run(spec)
