import pytest
import torch
from common import accuracies_of, episodes_of
from torch.nn import functional as F

from syntrans_l2l.algorithms.settings import SynTransSettings
from syntrans_l2l.episodes.episodes import Episodes
from syntrans_l2l.evaluation.diagnostics import alpha_curve, of_answers, of_weights
from syntrans_l2l.evaluation.statistics import episode_accuracies, mean_ci95
from syntrans_l2l.methods.base import Arena
from syntrans_l2l.methods.syntrans import SynTransRow
from syntrans_l2l.networks.classifier import MultimodalClassifier
from syntrans_l2l.networks.fusion import Mix, Scores, fused_cosines
from syntrans_l2l.networks.weight_generator import VisualWeightGenerator
from syntrans_l2l.training.bridge import BridgeTraining
from syntrans_l2l.training.meta import MetaTraining


def episodes(count: int = 60, classes: int = 6, ways: int = 3) -> Episodes:
    generator = torch.Generator().manual_seed(0)
    ids = torch.stack([torch.randperm(classes, generator=generator)[:ways] for _ in range(count)])
    images = ids[..., None] * 10  # ten images a class
    return Episodes(ids, images + torch.arange(2), images + torch.arange(2, 6))


def test_answers_are_counted_per_class_by_hand() -> None:
    two = Episodes(
        torch.tensor([[0, 2], [2, 1]]), torch.zeros(2, 2, 1).long(), torch.zeros(2, 2, 2).long()
    )
    said = torch.tensor([[0, 1, 1, 1], [0, 0, 0, 1]])  # right are 0 0 1 1
    tensors = of_answers(said, two, classes=4)
    assert tensors["class_right"].tolist() == [1, 1, 4, 0]
    assert tensors["class_queries"].tolist() == [2, 2, 4, 0]
    assert tensors["confusion"].tolist() == [
        [1, 0, 1, 0], [0, 1, 1, 0], [0, 0, 4, 0], [0, 0, 0, 0]
    ]  # fmt: skip
    assert tensors["shown_answers"].equal(said)
    assert tensors["shown_classes"].equal(two.class_ids)


def test_confusion_sums_to_queries_and_right_answers() -> None:
    drawn = episodes(200)
    said = torch.randint(3, (200, 12), generator=torch.Generator().manual_seed(3))
    tensors = of_answers(said, drawn, classes=7)
    confusion = tensors["confusion"]
    assert confusion.diagonal().equal(tensors["class_right"].int())
    assert confusion.sum(1).equal(tensors["class_queries"])
    by_hand = torch.zeros(7, 7).int()
    for ids, answers in zip(drawn.class_ids, said, strict=True):
        for label, answer in zip(drawn.query_labels(), answers, strict=True):
            by_hand[ids[label], ids[answer]] += 1
    assert confusion.equal(by_hand)


def test_the_curve_is_the_accuracy_of_each_alpha() -> None:
    drawn = episodes()
    noise = torch.randn(4, 60, 12, 8, generator=torch.Generator().manual_seed(1))
    weights = F.normalize(noise[1:3, :, :3], dim=-1)
    cosines = fused_cosines(F.normalize(noise[0], dim=-1), weights[0], weights[1])
    scores = Scores(cosines, noise[3, :, :, :3])
    alphas = torch.tensor([0.0, 0.3, 1.0], dtype=torch.float64)
    curve = alpha_curve(scores, drawn, alphas, Mix(0.5, 0.1))
    for row, alpha in zip(curve, alphas.tolist(), strict=True):
        one = mean_ci95(episode_accuracies(scores.logits(Mix(alpha, 0.1)), drawn.query_labels()))
        assert row.tolist() == torch.tensor(one).tolist()
    assert len({float(mean) for mean, _ in curve}) == 3


def test_weights_are_those_that_classify() -> None:
    """At alpha = 1 the multimodal weight is the visual one, which is the normalised mean."""
    drawn, width = episodes(), 5

    class Echo(torch.nn.Module):
        def forward(self, semantic: torch.Tensor, mean: torch.Tensor, fold: None) -> torch.Tensor:
            return semantic

    generator = torch.Generator().manual_seed(2)
    features = F.normalize(torch.randn(60, width, generator=generator), dim=-1)
    vectors = F.normalize(torch.randn(6, width, generator=generator), dim=-1)
    visual = VisualWeightGenerator(torch.eye(width), False)
    classifier = MultimodalClassifier(visual, Echo())  # type: ignore[arg-type]
    for alpha in (1.0, 0.0):
        tensors = of_weights(classifier, features, vectors, drawn, alpha)
        first = drawn.first(40)
        mean = F.normalize(features[first.support].mean(2), dim=-1)
        expected = {1.0: mean, 0.0: vectors[first.class_ids]}[alpha]
        torch.testing.assert_close(tensors["weights_visual"], mean.half(), atol=2e-3, rtol=0)
        torch.testing.assert_close(
            tensors["weights_multimodal"], expected.half(), atol=2e-3, rtol=0
        )
        assert tensors["weight_classes"].equal(first.class_ids)


def test_a_curve_over_alpha_is_of_the_first_episodes_and_meets_the_row(
    arena: Arena, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("syntrans_l2l.algorithms.diagnostics._CURVED", 7)
    parts = SynTransSettings(
        folds=2, meta=MetaTraining(iterations=0), bridge=BridgeTraining(hidden=16, epochs=2),
        alphas=(0.4,), selection="none",
    )  # fmt: skip
    validation, test = (episodes_of(arena.data, split, 30) for split in ("validation", "test"))
    predictor = SynTransRow("full", parts).prepare(arena, validation)
    drawn = predictor.diagnose(test)
    expected = float(accuracies_of(predictor.predict, test.first(7)).mean())
    assert drawn["alpha_test"][0, 0].item() == pytest.approx(expected)
    assert expected != pytest.approx(float(accuracies_of(predictor.predict, test).mean()))
