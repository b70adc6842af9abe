"""The folder of a training: what is trained, the weights and their card."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from datasets.marked import MARKER, mark, why_not
from datasets.sample import Sample
from derainers.card import read_card
from derainers.published import card_of
from derainers.shards import card_file, weights_sha256
from harness.machine.about import machine
from harness.plan import keys
from harness.plan.trained_on import said_by
from harness.spec import UsageError

TRAINING = "training.json"
"""Says which training a folder is of."""
CHECKPOINTS = "checkpoints"
"""Digests of the last checkpoint and the one before, in that file."""


def begun_with(file: Path | None, card: Path | None) -> dict[str, Any]:
    """What the card of a training says of the weights it began with; nothing where there are none.

    Returns:
        ``begun_with`` (their sha256, and hours and steps so far, None where no card tells them) and
        ``trained_on`` with their own as ``before``.

    Raises:
        UsageError, DerainerError: If the card is of other weights, or a derainer's is damaged.
    """
    if file is None or card is None:
        return {}
    sha256 = weights_sha256(file)
    told = _card(file, card, sha256) or card_of(sha256)
    earlier = told.get("begun_with")
    earlier = earlier if isinstance(earlier, dict) else {}
    spent = {
        key: [n for n in (told.get(last), earlier.get(key)) if isinstance(n, int | float)]
        for key, last in (("hours", "hours"), ("steps", "steps_done"))
    }
    return {
        "begun_with": {"sha256": sha256}
        | {key: sum(counts) if counts else None for key, counts in spent.items()},
        "trained_on": {"before": told.get("trained_on", {})},
    }


def _card(file: Path, card: Path, sha256: str) -> dict[str, Any]:
    """What the card of some weights says, which may be absent."""
    if card == card_file(file):
        return read_card(file, sha256)
    told = said_by(card, sha256)
    return told if isinstance(told, dict) else {}


@contextmanager
def alone_in(out: Path) -> Iterator[None]:
    """Hold a training's folder, which there is, until the training ends in whatever way.

    Raises:
        UsageError: If another process trains in it.
    """
    if said := why_not(out):
        raise UsageError(f"--out {said}")
    mark(out)
    with (out / MARKER).open("r+b") as held:
        try:
            # Of this process alone: those that load its images may outlive a kill.
            fcntl.lockf(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError) as error:
            raise UsageError(
                f"{out}: another process trains there; wait for its end, or give another --out"
            ) from error
        except OSError:
            pass  # a file system without locks
        yield


class Begun:
    """What a training is, in ``training.json``; what lies beside it is checked against it."""

    def __init__(self, out: Path, run: Mapping[str, Any], images: Mapping[str, str]) -> None:
        """Begin a training, or make sure that it is the one that was begun there.

        Args:
            out: The training's folder.
            run: What must not change where it is gone on with.
            images: A digest of what is learned from each image, by id; this must not change either.

        Raises:
            UsageError: If the folder holds another training, an image is not what it was, or the
                checkpoint is not the one that was kept. A training that left neither checkpoint nor
                weights is none.
        """
        self.checkpoint = out / "checkpoint.pt"
        self._file = out / TRAINING
        said: dict[str, Any] = json.loads(json.dumps({**run, "images": images}))
        kept = self._kept() if self._file.is_file() else said | {CHECKPOINTS: []}
        is_ours = CHECKPOINTS in kept
        self._checkpoints = kept.pop(CHECKPOINTS, [])
        if self.goes_on or not is_ours or any(out.glob("*.safetensors")):
            self._require_same(kept, said)
        self._said = said
        if not self.goes_on:
            self._checkpoints = []
            self._write()
        elif keys.file_sha256(self.checkpoint) not in self._checkpoints:
            raise UsageError(
                f"{self.checkpoint} is damaged, or none that this training kept: copy it again, or "
                "remove it to begin anew"
            )

    @property
    def goes_on(self) -> bool:
        """Whether there is a checkpoint to go on from."""
        return self.checkpoint.is_file()

    def note(self, checkpoint: Path) -> None:
        """Remember a checkpoint that is about to take the old one's place."""
        # A kill between the two leaves either file, so both are known.
        self._checkpoints = [*self._checkpoints[-1:], keys.file_sha256(checkpoint)]
        self._write()

    def _write(self) -> None:
        temporary = self._file.with_suffix(".tmp")
        text = json.dumps(self._said | {CHECKPOINTS: self._checkpoints}, indent=1)
        temporary.write_text(text + "\n", encoding="utf-8")
        temporary.replace(self._file)

    def _kept(self) -> dict[str, Any]:
        try:
            kept = json.loads(self._file.read_bytes())
        except (ValueError, RecursionError):
            kept = None
        return kept if isinstance(kept, dict) else {}

    def _require_same(self, kept: dict[str, Any], said: dict[str, Any]) -> None:
        before, now = kept.pop("images", {}), said["images"]
        differs = differing(kept, {k: v for k, v in said.items() if k != "images"})
        if differs is not None or not isinstance(before, dict):
            by = f", by its {differs}" if kept and differs is not None else ""
            raise UsageError(
                f"{self._file.parent} holds another training ({self._file.name}){by}: give a new "
                "--out, or the code, data set, epochs and steps it was begun with"
            )
        ids = sorted({*now, *before})
        differs = next((i for i in ids if now.get(i) != before.get(i)), None)
        if differs is not None:
            how = "is new" if differs not in before else "is gone"
            how = "has changed" if differs in before and differs in now else how
            raise UsageError(
                f"{self._file.parent} holds a training on other images: {differs} {how}; give a "
                "new --out, or the images it was begun with"
            )


