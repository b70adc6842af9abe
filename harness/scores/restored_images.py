"""Score restored images that were made elsewhere: two folders in, the files of a run out."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datasets import Dataset, Sample
from datasets.duplicates import first_alike, glance
from datasets.folder import by_name
from datasets.image import NDArrayByte, decode
from datasets.names import text_of
from datasets.pairs import SIDE_BY_SIDE, Side, pairs_of
from datasets.sample import half_of
from harness.machine.about import machine
from harness.machine.disk import message
from harness.plan import keys
from harness.plan.data import open_dataset
from harness.plan.manifest import restored_files
from harness.scores import replicates
from harness.scores.elsewhere import Made, numbers
from harness.scores.photographs import photographs
from harness.spec import RunSpec, UsageError
from reports.results.cell import Data
from reports.results.provenance import Provenance
from reports.results.record import ImageError
from reports.results.results import QUALITY, Results
from tasks import quality
from tasks import rows as tasks_of
from tasks.quality.pyiqa import EndedError
from tasks.task import Evidence, TaskError


@dataclass(frozen=True)
class _Pair:
    """A restored image and what it should be."""

    name: str
    group: str
    restored: Path
    clean: Sample | None
    made_from: str | None = None
    """Digest of the rainy pixels, where a manifest tells them."""


def score_quality(
    restored: Path,
    reference: Path | None = None,
    words: Sequence[str] = ("psnr", "ssim", "niqe"),
    protocols: Sequence[str] = ("matlab-y",),
    workers: int | None = None,
    pair: str | None = None,
    limit: int | None = None,
) -> Results:
    """Image quality of a folder of restored images.

    Args:
        restored: Folder of the images to judge.
        reference: Folder of the clean ones; None for metrics that need none.
        words: Metrics or families.
        protocols: Protocols of PSNR and SSIM.
        workers: Images at a time; None: one per core, which changes no value.
        pair: How they belong together, as in `datasets.pairs.open_pairs`: ``::REGEX``, or a pattern
            for each folder; None: as their names say.
        limit: Only as many, those that `datasets.sample.Dataset.limited` takes.

    Returns:
        Records of the rain ``given`` and the derainer ``dir:FOLDER``.

    Raises:
        UsageError: For a word, folder, pair or size that cannot be scored.
        DatasetError: For a folder without images, or an image that could belong to two.
    """
    metrics = _metrics(words, protocols, reference is not None)
    pairs = _pairs(restored, reference, pair)
    data = Data("folder", _name(reference or restored))
    samples = [Sample(p.name, p.restored, p.group) for p in pairs]
    kept = {s.id for s in Dataset(data.name, data.split, samples).limited(limit).samples}
    asked = {
        "dataset": "folder",
        "split": data.split,
        **({} if pair is None else {"pair": pair}),
        **({} if limit is None else {"limit": limit}),
        "seed": 0,
    }
    judged = [pair for pair in pairs if pair.name in kept]
    return _scored(judged, data, _name(restored), metrics, workers, _asked(words, protocols, asked))


def score_restored(restored: Path, spec: RunSpec) -> Results:
    """Image quality of a folder of restored images, beside a data set's clean ones.

    Args:
        restored: Folder of the images to judge, paired as ``dir:`` does.
        spec: Names the data set. Where a manifest tells what an image was derained from, that must
            be the rainy image that the set brings.

    Returns:
        As `score_quality`; values are those of a run of ``dir:FOLDER``.

    Raises:
        UsageError, DatasetError, DerainerError: In one line, for what cannot be scored.
    """
    metrics = _metrics(spec.quality, spec.protocol, has_clean=True)
    dataset = open_dataset(spec)
    if not dataset.has_clean and any(quality.metric(m).reference for m in metrics):
        raise UsageError("photographs of real rain have no clean image to compare with")
    files = restored_files(restored, dataset)
    samples = sorted(dataset.samples, key=lambda s: s.id)
    pairs = [
        _Pair(s.id, s.group, files[s.id].path, s if s.has_clean else None, files[s.id].input)
        for s in samples
    ]
    data = Data(dataset.name, dataset.split)
    asked = _asked(spec.quality, spec.protocol, spec.public())
    return _scored(pairs, data, _name(restored), metrics, spec.workers, asked, dataset.notes)


def _asked(
    words: Sequence[str], protocols: Sequence[str], more: Mapping[str, Any]
) -> dict[str, Any]:
    """What a result says that it was asked for, but for the folder."""
    return {
        **more,
        "rain": ["given"],
        "task": ["quality"],
        "quality": list(words),
        "protocol": list(protocols),
    }


def _scored(
    pairs: Sequence[_Pair],
    data: Data,
    folder: str,
    metrics: tuple[str, ...],
    workers: int | None,
    asked: Mapping[str, Any],
    notes: tuple[str, ...] = (),
) -> Results:
    """Judge all pairs."""
    started = time.monotonic()
    with ThreadPoolExecutor(workers) as pool:
        outcomes = list(pool.map(lambda pair: _evidence(pair, metrics), pairs))
    failures = [o for o in outcomes if isinstance(o, ImageError)]
    judged = [o for o in outcomes if not isinstance(o, ImageError)]
    digests = {each.name: each.sha256 for each in judged}
    # Only the clean images: folders scored against the same ones are compared draw by draw.
    fingerprint = keys.key("data", contents=[[name, d[1]] for name, d in digests.items()])
    names = list(digests)
    shown = photographs(
        names, [each.group for each in judged], first_alike([each.seen for each in judged])
    )
    units = shown.units
    made = Made(data, folder, QUALITY, names, units, fingerprint)
    evidences = [each.evidence for each in judged]
    found = numbers(made, quality.Quality(metrics), tasks_of.QUALITY, evidences)
    return Results(
        run=keys.key(
            "score",
            files=digests,
            metrics={m: quality.version(m) for m in metrics},
        ),
        spec={**asked, "derainer": [f"dir:{folder}"]},
        provenance=Provenance(
            **machine(time.monotonic() - started),
            data_fingerprint=fingerprint,
            labels={},
            data_notes=(*notes, *shown.notes),
            models={},
            metric_versions={
                **{m: quality.version(m) for m in metrics},
                "resamples": replicates.VERSION,
            },
            protocols=quality.captions(metrics),
            groups=len(set(units)),
        ),
        cost=[],
        errors=failures,
        **vars(found),
    )


def _metrics(words: Sequence[str], protocols: Sequence[str], has_clean: bool) -> tuple[str, ...]:
    try:
        metrics = quality.chosen(words, protocols)
    except ValueError as error:
        raise UsageError(str(error)) from error
    if not metrics:
        raise UsageError("--quality none: there is nothing to score")
    comparing = [m for m in metrics if quality.metric(m).reference]
    if comparing and not has_clean:
        alone = ",".join(m for m, row in quality.METRICS.items() if not row.reference)
        raise UsageError(
            f"{comparing[0]} compares with clean images: give --reference, or --quality {alone}"
        )
    return metrics


def _pairs(restored: Path, reference: Path | None, pair: str | None) -> list[_Pair]:
    """Restored and clean files, by name."""
    for flag, folder in (("--restored", restored), ("--reference", reference)):
        if folder is not None and not folder.is_dir():
            raise UsageError(f"{flag} {folder}: no such folder")
    if reference is None:
        return [_Pair(name, name, file, None) for name, file in by_name(restored).items()]
    if pair is None and restored.resolve() == reference.resolve():  # each image beside itself
        files = by_name(restored).items()
        return [_Pair(name, name, file, Sample(name, file, name)) for name, file in files]
    sides, expression = _sides(restored, reference, pair)
    found = pairs_of(*sides, expression)
    clean_of = found.paired.clean
    lonely = [(file, reference) for name, file in found.rainy.items() if name not in clean_of]
    used = set(clean_of.values())
    lonely += [(file, restored) for name, file in found.clean.items() if name not in used]
    for file, place in lonely:
        raise UsageError(
            f"{file.name} has no partner of that stem in {place}: say with --pair how they belong "
            "together, or remove it"
        )
    groups = found.paired.groups
    # By the clean images' names, where each has one partner: folders that call theirs otherwise
    # are compared image by image.
    is_one = len(used) == len(found.rainy)
    pairs = []
    for own, file in found.rainy.items():
        name, group = clean_of[own] if is_one else own, groups[own]
        pairs.append(_Pair(name, group, file, Sample(name, found.clean[clean_of[own]], group)))
    return sorted(pairs, key=lambda each: each.name)


def _sides(
    restored: Path, reference: Path, pair: str | None
) -> tuple[tuple[Side, Side], str | None]:
    """The images of both folders that ``--pair`` means, and the expression that pairs them."""
    if pair in SIDE_BY_SIDE:
        raise UsageError(f"--pair {pair}: of files that hold both; --reference names a folder")
    rest = pair or ":"
    sides = []
    for flag, folder in (("--restored", restored), ("--reference", reference)):
        word, _, rest = rest.partition(":")
        path = Path(word)
        is_pattern = "*" in path.name
        place = path.parent if is_pattern else path
        if place.name not in ("", folder.name, folder.resolve().name):
            raise UsageError(
                f"--pair {pair}: {flag} is {folder}, not {place}: give --pair RESTORED:REFERENCE "
                "as patterns with *, or ::REGEX"
            )
        sides.append(Side(folder, path.name if is_pattern else None))
    return (sides[0], sides[1]), rest or None


@dataclass(frozen=True)
class _Judged:
    """What one pair gave."""

    name: str
    group: str
    sha256: list[str | None]
    """Of the restored and of the clean file, None where there is none."""
    evidence: Evidence
    seen: NDArray[np.float32] | None
    """The clean image at a glance."""


def _evidence(pair: _Pair, metrics: Sequence[str]) -> _Judged | ImageError:
    """What one pair gives; a damaged image is a failure, a wrong size the user's mistake."""
    try:
        data = pair.restored.read_bytes()
        judged, clean, digests = decode(data, pair.restored.name), None, [_sha256(data), None]
        seen = None
        if pair.clean is not None:
            data = pair.clean.read()
            clean = half_of(decode(data, pair.clean.path.name), pair.clean.clean_half, pair.name)
            digests[1] = _sha256(data)
            seen = glance(data)
            if pair.clean.rainy_path is not None and pair.made_from is not None:
                _require_made_from(pair.clean, pair.made_from)
    except UsageError:
        raise
    except (OSError, ValueError) as error:
        return ImageError(pair.name, "decode", message(error))
    if clean is not None and clean.shape != judged.shape:
        raise UsageError(
            f"{pair.name}: sizes differ: restored {_size(judged)}, reference {_size(clean)}"
        )
    try:
        found = quality.evidence(clean, judged, metrics)
    except EndedError:
        raise
    except TaskError as error:
        return ImageError(pair.name, "quality", message(error))
    return _Judged(pair.name, pair.group, digests, found, seen)


def _require_made_from(sample: Sample, digest: str) -> None:
    """Refuse what was derained from another image, as that of another set with the same names."""
    if keys.pixels_sha256(sample.given_rain()) != digest:
        raise UsageError(
            f"{sample.id}: the restored image was derained from another image than the data set's"
        )


def _sha256(data: bytes) -> str | None:
    return hashlib.sha256(data).hexdigest()


def _size(image: NDArrayByte) -> str:
    return f"{image.shape[1]}x{image.shape[0]}"


def _name(folder: Path) -> str:
    """A folder's own name: no path of this machine leaves in a result."""
    return text_of(folder.resolve().name)
