"""Files that others made, mutated: what `test_fuzz` and `benchmarks/attack.py` feed to commands."""

from __future__ import annotations

import contextlib
import copy
import io
import json
import os
import pickle
import re
import shutil
import sqlite3
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from fuzz import Case

from derainers import DERAINERS
from harness import RunSpec, run
from tests.derainers.bundle import write_bundle
from tests.miniatures import miniature

DEEP = "@deep@"
HOSTILE: list[Any] = [
    None,
    True,
    -1,
    0,
    1e308,
    float("nan"),
    float("inf"),
    2**63,
    10**400,
    "",
    "../../outside",
    "/etc/passwd",
    "a\0b",
    "\x1b[31m{red}%s",
    "<script>alert(1)</script>",
    "x" * 5000,
    "own.py:own",
    [],
    {},
    [[[[]]]],
    {"size": [10**6, 10**6], "counts": "0" * 50},
    {"size": [4, 4], "counts": [-1, 17, 2**40]},
    DEEP,
]
RUNS = [
    {"name": "light", "rain": ["photoshop-light"], "task": ["none"], "limit": 2, "seed": 3},
    {"derainer": ["median"], "quality": ["psnr"], "model": {"detection": "net.pt"}, "task": "none"},
]
"""A suite."""
SUITE = b"""- name: light
  rain: [photoshop-light, none]
  task: none
- derainer: median   # the other one
  model: {detection: net.pt}
  quality:
    - psnr
    - ssim
  task: "none"
"""
Rng = np.random.Generator
Words = tuple[str, ...]


