"""Derained images that are gone and come out otherwise when they are made again."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness import RunSpec, run
from harness.machine.device import Placement, placement
from harness.spec import UsageError
from harness.work import restoration


@pytest.fixture
def spec(coco_root: Path, tmp_path: Path) -> RunSpec:
    return RunSpec(
        dataset="coco",
        data_root=str(coco_root),
        rain=("photoshop-heavy",),
        derainer=("granet",),
        quality=("psnr",),
        task=("none",),
        limit=4,
        images=False,
        workspace=str(tmp_path / "runs"),
    )


def otherwise(made: restoration.Restoration) -> restoration.Restoration:
    image = made.image.copy()
    image[0, 0, 0] ^= 1
    return replace(made, image=image)


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Has other hardware from now on: one bit of each derained image is another."""
    rounded = restoration._rounded

    def move() -> None:
        monkeypatch.setattr(restoration, "_rounded", lambda *words: otherwise(rounded(*words)))

    return move


def test_pictures_cost_no_numbers(
    spec: RunSpec, tmp_path: Path, elsewhere: Any, caplog: pytest.LogCaptureFixture
) -> None:
    before = run(spec)
    shutil.rmtree(tmp_path / "runs" / "images")
    elsewhere()
    after = run(spec.model_copy(update={"images": True}))
    assert after.records == before.records
    assert not after.errors
    assert not after.gallery
    said = [r.getMessage() for r in caplog.records if r.levelname == "WARNING"]
    assert len(said) >= 1
    assert all("the page shows no picture of" in line for line in said)


def test_a_new_metric_of_another_image_ends_the_run_and_leaves_its_numbers(
    spec: RunSpec, tmp_path: Path, elsewhere: Any
) -> None:
    before = run(spec)
    shutil.rmtree(tmp_path / "runs" / "images")
    elsewhere()
    with pytest.raises(UsageError, match=r"by granet, the image is another .* fresh --workspace"):
        run(spec.model_copy(update={"quality": ("psnr", "uqi")}))
    assert run(spec).records == before.records


def test_on_a_device_an_image_is_made_again_in_the_batch_that_it_was_made_in(
    spec: RunSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def placed(spec: RunSpec) -> Placement:
        return replace(placement(spec), devices=1)

    def together(scenes: Any, *words: Any, **more: Any) -> list[restoration.Restoration]:
        made = whole(scenes, *words, **more)
        return [otherwise(each) for each in made] if len(scenes) > 1 else made

    whole = restoration.restored_together
    monkeypatch.setattr("harness.work.models.restored_together", together)
    monkeypatch.setattr("harness.plan.plan.placement", placed)
    before = run(spec)
    gone = sorted((tmp_path / "runs" / "images").rglob("*.png"))
    assert len(gone) == 4
    gone[1].unlink()
    after = run(spec.model_copy(update={"quality": ("psnr", "uqi")}))
    assert not after.errors
    assert {r.n for r in after.records} == {4}
    assert [r for r in after.records if r.metric == "psnr_y_db"] == [
        r for r in before.records if r.metric == "psnr_y_db"
    ]
