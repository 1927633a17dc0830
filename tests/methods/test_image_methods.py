"""The methods on images, against learn2learn's own loops on the trained networks."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from common import episodes_of
from torch import Tensor
from torch.nn import functional as F

from syntrans_l2l._learn2learn import learn2learn
from syntrans_l2l.evaluation.evaluate import answers
from syntrans_l2l.methods.anil import Anil
from syntrans_l2l.methods.base import Arena
from syntrans_l2l.methods.cnn4 import cnn4
from syntrans_l2l.methods.episodic_protonet import EpisodicProtoNet
from syntrans_l2l.methods.maml import Maml
from syntrans_l2l.methods.meta_sgd import MetaSgd
from syntrans_l2l.methods.metaoptnet import MetaOptNet
from syntrans_l2l.methods.task_training import TaskTraining

l2l = learn2learn()
TRAINING = TaskTraining(
    iterations=3, meta_batch=2, hidden_size=4, queries=3, episodes=10, validate_every=0,
    precision="float32",
)  # fmt: skip
METHODS = [
    Maml(training=TRAINING, adaptation_steps=2),
    Maml(training=TRAINING, adaptation_steps=2, first_order=True),
    MetaSgd(training=TRAINING),
    Anil(training=TRAINING, adaptation_steps=2),
    MetaOptNet(training=TRAINING),
    EpisodicProtoNet(training=TRAINING, train_ways=7),
]


def oracle(method: Any, network: Any, state: dict[str, Tensor], s: Tensor, q: Tensor) -> Any:
    """What learn2learn's examples do with one task, written out."""
    targets = torch.arange(5)
    algorithms = l2l.algorithms
    if isinstance(method, MetaOptNet):
        scale = state.pop("scale")
        network.features.load_state_dict(state)
        network.eval()
        svm = l2l.nn.SVClassifier(network.features(s), targets)
        return scale * svm(network.features(q))
    if isinstance(method, EpisodicProtoNet):
        network.features.load_state_dict(state)
        network.eval()
        return l2l.nn.PrototypicalClassifier(network.features(s), targets)(network.features(q))
    if isinstance(method, Anil):
        head = algorithms.MAML(network.classifier, lr=0.1)
        network.classifier = head
        network.load_state_dict(state)
        features = network.features(torch.stack([s, q], dim=1).flatten(0, 1)).unflatten(0, (5, 2))
        learner, s, q = head.clone(), features[:, 0], features[:, 1]
    else:
        kind = algorithms.MAML if isinstance(method, Maml) else algorithms.MetaSGD
        learner = kind(network, lr=0.1)
        learner.load_state_dict(state)
        learner = learner.clone()
    for _ in range(1 if isinstance(method, MetaSgd) else 2):
        learner.adapt(F.cross_entropy(learner(s), targets))
    return learner(q)


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_it_is_learn2learns_and_resumes(arena: Arena, method: Any) -> None:
    validation, test = (episodes_of(arena.data, split, 10) for split in ("validation", "test"))
    predictor = method.prepare(arena, validation)
    assert predictor.budget == f"6 {method.tasks} in learn2learn's loop"
    said = answers(predictor.predict, test)
    assert torch.equal(said, answers(method.prepare(arena, validation).predict, test))

    [path] = (arena.cache.root / "task_training").iterdir()
    state = torch.load(path, weights_only=True)["module"]
    images = arena.data.test.images.float() / 255 - 0.5
    one = test.first(1)
    support, query = images[one.support[0, :, 0]], images[one.query[0, :, 0]]
    expected = oracle(method, cnn4(arena, 5, TRAINING), state, support, query)
    alone = type(one)(one.class_ids, one.support, one.query[..., :1])
    actual = predictor.predict(alone)[0]
    torch.testing.assert_close(actual, expected.detach(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_the_flag_says_whether_queries_see_each_other(arena: Arena, method: Any) -> None:
    predict = method.prepare(arena, episodes_of(arena.data, "validation", 5)).predict
    test = episodes_of(arena.data, "test", 5)
    alone = type(test)(test.class_ids, test.support, test.query[..., :1])
    together = predict(test).unflatten(1, (5, 5))[:, :, 0]
    assert torch.allclose(predict(alone), together, atol=1e-4) == (not method.is_transductive)


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_training_changes_all_that_it_should(arena: Arena, method: Any) -> None:
    method.prepare(arena, episodes_of(arena.data, "validation", 5))
    [path] = (arena.cache.root / "task_training").iterdir()
    trained = torch.load(path, weights_only=True)["module"]
    network: Any = cnn4(arena, 5, TRAINING)
    encoder_only = isinstance(method, MetaOptNet | EpisodicProtoNet)
    start = (network.features if encoder_only else network).state_dict()
    moved = {name.replace("module.", ""): tensor for name, tensor in trained.items()}
    assert set(start) <= set(moved) and len(start) > 10
    for name, tensor in start.items():
        assert "num_batches" in name or not torch.equal(moved[name], tensor), name


def test_convolutions_in_bfloat16_give_nearly_the_same_features(arena: Arena) -> None:
    images = arena.data.test.images[:20].float() / 255 - 0.5
    networks = [
        cnn4(arena, 5, replace(TRAINING, precision=precision))
        for precision in ("float32", "bfloat16")
    ]
    exact, rounded = (network.features(images) for network in networks)  # type: ignore[operator]
    assert rounded.dtype == torch.float32 and not torch.equal(exact, rounded)
    torch.testing.assert_close(exact, rounded, rtol=0.05, atol=0.05 * float(exact.std()))


def test_networks_of_two_precisions_are_trained_apart(arena: Arena) -> None:
    for precision in ("float32", "bfloat16"):
        training = replace(TRAINING, precision=precision)
        Anil(training=training).prepare(arena, episodes_of(arena.data, "validation", 5))
    assert len(list((arena.cache.root / "task_training").iterdir())) == 2
