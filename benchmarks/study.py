"""The study of docs/study-plan.md in pieces: trainings of task networks, then runs.

    python benchmarks/study.py DATA [--learning-rate X] [--x WORD --derainer WORD…] [--out DIR]
        [--piece NAME…] [--list]

Without a learning rate, the trials that choose it alone; with one, the trainings that need no
derainer; with X, all. A piece that was broken off goes on, and one that is done is left out.
`pieces.json` in the folder keeps the core-hours of each beside those that were planned; two
commands may make different pieces of one folder at a time. `--pilot N` does all on N images of
other splits, one epoch each, to learn what the study will cost without opening an image of it.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from derainers import DERAINERS
from derainers.card import read_card
from reports.tables.text import grid

SEEDS = (0, 1, 2)
RAIN_SEEDS = (1001, 1002, 1003)
SEEN, HELD_OUT = "real-like", "physical:rate_mm_h=50"
FEW = ("none", SEEN, HELD_OUT)
"""Rains of the remedies."""
PRIMARY = tuple(f"primary-{seed}" for seed in RAIN_SEEDS)
"""The pieces of the primary contrasts, a seed of the rain each."""
RATES = (
    *("none", "physical:rate_mm_h=5/25/50/100", "rain100h"),
    *("physical:rate_mm_h=50:veil=0", "physical:rate_mm_h=50:drops=0"),
)
"""Rains that break-even rates, the gate, and veil and drops apart are told of."""
SCENES, EPOCHS = 240, 13
LEARNING_RATES = (1e-3, 3e-4, 1e-4)
"""Of the trials: the one whose network scores best on dry images of `val` is the study's."""
KINDS = {
    "clean": ("--rain", "none"),
    "rain": ("--rain", SEEN),
    "mixture": ("--rain", f"{SEEN},none"),
    "derained": ("--rain", f"{SEEN},none", "--derained"),
}
"""What the task networks are trained on; the word of X stands behind the last."""
NETWORKS = {"yolo": "detection", "refinenet": "semantic"}
"""Task of each task network."""
FOR, FOR_STEPS = "detection=yolo-streetsim", 1500
"""What X learns further for, beside a twin that learns of pixels alone for as many steps."""
LEARNED = {"pixels": (), "task": ("--for", FOR)}
"""What the two are called in their run."""
SEEDED = ("mspfn-light", "dcsfn-light")
"""Cheap derainers that are trained with every seed; the package's `NAME-benchmark` is the first."""
CROPS = 16_000
"""Of each such training, as of the package's."""
PAIRS = ("rain100l", "rain100h")
"""Photographs with the rain of two test sets, for image quality alone."""
PHOTOGRAPHS = ("--split", "train2017", "--attributes", "coco128-scenes.csv", "--where")
"""Those of COCO128, by what the package's table calls them: indoors to learn, outdoors to look."""


def seeds_of(network: str, kind: str) -> tuple[int, ...]:
    """Training seeds: several of those that the contrasts are of."""
    return SEEDS if network == "yolo" and kind != "derained" else SEEDS[:1]


def weights_of(word: str) -> tuple[str, Path | None]:
    """The network that a derainer's word names, and the file of its weights if it has any."""
    name, _, file = word.partition("@")
    if file:
        return name, Path(file).resolve()
    weights = DERAINERS[name].weights
    return (name, None) if weights is None else (read_card(weights)["network"], weights)


@dataclass(frozen=True)
class Piece:
    """One command of the harness, without its folders."""

    name: str
    words: tuple[str, ...]
    core_hours: float
    """Planned."""


