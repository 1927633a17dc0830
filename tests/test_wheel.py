"""The wheel as hatchling builds it: what it holds, and that it runs outside the repository."""

import os
import subprocess
import sys
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest
from command_line import TINY_FEATURES, features_file, records
from common import REPOSITORY

pytest.importorskip("hatchling", reason="hatchling builds the wheel: pip install hatchling")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built by the build back end itself, as `python -m build` calls it."""
    folder = tmp_path_factory.mktemp("wheel")
    script = f"from hatchling.build import build_wheel; print(build_wheel({str(folder)!r}))"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=REPOSITORY, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return folder / done.stdout.split()[-1]


@pytest.fixture(scope="module")
def installed(wheel: Path) -> Path:
    """What pip unpacks into site-packages."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(wheel.parent / "site")
    return wheel.parent / "site"


def syntrans(*arguments: str, site: Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """The command of the unpacked wheel; -S would lose torch, so PYTHONPATH comes first."""
    environment = {**os.environ, "PYTHONPATH": str(site), "SYNTRANS_DATA": str(cwd)}
    environment.pop("SYNTRANS_CACHE", None)
    command = [sys.executable, "-m", "syntrans_l2l.cli", *arguments]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True)


def test_contents(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for file in (REPOSITORY / "gin").rglob("*.gin"):
        assert f"syntrans_l2l/gin/{file.relative_to(REPOSITORY / 'gin')}" in names
    package = REPOSITORY / "syntrans_l2l"
    tracked = subprocess.run(
        ["git", "ls-files", "syntrans_l2l"], cwd=REPOSITORY, capture_output=True, text=True
    ).stdout.split()
    if not tracked:  # not from a clone
        tracked = [str(p.relative_to(REPOSITORY)) for p in package.rglob("*.py")]
    assert set(tracked) <= names and "syntrans_l2l/py.typed" in names
    rooms = {name.split("/")[0] for name in names}
    assert rooms == {"syntrans_l2l", next(room for room in rooms if room.endswith(".dist-info"))}


def test_the_entry_point_and_the_requirements(installed: Path) -> None:
    [info] = installed.glob("*.dist-info")
    points = (info / "entry_points.txt").read_text()
    assert "syntrans = syntrans_l2l.cli.main:main" in points
    metadata = Parser().parsestr((info / "METADATA").read_text())
    needed = " ".join(metadata.get_all("Requires-Dist") or [])
    assert "rich>=" in needed and "gin-config>=" in needed


def test_the_demo_is_found_and_built(installed: Path, tmp_path: Path) -> None:
    """Its data set and its text, which no learn2learn and no training are needed for."""
    done = syntrans("check-data", "--gin", "syntrans_demo.gin", site=installed, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "generated is there" in done.stdout
    script = (
        "from pathlib import Path\nimport syntrans_l2l\n"
        "from syntrans_l2l.experiment.config import load_experiment\n"
        "experiment = load_experiment(Path('syntrans_demo.gin'), [])\n"
        "experiment.check(Path('.'))\n"
        "print(len(experiment.rows), syntrans_l2l.__file__)"
    )
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    built = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, env=environment, capture_output=True,
        text=True,
    )  # fmt: skip
    assert built.returncode == 0, built.stderr
    count, place = built.stdout.split()
    assert int(count) == 8 and Path(place).is_relative_to(installed)


def test_an_own_file_runs_outside_the_repository(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "own_rows.py").write_text(
        "from syntrans_l2l import ProtoNet\ndef own(): return ProtoNet('cosine')\n"
    )
    (tmp_path / "own.gin").write_text(
        "include 'syntrans_features.gin'\nimport own_rows\nExperiment.methods = [@own()]\n"
    )
    bindings = [features_file(tmp_path), *TINY_FEATURES]
    words = [word for binding in bindings for word in ("--set", binding)]
    done = syntrans("run", "--gin", "own.gin", *words, site=installed, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    [record] = records(tmp_path / "results")
    assert record["method"] == "protonet_cosine"
    assert record["versions"]["commit"].startswith("syntrans-l2l ")
