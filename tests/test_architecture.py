"""The rooms, the folders in them, and who may import whom."""

from __future__ import annotations

import ast
import tomllib
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = ("harness", "datasets", "derainers", "tasks", "reports")
MAY_IMPORT = {
    "harness": set(ROOMS),
    "datasets": set(),
    "derainers": {
        f"datasets.{name}"
        for name in ("image", "inert", "marked", "installed", "rain", "duplicates")
    },
    "tasks": {
        f"datasets.{name}"
        for name in (
            *("sample", "image", "inert", "masks", "categories", "draw", "installed"),
            *("label_png", "names", "plausible_boxes", "plausible_masks"),
        )
    },
    "reports": {"datasets.image", "datasets.marked"},
}
"""Modules of other rooms; rain and duplicates are for training alone."""
FOLDERS = {
    "harness": {
        "": {"checks", "cli", "ledger", "machine", "runs"},
        "cli": {"checks", "ledger", "machine", "plan", "runs", "scores", "training"},
        "checks": {"ledger", "machine", "plan", "runs", "work"},
        "training": {"ledger", "machine", "plan", "runs"},
        "runs": {"ledger", "machine", "plan", "scores", "work"},
        "scores": {"ledger", "machine", "plan"},
        "work": {"ledger", "machine", "plan"},
        "ledger": {"machine", "plan"},
        "plan": {"machine"},
        "machine": set(),
    },
    "reports": {
        "": {"findings", "layouts", "pages", "plots", "results", "tables"},
        "pages": {"findings", "plots", "results", "tables"},
        "plots": {"findings", "results", "tables"},
        "layouts": {"findings", "results", "tables"},
        "tables": {"findings", "results"},
        "findings": {"results"},
        "results": set(),
        "papers": {"findings", "results", "tables"},
    },
}
"""Folders of a room that a folder may import, beside itself and the files directly in the room;
``""`` are those files, which hand names on by `__getattr__` or write everything."""
MOST_FILES = 20
"""Python modules side by side in a folder."""
HEAVY = {"torch", "torchvision", "ultralytics", "matplotlib", "pycocotools", "pandas", "rich"}
FILES = [f for room in ROOMS for f in sorted((ROOT / room).rglob("*.py"))]


def module_of(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(file): file for file in FILES}


@cache
def imports(file: Path, module_level: bool = False, typing: bool = False) -> tuple[str, ...]:
    """Full names that a file imports: at run time, or for types too."""
    return tuple(_imports(file, module_level, typing))


def _imports(file: Path, module_level: bool, typing: bool) -> Iterator[str]:
    tree = ast.parse(file.read_text())
    checking = {
        child
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        for child in ast.walk(node)
    }
    for node in tree.body if module_level else ast.walk(tree):
        if node in checking and not typing:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def files_imported(file: Path) -> set[str]:
    """Our modules that a file imports, for types too."""
    found = set()
    for name in imports(file, typing=True):
        module = name if name in MODULES else name.rpartition(".")[0]
        if module in MODULES:
            found.add(module)
    return found - {module_of(file)}


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(ROOT)))
def test_a_room_imports_only_what_it_may(file: Path) -> None:
    room = file.relative_to(ROOT).parts[0]
    allowed = MAY_IMPORT[room] | {room}
    for name in imports(file, typing=True):
        if name.split(".")[0] in ROOMS:
            assert any(name == a or name.startswith(a + ".") for a in allowed), name


def folder_of(module: str) -> str:
    """The folder of a module inside its room."""
    parts = MODULES[module].relative_to(ROOT).parts
    return parts[1] if len(parts) > 2 else ""


@pytest.mark.parametrize("room", FOLDERS)
def test_a_folder_imports_only_what_it_may(room: str) -> None:
    wrong = [
        f"{module} imports {other}"
        for module, file in MODULES.items()
        if module.split(".")[0] == room and file != ROOT / room / "__init__.py"
        for other in files_imported(file)
        if other.split(".")[0] == room
        and folder_of(other) not in ("", folder_of(module))
        and folder_of(other) not in FOLDERS[room][folder_of(module)]
    ]
    assert not wrong


