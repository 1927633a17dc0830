"""The command line on every data set: files of the true format in, a table out."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from archives import write_clip, write_cub, write_fc100, write_mini, write_tiered
from command_line import SMALL, TINY_FEATURES, fails_with, records, run, vectors_file
from common import REPOSITORY

from syntrans_l2l.datasets.fc100 import CLASSES as FC100

TINY = (
    *SMALL[:1],
    "BaseTraining.epochs = 1",
    "ProjectionTraining.epochs = 1",
    "BaseTraining.batch_size = 64",
    "Experiment.shots = [1]",
    "Experiment.queries = 2",
    "Experiment.episodes = 20",
    "Experiment.validation_episodes = 20",
    "SynTransSettings.folds = 2",
    "BridgeTraining.hidden = 8",
    "BridgeTraining.epochs = 1",
    "MetaTraining.iterations = 1",
    "MetaTraining.queries = 1",
    "TaskTraining.iterations = 1",
    "TaskTraining.meta_batch = 1",
    "TaskTraining.queries = 2",
    "TaskTraining.hidden_size = 4",
    "TaskTraining.episodes = 2",
    "Maml.adaptation_steps = 1",
)


def check_data(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(REPOSITORY / "benchmarks" / "run.py"), "check-data", *arguments]
    environment = {**os.environ, "SYNTRANS_DATA": str(root)}
    return subprocess.run(command, env=environment, capture_output=True, text=True)


@pytest.mark.parametrize("name", ["mini", "tiered", "cub"])
def test_from_true_file_formats_to_a_table(tmp_path: Path, name: str) -> None:
    if name == "mini":
        write_mini(tmp_path, 3, python2=True)
    elif name == "tiered":
        write_tiered(tmp_path, 3)
    else:
        write_cub(tmp_path / "cubirds200" / "CUB_200_2011", 3)
    teacher = (f"CLIP = {write_clip(tmp_path / 'clip')!r}", "CLIP_WEIGHTS = None")
    result = run(tmp_path, tmp_path / "out", *teacher, *TINY, file=f"syntrans_{name}.gin")
    assert result.returncode == 0, result.stderr
    written = records(tmp_path / "out")
    assert [record["method"] for record in written] == [
        "protonet_cosine", "maml", "clip_zero_shot", "zero_shot_projected", "syntrans_visual",
        "syntrans_shuffled", "syntrans_names", "syntrans"]  # fmt: skip
    datasets = {"mini": "mini_imagenet", "tiered": "tiered_imagenet", "cub": "cub"}
    assert {record["dataset"] for record in written} == {datasets[name]}


def test_fc100_from_learn2learns_own_pickles(tmp_path: Path) -> None:
    write_fc100(tmp_path, FC100, 3)
    result = run(tmp_path, tmp_path / "out", *TINY, file="protonet_fc100.gin")
    assert result.returncode == 0, result.stderr
    assert {record["dataset"] for record in records(tmp_path / "out")} == {"fc100"}


def test_features_give_the_rows_of_the_run_that_they_come_from(
    finished: tuple[Path, Path, tuple[str, ...], str], tmp_path: Path
) -> None:
    """Bit for bit: every accuracy of every episode, on the miniature archive."""
    root, out, bindings, _ = finished
    features = run(root, tmp_path, *bindings, command="export-features")
    assert features.returncode == 0, features.stderr
    assert "training" not in features.stderr
    file = tmp_path / "features_base.safetensors"
    small = [
        binding for binding in bindings if not binding.startswith(("resnet12", "Base", "Maml"))
    ]
    result = run(root, tmp_path / "out", *small, f"FEATURES = {str(file)!r}",
                 "BridgeTraining.batch_size = 256", "BridgeTraining.epochs = 6",
                 file="syntrans_features.gin")  # fmt: skip
    assert result.returncode == 0, result.stderr
    originals = {(r["method"], r["shots"]): r for r in records(out)}
    again = records(tmp_path / "out")
    assert len(again) == 10
    for record in again:
        original = originals[record["method"], record["shots"]]
        same = ("dataset", "student", "semantics", "accuracy", "ci95", "delta", "delta_ci95",
                "selected")  # fmt: skip
        assert {name: record[name] for name in same} == {name: original[name] for name in same}
        one, other = (
            (folder / str(each["episode_accuracies"])).read_bytes()
            for folder, each in ((out, original), (tmp_path / "out", record))
        )
        assert one == other


def test_features_without_base_classes(tmp_path: Path) -> None:
    chance = np.random.default_rng(0)
    names = [f"class_{letter}" for letter in "abcdefghijkl"]
    np.savez(
        tmp_path / "features.npz",
        features=chance.normal(size=(12 * 20, 16)),
        labels=np.repeat(np.arange(12), 20),
        class_names=names,
        split=["val"] * 6 + ["test"] * 6,
    )
    bindings = (
        vectors_file(tmp_path),
        f"FEATURES = {str(tmp_path / 'features.npz')!r}",
        *TINY_FEATURES,
    )
    in_space = "FeatureBenchmark.shared_space = True"
    result = run(tmp_path, tmp_path / "out", *bindings, file="syntrans_features.gin")
    fails_with("syntrans_visual needs base classes, and features has none: add classes", result)
    rows = "Experiment.methods = [@cosine/ProtoNet(), @euclidean/ProtoNet(), @ZeroShot()]"
    result = run(
        tmp_path, tmp_path / "out", *bindings, rows, in_space, file="syntrans_features.gin"
    )
    assert result.returncode == 0, result.stderr
    assert len(records(tmp_path / "out")) == 3
    rows = "Experiment.methods = [@cosine/ProtoNet(), @Maml()]"
    result = run(tmp_path, tmp_path / "out", *bindings, rows, file="syntrans_features.gin")
    fails_with("maml needs images, and features have none: drop the row", result)


def test_check_data_says_what_is_missing_and_what_is_there(tmp_path: Path) -> None:
    file = str(REPOSITORY / "gin" / "datasets" / "mini.gin")
    result = check_data(tmp_path, "--gin", file)
    assert result.returncode == 1 and result.stderr == ""
    for part in ("mini_imagenet is missing", "hub data set GATE-engine/mini_imagenet, 3.9 GB",
                 f"data/*.parquet in {tmp_path / 'mini_imagenet'}", "Zenodo record 7978538, 1.3 GB",
                 f"{tmp_path / 'mini-imagenet-cache-test.pkl'}", "--download"):  # fmt: skip
        assert part in result.stdout, part
    assert result.stdout.index("GATE-engine") < result.stdout.index("7978538")
    write_mini(tmp_path, 1)
    result = check_data(tmp_path, "--gin", file)
    assert result.returncode == 0
    assert "train: 64 classes, 64 images" in result.stdout
    assert check_data(tmp_path, "--gin", str(tmp_path / "none.gin")).returncode == 2
    (tmp_path / "mini-imagenet-cache-test.pkl").write_text("<html>")
    fails_with("test.pkl is refused", check_data(tmp_path, "--gin", file))
