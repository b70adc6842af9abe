"""Rendered scenes as a data set of files: made once, then read like any other.

Below the root lies ``v<VERSION>-<digest of these sources>``, a COCO tree with label maps and depth
beside the images::

    annotations/instances_<split>.json    images/<split>/000012.png
    labels/<split>/000012.png             depth/<split>/000012.png
    parts/<split>/000012.json             a scene's part of the annotations, written last

A rendering that was broken off goes on with the scenes whose part is absent. Every file is written
under another name and renamed, and always to the same bytes, so that processes do not meet.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path, PurePosixPath
from typing import Any

from datasets.coco import open_coco
from datasets.fields import Problems
from datasets.image import encode_depth, encode_png
from datasets.label_files import copy_files
from datasets.label_png import encode_labels
from datasets.sample import Dataset, DatasetError, Sample
from datasets.streetsim.classes import CATEGORIES, CLASSES
from datasets.streetsim.scene import VERSION, Scene, render

SIZES = {"demo": (320, 240), "": (640, 480), "720p": (1280, 720)}
COUNTS = {"demo": 24, "val": 100, "test": 500, "study": 240, "val-720p": 100, "test-720p": 500}
ENDLESS = ("train", "train-720p")


@dataclass(frozen=True)
class Split:
    """Which scenes a split holds."""

    seeds: str
    """What `render` calls them."""
    count: int
    size_px: tuple[int, int]

    @property
    def folder(self) -> str:
        """Name of its folders and of its annotation file."""
        return self.seeds if self.seeds in COUNTS else f"{self.seeds}-{self.count}"


def split_of(word: str | None) -> Split:
    """The split of a word; ``demo`` for None.

    Raises:
        DatasetError: If there is none, with those that there are.
    """
    name, colon, number = (word or "demo").partition(":")
    is_endless = name in ENDLESS
    if name not in (*COUNTS, *ENDLESS) or bool(colon) != is_endless:
        raise DatasetError(
            f"--split {word}: streetsim has the splits {', '.join(COUNTS)}, and train:N and "
            "train-720p:N, the first N scenes of an endless one"
        )
    if is_endless and not (number.isascii() and number.isdigit() and 0 < int(number) <= 10**6):
        raise DatasetError(f"--split {word}: the number of scenes must be 1 to 1000000")
    size = SIZES["demo"] if name == "demo" else SIZES[name.partition("-")[2]]
    return Split(name, int(number) if is_endless else COUNTS[name], size)


def open_streetsim(
    root: Path, split: str | None, masks: bool = False, problems: Problems | None = None
) -> Dataset:
    """Open a split of rendered street scenes; it is rendered first where it is not there.

    Args:
        root: Folder to render into; made where it is absent.
        split: ``demo`` (24 scenes of 320x240, the default), ``val`` (100), ``test`` (500) and
            ``study`` (240) of 640x480, ``val-720p`` and ``test-720p`` of 1280x720, or ``train:N``,
            ``train-720p:N``.
        masks: Whether objects carry their masks.
        problems: Takes what is wrong with single entries, which are then left out.

    Returns:
        Samples named by the scene's number, with boxes, label maps, depth, and the attributes
        ``timeofday``, ``sky`` and ``place``; each a group of its own.

    Raises:
        DatasetError: For an unknown split.
        OSError: If a file cannot be written.
    """
    chosen = split_of(split)
    tree = _tree(root)
    file = tree / "annotations" / f"instances_{chosen.folder}.json"
    if not file.is_file():
        _render_all(tree, chosen, file)
    opened = open_coco(tree, chosen.folder, masks, problems)
    samples = [_with_files(tree, chosen, sample) for sample in opened.samples]
    files = {s.id: [f for f in (s.label_map_path, s.depth_path) if f] for s in samples}
    return replace(
        opened,
        name="streetsim",
        split=split or "demo",
        samples=samples,
        classes=dict(enumerate(CLASSES)),
        export_labels=partial(_export, opened, files, tree),
        notes=("streetsim: rendered scenes, not photographs",),
    )


@cache
def tree_name() -> str:
    """Folder of what these sources render: others have one of their own, and never each other's."""
    h = hashlib.sha256()
    for file in sorted(Path(__file__).parent.glob("*.py")):
        h.update(f"{file.name} ".encode() + hashlib.sha256(file.read_bytes()).digest())
    return f"v{VERSION}-{h.hexdigest()[:8]}"


