"""A trial of what a user brought: three small images through it, two of them once more.

It tells whether a network draws random numbers, keeps something from one image to the next, or
gives another answer than it gave under the same name: an environment variable whose name code puts
together shows here, as far as it shows in small images.
"""

from __future__ import annotations

import contextlib
import copy
import hashlib
import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from datasets.image import NDArrayByte, round_to_bytes
from harness.ledger.ledger import Ledger
from harness.ledger.packed import pack, unpack
from harness.ledger.probes import LABELS, alike
from harness.machine.device import one_thread_each
from harness.machine.generators import drew, seeded, states
from harness.plan import keys, recorder
from harness.plan.derainers import DerainerPlan, with_trials
from harness.plan.networks import TaskPlan
from harness.plan.plan import Plan
from harness.spec import UsageError
from harness.work.outside import kept_outside

if TYPE_CHECKING:
    from derainers.restorer import Restorer

_log = logging.getLogger(__name__)

SIZES_PX = {"odd": (65, 97), "even": (64, 96)}
"""Height and width of the images."""
COARSE = 1 / 255
NOISE = {"fp32": 1e-5, "bf16": COARSE, "fp16": COARSE}
"""By what one answer to an image may differ from the next, of white, and still be the same; on
CUDA, where sums come in any order, by `COARSE`."""
REMEDY = (
    "keep its state in what a factory FILE.py:FACTORY returns, so that each image gets a fresh "
    "copy, and draw random numbers from the generators of torch, NumPy or Python alone"
)
Answers = dict[str, np.ndarray[Any, Any]]
"""What was given for an image, by name: floats, or labels, or the name of an error."""


class UncopiedError(Exception):
    """Something that cannot be tried, since it cannot be copied."""


@dataclass(frozen=True)
class Trial:
    """What a trial showed."""

    answers: bytes
    """Packed; of images the rounded ones."""
    draws: bool
    is_stateful: bool


def tried(plan: Plan, ledger: Ledger, keep: bool = True) -> Plan:
    """A plan whose own code is named for good: with what calling it showed.

    Args:
        plan: Any; what is not the user's stays as it is.
        ledger: Knows what the same code gave earlier.
        keep: Whether the ledger may be written.

    Raises:
        UsageError: If an answer depends on the image before it, whatever one does about it.
        TaskError, DerainerError: If a network cannot be loaded.
    """
    made: dict[int, DerainerPlan] = {}
    for derainer in (c.derainer for c in plan.conditions):
        if id(derainer) in made:
            continue
        if derainer.is_own:
            made[id(derainer)] = with_trials(
                derainer, lambda part: _derainer(part, plan, ledger, keep)
            )
        elif derainer.is_foreign:
            made[id(derainer)] = _noted(derainer, plan, ledger, keep)
    tasks = [_task(task, plan, ledger, keep) if task.is_own else task for task in plan.tasks]
    if not made and tuple(tasks) == plan.tasks:
        return plan
    conditions = [
        replace(c, derainer=made.get(id(c.derainer), c.derainer)) for c in plan.conditions
    ]
    return replace(plan, conditions=tuple(conditions), tasks=tuple(tasks))


