"""SynTrans fitted on arrays, without data set, arena or gin."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from common import accuracies_of, episodes_of
from torch import Tensor
from torch.nn import functional as F

from syntrans_l2l import LabelledFeatures, SynTransSettings, fit_syntrans
from syntrans_l2l.algorithms import stages
from syntrans_l2l.algorithms.mixing import MIX, STAGE_4
from syntrans_l2l.cache import Cache
from syntrans_l2l.episodes.episodes import Episodes
from syntrans_l2l.evaluation.statistics import episode_accuracies
from syntrans_l2l.methods.base import Arena
from syntrans_l2l.methods.syntrans import SynTransRow
from syntrans_l2l.networks.fusion import Mix
from syntrans_l2l.seeds import derived
from syntrans_l2l.training.bridge import BridgeTraining, fit_bridges, make_folds
from syntrans_l2l.training.job import Job
from syntrans_l2l.training.meta import MetaTraining

SETTINGS = SynTransSettings(
    folds=2,
    bridge=BridgeTraining(hidden=16, epochs=3),
    meta=MetaTraining(iterations=3, batch_size=2, queries=3),
)
SMALL: dict[str, Any] = {"ways": 3, "queries": 4, "episodes": 30}
D, M, IMAGES = 8, 5, 12


def written(folder: Path) -> tuple[Path, Path]:
    """Two .npz files as a user makes them, of base and of validation classes."""
    rng = np.random.default_rng(0)
    for name, classes in (("base", 8), ("validation", 5)):
        np.savez(
            folder / f"{name}.npz",
            features=rng.normal(size=(classes * IMAGES, D)).astype(np.float16),
            labels=np.arange(classes).repeat(IMAGES).astype(np.uint16),
            class_vectors=rng.normal(size=(classes, M)),
            class_names=[f"{name} {c}" for c in range(classes)],
        )
    return folder / "base.npz", folder / "validation.npz"


@pytest.fixture
def given(tmp_path: Path) -> tuple[LabelledFeatures, LabelledFeatures]:
    base, validation = (LabelledFeatures(**np.load(file)) for file in written(tmp_path))
    return base, validation


def test_from_two_files_to_answers(given: tuple[LabelledFeatures, LabelledFeatures]) -> None:
    algorithm = fit_syntrans(*given, SETTINGS, shots=2, **SMALL)
    values = algorithm.selected["values"]
    assert isinstance(values, dict)
    assert list(values) == [*MIX, STAGE_4]
    assert algorithm.selected["episodes"] == 30
    with pytest.raises(ValueError, match="no class vectors"):
        algorithm.adapt(torch.randn(3, D), torch.arange(3), [0, 1, 2])
    algorithm.set_classes_(torch.randn(4, M), [*"abcd"])
    learner = algorithm.clone()
    learner.adapt(torch.randn(6, D), torch.arange(3).repeat(2), [3, 1, 0])
    answers = learner(torch.randn(7, D))
    assert answers.shape == (7, 3) and bool(answers.isfinite().all())
    assert algorithm.class_names == ("a", "b", "c", "d")


def test_without_class_vectors_it_is_visual(
    given: tuple[LabelledFeatures, LabelledFeatures],
) -> None:
    base, validation = (LabelledFeatures(each.features, each.labels) for each in given)
    algorithm = fit_syntrans(base, validation, SETTINGS, **SMALL)
    assert algorithm.classifier.bridges == [] and algorithm.mix.semantic_weight == 0.0
    algorithm.adapt(torch.eye(D)[:3], torch.arange(3))
    assert algorithm(torch.eye(D)[:3]).argmax(1).tolist() == [0, 1, 2]


def test_with_and_without_a_cache_it_is_the_same_and_a_second_time_nothing_is_fitted(
    given: tuple[LabelledFeatures, LabelledFeatures],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    states = [fit_syntrans(*given, SETTINGS, **SMALL).state_dict()]
    states.append(fit_syntrans(*given, SETTINGS, **SMALL, cache=Cache(tmp_path)).state_dict())
    for name in ("fit_bridges", "meta_train"):
        monkeypatch.delattr(stages, name)
    states.append(fit_syntrans(*given, SETTINGS, **SMALL, cache=Cache(tmp_path)).state_dict())
    for state in states[1:]:
        assert all(torch.equal(tensor, states[0][name]) for name, tensor in state.items())
    base, validation = given
    others: tuple[dict[str, Any], ...] = (
        {"base": LabelledFeatures(base.features + 1, base.labels, base.class_vectors)},
        {"settings": replace(SETTINGS, folds=1)},
        {"job": Job(seed=1)},
    )
    for changed in others:  # none of these may be found
        arguments = {"base": base, "validation": validation, "settings": SETTINGS, **changed}
        with pytest.raises(NameError, match="fit_bridges"):
            fit_syntrans(**arguments, **SMALL, cache=Cache(tmp_path))


@pytest.mark.parametrize("shots", [1, 4])
def test_the_rows_accuracies_are_those_of_the_plain_formula(arena: Arena, shots: int) -> None:
    """Stage 3 and the logits written out, an episode at a time, as method.md has them."""
    bridge = BridgeTraining(hidden=64, epochs=30, batch_size=64)
    parts = replace(SETTINGS, meta=MetaTraining(iterations=0), bridge=bridge)
    validation, test = (episodes_of(arena.data, s, 100, shots) for s in ("validation", "test"))
    row = SynTransRow("full", parts)
    choice = row.fit(arena, validation).choice
    assert choice is not None and choice.mix.alpha < 1
    actual = accuracies_of(row.prepare(arena, validation).predict, test)
    assert torch.equal(actual, plainly(arena, parts, test, choice.mix))


def plainly(arena: Arena, parts: SynTransSettings, test: Episodes, mix: Mix) -> Tensor:
    """Accuracies in percent, [E]."""
    assert arena.semantics is not None

    def unit(x: Tensor) -> Tensor:
        return F.normalize(x, dim=-1)

    base = unit(arena.semantics.select(arena.data.train.class_names))
    novel = unit(arena.semantics.select(arena.data.test.class_names))
    s_base, s_novel = unit(base - base.mean(0)), unit(novel - base.mean(0))
    bridges = fit_bridges(
        unit(arena.features["train"]), arena.data.train.labels, s_base,
        make_folds(len(base), parts.folds, seed=derived(arena.seed, "folds")), parts.bridge,
        seed=arena.seed, stage="",
    )  # fmt: skip
    z, images = unit(arena.features["test"]), unit(arena.features["train"])
    labels, alpha = arena.data.train.labels, float(mix.alpha)
    means = torch.stack([images[labels == c].mean(0) for c in range(len(base))])
    rest = images - means[labels]
    within, eye = rest.T @ rest / len(rest), torch.eye(z.shape[1])
    shrunk = 0.7 * within + 0.3 * within.trace() / len(eye) * eye
    values, vectors = torch.linalg.eigh(shrunk.double())
    root = (vectors @ torch.diag(values**-0.5) @ vectors.T).float()
    seen, seen_base = (unit((x - images.mean(0)) @ root) for x in (z, images))
    centres = unit(torch.stack([seen_base[labels == c].mean(0) for c in range(len(base))]))
    gram = s_base @ s_base.T + 0.3 * torch.eye(len(base))
    mapping = s_base.T @ torch.linalg.inv(gram) @ (centres - centres.mean(0))
    of_text = unit(centres.mean(0) + s_novel @ mapping)
    accuracies = []
    for ids, support, query in zip(test.class_ids, test.support, test.query, strict=True):
        mean = z[support].mean(1)  # [N, D]
        made = unit(sum((g.to_visual(s_novel[ids], unit(mean)) for g in bridges), torch.zeros(())))
        w = unit(alpha * unit(mean) + (1 - alpha) * made)
        asked = z[query.flatten()]  # [N * Q, D]
        there = unit(sum((g.to_semantic(asked) for g in bridges), torch.zeros(())))
        logits = asked @ w.T + mix.semantic_weight * there @ s_novel[ids].T
        w_seen = unit(alpha * unit(seen[support].mean(1)) + (1 - alpha) * of_text[ids])
        logits = logits + mix.whitened_weight * seen[query.flatten()] @ w_seen.T
        accuracies.append(episode_accuracies(logits[None], test.query_labels()))
    return torch.cat(accuracies)


def features(**changes: Any) -> dict[str, Any]:
    """Of 8 classes, with something changed."""
    rng = np.random.default_rng(0)
    return {
        "features": rng.normal(size=(8 * IMAGES, D)),
        "labels": np.arange(8).repeat(IMAGES),
        "class_vectors": rng.normal(size=(8, M)),
        **changes,
    }


LABELS = features()["labels"]
BAD = [
    (features(features=np.ones(96)), "features must be a matrix of numbers"),
    (features(features=np.full((96, D), np.nan)), "features hold NaN or infinity"),
    (features(features=[["a"]]), "features are no numbers"),
    (features(labels=LABELS[:-1]), "96 features need as many labels, got 95"),
    (features(labels=LABELS + 1), "labels must lie in 0 to 7.*got 1 to 8"),
    (features(labels=LABELS - 1), "labels must lie in 0 to 7.*got -1 to 6"),
    (features(labels=LABELS + 0.5), "labels are not whole numbers, but torch.float64"),
    (features(labels=LABELS % 7), r"no features have the labels \[7\]"),
    (features(class_vectors=np.ones(8)), "class_vectors must be a matrix"),
    (features(class_vectors=np.zeros((8, M))), "class_vectors hold a vector of zeros"),
    (features(class_vectors=np.full((8, M), np.inf)), "class_vectors hold NaN"),
    (features(class_names=[*"abc"]), "class_names must be distinct, one for each of the 8"),
    (features(class_names=["a"] * 8), "class_names must be distinct"),
]


@pytest.mark.parametrize(("arguments", "message"), BAD, ids=[message for _, message in BAD])
def test_arrays_that_do_not_fit(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        LabelledFeatures(**arguments)
    assert "\n" not in str(caught.value)


def test_number_types_of_numpy_and_lists_are_taken() -> None:
    plain = LabelledFeatures(**features())
    for kind in (np.uint8, np.uint32, np.uint64, np.int32, np.float64):
        assert torch.equal(LabelledFeatures(**features(labels=LABELS.astype(kind))).labels,
                           plain.labels)  # fmt: skip
    assert torch.equal(LabelledFeatures(**features(labels=LABELS.tolist())).labels, plain.labels)
    assert plain.features.dtype == torch.float32


def test_validation_classes_must_be_others() -> None:
    """Red before: selected on classes that bridges had learned from, and nothing was said."""
    base = LabelledFeatures(**features(class_names=[*"abcdefgh"]))
    again = LabelledFeatures(
        **features(features=features()["features"] + 1, class_names=[*"hijklmno"])
    )
    with pytest.raises(ValueError, match=r"share classes \(h\): "):
        fit_syntrans(base, again, SETTINGS, **SMALL)
    unnamed = LabelledFeatures(**features())
    with pytest.raises(ValueError, match="share classes: "):
        fit_syntrans(unnamed, unnamed, SETTINGS, **SMALL)


SIZES: list[tuple[dict[str, Any], dict[str, Any], dict[str, Any], str]] = [
    ({}, features(features=np.ones((96, D + 1))), {}, "width 8, validation features 9"),
    ({}, features(class_vectors=None), {}, "class_vectors to base and validation, or to neither"),
    ({}, features(class_vectors=np.ones((8, 2))), {}, "base class_vectors have width 5.*2"),
    ({}, {}, {"ways": 9}, "9 ways asked for, but validation has only 8 classes"),
    ({}, {}, {"ways": 1}, "ways must be a whole number of at least 2, got 1"),
    ({}, {}, {"shots": 0}, "shots must be a whole number of at least 1, got 0"),
    ({}, {}, {"queries": 12}, r"shots \+ queries = 1 \+ 12 images .*'class 0' has 12"),
    ({}, {}, {"settings": replace(SETTINGS, folds=9)}, "folds must be between 1 and the 8"),
    ({}, {}, {"settings": replace(SETTINGS, folds=4)}, "3-way meta-training needs 3 base classes"),
    (
        {}, {}, {"ways": 8, "settings": replace(SETTINGS, folds=1)},
        "8-way meta-training with attention needs more than 8 base classes, got 8",
    ),
    (
        {}, {}, {"settings": replace(SETTINGS, meta=MetaTraining(queries=12))},
        "meta-training needs 1 .* 12 images of a base class",
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("base", "validation", "changes", "message"), SIZES, ids=[case[-1] for case in SIZES]
)
def test_what_does_not_fit_is_told_before_any_work(
    base: dict[str, Any],
    validation: dict[str, Any],
    changes: dict[str, Any],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr(stages, "fit_bridges")
    one = LabelledFeatures(**(base or features()))
    other = LabelledFeatures(**(validation or features(features=features()["features"] + 1)))
    with pytest.raises(ValueError, match=message) as caught:
        fit_syntrans(one, other, **{"settings": SETTINGS, **SMALL, **changes})
    assert "\n" not in str(caught.value)


def test_without_stage_4_its_needs_are_not_asked_for(
    given: tuple[LabelledFeatures, LabelledFeatures],
) -> None:
    off = replace(SETTINGS, meta=MetaTraining(iterations=0, queries=1000), folds=4)
    assert fit_syntrans(*given, off, **SMALL).selected["grid"] == {
        "alpha": list(off.alphas), "semantic weight": list(off.semantic_weights),
        "whitened weight": list(off.whitened_weights), "aligned weight": [0.0], "stage 4": ["off"],
    }  # fmt: skip
    SynTransRow("full", off).check({f"c{number}": 2 for number in range(8)}, ways=5, shots=1)


def test_attention_needs_a_class_outside_the_episode(
    given: tuple[LabelledFeatures, LabelledFeatures],
) -> None:
    """Red before: softmax over nothing gave NaN, and adapting went on with it."""
    algorithm = fit_syntrans(*given, SETTINGS, **SMALL)
    algorithm.set_classes_(torch.randn(8, M))
    with pytest.raises(ValueError, match="8-way episodes of 8 base classes leave attention no"):
        algorithm.adapt(torch.randn(8, D), torch.arange(8), torch.arange(8), base=True)
    one = replace(SETTINGS, folds=1, attention=False)
    base = given[0]
    others = LabelledFeatures(base.features + 1, base.labels, base.class_vectors)
    assert fit_syntrans(base, others, one, ways=8, queries=4, episodes=5).choice is not None
