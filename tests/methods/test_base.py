"""What a row has without saying so, and what it may be asked before any training."""

from dataclasses import dataclass, replace

import pytest
import torch
from common import episodes_of
from torch import nn

from syntrans_l2l.cache import digest
from syntrans_l2l.episodes.episodes import Episodes
from syntrans_l2l.methods.am3 import Am3
from syntrans_l2l.methods.anil import Anil
from syntrans_l2l.methods.base import Arena, Method, Predictor
from syntrans_l2l.methods.episodic_protonet import EpisodicProtoNet
from syntrans_l2l.methods.maml import Maml
from syntrans_l2l.methods.meta_sgd import MetaSgd
from syntrans_l2l.methods.metaoptnet import MetaOptNet
from syntrans_l2l.methods.protonet import ProtoNet
from syntrans_l2l.methods.semfew import SemFew
from syntrans_l2l.methods.simpleshot import SimpleShot
from syntrans_l2l.methods.task_training import TaskTraining
from syntrans_l2l.methods.tip_adapter import TipAdapter
from syntrans_l2l.methods.zero_shot import ZeroShot
from syntrans_l2l.training.bridge import BridgeTraining


@dataclass
class MyGuess(Method):
    temperature: float = 2.0

    def prepare(self, arena: Arena, validation: Episodes) -> Predictor:
        return Predictor(lambda e: torch.zeros(len(e), e.ways * e.queries, e.ways))


def test_an_own_row_states_only_what_is_unusual() -> None:
    mine = MyGuess()
    assert (mine.name, mine.title) == ("my_guess", "My guess")
    assert mine.uses_student and mine.episodes is None
    assert not any(
        (mine.uses_text, mine.uses_teacher_images, mine.is_transductive, mine.selects,
         mine.uses_base_classes)
    )  # fmt: skip
    mine.check({}, ways=5, shots=1)
    assert mine.settings() == {"temperature": 2.0}


def test_settings_of_a_plain_class_know_what_networks_hold() -> None:
    torch.manual_seed(0)
    first, same, other = nn.Linear(2, 2), nn.Linear(2, 2), nn.Linear(2, 2)
    same.load_state_dict(first.state_dict())
    keys = [digest(_Plain(each, 1, 2).settings()) for each in (first, same, other)]
    assert keys[0] == keys[1] != keys[2]
    assert _Plain(first, 1, 2).settings()["steps"] == [1, 2]


def test_settings_of_a_plain_class_made_of_a_dataclass_are_all_that_it_holds() -> None:
    """Red before: the fields of the dataclass alone, so that another `strength` was the same."""

    class Shrunk(ProtoNet):
        def __init__(self, strength: float) -> None:
            super().__init__("cosine")
            self.strength = strength

    assert Shrunk(0.1).settings() == {"distance": "cosine", "strength": 0.1}


class _Plain(Method):
    name = "plain"

    def __init__(self, network: nn.Module, *steps: int) -> None:
        self.network, self.steps = network, steps

    def prepare(self, arena: Arena, validation: Episodes) -> Predictor:
        raise NotImplementedError


def test_titles_are_those_of_papers() -> None:
    rows: list[Method] = [
        ProtoNet(), ProtoNet("cosine"), SimpleShot(), Maml(), Anil(), MetaSgd(), MetaOptNet(),
        Am3(), SemFew(), TipAdapter(), ZeroShot(shared_space=False), EpisodicProtoNet(),
    ]  # fmt: skip
    assert [row.title for row in rows] == [
        "ProtoNet", "ProtoNet (cosine)", "SimpleShot", "MAML", "ANIL", "Meta-SGD", "MetaOptNet",
        "AM3", "SemFew", "Tip-Adapter", "Zero-shot (ridge)", "ProtoNet, trained on episodes",
    ]  # fmt: skip


def test_a_row_with_a_network_of_its_own_names_it() -> None:
    assert Maml(training=TaskTraining(hidden_size=8)).encoder_name == "CNN4, 8 channels"
    assert Anil().encoder_name == "CNN4, 32 channels"


BASE = {"wolf": 30, "fox": 30, "lynx": 12, "bear": 30, "hare": 30}
TRAINED = [Am3(), Maml(training=TaskTraining(queries=10)), MetaOptNet()]


@pytest.mark.parametrize("method", TRAINED, ids=lambda method: method.name)
def test_few_images_of_a_base_class_are_found_before_training(method: Method) -> None:
    method.check({**BASE, "lynx": 30}, ways=5, shots=5)
    with pytest.raises(ValueError, match=rf"^{method.name} trains on .*'lynx' has 12"):
        method.check(BASE, ways=5, shots=5)
    with pytest.raises(ValueError, match=rf"^{method.name} .*6 ways asked for.*only 5 classes"):
        method.check(BASE, ways=6, shots=1)


def test_semfew_takes_one_image_a_class_and_every_bridge(arena: Arena) -> None:
    labels = arena.data.train.labels
    rows = torch.tensor([int(torch.where(labels == c)[0][0]) for c in range(12)])
    train = replace(arena.data.train, images=arena.data.train.images[rows], labels=labels[rows])
    features = {**arena.features, "train": arena.features["train"][rows]}
    few = replace(arena, data=replace(arena.data, train=train), features=features)
    training = BridgeTraining(
        hidden=8, epochs=2, both_ways=False, condition_on_visual=False, dropout=0.1
    )
    method = SemFew(training=training)
    method.check(train.named_counts(), ways=5, shots=5)
    for place in (arena, few):
        predictor = method.prepare(place, episodes_of(arena.data, "validation", 5))
        assert predictor.predict(episodes_of(arena.data, "test", 5)).isfinite().all()
