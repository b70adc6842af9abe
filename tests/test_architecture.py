"""The rooms, and who may import whom."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = ("harness", "datasets", "derainers", "tasks", "reports")
MAY_IMPORT = {
    "harness": set(ROOMS),
    "datasets": set(),
    "derainers": {"datasets.image", "datasets.rain", "datasets.duplicates"},
    "tasks": {f"datasets.{name}" for name in ("sample", "image", "masks", "categories")},
    "reports": {"datasets.image"},
}
"""Modules of other rooms; rain and duplicates are for training alone."""
HEAVY = {"torch", "torchvision", "ultralytics", "matplotlib", "pycocotools", "pandas", "rich"}
FILES = [f for room in ROOMS for f in sorted((ROOT / room).rglob("*.py"))]


def imports(file: Path, module_level: bool = False) -> Iterator[str]:
    """Full names that a file imports at run time."""
    tree = ast.parse(file.read_text())
    checking = {
        child
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        for child in ast.walk(node)
    }
    for node in tree.body if module_level else ast.walk(tree):
        if node in checking:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(ROOT)))
def test_a_room_imports_only_what_it_may(file: Path) -> None:
    room = file.relative_to(ROOT).parts[0]
    allowed = MAY_IMPORT[room] | {room}
    for name in imports(file):
        if name.split(".")[0] in ROOMS:
            assert any(name == a or name.startswith(a + ".") for a in allowed), name


def test_rain_and_duplicates_serve_training_alone() -> None:
    for file in (ROOT / "derainers").rglob("*.py"):
        if "training" not in file.parts:
            used = {n.rsplit(".", 1)[0] for n in imports(file) if n.startswith("datasets")}
            assert used <= {"datasets.image"}, file


@pytest.mark.parametrize("file", [f for f in FILES if "harness" in f.parts], ids=lambda f: f.stem)
def test_harness_starts_without_heavy_packages(file: Path) -> None:
    assert not HEAVY & {name.split(".")[0] for name in imports(file, module_level=True)}


def test_only_its_adapter_and_trainer_import_ultralytics() -> None:
    users = {f for f in FILES if any(n.split(".")[0] == "ultralytics" for n in imports(f))}
    tasks = ROOT / "tasks"
    assert users == {tasks / "models" / "ultralytics.py", tasks / "training" / "yolo.py"}


def test_every_package_is_named_for_installation() -> None:
    named = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    found = {".".join(f.parent.relative_to(ROOT).parts) for f in FILES if f.name == "__init__.py"}
    assert set(named) == found
