"""Files that run code where they are trusted, in every slot that takes a file: nothing runs.

While a command works, an audit hook refuses connections, programs, foreign code, and files opened
for writing beside workspace and ``--out``.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import pickle
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from harness.cli.main import run_command_line

MARK = "OWNED"
"""Stands in everything that a file would run, and begins the name of every file it would write."""


SAVE = torch.serialization.save
"""TorchScript knows it by this name alone: ultralytics puts its own in the place of the other."""


class Call:
    """An object that its file makes by a call."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> Any:
        return self.call


class Scripted(nn.Module):
    """A TorchScript module whose reading writes a file."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(2))

    @torch.jit.export
    def __getstate__(self) -> tuple[Tensor, bool]:
        return (self.weight, self.training)

    @torch.jit.export
    def __setstate__(self, state: tuple[Tensor, bool]) -> None:
        self.weight = state[0]  # type: ignore[assignment]
        self.training = state[1]
        SAVE(torch.zeros(3), "./OWNED_script")

    def forward(self, x: Tensor) -> Tensor:
        return x


def system() -> Call:
    return Call(os.system, f"touch {MARK}_system")


def saved(content: Any, is_zip: bool = True) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer, _use_new_zipfile_serialization=is_zip)
    return buffer.getvalue()


def distilled(teacher: str) -> bytes:
    """A class of ultralytics that downloads and unpickles another file."""
    from ultralytics.nn.distill_model import DistillationModel
    from ultralytics.utils import IterableSimpleNamespace

    student = IterableSimpleNamespace()
    student.yaml = {"channels": 3}
    return saved({"model": Call(DistillationModel, teacher, student)})


def evaluated(key: str) -> bytes:
    """A class of ultralytics that evaluates what its architecture holds."""
    from ultralytics.nn.tasks import DetectionModel

    layer = [[-1, 1, "Conv", [16, 3, 2]]]
    architecture = {"nc": 1, "ch": 3, "channels": 3, "backbone": layer, "head": layer}
    architecture["activation"] = f"__import__('os').system('touch ./{MARK}_eval')"
    return saved({key: Call(DetectionModel, architecture)})


def described() -> bytes:
    """A real network of ultralytics whose architecture holds code."""
    from ultralytics.nn.tasks import DetectionModel

    layers: list[Any] = [[-1, 1, "Conv", [16, 3, 2]]]
    told = {"nc": 1, "channels": 3, "backbone": layers, "head": [[[0], 1, "Detect", ["nc"]]]}
    model = DetectionModel(told, ch=3, verbose=False)
    model.yaml["activation"] = f"__import__('os').system('touch ./{MARK}_yaml')"
    return saved({"model": model})


def scripted() -> bytes:
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.script(Scripted()), buffer)
    return buffer.getvalue()


def arrays() -> bytes:
    """What ultralytics takes for its cache of labels."""
    buffer = io.BytesIO()
    np.save(buffer, np.array({"labels": system()}, dtype=object), allow_pickle=True)
    return buffer.getvalue()


FILES: dict[str, Callable[[], bytes]] = {
    "a network that downloads another": lambda: distilled("http://127.0.0.1:9/OWNED.pt"),
    "a network that reads another": lambda: distilled("OWNED_teacher.pt"),
    "an architecture that is evaluated": lambda: evaluated("state_dict"),
    "the same for a detector": lambda: evaluated("model"),
    "a network with code for an activation": described,
    "TorchScript": scripted,
    "a command": lambda: saved({"state_dict": system(), "model": system(), "epoch": 0}),
    "a command in the old format": lambda: saved({"params": system()}, is_zip=False),
    "a pickle": lambda: pickle.dumps({"model": system()}),
    "a cache of labels": arrays,
    "nothing": lambda: b"",
    "half of a file": lambda: saved({"a": torch.zeros(1000)})[:2000],
    "another file": lambda: b"\x89PNG\r\n\x1a\n, of some kind",
}

RUN = ("run", "--limit", "1", "--rain", "none", "--no-images", "--workspace", "w", "--out", "out")
COCO = (*RUN, "--dataset", "coco", "--data-root", "coco")
DERAIN = (*COCO, "--task", "none", "--derainer")
DETECT = (*COCO, "--derainer", "identity", "--model")
MASKS = (*COCO, "--task", "instance", "--derainer", "identity", "--model")
STREETS = (*RUN, "--dataset", "camvid", "--data-root", "camvid", "--split", "val")
SEGMENT = (*STREETS, "--derainer", "identity", "--task", "semantic", "--model")
TRAIN = ("--data-root", "camvid", "--dataset", "camvid", "--out", "out", "--epochs", "1", "--from")
FOLDER = ("--data-root", "photographs", "--dataset", "folder", "--out", "out")

SLOTS: dict[str, tuple[str, ...]] = {
    "derainer": (*DERAIN, "granet@x.pth"),
    "derainer, safetensors": (*DERAIN, "granet@x.safetensors"),
    "derainer, TensorFlow's checkpoint": (*DERAIN, "mspfn:layers=release@x.index"),
    "derainer, parts": (*DERAIN, "granet@x-00001-of-00001.pth"),
    "derainer, own network": (*DERAIN, "net.py:network@x.pt"),
    "derainer, by a name": (*DERAIN, "ours=granet@x.pth,key=params"),
    "derainer, spandrel": (*DERAIN, "spandrel:x.pt"),
    "derainer, spandrel's other suffix": (*DERAIN, "spandrel:x.pth"),
    "derainer, ONNX": (*DERAIN, "x.onnx"),
    "detection": (*DETECT, "detection=x.pt"),
    "detection, relative": (*DETECT, "detection=./x.pt"),
    "detection, ultralytics": (*DETECT, "detection=ultralytics@x.pt"),
    "detection, yolo": (*DETECT, "detection=yolo@x.safetensors"),
    "detection, torchvision": (*DETECT, "detection=fasterrcnn_resnet50_fpn@x.pth"),
    "instance": (*MASKS, "instance=x.pt"),
    "semantic": (*SEGMENT, "semantic=x.pt"),
    "semantic, refinenet": (*SEGMENT, "semantic=refinenet@x.pth"),
    "semantic, pickle": (*SEGMENT, "semantic=refinenet@x.pkl"),
    "semantic, torchvision": (*SEGMENT, "semantic=deeplabv3_mobilenet_v3_large@x.pth"),
    "semantic, ONNX": (*SEGMENT, "semantic=onnx@x.onnx"),
    "train refinenet from": ("train", "refinenet", *TRAIN, "x.pth"),
    "train refinenet on": ("train", "refinenet", *TRAIN[:-1]),
    "train a derainer from": ("train", "prn-r", *FOLDER, "--recipe", "short", "--from", "x.pth"),
}
"""Commands by the slot that they give the file to, which is called x. ``train yolo`` has a test of
its own in `test_training_folder`."""
PLANTED = {"train refinenet on": "out/checkpoint.pt"}
"""Where the file lies that no word names."""

REFUSED = frozenset(
    {"socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "urllib.Request"}
    | {"os.system", "os.exec", "os.fork", "os.posix_spawn", "os.spawn", "subprocess.Popen"}
)
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class Watch:
    """Refuses what no weight file may bring about, while a command is watched."""

    def __init__(self) -> None:
        self.refused: list[str] = []
        self._folders: list[Path] | None = None
        sys.addaudithook(self._look)

    @contextmanager
    def over(self, *folders: Path) -> Iterator[None]:
        """Let files be written in some folders alone, and nothing foreign run."""
        self.refused.clear()
        # Caches of Python and of the packages, and what has no place, are free.
        self._folders = [*folders, Path("/dev"), Path("/proc"), *map(Path, sys.path[1:])]
        try:
            yield
        finally:
            self._folders = None

    def _look(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self._folders is not None and self._is_wrong(event, arguments):
            self.refused.append(f"{event} {arguments}"[:200])
            raise PermissionError(f"refused by the test: {event}")

    def _is_wrong(self, event: str, arguments: tuple[Any, ...]) -> bool:
        if event == "compile":
            return MARK in str(arguments[0])
        if event == "exec":
            return MARK in str(getattr(arguments[0], "co_consts", ""))
        if event == "open":
            return bool((arguments[2] or 0) & WRITES) and not self._is_free(arguments[0])
        if event in ("os.remove", "os.rename", "os.truncate", "shutil.rmtree"):
            return not self._is_free(arguments[0])
        return event in REFUSED

    def _is_free(self, file: Any) -> bool:
        if not isinstance(file, str | bytes | os.PathLike):
            return True
        where = Path(os.fsdecode(file)).resolve()
        if where.is_dir():  # a file without a name, which looks whether there is room
            return True
        return any(where.is_relative_to(folder) for folder in self._folders or ())


WATCH = Watch()


@pytest.fixture(scope="module")
def place(
    miniature_of: Callable[[str, Path], Path], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A folder with data sets, and a network of a user's own."""
    root = tmp_path_factory.mktemp("foreign")
    for name in ("coco", "camvid"):
        miniature_of(name, root / name)
    (root / "photographs").symlink_to(root / "coco" / "images" / "val2017")
    (root / "net.py").write_text("from torch import nn\ndef network(): return nn.Conv2d(3, 3, 1)\n")
    (root / "OWNED_teacher.pt").write_bytes(saved({"model": system()}))
    importlib.import_module("spandrel")  # torch knows more of its own classes with more of it
    return root


