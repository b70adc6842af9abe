"""Files that others made, damaged or hostile: every command ends in a line, whatever they hold."""

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
import pytest
from fuzz import Case, outcomes

from derainers import DERAINERS
from harness import RunSpec, run

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits memory as Linux does")
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
            place[key] = HOSTILE[rng.integers(len(HOSTILE))]
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


@pytest.fixture(scope="module")
def template(
    coco_root: Path, detector_file: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A data set, networks, a workspace and its results in one folder."""
    import torch

    root = tmp_path_factory.mktemp("fuzz") / "whole"
    shutil.copytree(coco_root, root / "coco")
    shutil.copytree(coco_root / "images" / "val2017", root / "photographs")
    shutil.copy(detector_file, root / "net.pt")
    weights = DERAINERS["granet"].weights
    assert weights is not None
    shutil.copy(weights, root / "granet.safetensors")
    from safetensors.torch import load_file

    torch.save({"state_dict": load_file(weights)}, root / "granet.pth")
    spec = RunSpec(
        dataset="coco",
        data_root=str(root / "coco"),
        derainer=("median",),
        model={"detection": (str(root / "net.pt"),)},
        limit=3,
        workspace=str(root / "w"),
        out=str(root / "results"),
        save=("predictions",),
    )
    run(spec)
    (root / "suite.yaml").write_bytes(SUITE)
    return root


@pytest.fixture(scope="module")
def frames(
    miniature_of: Callable[[str, Path], Path], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """BDD100K's frames, whose masks are run lengths alone."""
    root = tmp_path_factory.mktemp("fuzz") / "frames"
    miniature_of("bdd100k", root / "bdd")
    for folder in ("ins_seg/bitmasks", "ins_seg/polygons", "ins_seg/colormaps"):
        shutil.rmtree(root / "bdd" / "labels" / folder)
    for folder in ("sem_seg/masks", "sem_seg/colormaps"):
        shutil.rmtree(root / "bdd" / "labels" / folder)
    for name in ("yolo", "voc", "cityscapes", "carla"):
        miniature_of(name, root / name)
    return root


COCO = ("--dataset", "coco", "--data-root", "{case}/coco")
PREDICTED = "results/predictions/photoshop-heavy/median"
SMALL = ("--limit", "1", "--no-images", "--workspace", "{case}/w")


def corpus(template: Path, frames: Path, canary: Path) -> list[Case]:
    """About 880 cases, the same ones every time."""
    rng = np.random.default_rng(0)
    cases: list[Case] = []

    def add(
        count: int,
        file: str,
        mutate: Callable[[bytes, Rng], bytes],
        *commands: Words,
        root: Path = template,
    ) -> None:
        data = (root / file).read_bytes()
        for i in range(count):
            words = commands[i % len(commands)]
            name = f"{file}#{len(cases)} {words[0]}"
            cases.append(Case(name, words, root, file, mutate(data, rng)))

    boxes = f"{PREDICTED}/detection.json"
    scored = ("score", "--task", "detection", "--predictions", f"{{case}}/{boxes}", *COCO)
    quick = ("run", *COCO, "--task", "none", "--derainer", "median", *SMALL)
    labels = "coco/annotations/instances_val2017.json"
    instances = ("run", *COCO, "--task", "instance", "--dry-run", *SMALL)
    detected: Words = ("run", *COCO, "--derainer", "identity", "--model", "detection={case}/net.pt")
    detected = (*detected, *SMALL)
    add(120, labels, any_json, ("check-data", *COCO), (*scored, "--limit", "3"), quick, instances)
    add(80, boxes, any_json, (*scored, "--limit", "3"))

    pairs = (
        "score",
        "--restored",
        "{case}/photographs",
        "--reference",
        "{case}/coco/images/val2017",
    )
    photographs = ("--dataset", "folder", "--data-root", "{case}/photographs")
    for name in ("000000000001.jpg", "000000000002.jpg", "000000000003.jpg"):
        derained: Words = ("run", *photographs, "--task", "none", "--derainer", "median")
        derained = (*derained, "--no-images", "--workspace", "{case}/tmp/w")
        checked = ("check-data", *photographs)
        add(30, f"photographs/{name}", any_bytes, pairs, derained, checked)

    for name in ("granet.safetensors", "granet.pth"):
        loaded = ("run", *COCO, "--task", "none", "--derainer", f"granet@{{case}}/{name}", *SMALL)
        add(35, name, any_bytes, loaded)
        for i, data in enumerate(pickles(canary)):
            cases.append(Case(f"{name}#evil-{i}", loaded, template, name, data))
    add(30, "net.pt", any_bytes, detected)
    for i, data in enumerate(pickles(canary)):
        cases.append(Case(f"net.pt#evil-{i}", detected, template, "net.pt", data))

    board = ("report", "{case}/w", "--board", "--out", "{case}/out")
    again = ("run", *COCO, "--task", "none", "--derainer", "median", *SMALL[2:], "--limit", "3")
    gathered = ("gather", "{case}/w", "--workspace", "{case}/tmp/w")
    dry = (*again, "--dry-run")
    page = ("report", "{case}/w", "--out", "{case}/out")
    add(75, "w/ledger.sqlite", any_bytes, board, again, gathered, dry, page)
    add(45, "w/ledger.sqlite", any_run, board, page, compared_to_itself(template))

    verified: Words = ("verify", "{case}/results", "--images", "1", "--data-root", "{case}/coco")
    verified = (*verified, "--model", "detection={case}/net.pt")
    compared = ("regress", str(template / "results"), "{case}/results")
    add(70, "results/results.json", any_json, compared, verified)
    add(20, "results/images.csv", any_bytes, verified)
    suite: Words = ("run", "--suite", "{case}/suite.yaml", *COCO, "--dry-run", *SMALL)
    add(40, "suite.yaml", any_suite, suite, (*(w for w in suite if w != "--dry-run"),))
    repeated = ("run", "--from", "{case}/results", *COCO[2:], "--dry-run", *SMALL)
    add(20, "results/results.json", any_json, repeated)
    add(20, "results/draws.npz", any_bytes, compared)

    for split, file in (
        ("100k/val", "det_20/det_val.json"),
        ("10k/val", "ins_seg/rles/ins_seg_val.json"),
        ("10k/val", "sem_seg/rles/sem_seg_val.json"),
    ):
        seen = ("check-data", "--dataset", "bdd100k", "--data-root", "{case}/bdd", "--split", split)
        add(20, f"bdd/labels/{file}", any_json, seen, root=frames)
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
        add(16, file, mutate, (*looked, "--data-root", f"{{case}}/{name}"), root=frames)
    return cases


def test_a_slice_of_the_corpus_ends_in_lines(template: Path, frames: Path, tmp_path: Path) -> None:
    assert wrong_in(template, frames, tmp_path, slice(None, None, 16)) == {}


@pytest.mark.slow
@pytest.mark.parametrize("part", range(4))
def test_the_whole_corpus_ends_in_lines(
    part: int, template: Path, frames: Path, tmp_path: Path
) -> None:
    assert wrong_in(template, frames, tmp_path, slice(part, None, 4)) == {}


def wrong_in(template: Path, frames: Path, folder: Path, chosen: slice) -> dict[str, list[str]]:
    """Cases that did not end as they should."""
    canary = folder / "canary"
    cases = corpus(template, frames, canary)
    assert len(cases) >= 500
    before = {f: f.read_bytes() for f in template.rglob("*") if f.is_file()}
    found = outcomes(cases[chosen], folder)
    assert not canary.exists(), "foreign code was executed"
    assert {f: f.read_bytes() for f in template.rglob("*") if f.is_file()} == before
    return {name: wrong for name, wrong in found.items() if wrong}
