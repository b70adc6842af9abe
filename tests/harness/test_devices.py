"""Devices that compute beside the processor; the CPU stands in for them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from clock import stopped
from exports import YOLO, constant_onnx

from datasets.image import NDArrayByte
from harness import RunSpec
from harness.machine import device as machine
from harness.machine.device import Placement, placement
from harness.runs import engine
from harness.runs.engine import run
from reports.results.results import Results
from tasks import quality
from tasks.coco_ap import Detections

IMAGES = 9
"""More than go into one forward."""


@pytest.fixture
def spec(tmp_path: Path) -> RunSpec:
    rng = np.random.default_rng(0)
    (tmp_path / "photographs").mkdir()
    for i in range(IMAGES):
        size = (32, 40) if i < 7 else (24, 48)
        image = cv2.GaussianBlur(rng.integers(0, 256, (*size, 3), np.uint8), (5, 5), 0)
        cv2.imwrite(str(tmp_path / "photographs" / f"{i}.png"), image)
    return RunSpec(
        dataset="folder",
        data_root=str(tmp_path / "photographs"),
        rain=("photoshop-heavy",),
        derainer=("identity",),
        task=("none",),
        images=False,
        workers=4,
    )


class StandIn(torch.nn.Module):
    """Takes note of who is there at the same time; a run's thread waits until so many have been."""

    def __init__(self, level: float, awaited: int = 1) -> None:
        super().__init__()
        self.level, self.awaited = level, awaited

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        with INSIDE_CHANGES:
            INSIDE.add(threading.get_ident())
            TOGETHER.append(len(INSIDE))
            INSIDE_CHANGES.notify_all()
            if threading.current_thread() is not threading.main_thread():
                assert INSIDE_CHANGES.wait_for(lambda: max(TOGETHER) >= self.awaited, timeout=30)
        time.sleep(0.01)  # who does not wait for its turn comes meanwhile
        with INSIDE_CHANGES:
            INSIDE.discard(threading.get_ident())
        return x * self.level


INSIDE_CHANGES = threading.Condition()
INSIDE: set[int] = set()
TOGETHER: list[int] = []


@pytest.fixture
def on(
    spec: RunSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[Results, list[str]]]:
    """Runs on some devices, each time in a workspace of its own."""

    def done(
        devices: int, derainers: dict[str, Any] | None = None, **words: Any
    ) -> tuple[Results, list[str]]:
        def placed(spec: RunSpec) -> Placement:
            return replace(placement(spec), devices=devices)

        monkeypatch.setattr("harness.plan.plan.placement", placed)
        said: list[str] = []
        place = str(tmp_path / f"runs-{len(list(tmp_path.iterdir()))}")
        asked = spec.model_copy(update={"workspace": place, **words})
        return run(asked, derainers, said=said.append), said

    return done


def text_of(results: Results) -> str:
    """Records and errors, without what depends on clock and host."""
    return repr((results.records, results.errors))


