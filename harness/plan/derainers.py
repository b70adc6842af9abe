"""From a derainer's word to what it stands for: a row of the table, or the user's own."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datasets import Dataset
from datasets.names import text_of
from derainers import DERAINERS
from derainers.shards import combined, shards
from derainers.training.recipes import PAPER
from harness.machine import about
from harness.machine.device import Placement
from harness.machine.sources import SOURCES
from harness.plan import keys, trained_on
from harness.plan.manifest import restored_files
from harness.spec import UsageError, known

if TYPE_CHECKING:
    from derainers.derainer import Restorer
    from harness.plan.own_code import Identity
    from harness.plan.user_code import Brought

FORMS = "FILE.py:FACTORY, MODULE:FACTORY, FILE.onnx, spandrel:FILE, dir:FOLDER, half:A, A+B"
_FACTORY = re.compile(r"(?P<source>[^@]+):(?P<name>[A-Za-z_]\w*)(@(?P<weights>.+))?")


@dataclass(frozen=True)
class DerainerPlan:
    """A derainer that can be loaded, and all that decides what it does."""

    method: str
    """As in records: ``granet``, ``granet@1f2e3d4c``, ``mine``."""
    key: dict[str, Any]
    weights_sha256: str | None
    load: Loader
    rain_families: frozenset[str] | None
    """Rains its weights were trained on; None = unknown."""
    images: frozenset[str] | None
    """What its weights were trained on, see `trained_on.images`; None = unknown."""
    is_identity: bool = False
    folders: tuple[Path, ...] = ()
    """Folders of restored images, which are of one rain alone."""
    wrapped: str | None = None
    """What makes its `Derainer` in a file of the user's, where network or weights came from
    elsewhere, so that a slip is possible; None = ours."""
    parts: tuple[DerainerPlan, ...] = ()
    """Derainers that a chain is made of."""
    stages: tuple[str, ...] = ()
    """Intermediate outputs that it can be asked for."""
    stage: str | None = None
    """Intermediate output that this is; None = the restored image."""
    said: str | None = None
    """Which of our weights these are, and for what they stand in."""
    is_own: bool = False
    """Whether the user brought the network, so that it is tried before work starts."""
    identity: Identity | None = None
    """What names a user's code, which is complete once it was called."""
    draws: bool = False
    """Whether it draws from the random generators of the process."""
    is_stateful: bool = False
    """Whether its answer depends on the image before, so that each needs a fresh copy."""
    half_size: bool = False
    """Whether a chain starts at half size."""

    def __post_init__(self) -> None:
        # Files may have any name, and what is told of them is text.
        for told in ("method", "wrapped", "said"):
            value = getattr(self, told)
            object.__setattr__(self, told, value and text_of(value))

    @property
    def name(self) -> str:
        """As tables and files spell it, with its stage."""
        return self.method if self.stage is None else f"{self.method}/{self.stage}"


@dataclass(frozen=True)
class Loader:
    """Makes a derainer on a device."""

    build: Callable[[Placement], Restorer]
    name: str
    may_enlarge: bool = False
    files: Mapping[Path, str] = field(default_factory=dict)
    """What is read while it is built: the sha256 that each file must have then."""

    def __call__(self, place: Placement) -> Restorer:
        """The derainer, placed.

        Raises:
            DerainerError: If it cannot be built, or enlarges where the size must stay.
            UsageError: If a file was changed since it was named.
        """
        from derainers import DerainerError
        from derainers.chain import Chain
        from derainers.derainer import Derainer

        restorer: Restorer = self.build(place)
        keys.require_same(self.files)
        if isinstance(restorer, Derainer):
            restorer = restorer.to(place.device, place.dtype)
            if restorer.scale != 1 and not self.may_enlarge:
                raise DerainerError(
                    f"derainer {self.name} enlarges images {restorer.scale} times: "
                    f"use it behind another, as half:A+{self.name}"
                )
        if isinstance(restorer, Chain | Derainer):
            return restorer.in_tiles(place.tile_px)
        return restorer


def sources_of(word: str) -> list[str]:
    """Files and modules whose functions a word would run."""
    parts = word.removeprefix("half:").split("+")
    found = [_FACTORY.fullmatch(p) for p in parts if not p.startswith(("dir:", "spandrel:"))]
    return [match["source"] for match in found if match is not None]


