"""Train a derainer: the photographs it may see, its curve, the weights and their card."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datasets.rain import Rain, digest
from datasets.sample import Dataset
from derainers.card import learning
from derainers.shards import card_file
from harness.machine.device import device_of, training_dtype
from harness.plan import keys
from harness.plan.data import data_name, dataset_row, open_splits, require_dry
from harness.plan.rains import rains_of, require_depth
from harness.spec import RunSpec, UsageError
from harness.training.curve import ScoreCurve
from harness.training.ending import Ending, scores_in_time
from harness.training.folder import (
    Begun,
    alone_in,
    begun_with,
    image_digests,
    name_of,
    origin_of,
    write_card,
    write_weights,
)
from harness.training.for_task import ForTask, for_task
from harness.training.launched import is_first
from harness.training.moment import Clock, Moment
from harness.training.photographs import Held, Photographs, choose, left_out, short_name
from harness.training.protocol import (
    BENCHMARK_HELD,
    require_images,
    under_protocol,
    with_scenes,
)
from harness.training.resumed import beginning
from harness.training.telling import best_of, cut_short, footing, hardware, verdict
from harness.training.trainee import Trainee, trainee
from harness.training.trial import crops_of
from harness.training.validation import Validation
from harness.training.wish import Wish

if TYPE_CHECKING:
    from derainers.derainer import Derainer
    from derainers.training.data import Crops
    from derainers.training.learner import Means
    from derainers.training.recipes import Recipe

MIXTURE = (
    "photoshop-light",
    "photoshop-medium",
    "photoshop-heavy",
    "rain100l",
    "rain100h",
    "outdoor-rain",
)
"""The rains of a training where none are named: one set of weights for all of them."""


@dataclass(frozen=True)
class Options:
    """What the command line says beside the data."""

    wish: Wish = field(default_factory=Wish)
    epochs: int | None = None
    steps: int | None = None
    max_minutes: float | None = None
    crops: int | None = None
    """End once so many were seen; the schedule is that of the whole training."""
    exclude: tuple[Path, ...] = ()
    """Folders of photographs that must not be trained on."""
    vgg: Path | None = None
    for_task: str | None = None
    """``TASK=NETWORK``: a frozen network whose sight goes into the loss."""
    begin: Path | None = None
    """Weights to begin with, instead of random ones, or a checkpoint to go on from."""


def train_derainer(
    name: str,
    spec: RunSpec,
    out: Path,
    options: Options,
    progress: Callable[[Moment], None] = lambda _: None,
    say: Callable[[str], None] = lambda _: None,
) -> Path:
    """Train a derainer, or go on with a training that was broken off.

    Args:
        name: A key of `derainers.training.recipes.PAPER`, or a user's ``FILE.py:FUNCTION``.
        spec: Photographs (data set, split, selection, limit), rains, device, format, workers, seed.
        out: Folder for checkpoint, ``curve.csv``, ``curve.png``, the weights and their card.
        options: Recipe, time, exclusions.
        progress: Told of every step.
        say: Told what a user should know: photographs left out, terms without weights, and at the
            end what the weights are worth.

    Returns:
        The weights that the validation chose, half floats: ``NAME.safetensors``. Of several
        processes the first writes and speaks.

    Raises:
        UsageError: If there is no such recipe or too few photographs, or the folder holds another
            training or damaged files.
        DerainerError: If the loss became NaN.
    """
    ended = Ending(options.max_minutes)
    say = say if is_first() else lambda _: None
    network = trainee(name, options.wish)
    by_protocol = network.kind == "benchmark"
    spec = under_protocol(spec) if by_protocol else spec
    recipe, rains = _recipe(network, spec, options), _rains(spec)
    cut = cut_short(name, network.recipe, recipe.epochs)
    _require_possible(spec, options, by_protocol)
    source, begin = beginning(options.begin, by_protocol)
    before = begun_with(begin, begin and card_file(begin)) if source is None else source.before
    judge = None if options.for_task is None else for_task(options.for_task, spec)
    derainer = network.build(begin, spec.seed)  # before any photograph is read
    for note in derainer.said:
        say(f"{name}: {note}")
    if cut is not None:
        say(cut)
    if recipe.perceptual and options.vgg is None:
        say(f"{name} is trained without its perceptual term: --vgg FILE gives VGG16's weights")
    if spec.split is None and not dataset_row(spec).is_folder:
        spec = spec.model_copy(update={"split": "train"})
    dataset = _dataset(spec.model_copy(update={"out": str(out)}), rains)
    if not by_protocol:
        require_depth({name: rain for name, rain in rains.items() if rain}, dataset)
    crop_px = crops_of(derainer, recipe).sizes_px[0]
    held = BENCHMARK_HELD if by_protocol else Held()
    photographs = choose(dataset, recipe, options.exclude, not rains, held, crop_px)
    photographs = with_scenes(photographs) if by_protocol else photographs
    for line in left_out(photographs, options.exclude):
        say(line)
    all_images = [*photographs.training, *photographs.validation]
    images = image_digests(all_images, with_labels=False)
    if by_protocol:
        require_images(all_images)
    objective = network.objective(derainer.range, options.vgg)
    told = before, objective, judge
    training = _Training(
        network, derainer, spec, options, recipe, rains, dataset, photographs, *told
    )
    identity = training.identity(images)
    if source is not None:
        source.require(identity)
    out.mkdir(parents=True, exist_ok=True)
    if not is_first():
        return training.run(out, identity, lambda _: None, lambda _: None, say, ended)
    with alone_in(out):
        begun = Begun(out, identity, images)
        if source is not None and source.go_on(begun):
            say(f"goes on from {options.begin}, step {source.step:,}")
        return training.run(out, identity, begun.note, progress, say, ended)


def _require_possible(spec: RunSpec, options: Options, by_protocol: bool) -> None:
    """Refuse options that cannot be followed."""
    training_dtype(spec)
    if by_protocol and options.for_task is not None:
        raise UsageError("--for: --recipe benchmark learns from images alone; take another recipe")
    if options.vgg is not None and not options.vgg.is_file():
        raise UsageError(f"--vgg {options.vgg}: no such file")


@dataclass(frozen=True)
class _Training:
    """One training with all that it needs."""

    network: Trainee
    derainer: Derainer
    """The network with its first weights."""
    spec: RunSpec
    options: Options
    recipe: Recipe
    rains: Mapping[str, Rain | None]
    dataset: Dataset
    photographs: Photographs
    before: Mapping[str, Any]
    """What the card says of the weights it begins with."""
    objective: Mapping[str, Any]
    """See `Trainee.objective`."""
    judge: ForTask | None = None
    """The task network that it is for."""

    def identity(self, images: Mapping[str, str]) -> dict[str, Any]:
        """What must not change where a training is gone on with.

        Args:
            images: A digest of each photograph, by id.
        """
        said = {
            "network": name_of(self.network.word),
            "files": self.network.files,
            "dataset": [data_name(self.spec, self.dataset), self.dataset.split],
            "rains": self._digests(),
            "photographs": keys.key("photographs", images=dict(images)),
            "recipe": asdict(self.recipe),
            "steps": self.options.steps,
            **self.objective,
        }
        said |= {"for_task": self.judge.told()} if self.judge else {}
        return said | ({"begun_with": self.before["begun_with"]["sha256"]} if self.before else {})

    def run(
        self,
        out: Path,
        identity: Mapping[str, Any],
        note: Callable[[Path], None],
        progress: Callable[[Moment], None],
        say: Callable[[str], None],
        ended: Ending,
    ) -> Path:
        """Train, and leave curve, weights and their card in the folder."""
        from derainers.training.learner import Checkpoint
        from derainers.training.loop import train

        name, derainer = self.network.name, self.derainer
        crops, means = self._crops(), self._means()
        validation = Validation(self.photographs.validation, self.rains, self.spec.seed)
        rainy = validation.scores(lambda image, _: image / 255)
        curve = ScoreCurve(out / "curve.csv") if is_first() else None
        enough = self.options.crops or crops.seen(crops.steps)
        clock = Clock(min(enough, crops.seen(crops.steps)), ended.until)

        def stop(step: int, loss: float) -> bool:
            best = curve and best_of(curve.rows)
            gain_db = best["psnr_y_db"] - rainy["psnr_y_db"] if best else None
            shown, left_s = clock.loss(loss), clock.left_s(crops.seen(step))
            progress(Moment(name, step, crops.steps, "step", shown, gain_db, left_s))
            return ended() or crops.seen(step) >= enough

        file = out / f"{name}.safetensors"
        kept = {**identity, "before": dict(self.before)}
        with ended:
            trained = train(
                derainer,
                crops,
                Checkpoint(out / "checkpoint.pt", json.loads(json.dumps(kept)), note),
                validate=lambda derainer: validation.scores(derainer.restore, ended.is_over),
                told=curve.add if curve else lambda _: None,
                stop=stop,
                means=means,
            )
        if curve is None:
            return file
        curve.draw(name, rainy)
        write_weights(file, trained.network)
        judged, best = validation.names, best_of(curve.rows)
        if best is None:
            best = scores_in_time(validation, derainer.to(means.device), ended)
        card = {
            **self._card(),
            **footing(trained.state, crops, self.network.recipe.steps(len(crops.photographs))),
            "validated_on": {
                "photographs": judged,
                "rainy": rainy,
                "restored": best,
            },
            **origin_of(file),
        }
        few = learning(card)
        write_card(card_file(file), card | {"learning": few})
        say(verdict(name, len(judged), rainy, best, trained.lacks_scores))
        if few is not None:
            say(f"{name}: {few}")
        return file

    def _crops(self) -> Crops:
        """What the network sees, from the first step to the last."""
        photographs = self.photographs.training
        return replace(
            crops_of(self.derainer, self.recipe),
            photographs=photographs,
            rains=tuple(self.rains.values()),
            steps=self.options.steps or self.recipe.steps(len(photographs)),
        )

    def _means(self) -> Means:
        """What is trained on, and with."""
        from derainers.training.learner import Means

        device = device_of(self.spec.device)
        workers = self.spec.workers or (8 if device == "cuda" else 1)
        return Means(
            device,
            training_dtype(self.spec),
            workers,
            self.options.vgg,
            hardware(device),
            self.network.is_own,
            self.network.loss,
            None if self.judge is None else self.judge.load(device),
        )

    def _card(self) -> dict[str, Any]:
        """What the card says that is known before the training."""
        families = sorted({rain.family for rain in self.rains.values() if rain})
        return {
            "network": name_of(self.network.word),
            "arguments": {},
            **({"files": self.network.files} if self.network.is_own else {}),
            "trained_on": {
                **self._sources(),
                "rain_families": families or ["given"],
                "rain_digests": self._digests(),
                "photographs": [s.id for s in self.photographs.training],
                **self.before.get("trained_on", {}),
            },
            **{k: v for k, v in self.before.items() if k != "trained_on"},
            "excluded": {
                "also_in": [short_name(folder) for folder in self.options.exclude],
                "photographs": list(self.photographs.excluded),
            },
            "recipe": {**asdict(self.recipe), "kind": self.network.kind},
            **{"perceptual": None, **self.objective},
            **({"for_task": self.judge.told()} if self.judge else {}),
            "data_terms": self.dataset.terms or "those of the photographs",
        }

    def _sources(self) -> dict[str, Any]:
        """The data sets that are learned from, each with its splits where there are several."""
        name, split = data_name(self.spec, self.dataset), self.dataset.split
        if not self.photographs.more:
            return {"datasets": [name], "split": split}
        splits = [f"{name}/{part}" for part in split.split("+")]
        return {"datasets": [*splits, *self.photographs.more]}

    def _digests(self) -> dict[str, str | None]:
        """The rains' digests by name; None for no rain."""
        return {word: digest(rain) if rain else None for word, rain in self.rains.items()}


