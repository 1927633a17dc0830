"""SynTrans where images and text share a space: with a bridge, without one, and saved."""

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from common import accuracies_of, episodes_of
from torch import Tensor, nn
from torch.nn import functional as F

from syntrans_l2l import LabelledFeatures, SynTrans, SynTransSettings, fit_syntrans
from syntrans_l2l.algorithms.labelled_features import Aligned
from syntrans_l2l.datasets.base import SPLITS
from syntrans_l2l.methods.base import Arena
from syntrans_l2l.methods.syntrans import SynTransRow, Variant
from syntrans_l2l.semantics.bank import SemanticBank
from syntrans_l2l.training.bridge import BridgeTraining
from syntrans_l2l.training.meta import MetaTraining

SETTINGS = SynTransSettings(
    folds=2, bridge=BridgeTraining(hidden=16, epochs=2), meta=MetaTraining(iterations=0)
)
SMALL: dict[str, Any] = {"ways": 3, "queries": 4, "episodes": 60}
D, M, A, IMAGES = 8, 5, 6, 12
PROJECTION = nn.Linear(D, A, bias=False)
nn.init.orthogonal_(PROJECTION.weight, generator=torch.Generator().manual_seed(4))


def part(classes: int, seed: int, *, text: bool) -> LabelledFeatures:
    """Images that vary much, and texts that say exactly where their projected centres lie."""
    generator = torch.Generator().manual_seed(seed)
    centres = torch.randn(classes, D, generator=generator)
    labels = torch.arange(classes).repeat_interleave(IMAGES)
    features = centres[labels] + 1.5 * torch.randn(len(labels), D, generator=generator)
    vectors = torch.randn(classes, M, generator=generator) if text else None
    with torch.no_grad():
        aligned = Aligned(PROJECTION(features), PROJECTION(centres))
    return LabelledFeatures(features, labels, vectors, aligned=aligned)


def fitted(*, text: bool, settings: SynTransSettings = SETTINGS) -> tuple[SynTrans, Any]:
    base, validation = part(8, 0, text=text), part(6, 1, text=text)
    blind = LabelledFeatures(base.features, base.labels, base.class_vectors)
    return fit_syntrans(blind, validation, settings, **SMALL), validation


@pytest.mark.parametrize("text", [True, False], ids=["with a bridge", "without a bridge"])
def test_the_shared_space_is_chosen_and_answers(text: bool, tmp_path: Path) -> None:
    algorithm, validation = fitted(text=text)
    assert algorithm.mix.aligned_weight > 0 and bool(algorithm.classifier.bridges) == text
    vectors = validation.class_vectors
    with pytest.raises(ValueError, match=r"call set_classes_\(..., aligned=vectors\)"):
        algorithm.set_classes_(vectors).adapt(validation.features[:3], [0, 1, 2], [0, 1, 2])
    algorithm.set_classes_(vectors, aligned=validation.aligned.vectors)
    algorithm.set_projection_(PROJECTION)
    rows = torch.arange(0, 3 * IMAGES, IMAGES)

    def answers(learner: SynTrans) -> Tensor:
        learner.adapt(validation.features[rows], [0, 1, 2], [0, 1, 2])
        logits: Tensor = learner(validation.features[: 3 * IMAGES])
        return logits

    before = answers(algorithm.clone())
    right = (before.argmax(-1) == torch.arange(3).repeat_interleave(IMAGES)).double().mean()
    assert float(right) > 0.6
    algorithm.save_pretrained(tmp_path)
    read = SynTrans.from_pretrained(tmp_path, projection=nn.Linear(D, A, bias=False))
    assert torch.equal(answers(read), before)
    assert read.mix == algorithm.mix
    with pytest.raises(ValueError, match="projection= one like its projection"):
        SynTrans.from_pretrained(tmp_path)


def test_an_identity_projection_needs_no_module_to_be_read(tmp_path: Path) -> None:
    algorithm, _ = fitted(text=False)
    algorithm.set_projection_(nn.Identity()).save_pretrained(tmp_path)
    assert isinstance(SynTrans.from_pretrained(tmp_path).projection, nn.Identity)


def test_the_record_says_what_was_tried_and_how_it_did() -> None:
    algorithm, _ = fitted(text=True)
    selected: dict[str, Any] = algorithm.selected
    assert selected["rule"] == "soft"
    assert selected["grid"]["aligned weight"] == list(SETTINGS.aligned_weights)
    curve = selected["accuracy"]["aligned weight"]
    assert len(curve) == len(SETTINGS.aligned_weights) and max(curve) > curve[0] + 5


