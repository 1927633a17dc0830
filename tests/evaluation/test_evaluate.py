import pytest
import torch
from common import episodes_of
from torch import Tensor

from syntrans_l2l.datasets.base import FewShotData
from syntrans_l2l.episodes.episodes import Episodes
from syntrans_l2l.episodes.sampler import stream_episodes
from syntrans_l2l.evaluation.evaluate import answers, stream_accuracies
from syntrans_l2l.evaluation.statistics import percent_right
from syntrans_l2l.methods.base import Arena
from syntrans_l2l.methods.protonet import ProtoNet


def test_a_stream_gives_each_method_the_same_episodes(arena: Arena) -> None:
    whole = episodes_of(arena.data, "test", 250)
    predicts = {
        name: ProtoNet(name).prepare(arena, whole).predict for name in ("cosine", "euclidean")
    }
    streamed = stream_accuracies(predicts, whole.batches(33))
    for name, predict in predicts.items():
        expected = percent_right(answers(predict, whole), whole.query_labels())
        assert torch.equal(streamed[name], expected)
    assert not torch.equal(streamed["cosine"], streamed["euclidean"])


def test_a_stream_is_read_once_and_not_kept(data: FewShotData) -> None:
    size = {"ways": 2, "shots": 1, "queries": 1, "count": 2500, "seed": 0}
    alive: list[int] = []

    def first_way(episodes: Episodes) -> Tensor:
        alive.append(len(episodes))
        return torch.tensor([1.0, 0.0]).expand(len(episodes), 2, 2)

    found = stream_accuracies({"first": first_way}, stream_episodes(data.test, **size))
    assert found["first"].tolist() == [50.0] * 2500
    assert max(alive) <= 1000 and sum(alive) == 2500


def test_logits_that_are_not_finite_are_refused(data: FewShotData) -> None:
    def diverged(episodes: Episodes) -> Tensor:
        return torch.full((len(episodes), 25, 5), float("nan"))

    with pytest.raises(ValueError, match="diverged: logits are not finite"):
        stream_accuracies({"diverged": diverged}, [episodes_of(data, "test", 2)])
