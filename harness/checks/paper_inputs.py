"""Data and published weights for measuring printed numbers: what is here, where the rest is."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from derainers import DERAINERS
from derainers.variants import variant_of
from harness.machine.environment import FETCHED
from harness.machine.sources import SOURCES
from harness.plan import keys
from harness.spec import RunSpec, UsageError, known
from reports.papers.claims import Claim
from tasks.quality import METRICS

PAIRS = "https://github.com/kuijiang94/MSPFN (README: Google Drive)"
JOINT = "https://github.com/kuijiang94/MSPFN (README: Baidu Cloud)"
DATA = {
    "rain100l": "https://www.icst.pku.edu.cn/struct/Projects/joint_rain_removal.html",
    "rain100h": "https://github.com/kuijiang94/MSPFN: model/test/test_data/R100H; 200 pairs: "
    "https://www.icst.pku.edu.cn/struct/Projects/joint_rain_removal.html",
    "rain200l": "https://www.icst.pku.edu.cn/struct/Projects/joint_rain_removal.html (200 pairs)",
    "rain200h": "https://www.icst.pku.edu.cn/struct/Projects/joint_rain_removal.html (200 pairs)",
    "rain12": "https://yu-li.github.io (Rain streak removal using layer priors, CVPR 2016)",
    "rain800": PAIRS,
    "rain14000": "https://xueyangfu.github.io/projects/cvpr2017.html",
    "rain1200": "https://github.com/hezhangsprinter/DID-MDN",
    "coco350": JOINT,
    "bdd350": JOINT,
    "bdd150": JOINT,
    "outdoor-rain": "https://github.com/liruoteng/HeavyRainRemoval",
    "mscg-rain100": "the poster does not say which images these are",
    "mscg-rain40": "the poster does not say which images these are",
    "rid": "https://github.com/panda-lab/Single-Image-Deraining (README: Rain in Driving)",
    "ris": "https://github.com/panda-lab/Single-Image-Deraining (README: Rain in Surveillance)",
    "real200": "the paper takes 200 photographs of two others and does not say which",
}
"""Where the data sets of claims are published: pairs, but for `PHOTOGRAPHS`."""
PHOTOGRAPHS = ("rid", "ris", "real200")
"""Those of real rain, which have no clean images: any folder of pictures."""
ALIASES = {
    "test100": "rain800",
    "test1200": "rain1200",
    "test2800": "rain14000",
    "rain1400": "rain14000",
}
"""Other names that the field has for some of them."""
OF_200 = {"rain100l": "rain200l", "rain100h": "rain200h"}
"""What the versions of 200 test pairs are called, of sets whose claims have ``test-200``."""
_WEIGHTS = re.compile(rf"(?P<derainer>.+?):(?P<set>{'|'.join((*DATA, *ALIASES))})=(?P<file>.+)")
"""A word of ``--weights``, whose derainer may have keys: ``mspfn:m=13:n=2:rain800=FILE``."""
WEIGHTS_OF = {"rain12": "rain100l"}
"""Sets whose numbers another set's weights give: csdwren/PReNet#22."""


@dataclass(frozen=True)
class Given:
    """What the user has at hand."""

    data: Mapping[str, Path]
    """Folder of a data set's test pairs, by the name that claims give it."""
    weights: Mapping[tuple[str, str], Path]
    """Weight file by derainer and the data set it was trained for."""
    spec: RunSpec
    """Workspace, workers, device and limit of the runs."""
    named: frozenset[tuple[str, str]] = frozenset()
    """Of the weights those that the user says are the claims'; the others are public baselines'."""
    restored: Mapping[tuple[str, str], Path] = field(default_factory=dict)
    """Folder of restored images by method, as print has it, and data set."""


