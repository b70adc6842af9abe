"""A file of one's own gets the modules that lie beside it, and never another's."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from own import key_of, number, spec_of

from harness import run
from harness.plan import recorder
from harness.plan.user_code import built_by, function_of
from harness.spec import UsageError

NET = """
class Net:
    def restore(self, image, sample_id):
        return near() * image.astype("float32") / 255


def build():
    return Net()
"""
NEIGHBOUR = "import mixer\n\n\ndef near():\n    return mixer.FACTOR\n"
IN_A_FOLDER = "import parts.mixer\n\n\ndef near():\n    return parts.mixer.FACTOR\n"
IN_A_CALL = "def near():\n    import mixer\n    return mixer.FACTOR\n"
BY_NAME = (
    "import importlib\n\n\ndef near():\n    return importlib.import_module('mi' + 'xer').FACTOR\n"
)
FORMS = {
    "above": (NEIGHBOUR, "mixer.py"),
    "in a folder": (IN_A_FOLDER, "parts/mixer.py"),
    "out of a folder": (
        "from parts import mixer\n\n\ndef near():\n    return mixer.FACTOR\n",
        "parts/mixer.py",
    ),
    "in a call": (IN_A_CALL, "mixer.py"),
    "by its name": (BY_NAME, "mixer.py"),
}


def written(folder: Path, imports: str, helper: str, factor: float) -> str:
    """A derainer with two helpers beside it; its word."""
    (folder / helper).parent.mkdir(parents=True)
    (folder / "net.py").write_text(imports + NET)
    (folder / helper).write_text(f"FACTOR = {factor}\n")
    (folder / f"only_{folder.name}.py").write_text("")
    return f"{folder / 'net.py'}:build"


@pytest.fixture(autouse=True)
def _path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))


@pytest.mark.parametrize("form", FORMS)
def test_a_helper_of_another_files_neighbour_is_refused(form: str, folder: Path) -> None:
    imports, helper = FORMS[form]
    old = written(folder / "v1", imports, helper, 1.0)
    new = written(folder / "v2", imports, helper, 0.5)
    with pytest.raises(UsageError, match=r"imports .*mixer.* has the same name.*: rename"):
        run(spec_of(folder, f"old={old}", f"new={new}"))
    # One after the other each has its own, whichever came before.
    values = [number(folder, word) for word in (f"old={old}", f"new={new}")]
    assert values[0] > values[1] + 3
    assert [number(folder, w, workspace=str(folder / "b")) for w in (new, old)] == values[::-1]


def test_a_helper_of_another_file_alone_is_refused(folder: Path) -> None:
    old = written(folder / "v1", NEIGHBOUR, "mixer.py", 1.0)
    tried = f"try:\n    import only_v1\nexcept ImportError:\n    pass\n{NEIGHBOUR}"
    new = written(folder / "v2", tried.replace("mixer", "parts"), "parts.py", 0.5)
    with pytest.raises(UsageError, match=r"only_v1, which lies beside another file alone"):
        run(spec_of(folder, f"old={old}", f"new={new}"))


def test_files_of_one_name_with_helpers_of_their_own_names(folder: Path) -> None:
    """Both are imported as one name, and each is named by what it imports and reads itself."""
    read = "from pathlib import Path\nGAIN = (Path(__file__).parent / 'gain.txt').read_text()\n"
    words = []
    for name, factor in (("v1", 1.0), ("v2", 0.5)):
        imports = read + NEIGHBOUR.replace("mixer", f"mixer_{name}")
        (folder / name).mkdir()
        (folder / name / "gain.txt").write_text(name)
        (folder / name / "net.py").write_text(imports + NET)
        (folder / name / f"mixer_{name}.py").write_text(f"FACTOR = {factor}\n")
        words.append(f"{name}={folder / name / 'net.py'}:build")
    both, first = run(spec_of(folder, *words)), key_of(folder, words[0])
    beside = [
        both.value("photoshop-heavy", name, "quality", "psnr_y_db").value for name in ("v1", "v2")
    ]
    assert beside == [number(folder, word) for word in words]
    assert beside[0] != beside[1]
    (folder / "v1" / "gain.txt").write_text("other")
    assert key_of(folder, words[0]) != first


def test_the_current_directory_gives_way(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    word = written(folder / "v1", NEIGHBOUR, "mixer.py", 0.5)
    alone = number(folder, word)
    (folder / "here").mkdir()
    (folder / "here" / "mixer.py").write_text("FACTOR = 1.0\n")
    (folder / "v1" / "mixer.py").write_text("FACTOR = 0.5  # changed: imported anew\n")
    monkeypatch.chdir(folder / "here")
    monkeypatch.setattr(sys, "path", [p for p in sys.path if "v1" not in p] + [str(Path.cwd())])
    recorder.forget_changed()
    assert number(folder, word) == alone


def test_where_the_current_directory_stands_first_its_helper_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    word = written(folder / "v1", NEIGHBOUR, "mixer.py", 0.5)
    (folder / "here").mkdir()
    (folder / "here" / "mixer.py").write_text("FACTOR = 1.0\n")
    monkeypatch.chdir(folder / "here")
    monkeypatch.setattr(sys, "path", ["", *sys.path])
    with pytest.raises(UsageError, match=re.escape("but mixer.py has the same name")):
        run(spec_of(folder, word))


def test_a_loss_is_held_to_its_neighbours_too(folder: Path) -> None:
    written(folder / "v1", NEIGHBOUR, "mixer.py", 1.0)
    (folder / "mixer.py").write_text("FACTOR = 0.5\n")
    with pytest.raises(UsageError, match="has the same name"):
        function_of(str(folder / "v1" / "net.py"), "near")


def test_a_changed_helper_of_a_folder_without_a_file_is_run_anew(folder: Path) -> None:
    """Python keeps such a folder's helpers as its attributes, where nothing is imported twice."""
    word = written(folder / "v1", *FORMS["out of a folder"], 1.0)
    before = number(folder, word)
    (folder / "v1" / "parts" / "mixer.py").write_text("FACTOR = 0.5\n")
    assert number(folder, word) < before - 3


