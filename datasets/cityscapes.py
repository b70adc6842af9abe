"""Cityscapes and the sets in its form: foggy and rainy Cityscapes, ACDC.

Reference:
    M. Cordts et al., "The Cityscapes Dataset for Semantic Urban Scene Understanding", CVPR 2016;
    C. Sakaridis et al., "Semantic Foggy Scene Understanding with Synthetic Data", IJCV 2018 (fog);
    X. Hu et al., "Depth-Attentional Features for Single-Image Rain Removal", CVPR 2019 (rain);
    C. Sakaridis et al., "ACDC: The Adverse Conditions Dataset with Correspondences", ICCV 2021.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from datasets import fields
from datasets.cityscapes_labels import DECODERS, KINDS, OBJECTS, labelled_px, read_objects
from datasets.class_png import CLASSES
from datasets.fields import Problems
from datasets.label_files import copy_files
from datasets.marked import SUFFIXES, shown
from datasets.sample import Dataset, DatasetError, Sample
from datasets.weather import UNCLEAN, with_weather

PLAIN, ACDC = "leftImg8bit", "rgb_anon"
HOMES = {
    PLAIN: ("gtFine", "gtCoarse"),
    "leftImg8bit_rain": ("gtFine",),
    "leftImg8bit_foggy": ("gtFine", "gtCoarse"),
    "leftImg8bit_foggyDBF": ("gtFine", "gtCoarse"),
    ACDC: ("gt",),
}
"""Folders of images, and where their labels may lie."""
WEATHER = {"rain": "rainy", "snow": "snowy", "fog": "foggy", "foggy": "foggy", "foggyDBF": "foggy"}
"""Weather of ACDC's conditions, and of what follows ``leftImg8bit_``."""
_NAME = re.compile(r"(?P<key>.+)_(leftImg8bit|rgb_anon|rgb_ref_anon)(_(?P<kind>rain|foggy\w*?))?")
_PARAMETER = re.compile(r"_(alpha|beta|dropsize|pattern)_(\d+(?:\.\d+)?)(?=_|$)")
TERMS = "Cityscapes: research and teaching, not commercial; see its licence"


@dataclass(frozen=True)
class _Image:
    """One picture and what its place says."""

    path: Path
    key: str
    """Name that its labels begin with."""
    inner: Path
    """Its folder below the folder of images."""
    group: str
    attributes: Mapping[str, str]


def open_cityscapes(
    root: Path, split: str | None, masks: bool = False, problems: Problems | None = None
) -> Dataset:
    """Open one split of Cityscapes, or of a set in its form.

    Args:
        root: Folder with one or more of `HOMES` and the labels beside them, as the archives unpack.
        split: ``train``, ``val`` or ``test``, of ``leftImg8bit/`` where several are there;
            ``leftImg8bit_rain/val`` names another. Of ACDC ``val`` is all four conditions,
            ``rain/val`` one of them.
        masks: Whether objects carry their masks.
        problems: Takes what is wrong with single images, which are then left out.

    Returns:
        Samples named by stem. Classes come from ``labelIds.png``, else ``labelTrainIds.png``, else
        ``polygons.json``; objects from ``instanceIds.png`` or the polygons, see `read_objects`.
        Rendered rain or fog has the clean image beside it where ``leftImg8bit/`` is there.

    Raises:
        DatasetError: If something is missing; the message names folder, file and remedy.
    """
    home, part, condition = _home(root, split)
    images = list(_images(home, part, condition))
    if not images:
        raise DatasetError(f"{home}: no image in the split {split or part}")
    labels = _Labels.of(home, images)
    clean = home.parent / PLAIN if home.name not in (PLAIN, ACDC) else None
    if clean is not None and not clean.is_dir():
        clean = next(iter(sorted(root.glob(f"*/{PLAIN}"))), None)
    samples, files = [], {}
    for image in images:
        with fields.told(problems):
            sample = labels.added(_sample(image, clean), image, masks)
            read = sample if problems is None else _read(sample)
            samples.append(read)
            files[sample.id] = labels.files(image, sample)
    notes = [f"labels from {labels.said}"]
    if clean is not None:
        notes.append(f"clean images from {PLAIN}")
    return Dataset(
        "cityscapes" if home.name != ACDC else "acdc",
        split or part,
        samples,
        OBJECTS if labels.has_objects else {},
        classes=dict(enumerate(CLASSES)) if labels.has_classes else {},
        export_labels=partial(copy_files, files, root),
        unclean=UNCLEAN,
        terms=TERMS,
        notes=tuple(notes),
    )


def _read(sample: Sample) -> Sample:
    """The sample, its objects read."""
    return replace(sample, labels=sample.annotations)


def _home(root: Path, split: str | None) -> tuple[Path, str, str | None]:
    """Folder of the images, split, and ACDC's condition where one is named."""
    homes = {
        name: found
        for name in HOMES
        if (found := next((p for p in (root / name, *root.glob(f"*/{name}")) if p.is_dir()), None))
    }
    if not homes:
        raise DatasetError(
            f"{root}: none of {', '.join(HOMES)} there: give the folder that holds it with "
            "--data-root"
        )
    first, _, rest = (split or "").partition("/")
    if first in homes:
        home, words = homes[first], rest
    elif PLAIN in homes or len(homes) == 1:
        home, words = homes.get(PLAIN) or next(iter(homes.values())), split or ""
    else:
        raise DatasetError(f"{root}: choose the images with --split: {', '.join(homes)}/val")
    above, _, part = words.rpartition("/")
    condition = above or None
    at = home / condition if condition else home
    if home.name == ACDC and condition is None:
        known = sorted({p.name for p in shown(home.glob("*/*"), home) if p.is_dir()})
    else:
        known = [p.name for p in shown(at.glob("*"), at) if p.is_dir()]
    part = part or ("val" if "val" in known else "")
    if part not in known:
        raise DatasetError(f"{at}: no split {part or 'named'}: known are {', '.join(known)}")
    return home, part, condition


