"""The command line as a process, for tests."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
from common import REPOSITORY, SPLITS

SMALL = (
    "resnet12.width = 4",
    "BaseTraining.epochs = 3",
    "BaseTraining.batch_size = 32",
    "Experiment.episodes = 100",
    "Experiment.validation_episodes = 60",
    "SynTransSettings.folds = 2",
    "BridgeTraining.hidden = 32",
    "MetaTraining.iterations = 5",
    "TaskTraining.iterations = 2",
    "TaskTraining.hidden_size = 4",
    "TaskTraining.episodes = 4",
    "Maml.adaptation_steps = 1",
    "TaskTraining.queries = 5",
)


def command_line(
    root: Path,
    out: Path,
    *bindings: str,
    file: Path | str = "syntrans_cifarfs_cpu.gin",
    command: str = "run",
) -> tuple[list[str], dict[str, str]]:
    arguments = [sys.executable, str(REPOSITORY / "benchmarks" / "run.py")]
    arguments += [] if command == "run" else [command]
    arguments += ["--gin", str(REPOSITORY / "gin" / file), "--out", str(out)]
    for binding in bindings:
        arguments += ["--set", binding]
    environment = {**os.environ, "SYNTRANS_DATA": str(root)}
    environment.pop("SYNTRANS_CACHE", None)
    return arguments, environment


def run(
    root: Path,
    out: Path,
    *bindings: str,
    file: Path | str = "syntrans_cifarfs_cpu.gin",
    command: str = "run",
) -> subprocess.CompletedProcess[str]:
    arguments, environment = command_line(root, out, *bindings, file=file, command=command)
    return subprocess.run(arguments, env=environment, capture_output=True, text=True)


TINY_FEATURES = (
    "Experiment.shots = [1]",
    "Experiment.queries = 2",
    "Experiment.episodes = 20",
    "Experiment.validation_episodes = 20",
)


def features_file(folder: Path) -> str:
    """Drawn features of 18 classes, and the binding that names their file."""
    chance = np.random.default_rng(0)
    names = np.array([f"class_{letter}" for letter in "abcdefghijklmnopqr"])
    np.savez(
        folder / "features.npz",
        features=chance.normal(size=(len(names) * 20, 16)),
        labels=np.repeat(np.arange(len(names)), 20),
        class_names=names,
        split=["train"] * 6 + ["val"] * 6 + ["test"] * 6,
    )
    return f"FEATURES = {str(folder / 'features.npz')!r}"


def vectors_file(folder: Path) -> str:
    names = [name for part in SPLITS.values() for name in part]
    vectors = np.random.default_rng(0).normal(size=(len(names), 16))
    np.savez(folder / "vectors.npz", class_names=names, vectors=vectors)
    return f"VECTORS = {str(folder / 'vectors.npz')!r}"


def records(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "results.jsonl").read_text().splitlines()]


def fails_with(message: str, result: subprocess.CompletedProcess[str]) -> None:
    assert result.returncode == 2
    assert message in result.stderr, result.stderr
    assert len(result.stderr.strip().splitlines()) == 1, result.stderr
