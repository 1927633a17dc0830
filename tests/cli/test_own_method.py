"""A method in a user's own module, and what happens when its author edits it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
from command_line import records
from common import REPOSITORY

from syntrans_l2l.cli.leaderboard import main as leaderboard

SOURCE = '''
import gin
from helper import SIGN
from syntrans_l2l.methods.protonet import ProtoNet

@gin.configurable(module="mine")
class Mine(ProtoNet):
    """A ProtoNet whose logits have a sign."""

    def __init__(self):
        super().__init__("cosine")
        self.name = "mine"

    def prepare(self, arena, validation):
        from dataclasses import replace

        made = super().prepare(arena, validation)
        return replace(made, predict=lambda episodes: SIGN * made.predict(episodes))
'''


def test_an_edited_method_gives_its_own_numbers(tmp_path: Path) -> None:
    """Two runs into one folder, with a helper of the method edited in between."""
    generator = np.random.default_rng(0)
    labels = np.arange(15).repeat(10)
    features = generator.normal(size=(15, 16))[labels] + 0.1 * generator.normal(size=(150, 16))
    np.savez(
        tmp_path / "features.npz", features=features.astype("float32"), labels=labels,
        class_names=[f"c{label}" for label in range(15)],
        split=["train"] * 5 + ["val"] * 5 + ["test"] * 5,
    )  # fmt: skip
    (tmp_path / "own_methods.py").write_text(SOURCE)
    (tmp_path / "own.gin").write_text(
        "import own_methods\n"
        "Experiment.dataset = @FeatureBenchmark()\n"
        f"FeatureBenchmark.path = {str(tmp_path / 'features.npz')!r}\n"
        "Experiment.methods = [@mine.Mine()]\n"
        "Experiment.reference = 'mine'\n"
        "Experiment.shots = [1]\nExperiment.queries = 5\n"
        "Experiment.episodes = 50\nExperiment.validation_episodes = 5\n"
    )
    command = [sys.executable, str(REPOSITORY / "benchmarks" / "run.py")]
    command += ["--gin", str(tmp_path / "own.gin"), "--out", str(tmp_path / "out")]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]),
        "PYTHONDONTWRITEBYTECODE": "1",
        "SYNTRANS_DATA": str(tmp_path),
    }
    for sign in ("1", "-1", "-1  # the same"):
        (tmp_path / "helper.py").write_text(f"SIGN = {sign}\n")
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    first, second = records(tmp_path / "out")  # a comment computes nothing anew
    assert first["accuracy"] > 95 and second["accuracy"] < 5
    assert first["identity"]["code"] != second["identity"]["code"]
    same = first["identity"].keys() - {"code"}
    assert {name: first["identity"][name] for name in same} == {
        name: second["identity"][name] for name in same
    }
    arguments = [str(tmp_path / "out"), "--out", str(tmp_path / "tables"), "--csv"]
    assert leaderboard(arguments) == 0
    table = (tmp_path / "tables" / "table.csv").read_text()
    assert table.count("Mine (code ") == 2
    assert json.dumps(first["settings"])
