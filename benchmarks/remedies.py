"""The study of docs/study-plan.md in pieces: trainings of task networks, then runs.

    python benchmarks/remedies.py DATA --x WORD --learning-rate X --derainer WORD… [--out DIR]
        [--piece NAME] [--list]

A piece that was broken off goes on, and one that is done is left out. `pieces.json` in the folder
keeps the core-hours of each beside those that were planned. `--pilot N` does all on N images of
other splits, one epoch each, to learn what the study will cost without opening an image of it.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from reports.tables.text import grid

SEEDS = (0, 1, 2)
RAIN_SEEDS = (1001, 1002, 1003)
SEEN, HELD_OUT = "real-like", "physical:rate_mm_h=50"
RAINS = (
    *("none", SEEN, HELD_OUT, "rain100h", "physical:rate_mm_h=5/25/100"),
    *("physical:rate_mm_h=50:veil=0", "physical:rate_mm_h=50:drops=0"),
)
SCENES, EPOCHS = 240, 13
KINDS = {
    "clean": ("--rain", "none"),
    "rain": ("--rain", SEEN),
    "mixture": ("--rain", f"{SEEN},none"),
    "derained": ("--rain", f"{SEEN},none", "--derained"),
}
"""What the task networks are trained on; the word of X stands behind the last."""
NETWORKS = {"yolo": ("detection", SEEDS), "refinenet": ("semantic", SEEDS[:1])}
"""Task and seeds of each task network."""


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
    x: str
    """The derainer of the primary contrasts."""
    learning_rate: float
    """Of every training, by the plan's rule."""
    derainers: tuple[str, ...]
    """All others."""
    pilot: int | None = None
    """Images to try it on, of other splits; None = the study itself."""

    def pieces(self) -> list[Piece]:
        """All of them, in the order in which they can be made."""
        return [*self._trainings(), *self._runs()]

    def _trainings(self) -> list[Piece]:
        images, epochs = self.pilot or SCENES, 1 if self.pilot else EPOCHS
        made = []
        for network, (_, seeds) in NETWORKS.items():
            for kind, flags in KINDS.items():
                is_derained = kind == "derained"
                for seed in seeds:
                    words = ["train", network, "--dataset", "streetsim", "--dtype", "bf16"]
                    words += ["--split", f"train:{images}", "--from", f"{network}-streetsim"]
                    words += ["--epochs", str(epochs), "--seed", str(seed)]
                    words += ["--learning-rate", str(self.learning_rate), *flags]
                    words += [self.x] if is_derained else []
                    hours = (0.2 if network == "yolo" else 0.3) + (1.65 if is_derained else 0.0)
                    made.append(Piece(f"{network}-{kind}-{seed}", tuple(words), hours))
        return made

    def _runs(self) -> list[Piece]:
        every = (self.x, f"gate:{self.x}", *self.derainers)
        split = "val" if self.pilot else "study"
        scenes = ("--dataset", "streetsim", "--split", split, *self._models())
        few = (SEEN, HELD_OUT)
        made = [
            self._run("scenes", scenes, RAINS, every, RAIN_SEEDS[0], 18.6),
            *(
                self._run(f"scenes-{seed}", scenes, few, (self.x,), seed, 0.25 + 0.5)
                for seed in RAIN_SEEDS[1:]
            ),
        ]
        coco = ("--dataset", "coco", "--data-root", f"{self.data / 'coco128'}", "--model")
        coco += (f"detection={self.data / 'weights' / 'yolov8n.pt'}",)
        coco += ("--attributes", "coco128-scenes.csv", "--where", "scene=outdoor")
        camvid = ("--dataset", "camvid", "--data-root", f"{self.data / 'camvid'}")
        camvid += ("--split", "val" if self.pilot else "test", "--task", "semantic")
        if not self.pilot:  # these images have no other split
            made.append(self._run("coco", coco, ("none", *few), every, RAIN_SEEDS[0], 1.9))
        made.append(self._run("camvid", camvid, ("none", *few), every, RAIN_SEEDS[0], 2.3))
        return made

    def _models(self) -> list[str]:
        words = ["--task", ",".join(task for task, _ in NETWORKS.values())]
        for network, (task, seeds) in NETWORKS.items():
            words += ["--model", f"{task}={network}-streetsim"]
            for kind in KINDS:
                for seed in seeds:
                    file = self.out / f"{network}-{kind}-{seed}" / f"{network}-streetsim"
                    words += ["--model", f"{task}={network}@{file}.safetensors"]
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
        if piece.words[0] == "run":
            words += ["--workspace", str(self.out / "runs")]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-m", "harness", *words], check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return seconds / 3600


def table(pieces: Sequence[Piece], took: dict[str, float]) -> list[str]:
    """Planned and used core-hours of every piece, and their sums."""
    rows = [
        [p.name, f"{p.core_hours:.2f}", f"{took[p.name]:.2f}" if p.name in took else "–"]
        for p in pieces
    ]
    planned, used = sum(p.core_hours for p in pieces), sum(took.values())
    rows.append(["sum", f"{planned:.2f}", f"{used:.2f}"])
    return grid(["piece", "planned core-hours", "used"], rows)


def main() -> None:
    """Make what is not made yet."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--x", required=True, metavar="WORD", help="of the primary contrasts")
    parser.add_argument("--learning-rate", type=float, required=True, metavar="X")
    parser.add_argument("--derainer", action="append", default=[], metavar="WORD", help="another")
    parser.add_argument("--out", type=Path, default=Path("remedies-study"))
    parser.add_argument("--piece", help="this alone (default: all that are not done)")
    parser.add_argument("--pilot", type=int, metavar="N")
    parser.add_argument("--list", action="store_true", help="say what there is, and stop")
    a = parser.parse_args()
    folders = a.data.resolve(), a.out.resolve()
    study = Study(*folders, a.x, a.learning_rate, tuple(a.derainer), a.pilot)
    study.out.mkdir(parents=True, exist_ok=True)
    kept = study.out / "pieces.json"
    took: dict[str, float] = json.loads(kept.read_text()) if kept.is_file() else {}
    pieces = study.pieces()
    if not a.list:
        for piece in pieces:
            if piece.name not in took and a.piece in (None, piece.name):
                took[piece.name] = study.make(piece)
                kept.write_text(json.dumps(took, indent=1) + "\n")
    print("\n".join(table(pieces, took)))


if __name__ == "__main__":
    main()
