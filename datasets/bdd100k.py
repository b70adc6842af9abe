"""BDD100K: frames of 100,000 drives with boxes, instances and classes (Yu et al. 2020).

Reference:
    F. Yu et al., "BDD100K: A diverse driving dataset for heterogeneous multitask learning", CVPR
    2020; its folders and formats: https://doc.bdd100k.com.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from datasets import fields, scalabel
from datasets.class_png import CLASSES, decode_classes
from datasets.fields import Problems
from datasets.folder import by_stem
from datasets.image import NDArrayByte
from datasets.instance_png import read_bitmask, read_colormap
from datasets.label_files import copy_files
from datasets.marked import shown
from datasets.sample import IGNORED, Annotations, Dataset, DatasetError, Sample
from datasets.scalabel import HEIGHT_PX, WIDTH_PX
from datasets.weather import UNCLEAN, with_weather

OBJECTS = (
    "pedestrian",
    "rider",
    "car",
    "truck",
    "bus",
    "train",
    "motorcycle",
    "bicycle",
    "traffic light",
    "traffic sign",
)
"""Categories 1 to 10 of boxes; the first eight are those of instances."""
INSTANCES = 8
_Add = Callable[[Sample], Sample]
BOX_FILES = ("det_20/det_{}.json", "bdd100k_labels_images_{}.json")
"""The labels of 2020, and those of 2018, which they mended."""
NO_BOXES = ("lane", "drivable area")
FRAME_PX = (HEIGHT_PX, WIDTH_PX)


def open_bdd100k(
    root: Path, split: str | None, masks: bool = False, problems: Problems | None = None
) -> Dataset:
    """Open one folder of BDD100K's images with all labels that there are for it.

    Args:
        root: Folder with ``images/`` and ``labels/``.
        split: Folder below ``images/``. ``100k/<part>`` has boxes,
            ``labels/det_20/det_<part>.json`` or, where that is absent, the file of 2018,
            ``labels/bdd100k_labels_images_<part>.json``. ``10k/<part>`` has instances, the first of
            ``labels/ins_seg/{bitmasks,rles,polygons,colormaps}`` that is there, and label maps, the
            first of ``labels/sem_seg/{masks,colormaps,rles}``. None takes the only one there is.
        masks: Whether instances carry their masks.
        problems: Takes what is wrong with single frames or labels, which are then left out.

    Returns:
        Samples named by stem. The group is what stands before the first ``-``, which all clips of
        one drive share. Weather, scene and time of day are attributes, of the 10k images where a
        label file knows them. A rainy frame brings its own rain and has no clean image.

    Raises:
        DatasetError: If something is missing or wrong; the message names file, field and remedy.
    """
    split = split or _only_split(root)
    kind, _, part = split.partition("/")
    folder = root / "images" / split
    if split not in _splits(root):
        raise DatasetError(
            f"{root}: no images/{split} there: give one of {', '.join(_splits(root))} with "
            "--split, or the folder that holds images/ and labels/ with --data-root"
        )
    if kind == "100k":
        found = _boxes(root, part, folder, problems)
    else:
        found = _segments(root, part, folder, masks, problems)
    expected = BOX_FILES[0].format(part) if kind == "100k" else "ins_seg or sem_seg"
    lacking = f"no labels there: labels/{expected} is absent"
    notes = [f"labels from {source}" for source in found.sources] or [lacking]
    unknown = sum("weather" not in s.attributes for s in found.samples)
    if unknown:
        notes.append(
            f"weather unknown of {unknown} of {len(found.samples)} frames, which are kept as clean"
        )
    return Dataset(
        "bdd100k",
        split,
        found.samples,
        dict(enumerate(OBJECTS[: found.categories], start=1)),
        classes=dict(enumerate(CLASSES)) if found.has_classes else {},
        export_labels=partial(_export, found, root),
        unclean=UNCLEAN,
        notes=tuple(notes),
    )


@dataclass(frozen=True)
class _Found:
    """Samples and the files their labels came from."""

    samples: list[Sample]
    categories: int = 0
    has_classes: bool = False
    sources: list[str] = field(default_factory=list)
    frames: dict[Path, dict[str, dict[str, Any]]] = field(default_factory=dict)
    pictures: dict[str, list[Path]] = field(default_factory=dict)
    """Label pictures by sample."""


def _splits(root: Path) -> list[str]:
    """Image folders that can be opened.

    Raises:
        DatasetError: If there are none.
    """
    home = root / "images"
    folders = shown((f for kind in ("100k", "10k") for f in (home / kind).glob("*")), home)
    found = [f.relative_to(home).as_posix() for f in folders if f.is_dir()]
    if not found:
        raise DatasetError(
            f"{root}: no images/100k/PART and no images/10k/PART there: give the folder that holds "
            "images/ and labels/ with --data-root"
        )
    return found


def _only_split(root: Path) -> str:
    splits = _splits(root)
    if len(splits) != 1:
        raise DatasetError(f"{root}: choose the images with --split: {', '.join(splits)}")
    return splits[0]


def _sample(path: Path, attributes: Mapping[str, str]) -> Sample:
    """A frame without its labels."""
    group = path.stem.partition("-")[0]
    return with_weather(Sample(path.stem, path, group, attributes=attributes))


def _boxes(root: Path, part: str, folder: Path, problems: Problems | None) -> _Found:
    """The 100k frames that the detection labels list, or all where there are none."""
    file, old = (root / "labels" / name.format(part) for name in BOX_FILES)
    if not file.is_file():
        if not old.is_file():
            return _Found([_sample(path, {}) for path in by_stem(folder).values()])
        file = old
    frames = scalabel.read_frames(file, problems)
    if not frames:
        raise fields.nothing_read(problems, f"{file}: no frame there")
    known = {name: i for i, name in enumerate(OBJECTS, start=1)}
    samples = []
    for stem, frame in frames.items():
        where = f"{file.name}: frame {stem}"
        path = folder / frame["name"]
        with fields.told(problems):
            if not path.is_file():
                raise DatasetError(f"{where} is not in {folder}: add the image or remove its entry")
            objects = _with_boxes(frame, where) if file == old else frame
            labels = Annotations.of(scalabel.boxes(objects, known, where, problems))
            sample = _sample(path, scalabel.attributes(frame))
            samples.append(replace(sample, labels=labels, size_px=FRAME_PX))
    source = file.relative_to(root).as_posix()
    return _Found(samples, len(OBJECTS), sources=[source], frames={file: frames})


def _with_boxes(frame: Mapping[str, Any], where: str) -> dict[str, Any]:
    """A frame of 2018 without its lanes and drivable areas, which are no boxes."""
    found = [
        label
        for label in scalabel.labels(frame, where)
        if not (isinstance(label, dict) and label.get("category") in NO_BOXES)
    ]
    return {**frame, "labels": found}


def _segments(
    root: Path, part: str, folder: Path, masks: bool, problems: Problems | None
) -> _Found:
    """The 10k frames with instances and classes, each where there is a form of them."""
    found = _Found([])
    known = _known_frames(root, part)
    samples = [
        _sample(path, scalabel.attributes(known.get(stem, {})))
        for stem, path in by_stem(folder).items()
    ]
    classes = _class_reader(root, part, found)
    if classes is not None:
        samples = _each(classes, samples, problems)
    instances = _instance_reader(root, part, found, masks)
    if instances is not None:
        add = instances if problems is None else _at_once(instances)
        samples = _each(add, samples, problems)
    if found.sources:
        samples = [replace(sample, size_px=FRAME_PX) for sample in samples]
    return replace(
        found,
        samples=samples,
        categories=0 if instances is None else INSTANCES,
        has_classes=classes is not None,
    )


def _each(add: _Add, samples: list[Sample], problems: Problems | None) -> list[Sample]:
    """Every sample with labels added, or as it was where they are wrong."""

    def labelled(sample: Sample) -> Sample:
        steps = [sample]
        with fields.told(problems):
            steps.append(add(sample))
        return steps[-1]

    with ThreadPoolExecutor() as pool:
        return list(pool.map(labelled, samples))


def _at_once(add: _Add) -> _Add:
    """What adds instances and reads them, which else happens when they are asked for."""

    def added(sample: Sample) -> Sample:
        lazy = add(sample)
        return replace(lazy, labels=lazy.annotations)

    return added


def _known_frames(root: Path, part: str) -> dict[str, dict[str, Any]]:
    """What the label files of this part say of frames: the weather of 10k images."""
    known: dict[str, dict[str, Any]] = {}
    for file in (
        root / "labels" / "ins_seg" / "polygons" / f"ins_seg_{part}.json",
        root / "labels" / "sem_seg" / "polygons" / f"sem_seg_{part}.json",
        root / "labels" / "det_20" / f"det_{part}.json",
    ):
        if file.is_file():
            frames = scalabel.read_frames(file)
            known.update({k: f for k, f in frames.items() if scalabel.attributes(f)})
    return known


def _class_reader(root: Path, part: str, found: _Found) -> _Add | None:
    """What adds a label map to a sample."""
    home = root / "labels" / "sem_seg"
    for form in ("masks", "colormaps"):
        folder = home / form / part
        if folder.is_dir():
            found.sources.append(folder.relative_to(root).as_posix())
            return partial(_with_picture, folder=folder, found=found)
    file = home / "rles" / f"sem_seg_{part}.json"
    if not file.is_file():
        return None
    frames = _frames(file, root, found)

    def add(sample: Sample) -> Sample:
        paint = _Painter(*_entry(frames, sample.id, file))
        return replace(sample, label_map_path=file, decode_label_map=paint)

    return add


@dataclass(frozen=True)
class _Painter:
    """Gives the classes of one frame of a file, which its ``repr`` names."""

    frame: dict[str, Any] = field(repr=False)
    where: str

    def __call__(self, data: bytes, name: str) -> NDArrayByte:
        """Class of every pixel; the file was read when the set was opened."""
        names = {name: i for i, name in enumerate(CLASSES)}
        return scalabel.classes(self.frame, names, IGNORED, self.where)


def _with_picture(sample: Sample, folder: Path, found: _Found) -> Sample:
    """The sample with its mask or colormap as label map."""
    file = _picture(sample, folder, found)
    return replace(sample, label_map_path=file, decode_label_map=decode_classes)


def _instance_reader(root: Path, part: str, found: _Found, masks: bool) -> _Add | None:
    """What adds instances to a sample."""
    home = root / "labels" / "ins_seg"
    known = {name: i for i, name in enumerate(OBJECTS[:INSTANCES], start=1)}
    folder = home / "bitmasks" / part
    if folder.is_dir():
        found.sources.append(folder.relative_to(root).as_posix())
        by_id = {i: name for name, i in known.items()}
        return partial(_with_bitmask, folder=folder, found=found, by_id=by_id, masks=masks)
    for form in ("rles", "polygons"):
        file = home / form / f"ins_seg_{part}.json"
        if file.is_file():
            frames = _frames(file, root, found)
            return partial(_with_outlines, frames=frames, file=file, known=known, masks=masks)
    folder = home / "colormaps" / part
    if folder.is_dir():
        found.sources.append(folder.relative_to(root).as_posix())
        return partial(_with_colormap, folder=folder, found=found, known=known, masks=masks)
    return None


def _with_bitmask(
    sample: Sample, folder: Path, found: _Found, by_id: Mapping[int, str], masks: bool
) -> Sample:
    """The sample with the instances of its bitmask."""
    file = _picture(sample, folder, found)

    def read() -> Annotations:
        return Annotations.of(read_bitmask(file.read_bytes(), file.name, by_id, masks))

    return replace(sample, labels=read)


def _with_outlines(
    sample: Sample,
    frames: dict[str, dict[str, Any]],
    file: Path,
    known: Mapping[str, int],
    masks: bool,
) -> Sample:
    """The sample with the instances of its frame in a label file."""
    frame, where = _entry(frames, sample.id, file)

    def read() -> Annotations:
        objects = scalabel.outlines(frame, known, where)
        return Annotations.of(objects if masks else [o._replace(mask=None) for o in objects])

    return replace(sample, labels=read)


def _with_colormap(
    sample: Sample, folder: Path, found: _Found, known: Mapping[str, int], masks: bool
) -> Sample:
    """The sample with the instances of its colormap, which name no category by themselves."""
    file = _picture(sample, folder, found)
    if sample.label_map_path is None:
        raise DatasetError(f"{file}: colours name no category: add labels/sem_seg")
    renamed = {i: scalabel.RENAMED.get(name, name) for i, name in enumerate(CLASSES)}
    category_of = {i: known[name] for i, name in renamed.items() if name in known}

    def read() -> Annotations:
        classes = sample.label_map()
        return Annotations.of(
            read_colormap(file.read_bytes(), file.name, classes, category_of, masks)
        )

    return replace(sample, labels=read)


def _picture(sample: Sample, folder: Path, found: _Found) -> Path:
    """The sample's label picture, noted for copies."""
    file = folder / f"{sample.id}.png"
    if not file.is_file():
        raise DatasetError(f"{file} not found: add the labels or remove {sample.path.name}")
    found.pictures.setdefault(sample.id, []).append(file)
    return file


def _frames(file: Path, root: Path, found: _Found) -> dict[str, dict[str, Any]]:
    """A label file's frames, noted for copies."""
    found.sources.append(file.relative_to(root).as_posix())
    found.frames[file] = scalabel.read_frames(file)
    return found.frames[file]


def _entry(frames: dict[str, dict[str, Any]], stem: str, file: Path) -> tuple[dict[str, Any], str]:
    """A frame that must be there, and what to call it."""
    if stem not in frames:
        raise DatasetError(f"{file.name}: no frame {stem}: add it or remove its image")
    return frames[stem], f"{file.name}: frame {stem}"


def _export(found: _Found, root: Path, out: Path, places: Mapping[str, PurePosixPath]) -> None:
    """Write the labels of a copy that holds the images in ``places`` alone."""
    copy_files(found.pictures, root, out, places)
    for file, frames in found.frames.items():
        kept = [{**f, "name": places[stem].name} for stem, f in frames.items() if stem in places]
        copy = out / file.relative_to(root)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(json.dumps(kept), encoding="utf-8")
