"""From a derainer's word to what it stands for: a row of the table, or the user's own."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datasets import Dataset
from derainers import DERAINERS, words
from derainers.card import learning, read_card
from derainers.published import PUBLISHED, names_for
from derainers.shards import combined, shards
from derainers.shards import config as config_of
from derainers.training.recipes import PAPER
from derainers.variants import variant_of
from derainers.words import FORMS, Parameters, Part, is_remote
from harness.machine import about
from harness.machine.device import Placement
from harness.machine.environment import FETCHED
from harness.machine.remote import local_file, remote_file
from harness.machine.sources import SOURCES
from harness.plan import keys, trained_on
from harness.plan.loader import DerainerPlan, Loader, chained, gated, stage_plan, with_trials
from harness.plan.manifest import restored_files
from harness.spec import UsageError, known

if TYPE_CHECKING:
    from derainers.restorer import Restorer
    from derainers.rows import DerainerRow
    from harness.plan.user_code import Brought

__all__ = ["DerainerPlan", "Loader", "derainer_plan", "sources_of", "stage_plan", "with_trials"]


def sources_of(word: str) -> list[str]:
    """Files and modules whose code a word would run."""
    found = []
    for part in words.read(word).parts:
        if part.prefix == "torchscript":
            place = part.text.partition(":")[2]
            is_here = not is_remote(place) or remote_file(place).is_file()
            found.append(str(local_file(place)) if is_here else place)
        elif part.factory is not None and not part.is_onnx:
            found.append(part.factory["source"])
    return found


def derainer_plan(word: str, own: Mapping[str, Any], dataset: Dataset) -> DerainerPlan:
    """What a word stands for; the caller's own names come first.

    Raises:
        UsageError: For an unknown or impossible word.
        DerainerError: For a file, folder or factory that cannot be used.
    """
    if word in own:
        return _handed_over(word, own[word])
    said = words.read(word, [*own, *DERAINERS, *PUBLISHED])
    parts = [_part(part, own, dataset) for part in said.parts]
    plan = chained(parts, said.is_half) if said.is_half or len(parts) > 1 else parts[0]
    plan = plan if said.gate is None else gated(plan, said.gate)
    if said.name is None:
        return plan
    told = f"{said.name} is {plan.method}" + (f"; {plan.said}" if plan.said else "")
    load = replace(plan.load, name=said.name)
    return replace(plan, method=said.name, load=load, said=told)


def _part(part: Part, own: Mapping[str, Any], dataset: Dataset) -> DerainerPlan:
    """One derainer of a word."""
    if part.is_half:
        return chained([_part(replace(part, is_half=False), own, dataset)], True)
    if part.text in own:
        if part.parameters.said:
            raise UsageError(f"{part.text}{part.parameters.said}: say it in its Derainer(...)")
        return _handed_over(part.text, own[part.text])
    if part.prefix == "dir":
        if part.parameters.said:
            raise UsageError(f"{part.text}{part.parameters.said}: a folder of images has none")
        return _folder(Path(part.text.removeprefix("dir:")), dataset)
    plan = _network(part, own)
    shown = part.parameters.said
    load = replace(plan.load, name=f"{plan.method}{shown}")
    return replace(plan, method=f"{plan.method}{shown}", load=load, part=part)


def _network(part: Part, own: Mapping[str, Any]) -> DerainerPlan:
    """A network by any of the words for one."""
    if part.prefix == "spandrel":
        return _spandrel(local_file(part.text.removeprefix("spandrel:")), part.parameters)
    if part.prefix == "torchscript":
        file = _file(part.text.removeprefix("torchscript:"), "torchscript:")
        return _program(file, part.parameters)
    if part.is_onnx:
        return _onnx(_file(part.text, ""), part.parameters)
    factory = part.factory
    if factory is not None:
        return _factory(factory["source"], factory["name"], factory["weights"], part.parameters)
    words.require_function(part.text.partition("@")[0])
    return _row(part, own)


def _file(text: str, form: str) -> Path:
    """The file that a word names, here."""
    file = local_file(text)
    _require(file, f"{form}{file.name}: file", f"give one as {form}FILE")
    return file


def _row(part: Part, own: Mapping[str, Any]) -> DerainerPlan:
    """``NAME`` or ``NAME@WEIGHTS`` of the table, or the name of published weights."""
    name, _, given = part.text.partition("@")
    known(name.partition(":")[0], [*own, *DERAINERS, *PUBLISHED], "derainer", FORMS)
    variant = variant_of(name)
    name = variant.row
    is_published = name in PUBLISHED and name not in DERAINERS
    if is_published:
        name, given = PUBLISHED[name].derainer, _fetched(name, given)
    row, parameters = DERAINERS[name], part.parameters
    if variant.learner != variant.row:
        row = replace(row, weights=None)
    name = variant.word if variant.is_changed else name
    if given and not row.learned:
        raise UsageError(f"derainer {name} has no weights: leave '@{given}' out")
    if parameters.said and (not given or is_published):
        raise UsageError(
            f"derainer {part.text} knows how it is fed: leave '{parameters.said}' out, or give "
            f"weights of yours as {name}@FILE{parameters.said}"
        )
    if row.learned and not given and row.weights is None:
        fetched = names_for(name)
        fetch = f" (python -m harness fetch {' '.join(fetched)})" if fetched else ""
        get = (
            f"get the authors' from {row.published}{fetch}" if row.published else "none are public"
        )
        made = (
            f", or make some: python -m harness train {name} --help" if variant.row in PAPER else ""
        )
        raise UsageError(
            f"derainer {name} comes without weights: {get}; give some as {name}@FILE{made}"
        )
    file = local_file(given) if given else row.weights
    digests = {} if file is None else _digests(file, f"derainer {name}", f"{name}@FILE")
    weights = _combined(file, digests)
    ours = None
    if weights and not given and file is not None:
        ours = f"{name}: {file.name}, sha256 {weights[:8]}"
    families, images = trained_on.by_card(file, weights) if file else (frozenset(), frozenset())
    key = {"name": name, "version": row.version, "weights": weights}
    key |= keys.named(row.origin) if row.origin else {"built": row.built}
    settings = {**variant.settings, **_keyed(row, name, parameters)}

    def build(_: Placement) -> Restorer:
        return _fed(row.build(file, **settings), parameters)

    method = f"{name}@{weights[:8]}" if given and weights else name
    method = part.text if is_published else method
    said = "; ".join(filter(None, (ours, _few(method, file, weights)))) or None
    return DerainerPlan(
        method=method,
        key=key | _as_keyed(parameters),
        weights_sha256=weights,
        load=Loader(build, name, files=digests),
        rain_families=families,
        images=images,
        is_identity=name == "identity",
        is_foreign=bool(given) and not is_published,
        stages=row.stages,
        said=said,
    )


def _keyed(row: DerainerRow, name: str, parameters: Parameters) -> dict[str, str]:
    """The argument by which a row's builder learns which weights of a file are wanted."""
    if parameters.key is None:
        return {}
    if "key" not in inspect.signature(row.build).parameters:
        raise UsageError(
            f"derainer {name} picks its weights itself: leave key={parameters.key} out"
        )
    return {"key": parameters.key}