@dataclass(frozen=True)
class Input:
    """What a claim is measured with."""

    word: str
    """The derainer's word."""
    weights: Path | None = None
    stage: str | None = None
    """The output inside the derainer that print is of, see `DerainerRow.stages`."""

    @property
    def name(self) -> str:
        """What records call the derainer."""
        name, is_folder, _ = self.word.partition("=dir:")
        return name if is_folder else self.word.partition("@")[0]


def images_of(claim: Claim) -> int:
    """Images of the claim's split; 0 where it is of none."""
    number = (claim.split or "").rpartition("-")[2]
    return int(number) if number.isdecimal() else 0


def set_of(claim: Claim, given: Container[str]) -> str:
    """The name by which a claim's pairs are given: its version of 200 pairs, if that is there."""
    dataset = claim.dataset or ""
    later = OF_200.get(dataset, dataset) if claim.split == "test-200" else dataset
    return later if later in given else dataset


def shown_by(dataset: str) -> str:
    """What a data set has of each scene."""
    return "photographs" if dataset in PHOTOGRAPHS else "pairs"


def network_of(claim: Claim) -> tuple[str, str | None]:
    """Whose weights the claim takes, or "", and the output inside the network that print is of."""
    derainer, _, stage = (claim.derainer or "").partition("/")
    return (variant_of(derainer).learner if derainer else ""), stage or None


def needed(claim: Claim, held: Given) -> Input | str:
    """What a claim is measured with, or what it lacks and where that is.

    A claim that nobody can repeat from what its authors published is measured with the weights or
    the restored images that the user names for it, and with nothing else.
    """
    dataset, (derainer, stage) = claim.dataset or "", network_of(claim)
    if dataset not in DATA or claim.metric.partition("@")[0] not in METRICS:
        return claim.cannot_run or f"{dataset or claim.metric} is no set to measure"
    method = (claim.method or "").casefold()
    place = method, set_of(claim, {s for m, s in held.restored if m == method})
    learned = set_of(claim, {s for of, s in held.weights if of == derainer})
    file = held.weights.get((derainer, WEIGHTS_OF.get(learned, learned)))
    found: Input | None = None
    if place in held.restored:
        # By its number: folders METHOD/SET of one set all have that name.
        number = 1 + list(held.restored).index(place)
        found = Input(f"restored-{number}=dir:{held.restored[place]}")
    elif derainer == "identity":
        found = Input(derainer)
    elif claim.cannot_run is not None and (derainer, learned) not in held.named:
        return claim.cannot_run
    elif not derainer:
        return f"{claim.method} is no derainer of the harness"
    elif file is not None:
        word = (claim.derainer or "").partition("/")[0]
        found = Input(f"{word}@{file}", file, stage)
    lacking = []
    if set_of(claim, held.data) not in held.data:
        what = f"{images_of(claim) or 'test'} {shown_by(dataset)}"
        lacking.append(f"the {what} of {dataset} ({DATA[dataset]}): --data {dataset}=DIR")
    if found is None:
        lacking.append(_weights_elsewhere(derainer, dataset))
    return "; ".join(lacking) if lacking or found is None else found


def _weights_elsewhere(derainer: str, dataset: str) -> str:
    """Where the authors' weights are."""
    of = WEIGHTS_OF.get(dataset, dataset)
    called = (of, *(alias for alias, name in ALIASES.items() if name == of))
    name = next((f"{derainer}-{n}" for n in called if f"{derainer}-{n}" in SOURCES), None)
    remedy = (
        f"python -m harness fetch {name}"
        if name is not None
        else f"{DERAINERS[variant_of(derainer).row].published or 'its authors'}: "
        f"--weights {derainer}:{of}=FILE"
    )
    return f"the authors' weights of {derainer} for {of} ({remedy})"