def outcome(slot: str, data: bytes, place: Path, folder: Path) -> tuple[int, list[str]]:
    """Status of a command and what was wrong with how it ended."""
    words = list(SLOTS[slot])
    for kind in ("w", "out"):
        words = [str(folder / kind) if word == kind else word for word in words]
    name = PLANTED.get(slot)
    if name is None:
        given = next(w for w in words if "x." in w or "x-0" in w).partition("@")[2] or words[-1]
        name = given.rpartition("=")[2].removeprefix("spandrel:")
        file = place / name
    else:
        file = folder / name
        file.parent.mkdir(parents=True)
    file.write_bytes(data)
    before = {path: path.read_bytes() for path in place.rglob("*") if path.is_file()}
    safe = list(torch.serialization.get_safe_globals())
    with WATCH.over(folder):
        status = run_command_line(words)
    wrong = list(WATCH.refused)
    if torch.serialization.get_safe_globals() != safe:
        wrong.append("torch knows other safe classes")
    if {path: path.read_bytes() for path in place.rglob("*") if path.is_file()} != before:
        wrong.append("a file was written, changed or removed")
    if name not in PLANTED.values():
        file.unlink()
    return status, wrong


@pytest.fixture(scope="module")
def contents() -> dict[str, bytes]:
    return {name: make() for name, make in FILES.items()}