@dataclass(frozen=True)
class Study:
    """What is run, and where."""

    data: Path
    out: Path
    learning_rate: float | None = None
    """Of every training, by the plan's rule; None = only what chooses it."""
    x: str | None = None
    """The derainer of the primary contrasts; None = only what needs none."""
    derainers: tuple[str, ...] = ()
    """All others."""
    pilot: int | None = None
    """Images to try it on, of other splits; None = the study itself."""

    def pieces(self) -> list[Piece]:
        """All of them, in the order in which they can be made."""
        runs = [] if self.x is None else [*self._runs(self.x), *self._for_a_task(self.x)]
        trainings = [*self._trainings(), *self._trainings_on_photographs()]
        return [*self._trials(), *trainings, *runs, *self._seeds()]

    def _seeds(self) -> list[Piece]:
        """What another training of the same derainer gives."""
        if self.x is None or self.pilot:  # the protocol has no smaller size
            return []
        words = ["--recipe", "benchmark", "--data-root", f"{self.data / 'bsds500'}"]
        for pairs in PAIRS:
            words += ["--exclude", f"{self.data / pairs / 'target'}"]
        words += ["--dtype", "bf16", "--workers", "1", "--crops", str(CROPS), "--seed"]
        scenes = ("--dataset", "streetsim", "--split", "study")
        bundled = (*scenes, *self._models(dict.fromkeys(NETWORKS, ())))
        made = []
        for network in SEEDED:
            every = [f"{network}-benchmark"]
            for seed in SEEDS[1:]:
                name = f"{network}-{seed}"
                made.append(Piece(name, ("train", network, *words, str(seed)), 1.0))
                every.append(f"{name}={network}@{self.out / name / network}.safetensors")
            made.append(self._run(f"seeds-{network}", bundled, FEW, every, RAIN_SEEDS[0], 0.8))
        return made

    def _for_a_task(self, x: str) -> list[Piece]:
        """X learns further on scenes, of pixels alone and for a detector; then both are judged."""
        network, begin = weights_of(x)
        if begin is None:
            return []
        images, steps = (self.pilot, 2) if self.pilot else (SCENES, FOR_STEPS)
        words = ["train", network, "--dataset", "streetsim", "--split", f"train:{images}"]
        words += ["--rain", f"{SEEN},none", "--recipe", "short", "--steps", str(steps)]
        words += ["--from", str(begin), "--dtype", "bf16", "--workers", "1"]
        made = [Piece(f"x-{name}", (*words, *more), 0.4) for name, more in LEARNED.items()]
        files = {name: self.out / f"x-{name}" / f"{network}.safetensors" for name in LEARNED}
        both = [f"{name}={network}@{file}" for name, file in files.items()]
        split = "val" if self.pilot else "study"
        networks = self._models(dict.fromkeys(NETWORKS, ()))
        scenes = ("--dataset", "streetsim", "--split", split)
        footing = (*scenes, *self._models({"yolo": ("clean", "rain", "mixture")}))
        return [
            *made,
            self._run("for-task", (*scenes, *networks), FEW, both, RAIN_SEEDS[0], 1.2),
            self._run("footing", footing, FEW, both[:1], RAIN_SEEDS[0], 0.3),
        ]

    def _trials(self) -> list[Piece]:
        names = [f"trial-{rate}" for rate in LEARNING_RATES]
        made = [
            self._training(name, "yolo", SEEDS[0], rate, KINDS["clean"], 0.2)
            for name, rate in zip(names, LEARNING_RATES, strict=True)
        ]
        words = ["--dataset", "streetsim", "--split", "val"]
        for name in names:
            words += ["--model", f"detection=yolo@{self._file(name, 'yolo')}"]
        run = ("run", *words, "--rain", "none", "--derainer", "identity", "--quality", "none")
        return [*made, Piece("trials", run, 0.1)]

    def _trainings(self) -> list[Piece]:
        if self.learning_rate is None:
            return []
        made = []
        for network in NETWORKS:
            for kind, flags in KINDS.items():
                if kind == "derained" and self.x is None:
                    continue
                hours = 0.2 if network == "yolo" else 0.3
                more, hours = ([self.x or ""], hours + 1.65) if kind == "derained" else ([], hours)
                for seed in seeds_of(network, kind):
                    about = network, seed, self.learning_rate, (*flags, *more), hours
                    made.append(self._training(f"{network}-{kind}-{seed}", *about))
        return made

    def _training(
        self,
        name: str,
        network: str,
        seed: int,
        learning_rate: float,
        flags: Sequence[str],
        core_hours: float,
    ) -> Piece:
        images, epochs = self.pilot or SCENES, 1 if self.pilot else EPOCHS
        words = ["train", network, "--dataset", "streetsim", "--dtype", "bf16"]
        words += ["--split", f"train:{images}", "--from", f"{network}-streetsim"]
        words += ["--epochs", str(epochs), "--seed", str(seed)]
        words += ["--learning-rate", str(learning_rate), *flags]
        return Piece(name, tuple(words), core_hours)

    def _trainings_on_photographs(self) -> list[Piece]:
        if self.learning_rate is None or self.pilot:  # these images have no other split
            return []
        words = ["train", "yolo", "--dataset", "coco", "--data-root", f"{self.data / 'coco128'}"]
        words += [*PHOTOGRAPHS, "scene=indoor", "--from", f"{self.seg}", "--dtype", "bf16"]
        words += ["--epochs", str(EPOCHS), "--learning-rate", str(self.learning_rate)]
        kinds = [kind for kind in KINDS if kind != "derained"]
        return [Piece(f"coco-{kind}", (*words, *KINDS[kind]), 0.15) for kind in kinds]

    @property
    def seg(self) -> Path:
        """What the trainings on photographs begin with."""
        return self.data / "weights" / "yolov8n-seg.pt"

    def _file(self, piece: str, network: str) -> Path:
        """The weights that a training leaves."""
        return self.out / piece / f"{network}-streetsim.safetensors"

    def _runs(self, x: str) -> list[Piece]:
        gated = (x, f"gate:{x}")
        every = (*gated, *self.derainers)
        split = "val" if self.pilot else "study"
        scenes = ("--dataset", "streetsim", "--split", split)
        judged = (*scenes, *self._models({"yolo": ("clean", "rain", "mixture")}))
        again = (*judged, "--quality", "none")  # image quality is told of one seed
        remedies = (*scenes, *self._models(dict.fromkeys(NETWORKS, tuple(KINDS))))
        bundled = (*scenes, *self._models(dict.fromkeys(NETWORKS, ())))
        made = [
            self._run(name, about, rains, (x,), seed, 0.5)
            for name, seed, about, rains in zip(
                PRIMARY, RAIN_SEEDS, (judged, again, again), (FEW, FEW[1:], FEW[1:]), strict=True
            )
        ]
        made += [
            self._run("scenes", remedies, FEW, gated, RAIN_SEEDS[0], 0.5),
            self._run("benchmark", bundled, FEW, every, RAIN_SEEDS[0], 6.0),  # to be frozen
            self._run("rates", bundled, RATES, (*gated, "median"), RAIN_SEEDS[0], 1.9),
        ]
        camvid = ["--dataset", "camvid", "--data-root", f"{self.data / 'camvid'}"]
        camvid += ["--split", "val" if self.pilot else "test", "--task", "semantic"]
        made.append(self._run("camvid", camvid, FEW, (x, "median"), RAIN_SEEDS[0], 0.8))
        return made if self.pilot else [*made, *self._runs_on_all_of_a_set(gated, every)]

    def _runs_on_all_of_a_set(self, gated: Sequence[str], every: Sequence[str]) -> list[Piece]:
        """Runs on images that have no other split."""
        yolo = f"detection={self.data / 'weights' / 'yolov8n.pt'}"
        coco = ["--dataset", "coco", "--data-root", f"{self.data / 'coco128'}", *PHOTOGRAPHS]
        coco += ["scene=outdoor", "--task", "detection,instance", "--model", yolo]
        coco += ["--model", f"instance={self.seg}"]
        trained = []
        for piece in self._trainings_on_photographs():
            file = self.out / piece.name / "yolo-coco.safetensors"
            trained += ["--model", f"instance=yolo-seg@{file}"]
        carla = ["--dataset", "carla", "--data-root", f"{self.data / 'carlarain'}"]
        carla += ["--task", "detection", "--model", yolo]
        pairs = {
            name: ("--dataset", "pairs", "--data-root", f"{self.data / name}", "--task", "none")
            for name in PAIRS
        }
        real = ["--dataset", "folder", "--data-root", f"{self.data / 'real-rain'}"]
        real += ["--task", "none", "--quality", "niqe"]
        return [
            self._run("coco", coco, FEW, every, RAIN_SEEDS[0], 1.3),
            self._run("coco-remedies", (*coco, *trained), FEW, gated, RAIN_SEEDS[0], 0.3),
            self._run("carlarain", carla, ("none", "given"), every, RAIN_SEEDS[0], 0.6),
            *(
                self._run(name, about, ("given",), every, RAIN_SEEDS[0], 0.6)
                for name, about in pairs.items()
            ),
            self._run("real-rain", real, ("none",), every, RAIN_SEEDS[0], 0.3),
        ]

    def _models(self, kinds: Mapping[str, Sequence[str]]) -> list[str]:
        """Task networks of a run: the package's, and those that we trained on some kinds."""
        words = ["--task", ",".join(NETWORKS[network] for network in kinds)]
        for network, trained in kinds.items():
            task = NETWORKS[network]
            words += ["--model", f"{task}={network}-streetsim"]
            for kind in trained:
                for seed in seeds_of(network, kind):
                    file = self._file(f"{network}-{kind}-{seed}", network)
                    words += ["--model", f"{task}={network}@{file}"]
        return words

    def _run(
        self,
        name: str,
        about: Sequence[str],
        rains: Sequence[str],
        derainers: Sequence[str],
        seed: int,
        core_hours: float,
    ) -> Piece:
        words = ["run", *about, "--rain", ",".join(rains), "--seed", str(seed), "--no-images"]
        for derainer in derainers:
            words += ["--derainer", derainer]
        words += ["--limit", str(self.pilot)] if self.pilot else []
        return Piece(name, (*words, "--layout", "remedies"), core_hours)

    def make(self, piece: Piece) -> float:
        """Run a piece; gives its core-hours.

        Raises:
            subprocess.CalledProcessError: If it failed.
        """
        words = [*piece.words, "--out", str(self.out / piece.name)]
        if piece.words[0] == "run" or "--derained" in piece.words:
            words += ["--workspace", str(self.out / "runs")]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-m", "harness", *words], check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return seconds / 3600


