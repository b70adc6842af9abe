"""Images go through all conditions one after the other: read once, rained on once."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from datasets.image import NDArrayByte, NDArrayFloat
from datasets.rain.photoshop import PhotoshopRain
from datasets.sample import Sample
from harness import RunSpec, run
from harness.machine.device import Placement
from harness.plan.loader import Loader
from harness.runs import engine
from harness.work import executors
from reports.results.results import Results

RAIN = "photoshop-heavy"


@pytest.fixture
def spec(tmp_path: Path) -> RunSpec:
    rng = np.random.default_rng(0)
    (tmp_path / "photographs").mkdir()
    for i in range(3):
        image = rng.integers(0, 256, (40, 56, 3), np.uint8)
        cv2.imwrite(str(tmp_path / "photographs" / f"{i}.png"), image)
    return RunSpec(
        dataset="folder",
        data_root=str(tmp_path / "photographs"),
        rain=(RAIN,),
        derainer=("identity",),
        task=("none",),
        images=False,
        workers=2,
        workspace=str(tmp_path / "runs"),
    )


class Greyer:
    """Half as bright, written into what it is given."""

    digest = "greyer"

    def restore(self, image: NDArrayByte, sample_id: str) -> NDArrayFloat:
        image //= 2
        return np.asarray(image, np.float32) / np.float32(255)


class Same:
    """The image as it is."""

    digest = "same"

    def restore(self, image: NDArrayByte, sample_id: str) -> NDArrayFloat:
        return np.asarray(image, np.float32) / np.float32(255)


def values(results: Results, derainer: str) -> dict[str, float | None]:
    """What was measured of a derainer's images under rain."""
    wanted = (derainer, RAIN, "quality")
    return {r.metric: r.value for r in results.records if (r.derainer, r.rain, r.task) == wanted}


def test_a_photograph_is_read_and_rained_on_once_for_all_derainers(
    spec: RunSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = {"image": 0, "render": 0}

    def count(owner: Any, name: str) -> None:
        before = getattr(owner, name)

        def counted(*args: Any, **kwargs: Any) -> Any:
            calls[name] += 1
            return before(*args, **kwargs)

        monkeypatch.setattr(owner, name, counted)

    count(Sample, "image")
    count(PhotoshopRain, "render")
    run(spec.model_copy(update={"derainer": ("median", "bilateral", "guided")}))
    assert calls == {"image": 3, "render": 3}


def test_a_derainer_that_writes_into_its_input_spoils_no_other(spec: RunSpec) -> None:
    elsewhere = spec.model_copy(update={"workspace": f"{spec.workspace}-1"})
    alone = values(run(elsewhere, {"same": Same()}), "same")
    both = run(spec, {"greyer": Greyer(), "same": Same()})
    assert values(both, "same") == alone == values(both, "identity")
    assert values(both, "greyer")["psnr_y_db"] != alone["psnr_y_db"]


def test_an_image_is_finished_before_the_next_begins(
    spec: RunSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[tuple[str, str]] = []

    class Noting(Same):
        def __init__(self, name: str) -> None:
            self.digest = name

        def restore(self, image: NDArrayByte, sample_id: str) -> NDArrayFloat:
            done.append((sample_id, self.digest))
            return super().restore(image, sample_id)

    monkeypatch.setattr(engine, "tried", lambda plan, *_: plan)
    one = spec.model_copy(update={"workers": 1, "rain": ("none", RAIN)})
    run(one, {"a": Noting("a"), "b": Noting("b")})
    images = list(dict.fromkeys(image for image, _ in done))
    assert done == [(image, name) for image in images for _ in one.rain or () for name in "ab"]
    assert len(done) == 12


def test_a_failure_ends_an_image_alone(spec: RunSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    class Picky(Same):
        digest = "picky"

        def restore(self, image: NDArrayByte, sample_id: str) -> NDArrayFloat:
            if sample_id.startswith("1"):
                raise ValueError("none of these")
            return super().restore(image, sample_id)

    tried: list[str] = []

    class Noting(Same):
        digest = "noting"

        def restore(self, image: NDArrayByte, sample_id: str) -> NDArrayFloat:
            tried.append(sample_id)
            return super().restore(image, sample_id)

    monkeypatch.setattr(engine, "tried", lambda plan, *_: plan)
    results = run(spec, {"picky": Picky(), "noting": Noting()})
    (error,) = results.errors
    assert error.stage == "derain"
    assert error.message.startswith("none of these (test_image_by_image.py:")
    assert {r.n for r in results.records} == {2}
    assert not any(name.startswith("1") for name in tried)


def test_a_derainer_is_loaded_once_for_all_rains(
    spec: RunSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[str] = []
    call = Loader.__call__

    def noting(self: Loader, place: Placement) -> Any:
        loaded.append(self.name)
        return call(self, place)

    monkeypatch.setattr(Loader, "__call__", noting)
    run(spec.model_copy(update={"rain": ("none", RAIN, "rain100l"), "derainer": ("median",)}))
    assert loaded == ["median"]


def test_who_stops_a_run_waits_for_one_derainer_alone(
    spec: RunSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    stopped = threading.Event()
    abandon = executors._abandon

    class Noting(Same):
        def __init__(self, name: str) -> None:
            self.digest = name

        def restore(self, image: NDArrayByte, sample_id: str) -> NDArrayFloat:
            done.append(self.digest)
            if self.digest == "n1":  # which is in work when the run is stopped
                assert stopped.wait(60)
            return super().restore(image, sample_id)

    def stop(label: str, images: int, _: int) -> None:
        if "0" in label and images:
            raise KeyboardInterrupt

    def abandoned(pending: Any) -> None:
        stopped.set()
        abandon(pending)

    monkeypatch.setattr(executors, "_abandon", abandoned)
    monkeypatch.setattr(engine, "tried", lambda plan, *_: plan)
    one = spec.model_copy(update={"workers": 1})
    with pytest.raises(KeyboardInterrupt):
        run(one, {f"n{i}": Noting(f"n{i}") for i in range(8)}, progress=stop)
    assert done in (["n0"], ["n0", "n1"])  # as the stop comes before the next begins, or after


def test_a_filter_needs_no_torch(spec: RunSpec) -> None:
    words = [
        *("run", "--dataset", "folder", "--data-root", str(spec.data_root), "--derainer", "median"),
        *("--task", "none", "--workspace", spec.workspace),
    ]
    code = (
        "import sys\nfrom harness.cli.main import run_command_line\n"
        "status = run_command_line(sys.argv[1:])\n"
        "sys.exit(status or 3 * ('torch' in sys.modules))"
    )
    command = [sys.executable, "-c", code, *words]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "median" in done.stdout
