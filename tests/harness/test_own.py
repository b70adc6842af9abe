"""The user's own derainers by word: files, modules, ONNX, folders, chains."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from torch import nn

from derainers.derainer import Derainer
from harness import Results, RunSpec, run
from harness.cli.main import run_command_line
from harness.machine.device import Placement
from harness.plan.keys import canonical
from harness.plan.user_code import own_derainer
from harness.spec import UsageError

CODE = """
import torch
from torch import nn
from derainers.derainer import Derainer

class Near(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 1)
        nn.init.dirac_(self.conv.weight)
        nn.init.zeros_(self.conv.bias)
    def forward(self, x):
        return self.conv(x)

def plain():
    return Near()

def takes(weights):
    network = Near()
    if weights is not None:
        network.load_state_dict(torch.load(weights, weights_only=True))
    return Derainer(network, channels="bgr", multiple_of=8)

class Pair(nn.Module):
    def forward(self, x):
        return x, x

class Masked(nn.Module):
    def forward(self, x, mask):
        return x * mask

def raises():
    raise RuntimeError("no luck")

def ends():
    raise SystemExit("no GPU")

class Ending(nn.Module):
    def forward(self, x):
        raise SystemExit

near = Near()

def number():
    return 3
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three photographs, code, weights, and the photographs restored elsewhere."""
    (tmp_path / "mine.py").write_text(CODE)
    near = nn.Conv2d(3, 3, 1)
    nn.init.dirac_(near.weight)
    nn.init.constant_(near.bias, 0.5)  # type: ignore[arg-type]
    torch.save({f"conv.{k}": v for k, v in near.state_dict().items()}, tmp_path / "w.pt")
    for name in ("photos", "done"):
        (tmp_path / name).mkdir()
    rng = np.random.default_rng(0)
    for i in range(3):
        levels = rng.integers(0, 256, (9, 12, 3), np.uint8)
        image = cv2.resize(levels, (41, 33), interpolation=cv2.INTER_CUBIC)
        for name in ("photos", "done"):
            cv2.imwrite(str(tmp_path / name / f"p{i}.png"), image)
    return tmp_path


def evaluated(folder: Path, *words: str, **options: object) -> Results:
    spec = {
        "dataset": "folder",
        "data_root": str(folder / "photos"),
        "task": ("none",),
        "quality": ("psnr_y_db",),
        "derainer": words,
        "workspace": str(folder / "runs"),
        **options,
    }
    return run(RunSpec(**spec))  # type: ignore[arg-type]


def psnr_y_db(results: Results, derainer: str) -> float | None:
    record = results.value("real-like", derainer, "quality", "psnr_y_db")
    assert record is not None
    return record.value


def test_a_file_with_and_without_weights_in_one_table(folder: Path) -> None:
    file = folder / "mine.py"
    results = evaluated(
        folder, f"{file}:plain", f"{file}:plain@{folder}/w.pt", f"{file}:takes@{folder}/w.pt"
    )
    floor = psnr_y_db(results, "identity")
    names = sorted({r.derainer for r in results.records} - {"identity"})
    plain, brightened, taken = names
    assert plain == "mine:plain"
    assert brightened.startswith("mine:plain@")
    assert psnr_y_db(results, plain) == floor
    assert psnr_y_db(results, brightened) == psnr_y_db(results, taken) != floor
    assert results.spec["derainer"] == ["mine.py:plain", "mine.py:plain@w.pt", "mine.py:takes@w.pt"]


def test_an_edited_file_is_computed_again(folder: Path) -> None:
    word = f"{folder}/mine.py:plain"
    before = psnr_y_db(evaluated(folder, word), "mine:plain")
    (folder / "mine.py").write_text(CODE.replace("self.conv(x)", "self.conv(x) * 0.5"))
    assert psnr_y_db(evaluated(folder, word), "mine:plain") != before


def test_code_that_goes_to_another_folder_leaves_the_run_where_it_was(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    (folder / "mine.py").write_text(f"import os\nos.chdir('/')\n{CODE}")
    evaluated(folder, "mine.py:plain")
    assert Path.cwd() == folder


@pytest.mark.parametrize(
    ("word", "says"),
    [
        ("mine.py:Pair", "returns 2 images of the input's size (0, 1): say which with output=0"),
        ("mine.py:Masked", "argument: 'mask'): let one whose forward(x) makes the rest call it"),
        ("mine.py:Near:dim=32@w.pt", "of a file one function is named, mine.py:FACTORY or "),
        ("mine.py", "arguments go into one of its own: def build(): return MyNet(dim=32)"),
        ("mine.py:raises", "mine.py:raises raised RuntimeError: no luck"),
        ("mine.py:ends", "mine.py:ends raised SystemExit: no GPU"),
        ("mine.py:Ending", "code of yours ended the program (SystemExit: ): let it raise"),
        ("mine.py:near", "mine.py:near is a network, and a function that returns one is named"),
        ("parsing.py:plain", "parsing.py ends the program while it is imported (SystemExit: 2)"),
        ("mine.py:number", "expected a torch.nn.Module, a Derainer"),
        ("mine.py:absent", "no function absent: it has"),
        ("mine.py:plain@none.pt", "none.pt not found"),
        ("mine.py:plain@nan.pt", " holds NaN"),
        (
            "mine.py:plain@other.pt",
            "the file has weight (3,)",
        ),
        ("broken.py:plain", "broken.py cannot be imported: SyntaxError"),
        ("absent.py:plain", "absent.py not found"),
        ("no_such_module:plain", "no_such_module cannot be imported: ModuleNotFoundError"),
        ("dir:nowhere", "nowhere: no such folder"),
        ("dir:few", " and 1 more of 3: restore them too"),
        ("dir:double", "p0.jpg and p0.png are one image"),
        ("spandrel:none.pth", "none.pth not found"),
        ("none.onnx", "none.onnx not found"),
        ("half:", "unknown derainer ''"),
        ("median+nothing", "unknown derainer 'nothing'"),
    ],
)
def test_what_cannot_be_used_is_one_line(
    folder: Path,
    word: str,
    says: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(folder)
    (folder / "broken.py").write_text("def (")
    (folder / "parsing.py").write_text("import sys\nsys.exit(2)\n")
    state = torch.load(folder / "w.pt", weights_only=True)
    torch.save({k: v * float("nan") for k, v in state.items()}, folder / "nan.pt")
    torch.save(nn.BatchNorm2d(3).state_dict(), folder / "other.pt")
    for name, files in (("few", ["p1.png"]), ("double", ["p0.png", "p0.jpg"])):
        (folder / name).mkdir()
        for file in files:
            (folder / name / file).write_bytes((folder / "photos" / "p1.png").read_bytes())
    command = ["run", "--dataset", "folder", "--data-root", "photos", "--task", "none"]
    assert run_command_line([*command, "--workspace", "runs", "--derainer", word]) == 2
    out, err = capsys.readouterr()
    assert says in err
    assert err.count("\n") == 1
    assert not out


def test_a_folder_holds_what_was_restored_elsewhere(folder: Path) -> None:
    results = evaluated(folder, "dir:" + str(folder / "done"))
    record = results.value("real-like", "dir:done", "quality", "psnr_y_db")
    assert record is not None
    assert record.n_identical == 3


def test_a_restored_image_of_another_size_fails_alone(folder: Path) -> None:
    cv2.imwrite(str(folder / "done" / "p1.png"), np.zeros((5, 7, 3), np.uint8))
    results = evaluated(folder, "dir:" + str(folder / "done"))
    assert [e.message for e in results.errors] == [
        "p1.png is 7x5, the rainy image 41x33: save restored images at full size"
    ]


def test_a_folder_is_of_one_rain(folder: Path) -> None:
    with pytest.raises(UsageError, match="of one rain: name one --rain"):
        evaluated(folder, "dir:" + str(folder / "done"), rain=("none", "real-like"))


def test_a_folder_follows_subfolders(folder: Path) -> None:
    for top in ("photos", "done"):
        (folder / top / "sub").mkdir()
        for i, name in enumerate(("p0", "p1")):
            image = (folder / "photos" / f"p{i + 1}.png").read_bytes()
            (folder / top / "sub" / f"{name}.png").write_bytes(image)
    results = evaluated(folder, "dir:" + str(folder / "done"))
    record = results.value("real-like", "dir:done", "quality", "psnr_y_db")
    assert record is not None
    assert record.n_identical == 5
    (folder / "done" / "sub" / "p1.png").unlink()
    with pytest.raises(ValueError, match="could be images"):
        evaluated(folder, "dir:" + str(folder / "done"))


def test_two_of_one_name_are_refused(folder: Path) -> None:
    (folder / "x").mkdir()
    (folder / "done").rename(folder / "x" / "photos")
    words = ("dir:" + str(folder / "photos"), "dir:" + str(folder / "x" / "photos"))
    with pytest.raises(UsageError, match="two are called dir:photos"):
        evaluated(folder, *words)


def test_chains_and_intermediate_outputs_are_rows(folder: Path) -> None:
    results = evaluated(
        folder, "median+bilateral", "half:median", "granet", intermediate=("coarse", "mask")
    )
    names = {r.condition.name for r in results.records}
    assert names >= {"median+bilateral", "half:median", "granet/coarse", "granet/mask"}
    stages = {(r.derainer, r.stage) for r in results.records}
    assert stages >= {("granet", None), ("granet", "coarse"), ("granet", "mask")}
    with pytest.raises(UsageError, match="known are coarse, mask"):
        evaluated(folder, "granet", intermediate=("fine",))


def test_a_name_of_ones_own_may_not_be_that_of_a_stage(folder: Path) -> None:
    spec = RunSpec(
        dataset="folder",
        data_root=str(folder / "photos"),
        derainer=("granet",),
        intermediate=("coarse",),
        task=("none",),
        workspace=str(folder / "workspace"),
    )
    with pytest.raises(UsageError, match="two are called granet/coarse"):
        run(spec, derainers={"granet/coarse": nn.Identity()})


def test_a_mask_is_judged_against_the_rain(folder: Path) -> None:
    """(I − M) − Y = (I − Y) − M: mask and coarse image are equally far off, up to clipping."""
    results = evaluated(folder, "granet", intermediate=("coarse", "mask"), quality=("psnr_rgb_db",))
    coarse, mask = (
        results.value("real-like", "granet", "quality", "psnr_rgb_db", stage=name)
        for name in ("coarse", "mask")
    )
    assert coarse is not None
    assert mask is not None
    assert coarse.value == pytest.approx(mask.value, abs=3)


@pytest.fixture
def exported(folder: Path) -> Callable[[str, nn.Module, bool, int], Path]:
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")

    def export(name: str, network: nn.Module, dynamic: bool = True, channels: int = 3) -> Path:
        axes = {"x": {2: "h", 3: "w"}, "y": {2: "h", 3: "w"}} if dynamic else None
        torch.onnx.export(
            network,
            (torch.rand(1, channels, 32, 32),),
            str(folder / f"{name}.onnx"),
            input_names=["x"],
            output_names=["y"],
            dynamic_axes=axes,
            dynamo=False,
        )
        return folder / f"{name}.onnx"

    return export


class Pool(nn.Module):
    """Keeps multiples of four alone."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.interpolate(nn.functional.avg_pool2d(x, 4), scale_factor=4)