def _few(name: str, file: Path | None, weights: str | None) -> str | None:
    """What the card of some weights says of a training that was too short, if it was."""
    few = learning(read_card(file, weights)) if file is not None else None
    return few and f"{name}: {few}"


def _fetched(name: str, given: str) -> str:
    """The file of published weights by their name.

    Raises:
        UsageError: If it was not fetched, or is another.
    """
    source, row = SOURCES[name], PUBLISHED[name].derainer
    if given:
        raise UsageError(
            f"derainer {name} names weights already: leave '@{given}' out, or {row}@FILE"
        )
    file = FETCHED / source.file
    remedy = f"python -m harness fetch {name}, or give them as {row}@FILE"
    _require(file, f"derainer {name}: weight file", remedy)
    if keys.file_sha256(file) != source.sha256:
        raise UsageError(f"derainer {name}: {file} is not what its authors publish: {remedy}")
    return str(file)


def _handed_over(name: str, value: Any) -> DerainerPlan:
    """A derainer handed over in Python."""
    from harness.plan.user_code import own_derainer

    if name in DERAINERS or not name:
        raise UsageError(f"derainers: '{name}' is taken, or no name: choose another")
    return _brought(name, own_derainer(name, value), None)


def _brought(
    name: str, brought: Brought, file: Path | None, weights: str | None = None
) -> DerainerPlan:
    """A user's derainer, from Python or a factory."""
    families, images = trained_on.by_card(file, weights)
    return DerainerPlan(
        name,
        {"own": brought.identity.key()},
        weights or brought.weights,
        Loader(lambda _: brought.fresh(), name, is_fitted=False),
        families,
        images,
        is_foreign=True,
        is_own=True,
        identity=brought.identity,
    )


def _factory(source: str, name: str, given: str | None, parameters: Parameters) -> DerainerPlan:
    """``FILE.py:FACTORY`` or ``MODULE:FACTORY``, perhaps with weights."""
    from harness.plan.user_code import VARIES, built_to_run, own_derainer

    file = local_file(given) if given else None
    digests = {} if file is None else _digests(file, f"derainer {name}", f"{source}:{name}@FILE")
    weights = _combined(file, digests)
    built = built_to_run(source, name, file, parameters.key)
    keys.require_same(digests)
    label = f"{Path(source).stem if source.endswith('.py') else source}:{name}"
    # What a library reads by itself, as an ONNX session does, is not seen being read.
    files = [*built.files, *(str(part.resolve()) for part in digests)]
    brought = own_derainer(label, built.value, built.module, files, parameters)
    if built.varies:
        brought.identity.renew(label, VARIES)
    plan = _brought(f"{label}@{weights[:8]}" if weights else label, brought, file, weights)
    return replace(plan, said=_few(plan.method, file, weights))


