"""The verb derain: files in, files out."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from skimage.data import astronaut

from datasets.image import decode, encode_png
from datasets.marked import mark
from harness import RunSpec, run
from harness.cli.main import run_command_line

NAMES = ("film 1/frame-2.png", "film 1/frame-10.png", "film 2/frame-2.png", "ü/a.png", "ü/a.bmp")


@pytest.fixture(autouse=True)
def _at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Two films and two images of one stem."""
    for i, name in enumerate(NAMES):
        file = tmp_path / "photos" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        cut = np.ascontiguousarray(astronaut()[30 * i : 30 * i + 200, 60:260])
        file.write_bytes(encode_png(cut))
    return tmp_path / "photos"


def derained(*words: str, derainer: str = "median", out: str = "out") -> int:
    return run_command_line(["derain", *words, "--derainer", derainer, "--out", out])


def files(folder: Path) -> dict[str, bytes]:
    found = (f for f in sorted(folder.rglob("*")) if f.suffix in (".png", ".jpg"))
    return {f.relative_to(folder).as_posix(): f.read_bytes() for f in found}


def times(folder: Path) -> dict[str, int]:
    return {f.name: f.stat().st_mtime_ns for f in folder.rglob("*.png")}


def test_what_comes_out_is_what_run_shows(photos: Path, tmp_path: Path) -> None:
    before = files(photos)
    assert derained("photos") == 0
    assert files(photos) == before
    out = files(tmp_path / "out")
    assert set(out) == {
        *("film 1/frame-2.png", "film 1/frame-10.png", "film 2/frame-2.png"),
        *("ü/a.png.png", "ü/a.bmp.png"),
    }
    asked = {"dataset": "folder", "data_root": "photos", "rain": ("given",), "task": ("none",)}
    more = {"quality": ("niqe",), "images": False, "save": ("images",), "out": "run"}
    run(RunSpec(**asked, **more, derainer=("median",)))  # type: ignore[arg-type]
    saved = files(tmp_path / "run" / "images" / "given" / "median")
    assert saved == out
    manifest = (tmp_path / "out" / "manifest.jsonl").read_text().splitlines()
    frames = [json.loads(line)["file"] for line in manifest[1:]]
    assert frames[:3] == ["film 1/frame-2.png", "film 1/frame-10.png", "film 2/frame-2.png"]


def test_names_may_hold_digits_that_are_no_numbers(tmp_path: Path) -> None:
    for name in ("①1.png", "2²3.png", "2²20.png", "½.png"):
        (tmp_path / name).write_bytes(encode_png(np.zeros((16, 16, 3), np.uint8)))
    assert derained(".") == 0
    assert len(files(tmp_path / "out")) == 4


def test_the_folder_is_a_derainer(photos: Path, tmp_path: Path) -> None:
    derained("photos")
    asked = {"dataset": "folder", "data_root": "photos", "rain": ("given",), "task": ("none",)}
    spec = RunSpec(**asked, quality=("niqe",), images=False, derainer=("median", "dir:out"))  # type: ignore[arg-type]
    values = {r.derainer: r.value for r in run(spec).records if r.metric == "niqe"}
    assert values["dir:out"] == values["median"] != values["identity"]


def test_images_of_another_set_are_not_scored(photos: Path, tmp_path: Path) -> None:
    for folder, shade in (("one", 0), ("two", 9)):
        for i in (1, 2):
            for half, light in (("input", shade), ("target", 40)):
                file = tmp_path / folder / half / f"{i}.png"
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(encode_png(np.full((16, 16, 3), light + i, np.uint8)))
    assert derained("one/input") == 0
    score = ["score", "--restored", "out", "--dataset", "pairs", "--data-root"]
    assert run_command_line([*score, "one"]) == 0
    assert run_command_line([*score, "two"]) == 2


