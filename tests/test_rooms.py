"""The order of the rooms: no import runs upwards, and none runs in a circle."""

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest
from common import REPOSITORY

PACKAGE = REPOSITORY / "syntrans_l2l"
# from the ground up; rooms of one floor may not import each other
FLOORS = (
    ("ground",),
    ("datasets", "networks"),
    ("episodes",),
    ("training", "evaluation"),
    ("encoders",),
    ("semantics",),
    ("algorithms",),
    ("methods",),
    ("reporting",),
    ("experiment",),
    ("cli",),
)
FLOOR = {room: height for height, rooms in enumerate(FLOORS) for room in rooms}


def room_of(module: str) -> str:
    """The folder that a module lies in; "ground" for the files at the top."""
    parts = module.split(".")
    return parts[1] if (PACKAGE / parts[1]).is_dir() else "ground"


def imports() -> dict[str, set[str]]:
    """What each module of the package imports of the package, imports within functions too."""
    found: dict[str, set[str]] = {}
    for file in sorted(PACKAGE.rglob("*.py")):
        parts = file.relative_to(REPOSITORY).with_suffix("").parts
        module = ".".join(part for part in parts if part != "__init__")
        if module == "syntrans_l2l":
            continue  # its names are lazy
        found[module] = set()
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module:
                inside = [f"{node.module}.{alias.name}" for alias in node.names]
                names = [name if is_module(name) else node.module for name in inside]
            else:
                continue
            found[module] |= {name for name in names if name.startswith("syntrans_l2l.")}
    return found


def is_module(name: str) -> bool:
    place = REPOSITORY / Path(*name.split("."))
    return place.is_dir() or place.with_suffix(".py").is_file()


def upwards(graph: dict[str, set[str]]) -> list[str]:
    """The imports that run upwards, or across a floor."""
    wrong = []
    for module, targets in graph.items():
        for target in targets:
            here, there = room_of(module), room_of(target)
            if here != there and FLOOR[there] >= FLOOR[here]:
                wrong.append(f"{module} ({here}) imports {target} ({there})")
    return wrong


def test_every_room_has_its_floor() -> None:
    rooms = {path.name for path in PACKAGE.iterdir() if any(path.glob("*.py"))}
    assert rooms == set(FLOOR) - {"ground"}


def test_no_import_runs_upwards() -> None:
    assert upwards(imports()) == []


def test_no_imports_run_in_a_circle() -> None:
    TopologicalSorter(imports()).prepare()


def test_the_checks_can_fail() -> None:
    assert upwards({"syntrans_l2l.networks.bridge": {"syntrans_l2l.methods.base"}})
    with pytest.raises(CycleError):
        TopologicalSorter({"a": {"b"}, "b": {"a"}}).prepare()
