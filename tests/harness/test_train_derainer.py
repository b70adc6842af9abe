"""The verb that trains derainers."""

from __future__ import annotations

import csv
import json
import subprocess
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from clock import stopped
from command import Process, finish, start
from skimage.data import astronaut, chelsea, coffee

from datasets.image import UnreadableImageError, decode, encode_png
from harness.cli.main import run_command_line
from harness.plan.keys import file_sha256
from harness.training.photographs import choose


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    """Nine photographs, one of them damaged and one too small."""
    root = tmp_path / "photos"
    root.mkdir()
    for name, image in (("face", astronaut()), ("cat", chelsea()), ("cup", coffee())):
        for i in range(3):
            window = image[60 * i : 60 * i + 160, 50 * i + 20 : 50 * i + 170]
            (root / f"{name}{i}.png").write_bytes(encode_png(np.ascontiguousarray(window)))
    (root / "broken.png").write_bytes(b"no picture")
    (root / "small.png").write_bytes(encode_png(np.zeros((90, 500, 3), np.uint8)))
    return root


def test_pairs_with_a_damaged_or_another_rainy_image_are_left_out_and_named(
    tmp_path: Path,
) -> None:
    from datasets.pairs import open_pairs
    from derainers.training.recipes import PAPER

    image = np.ascontiguousarray(astronaut()[:120, :130])
    for folder in ("input", "target"):
        (tmp_path / folder).mkdir()
        for i in range(7):
            (tmp_path / folder / f"{i}.png").write_bytes(encode_png(image + i))
    (tmp_path / "input" / "3.png").write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    (tmp_path / "input" / "5.png").write_bytes(encode_png(np.ascontiguousarray(image[:, :100])))
    pairs = open_pairs(tmp_path, None)
    recipe = replace(PAPER["prn-r"], patch_px=64)
    found = choose(pairs, recipe, [], brings_rain=True)
    assert [why.partition(" (")[0] for why in found.unusable] == ["3", "5"]
    assert "its rainy image is 100x120, its clean one 130x120" in found.unusable[1]
    learned = [s.id for s in (*found.training, *found.validation)]
    assert sorted(learned) == ["0", "1", "2", "4", "6"]
    assert len(choose(pairs, recipe, []).unusable) == 0


