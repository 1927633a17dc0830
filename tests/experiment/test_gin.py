import re
from pathlib import Path

import pytest
from common import REPOSITORY

from syntrans_l2l.experiment.config import load_experiment, load_mining, operative_config

FILES = sorted((REPOSITORY / "gin").rglob("*.gin"))
EXPERIMENTS = sorted((REPOSITORY / "gin").glob("*.gin"))


def test_all_files_are_found() -> None:
    assert len(EXPERIMENTS) == 15
    assert len(FILES) == 45


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(REPOSITORY)))
def test_every_file_parses(file: Path) -> None:
    """Building blocks by themselves describe no experiment, but every name in them is known."""
    import gin

    gin.add_config_file_search_path(str(REPOSITORY / "gin"))
    gin.parse_config_files_and_bindings([str(file)], [])


@pytest.mark.parametrize("file", EXPERIMENTS, ids=lambda file: file.name)
def test_every_experiment_builds(file: Path) -> None:
    lines = file.read_text().splitlines()
    assert lines[0] == f"# python benchmarks/run.py --gin gin/{file.name}"
    assert len(lines) <= 15
    experiment = load_experiment(file, [])
    assert experiment.methods
    assert "Experiment.dataset" in operative_config()


MININGS = [file for file in FILES if "benchmarks/mine.py" in file.read_text()]


@pytest.mark.parametrize("file", MININGS, ids=lambda file: file.name)
def test_every_mining_builds(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(MININGS) == 6
    first = file.read_text().splitlines()[0]
    assert first.startswith(f"# python benchmarks/mine.py --gin gin/semantics/{file.name}")
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    bindings = re.findall(r'--set "(.*?)"', first)
    assert load_mining(file, bindings).miner.source.startswith("SynMine (")


def test_mistakes_are_named_with_file_and_line(tmp_path: Path) -> None:
    file = tmp_path / "mine.gin"
    file.write_text("Experiment.seed = 1\nBaseTraining.epoch = 3\n")
    with pytest.raises(ValueError, match=r"epoch.*mine\.gin.*line 2"):
        load_experiment(file, [])
    file.write_text("Experimnt.seed = 1\n")
    with pytest.raises(ValueError, match=r"Experimnt.*mine\.gin.*line 1"):
        load_experiment(file, [])
    file.write_text("Experiment.seed = 1\n")
    with pytest.raises(ValueError, match=r"mine\.gin.*dataset.*methods"):
        load_experiment(file, [])
    file.write_text("Experiment.seed = %SEED\n")
    with pytest.raises(ValueError, match=r"mine\.gin.*SEED"):
        load_experiment(file, [])
    with pytest.raises(ValueError, match="nothing"):
        load_experiment(EXPERIMENTS[0], ["nothing.at_all = 1"])
    with pytest.raises(FileNotFoundError, match="no configuration file"):
        load_experiment(tmp_path / "none.gin", [])