def any_bytes(data: bytes, rng: Rng) -> bytes:
    """A few bytes flipped, cut out, doubled, overwritten, or the end gone."""
    raw = bytearray(data)
    for _ in range(rng.integers(1, 4)):
        at = int(rng.integers(len(raw) + 1))
        length = int(rng.integers(1, max(2, min(4000, len(raw) // 4))))
        kind = rng.integers(6)
        if kind == 0:
            for place in rng.integers(max(1, len(raw)), size=rng.integers(1, 20)):
                if raw:
                    raw[place % len(raw)] ^= 1 << int(rng.integers(8))
        elif kind == 1:
            del raw[at:]
        elif kind == 2:
            del raw[at : at + length]
        elif kind == 3:
            raw[at:at] = raw[at : at + length]
        elif kind == 4:
            raw[at : at + length] = rng.bytes(length)
        else:
            raw[at : at + 8] = b"\xff" * 8
    return bytes(raw)


def any_json(data: bytes, rng: Rng) -> bytes:
    """Values somewhere inside replaced, removed, renamed or doubled; now and then only bytes."""
    if rng.random() < 0.2:
        return any_bytes(data, rng)
    content = json.loads(data)
    for _ in range(rng.integers(1, 4)):
        place, key = _somewhere(content, rng)
        if place is None:
            continue
        kind = rng.integers(6)
        if kind == 0:
            del place[key]
        elif kind == 1 and isinstance(place, list):
            place.append(copy.deepcopy(place[key]))
        elif kind == 2 and isinstance(place, dict):
            place[f"{key}?"] = place.pop(key)
        else:
            place[key] = copy.deepcopy(HOSTILE[rng.integers(len(HOSTILE))])
    limit = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(0)  # of writing alone: readers must meet their own limit
    try:
        text = json.dumps(content)
    finally:
        sys.set_int_max_str_digits(limit)
    return text.replace(f'"{DEEP}"', "[" * 100_000 + "]" * 100_000).encode()


def any_text(data: bytes, rng: Rng) -> bytes:
    """Words somewhere inside replaced; now and then only bytes."""
    if rng.random() < 0.3:
        return any_bytes(data, rng)
    words = re.split(r"([\s<>:]+)", data.decode())
    for _ in range(rng.integers(1, 4)):
        odd = HOSTILE[rng.integers(len(HOSTILE) - 1)]
        words[int(rng.integers(len(words)))] = str(odd)[:9000]
    return "".join(words).encode(errors="surrogatepass")


def _somewhere(content: Any, rng: Rng) -> tuple[Any, Any]:
    """A container inside JSON and a key of it."""
    place, key = None, None
    while isinstance(content, dict | list) and content:
        keys = list(content) if isinstance(content, dict) else range(len(content))
        place, key = content, keys[int(rng.integers(len(keys)))]
        content = content[key]
        if rng.random() < 0.25:
            break
    return place, key


def any_run(data: bytes, rng: Rng) -> bytes:
    """A ledger whose finished run holds other JSON."""
    with contextlib.closing(sqlite3.connect(":memory:")) as db:
        db.deserialize(data[:18] + b"\1\1" + data[20:])  # in memory there is no write-ahead log
        column = ("results", "gallery")[int(rng.random() < 0.2)]
        text = db.execute(f"SELECT {column} FROM runs").fetchone()[0]
        changed = any_json(text.encode(), rng).decode(errors="replace")
        db.execute(f"UPDATE runs SET {column} = ?", (changed,))
        db.commit()
        return db.serialize()


def any_suite(data: bytes, rng: Rng) -> bytes:
    """A suite of other values, as JSON, which YAML can hold; now and then only bytes."""
    return any_bytes(SUITE, rng) if rng.random() < 0.3 else any_json(json.dumps(RUNS).encode(), rng)


def compared_to_itself(template: Path) -> Words:
    """The run with itself in another workspace."""
    digest = json.loads((template / "results" / "results.json").read_text())["run"]
    return ("report", "{case}/w", "--compare", digest, digest, "--out", "{case}/out")


class Evil:
    """Runs a command when it is unpickled."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.canary}",)


def pickles(canary: Path) -> Iterator[bytes]:
    """Weight files that run a command where they are trusted."""
    import torch

    for content in (
        Evil(canary),
        {"state_dict": Evil(canary)},
        {"model": Evil(canary), "train_args": {}},
        {"params": {"a": Evil(canary)}},
    ):
        buffer = io.BytesIO()
        torch.save(content, buffer)
        yield buffer.getvalue()
        yield pickle.dumps(content)
        legacy = io.BytesIO()
        torch.save(content, legacy, _use_new_zipfile_serialization=False)
        yield legacy.getvalue()


def make_template(root: Path, coco: Path, detector: Path) -> Path:
    """A data set, networks, a workspace, its results and a rainy copy in one folder."""
    import torch
    from safetensors.torch import load_file

    from harness.cli.main import run_command_line

    shutil.copytree(coco, root / "coco")
    shutil.copytree(coco / "images" / "val2017", root / "photographs")
    shutil.copy(detector, root / "net.pt")
    weights = DERAINERS["granet"].weights
    assert weights is not None
    shutil.copy(weights, root / "granet.safetensors")
    torch.save({"state_dict": load_file(weights)}, root / "granet.pth")
    write_bundle(root / "epoch50", {f"generator/rnn{i}/weight": torch.ones(3, 3) for i in (1, 2)})
    spec = RunSpec(
        dataset="coco",
        data_root=str(root / "coco"),
        derainer=("median",),
        model={"detection": (str(root / "net.pt"),)},
        limit=3,
        workspace=str(root / "w"),
        out=str(root / "results"),
        save=("predictions", "images"),
    )
    run(spec)
    words = ("derain", str(root / "photographs"), "--derainer", "median", "--limit", "1")
    there = ("--workspace", str(root / "tmp" / "w"), "--out", str(root / "tmp" / "derained"))
    assert run_command_line([*words, *there]) == 0
    shutil.rmtree(root / "tmp" / "w")
    copied = ("synth", "--dataset", "coco", "--data-root", str(root / "coco"), "--limit", "2")
    assert run_command_line([*copied, "--out", str(root / "tmp" / "copy")]) == 0
    (root / "suite.yaml").write_bytes(SUITE)
    return root


def make_frames(root: Path) -> Path:
    """BDD100K's frames, whose masks are run lengths alone, and data sets of other forms."""
    miniature("bdd100k", root / "bdd")
    for folder in ("ins_seg/bitmasks", "ins_seg/polygons", "ins_seg/colormaps"):
        shutil.rmtree(root / "bdd" / "labels" / folder)
    for folder in ("sem_seg/masks", "sem_seg/colormaps"):
        shutil.rmtree(root / "bdd" / "labels" / folder)
    for name in ("yolo", "voc", "cityscapes", "carla"):
        miniature(name, root / name)
    return root


COCO = ("--dataset", "coco", "--data-root", "{case}/coco")
PREDICTED = "results/predictions/real-like/median"
SMALL = ("--limit", "1", "--no-images", "--workspace", "{case}/w")
QUICK = ("run", *COCO, "--task", "none", "--derainer", "median", *SMALL)


class _Corpus:
    """Cases in the making."""

    def __init__(self, template: Path, seed: int) -> None:
        self.template, self.cases = template, list[Case]()
        self._rng = np.random.default_rng(seed)

    def add(
        self,
        count: int,
        file: str,
        mutate: Callable[[bytes, Rng], bytes],
        *commands: Words,
        root: Path | None = None,
    ) -> None:
        """Add mutations of a file of the template or another root, the commands in turn."""
        root = root or self.template
        data = (root / file).read_bytes()
        for i in range(count):
            words = commands[i % len(commands)]
            name = f"{file}#{len(self.cases)} {words[0]}"
            self.cases.append(Case(name, words, root, file, mutate(data, self._rng)))

    def add_pickles(self, file: str, words: Words, canary: Path) -> None:
        """Add weight files that run code where they are trusted."""
        for i, data in enumerate(pickles(canary)):
            self.cases.append(Case(f"{file}#evil-{i}", words, self.template, file, data))


def corpus(template: Path, frames: Path, canary: Path, seed: int = 0) -> list[Case]:
    """About 945 cases, the same ones every time; others of the same kinds by another seed."""
    found = _Corpus(template, seed)
    _labels_and_photographs(found)
    _weights(found, canary)
    _workspaces(found)
    _results(found)
    _frames(found, frames)
    return found.cases


def _labels_and_photographs(to: _Corpus) -> None:
    boxes = f"{PREDICTED}/detection.json"
    scored = ("score", "--task", "detection", "--predictions", f"{{case}}/{boxes}", *COCO)
    labels = "coco/annotations/instances_val2017.json"
    instances = ("run", *COCO, "--task", "instance", "--dry-run", *SMALL)
    checked: Words = ("check-data", *COCO)
    to.add(120, labels, any_json, checked, (*scored, "--limit", "3"), QUICK, instances)
    to.add(80, boxes, any_json, (*scored, "--limit", "3"))
    folders = ("--restored", "{case}/photographs", "--reference", "{case}/coco/images/val2017")
    photographs = ("--dataset", "folder", "--data-root", "{case}/photographs")
    for name in ("000000000001.jpg", "000000000002.jpg", "000000000003.jpg"):
        derained: Words = ("run", *photographs, "--task", "none", "--derainer", "median")
        derained = (*derained, "--no-images", "--workspace", "{case}/tmp/w")
        checked = ("check-data", *photographs)
        to.add(30, f"photographs/{name}", any_bytes, ("score", *folders), derained, checked)
    synth = ("synth", *COCO, "--limit", "2", "--out", "{case}/tmp/copy")
    to.add(20, "tmp/copy/manifest.jsonl", any_bytes, synth)
    made = "results/images/real-like/median"
    restored: Words = ("run", *COCO, "--task", "none", "--derainer", f"dir:{{case}}/{made}", *SMALL)
    to.add(20, f"{made}/manifest.jsonl", any_bytes, restored)
    derain: Words = ("derain", "{case}/photographs", "--derainer", "median", "--limit", "1")
    derain = (*derain, "--workspace", "{case}/tmp/w", "--out", "{case}/tmp/derained")
    to.add(20, "tmp/derained/manifest.jsonl", any_bytes, derain)


def _weights(to: _Corpus, canary: Path) -> None:
    for name in ("granet.safetensors", "granet.pth"):
        loaded = ("run", *COCO, "--task", "none", "--derainer", f"granet@{{case}}/{name}", *SMALL)
        to.add(35, name, any_bytes, loaded)
        to.add_pickles(name, loaded, canary)
    released = ("--task", "none", "--derainer", "mspfn:layers=release@{case}/epoch50.index", *SMALL)
    for name, count in (("epoch50.index", 12), ("epoch50.data-00000-of-00001", 3)):
        to.add(count, name, any_bytes, ("run", *COCO, *released))
    detected: Words = ("run", *COCO, "--derainer", "identity", "--model", "detection={case}/net.pt")
    to.add(30, "net.pt", any_bytes, (*detected, *SMALL))
    to.add_pickles("net.pt", (*detected, *SMALL), canary)


def _workspaces(to: _Corpus) -> None:
    board = ("report", "{case}/w", "--board", "--out", "{case}/out")
    again = ("run", *COCO, "--task", "none", "--derainer", "median", *SMALL[2:], "--limit", "3")
    gathered = ("gather", "{case}/w", "--workspace", "{case}/tmp/w")
    page = ("report", "{case}/w", "--out", "{case}/out")
    dry: Words = (*again, "--dry-run")
    to.add(75, "w/ledger.sqlite", any_bytes, board, again, gathered, dry, page)
    to.add(45, "w/ledger.sqlite", any_run, board, page, compared_to_itself(to.template))
    kept: Words = ("run", *COCO, "--derainer", "median", "--save", "predictions", "--limit", "3")
    kept = (*kept, "--model", "detection={case}/net.pt", "--out", "{case}/out", *SMALL[2:])
    workspace = to.template / "w"
    for found in (
        (workspace / "predictions").glob("*.sqlite"),
        (workspace / "images").rglob("*.png"),
    ):
        file = min(found).relative_to(to.template).as_posix()
        to.add(20, file, any_bytes, kept)


def _results(to: _Corpus) -> None:
    verified: Words = ("verify", "{case}/results", "--images", "1", "--data-root", "{case}/coco")
    verified = (*verified, "--model", "detection={case}/net.pt")
    compared = ("regress", str(to.template / "results"), "{case}/results")
    to.add(70, "results/results.json", any_json, compared, verified)
    to.add(20, "results/images.csv", any_bytes, verified)
    suite: Words = ("run", "--suite", "{case}/suite.yaml", *COCO, "--dry-run", *SMALL)
    to.add(40, "suite.yaml", any_suite, suite, (*(w for w in suite if w != "--dry-run"),))
    repeated = ("run", "--from", "{case}/results", *COCO[2:], "--dry-run", *SMALL)
    to.add(20, "results/results.json", any_json, repeated)
    to.add(20, "results/draws.npz", any_bytes, compared)


def _frames(to: _Corpus, frames: Path) -> None:
    for split, file in (
        ("100k/val", "det_20/det_val.json"),
        ("10k/val", "ins_seg/rles/ins_seg_val.json"),
        ("10k/val", "sem_seg/rles/sem_seg_val.json"),
    ):
        seen = ("check-data", "--dataset", "bdd100k", "--data-root", "{case}/bdd", "--split", split)
        to.add(20, f"bdd/labels/{file}", any_json, seen, root=frames)
    gt = "cityscapes/gtFine/val/frankfurt/frankfurt_000000_000294_gtFine"
    for file, mutate in {
        "yolo/labels/val/b.txt": any_text,
        "yolo/data.yaml": any_text,
        "voc/Annotations/000002.xml": any_text,
        f"{gt}_instanceIds.png": any_bytes,
        f"{gt}_labelIds.png": any_bytes,
        "carla/instance/seqTown01Clear_000044.png": any_bytes,
    }.items():
        looked = ("check-data", "--dataset", name := file.partition("/")[0])
        to.add(16, file, mutate, (*looked, "--data-root", f"{{case}}/{name}"), root=frames)
