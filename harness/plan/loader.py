"""A derainer that can be loaded, what decides what it does, and several of them in a row."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datasets.names import text_of
from derainers.words import GATE_OPENS
from harness.machine.device import Placement, one_thread_each
from harness.machine.generators import seeded
from harness.plan import keys
from harness.plan.trained_on import Names, together
from harness.spec import UsageError

if TYPE_CHECKING:
    from derainers.restorer import Restorer
    from derainers.words import Part
    from harness.plan.own_code import Identity


@dataclass(frozen=True)
class DerainerPlan:
    """A derainer that can be loaded, and all that decides what it does."""

    method: str
    """As in records: ``granet``, ``granet@1f2e3d4c``, ``mine``."""
    key: dict[str, Any]
    weights_sha256: str | None
    load: Loader
    rain_families: Names
    """Rains its weights were trained on."""
    images: Names
    """What its weights were trained on, see `trained_on.images`."""
    is_identity: bool = False
    folders: tuple[Path, ...] = ()
    """Folders of restored images, which are of one rain alone."""
    made_from: Mapping[str, str] | None = None
    """Digests of the pixels that images restored elsewhere are known to be made from, by sample."""
    by_sample: Mapping[str, str] | None = None
    """Digests of the files that it gives back, by sample; None where it computes."""
    untold: tuple[str, ...] = ()
    """Folders of restored images of which it is not known what they were made from."""
    is_foreign: bool = False
    """Whether network or weights came from elsewhere, so that a slip is possible."""
    part: Part | None = None
    """What was typed; None of what was handed over in Python."""
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
    gate: float | None = None
    """From which rain on the one that it is made of derains; None = of no gate."""

    def __post_init__(self) -> None:
        # Files may have any name, and what is told of them is text.
        for told in ("method", "said"):
            value = getattr(self, told)
            object.__setattr__(self, told, value and text_of(value))

    def told(self, notes: Iterable[str]) -> str | None:
        """What to say of it, with notes that came up when it was loaded."""
        said = [f"{self.name}: {note}" for note in notes]
        return "; ".join([*([self.said] if self.said else []), *said]) or None

    @property
    def identities(self) -> list[Identity]:
        """What names the user's code in it, in a chain each part's."""
        own = [] if self.identity is None else [self.identity]
        return own + [each for part in self.parts for each in part.identities]

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
    """Whether it may enlarge twice, as the last of ``half:`` does."""
    files: Mapping[Path, str] = field(default_factory=dict)
    """What is read while it is built: the sha256 that each file must have then."""
    is_fitted: bool = True
    """Whether what it takes is known; else it is tried, see `derainers.fitting`."""

    def __call__(self, place: Placement) -> Restorer:
        """The derainer, placed.

        Raises:
            DerainerError: If it cannot be built, or enlarges where the size must stay.
            UsageError: If a file was changed since it was named.
        """
        from derainers.restorer import Computing

        restorer: Restorer = self.build(place)
        keys.require_same(self.files)
        if not isinstance(restorer, Computing):
            return restorer
        from derainers import DerainerError
        from derainers.chain import Chain
        from derainers.derainer import Derainer
        from derainers.fitting import fitted
        from derainers.gate import Gate

        if isinstance(restorer, Derainer):
            restorer = restorer.to(place.device, place.dtype)
            if not self.is_fitted:
                with one_thread_each(place.device), seeded("fit"):
                    restorer = fitted(restorer, self.name)
            if restorer.scale not in (1, 2):
                raise DerainerError(
                    f"derainer {self.name} enlarges images {restorer.scale} times: half: needs one "
                    "that enlarges twice"
                )
            if restorer.scale == 2 and not self.may_enlarge:
                raise DerainerError(
                    f"derainer {self.name} enlarges images {restorer.scale} times: "
                    f"use it behind another, as half:A+{self.name}"
                )
        if isinstance(restorer, Chain | Derainer | Gate):
            return restorer.in_tiles(place.tile_px)
        return restorer


def chained(parts: list[DerainerPlan], half: bool) -> DerainerPlan:
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
        together(p.rain_families for p in parts),
        together(p.images for p in parts),
        folders=tuple(folder for p in parts for folder in p.folders),
        untold=tuple(folder for p in parts for folder in p.untold),
        is_own=any(p.is_own for p in parts),
        draws=any(p.draws for p in parts),
        is_stateful=any(p.is_stateful for p in parts),
        parts=tuple(parts),
        half_size=half,
    )


def gated(plan: DerainerPlan, above: float) -> DerainerPlan:
    """``gate:A``: a derainer that leaves images alone which hold little rain.

    Raises:
        UsageError: If it is the identity.
    """
    if plan.is_identity:
        raise UsageError("gate:identity leaves every image alone: name a derainer behind it")

    def build(place: Placement) -> Restorer:
        from derainers.gate import Gate

        return Gate(plan.load(replace(place, tile_px=None)), above)

    name = f"gate@{above:g}:{plan.name}" if above != GATE_OPENS else f"gate:{plan.name}"
    return DerainerPlan(
        name,
        {"gate": above, "behind": plan.key},
        plan.weights_sha256,
        Loader(build, name),
        plan.rain_families,
        plan.images,
        folders=plan.folders,
        untold=plan.untold,
        is_own=plan.is_own,
        draws=plan.draws,
        is_stateful=plan.is_stateful,
        parts=(plan,),
        gate=above,
    )


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
        parts = [with_trials(part, each) for part in plan.parts]
        made = chained(parts, plan.half_size) if plan.gate is None else gated(parts[0], plan.gate)
        said = [plan.said, *(p.said for p, q in zip(parts, plan.parts, strict=True) if p is not q)]
        load = replace(made.load, name=plan.load.name)
        told = "; ".join(filter(None, said)) or None
        return replace(made, method=plan.method, load=load, said=told)
    return each(plan) if plan.is_own else plan
