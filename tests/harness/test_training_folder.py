"""What lies in a training's folder is data: checked, never run, and the user's files stay."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from datasets.camvid import CLASSES
from datasets.image import encode_png
from datasets.label_png import encode_labels
from harness.cli.main import run_command_line
from harness.plan.keys import file_sha256
from harness.plan.trained_on import images
from harness.spec import UsageError
from harness.training.curve import LossCurve
from harness.training.folder import begun_with, write_weights
from harness.training.network import _before


def words_of(root: Path) -> list[str]:
    """A training of two epochs."""
    data = ["--dataset", "camvid", "--data-root", str(root / "camvid")]
    return ["train", "refinenet", *data, "--out", str(root / "out"), "--epochs", "2"]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training of which one epoch of two is done."""
    root = tmp_path_factory.mktemp("training")
    for folder in ("train", "trainannot"):
        (root / "camvid" / folder).mkdir(parents=True)
    for i in range(5):
        labels = np.full((32, 40), CLASSES.index("road"), np.uint8)
        image, name = np.full((32, 40, 3), 40 * i, np.uint8), f"0001TP_{i:03}.png"
        (root / "camvid" / "train" / name).write_bytes(encode_png(image))
        (root / "camvid" / "trainannot" / name).write_bytes(encode_labels(labels))
    assert run_command_line([*words_of(root), "--max-minutes", "0"]) == 0
    return root


@pytest.fixture
def begun(template: Path, tmp_path: Path) -> list[str]:
    """The words that go on with a copy of it."""
    shutil.copytree(template, tmp_path, dirs_exist_ok=True)
    return words_of(tmp_path)


def change_an_image(root: Path) -> None:
    image = encode_png(np.full((32, 40, 3), 7, np.uint8))
    for name in ("0001TP_003.png", "0001TP_004.png"):
        (root / "camvid" / "train" / name).write_bytes(image)


def change_labels(root: Path) -> None:
    labels = encode_labels(np.zeros((32, 40), np.uint8))
    (root / "camvid" / "trainannot" / "0001TP_001.png").write_bytes(labels)


def remove_an_image(root: Path) -> None:
    for folder in ("train", "trainannot"):
        (root / "camvid" / folder / "0001TP_002.png").unlink()


def cut(name: str) -> Callable[[Path], None]:
    def change(root: Path) -> None:
        file = root / "out" / name
        file.write_bytes(file.read_bytes()[:-20])

    return change


def write(name: str, data: bytes) -> Callable[[Path], None]:
    def change(root: Path) -> None:
        (root / "out" / name).write_bytes(data)

    return change


def other_checkpoint(root: Path) -> None:
    torch.save({"epoch": 1}, root / "out" / "checkpoint.pt")


CHANGES: dict[str, tuple[Callable[[Path], None], str]] = {
    "an image": (change_an_image, "other images: 0001TP_003 has changed"),
    "labels": (change_labels, "other images: 0001TP_001 has changed"),
    "an image less": (remove_an_image, "other images: 0001TP_002 is gone"),
    "a cut checkpoint": (cut("checkpoint.pt"), "checkpoint.pt is damaged"),
    "another checkpoint": (other_checkpoint, "checkpoint.pt is damaged"),
    "no curve": (write("curve.csv", b"epoch,loss\n1,x\n"), "curve.csv: damaged"),
    "a curve of bytes": (write("curve.csv", b"epoch,loss,elapsed_s\n\xff\0"), "curve.csv: damaged"),
    "no JSON": (write("training.json", b"{"), "another training (training.json)"),
    "deep JSON": (write("training.json", b"[" * 100_000), "another training (training.json)"),
}