def _recipe(network: Trainee, spec: RunSpec, options: Options) -> Recipe:
    """The recipe with what the command line changes in it."""
    if network.kind == "benchmark" and (options.epochs or options.steps):
        raise UsageError(
            "--recipe benchmark: the protocol says how many crops are seen; --crops and "
            "--max-minutes end earlier, and --from goes on"
        )
    epochs = options.epochs or network.recipe.epochs
    return replace(network.recipe, epochs=epochs, seed=spec.seed)


def _rains(spec: RunSpec) -> dict[str, Rain | None]:
    """The rains by name, ``none`` among them; nothing where the set's own is trained on."""
    words = spec.rain or (("given",) if dataset_row(spec).brings_rain else MIXTURE)
    named = dict(pair for word in words for pair in rains_of(word))
    if named == {"given": None}:
        return {}
    if "given" in named:
        raise UsageError("--rain given: training takes 'given' alone, or rains that are made")
    if not any(named.values()):
        raise UsageError("--rain none: name a rain beside it, or there is nothing to learn")
    return named


def _dataset(spec: RunSpec, rains: Mapping[str, Rain | None]) -> Dataset:
    """The photographs of a spec, which must be clean, or bring rain where none is made."""
    dataset = open_splits(spec)
    paired = dataset.has_clean and all(s.rainy_path is not None for s in dataset.samples)
    if not rains and not paired:
        raise UsageError(
            f"--rain given: data set {dataset.name} brings no rain of its own beside clean images"
        )
    if not dataset.has_clean:
        raise UsageError(f"{dataset.name} {dataset.split}: no clean images to train on")
    require_dry((name for name, rain in rains.items() if rain is not None), spec, dataset)
    return dataset