def test_only_what_is_new_changed_or_missing_is_done_again(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    derained("photos")
    assert "out: 5 images derained by median, 0 were there already" in capsys.readouterr().out
    first = files(tmp_path / "out")
    derained("photos")
    assert "0 images derained by median, 5 were there already" in capsys.readouterr().out
    shutil.copy(photos / "film 1/frame-2.png", photos / "film 2/frame-2.png")  # changed
    shutil.copy(photos / "ü/a.png", photos / "ü/b.png")  # new
    (tmp_path / "out/film 1/frame-10.png").unlink()
    (tmp_path / "out/ü/a.png.png").write_bytes(b"cut")
    text = (tmp_path / "out/manifest.jsonl").read_text()
    (tmp_path / "out/manifest.jsonl").write_text(text[:-20])  # killed while it wrote
    derained("photos")
    assert "4 images derained by median, 2 were there already" in capsys.readouterr().out
    second = files(tmp_path / "out")
    assert second["film 2/frame-2.png"] == first["film 1/frame-2.png"]
    del second["ü/b.png"], second["film 2/frame-2.png"], first["film 2/frame-2.png"]
    assert second == first
    derained("photos", derainer="bilateral")
    assert "6 images derained by bilateral, 0 were there already" in capsys.readouterr().out
    derained("photos", derainer="bilateral")
    assert "0 images derained by bilateral, 6 were there already" in capsys.readouterr().out


def test_an_edited_network_is_another(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = (
        "import torch\n\n\nclass Dim(torch.nn.Module):\n    def forward(self, x):\n        return x"
    )
    for factor in ("0.5", "0.25", "0.25"):
        (tmp_path / "dim.py").write_text(f"{code} * {factor}\n")
        assert derained("photos/film 1", derainer="dim.py:Dim") == 0
    told = [line.partition(": ")[2] for line in capsys.readouterr().out.splitlines()]
    assert [line.split(" ", 1)[0] for line in told] == ["2", "2", "0"]
    made = decode(files(tmp_path / "out")["frame-2.png"], "")
    clean = decode((photos / NAMES[0]).read_bytes(), "")
    assert np.abs(made.astype(int) - clean / 4).max() <= 1


def test_another_format_takes_the_place_of_the_one_before_and_gives_it_back(
    photos: Path, tmp_path: Path
) -> None:
    assert derained("photos") == 0
    before = files(tmp_path / "out")
    assert derained("photos", "--jpeg", "90") == 0
    assert set(files(tmp_path / "out")) == {name[:-3] + "jpg" for name in before}
    assert derained("photos") == 0
    assert files(tmp_path / "out") == before


def test_what_was_made_of_an_image_that_is_damaged_now_goes(photos: Path, tmp_path: Path) -> None:
    assert derained("photos") == 0
    for name in NAMES[:2]:
        (photos / name).write_bytes(b"cut")
    (tmp_path / "out" / NAMES[1]).write_bytes(b"mine")
    assert derained("photos") == 1
    assert set(files(tmp_path / "out")) == {*NAMES[1:3], "ü/a.png.png", "ü/a.bmp.png"}
    cut = (photos / NAMES[2]).read_bytes()
    (photos / NAMES[0]).write_bytes(cut)
    assert derained("photos") == 1
    out = files(tmp_path / "out")
    assert out[NAMES[0]] == out[NAMES[2]]
    assert out[NAMES[1]] == b"mine"


def test_damaged_images_are_named_and_left_out(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (photos / "ü/a.png").write_bytes(b"no picture")
    assert derained("photos", derainer="median,bilateral") == 1
    captured = capsys.readouterr()
    assert captured.err.count("failed: ü/a.png (decode): a.png: not an image, or damaged") == 1
    assert "out/median: 4 images derained" in captured.out
    assert "out/bilateral: 4 images derained" in captured.out
    assert len(files(tmp_path / "out")) == 8
    assert derained("photos", "--max-errors", "1", derainer="median,bilateral") == 0


def test_a_share_that_may_fail_is_one_of_the_images_that_were_tried(photos: Path) -> None:
    for file in files(photos):
        (photos / file).write_bytes(b"no picture")
    assert derained("photos", "--limit", "2", "--max-errors", "0.3") == 1  # 2 of 2, not of 5
    assert derained("photos", "--limit", "2", "--max-errors", "2") == 0


def test_files_and_folders_may_be_named_together(photos: Path, tmp_path: Path) -> None:
    words = ("photos/film 1", "photos/film 2", "photos/ü/a.bmp")
    assert derained(*words, "--jpeg", "90") == 0
    assert set(files(tmp_path / "out")) == {
        *("film 1/frame-2.jpg", "film 1/frame-10.jpg", "film 2/frame-2.jpg", "a.jpg")
    }
    assert derained("photos", out="photos/done") == 0
    assert derained("photos", out="photos/done") == 0  # what it wrote is none of its images
    assert len(files(photos / "done")) == len(NAMES)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["photos", "--out", "photos"], "--out photos holds the images to derain"),
        (["photos/film 1/frame-2.png", "--out", "photos/film 1"], "derain did not write it"),
        (["photos", "--out", "taken"], "derain did not write it"),
        (["photos", "--out", "synthesized"], "was not written by derain"),
        (["absent", "--out", "out"], "absent: no such file or folder"),
        (["film.mp4", "--out", "out"], "film.mp4 is a film: give its frames, ffmpeg -i film.mp4"),
        (["notes.txt", "--out", "out"], "notes.txt: none of .bmp"),
        (["empty", "--out", "out"], "empty: no image there"),
        (["marked", "--out", "out"], "the harness wrote into this folder, so it is"),
        (["photos/ü/a.png", "photos/ü/a.png", "--out", "out"], "are both a.png: derain apart"),
        (["photos", "--out", "out", "--derainer", "identity"], "identity derains nothing"),
        (["photos", "--out", "out", "--derainer", "dir:photos"], "dir:photos derains nothing"),
        (["photos", "--out", "out", "--derainer", "granett"], "did you mean granet?"),
        (["photos", "--out", "out", "--jpeg", "0"], "--jpeg 0: a quality from 1 to 100"),
    ],
)
def test_mistakes_are_one_line_and_nothing_is_written_over(
    words: list[str],
    said: str,
    photos: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "empty").mkdir()
    for name in ("film.mp4", "notes.txt", "taken/film 1/frame-2.png", "marked/a.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"mine")
    mark(tmp_path / "marked")
    (tmp_path / "synthesized").mkdir()
    head = {"rain": "x", "rain_sha256": "0", "seed": 0}
    (tmp_path / "synthesized/manifest.jsonl").write_text(json.dumps(head) + "\n")
    before = files(tmp_path)
    given = [] if "--derainer" in words else ["--derainer", "median"]
    assert run_command_line(["derain", *words, *given]) == 2
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") == 1
    assert files(tmp_path) == before


def test_an_image_that_no_jpeg_holds_ends_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "photos").mkdir()
    for name, width_px in (("a", 65_600), ("b", 40)):
        image = np.zeros((24, width_px, 3), np.uint8)
        (tmp_path / "photos" / f"{name}.png").write_bytes(encode_png(image))
    assert derained("photos", "--jpeg", "90") == 1
    assert [*files(tmp_path / "out")] == ["b.jpg"]
    assert "a" in capsys.readouterr().err
