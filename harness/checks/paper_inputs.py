"""Data and published weights for measuring printed numbers: what is here, where the rest is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from derainers import DERAINERS
from harness.machine.environment import FETCHED
from harness.machine.sources import SOURCES
from harness.plan import keys
from harness.spec import RunSpec, UsageError, known
from reports.papers.claims import Claim

DATA = {
    "rain100l": "https://www.icst.pku.edu.cn/struct/Projects/joint_rain_removal.html",
    "rain100h": "https://www.icst.pku.edu.cn/struct/Projects/joint_rain_removal.html",
    "rain14000": "https://xueyangfu.github.io/projects/cvpr2017.html",
    "rain1200": "https://github.com/hezhangsprinter/DID-MDN",
}
"""Where the paired data sets of claims that can be run are published."""


@dataclass(frozen=True)
class Given:
    """What the user has at hand."""

    data: Mapping[str, Path]
    """Folder of a data set's test pairs, by the name that claims give it."""
    weights: Mapping[tuple[str, str], Path]
    """Weight file by derainer and the data set it was trained for."""
    spec: RunSpec
    """Workspace, workers, device and limit of the runs."""


def images_of(claim: Claim) -> int:
    """Images of the claim's split; 0 where it is of none."""
    number = (claim.split or "").rpartition("-")[2]
    return int(number) if number.isdigit() else 0


def needed(claim: Claim, held: Given) -> tuple[Path | None, str]:
    """The weights of a claim, or what it lacks and where that is."""
    dataset, derainer = claim.dataset or "", claim.derainer or ""
    if not derainer:
        return None, f"{claim.method} is no derainer of the harness"
    lacking = []
    if dataset not in held.data:
        where = DATA.get(dataset, "its authors")
        lacking.append(
            f"the {images_of(claim) or 'test'} pairs of {dataset} ({where}): --data {dataset}=DIR"
        )
    file = held.weights.get((derainer, dataset))
    if file is None:
        name = f"{derainer}-{'rain1400' if dataset == 'rain14000' else dataset}"
        remedy = (
            f"python -m harness fetch {name}"
            if name in SOURCES
            else f"{DERAINERS[derainer].published or 'its authors'}: "
            f"--weights {derainer}:{dataset}=FILE"
        )
        lacking.append(f"the authors' weights of {derainer} for {dataset} ({remedy})")
    return (None, "; ".join(lacking)) if lacking else (file, "")


def found_weights(folders: Iterable[Path]) -> dict[tuple[str, str], Path]:
    """Published weights in some folders, known by their sha256."""
    digests = {source.sha256: name for name, source in SOURCES.items()}
    found: dict[tuple[str, str], Path] = {}
    files = (f for folder in folders if folder.is_dir() for f in sorted(folder.rglob("*.pth")))
    for file in files:
        name = digests.get(keys.file_sha256(file))
        if name is not None:
            derainer, _, data = name.rpartition("-")
            found.setdefault((derainer, "rain14000" if data == "rain1400" else data), file)
    return found


def given_of(
    data: Sequence[str], weights: Sequence[str], spec: RunSpec, held: Path | None
) -> Given:
    """What the command line names, beside what lies in known places.

    Args:
        data: Words ``DATASET=DIR``.
        weights: Words ``DERAINER:DATASET=FILE``.
        spec: How to run.
        held: A folder with data sets by name, and ``weights``.

    Raises:
        UsageError: For a word that is not so, or a folder or file that is absent.
    """
    folders = {}
    if held is not None:
        folders = {name: held / name for name in DATA if (held / name).is_dir()}
    for word in data:
        name, _, folder = word.partition("=")
        known(name, DATA, "data set in --data")
        if not Path(folder).is_dir():
            raise UsageError(f"--data {word}: no such folder, expected {name}=DIR")
        folders[name] = Path(folder)
    files = found_weights([FETCHED / "weights", *([held / "weights"] if held else [])])
    for word in weights:
        place, _, file = word.partition("=")
        derainer, _, name = place.partition(":")
        if not (derainer and name and Path(file).is_file()):
            raise UsageError(
                f"--weights {word}: expected DERAINER:DATASET=FILE, a file that is there"
            )
        files[derainer, name] = Path(file)
    return Given(folders, files, spec)