@pytest.mark.slow
def test_one_command_trains_and_another_runs_what_it_made(
    photographs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, exclude = tmp_path / "out", tmp_path / "test"
    exclude.mkdir()
    turned = np.rot90(decode((photographs / "cat1.png").read_bytes(), "")).copy()
    (exclude / "other.png").write_bytes(encode_png(turned))
    data = ["--dataset", "folder", "--data-root", str(photographs), "--exclude", str(exclude)]
    short = ["--recipe", "short", "--rain", "none,rain100l,photoshop-light", "--epochs", "1"]
    words = ["train", "prn-r", *data, *short, "--out", str(out)]
    assert run_command_line([*words, "--max-minutes", "0"]) == 0
    said = capsys.readouterr().out
    assert "7 photographs to train on, 1 to validate with" in said
    assert "1 left out: they also stand in" in said
    assert "2 cannot be used: " in said
    assert "broken.png (" in said
    assert "small.png (500x90, the crops need 96 pixels)" in said
    weights = out / "prn-r.safetensors"
    card = json.loads(weights.with_suffix(".json").read_text())
    assert card["sha256"] == file_sha256(weights)
    assert (card["steps_done"], card["steps"]) == (1, 1000)
    assert card["excluded"]["photographs"] == ["cat1.png"]
    assert card["trained_on"]["rain_families"] == ["additive", "photoshop"]
    assert [*card["trained_on"]["rain_digests"]] == ["none", "rain100l", "photoshop-light"]
    assert len(card["trained_on"]["photographs"]) == 7
    assert card["validated_on"]["rainy"]["psnr_y_db"] > 10

    assert run_command_line([*words, "--max-minutes", "0.001"]) == 0
    assert json.loads(weights.with_suffix(".json").read_text())["steps_done"] >= 2
    capsys.readouterr()
    assert run_command_line([*words[:-1], str(out), "--recipe", "paper"]) == 2
    assert "holds another training" in capsys.readouterr().err

    def trained_from(file: Path, name: str) -> dict[str, Any]:
        folder = tmp_path / name
        more = [*words[:-1], str(folder), "--from", str(file), "--max-minutes", "0"]
        assert run_command_line(more) == 0
        told: dict[str, Any] = json.loads((folder / "prn-r.json").read_text())
        assert told["begun_with"]["sha256"] == file_sha256(file)
        return told

    steps = json.loads(weights.with_suffix(".json").read_text())["steps_done"]
    later = trained_from(weights, "more")
    assert later["begun_with"]["steps"] == steps
    last = trained_from(tmp_path / "more" / "prn-r.safetensors", "last")
    assert last["begun_with"]["steps"] == steps + later["steps_done"]
    assert later["trained_on"]["before"]["rain_families"] == ["additive", "photoshop"]
    assert later["validated_on"]["rainy"] == card["validated_on"]["rainy"]

    shown = tmp_path / "shown"
    where = ["--workspace", str(tmp_path / "runs"), "--out", str(shown), "--task", "none"]
    (photographs / "broken.png").unlink()
    seen = [*data[:4], "--rain", "rain100l", "--derainer", f"prn-r@{weights}", "--limit", "2"]
    assert run_command_line(["run", *seen, *where]) == 0
    records = json.loads((shown / "results.json").read_text())["records"]
    assert ["images", "rain"] in [r["seen"] for r in records if r["derainer"].startswith("prn-r@")]


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    """Six pairs of a photograph and a darker copy of it."""
    root = tmp_path / "pairs"
    for folder, factor in (("input", 2), ("target", 1)):
        (root / folder).mkdir(parents=True)
        for i in range(6):
            image = np.ascontiguousarray(coffee()[20 * i : 20 * i + 120, 30 * i : 30 * i + 130])
            (root / folder / f"{i}.png").write_bytes(encode_png(image // factor))
    return root


def training(pairs: Path, out: Path, *more: str) -> list[str]:
    data = ["--dataset", "pairs", "--data-root", str(pairs), "--recipe", "short"]
    return ["train", "prn-r", *data, "--workers", "1", "--out", str(out), *more]


def test_a_damaged_photograph_ends_the_training_in_one_line(
    pairs: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def damaged(*_: object) -> None:  # since the photographs were looked at
        raise UnreadableImageError("3.png: not an image, or damaged; copy it again")

    monkeypatch.setattr("derainers.training.data.Crops.__getitem__", damaged)
    assert run_command_line(training(pairs, tmp_path / "out")) == 2
    assert capsys.readouterr().err.startswith("error: 3.png: not an image, or damaged; ")
    mine = psutil.Process()
    assert not [c for c in mine.children() if c.cmdline() == mine.cmdline()], "workers are left"


SMALL_CROPS = """
from dataclasses import replace
from derainers.training import recipes
small = replace(recipes.short("prn-r"), batch=1, patch_px=32)
recipes.short = lambda name: small
"""


def with_workers(process: Process) -> tuple[psutil.Process, list[psutil.Process]]:
    """The process of a training, once its workers have set what they do at signals."""
    assert isinstance(process, subprocess.Popen)
    parent = psutil.Process(process.pid)

    def is_worker(child: psutil.Process) -> bool:
        try:  # forked, and with threads of its own, the first of which it starts after that
            return bool(child.cmdline() == parent.cmdline() and child.num_threads() > 1)
        except psutil.NoSuchProcess:  # a helper of Python's that has ended since it was listed
            return False

    found: list[psutil.Process] = []
    while not found:
        assert process.poll() is None, finish(process)
        time.sleep(0.1)
        found = [child for child in parent.children() if is_worker(child)]
    return parent, found


@pytest.mark.slow
def test_workers_end_with_their_training_and_it_with_them(pairs: Path, tmp_path: Path) -> None:
    for killed in ("worker", "training"):
        process = start(*training(pairs, tmp_path / "out"), fresh=True)
        parent, found = with_workers(process)
        (found[0] if killed == "worker" else parent).kill()
        status, _, err = finish(process)
        assert not psutil.wait_procs(found, timeout=20)[1], "workers are left"
        if killed == "worker":
            (line,) = err.splitlines()
            assert line.startswith("error: a process that makes crops was ended from outside")
            assert status == 2


@pytest.mark.parametrize(
    ("step_s", "image_s", "validated_every", "steps", "is_validated"),
    [(28, 1, 100, 2, True), (28, 4, 100, 2, False), (1, 60, 2, 2, False)],
)
def test_minutes_bound_the_validation_too(
    step_s: float,
    image_s: float,
    validated_every: int,
    steps: int,
    is_validated: bool,
    pairs: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of 60 s, 6 are the validation's at the end; one within the training may come later."""
    from derainers.training import recipes
    from derainers.training.learner import Learner
    from harness.training.validation import Validation

    small = replace(recipes.short("prn-r"), batch=1, patch_px=32)
    monkeypatch.setattr(recipes, "short", lambda name: small)
    clock = stopped(monkeypatch, "harness.training.ending", "harness.training.moment")
    step, scores = Learner.step, Validation.scores

    def a_step_later(self: Learner, *given: Any) -> float:
        clock.now_s += step_s
        return step(self, *given)

    def slowly(self: Validation, restore: Any, *ended: Any) -> dict[str, float]:
        def an_image_later(*image: Any) -> Any:
            clock.now_s += image_s
            return restore(*image)

        if not ended:  # of the rainy images, before the first step
            return scores(self, restore)
        self._pairs = self._pairs[:1] * 3
        return scores(self, an_image_later, *ended)

    monkeypatch.setattr(Learner, "step", a_step_later)
    monkeypatch.setattr(Validation, "scores", slowly)
    every = "derainers.training.loop.VALIDATED_AT_LEAST_EVERY_STEPS"
    monkeypatch.setattr(every, validated_every)
    out = tmp_path / "out"
    assert run_command_line(training(pairs, out, "--max-minutes", "1", "--epochs", "9")) == 0
    card = json.loads((out / "prn-r.json").read_text())
    assert card["steps_done"] == steps
    assert (card["validated_on"]["restored"] is not None) == is_validated


def test_a_sigterm_of_the_whole_group_leaves_weights(photographs: Path, tmp_path: Path) -> None:
    words = ["train", "prn-r", "--dataset", "folder", "--data-root", str(photographs)]
    words += ["--recipe", "short", "--out", str(tmp_path / "out")]
    process = start(*words, code=SMALL_CROPS)
    parent, found = with_workers(process)
    for each in (*found, parent):
        each.terminate()
    status, _, err = finish(process)
    assert (status, "Traceback" in err) == (0, False), err
    card = json.loads((tmp_path / "out" / "prn-r.json").read_text())
    assert 1 <= card["steps_done"] < card["steps"]


def test_a_curve_has_a_row_for_every_validation_and_a_picture(
    photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from derainers.training.recipes import PAPER

    monkeypatch.setitem(PAPER, "granet", replace(PAPER["granet"], patch_px=32))
    root = tmp_path / "pairs"
    for folder, factor in (("input", 2), ("target", 1)):
        (root / folder).mkdir(parents=True)
        for file in sorted(photographs.glob("c*.png")):
            image = decode(file.read_bytes(), "")[:72, :80] // factor
            (root / folder / file.name).write_bytes(encode_png(image))
    out = tmp_path / "out"
    words = ["train", "granet", "--dataset", "pairs", "--data-root", str(root), "--epochs", "2"]
    assert run_command_line([*words, "--out", str(out)]) == 0
    rows = list(csv.DictReader((out / "curve.csv").open()))
    assert [row["step"] for row in rows] == ["1", "2"]
    assert all(float(row["images_per_s"]) > 0 for row in rows)
    assert all(0 <= float(row["waiting_share"]) <= 1 for row in rows)
    assert decode((out / "curve.png").read_bytes(), "curve").shape[1] == 880
    card = json.loads((out / "granet.json").read_text())
    assert card["trained_on"]["datasets"] == ["pairs"]
    assert card["trained_on"]["rain_families"] == ["given"]
    best = max(float(row["psnr_y_db"]) for row in rows)
    assert card["validated_on"]["restored"]["psnr_y_db"] == pytest.approx(best, rel=1e-6)


def test_a_seed_decides_the_first_weights_and_a_broken_training_ends_in_the_same_bytes(
    photographs: Path, tmp_path: Path
) -> None:
    words = ["train", "prn-r", "--dataset", "folder", "--data-root", str(photographs)]
    words += ["--recipe", "short", "--steps", "2", "--rain", "none,rain100l", "--dtype", "bf16"]
    made = {}
    for name, more in (
        ("one", ()),
        ("broken", ("--max-minutes", "0")),
        ("broken", ()),
        ("other", ("--seed", "1")),
    ):
        assert run_command_line([*words, *more, "--out", str(tmp_path / name)]) == 0
        card = json.loads((tmp_path / name / "prn-r.json").read_text())
        made[name] = card["sha256"], card["steps_done"]
        assert card["steps_done"] == (1 if "--max-minutes" in more else 2)
    assert made["one"] == made["broken"]
    assert made["one"] != made["other"]


def test_what_cannot_be_trained_is_one_line(
    photographs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = ["--dataset", "folder", "--data-root", str(photographs), "--out", str(tmp_path / "out")]
    for words, said in (
        (["train", "granett", *data], "did you mean granet?"),
        (
            ["train", "granet", *data, "--recipe", "release"],
            "granet has paper, short, short-gpu and benchmark",
        ),
        (["train", "granet", *data, "--rain", "given"], "brings no rain"),
        (["train", "granet", *data, "--rain", "none"], "--rain none: name a rain beside it"),
        (["train", "granet", *data, "--rain", "none,given"], "training takes 'given' alone"),
        (["train", "granet", *data, "--exclude", "nowhere"], "--exclude nowhere: no such folder"),
        (["train", "hrrsr", *data, "--vgg", "nowhere"], "--vgg nowhere: no such file"),
        (
            ["train", "granet", *data, "--dtype", "fp16", "--device", "cpu"],
            "--dtype fp16: training is in fp32 or bf16",
        ),
        (["train", "granet", *data, "--limit", "3"], "photographs to train on, at least 4"),
        (["train", "refinenet", *data, "--vgg", "x"], "--vgg belongs to derainers"),
        (["train", "refinenet", *data, "--for", "x"], "--for belongs to derainers"),
        (["train", "granet", *data, "--for", "x"], "--for x: expected TASK=NETWORK"),
        (["train", "granet", *data, "--for", "detection=x.pt"], "x.pt: no such file"),
    ):
        assert run_command_line(words) == 2
        assert said in capsys.readouterr().err
