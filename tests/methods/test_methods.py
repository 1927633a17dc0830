"""SynTrans from data to predictor, on random images."""

from unittest.mock import Mock

import pytest
import torch
from common import SEMANTIC as M
from common import VISUAL as D
from common import accuracies_of, episodes_of
from torch import Tensor
from torch.nn import functional as F

from syntrans_l2l.algorithms.mixing import Choice, select
from syntrans_l2l.algorithms.selection import class_accuracies
from syntrans_l2l.algorithms.settings import SynTransSettings
from syntrans_l2l.cache import tensor_digest
from syntrans_l2l.datasets.base import FewShotData
from syntrans_l2l.episodes.episodes import Episodes
from syntrans_l2l.methods.base import Arena
from syntrans_l2l.methods.protonet import ProtoNet
from syntrans_l2l.methods.syntrans import SynTransRow, Variant
from syntrans_l2l.networks.fusion import FusedCosines, Mix, Scores
from syntrans_l2l.training.bridge import (
    BridgeTraining,
    class_centres,
    fit_bridge,
    fit_bridges,
    make_folds,
)
from syntrans_l2l.training.meta import MetaTraining

PARTS = SynTransSettings(
    folds=2,
    bridge=BridgeTraining(hidden=64, epochs=30, batch_size=64, dropout=0.0, cycle=0.5),
    meta=MetaTraining(iterations=5, batch_size=2, queries=3),
)


def test_semantics_help_and_shuffled_ones_do_harm(arena: Arena) -> None:
    """The control runs at the true text's settings; selection would leave shuffled text out."""
    validation, test = (episodes_of(arena.data, split) for split in ("validation", "test"))
    accuracy, selected = {}, {}
    for method in (
        ProtoNet("cosine"),
        SynTransRow("full", PARTS),
        SynTransRow("shuffled", PARTS),
        SynTransRow("reselected", PARTS),
        SynTransRow("visual", PARTS),
    ):
        predictor = method.prepare(arena, validation)
        accuracy[method.name] = float(accuracies_of(predictor.predict, test).mean())
        selected[method.name] = predictor.selected
    assert accuracy["syntrans"] > accuracy["protonet_cosine"] + 5
    assert accuracy["syntrans"] > accuracy["syntrans_shuffled"] + 10
    assert accuracy["syntrans_visual"] > accuracy["syntrans_shuffled"] + 3
    assert abs(accuracy["syntrans_shuffled_reselected"] - accuracy["protonet_cosine"]) < 3
    assert abs(accuracy["syntrans_visual"] - accuracy["protonet_cosine"]) < 3
    control = {**selected["syntrans"], "selected with": "the true text"}
    del control["accuracy"]  # validation with the shuffled text was not looked at
    assert selected["syntrans_shuffled"] == control
    assert "selected with" not in selected["syntrans_shuffled_reselected"]


