"""The script that prints what was tried and lost."""

import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from common import REPOSITORY

from syntrans_l2l.algorithms.settings import SynTransSettings
from syntrans_l2l.training.meta import MetaTraining

sys.path.insert(0, str(REPOSITORY / "benchmarks"))
import tried

IMAGES, D, M = 20, 8, 6


def test_every_trial_is_measured_on_validation_classes_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Test classes have no vectors here: asked for, they would be missed."""
    rng = np.random.default_rng(0)
    split = ["train"] * 24 + ["val"] * 12 + ["test"] * 6
    names = [f"class {number}" for number in range(len(split))]
    labels = np.arange(len(split)).repeat(IMAGES)
    centres = rng.normal(size=(len(split), D))
    features = tmp_path / "features.npz"
    np.savez(
        features, features=centres[labels] + rng.normal(size=(len(labels), D)),
        labels=labels, class_names=names, split=split,
    )  # fmt: skip
    known = [name for name, part in zip(names, split, strict=True) if part != "test"]
    vectors = tmp_path / "vectors.npz"
    np.savez(vectors, class_names=known, vectors=rng.normal(size=(len(known), M)))
    short = partial(SynTransSettings, meta=MetaTraining(iterations=2))
    monkeypatch.setattr(tried, "SynTransSettings", short)
    assert tried.main([str(features), str(vectors), "--episodes", "6", "--halvings", "2"]) == 0
    printed = capsys.readouterr().out
    for trial in (
        "two views",
        "hard selection",
        "novel-like",
        "only centred",
        "own gain",
        "spreads",
    ):
        assert printed.count(trial) >= 2, trial  # 1-shot and 5-shot
    assert tried.main([str(features), str(tmp_path / "none.npz")]) == 2
    assert "no file of class vectors" in capsys.readouterr().err