@pytest.mark.parametrize("room", FOLDERS)
def test_folders_stand_on_each_other_without_a_circle(room: str) -> None:
    alive = dict(FOLDERS[room])
    while leaves := {name for name, others in alive.items() if not others & alive.keys()}:
        alive = {name: others for name, others in alive.items() if name not in leaves}
    assert not alive


def test_no_files_import_each_other_in_a_circle() -> None:
    """Imports inside functions and for types count: who reads one file needs the other."""
    edges = {module: files_imported(file) for module, file in MODULES.items()}
    alive = dict(edges)
    while leaves := {m for m, others in alive.items() if not others & alive.keys()}:
        alive = {m: others for m, others in alive.items() if m not in leaves}
    circle = {m for m in alive if any(m in alive[other] for other in alive)}
    assert not alive, f"files in circles, or between two: {sorted(circle)}"


@pytest.mark.parametrize("room", ["harness", "reports"])
def test_a_folder_holds_so_many_files_and_no_more(room: str) -> None:
    folders = {file.parent for file in FILES if file.relative_to(ROOT).parts[0] == room}
    full = {
        str(folder.relative_to(ROOT)): len(list(folder.glob("*.py")))
        for folder in folders
        if len(list(folder.glob("*.py"))) > MOST_FILES
    }
    assert not full


def test_no_two_files_of_tests_have_one_name() -> None:
    """They lie in no packages: pytest imports the first and refuses the second."""
    names = Counter(file.name for file in (ROOT / "tests").rglob("*.py"))
    twice = {name for name, count in names.items() if count > 1 and name.startswith("test_")}
    assert not twice


def test_an_init_only_hands_names_on() -> None:
    allowed = ast.Import | ast.ImportFrom | ast.Expr | ast.Assign
    for file in FILES:
        if file.name == "__init__.py" and file != ROOT / "harness" / "__init__.py":
            body = ast.parse(file.read_text()).body
            assert all(isinstance(node, allowed) for node in body), file
            names = [t.id for n in body if isinstance(n, ast.Assign) for t in n.targets]  # type: ignore[attr-defined]
            assert set(names) <= {"__all__"}, file


def test_rain_and_duplicates_serve_training_alone() -> None:
    for file in (ROOT / "derainers").rglob("*.py"):
        if "training" not in file.relative_to(ROOT).parts:
            used = [n for n in imports(file) if n.startswith(("datasets.rain", "datasets.dup"))]
            assert not used, file


@pytest.mark.parametrize(
    "file", [f for f in FILES if f.is_relative_to(ROOT / "harness")], ids=module_of
)
def test_harness_starts_without_heavy_packages(file: Path) -> None:
    assert not HEAVY & {name.split(".")[0] for name in imports(file, module_level=True)}


def test_only_harness_writes_reports() -> None:
    users = {file.relative_to(ROOT).parts[0] for file in FILES if _imports_room(file, "reports")}
    assert users <= {"harness", "reports"}


def _imports_room(file: Path, room: str) -> bool:
    return any(name.split(".")[0] == room for name in imports(file, typing=True))


def test_only_its_adapter_and_trainer_import_ultralytics() -> None:
    users = {f for f in FILES if any(n.split(".")[0] == "ultralytics" for n in imports(f))}
    tasks = ROOT / "tasks"
    trainers = {tasks / "training" / name for name in ("yolo.py", "yolo_images.py")}
    adapters = {tasks / "models" / f"ultralytics{end}.py" for end in ("", "_checkpoint")}
    assert users == {*adapters, *trainers}


def test_every_package_is_named_for_installation() -> None:
    named = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    found = {".".join(f.parent.relative_to(ROOT).parts) for f in FILES if f.name == "__init__.py"}
    assert set(named) == found