def images() -> dict[str, NDArrayByte]:
    """The small images by name: coarse squares and fine noise, the same bytes everywhere."""
    made = {}
    for name, (height, width) in SIZES_PX.items():
        rng = np.random.Generator(np.random.PCG64(24))
        coarse = rng.integers(0, 224, (-(-height // 8), -(-width // 8), 3), np.uint8)
        squares = np.kron(coarse, np.ones((8, 8, 1), np.uint8))[:height, :width]
        made[name] = squares + rng.integers(0, 32, (height, width, 3), np.uint8)
    # Some networks keep something for each size: of one size there is another, of other levels.
    made["other"] = (made["odd"][:, ::-1].astype(np.uint16) ** 2 // 255).astype(np.uint8)
    return made


def _derainer(derainer: DerainerPlan, plan: Plan, ledger: Ledger, keep: bool) -> DerainerPlan:
    """A derainer that was tried."""
    place = replace(plan.placement, tile_px=None)
    loader = replace(derainer.load, may_enlarge=True)

    def answered(restorer: Restorer, image: NDArrayByte) -> Answers:
        from derainers.restorer import restored

        try:
            return {"image": np.asarray(restored(restorer, image, "trial").image, np.float32)}
        except Exception as error:
            return {"error": np.frombuffer(type(error).__name__.encode(), np.uint8)}

    notes: list[str] = []

    def load() -> Restorer:
        # The sizes that it takes are tried already here: what that reads is read no second time.
        with recorder.recording() as files:
            restorer = loader(place)
        if derainer.identity is not None:
            derainer.identity.files += files
        notes[:] = getattr(restorer, "said", ())
        return _apart(restorer)

    trial = None
    with one_thread_each(plan.device):
        if _is_here(plan):
            noise = NOISE[plan.placement.dtype] if plan.device == "cpu" else COARSE
            with contextlib.suppress(UncopiedError):
                trial = _trial(load, answered, derainer, noise)
    key = derainer.key
    if derainer.identity is not None:
        key = {"own": derainer.identity.key()}
    said = {"device": plan.device, "dtype": plan.placement.dtype}
    lasting = derainer.identity is None or not derainer.identity.nonce
    trial, added = _settled(derainer.name, {**said, "of": key}, trial, ledger, keep and lasting)
    return replace(
        derainer,
        key={**key, **added},
        draws=trial.draws,
        is_stateful=trial.is_stateful,
        said=derainer.told(notes),
    )


def _noted(derainer: DerainerPlan, plan: Plan, ledger: Ledger, keep: bool) -> DerainerPlan:
    """One of our networks with weights from elsewhere, and what there is to say of these."""
    key = keys.key("said", derainer=derainer.key)
    known = ledger.get("doubts", [key])
    if not known and keep:
        restorer = derainer.load(replace(plan.placement, device="cpu", dtype="fp32"))
        known = {key: json.dumps(list(getattr(restorer, "said", ())))}
        with ledger.transaction():
            ledger.put("doubts", known)
    return replace(derainer, said=derainer.told(json.loads(known[key]))) if known else derainer


def _apart(restorer: Restorer) -> Restorer:
    """A copy that may be called without a trace in the caller's.

    Raises:
        UncopiedError: If there can be none: what holds a lock or a connection is not called.
    """
    from derainers.derainer import Derainer
    from derainers.restorer import OneAtATime

    if isinstance(restorer, Derainer):
        return restorer  # a copy as it is loaded
    if isinstance(restorer, OneAtATime):
        raise UncopiedError
    try:
        return copy.deepcopy(restorer)
    except Exception as error:
        raise UncopiedError from error


def _task(task: TaskPlan, plan: Plan, ledger: Ledger, keep: bool) -> TaskPlan:
    """A task whose network was tried."""
    assert task.identity is not None

    def answered(network: Any, image: NDArrayByte) -> Answers:
        packed = network.pack(network.predict([image])[0])
        return {f"labels_{name}": np.asarray(array) for name, array in packed.items()}

    def loaded() -> Any:
        task.task.load()
        return copy.deepcopy(task.task)

    trial = None
    if _is_here(plan):
        with one_thread_each(plan.device):
            trial = _trial(loaded, answered, task, 0.0 if plan.device == "cpu" else LABELS)
    key = {**task.model_key, "own": task.identity.key()}
    lasting = not task.identity.nonce
    named = {"device": plan.device, "of": key}
    trial, added = _settled(task.model, named, trial, ledger, keep and lasting)
    return replace(task, model_key={**key, **added}, draws=trial.draws)


def _is_here(plan: Plan) -> bool:
    """Whether this machine has the device; reports of runs elsewhere may have none."""
    if plan.device == "cpu":
        return True
    import torch

    return torch.cuda.is_available()


def _trial(
    load: Callable[[], Any],
    answered: Callable[[Any, NDArrayByte], Answers],
    of: DerainerPlan | TaskPlan,
    noise: float,
) -> Trial:
    """Three images and the first again; the third by a fresh copy too.

    Where one of the two differs, another fresh copy is shown the first after another image.

    Raises:
        UsageError: If that gives another answer too.
    """
    shown, draws = images(), False
    put_back = kept_outside(() if of.identity is None else of.identity.roots)
    network = load()

    def answer(name: str, by: Any) -> Answers:
        nonlocal draws
        with seeded("trial", name):
            before = states()
            given = answered(by, shown[name])
            draws = drew(before) or draws
        return given

    if of.identity is not None:
        recorder.forget_namesakes(of.identity.folder)
    with recorder.recording() as files:
        odd, even, other, again = (answer(n, network) for n in ("odd", "even", "other", "odd"))
        del network
        put_back()
        fresh = load()
        is_stateful = not _same([odd, other], [again, answer("other", fresh)], noise)
        if is_stateful:
            last = load()
            answer("other", fresh)  # as in a run no other size comes between
            if isinstance(of, TaskPlan) or not _same([odd], [answer("odd", last)], noise):
                name = of.model if isinstance(of, TaskPlan) else of.name
                raise UsageError(
                    f"{name}: its answer to an image depends on those before: {REMEDY}"
                )
    if of.identity is not None:
        of.identity.files += files
    packed = {}
    for place, given in (("odd", odd), ("even", even)):
        for name, array in given.items():
            packed[f"{name}_{place}"] = round_to_bytes(array) if name == "image" else array
    flags = np.array([draws, is_stateful])
    return Trial(pack({**packed, "flags": flags}), draws, is_stateful)


def _same(some: Sequence[Answers], others: Sequence[Answers], noise: float) -> bool:
    """Whether answers are the same but for noise."""
    if len(some) != len(others):
        return False
    for one, two in zip(some, others, strict=True):
        if one.keys() != two.keys() or any(one[k].shape != two[k].shape for k in one):
            return False
        for name, array in one.items():
            if array.dtype.kind == "f" and not np.allclose(array, two[name], rtol=0, atol=noise):
                return False
            differ = np.count_nonzero(array != two[name])
            if array.dtype.kind != "f" and differ > noise * array.size:
                return False
    return True


def _settled(
    name: str, of: dict[str, Any], trial: Trial | None, ledger: Ledger, keep: bool
) -> tuple[Trial, dict[str, str]]:
    """A trial, and what it adds to a key: nothing where the ledger knows these answers or none.

    Without a trial the first that is known stands for it.
    """
    place = 0
    while True:
        key = keys.key("probe", place=place, **of)
        known = ledger.get("probes", [key]) if ledger.holds("probes") else {}
        if not known and trial is not None and keep:
            with ledger.transaction():
                ledger.put("probes", {key: trial.answers})
            known = ledger.get("probes", [key])
            if place:
                _log.warning(
                    "%s: computed anew under a new key: with the same code and weights it answers "
                    "two small images otherwise than before (an environment variable, a file, "
                    "other hardware?)",
                    name,
                )
        if not known:
            trial = trial or Trial(b"", draws=False, is_stateful=False)
            return trial, _added(place, trial.answers)
        kept = known[key]
        if trial is None:
            draws, is_stateful = unpack(kept)["flags"].tolist()
            return Trial(kept, draws, is_stateful), {}
        if alike(kept, trial.answers):
            return trial, _added(place, kept)
        place += 1


def _added(place: int, answers: bytes) -> dict[str, str]:
    """What a probe that was not the first of its name adds to a key."""
    if not place:
        return {}
    h = hashlib.sha256()
    for name, array in sorted(unpack(answers).items()):
        h.update(f"{name} {array.dtype} {array.shape}\n".encode() + array.tobytes())
    return {"probe": h.hexdigest()}