def test_today_without_the_new_parts_can_be_asked_for() -> None:
    old = replace(SETTINGS, whitened_weights=(0.0,), aligned_weights=(0.0,))
    algorithm, _ = fitted(text=True, settings=old)
    assert algorithm.view is None and algorithm.mix.aligned_weight == 0.0


def test_a_weight_at_the_end_of_its_grid_is_told(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        fitted(text=False, settings=replace(SETTINGS, aligned_weights=(0.0, 0.1)))
    assert "best with the highest aligned weight of its grid, 0.1" in caplog.text
    assert "SynTransSettings.aligned_weights" in caplog.text


def test_texts_of_a_shared_space_are_part_of_the_digest() -> None:
    one, other = part(6, 1, text=True), part(6, 1, text=True)
    assert one.digest == other.digest
    assert one.aligned is not None and one.aligned.vectors is not None
    moved = Aligned(one.aligned.features, one.aligned.vectors + 1)
    changed = LabelledFeatures(one.features, one.labels, one.class_vectors, aligned=moved)
    assert changed.digest != one.digest


BAD = [
    (Aligned(torch.ones(71, A), None), "72 features need as many aligned features, got 71"),
    (Aligned(torch.ones(72, A), torch.ones(5, A)), "6 classes need as many aligned vectors, got 5"),
    (Aligned(torch.ones(72, A), torch.ones(6, 2)), "width 6, aligned vectors 2: they must lie"),
    (Aligned(torch.ones(72, A), torch.zeros(6, A)), "aligned vectors hold a vector of zeros"),
    (Aligned(torch.full((72, A), torch.inf), None), "aligned features hold NaN or infinity"),
]


@pytest.mark.parametrize(("aligned", "message"), BAD, ids=[message for _, message in BAD])
def test_what_does_not_fit_is_told(aligned: Aligned, message: str) -> None:
    features, labels = torch.randn(72, D), torch.arange(6).repeat_interleave(12)
    with pytest.raises(ValueError, match=message):
        LabelledFeatures(features, labels, aligned=aligned)


def test_validation_texts_are_needed_and_tables_must_agree() -> None:
    validation = part(6, 1, text=False)
    assert validation.aligned is not None
    lacking = LabelledFeatures(
        validation.features, validation.labels, aligned=replace(validation.aligned, vectors=None)
    )
    with pytest.raises(ValueError, match="validation classes' aligned vectors are missing"):
        fit_syntrans(part(8, 0, text=False), lacking, SETTINGS, **SMALL)
    algorithm, _ = fitted(text=True)
    with pytest.raises(ValueError, match="must be of the same classes"):
        algorithm.set_classes_(torch.ones(6, M), aligned=F.normalize(torch.ones(5, A), dim=-1))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"shrinkage": 0.0}, "shrinkage must lie above 0"),
        ({"shrinkage": 1.1}, "shrinkage must lie above 0"),
        ({"penalty": 0.0}, "penalty must be above 0"),
        ({"whitened_weights": ()}, "whitened_weights must hold a value"),
    ],
)
def test_settings_out_of_range(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(SETTINGS, **changes)


@pytest.mark.parametrize("variant", ["full", "shuffled", "visual"])
def test_a_row_on_an_arena_with_a_shared_space(arena: Arena, variant: Variant) -> None:
    """Text that lies beside its images is used; under other names it does harm; or is not seen."""
    assert arena.semantics is not None
    names = [name for split in SPLITS for name in getattr(arena.data, split).class_names]
    means = [
        arena.features[split][getattr(arena.data, split).labels == c].mean(0)
        for split in SPLITS
        for c in range(len(getattr(arena.data, split).class_names))
    ]
    text = SemanticBank(tuple(names), torch.stack(means), "the true centres")
    shared = replace(arena, projection=nn.Identity(), aligned=arena.features, aligned_text=text)
    validation, test = (episodes_of(arena.data, split, 100) for split in ("validation", "test"))
    accuracies = [
        accuracies_of(SynTransRow(variant, SETTINGS).prepare(each, validation).predict, test)
        for each in (arena, shared)
    ]
    before, after = (float(each.mean()) for each in accuracies)
    assert {"full": after > before + 3, "shuffled": after < 50, "visual": after == before}[variant]
