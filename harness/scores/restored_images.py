"""Score restored images that were made elsewhere: two folders in, the files of a run out."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from datasets.folder import by_stem
from datasets.image import NDArrayByte, decode
from datasets.names import text_of
from harness.machine.about import machine
from harness.machine.disk import message
from harness.plan import keys
from harness.scores import replicates
from harness.scores.elsewhere import Made, numbers
from harness.spec import UsageError
from reports.results.cell import Data
from reports.results.provenance import Provenance
from reports.results.record import ImageError
from reports.results.results import QUALITY, Results
from tasks import quality
from tasks import rows as tasks_of
from tasks.task import Evidence


def score_quality(
    restored: Path,
    reference: Path | None = None,
    words: Sequence[str] = ("psnr", "ssim"),
    protocols: Sequence[str] = ("matlab-y",),
    workers: int | None = None,
) -> Results:
    """Image quality of a folder of restored images.

    Args:
        restored: Folder of the images to judge.
        reference: Folder of the clean ones, paired by stem; None for metrics that need none.
        words: Metrics or families.
        protocols: Protocols of PSNR and SSIM.
        workers: Images at a time; None: one per core, which changes no value.

    Returns:
        Records of the rain ``given`` and the derainer ``dir:FOLDER``.

    Raises:
        UsageError: For a word, folder, pair or size that cannot be scored.
        DatasetError: For a folder without images, or with two of one stem.
    """
    started = time.monotonic()
    metrics = _metrics(words, protocols, reference)
    pairs = _pairs(restored, reference)
    with ThreadPoolExecutor(workers) as pool:
        outcomes = list(pool.map(lambda stem: _evidence(stem, *pairs[stem], metrics), pairs))
    failures = [o for o in outcomes if isinstance(o, ImageError)]
    judged = [o for o in outcomes if not isinstance(o, ImageError)]
    digests = {pair.stem: pair.sha256 for pair in judged}
    # Only the clean images: folders scored against the same ones are compared draw by draw.
    fingerprint = keys.key("data", contents=[[stem, d[1]] for stem, d in digests.items()])
    folder = _name(restored)
    data = Data("folder", _name(reference or restored))
    made = Made(data, folder, QUALITY, list(digests), list(digests), fingerprint)
    evidences = [pair.evidence for pair in judged]
    found = numbers(made, quality.Quality(metrics), tasks_of.QUALITY, evidences)
    return Results(
        run=keys.key(
            "score",
            files=digests,
            metrics={m: quality.version(m) for m in metrics},
        ),
        spec={
            "dataset": "folder",
            "split": data.split,
            "rain": ["given"],
            "derainer": [f"dir:{folder}"],
            "task": ["quality"],
            "quality": list(words),
            "protocol": list(protocols),
            "seed": 0,
        },
        provenance=Provenance(
            **machine(time.monotonic() - started),
            data_fingerprint=fingerprint,
            labels={},
            models={},
            metric_versions={
                **{m: quality.version(m) for m in metrics},
                "resamples": replicates.VERSION,
            },
            protocols=quality.captions(metrics),
        ),
        cost=[],
        errors=failures,
        **vars(found),
    )


def _metrics(
    words: Sequence[str], protocols: Sequence[str], reference: Path | None
) -> tuple[str, ...]:
    try:
        metrics = quality.chosen(words, protocols)
    except ValueError as error:
        raise UsageError(str(error)) from error
    if not metrics:
        raise UsageError("--quality none: there is nothing to score")
    comparing = [m for m in metrics if quality.metric(m).reference]
    if reference is None and comparing:
        alone = ",".join(m for m, row in quality.METRICS.items() if not row.reference)
        raise UsageError(
            f"{comparing[0]} compares with clean images: give --reference, or --quality {alone}"
        )
    return metrics


def _pairs(restored: Path, reference: Path | None) -> dict[str, tuple[Path, Path | None]]:
    """Restored and clean file by stem."""
    for flag, folder in (("--restored", restored), ("--reference", reference)):
        if folder is not None and not folder.is_dir():
            raise UsageError(f"{flag} {folder}: no such folder")
    found = by_stem(restored)
    if reference is None:
        return {stem: (file, None) for stem, file in found.items()}
    clean = by_stem(reference)
    for files, others, place in ((found, clean, reference), (clean, found, restored)):
        lonely = next((file for stem, file in files.items() if stem not in others), None)
        if lonely is not None:
            raise UsageError(f"{lonely.name} has no partner of that stem in {place}")
    return {stem: (file, clean[stem]) for stem, file in found.items()}


@dataclass(frozen=True)
class _Judged:
    """What one pair gave."""

    stem: str
    sha256: list[str | None]
    """Of the restored and of the clean file, None where there is none."""
    evidence: Evidence


def _evidence(
    stem: str, restored: Path, reference: Path | None, metrics: Sequence[str]
) -> _Judged | ImageError:
    """What one pair gives; a damaged image is a failure, a wrong size the user's mistake."""
    try:
        data = [restored.read_bytes(), reference.read_bytes() if reference else None]
        digests = [hashlib.sha256(d).hexdigest() if d is not None else None for d in data]
        judged, clean = (
            decode(d, file.name) if d is not None and file else None
            for d, file in zip(data, (restored, reference), strict=True)
        )
    except (OSError, ValueError) as error:
        return ImageError(stem, "decode", message(error))
    assert judged is not None
    if clean is not None and clean.shape != judged.shape:
        raise UsageError(
            f"{stem}: sizes differ: restored {_size(judged)}, reference {_size(clean)}"
        )
    return _Judged(stem, digests, quality.evidence(clean, judged, metrics))


def _size(image: NDArrayByte) -> str:
    return f"{image.shape[1]}x{image.shape[0]}"


def _name(folder: Path) -> str:
    """A folder's own name: no path of this machine leaves in a result."""
    return text_of(folder.resolve().name)
