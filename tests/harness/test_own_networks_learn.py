"""What runs learns too, or says in one line why not, before a photograph is read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from darker import write_pairs
from skimage.data import coffee

from datasets.image import encode_png
from harness.cli.main import run_command_line
from harness.plan import recorder
from harness.plan.user_code import built_by
from harness.spec import UsageError
from harness.training.photographs import choose
from harness.training.trainee import trainee
from harness.training.wish import Wish

NET = """
import torch
import torch.nn.functional as F
from torch import nn

from derainers.derainer import Derainer


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Conv2d(3, 3, 1)

    def forward(self, x):
        return self.layer(x)


class UNet(Net):
    def forward(self, x):
        small = F.avg_pool2d(F.avg_pool2d(x, 2, ceil_mode=False), 2)
        small = F.avg_pool2d(small, 4)
        return self.layer(x) + F.interpolate(small, scale_factor=16.0)


class Even(Net):
    sides = set()

    def forward(self, x):
        self.sides.add(tuple(x.shape[2:]))
        assert x.shape[2] % 128 == x.shape[3] % 128 == 0
        return self.layer(x)


def of_128():
    return Derainer(Even(), multiple_of=128)


class Large(Net):
    def forward(self, x):
        assert min(x.shape[2:]) >= 100
        return self.layer(x)


def of_100():
    return Derainer(Large(), multiple_of=1, minimum_px=100)


class Fixed(Net):
    def __init__(self):
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(1, 3, 72, 88))

    def forward(self, x):
        return self.layer(x) + self.bias


def fixed():
    return Derainer(Fixed(), fixed_px=(72, 88))


class Grid(Net):
    grid = None

    def forward(self, x):
        if self.grid is None or self.grid.shape[2:] != x.shape[2:]:
            self.grid = torch.ones_like(x[:1]) / 2
        return self.layer(x) * self.grid


GRIDS = {}


class Shared(Net):
    def forward(self, x):
        grid = GRIDS.setdefault(x.shape[2:], torch.ones(1, 3, *x.shape[2:]) / 2)
        return self.layer(x) * grid


class Flat(Net):
    def forward(self, x):
        return self.layer(x.view(-1).view(x.shape))