def derainer_plan(word: str, own: Mapping[str, Any], dataset: Dataset) -> DerainerPlan:
    """What a word stands for; the caller's own names come first.

    Raises:
        UsageError: For an unknown or impossible word.
        DerainerError: For a file, folder or factory that cannot be used.
    """
    if word in own:
        return _handed_over(word, own[word])
    half = word.startswith("half:")
    parts = word.removeprefix("half:").split("+")
    if half or len(parts) > 1:
        return _chain([derainer_plan(part, own, dataset) for part in parts], half)
    if word.startswith("dir:"):
        return _folder(Path(word.removeprefix("dir:")), dataset)
    if word.startswith("spandrel:"):
        return _spandrel(Path(word.removeprefix("spandrel:")))
    factory = _FACTORY.fullmatch(word)
    if word.endswith(".onnx") and (factory is None or Path(word).is_file()):
        return _onnx(Path(word))
    if factory is not None:
        return _factory(factory["source"], factory["name"], factory["weights"])
    return _row(word, own)


def stage_plan(plan: DerainerPlan, stage: str) -> DerainerPlan:
    """An intermediate output of a derainer as one of its own: ``granet/coarse``."""

    def build(place: Placement) -> Restorer:
        from derainers.derainer import Derainer, stage_of

        whole = plan.load.build(place)
        assert isinstance(whole, Derainer)
        return stage_of(whole, stage)

    return DerainerPlan(
        plan.method,
        {**plan.key, "stage": stage},
        plan.weights_sha256,
        replace(plan.load, build=build, name=f"{plan.method}/{stage}"),
        plan.rain_families,
        plan.images,
        stage=stage,
    )


def with_trials(plan: DerainerPlan, each: Callable[[DerainerPlan], DerainerPlan]) -> DerainerPlan:
    """A derainer with what a trial of each network that the user brought made of that."""
    if plan.parts and plan.is_own:
        return _chain([with_trials(part, each) for part in plan.parts], plan.half_size)
    return each(plan) if plan.is_own else plan


def _row(word: str, own: Mapping[str, Any]) -> DerainerPlan:
    """``NAME`` or ``NAME@WEIGHTS`` of the table."""
    name, _, given = word.partition("@")
    known(name, [*own, *DERAINERS], "derainer", FORMS)
    row, said = DERAINERS[name], None
    if row.stand_in and not given and row.weights is None:
        said = f"{name} has no weights of its own yet, {row.stand_in} stands in"
        name, row = row.stand_in, DERAINERS[row.stand_in]
    if given and not row.learned:
        raise UsageError(f"derainer {name} has no weights: leave '@{given}' out")
    if row.learned and not given and row.weights is None:
        fetched = [n for n in SOURCES if n.startswith(f"{name}-rain")]
        fetch = f" (python -m harness fetch {fetched[0]})" if fetched else ""
        made = f", or make some: python -m harness train {name} --help" if name in PAPER else ""
        raise UsageError(
            f"derainer {name} comes without weights: get the authors' from "
            f"{row.published}{fetch}; give some as {name}@FILE{made}"
        )
    file = Path(given) if given else row.weights
    if file is not None:
        for shard in shards(file):
            _require(shard, f"derainer {name}: weight file", f"give one as {name}@FILE")
    digests = {shard: keys.file_sha256(shard) for shard in shards(file)} if file else {}
    weights = combined(list(digests.values())) if file else None
    card: dict[str, Any] = {}
    if file is not None:
        from derainers.card import read_card

        card = read_card(file)
    if file is not None and weights and not given:
        ours = f"{name}: {file.name}, sha256 {weights[:8]}"
        said = f"{ours}; {said}" if said else ours
    trained = card.get("trained_on", {}) if file else {"rain_families": [], "datasets": []}
    return DerainerPlan(
        method=f"{name}@{weights[:8]}" if given and weights else name,
        key={"name": name, "version": row.version, "weights": weights, **keys.named(row.origin)},
        weights_sha256=weights,
        load=Loader(lambda _: row.build(file), name, files=digests),
        rain_families=trained_on.rain_families(trained),
        images=trained_on.images(trained),
        is_identity=name == "identity",
        wrapped=f"DERAINERS['{name}'].build(weights)" if given else None,
        stages=row.stages,
        said=said,
    )


def _handed_over(name: str, value: Any) -> DerainerPlan:
    """A derainer handed over in Python."""
    from harness.plan.user_code import own_derainer

    if name in DERAINERS or not name:
        raise UsageError(f"derainers: '{name}' is taken, or no name: choose another")
    return _brought(name, own_derainer(name, value), None)


def _brought(name: str, brought: Brought, weights: str | None) -> DerainerPlan:
    """A user's derainer, from Python or a factory."""
    return DerainerPlan(
        name,
        {"own": brought.identity.key()},
        weights or brought.weights,
        Loader(lambda _: brought.fresh(), name),
        None,
        None,
        wrapped="Derainer(network)",
        is_own=True,
        identity=brought.identity,
    )