def _onnx(file: Path, parameters: Parameters) -> DerainerPlan:
    """``FILE.onnx``."""
    from derainers.external import onnx_derainer

    _require_no_key(file, parameters)
    digests = _digests(file, "ONNX", "FILE.onnx")
    weights = _combined(file, digests) or ""
    key = {"onnx": list(digests.values()), "versions": about.versions(("onnxruntime",))}

    def build(place: Placement) -> Restorer:
        return _fed(onnx_derainer(file, place.device, place.dtype), parameters)

    return _of_file(file, key, weights, build, digests, parameters)


def _program(file: Path, parameters: Parameters) -> DerainerPlan:
    """``torchscript:FILE``: TorchScript or a program of ``torch.export``; both are code."""
    from derainers.external import program_derainer

    _require_no_key(file, parameters)
    weights = keys.file_sha256(file)

    def build(place: Placement) -> Restorer:
        return _fed(program_derainer(file, place.device, place.dtype), parameters)

    return _of_file(file, {"program": weights}, weights, build, {file: weights}, parameters)


def _spandrel(file: Path, parameters: Parameters) -> DerainerPlan:
    """``spandrel:FILE``; it may be a super-resolution network for ``half:``."""
    from derainers.external import spandrel_derainer

    if parameters.range is not None:
        raise UsageError(
            f"spandrel:{file.name}: spandrel knows the range and cuts what it returns to 0..1: "
            "leave range= out, or build the network as FILE.py:FACTORY@WEIGHTS,range=BLACK..WHITE"
        )
    digests = _digests(file, "spandrel", "spandrel:FILE")
    weights = _combined(file, digests) or ""
    packages = about.versions(("spandrel", "spandrel_extra_arches"))

    def build(_: Placement) -> Restorer:
        return _fed(spandrel_derainer(file, parameters.key), parameters)

    key = {"spandrel": weights, "versions": packages}
    return _of_file(file, key, weights, build, digests, parameters)


def _of_file(
    file: Path,
    key: dict[str, Any],
    weights: str,
    build: Callable[[Placement], Restorer],
    digests: Mapping[Path, str],
    parameters: Parameters,
) -> DerainerPlan:
    """A network that a file is all of."""
    families, images = trained_on.by_card(file, weights)
    stem = file.name if file.is_dir() else file.stem
    name = f"{stem}@{weights[:8]}"
    return DerainerPlan(
        name,
        key | _as_keyed(parameters),
        weights,
        Loader(build, stem, files=digests, is_fitted=False),
        families,
        images,
        is_foreign=True,
        is_own=True,
        said=_few(name, file, weights),
    )


def _fed(restorer: Restorer, parameters: Parameters) -> Restorer:
    """A derainer that is fed as its word says."""
    if parameters.as_json():
        from derainers.derainer import Derainer

        if not isinstance(restorer, Derainer):
            raise UsageError(f"'{parameters.said}' is for networks: leave it out")
        parameters.put_on(restorer)
    return restorer


def _require_no_key(file: Path, parameters: Parameters) -> None:
    if parameters.key is not None:
        raise UsageError(
            f"{file.name},key={parameters.key}: a program has one set of weights: leave key= out"
        )


def _as_keyed(parameters: Parameters) -> dict[str, Any]:
    """What parameters add to a key: nothing where there are none."""
    return {"parameters": parameters.as_json()} if parameters.as_json() else {}


def _digests(file: Path, what: str, form: str) -> dict[Path, str]:
    """A weight file and those beside it that belong to it, with their sha256."""
    if not file.is_dir():
        _require(file, f"{what}: weight file", f"give one as {form}")
    parts = shards(file)
    for part in parts:
        _require(part, f"{what}: weight file", "put it beside the others")
    parts += [found for found in [config_of(file)] if found is not None]
    return {part: keys.file_sha256(part) for part in parts}


def _combined(file: Path | None, digests: Mapping[Path, str]) -> str | None:
    """One digest of all files of some weights; a config beside them is none of these."""
    own = [d for f, d in digests.items() if file is None or f != config_of(file)]
    return combined(own) if own else None


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
    made_in = sorted(
        {file.made_in for file in files.values() if file.made_in} - {folder.absolute()}
    )
    # A rainy copy's manifest says of which rain all of it is, and of which images none.
    wanted = len(files) if inputs else sum(file.made_in is None for file in files.values())
    untold = () if len(inputs) == wanted else (name,)
    return DerainerPlan(
        name,
        {"dir": contents},
        weights_sha256=None,
        load=load,
        rain_families=None,
        images=None,
        folders=(folder, *made_in),
        made_from=inputs,
        by_sample=digests,
        untold=untold,
    )


def _require(file: Path, what: str, remedy: str) -> None:
    if not file.is_file():
        raise UsageError(f"{what} {file} not found: {remedy}")