class Lazy(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.LazyConv2d(3, 1)

    def forward(self, x):
        return self.layer(x)


class Cut(Net):
    def forward(self, x):
        return self.layer(x).detach()


class Pooled(Net):
    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm2d(3)

    def forward(self, x):
        return self.layer(x) + self.norm(x.mean((2, 3), keepdim=True))


class Several(Net):
    def forward(self, x):
        y = self.layer(x)
        return [y, y] if self.training else y


def first():
    return Derainer(
        Several(), output=lambda made: made if isinstance(made, torch.Tensor) else made[0]
    )


def raises(restored, clean):
    raise KeyError("weights")


def image(restored, clean):
    return restored - clean


def detached(restored, clean):
    return (restored.detach() - clean).abs().mean()


def good(restored, clean):
    return (restored - clean).abs().mean()


def other(restored, clean):
    return (restored - clean).square().mean()
"""


@pytest.fixture
def pairs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Six pairs of a photograph and a darker copy of it, beside a file with networks."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.py").write_text(NET)
    return write_pairs(tmp_path / "pairs", 135, 150)


def words(name: str, *more: str, out: str = "out", steps: int = 6) -> list[str]:
    data = ["--dataset", "pairs", "--data-root", "pairs", "--workers", "1"]
    return ["train", f"net.py:{name}", *data, "--out", out, "--steps", str(steps), *more]


@pytest.mark.parametrize(
    "name", ["UNet", "first", "of_128", "of_100", "fixed", "Grid", "Shared", "Flat", "Lazy"]
)
def test_what_runs_learns(name: str, pairs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Six steps, the last of which sees a larger crop, and a validation."""
    assert run_command_line(words(name)) == 0
    said, told = capsys.readouterr()
    assert "error" not in told
    card = json.loads(Path("out/net.json").read_text())
    assert (card["steps_done"], card["validated_on"]["restored"]["step"]) == (6, 6)
    if name == "UNet":
        assert "takes sides that are multiples of 16, as trying showed, and is padded" in said


@pytest.mark.parametrize(
    ("name", "more", "says"),
    [
        ("Cut", (), "net.py:Cut: what it returns does not follow from its parameters"),
        ("Pooled", (), "a step of training on one crop of 96x96 raised ValueError"),
        ("Several", (), "output=lambda made: made if isinstance(made, torch.Tensor) else made[0])"),
        ("Net", ("--loss", "net.py:raises"), "the loss raised KeyError: 'weights'"),
        ("Net", ("--loss", "net.py:image"), "the loss must return a tensor of one number"),
        ("Net", ("--loss", "net.py:detached"), "the loss does not follow from the restored images"),
    ],
)
def test_what_cannot_learn_is_one_line_before_a_photograph_is_read(
    name: str,
    more: tuple[str, ...],
    says: str,
    pairs: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def read(*_: object, **__: object) -> None:
        raise AssertionError("photographs were read")

    monkeypatch.setattr("harness.training.derainer.choose", read)
    assert run_command_line(words(name, *more)) == 2
    told = capsys.readouterr().err
    assert says in told
    assert told.count("\n") == 1
    assert not Path("out").exists()


def test_a_photograph_holds_a_crop_of_the_network_s_size(
    pairs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from datasets.pairs import open_pairs
    from derainers.training.recipes import own

    found = choose(open_pairs(pairs, None), own(), [], crop_px=(128, 128))
    assert not found.unusable
    small = np.ascontiguousarray(coffee()[:100, :200])
    for folder in ("input", "target"):
        (pairs / folder / "3.png").write_bytes(encode_png(small))
    assert run_command_line(words("of_128")) == 0
    assert "3 (200x100, the crops need 128 pixels)" in capsys.readouterr().out


def test_a_seed_decides_the_first_weights_of_ones_own(pairs: Path) -> None:
    def first(seed: int, name: str) -> list[torch.Tensor]:
        derainer = trainee(f"net.py:{name}", Wish()).build(None, seed)
        return [p.detach() for p in derainer.module.parameters()]

    for name in ("Net", "Lazy"):
        weights = {seed: first(seed, name) for seed in (0, 1, 2)}
        for a, b in ((0, 1), (1, 2), (0, 2)):
            assert not torch.equal(weights[a][0], weights[b][0])
        again = first(1, name)
        assert all(torch.equal(x, y) for x, y in zip(weights[1], again, strict=True))
    runs = [built_by("net.py", "Net", None).value.layer.weight for _ in range(2)]
    assert torch.equal(runs[0], runs[1])


def test_after_an_error_before_the_first_checkpoint_one_begins_anew(
    pairs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise UsageError("no luck")

    with monkeypatch.context() as patched:
        patched.setattr("derainers.training.loop.train", fails)
        assert run_command_line(words("Net")) == 2
    assert Path("out/training.json").is_file()
    Path("net.py").write_text(NET + "\n# mended\n")
    assert run_command_line(words("Net", steps=1)) == 0
    capsys.readouterr()
    Path("out/checkpoint.pt").unlink()
    assert run_command_line(words("Net", "--loss", "mse")) == 2
    assert "holds another training" in capsys.readouterr().err


def test_another_loss_is_another_training_and_cards_say_which(
    pairs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from harness.plan.keys import file_sha256

    for folder in ("a", "b"):
        Path(folder).mkdir()
        Path(folder, "net.py").write_text(NET + f"# {folder}\n")
    begin = ["--max-minutes", "0"]
    data = words("Net", out="out")[2:]
    first = ["train", "a/net.py:Net", *data]
    assert run_command_line([*first, "--loss", "b/net.py:good", *begin]) == 0
    card = json.loads(Path("out/net.json").read_text())
    digest = file_sha256(Path("b/net.py"))
    assert card["own_loss"] == {"file": "net.py", "function": "good", "sha256": digest}
    assert card["perceptual"] is None
    Path("c").mkdir()
    Path("c", "net.py").write_text(NET + "# c\n")
    for loss in ("b/net.py:other", "c/net.py:good", "l1"):
        capsys.readouterr()
        assert run_command_line([*first, "--loss", loss, *begin]) == 2
        assert "holds another training" in capsys.readouterr().err
        elsewhere = ["--from", "out/checkpoint.pt", "--out", "elsewhere"]
        assert run_command_line([*first, "--loss", loss, *begin, *elsewhere]) == 2
        assert "a checkpoint of another training, by its " in capsys.readouterr().err
    Path("a", "net.py").write_text(NET + "# changed\n")
    assert run_command_line([*first, "--loss", "b/net.py:good", *begin]) == 2


@pytest.fixture
def brought(pairs: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A network with a helper and a table, and a loss."""
    Path("gains.py").write_text("GAIN = 1.0\n")
    Path("table.txt").write_text("1.0")
    built = "\n\ndef build():\n    open('table.txt').read()\n    return Net()\n"
    Path("mynet.py").write_text("from gains import GAIN\n" + NET + built)
    Path("myloss.py").write_text("def loss(x, y):\n    return ((x - y) ** 2).mean()\n")
    monkeypatch.syspath_prepend(str(Path.cwd()))
    yield
    for name in ("gains", "mynet", "myloss"):
        Path(f"{name}.py").unlink()
    recorder.forget_changed()


@pytest.mark.parametrize("ending", [".py", ""])
@pytest.mark.parametrize("changed", ["gains.py", "mynet.py", "myloss.py", "table.txt"])
@pytest.mark.usefixtures("brought")
def test_changed_code_is_another_training_however_it_is_named(
    ending: str, changed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    from harness.plan.keys import file_sha256

    line = words("Net", "--loss", f"myloss{ending}:loss", "--max-minutes", "0")
    line[1] = f"mynet{ending}:build"
    assert run_command_line(line) == 0
    card = json.loads(Path("out/mynet.json").read_text())
    assert card["own_loss"]["sha256"] == file_sha256(Path("myloss.py"))
    assert set(card["files"]) == {f"mynet{ending}", "gains", "table.txt"}
    with Path(changed).open("a") as file:
        file.write("# changed\n")
    capsys.readouterr()
    assert run_command_line(line) == 2
    assert "holds another training" in capsys.readouterr().err


def test_the_perceptual_term_and_a_mapped_loss_are_part_of_the_objective(pairs: Path) -> None:
    from harness.plan.keys import file_sha256

    vgg = Path("vgg16.pth")
    vgg.write_bytes(b"weights")
    unit, twice = (0.0, 1.0), (-1.0, 1.0)
    assert trainee("mscg", Wish()).objective(unit, vgg) == {"perceptual": file_sha256(vgg)}
    assert trainee("mscg", Wish()).objective(unit, None) == {}
    assert trainee("prn-r", Wish()).objective(unit, vgg) == {}
    assert trainee("mspfn-light", Wish()).objective(twice, None) == {}
    ssim = trainee("net.py:Net", Wish(loss="ssim"))
    assert (ssim.objective(unit, None), ssim.objective(twice, None)) == ({}, {"loss_in": [0, 1]})


def test_a_training_that_knew_no_objective_goes_on(pairs: Path) -> None:
    """As `training.json` and `checkpoint.pt` have it without a loss of the user's."""
    assert run_command_line(words("Net", "--max-minutes", "0", steps=2)) == 0
    said = json.loads(Path("out/training.json").read_text())
    assert set(said) == {
        *("network", "files", "dataset", "rains", "photographs", "recipe", "steps"),
        *("images", "checkpoints"),
    }
    assert list(said["files"]) == ["net.py"]
    assert run_command_line(words("Net", steps=2)) == 0
