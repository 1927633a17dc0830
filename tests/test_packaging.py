import ast
import importlib
import pkgutil
import subprocess
import sys

import pytest
from common import REPOSITORY

import syntrans_l2l

MODULES = [module.name for module in pkgutil.walk_packages(syntrans_l2l.__path__, "syntrans_l2l.")]


def python(script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)


def blocked(*names: str) -> str:
    """A script's beginning that makes importing `names` fail."""
    return f"import sys\nfor name in {names!r}: sys.modules[name] = None\n"


def test_all_modules_import() -> None:
    assert len(MODULES) > 30
    for module in MODULES:
        importlib.import_module(module)


def test_networks_and_training_need_torch_alone() -> None:
    """So that encoders train on machines that lack the other packages."""
    rooms = [m for m in MODULES if ".networks" in m or ".training" in m]
    block = blocked("learn2learn", "gin", "open_clip", "timm", "transformers", "safetensors")
    result = python(block + "\n".join(f"import {room}" for room in rooms))
    assert result.returncode == 0, result.stderr
    assert python(block + "import syntrans_l2l.cache").returncode != 0  # the block blocks


def test_without_learn2learn_the_error_is_the_recipe() -> None:
    block = blocked("learn2learn")
    for module in ("syntrans_l2l.episodes.tasks", "syntrans_l2l.algorithms.syntrans"):
        result = python(f"{block}import {module}")
        assert '--config-settings="--build-option=build_ext"' in result.stderr.splitlines()[-1]
    assert python(block + "import syntrans_l2l, syntrans_l2l.experiment.experiment").returncode == 0


def test_importing_is_quiet_and_lazy() -> None:
    result = python(
        "import sys, syntrans_l2l\n"
        "heavy = {'learn2learn', 'gym', 'open_clip', 'transformers', 'gin'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "from syntrans_l2l import SemanticLabels, semantic_tasksets"
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout == "" and "gym" not in result.stderr.lower()


def test_the_packages_names() -> None:
    for name in syntrans_l2l.__all__:
        assert getattr(syntrans_l2l, name) is not None
    assert set(syntrans_l2l.__all__) <= set(dir(syntrans_l2l))
    with pytest.raises(AttributeError, match="nothing"):
        syntrans_l2l.nothing  # noqa: B018


def test_gin_stays_in_one_file() -> None:
    importing = []
    for path in (REPOSITORY / "syntrans_l2l").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import) and any(alias.name == "gin" for alias in node.names):
                importing.append(path.name)
    assert importing == ["config.py"]
