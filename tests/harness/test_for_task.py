"""Derainers that learn by what a frozen task network sees."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from skimage.data import astronaut, chelsea

from datasets.image import encode_png
from harness.cli.main import run_command_line
from harness.spec import RunSpec, UsageError
from harness.training.for_task import difference, for_task
from tasks.models import WEIGHTS
from tasks.models.rows import MODELS

NETWORKS = ("detection=yolo-streetsim", "semantic=refinenet-streetsim")


@pytest.mark.parametrize("word", NETWORKS)
def test_equal_images_are_seen_alike_and_restoring_one_lowers_the_difference(word: str) -> None:
    found = for_task(word, RunSpec(dataset="streetsim"))
    seen = found.load("cpu")
    draw = np.random.default_rng(0)
    clean = torch.from_numpy(draw.random((2, 3, 96, 70), np.float32))
    assert float(seen(clean, clean)) == 0
    rainy = (clean + 0.3).clamp(0, 1).requires_grad_()
    before = seen(rainy, clean)
    before.backward()
    assert rainy.grad is not None
    step = 0.01 * rainy.grad / rainy.grad.abs().max()
    assert 0 < float(seen(rainy.detach() - step, clean)) < float(before.detach())
    half = float(seen(clean + 0.5 * (rainy.detach() - clean), clean))
    assert half < float(before.detach())


def test_the_detector_is_given_what_it_is_given_in_runs() -> None:
    """The maps are those from which its answers come: another head would see them equally."""
    detector = MODELS["yolo"].build(WEIGHTS / "yolo-streetsim.safetensors", "cpu")
    image = np.ascontiguousarray(astronaut()[:480, :640])
    image = np.ascontiguousarray(np.pad(image, ((0, 0), (0, 640 - image.shape[1]), (0, 0))))
    kept: list[torch.Tensor] = []
    model = detector._network._model
    hook = model.model[-1].register_forward_pre_hook(lambda _, given: kept.extend(given[0]))
    detector.detect([image])
    hook.remove()
    images = torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255
    mine = detector.seen(images)
    assert len(mine) == len(kept) > 1
    for a, b in zip(mine, kept, strict=True):
        torch.testing.assert_close(a, b, atol=1e-4, rtol=1e-4)


def test_a_difference_is_a_share_of_what_clean_images_show() -> None:
    class Twice:
        def seen(self, images: torch.Tensor) -> list[torch.Tensor]:
            return [2 * images, 5 * images[:, :1]]

    clean, restored = torch.full((1, 3, 4, 4), 0.5), torch.full((1, 3, 4, 4), 0.6)
    assert float(difference(Twice(), restored, clean)) == pytest.approx(0.2**2, rel=1e-5)


def test_a_network_that_shows_nothing_is_refused(tmp_path: Path) -> None:
    code, spec = tmp_path / "mine.py", RunSpec(dataset="streetsim")
    code.write_text("def build():\n    return None\n")
    with pytest.raises(UsageError, match="nothing can be learned by it"):
        for_task(f"detection={code}:build", spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("harness.training.for_task.network_of", lambda *_: _Opaque())
        with pytest.raises(UsageError, match="nothing can be learned by it"):
            for_task("detection=x.pt", spec).load("cpu")


class _Opaque:
    """A network whose detector has no maps to show."""

    name, sha256, identity = "x", "0" * 64, None

    def build(self, device: str, names: object) -> object:
        return object()


def test_training_for_a_task_learns_other_weights_and_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for i, image in enumerate((astronaut(), chelsea())):
        for at in range(3):
            window = image[40 * at : 40 * at + 140, 30 * at : 30 * at + 150]
            (photos / f"{i}{at}.png").write_bytes(encode_png(np.ascontiguousarray(window)))
    words = ["train", "prn-r", "--dataset", "folder", "--data-root", str(photos)]
    words += ["--recipe", "short", "--steps", "2", "--rain", "rain100l", "--workers", "1"]
    files = []
    for name, more in (("plain", []), ("for", ["--for", NETWORKS[0]])):
        assert run_command_line([*words, *more, "--out", str(tmp_path / name)]) == 0
        files.append(tmp_path / name / "prn-r.safetensors")
    plain, tuned = (json.loads(file.with_suffix(".json").read_text()) for file in files)
    assert "for_task" not in plain
    assert tuned["for_task"]["network"] == "yolo-streetsim"
    assert files[0].read_bytes() != files[1].read_bytes()
    assert plain["trained_on"] == tuned["trained_on"]
    capsys.readouterr()
    assert run_command_line([*words, "--out", str(tmp_path / "for")]) == 2
    assert "holds another training" in capsys.readouterr().err
