"""Classes of learn2learn and easyfsl as rows, against ours."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from common import accuracies_of, episodes_of
from easyfsl.methods import BDCSPN, PrototypicalNetworks, SimpleShot
from torch import nn

from syntrans_l2l._learn2learn import learn2learn
from syntrans_l2l.cache import digest
from syntrans_l2l.methods.base import Arena
from syntrans_l2l.methods.from_module import FromModule
from syntrans_l2l.methods.protonet import ProtoNet

l2l = learn2learn()


@pytest.mark.parametrize("shots", [1, 3])
@pytest.mark.parametrize(
    "module", [l2l.nn.PrototypicalClassifier(), PrototypicalNetworks()], ids=["l2l", "easyfsl"]
)
def test_prototypes_of_both_libraries_are_ours(arena: Arena, module: Any, shots: int) -> None:
    validation, test = (episodes_of(arena.data, s, 100, shots) for s in ("validation", "test"))
    ours = ProtoNet().prepare(arena, validation).predict
    row = FromModule(module=module)
    theirs = row.prepare(arena, validation).predict
    assert torch.equal(accuracies_of(theirs, test), accuracies_of(ours, test))
    assert accuracies_of(ours, test).std() > 0 and not row.is_transductive


def test_learn2learns_cosine_is_ours_at_one_shot(arena: Arena) -> None:
    validation, test = (episodes_of(arena.data, split, 100) for split in ("validation", "test"))
    module = l2l.nn.PrototypicalClassifier(distance="cosine")
    theirs = FromModule(module=module).prepare(arena, validation).predict
    ours = ProtoNet("cosine").prepare(arena, validation).predict
    assert torch.equal(accuracies_of(theirs, test), accuracies_of(ours, test))


def test_another_classifier_of_learn2learn(arena: Arena) -> None:
    validation, test = (episodes_of(arena.data, split, 20, 3) for split in ("validation", "test"))
    predict = FromModule(module=l2l.nn.SVClassifier(normalize=True)).prepare(arena, validation)
    assert accuracies_of(predict.predict, test).mean() > 30


def test_the_module_says_that_it_is_transductive_and_stays_as_it_is(arena: Arena) -> None:
    module = BDCSPN()
    row = FromModule(module=module, name="mine", episodes=7)
    assert row.is_transductive and row.name == "mine" and row.episodes == 7
    before = vars(module).copy()
    test = episodes_of(arena.data, "test", 3)
    row.prepare(arena, test).predict(test)
    assert vars(module).keys() == before.keys()
    assert module.prototypes is before["prototypes"]


def test_settings_tell_modules_apart() -> None:
    torch.manual_seed(0)
    head, other = nn.Linear(24, 8), nn.Linear(24, 8)
    modules = [
        PrototypicalNetworks(head),
        PrototypicalNetworks(other),
        SimpleShot(head),
        PrototypicalNetworks(head, use_softmax=True),
        l2l.nn.SVClassifier(max_iters=15),
        l2l.nn.SVClassifier(max_iters=3),
        l2l.nn.PrototypicalClassifier(distance=nn.functional.pairwise_distance),
        l2l.nn.PrototypicalClassifier(distance=nn.functional.cosine_similarity),
    ]
    keys = [digest(FromModule(module=each).settings()) for each in modules]
    assert len(set(keys)) == len(keys)
    assert keys[0] == digest(FromModule(module=PrototypicalNetworks(head)).settings())


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (nn.Linear(2, 2), "^Linear is no row.*fit_ or easyfsl's process_support_set"),
        (lambda support, query: query, "becomes a row by @row"),
        (PrototypicalNetworks, r"^PrototypicalNetworks is a class: give an object"),
    ],
)
def test_what_is_no_row(module: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        FromModule(module=module)


def test_another_shape_names_the_row(arena: Arena) -> None:
    class Wide(PrototypicalNetworks):  # type: ignore[misc]  # easyfsl is untyped
        def forward(self, query: torch.Tensor) -> torch.Tensor:
            return torch.zeros(len(query), 7)

    test = episodes_of(arena.data, "test", 3)
    predict = FromModule(module=Wide()).prepare(replace(arena), test).predict
    with pytest.raises(ValueError, match=r"^row wide must return logits .* \[25, 5\], got \[25, 7"):
        predict(test)