@pytest.mark.parametrize("case", CHANGES)
def test_what_was_changed_since_is_one_line(
    case: str, begun: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change, says = CHANGES[case]
    change(tmp_path)
    assert run_command_line(begun) == 2
    told = capsys.readouterr().err
    assert says in told
    assert told.count("\n") == 1


def test_without_its_checkpoint_a_training_begins_anew(begun: list[str], tmp_path: Path) -> None:
    (tmp_path / "out" / "checkpoint.pt").unlink()
    assert run_command_line([*begun, "--max-minutes", "0"]) == 0
    card = json.loads((tmp_path / "out" / "refinenet-camvid.safetensors.json").read_text())
    assert card["epochs_done"] == 1
    assert run_command_line(begun) == 0


def test_a_kill_between_digest_and_checkpoint_harms_nothing(
    begun: list[str], tmp_path: Path
) -> None:
    from harness.training import folder

    out = tmp_path / "out"
    said = json.loads((out / "training.json").read_text())
    images, checkpoints = said.pop("images"), said.pop(folder.CHECKPOINTS)
    assert checkpoints == [hashlib.sha256((out / "checkpoint.pt").read_bytes()).hexdigest()]
    (out / "checkpoint.tmp").write_bytes(b"not yet there")
    folder.Begun(out, said, images).note(out / "checkpoint.tmp")
    assert folder.Begun(out, said, images).goes_on
    (out / "checkpoint.tmp").replace(out / "checkpoint.pt")
    assert folder.Begun(out, said, images).goes_on


def test_a_curve_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "curve.csv"
    LossCurve(file).add(1, 0.5)
    assert LossCurve(file, goes_on=True).last == 1
    assert LossCurve(file).last == 0
    file.write_text("epoch,loss,elapsed_s\n1,nan,2\n")
    with pytest.raises(UsageError, match="damaged"):
        LossCurve(file, goes_on=True)


class Evil:
    """Runs a command when it is unpickled."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.canary}",)


def test_yolo_runs_nothing_and_leaves_photographs_as_they_are(
    coco_of: Callable[[int], Path], tmp_path: Path
) -> None:
    """What ultralytics would unpickle lies in the folder, and photographs that it would write."""
    root, out, canary = coco_of(8), tmp_path / "out", tmp_path / "owned"
    photographs = sorted((root / "images" / "val2017").iterdir())
    photographs[0].write_bytes(photographs[0].read_bytes() + b"behind the end")
    for beside in (photographs[1], photographs[2]):
        beside.with_suffix(".npy").write_bytes(pickle.dumps(Evil(canary)))
    for place in ("ultralytics/weights/last.pt", "data/labels.cache", "data/labels/000000.txt"):
        (out / place).parent.mkdir(parents=True, exist_ok=True)
        torch.save({"model": Evil(canary), "epoch": 0}, out / place)
    with (out / "data" / "labels.cache").open("wb") as file:
        np.save(file, np.array({"labels": Evil(canary)}, dtype=object), allow_pickle=True)
    safe = list(torch.serialization.get_safe_globals())

    def contents() -> dict[Path, bytes]:
        planted = [out / "ultralytics", out / "data", root]
        return {f: f.read_bytes() for p in planted for f in p.rglob("*") if f.is_file()}

    before = contents()
    words = ["train", "yolo", "--dataset", "coco", "--data-root", str(root), "--split", "val2017"]
    words += ["--out", str(out), "--epochs", "1"]
    assert run_command_line(words) == 0
    assert contents() == before
    assert not canary.exists()
    assert torch.serialization.get_safe_globals() == safe
    assert "ultralytics.utils.callbacks.wb" not in sys.modules
    card = json.loads((out / "yolo-coco.safetensors.json").read_text())
    assert card["epochs_done"] == 1
    torch.save({"epoch": Evil(canary)}, out / "checkpoint.pt")
    assert run_command_line(words) == 2
    assert not canary.exists()


def test_what_a_published_checkpoint_saw_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "published.pt"
    file.write_bytes(b"weights")
    monkeypatch.setattr(
        "harness.training.network.TRAINED_ON", {file_sha256(file): ("coco", "train2017")}
    )
    saw = {"before": {"dataset": "coco", "split": "train2017"}}
    assert _before(file)["trained_on"] == saw
    assert images({"dataset": "own", **saw}) == frozenset({"own", "coco/train2017"})
    file.write_bytes(b"other weights")
    assert _before(file)["trained_on"] == {"before": {}}
    assert _before(None) == {}


def test_a_card_of_other_weights_is_not_believed(
    begun: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "w.safetensors"
    file.write_bytes(b"weights")
    told = {"sha256": "0" * 64, "trained_on": {"datasets": ["x"]}}
    for card in (tmp_path / "w.json", tmp_path / "w.safetensors.json"):
        card.write_text(json.dumps(told))
        with pytest.raises(ValueError, match="is the card of other weights"):
            begun_with(file, card)
        card.write_text(json.dumps(told | {"sha256": file_sha256(file)}))
        assert begun_with(file, card)["trained_on"] == {"before": {"datasets": ["x"]}}
    shutil.copy(tmp_path / "out" / "refinenet-camvid.safetensors", file)
    fresh = [*begun[:-3], str(tmp_path / "new"), "--epochs", "1"]
    assert run_command_line([*fresh, "--from", str(file)]) == 2
    assert "w.safetensors.json is the card of other weights" in capsys.readouterr().err


def test_what_authors_weights_saw_stays_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from derainers import published

    file = tmp_path / "net.pth"
    file.write_bytes(b"weights")
    row = replace(published.PUBLISHED["prenet-rain100l"], sha256=file_sha256(file))
    monkeypatch.setitem(published.PUBLISHED, "prenet-rain100l", row)
    saw = begun_with(file, tmp_path / "net.json")["trained_on"]
    assert saw == {"before": published.RAIN100L}
    assert images({"datasets": ["own"], **saw}) == frozenset({"own", "rain100l/train"})


def test_two_processes_do_not_train_in_one_folder(
    begun: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = (
        "import sys; from pathlib import Path; from harness.training.folder import alone_in\n"
        "with alone_in(Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"
    )
    out = tmp_path / "out"
    before = {file.name: file.read_bytes() for file in out.iterdir()}
    held = [sys.executable, "-c", code, str(out)]
    with subprocess.Popen(held, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        capsys.readouterr()
        assert run_command_line(begun) == 2
        told = capsys.readouterr().err
        other.kill()
    assert "another process trains there; wait for its end, or give another --out" in told
    assert told.count("\n") == 1
    assert {file.name: file.read_bytes() for file in out.iterdir()} == before
    assert run_command_line(begun) == 0


class Kept(torch.nn.Module):
    """What half floats cannot hold, and what two layers share."""

    def __init__(self) -> None:
        super().__init__()
        self.gain = torch.nn.Parameter(torch.tensor([0.1, 3.0]))
        self.scale = torch.nn.Parameter(torch.full((2,), 1e-6))
        self.norm = torch.nn.BatchNorm2d(2)
        self.layers = torch.nn.Sequential(self.norm)
        self.norm.running_var = torch.tensor([9e4, 1.0])
        self.register_buffer("mask", torch.tensor([0.0, -float("inf")]))


def test_weights_stay_as_they_are_where_half_floats_cannot_hold_them(tmp_path: Path) -> None:
    from safetensors.torch import load_file

    from derainers.checkpoint import load_weights

    network, file = Kept(), tmp_path / "net.safetensors"
    write_weights(file, network)
    held, expected = load_file(file), network.state_dict()
    assert held.keys() == expected.keys()
    assert {n for n, v in held.items() if v.dtype == torch.float32} == {
        *("scale", "norm.running_var", "layers.0.running_var")
    }
    for name in ("scale", "norm.running_var", "mask", "norm.num_batches_tracked"):
        assert torch.equal(held[name].to(expected[name].dtype), expected[name])
    again = Kept()
    again.scale.data.fill_(0)
    load_weights(again, file)
    assert torch.equal(again.scale, network.scale)
    network.gain.data[0] = float("inf")
    with pytest.raises(UsageError, match="no finite numbers: gain"):
        write_weights(file, network)