def _images(home: Path, part: str, condition: str | None) -> Iterator[_Image]:
    """The pictures of a split."""
    pattern = f"{condition or '*'}/{part}/*/*" if home.name == ACDC else f"{part}/*/*"
    for path in shown(home.glob(pattern), home):
        found = _NAME.match(path.stem)
        if found is None or path.suffix.lower() not in SUFFIXES:
            continue
        inner = path.parent.relative_to(home)
        if home.name == ACDC:
            weather = inner.parts[0]
            said = {"condition": weather}
            said |= {"weather": WEATHER[weather]} if weather in WEATHER else {}
            said |= {"timeofday": "night"} if weather == "night" else {}
            if path.stem.endswith("_rgb_ref_anon"):
                said = {"condition": "reference"}
            yield _Image(path, found["key"], inner, path.parent.name, said)
            continue
        said = {"city": path.parent.name, **dict(_PARAMETER.findall(path.stem))}
        if found["kind"]:
            said["weather"] = WEATHER[found["kind"]]
        yield _Image(path, found["key"], inner, "_".join(found["key"].split("_")[:2]), said)


def _sample(image: _Image, clean: Path | None) -> Sample:
    """A picture without its labels; rendered weather with the photograph that it was made from."""
    path, attributes = image.path, dict(image.attributes)
    bare = Sample(path.stem, path, image.group, attributes=attributes)
    if clean is None:
        return with_weather(bare)
    stem = clean / image.inner / f"{image.key}_{PLAIN}"
    files = (Path(f"{stem}{suffix}") for suffix in sorted(SUFFIXES))
    photograph = next((file for file in files if file.is_file()), None)
    if photograph is None:
        raise DatasetError(f"{stem}.png not found: add it, or take {clean} away for rain alone")
    return Sample(path.stem, photograph, image.group, rainy_path=path, attributes=attributes)


@dataclass(frozen=True)
class _Labels:
    """Which label files there are."""

    home: Path
    tag: str
    kinds: tuple[str, ...]

    @staticmethod
    def of(home: Path, images: Sequence[_Image]) -> _Labels:
        """Those of the first image that has some tell of all."""
        for tag in HOMES[home.name]:
            above = _beside(home, tag)
            for image in images if above is not None else ():
                there = [k for k in KINDS if (_file(above, image, tag, k)).is_file()]
                if there and above is not None:
                    return _Labels(above, tag, tuple(there))
        return _Labels(home, "", ())

    @property
    def semantic(self) -> str | None:
        """The kind that classes come from."""
        order = ("labelIds.png", "labelTrainIds.png", "polygons.json")
        return next((kind for kind in order if kind in self.kinds), None)

    @property
    def objects(self) -> str | None:
        """The kind that objects come from."""
        return next((k for k in ("instanceIds.png", "polygons.json") if k in self.kinds), None)

    @property
    def has_classes(self) -> bool:
        """Whether there are label maps."""
        return self.semantic is not None

    @property
    def has_objects(self) -> bool:
        """Whether there are objects."""
        return self.objects is not None

    @property
    def said(self) -> str:
        """What a reader of results is told."""
        used = dict.fromkeys(kind for kind in (self.semantic, self.objects) if kind)
        return ", ".join(f"{self.tag}_{kind}" for kind in used) or "nowhere: no labels there"

    def _path(self, image: _Image, kind: str) -> Path:
        file = _file(self.home, image, self.tag, kind)
        if not file.is_file():
            raise DatasetError(f"{file} not found: add the labels or remove {image.path.name}")
        return file

    def added(self, sample: Sample, image: _Image, masks: bool) -> Sample:
        """The sample with its label map and objects."""
        if self.semantic is not None:
            path = self._path(image, self.semantic)
            decode = DECODERS[self.semantic]
            sample = replace(sample, label_map_path=path, decode_label_map=decode)
        if self.objects is not None:
            file = self._path(image, self.objects)
            read = partial(read_objects, file, masks)
            sample = replace(sample, labels=read, size_px=labelled_px(file))
        return sample

    def files(self, image: _Image, sample: Sample) -> list[Path]:
        """What a copy needs beside the picture that it makes anew."""
        kinds = {kind for kind in (self.semantic, self.objects) if kind}
        clean = [sample.path] if sample.rainy_path not in (None, sample.path) else []
        return [*(self._path(image, kind) for kind in sorted(kinds)), *clean]


def _beside(home: Path, tag: str) -> Path | None:
    """The folder of labels beside a folder of images, or beside the archive's folder around it."""
    places = (home.parent / tag, *sorted(home.parent.parent.glob(f"*/{tag}")))
    return next((place for place in places if place.is_dir()), None)


def _file(home: Path | None, image: _Image, tag: str, kind: str) -> Path:
    assert home is not None
    return home / image.inner / f"{image.key}_{tag}_{kind}"