def _factory(source: str, name: str, given: str | None) -> DerainerPlan:
    """``FILE.py:FACTORY`` or ``MODULE:FACTORY``, perhaps with weights."""
    from harness.plan.user_code import built_by, own_derainer

    file = Path(given) if given else None
    if file is not None:
        _require(file, f"derainer {name}: weight file", f"give one as {source}:{name}@FILE")
    parts = _parts_of(file) if file else []
    for part in parts:
        _require(part, f"derainer {name}: weight file", "put it beside the others")
    digests = {part: keys.file_sha256(part) for part in parts}
    weights = combined(list(digests.values())) if digests else None
    built = built_by(source, name, file)
    keys.require_same(digests)
    label = f"{Path(source).stem if source.endswith('.py') else source}:{name}"
    # What a library reads by itself, as an ONNX session does, is not seen being read.
    files = [*built.files, *(str(part.resolve()) for part in parts)]
    brought = own_derainer(label, built.value, built.module, files)
    return _brought(f"{label}@{weights[:8]}" if weights else label, brought, weights)


def _parts_of(file: Path) -> list[Path]:
    """A weight file and those beside it that belong to it."""
    from derainers.external import onnx_files

    return onnx_files(file) if file.suffix == ".onnx" else shards(file)


def _onnx(file: Path) -> DerainerPlan:
    """``FILE.onnx``."""
    from derainers.external import onnx_derainer, onnx_files

    _require(file, "ONNX file", "give the path of one")
    files = {part: keys.file_sha256(part) for part in onnx_files(file)}
    digests = list(files.values())
    key = {"onnx": digests, "versions": about.versions(("onnxruntime",))}
    load = Loader(
        lambda place: onnx_derainer(file, place.device, place.dtype), file.stem, files=files
    )
    name = f"{file.stem}@{digests[0][:8]}"
    wrapped = "onnx_derainer(weights, 'cpu', 'fp32')"
    return DerainerPlan(name, key, digests[0], load, None, None, wrapped=wrapped, is_own=True)


def _spandrel(file: Path) -> DerainerPlan:
    """``spandrel:FILE``; it may be a super-resolution network for ``half:``."""
    from derainers.external import spandrel_derainer

    _require(file, "spandrel: weight file", "give one as spandrel:FILE")
    weights = keys.file_sha256(file)
    key = {"spandrel": weights, "versions": about.versions(("spandrel",))}
    load = Loader(lambda _: spandrel_derainer(file), file.stem, files={file: weights})
    name, wrapped = f"{file.stem}@{weights[:8]}", "spandrel_derainer(weights)"
    return DerainerPlan(name, key, weights, load, None, None, wrapped=wrapped, is_own=True)


def _folder(folder: Path, dataset: Dataset) -> DerainerPlan:
    """``dir:FOLDER``: images restored elsewhere."""
    from derainers.folder import Folder

    files = restored_files(folder, dataset)
    pairs = {sample: file.path for sample, file in files.items()}
    inputs = {sample: file.input for sample, file in files.items() if file.input is not None}
    digests = {sample: keys.file_sha256(file) for sample, file in pairs.items()}
    contents = sorted([sample, digest] for sample, digest in digests.items())
    name = f"dir:{folder.resolve().name}"
    load = Loader(lambda _: Folder(pairs, digests, inputs, keys.pixels_sha256), name)
    return DerainerPlan(name, {"dir": contents}, None, load, None, None, folders=(folder,))


def _chain(parts: list[DerainerPlan], half: bool) -> DerainerPlan:
    """``A+B``, or ``half:A+B``."""

    def build(place: Placement) -> Restorer:
        from derainers.chain import Chain

        last = len(parts) - 1 if half else None
        loaders = [replace(p.load, may_enlarge=i == last) for i, p in enumerate(parts)]
        return Chain([load(replace(place, tile_px=None)) for load in loaders], half)

    name = ("half:" if half else "") + "+".join(p.name for p in parts)
    weights = [p.weights_sha256 for p in parts if p.weights_sha256]
    # Version 2: tiles reach the networks of a chain in a chain too.
    version = {"version": 2} if any("chain" in p.key for p in parts) else {}
    return DerainerPlan(
        name,
        {"chain": [p.key for p in parts], "half": half, **version},
        "+".join(weights) or None,
        Loader(build, name),
        _union([p.rain_families for p in parts]),
        _union([p.images for p in parts]),
        folders=tuple(folder for p in parts for folder in p.folders),
        is_own=any(p.is_own for p in parts),
        draws=any(p.draws for p in parts),
        is_stateful=any(p.is_stateful for p in parts),
        parts=tuple(parts),
        half_size=half,
    )


def _require(file: Path, what: str, remedy: str) -> None:
    if not file.is_file():
        raise UsageError(f"{what} {file} not found: {remedy}")


def _union(sets: list[frozenset[str] | None]) -> frozenset[str] | None:
    """All names, None where one of the sets is unknown."""
    names: frozenset[str] = frozenset()
    for each in sets:
        if each is None:
            return None
        names |= each
    return names