def _tree(root: Path) -> Path:
    """Where the scenes of these sources lie, or those of a copy, whoever rendered what it is of.

    A copy has no ``parts``: without this, clean scenes would be rendered beside its rainy ones.
    """
    own = root / tree_name()
    copies = [
        tree
        for tree in sorted(root.glob("v*"))
        if (tree / "annotations").is_dir() and not (tree / "parts").is_dir()
    ]
    if own.is_dir() or not copies:
        return own
    if len(copies) > 1:
        names = " and ".join(tree.name for tree in copies)
        raise DatasetError(f"{root}: holds copies of several renderings, {names}: leave one")
    return copies[0]


def _with_files(tree: Path, split: Split, sample: Sample) -> Sample:
    """The sample with its label map and depth."""
    label_map, depth = (
        tree / kind / split.folder / f"{sample.path.stem}.png" for kind in ("labels", "depth")
    )
    return replace(sample, label_map_path=label_map, depth_path=depth)


def _export(
    opened: Dataset,
    files: Mapping[str, list[Path]],
    tree: Path,
    out: Path,
    places: Mapping[str, PurePosixPath],
) -> None:
    """Write labels and depth of a copy, which is a root like that of `open_streetsim`."""
    inner = {key: place.relative_to(tree.name) for key, place in places.items()}
    copy = out / tree.name
    copy.mkdir(exist_ok=True)
    copy_files(files, tree, copy, inner)
    if opened.export_labels is not None:
        opened.export_labels(copy, inner)


def _render_all(tree: Path, split: Split, file: Path) -> None:
    """Render what is absent, then write the annotation file."""
    for kind in ("images", "labels", "depth", "parts"):
        (tree / kind / split.folder).mkdir(parents=True, exist_ok=True)
    (tree / "annotations").mkdir(exist_ok=True)
    parts = [tree / "parts" / split.folder / f"{i:06d}.json" for i in range(split.count)]
    absent = [i for i, part in enumerate(parts) if not part.is_file()]
    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        list(pool.map(partial(_render_one, tree, split), absent))
    images: list[Any] = []
    objects: list[Any] = []
    for part in parts:
        scene = json.loads(part.read_bytes())
        images.append(scene["image"])
        objects += [{"id": len(objects) + 1 + i, **o} for i, o in enumerate(scene["objects"])]
    content = {
        "info": {"description": "streetsim", "version": str(VERSION)},
        "images": images,
        "annotations": objects,
        "categories": [{"id": key, "name": name} for key, name in CATEGORIES.items()],
    }
    _write(file, json.dumps(content).encode())


def _render_one(tree: Path, split: Split, index: int) -> None:
    """Render one scene and write its files."""
    scene = render(split.seeds, index, split.size_px)
    name = f"{index:06d}"
    for kind, data in (
        ("images", encode_png(scene.image)),
        ("labels", encode_labels(scene.label_map)),
        ("depth", encode_depth(scene.depth_m)),
    ):
        _write(tree / kind / split.folder / f"{name}.png", data)
    part = {
        "image": {
            "id": index,
            "file_name": f"{name}.png",
            "width": split.size_px[0],
            "height": split.size_px[1],
            "attributes": dict(scene.attributes),
        },
        "objects": _objects(scene, index),
    }
    _write(tree / "parts" / split.folder / f"{name}.json", json.dumps(part).encode())


def _objects(scene: Scene, index: int) -> list[dict[str, Any]]:
    """Entries of COCO's annotation list, without ids."""
    a = scene.annotations
    entries = []
    rows = zip(
        a.boxes_xyxy_px.tolist(), a.categories, a.areas_px2, a.is_crowd, a.masks, strict=True
    )
    for (left, top, right, bottom), category, area, is_crowd, mask in rows:
        size = [mask.height_px, mask.width_px]
        entries.append(
            {
                "image_id": index,
                "category_id": int(category),
                "bbox": [left, top, right - left, bottom - top],
                "area": float(area),
                "iscrowd": int(is_crowd),
                "segmentation": {"size": size, "counts": mask.counts.decode()},
            }
        )
    return entries


def _write(file: Path, data: bytes) -> None:
    """Write a file that is whole or not there."""
    temporary = file.with_name(f"{file.name}.{os.getpid()}-{threading.get_ident()}.tmp")
    temporary.write_bytes(data)
    temporary.replace(file)