OWN_ROOM = {
    "a module": "from datasets.scales import SCALE\n",
    "a name": "from datasets import scales\n",
    "an attribute": "import datasets\n\nSCALE = datasets.SCALE\n",
    "in the factory": "def build():\n    from datasets.scales import SCALE\n    return SCALE\n",
    "of the same name": "from datasets.image import to_tensor\n\n\ndef build():\n    return 1\n",
    "in a call": (
        "def build():\n    return lambda: 1\n\n\ndef later():\n"
        "    from datasets.image import to_tensor\n    return to_tensor\n"
    ),
}


@pytest.mark.parametrize("form", OWN_ROOM)
@pytest.mark.parametrize("is_package", [True, False])
def test_a_package_of_ours_in_the_way_is_told(
    form: str, is_package: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own" / "datasets").mkdir(parents=True)
    for name in ("scales", "image", *["__init__"] * is_package):
        (tmp_path / "own" / "datasets" / f"{name}.py").write_text("SCALE = to_tensor = 1\n")
    (tmp_path / "own" / "net.py").write_text(OWN_ROOM[form])
    says = r"own/net\.py.*: the harness has a package datasets too, which comes before own/datasets"
    with pytest.raises(UsageError, match=f"{says}.*: rename yours$"):
        built_by("own/net.py", "build", None)


def test_a_package_of_ours_may_be_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "datasets").mkdir()
    (tmp_path / "datasets" / "scales.py").write_text("")
    source = "from datasets.image import to_tensor\n\n\ndef build():\n    return to_tensor\n"
    (tmp_path / "parts" / "datasets").mkdir(parents=True)
    (tmp_path / "parts" / "datasets" / "image.py").write_text("")
    (tmp_path / "parts" / "helper.py").write_text(source)
    (tmp_path / "net.py").write_text(f"import parts.helper\n{source}")
    assert callable(built_by("net.py", "build", None).value)
    (tmp_path / "net.py").write_text("import no_such_module\n")
    with pytest.raises(UsageError, match=r"No module named 'no_such_module'$"):
        built_by("net.py", "build", None)


@pytest.mark.parametrize("packages", [("arch", "arch/nets"), ("arch/nets",), ()])
def test_a_file_of_a_package_is_refused_with_the_word_that_works(
    packages: tuple[str, ...], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    (folder / "arch" / "nets").mkdir(parents=True)
    for package in packages:
        (folder / package / "__init__.py").touch()
    (folder / "arch/nets/parts.py").write_text("def near():\n    return 0.5\n")
    (folder / "arch/nets/net.py").write_text("from .parts import near\n" + NET)
    with pytest.raises(UsageError, match="it lies in a package: name it ") as caught:
        built_by("arch/nets/net.py", "build", None)
    told, _, root = str(caught.value).rpartition("name it ")[2].partition(", with ")
    is_half = packages == ("arch/nets",)
    assert told == ("nets.net:build" if is_half else "arch.nets.net:build")
    assert root == (f"{folder}/arch in $PYTHONPATH" if is_half else "")
    monkeypatch.syspath_prepend(str(folder / "arch" if is_half else folder))
    built = built_by(told.removesuffix(":build"), "build", None)
    assert built.module.near() == 0.5
    for name in [name for name in sys.modules if name.partition(".")[0] in ("arch", "nets")]:
        del sys.modules[name]