class Two(nn.Module):
    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return x + 1, x * 2


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
def test_onnx_runs_and_pads_to_what_it_needs(folder: Path, exported: Callable[..., Path]) -> None:
    results = evaluated(folder, str(exported("blocks", Pool())))
    (name,) = {r.derainer for r in results.records} - {"identity"}
    assert name.startswith("blocks@")
    assert not results.errors


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
@pytest.mark.parametrize(
    ("network", "dynamic", "channels", "says"),
    [
        (nn.Conv2d(1, 1, 1), True, 1, r"expected float \[batch, 3, height, width\]"),
        (Two(), True, 3, r"returns 2 images of the input's size \(y, .*say which with output=y"),
        (nn.Conv2d(3, 3, 3, stride=3), True, 3, "fails on an image of 71x67 px "),
    ],
)
def test_onnx_of_another_signature_is_refused(
    folder: Path,
    exported: Callable[..., Path],
    network: nn.Module,
    dynamic: bool,
    channels: int,
    says: str,
) -> None:
    file = exported("wrong", network, dynamic, channels)
    with pytest.raises(ValueError, match=says):
        evaluated(folder, str(file))


def test_onnx_weights_lie_beside_the_model(folder: Path) -> None:
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    weight = onnx.helper.make_tensor("w", onnx.TensorProto.FLOAT, [1], [1.0])
    weight.ClearField("float_data")
    weight.data_location = onnx.TensorProto.EXTERNAL
    weight.external_data.add(key="location", value="../secret.bin")
    shape = [1, 3, "h", "w"]
    x, y = (onnx.helper.make_tensor_value_info(n, 1, shape) for n in "xy")
    node = onnx.helper.make_node("Mul", ["x", "w"], ["y"])
    graph = onnx.helper.make_graph([node], "g", [x], [y], [weight])
    (folder / "far.onnx").write_bytes(onnx.helper.make_model(graph).SerializeToString())
    with pytest.raises(ValueError, match="lie elsewhere"):
        evaluated(folder, str(folder / "far.onnx"))


