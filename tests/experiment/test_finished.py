"""From a finished experiment to the algorithm behind a row."""

from pathlib import Path

import numpy as np
import pytest
import torch

from syntrans_l2l import (
    FeatureBenchmark,
    SynTransRow,
    SynTransSettings,
    VectorFile,
    finished_algorithm,
)
from syntrans_l2l.cache import Cache
from syntrans_l2l.experiment.experiment import Experiment
from syntrans_l2l.training.bridge import BridgeTraining
from syntrans_l2l.training.meta import MetaTraining

D, M = 8, 6
NAMES = [f"c{c}" for c in range(20)]
SPLITS = ["train"] * 8 + ["val"] * 6 + ["test"] * 6


@pytest.fixture
def experiment(tmp_path: Path) -> Experiment:
    """On a file of features, which has no student."""
    rng = np.random.default_rng(0)
    labels = np.arange(20).repeat(12)
    np.savez(
        tmp_path / "f.npz", features=rng.normal(size=(240, D)), labels=labels, class_names=NAMES,
        split=SPLITS,
    )  # fmt: skip
    np.savez(tmp_path / "v.npz", class_names=NAMES, vectors=rng.normal(size=(20, M)))
    parts = SynTransSettings(
        folds=1, bridge=BridgeTraining(hidden=8, epochs=1), meta=MetaTraining(iterations=0)
    )
    return Experiment(
        dataset=FeatureBenchmark(tmp_path / "f.npz"),
        methods=[SynTransRow("full", parts), SynTransRow("visual", parts)],
        text_encoder=VectorFile(tmp_path / "v.npz"),
        queries=5,
        validation_episodes=10,
    )


@pytest.mark.parametrize("title", ["syntrans", "syntrans_visual"])
def test_on_a_features_file_tasks_are_made_of_features(
    experiment: Experiment, title: str, tmp_path: Path
) -> None:
    """Red before: a student was asked for after all fitting was done."""
    learner = finished_algorithm(
        experiment, title, shots=1, root=tmp_path, cache=Cache(tmp_path / "cache")
    )
    learner.adapt(torch.eye(D)[:3], torch.arange(3), [4, 0, 2])
    assert learner(torch.eye(D)[:3]).shape == (3, 3)
    with_text = title == "syntrans"
    assert learner.class_names == (tuple(NAMES[14:]) if with_text else ())
    assert learner.text_encoder == ("v.npz" if with_text else "")


def test_text_in_the_images_space_alone_reaches_the_algorithm(tmp_path: Path) -> None:
    """Red before: without class vectors its table stayed empty, and it could not adapt."""
    rng, labels = np.random.default_rng(0), np.arange(20).repeat(12)
    centres = rng.normal(size=(20, D))
    features = centres[labels] + rng.normal(size=(240, D))
    np.savez(tmp_path / "f.npz", features=features, labels=labels, class_names=NAMES, split=SPLITS)
    np.savez(tmp_path / "v.npz", class_names=NAMES, vectors=centres)
    parts = SynTransSettings(
        folds=1, alphas=(1.0,), semantic_weights=(0.0,), meta=MetaTraining(iterations=0)
    )
    experiment = Experiment(
        dataset=FeatureBenchmark(tmp_path / "f.npz", shared_space=True),
        methods=[SynTransRow("full", parts)],
        text_encoder=VectorFile(tmp_path / "v.npz"),
        queries=5,
        validation_episodes=10,
    )
    learner = finished_algorithm(
        experiment, "syntrans", shots=1, root=tmp_path, cache=Cache(tmp_path / "cache")
    )
    assert learner.mix.aligned_weight > 0 and not learner.classifier.bridges
    learner.adapt(torch.eye(D)[:3], torch.arange(3), [4, 0, 2])
    assert learner(torch.eye(D)[:3]).shape == (3, 3)


def test_a_row_that_is_not_there_is_told_with_those_that_are(
    experiment: Experiment, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match="no row 'am3'; rows: syntrans, syntrans_visual"):
        finished_algorithm(experiment, "am3", shots=1, root=tmp_path, cache=Cache(tmp_path))