def ends_in_a_line(
    slot: str,
    names: list[str],
    contents: dict[str, bytes],
    place: Path,
    folder: Path,
    capsys: pytest.CaptureFixture[str],
) -> dict[str, Any]:
    """What is wrong, by file."""
    found = {}
    for number, name in enumerate(names):
        status, wrong = outcome(slot, contents[name], place, folder / str(number))
        told = [line for line in capsys.readouterr().err.splitlines() if line]
        errors = [line for line in told if line.startswith("error: ")]
        if status != 2 or len(errors) != 1 or told[-1] != errors[0] or wrong:
            found[name] = (status, told, wrong)
    return found


@pytest.mark.parametrize("slot", SLOTS)
def test_nothing_foreign_runs(
    slot: str,
    contents: dict[str, bytes],
    place: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(place)
    assert ends_in_a_line(slot, list(FILES), contents, place, tmp_path, capsys) == {}


TRUSTED: dict[str, str] = {
    "a network that downloads another": "socket",
    "a network that reads another": "os.system",
    "an architecture that is evaluated": "OWNED_eval",
    "a command": "os.system",
    "a command in the old format": "os.system",
    "a pickle": "os.system",
    "TorchScript": "",
}
"""What the files bring about where they are trusted."""


@pytest.mark.parametrize("name", TRUSTED)
def test_the_files_do_run_where_they_are_trusted(
    name: str, contents: dict[str, bytes], place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(place)
    monkeypatch.setenv("YOLO_OFFLINE", "0")
    data = io.BytesIO(contents[name])
    with WATCH.over(place), warnings.catch_warnings(), contextlib.suppress(Exception):
        warnings.simplefilter("ignore")
        if name == "a pickle":
            pickle.load(data)
        elif name == "TorchScript":
            torch.jit.load(data)
        else:
            torch.load(data, weights_only=False)
    if name == "TorchScript":
        (place / "OWNED_script").unlink()
    else:
        assert any(TRUSTED[name] in refused for refused in WATCH.refused)


@pytest.mark.parametrize("kind", ["cut", "empty", "foreign"])
@pytest.mark.parametrize("word", ["yolov8n.pt", "./yolov8n.pt", "{cwd}/yolov8n.pt", "yolov8n"])
def test_a_damaged_checkpoint_of_a_known_name_stays_and_no_other_is_asked_for(
    kind: str,
    word: str,
    detector_file: Path,
    place: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("YOLO_OFFLINE", "0")
    whole = detector_file.read_bytes()
    data = {"cut": whole[: len(whole) // 2], "empty": b"", "foreign": b"\x89PNG\r\n\x1a\n"}[kind]
    file = tmp_path / "yolov8n.pt"
    file.write_bytes(data)
    words = [*DETECT, f"detection={word.format(cwd=tmp_path)}", "--model-dir", "."]
    words[words.index("coco", 12)] = str(place / "coco")
    with WATCH.over(tmp_path / "w", tmp_path / "out"):
        assert run_command_line(words) == 2
    assert WATCH.refused == []
    assert file.read_bytes() == data
    assert "yolov8n.pt: cannot be read" in capsys.readouterr().err
