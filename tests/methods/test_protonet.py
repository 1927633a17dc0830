import pytest
import torch
from torch.nn import functional as F

from syntrans_l2l._learn2learn import learn2learn
from syntrans_l2l.datasets.base import FewShotData
from syntrans_l2l.episodes.episodes import sample_episodes
from syntrans_l2l.episodes.size import EpisodeSize
from syntrans_l2l.methods.protonet import ProtoNet, cosine_predict, euclidean_logits

PrototypicalClassifier = learn2learn().nn.PrototypicalClassifier


@pytest.mark.parametrize("shots", [1, 3])
@pytest.mark.parametrize("distance", ["euclidean", "cosine"])
def test_batched_equals_learn2learn_episode_by_episode(
    data: FewShotData, distance: str, shots: int
) -> None:
    episodes = sample_episodes(data.test, EpisodeSize(shots=shots, queries=4, episodes=30), seed=0)
    features = torch.randn(len(data.test.labels), 16, generator=torch.Generator().manual_seed(0))
    if distance == "cosine":
        features = F.normalize(features, dim=-1)
    support, query = features[episodes.support], features[episodes.query].flatten(1, 2)
    if distance == "cosine":
        logits = cosine_predict(features)(episodes)
    else:
        logits = euclidean_logits(support, query)
    for row in range(len(episodes)):
        oracle = PrototypicalClassifier(
            support[row].flatten(0, 1), torch.arange(5).repeat_interleave(shots), distance=distance
        )
        expected = oracle(query[row])
        torch.testing.assert_close(logits[row], expected, rtol=1e-5, atol=1e-5)


def test_unknown_distance() -> None:
    with pytest.raises(ValueError, match="euclidean or cosine"):
        ProtoNet("manhattan")  # type: ignore[arg-type]