def differing(kept: Mapping[str, Any], said: Mapping[str, Any]) -> str | None:
    """The first thing that two trainings do not share; None where they are one.

    Args:
        kept: What one says of itself. Those that began before steps were said share any.
        said: What the other says.
    """
    known = {"steps": said.get("steps"), **kept}
    known["network"] = name_of(str(known.get("network")))
    return next((k for k in (*said, *known) if known.get(k) != said.get(k)), None)


def name_of(word: str) -> str:
    """A network's word without the folders that its file lies in here."""
    return word.rpartition("/")[2]


def image_digests(samples: Sequence[Sample], with_labels: bool) -> dict[str, str]:
    """A digest of what is learned from each image, by id.

    Args:
        samples: The images.
        with_labels: Whether their labels are learned too.

    Raises:
        OSError: If a file has gone.
    """

    def digest(sample: Sample) -> str:
        files = [sample.path, sample.rainy_path, sample.depth_path]
        files += [sample.label_map_path] if with_labels else []
        parts = [file and keys.file_sha256(file) for file in files]
        labels = sample.annotations if with_labels else None
        objects = labels and labels.sha256()
        return keys.key("image", files=parts, half=sample.clean_half, labels=objects)[:16]

    with ThreadPoolExecutor() as pool:
        digests = pool.map(digest, samples)
        return {sample.id: each for sample, each in zip(samples, digests, strict=True)}


def write_weights(file: Path, network: Any) -> None:
    """Write a network in half floats, readable as any new file is; a kill leaves the old or new.

    What half floats cannot hold stays as it is.

    Raises:
        UsageError: If a weight is no finite number.
    """
    from safetensors.torch import save

    state = {name: _kept(value) for name, value in network.state_dict().items()}
    learned = {name for name, _ in network.named_parameters(remove_duplicate=False)}
    for name, value in state.items():
        # Infinities that nobody learned are masks.
        if value.isnan().any() or (name in learned and value.isinf().any()):
            raise UsageError(f"the training ended in weights that are no finite numbers: {name}")
    temporary = file.with_suffix(".tmp")
    temporary.write_bytes(save(state))  # the library's own way makes a file for its owner alone
    temporary.replace(file)


def _kept(value: Any) -> Any:
    """A tensor in half floats where they hold its largest number, in memory of its own."""
    import torch

    if value.is_floating_point():
        half, finite = torch.finfo(torch.float16), value[value.isfinite()].abs()
        largest = float(finite.max()) if finite.numel() else 0.0
        if largest == 0 or half.tiny <= largest <= half.max:
            value = value.half()
    return value.clone(memory_format=torch.contiguous_format)


def origin_of(file: Path) -> dict[str, Any]:
    """What made a weight file, and its digest, for its card."""
    return {
        "made_with": {k: v for k, v in machine(0).items() if k in ("versions", "system")},
        "sha256": keys.file_sha256(file),
    }


def write_card(file: Path, card: Mapping[str, Any]) -> None:
    """Write the card of some weights; the file's name is the caller's choice."""
    text = json.dumps(card, indent=1, ensure_ascii=False)
    file.write_text(text + "\n", encoding="utf-8")