@pytest.mark.parametrize("name", ["nvidiactl", "dxg", "kfd", "null"])
def test_auto_asks_torch_where_a_driver_is(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drivers = [tmp_path / driver.name for driver in machine.DRIVERS]
    monkeypatch.setattr(machine, "DRIVERS", drivers)
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    (tmp_path / name).touch()
    assert machine.device_of("auto") == ("cpu" if name == "null" else "cuda")


def test_a_device_computes_one_forward_at_a_time(on: Any) -> None:
    TOGETHER.clear()
    networks = {"dim": StandIn(0.5), "dimmer": StandIn(0.25)}
    one, said = on(1, networks)
    assert set(TOGETHER) == {1}
    assert len(said) == 1
    assert said[0].startswith("cpu was busy for ")
    cpu, said = on(0, networks)
    assert said == []  # nobody asks how busy the processor was
    assert text_of(one) == text_of(cpu)


def test_how_busy_a_device_was_is_told(on: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = stopped(monkeypatch, "harness.work.seats", "harness.work.executors")
    monkeypatch.setattr(engine, "tried", lambda plan, *_: plan)

    class Network(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            clock.now_s += 1
            return x * 0.5

    def measured(*given: Any) -> Any:
        clock.now_s += 1
        return evidence(*given)

    evidence = quality.evidence
    monkeypatch.setattr(quality, "evidence", measured)
    _, said = on(1, {"dim": Network()}, workers=1, quality=("psnr",))
    # 27 measurements, a forward when the network is loaded, and one for each image
    assert said == ["cpu was busy for 24% of the 37.0 s of work"]


def test_two_devices_give_the_records_of_one(on: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "tried", lambda plan, *_: plan)
    TOGETHER.clear()
    two, _ = on(2, {"dim": StandIn(0.5, awaited=2), "dimmer": StandIn(0.25, awaited=2)})
    assert max(TOGETHER) == 2
    one, _ = on(1, {"dim": StandIn(0.5), "dimmer": StandIn(0.25)})
    assert text_of(two) == text_of(one)


def test_images_of_one_size_are_derained_in_one_forward(
    on: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from derainers.derainer import Derainer

    sizes: list[tuple[int, ...]] = []
    whole = Derainer._whole

    def noting(self: Derainer, batch: torch.Tensor) -> torch.Tensor:
        sizes.append(tuple(batch.shape))
        return whole(self, batch)

    monkeypatch.setattr(Derainer, "_whole", noting)
    apart, said = on(1, derainer=("granet-rain100l",))
    # Cut from the data set's order: eight of two sizes and the last; and the first once more alone.
    assert sorted(s[0] for s in sizes) == [1, 1, 2, 6]
    assert "granet-rain100l" in said[1]
    assert float(said[1].split("up to ")[1].split()[0]) < 1e-5
    together = {(r.derainer, r.metric): r.value for r in apart.records}
    alone = {
        (r.derainer, r.metric): r.value for r in on(0, derainer=("granet-rain100l",))[0].records
    }
    assert together == pytest.approx(alone, abs=1e-3)


def test_what_fails_in_a_batch_is_the_failure_of_one_image(
    on: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from derainers.derainer import Derainer

    whole = Derainer._whole

    def failing(self: Derainer, batch: torch.Tensor) -> torch.Tensor:
        if batch.shape[3] == 48:
            raise ValueError("none of that size")
        return whole(self, batch)

    monkeypatch.setattr(Derainer, "_whole", failing)
    results, _ = on(1, derainer=("granet-rain100l",))
    assert sorted((e.sample, e.message.partition(" (")[0]) for e in results.errors) == [
        ("7.png", "none of that size"),
        ("8.png", "none of that size"),
    ]
    assert {r.n for r in results.records} == {7}


def test_quality_may_be_measured_on_the_device(on: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from tasks.quality import on_device

    judged: list[tuple[str, ...]] = []
    evidence = on_device.evidence

    def noting(reference: Any, restored: Any, metrics: Any) -> Any:
        judged.append(tuple(metrics))
        return evidence(reference, restored, metrics)

    words = {"quality": ("psnr", "ssim", "uqi"), "intermediate": ("mask",), "limit": 3}
    cpu, _ = on(1, derainer=("granet-rain100l",), **words)
    monkeypatch.setattr("harness.work.unit._measures", lambda _: True)
    monkeypatch.setattr(on_device, "evidence", noting)
    device, _ = on(1, derainer=("granet-rain100l",), **words)
    assert set(judged) == {("psnr_y_db", "psnr_rgb_db", "ssim_y", "ssim_rgb")}
    assert len(device.records) == len(cpu.records) > 10
    for one, other in zip(cpu.records, device.records, strict=True):
        assert (one.cell, one.n, one.why) == (other.cell, other.n, other.why)
        assert other.value == pytest.approx(one.value, abs=1e-6)


def test_what_fails_in_a_call_of_a_task_network_is_the_failure_of_one_image(
    on: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tasks.models.exported import ExportedDetector

    whole = ExportedDetector._one

    def failing(self: ExportedDetector, image: NDArrayByte) -> Detections:
        if image.shape[1] == 48:
            raise ValueError("none of that size")
        return whole(self, image)

    monkeypatch.setattr(ExportedDetector, "_one", failing)
    network = str(constant_onnx(tmp_path / "net.onnx", [YOLO]))
    results, _ = on(1, task=("detection",), model={"detection": (network,)})
    assert sorted((e.sample, e.stage, e.message.partition(" (")[0]) for e in results.errors) == [
        ("7.png", "predict", "none of that size"),
        ("8.png", "predict", "none of that size"),
    ]
    assert set(results.predictions["sample"]) == {f"{i}.png" for i in range(7)}
    assert set(results.predictions["class"]) == {"dog"}