def test_the_control_and_the_row_share_the_fit_with_the_true_text(
    arena: Arena, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever comes first: bridges of true and of shuffled text are fitted once each."""
    fitted, chosen = Mock(wraps=fit_bridges), Mock(wraps=select)
    monkeypatch.setattr("syntrans_l2l.algorithms.stages.fit_bridges", fitted)
    monkeypatch.setattr("syntrans_l2l.algorithms.fitting.select", chosen)
    validation = episodes_of(arena.data, "validation", 50)
    variants: tuple[Variant, ...] = ("shuffled", "full", "shuffled", "reselected")
    for variant in variants:
        SynTransRow(variant, PARTS).prepare(arena, validation)
    assert fitted.call_count == 2
    assert chosen.call_count == 2  # with the true text, and the reselected row for itself


def test_predictions_do_not_see_the_other_queries(arena: Arena) -> None:
    """Inductive: a query's logits are the same whatever else is asked."""
    test = episodes_of(arena.data, "test", count=20)
    predictor = SynTransRow("full", PARTS).prepare(arena, episodes_of(arena.data, "validation"))
    one = Episodes(test.class_ids, test.support, test.query[:, :, :1])
    torch.testing.assert_close(
        predictor.predict(one), predictor.predict(test).unflatten(1, (5, 5))[:, :, 0]
    )


def test_a_second_preparation_finds_everything(
    arena: Arena, monkeypatch: pytest.MonkeyPatch
) -> None:
    test, validation = episodes_of(arena.data, "test", 20), episodes_of(arena.data, "validation")
    first = SynTransRow("full", PARTS).prepare(arena, validation)
    for name in ("fit_bridges", "meta_train"):
        monkeypatch.delattr(f"syntrans_l2l.algorithms.stages.{name}")
    second = SynTransRow("full", PARTS).prepare(arena, validation)
    assert torch.equal(first.predict(test), second.predict(test))
    assert first.selected == second.selected
    assert first.selected["split"] == "validation"


def test_folds_are_a_partition() -> None:
    folds = make_folds(13, 4, seed=0)
    assert sorted(c for fold in folds for c in fold) == list(range(13))
    assert {len(fold) for fold in folds} == {3, 4}
    with pytest.raises(ValueError, match="between 1 and the 3 base classes"):
        make_folds(3, 4, seed=0)


def test_a_folds_bridge_never_sees_its_classes(arena: Arena) -> None:
    """Changing the images of a fold's classes changes every bridge but its own."""
    labels = arena.data.train.labels
    features = F.normalize(arena.features["train"], dim=-1)
    semantics = F.normalize(torch.randn(12, M), dim=-1)
    folds = make_folds(12, 3, seed=0)
    changed = features.clone()
    own = torch.isin(labels, torch.tensor(folds[1]))
    changed[own] = F.normalize(torch.randn(int(own.sum()), D), dim=-1)
    before, after = (
        [
            tensor_digest(bridge.state_dict())
            for bridge in fit_bridges(z, labels, semantics, folds, PARTS.bridge, seed=0, stage="")
        ]
        for z in (features, changed)
    )
    assert [a == b for a, b in zip(before, after, strict=True)] == [False, True, False]


def test_the_bridge_learns_both_ways_and_round() -> None:
    generator = torch.Generator().manual_seed(1)
    labels = torch.arange(12).repeat_interleave(24)
    means, noise = torch.randn(12, D, generator=generator), torch.randn(288, D, generator=generator)
    features = F.normalize(means[labels] + 0.3 * noise, dim=-1)
    semantics = F.normalize(torch.randn(12, 16, generator=generator), dim=-1)
    fitted = fit_bridge(features, labels, semantics, range(12), PARTS.bridge, seed=0,
                        advance=lambda count: None)  # fmt: skip
    centres = class_centres(features, labels, 12)
    there = fitted.to_visual(semantics[labels], features)
    for made, targets in (
        (fitted.to_semantic(features), semantics),
        (there, centres),
        (fitted.to_semantic(there), semantics),
    ):
        accuracy = ((made @ targets.T).argmax(-1) == labels).float().mean()
        assert accuracy > 0.9


def test_half_precision_fits_nearly_the_same_bridge() -> None:
    generator = torch.Generator().manual_seed(1)
    labels = torch.arange(12).repeat_interleave(24)
    features = F.normalize(torch.randn(288, D, generator=generator), dim=-1)
    semantics = F.normalize(torch.randn(12, 16, generator=generator), dim=-1)
    made = []
    for precision in ("float32", "bfloat16"):
        settings = BridgeTraining(hidden=64, epochs=5, precision=precision)
        fitted = fit_bridge(features, labels, semantics, range(12), settings, seed=0,
                            advance=lambda count: None)  # fmt: skip
        assert all(weight.dtype == torch.float32 for weight in fitted.parameters())
        made.append(fitted.to_visual(semantics[labels], features))
    cosines = (made[0] * made[1]).sum(-1)
    assert float(cosines.min()) > 0.99 and not torch.equal(*made)


def test_the_key_of_a_bridge_names_the_precision_it_is_fitted_in() -> None:
    cpu = torch.device("cpu")
    keys = [BridgeTraining(precision=precision).key(cpu) for precision in ("float32", "bfloat16")]
    assert keys[0] != keys[1] and BridgeTraining().key(cpu) in keys
    with pytest.raises(ValueError, match="precision must be auto"):
        BridgeTraining(precision="half").key(cpu)  # type: ignore[arg-type]


def scores(visual: Tensor, semantic: Tensor) -> Scores:
    agreement = torch.zeros(visual.shape[0], 1, visual.shape[2])
    return Scores(FusedCosines(visual, semantic, agreement))


def picked(candidates: list[Scores], episodes: Episodes, alphas: tuple[float, ...]) -> Choice:
    others = {f"{part} weight": [0.0] for part in ("semantic", "whitened", "aligned")}
    return select(candidates, episodes, {"alpha": alphas, **others}).choice


def test_selection_takes_what_validation_shows_and_no_more(data: FewShotData) -> None:
    generator = torch.Generator().manual_seed(0)
    episodes = episodes_of(data, "validation", 200)
    labels = episodes.query_labels()
    noise, other = torch.randn(2, 200, 25, 5, generator=generator)
    right = F.one_hot(labels, 5).float()
    helpful = picked([scores(noise, noise + 2 * right)], episodes, (0.0, 0.5, 1.0))
    assert helpful == Choice(0, Mix(0.0))
    useless = picked([scores(noise + right, other)], episodes, (0.0, 0.5, 0.95, 1.0))
    assert useless == Choice(0, Mix(1.0))
    trained = scores(noise + 2 * right, other)
    assert picked([scores(noise, other), trained], episodes, (1.0,)) == Choice(1, Mix(1.0))


def test_a_gain_on_one_class_only_is_not_taken(data: FewShotData) -> None:
    generator = torch.Generator().manual_seed(0)
    episodes = episodes_of(data, "validation", 500)
    right = F.one_hot(episodes.query_labels(), 5).float()
    noise = torch.randn(500, 25, 5, generator=generator)
    favoured = (episodes.class_ids == 2).repeat_interleave(5, dim=1)[..., None]  # [E, N * Q, 1]
    for gain, chosen in ((3 * right * favoured, 1.0), (3 * right, 0.0)):
        choice = picked([scores(noise, noise + gain)], episodes, (0.0, 1.0))
        assert choice.mix.alpha == chosen


def test_class_accuracies_by_hand() -> None:
    episodes = Episodes(
        torch.tensor([[0, 2], [2, 1]]), torch.zeros(2, 2, 1).long(), torch.zeros(2, 2, 2).long()
    )
    said = torch.tensor([[0, 1, 1, 1], [0, 0, 0, 1]])  # right are 0 0 1 1
    accuracies = class_accuracies(F.one_hot(said, 2).float(), episodes)
    assert accuracies.tolist() == [50.0, 50.0, 100.0]


def test_the_best_alpha_grows_with_the_shots(arena: Arena) -> None:
    chosen = []
    for shots in (1, 10):
        validation = episodes_of(arena.data, "validation", shots=shots)
        values = SynTransRow("full", PARTS).prepare(arena, validation).selected["values"]
        assert isinstance(values, dict)
        chosen.append(values["alpha"])
    assert chosen[0] < chosen[1]


def test_meta_training_needs_ways_in_every_fold(arena: Arena) -> None:
    parts = SynTransSettings(folds=3, bridge=PARTS.bridge, meta=PARTS.meta)
    with pytest.raises(ValueError, match="use fewer folds"):
        SynTransRow("visual", parts).prepare(arena, episodes_of(arena.data, "validation", 5))
