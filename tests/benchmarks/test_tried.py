"""The script that prints what was tried and lost."""

import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from common import REPOSITORY
from torch.nn import functional as F

from syntrans_l2l.algorithms.settings import SynTransSettings
from syntrans_l2l.networks.fusion import Scores, fused_cosines
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
    for trial in ("two views", "hard selection", "novel-like", "only centred", "no text",
                  "own gain", "spreads", "agreement"):  # fmt: skip
        assert printed.count(trial) >= 2, trial  # 1-shot and 5-shot
    assert tried.main([str(features), str(tmp_path / "none.npz")]) == 2
    assert "no file of class vectors" in capsys.readouterr().err


def test_a_gate_of_slope_0_is_none_and_a_steep_one_follows_the_agreement() -> None:
    generator = torch.Generator().manual_seed(0)
    query, visual, semantic = (
        F.normalize(torch.randn(3, rows, D, generator=generator), dim=-1) for rows in (4, 5, 5)
    )
    scores = Scores(fused_cosines(query, visual, semantic))
    plain = scores.plain
    torch.testing.assert_close(tried.gated(scores, 0.0).plain.at(0.4), plain.at(0.4))
    steep = tried.gated(scores, 1e9).plain.map(lambda values: values).at(0.5)
    agrees = plain.agreement > plain.agreement.mean()
    torch.testing.assert_close(steep, torch.where(agrees, plain.visual, plain.semantic))


def test_the_view_without_text_does_not_hear_alpha() -> None:
    generator = torch.Generator().manual_seed(0)
    query, visual, semantic = (
        F.normalize(torch.randn(3, rows, D, generator=generator), dim=-1) for rows in (4, 5, 5)
    )
    both = fused_cosines(query, visual, semantic)
    alone = tried.view_without_text(Scores(both, whitened=both)).whitened
    assert alone is not None
    torch.testing.assert_close(alone.at(0.2), both.visual)