def require_used(claims: Sequence[Claim], held: Given, data: Iterable[str]) -> None:
    """Refuse what the command line names and no claim can use.

    Args:
        claims: Those that were chosen.
        held: What there is.
        data: The sets that the command line names.

    Raises:
        UsageError: That names the first such word and what would serve.
    """
    later = {name for name in OF_200.values() if any(set_of(c, {name}) == name for c in claims)}
    wanted = {c.dataset for c in claims} - {None} | later
    for name in data:
        if name not in wanted:
            sets = ", ".join(sorted(str(d) for d in wanted & DATA.keys())) or "no set of images"
            raise UsageError(f"--data {name}: no chosen number is of it; they are of {sets}")
    networks = {(network_of(c)[0], WEIGHTS_OF.get(c.dataset or "", c.dataset)) for c in claims}
    networks |= {(network_of(c)[0], set_of(c, later)) for c in claims}
    for place in sorted(held.named - networks):
        raise UsageError(
            f"--weights {':'.join(place)}: no chosen number is of this network and set"
        )
    methods = {((c.method or "").casefold(), c.dataset) for c in claims}
    methods |= {((c.method or "").casefold(), set_of(c, later)) for c in claims}
    for place in sorted(held.restored.keys() - methods):
        known(place[0], {method: "" for method, _ in methods if method}, "method in --restored")
        raise UsageError(
            f"--restored {':'.join(place)}: no chosen number is of this method and set"
        )


def found_weights(folders: Iterable[Path]) -> dict[tuple[str, str], Path]:
    """Published weights in some folders, known by their sha256."""
    digests = {source.sha256: name for name, source in SOURCES.items()}
    found: dict[tuple[str, str], Path] = {}
    files = (f for folder in folders if folder.is_dir() for f in sorted(folder.rglob("*.pth")))
    for file in files:
        name = digests.get(keys.file_sha256(file))
        if name is not None:
            derainer, _, data = name.rpartition("-")
            found.setdefault((derainer, ALIASES.get(data, data)), file)
    return found


def given_of(
    data: Sequence[str],
    weights: Sequence[str],
    spec: RunSpec,
    held: Path | None,
    restored: Sequence[str] = (),
) -> Given:
    """What the command line names, beside what lies in known places.

    Args:
        data: Words ``DATASET=DIR``.
        weights: Words ``DERAINER:DATASET=FILE``.
        spec: How to run.
        held: A folder with data sets by name, and ``weights``.
        restored: Words ``METHOD:DATASET=DIR``.

    Raises:
        UsageError: For a word that is not so, or a folder or file that is absent.
    """
    folders = {}
    if held is not None:
        names = [name for name in (*ALIASES, *DATA) if (held / name).is_dir()]
        folders = {ALIASES.get(name, name): held / name for name in names}
    for word in data:
        name, _, folder = word.partition("=")
        name = _set(name, "--data")
        if not Path(folder).is_dir():
            raise UsageError(f"--data {word}: no such folder, expected {name}=DIR")
        folders[name] = Path(folder)
    files = found_weights([FETCHED / "weights", *([held / "weights"] if held else [])])
    named = set()
    for word in weights:
        said = _WEIGHTS.fullmatch(word)
        if said is None or not Path(said["file"]).is_file():
            raise UsageError(
                f"--weights {word}: expected DERAINER:DATASET=FILE, a file that is there; sets are "
                + ", ".join(DATA)
            )
        place = variant_of(said["derainer"]).learner, _set(said["set"], "--weights")
        files[place] = Path(said["file"])
        named.add(place)
    images = {}
    for word in restored:
        shown, _, folder = word.partition("=")
        method, _, name = shown.partition(":")
        name = _set(name, "--restored")
        if not (method and Path(folder).is_dir()):
            raise UsageError(
                f"--restored {word}: expected METHOD:DATASET=DIR, a folder that is there"
            )
        images[method.casefold(), name] = Path(folder)
    return Given(folders, files, spec, frozenset(named), images)


def _set(name: str, flag: str) -> str:
    """The data set that a word names."""
    known(name, [*DATA, *ALIASES], f"data set in {flag}")
    return ALIASES.get(name, name)