def test_spandrel_knows_networks_by_their_weights(folder: Path) -> None:
    pytest.importorskip("spandrel")
    from spandrel.architectures.DnCNN import DnCNN

    torch.save(DnCNN(in_nc=3, out_nc=3).state_dict(), folder / "dncnn.pth")
    results = evaluated(folder, f"spandrel:{folder}/dncnn.pth")
    (name,) = {r.derainer for r in results.records} - {"identity"}
    assert name.startswith("dncnn@")
    with pytest.raises(ValueError, match="no network that spandrel knows"):
        evaluated(folder, f"spandrel:{folder}/w.pt")


def test_half_size_ends_in_a_super_resolution_network(folder: Path) -> None:
    pytest.importorskip("spandrel")
    from spandrel.architectures.Compact import Compact

    torch.manual_seed(0)
    network = Compact(num_feat=8, num_conv=2, upscale=2)
    torch.save({"params": network.state_dict()}, folder / "twice.pth")
    word = f"spandrel:{folder}/twice.pth"
    results = evaluated(folder, f"half:median+{word}", "half:median")
    names = {r.derainer for r in results.records} - {"identity", "half:median"}
    assert [name.partition("@")[0] for name in names] == ["half:median+twice"]
    assert not results.errors
    with pytest.raises(ValueError, match="enlarges images 2 times: use it behind another"):
        evaluated(folder, word)