def read_took(file: Path) -> dict[str, float]:
    """Core-hours of the pieces that are done."""
    took: dict[str, float] = json.loads(file.read_text()) if file.is_file() else {}
    return took


def table(pieces: Sequence[Piece], took: dict[str, float]) -> list[str]:
    """Planned and used core-hours of every piece, and their sums."""
    rows = [
        [p.name, f"{p.core_hours:.2f}", f"{took[p.name]:.2f}" if p.name in took else "–"]
        for p in pieces
    ]
    planned = sum(p.core_hours for p in pieces)
    used = sum(took.get(p.name, 0) for p in pieces)
    rows.append(["sum", f"{planned:.2f}", f"{used:.2f}"])
    return grid(["piece", "planned core-hours", "used"], rows)


def main() -> None:
    """Make what is not made yet."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--x", metavar="WORD", help="of the primary contrasts")
    parser.add_argument("--learning-rate", type=float, metavar="X")
    parser.add_argument("--derainer", action="append", default=[], metavar="WORD", help="another")
    parser.add_argument("--out", type=Path, default=Path("study"))
    parser.add_argument(
        "--piece", action="append", help="this alone, or these (default: all that are not done)"
    )
    parser.add_argument("--pilot", type=int, metavar="N")
    parser.add_argument("--list", action="store_true", help="say what there is, and stop")
    a = parser.parse_args()
    folders = a.data.resolve(), a.out.resolve()
    if a.x and a.learning_rate is None:
        parser.error("--x: choose --learning-rate first, by the trials")
    study = Study(*folders, a.learning_rate, a.x, tuple(a.derainer), a.pilot)
    study.out.mkdir(parents=True, exist_ok=True)
    kept = study.out / "pieces.json"
    took = read_took(kept)
    pieces = study.pieces()
    if not a.list:
        for piece in pieces:
            if piece.name not in took and (a.piece is None or piece.name in a.piece):
                hours = study.make(piece)
                took = {**read_took(kept), piece.name: hours}
                kept.write_text(json.dumps(took, indent=1) + "\n")
    print("\n".join(table(pieces, took)))


if __name__ == "__main__":
    main()
