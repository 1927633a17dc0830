"""SynTrans as a learn2learn algorithm."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from common import SEMANTIC, VISUAL, accuracies_of, episodes_of
from torch import Tensor, nn
from torch.nn import functional as F

from syntrans_l2l import SynTrans, untrained_classifier
from syntrans_l2l._learn2learn import learn2learn
from syntrans_l2l.algorithms.parts import FittedParts
from syntrans_l2l.algorithms.settings import SynTransSettings
from syntrans_l2l.evaluation.statistics import episode_accuracies
from syntrans_l2l.methods.base import Arena
from syntrans_l2l.methods.syntrans import SynTransRow, Variant
from syntrans_l2l.networks.classifier import MultimodalClassifier
from syntrans_l2l.networks.fusion import Mix
from syntrans_l2l.networks.weight_generator import VisualWeightGenerator
from syntrans_l2l.networks.whitening import WhitenedView
from syntrans_l2l.semantics.bank import SemanticBank
from syntrans_l2l.training.bridge import BridgeTraining
from syntrans_l2l.training.meta import MetaTraining

l2l = learn2learn()
PARTS = SynTransSettings(
    folds=2,
    bridge=BridgeTraining(hidden=64, epochs=30, batch_size=64),
    meta=MetaTraining(iterations=20, batch_size=2, queries=3),
)
INPUT, CLASSES = 7, 8


def untrained(features: nn.Module | None = None, semantic_weight: float = 0.1) -> SynTrans:
    torch.manual_seed(0)
    vectors = torch.randn(CLASSES, SEMANTIC)
    encoder = nn.Linear(INPUT, VISUAL) if features is None else features
    classifier = untrained_classifier(VISUAL, SEMANTIC, 16)
    mix = Mix(classifier.alpha_logit.sigmoid(), semantic_weight)
    return SynTrans(encoder, classifier, vectors, mix=mix)


def task(seed: int = 1) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Support, labels, class ids and query of a 3-way task with 2, 3 and 2 shots."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.tensor([1, 0, 1, 2, 1, 0, 2])
    class_ids = torch.randperm(CLASSES, generator=generator)[:3]
    inputs = torch.randn(12, INPUT, generator=generator)
    return inputs[:7], labels, class_ids, inputs[7:]


@pytest.mark.parametrize("variant", ["full", "shuffled", "reselected", "visual"])
@pytest.mark.parametrize("shots", [1, 4])
def test_its_accuracies_are_those_of_the_table(arena: Arena, variant: Variant, shots: int) -> None:
    row = SynTransRow(variant, PARTS)
    validation, test = (episodes_of(arena.data, s, 100, shots) for s in ("validation", "test"))
    algorithm = row.fit(arena, validation)
    if (bank := row.seen(arena).semantics) is not None:
        algorithm.set_classes_(bank.select(arena.data.test.class_names))
    if variant in ("full", "shuffled"):
        assert algorithm.choice is not None and algorithm.choice.mix.alpha < 1
        mix = algorithm.choice.mix
        assert mix.semantic_weight > 0 or mix.whitened_weight > 0
    features, labels = arena.features["test"], test.query_labels()
    accuracies = []
    for support, query, ids in zip(test.support, test.query, test.class_ids, strict=True):
        learner = algorithm.clone()
        targets = torch.arange(5).repeat_interleave(shots)
        learner.adapt(features[support.flatten()], targets, ids)
        logits = learner(features[query.flatten()])
        accuracies.append(episode_accuracies(logits[None], labels))
    expected = accuracies_of(row.prepare(arena, validation).predict, test)
    assert torch.equal(torch.cat(accuracies), expected)


def test_the_plain_visual_classifier_is_learn2learns() -> None:
    generator = VisualWeightGenerator(torch.zeros(0, INPUT), attention=False)
    classifier = MultimodalClassifier(generator, None)
    ours = SynTrans(nn.Identity(), classifier, mix=Mix())
    support, labels, _, query = task()
    theirs = l2l.nn.PrototypicalClassifier(distance="cosine")
    theirs.fit_(F.normalize(support, dim=-1), labels)
    weights = ours.fit_(support, labels)
    torch.testing.assert_close(weights, F.normalize(theirs.prototypes, dim=-1))
    torch.testing.assert_close(ours(query), 16 * theirs(query))


def test_a_clone_is_a_syntrans_of_its_own() -> None:
    features = nn.Sequential(nn.Linear(INPUT, VISUAL), nn.BatchNorm1d(VISUAL))
    algorithm = untrained(features).train()
    before = {name: tensor.clone() for name, tensor in algorithm.state_dict().items()}
    one, other = algorithm.clone(), algorithm.clone()
    assert type(one) is SynTrans and isinstance(one, l2l.algorithms.base_learner.BaseLearner)
    support, labels, class_ids, query = task()
    one.adapt(support, labels, class_ids)
    other.adapt(support.flip(0), labels, class_ids.flip(0))
    assert not torch.allclose(one(query), other(query))
    with pytest.raises(RuntimeError, match="call adapt"):
        algorithm(query)
    for name, tensor in algorithm.state_dict().items():
        assert torch.equal(tensor, before[name]), name
    assert not torch.equal(one.module[1].running_mean, before["module.1.running_mean"])


def test_gradients_reach_everything_through_a_clone() -> None:
    algorithm = untrained()
    support, labels, class_ids, query = task()
    support.requires_grad_()
    learner = algorithm.clone()
    learner.adapt(support, labels, class_ids)
    F.cross_entropy(learner(query), torch.tensor([0, 1, 2, 0, 1])).backward()
    assert support.grad is not None and bool(support.grad.abs().sum() > 0)
    for name, parameter in algorithm.named_parameters():
        # the correction's first layer has a zero layer after it until that has moved
        if "residual.layers.0" not in name:
            assert parameter.grad is not None and bool(parameter.grad.abs().sum() > 0), name


def test_training_it_on_tasks_lowers_the_loss() -> None:
    algorithm = untrained()
    optimizer = torch.optim.Adam(algorithm.parameters(), 1e-2)
    support, labels, class_ids, query = task()
    losses = []
    for _ in range(30):
        algorithm.adapt(support, labels, class_ids)
        loss = F.cross_entropy(algorithm(query), torch.tensor([0, 1, 2, 0, 1]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.2 * losses[0]


def test_the_order_of_labels_and_samples_does_not_matter() -> None:
    algorithm = untrained()
    support, labels, class_ids, query = task()
    algorithm.adapt(support, labels, class_ids)
    before = algorithm(query)
    order, renamed = torch.randperm(7), torch.tensor([2, 0, 1])  # label l becomes renamed[l]
    algorithm.adapt(support[order], renamed[labels][order], class_ids[renamed.argsort()])
    torch.testing.assert_close(algorithm(query)[:, renamed], before)


def test_forward_is_the_cosine_to_what_fit_returns() -> None:
    algorithm = untrained(semantic_weight=0.0)
    support, labels, class_ids, query = task()
    weights = algorithm.fit_(support, labels, class_ids)
    cosines = F.normalize(algorithm.module(query), dim=-1) @ weights.T
    torch.testing.assert_close(algorithm(query), 16 * cosines)


def test_in_meta_training_base_classes_are_left_out(arena: Arena) -> None:
    row, validation = SynTransRow("full", PARTS), episodes_of(arena.data, "validation", 50)
    assert arena.semantics is not None
    vectors = arena.semantics.select(arena.data.train.class_names)
    support, ids = arena.features["train"][:3], torch.tensor([3, 5, 9])

    def weights(memory: int | None, bridge: int | None, base: bool) -> Tensor:
        algorithm = row.fit(arena, validation).set_classes_(vectors)
        algorithm.classifier.generator.phi_att.data += 1.0
        if memory is not None:
            algorithm.classifier.generator.memory[memory] += 1.0
        if bridge is not None:
            for parameter in algorithm.classifier.bridges[bridge].parameters():
                parameter.data += 0.1
        fitted: Tensor = algorithm.fit_(support, torch.arange(3), ids, base=base)
        return fitted

    left_out = row.fit(arena, validation).left_out
    before = weights(None, None, base=True)
    assert torch.equal(weights(5, None, base=True), before)
    assert not torch.equal(weights(4, None, base=True), before)
    assert not torch.equal(weights(5, None, base=False), weights(None, None, base=False))
    for bridge in (0, 1):
        changed = (weights(None, bridge, base=True) != before).any(1)
        assert changed.tolist() == (left_out[ids] == bridge).tolist()


def test_saved_and_read_it_is_the_same(
    arena: Arena, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert arena.semantics is not None
    names = arena.data.test.class_names
    bank = SemanticBank(names, arena.semantics.select(names), "drawn at random")
    row = SynTransRow("full", PARTS)
    algorithm = row.fit(arena, episodes_of(arena.data, "validation", 50))
    algorithm.set_classes_(bank, prompt="a drawing of {}").set_encoder_(nn.Linear(VISUAL, VISUAL))
    algorithm.save_pretrained(tmp_path / "model")
    assert sorted(p.name for p in (tmp_path / "model").iterdir()) == [
        "README.md",
        "config.json",
        "model.safetensors",
    ]
    asked = []

    def snapshot_download(name: str, **_: object) -> str:
        asked.append(name)
        return str(tmp_path / "model")

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot_download)
    z = arena.features["test"]
    arguments = z[:6], torch.tensor([0, 0, 1, 1, 2, 2]), [4, 1, 0]
    algorithm.adapt(*arguments)
    for place in (tmp_path / "model", "somebody/syntrans"):
        read = SynTrans.from_pretrained(place, nn.Linear(VISUAL, VISUAL))
        read.adapt(*arguments)
        assert torch.equal(read(z), algorithm(z))
        assert read.mix == algorithm.mix
        assert torch.equal(read.left_out, algorithm.left_out)
        assert read.class_names == names
        assert (read.text_encoder, read.prompt) == ("drawn at random", "a drawing of {}")
    assert asked == ["somebody/syntrans"]
    read.set_classes_(bank.vectors.flip(0)).adapt(z[:6], arguments[1], [1, 4, 5])
    assert torch.equal(read(z), algorithm(z))


def test_the_card_and_the_config_name_the_classes(tmp_path: Path) -> None:
    algorithm = untrained()
    algorithm.set_classes_(
        torch.randn(2, SEMANTIC), ["größe", "oak"], text_encoder="MiniLM", prompt="a photo of a {}"
    )
    algorithm.save_pretrained(tmp_path)
    card = (tmp_path / "README.md").read_text(encoding="utf-8")
    facts = "0. größe", "1. oak", "Text encoder: MiniLM", "Prompt: a photo of a {}"
    widths = f"width {VISUAL}", f"width {SEMANTIC}", "Semantic weight: 0.1", "learned"
    for fact in facts + widths:
        assert fact in card, fact
    read = SynTrans.from_pretrained(tmp_path, nn.Linear(INPUT, VISUAL))
    with pytest.raises(ValueError, match=r"text encoder of the training, MiniLM$"):
        read.set_classes_(torch.randn(2, SEMANTIC + 1))
    read.set_classes_(torch.randn(3, SEMANTIC))  # of other classes, whose names nobody told
    assert read.class_names == () and read.text_encoder == "MiniLM"
    with pytest.raises(ValueError, match="3 class vectors need as many class_names, got 1"):
        read.set_classes_(torch.randn(3, SEMANTIC), ["a"])


def test_a_folder_of_the_first_release_is_read(tmp_path: Path) -> None:
    algorithm = untrained()
    algorithm.save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    described = config["classifier"]
    old = {
        "format": config["format"], "alpha": None, "b": config["semantic_weight"],
        "classifier": {name.removesuffix("_dim"): value for name, value in described.items()},
    }  # fmt: skip
    assert "visual" in old["classifier"] and "semantic" in old["classifier"]
    (tmp_path / "config.json").write_text(json.dumps(old))
    (tmp_path / "README.md").unlink()
    read = SynTrans.from_pretrained(tmp_path, nn.Linear(INPUT, VISUAL))
    support, labels, class_ids, query = task()
    for each in (algorithm, read):
        each.adapt(support, labels, class_ids)
    assert torch.equal(read(query), algorithm(query))
    assert (read.class_names, read.text_encoder, read.prompt) == ((), "", "")


def test_a_learned_alpha_learns_and_another_tensor_is_told(tmp_path: Path) -> None:
    algorithm = untrained()
    start = algorithm.mix.alpha
    assert isinstance(start, Tensor) and start.requires_grad
    with torch.no_grad():
        algorithm.classifier.alpha_logit.fill_(2.0)
    learned = torch.tensor(2.0).sigmoid()
    again = SynTrans(nn.Identity(), algorithm.classifier, mix=algorithm.mix)
    algorithm.save_pretrained(tmp_path)
    read = SynTrans.from_pretrained(tmp_path, nn.Linear(INPUT, VISUAL))
    for each in (algorithm, algorithm.clone(), again, read):
        assert torch.equal(torch.as_tensor(each.mix.alpha), learned)
        assert each.mix.semantic_weight == 0.1
    fixed = SynTrans(nn.Identity(), algorithm.classifier, mix=Mix(0.3))
    assert fixed.mix == Mix(0.3)
    with pytest.raises(ValueError, match=r"the tensor 0\.5, .*alpha 0\.8808 can be learned"):
        SynTrans(nn.Identity(), algorithm.classifier, mix=Mix(torch.tensor(0.5)))


def test_the_whitened_view_and_its_weight_come_together() -> None:
    """One without the other would be left out of every answer, and of what is saved."""
    classifier, view = untrained().classifier, WhitenedView(VISUAL, SEMANTIC)
    with pytest.raises(ValueError, match=r"whitened_weight is 0\.4, .* give fitted=FittedParts"):
        SynTrans(nn.Identity(), classifier, mix=Mix(1.0, whitened_weight=0.4))
    for mix in (None, Mix(1.0)):
        with pytest.raises(ValueError, match="whitened_weight is 0: leave the view out"):
            SynTrans(nn.Identity(), classifier, mix=mix, fitted=FittedParts(view=view))


def test_what_cannot_be_read_is_told_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    untrained().save_pretrained(tmp_path / "model")
    for features in (None, nn.Linear(INPUT + 1, VISUAL)):
        with pytest.raises(ValueError, match="pass features= a module like") as caught:
            SynTrans.from_pretrained(tmp_path / "model", features)
        assert "\n" not in str(caught.value)
    config = json.loads((tmp_path / "model" / "config.json").read_text())
    (tmp_path / "model" / "config.json").write_text(json.dumps({**config, "format": "bert"}))
    with pytest.raises(ValueError, match="is no SynTrans"):
        SynTrans.from_pretrained(tmp_path / "model")
    (tmp_path / "model" / "config.json").write_text("{")
    with pytest.raises(ValueError, match=r"model is damaged .*save it again"):
        SynTrans.from_pretrained(tmp_path / "model")
    (tmp_path / "model" / "config.json").unlink()
    with pytest.raises(FileNotFoundError, match=r"lacks config\.json"):
        SynTrans.from_pretrained(tmp_path / "model")

    def refuse(name: str, **_: object) -> str:
        raise OSError("no\nnetwork")

    monkeypatch.setattr("huggingface_hub.snapshot_download", refuse)
    with pytest.raises(FileNotFoundError, match=r"no model some/thing on the hub \(no network\)$"):
        SynTrans.from_pretrained("some/thing")


def test_an_encoder_may_have_attributes_of_the_same_names() -> None:
    features = nn.Linear(INPUT, VISUAL)
    for name in ("mean", "semantics", "left_out"):
        features.register_buffer(name, torch.zeros(2))
    algorithm = untrained(features)
    assert len(algorithm.mean) == SEMANTIC and algorithm.in_features == INPUT
    support, labels, class_ids, query = task()
    algorithm.adapt(support, labels, class_ids)
    assert algorithm(query).shape == (5, 3)


def change(**changes: Any) -> dict[str, Any]:
    support, labels, class_ids, _ = task()
    return {"support": support, "labels": labels, "class_ids": class_ids, **changes}


LABELS = task()[1]
BAD = [
    (change(labels=LABELS + 1), "labels must lie in 0 to 2.*SemanticLabels"),
    (change(labels=LABELS - 1), "labels must lie in 0 to 2"),
    (change(labels=LABELS + 0.5), "labels are not whole numbers, but torch.float32"),
    (change(labels=["a"] * 7), "labels are no numbers"),
    (change(labels=LABELS.bool()), "labels must be one list of integers, got torch.bool"),
    (change(labels=LABELS[:, None]), "one list of integers"),
    (change(labels=LABELS[:-1]), "7 support inputs need as many labels, got 6"),
    (change(labels=LABELS.clamp_max(1)), "no support for labels .2.*KShots"),
    (change(labels=LABELS * 0, class_ids=[2]), "one class.*NWays"),
    (change(class_ids=None), "class_ids are missing: append SemanticLabels.*task_collate"),
    (change(class_ids=[0, 1, CLASSES]), "class_ids must lie in 0 to 7.*set_classes_"),
    (change(class_ids=[-1, 1, 2]), "class_ids must lie in 0 to 7"),
    (change(class_ids=[1, 1, 2]), "must differ"),
    (change(class_ids=[0.0, 1.0, 2.5]), "class_ids are not whole numbers"),
    (change(class_ids=[[0, 1, 2]]), "class_ids must be one list of integers"),
    (change(base=True), "base=True, and this SynTrans knows no base classes"),
]


@pytest.mark.parametrize(("arguments", "message"), BAD, ids=[message for _, message in BAD])
def test_bad_tasks(arguments: dict[str, Any], message: str) -> None:
    algorithm = untrained()
    with pytest.raises(ValueError, match=message) as caught:
        algorithm.adapt(**arguments)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "form",
    [
        list, tuple, Tensor.numpy, Tensor.float, Tensor.half,
        *(lambda given, kind=kind: given.numpy().astype(kind)
          for kind in ("u1", "u2", "u4", "u8", "i1", ">i4", "f2", ">f8")),
    ],
)  # fmt: skip
def test_labels_and_class_ids_of_any_number_type(form: Any) -> None:
    support, labels, class_ids, query = task()
    algorithm = untrained()
    algorithm.adapt(support, labels, class_ids)
    answers = algorithm(query)
    ids = torch.as_tensor(class_ids)
    for given in ((form(labels), class_ids), (labels, form(ids)), (form(labels), form(ids))):
        algorithm.adapt(support, *given)
        assert torch.equal(algorithm(query), answers)


def test_a_support_set_of_numpy_is_told() -> None:
    support, labels, class_ids, _ = task()
    with pytest.raises(TypeError, match=r"must be a tensor, got ndarray; use torch\.as_tensor"):
        untrained().adapt(support.numpy(), labels, class_ids)  # type: ignore[arg-type]


def test_called_as_maml() -> None:
    with pytest.raises(TypeError, match=r"call adapt\(support, labels, class_ids\)"):
        untrained().adapt(torch.tensor(0.3, requires_grad=True))


def test_features_and_vectors_of_another_width() -> None:
    support, labels, class_ids, _ = task()
    algorithm = untrained(nn.Linear(INPUT, VISUAL - 1))
    with pytest.raises(ValueError, match=r"Linear gives \[7, 23\].*take \[n, 24\]; pass features="):
        algorithm.adapt(support, labels, class_ids)
    with pytest.raises(ValueError, match=r"class vectors \[C, 4\], got \[8, 5\]"):
        algorithm.set_classes_(torch.randn(8, 5))
    bare = SynTrans(nn.Linear(INPUT, VISUAL), untrained_classifier(VISUAL, SEMANTIC, 16))
    with pytest.raises(ValueError, match="no class vectors: give semantics="):
        bare.adapt(support, labels, class_ids)