@pytest.mark.parametrize("word", ["median+granet", "median+half:granet"])
def test_tiles_are_asked_of_every_network_of_a_chain(word: str, folder: Path) -> None:
    from datasets.folder import open_folder
    from derainers.chain import Chain
    from harness.plan.derainers import derainer_plan

    dataset = open_folder(folder / "photos", None)
    chain = derainer_plan(word, {}, dataset).load(Placement("cpu", tile_px=192))
    assert isinstance(chain, Chain)
    assert chain.measured(np.zeros((8, 480, 3), np.uint8), "a").tile_px == 192


class Scale(nn.Module):
    """A derainer whose one number is no weight."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.factor


def test_what_is_not_a_weight_names_a_derainer_too() -> None:
    def key(value: object) -> str:
        return canonical(own_derainer("mine", value).identity.key())

    assert key(Scale(0.5)) == key(Scale(0.5)) != key(Scale(0.6))
    assert key(Derainer(Scale(0.5), range=(-1, 1))) != key(Derainer(Scale(0.5)))
    assert key(nn.Sequential(Scale(1))) != key(nn.Sequential(Scale(1), Scale(1)))
    things = [SimpleNamespace(restore=lambda image, _: image, of=range(i)) for i in (1, 1, 2)]
    assert key(things[0]) == key(things[1]) != key(things[2])
    things = [SimpleNamespace(restore=print, digest="a", of=i) for i in range(2)]
    assert key(things[0]) == key(things[1])  # a digest stands for all of it
