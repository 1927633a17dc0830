import weakref
from collections.abc import Iterator

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
    """When a block is asked for, no block but the last is still in memory."""
    blocks: list[weakref.ref[Episodes]] = []
    alive: list[int] = []
    asked: list[int] = []

    def stream() -> Iterator[Episodes]:
        drawn = stream_episodes(data.test, ways=2, shots=1, queries=1, count=4500, seed=0)
        while True:
            alive.append(sum(block() is not None for block in blocks))
            block = next(drawn, None)
            if block is None:
                return
            blocks.append(weakref.ref(block))
            yield block
            del block

    def first_way(episodes: Episodes) -> Tensor:
        asked.append(len(episodes))
        return torch.tensor([1.0, 0.0]).expand(len(episodes), 2, 2)

    found = stream_accuracies({"first": first_way, "again": first_way}, stream())
    assert found["first"].tolist() == found["again"].tolist() == [50.0] * 4500
    assert sum(asked) == 2 * 4500 and len(blocks) == 5
    assert alive == [0, 1, 1, 1, 1, 1]


def test_logits_that_are_not_finite_are_refused(data: FewShotData) -> None:
    def diverged(episodes: Episodes) -> Tensor:
        return torch.full((len(episodes), 25, 5), float("nan"))

    with pytest.raises(ValueError, match="diverged: logits are not finite"):
        stream_accuracies({"diverged": diverged}, [episodes_of(data, "test", 2)])
