"""ProtoNet on the frozen student: nearest class mean, Euclidean or cosine."""

from dataclasses import dataclass
from typing import Literal

from torch import Tensor
from torch.nn import functional as F

from syntrans_l2l.episodes.episodes import Episodes
from syntrans_l2l.episodes.gathering import batched_logits, gathered, products
from syntrans_l2l.methods.base import Arena, Method, Predict, Predictor


@dataclass
class ProtoNet(Method):
    """Snell et al., "Prototypical networks for few-shot learning", NeurIPS 2017.

    Applied to a student from base training, as Chen et al. (ICLR 2019) and Meta-Baseline
    (ICCV 2021) do. Euclidean equals learn2learn's PrototypicalClassifier; cosine equals it on
    normalised support features, so that each shot counts the same.

    Args:
        distance: "euclidean" or "cosine".

    Raises:
        ValueError: another distance.
    """

    distance: Literal["euclidean", "cosine"] = "euclidean"

    def __post_init__(self) -> None:
        if self.distance not in ("euclidean", "cosine"):
            raise ValueError(
                f"ProtoNet.distance must be euclidean or cosine, got {self.distance!r}"
            )
        self.name = "protonet" if self.distance == "euclidean" else "protonet_cosine"

    @property
    def title(self) -> str:
        return "ProtoNet" if self.distance == "euclidean" else "ProtoNet (cosine)"

    def prepare(self, arena: Arena, validation: Episodes) -> Predictor:
        features = arena.features["test"].to(arena.device)
        if self.distance == "cosine":
            return Predictor(cosine_predict(F.normalize(features, dim=-1)))
        return Predictor(lambda episodes: batched_logits(euclidean_logits, features, episodes))


def euclidean_logits(support: Tensor, query: Tensor) -> Tensor:
    """Minus the squared distance to the class means.

    Shapes: support [E, N, K, D], query [E, N * Q, D] -> [E, N * Q, N].
    """
    prototypes = support.mean(2)  # [E, N, D]
    cross = query @ prototypes.mT  # [E, N * Q, N]
    squared = query.square().sum(-1)[..., None] + prototypes.square().sum(-1)[:, None]
    return 2 * cross - squared


def cosine_predict(features: Tensor) -> Predict:
    """Cosine to the mean of the shots, over normalised features [n, D] of a split.

    At one shot a prototype is one image's: all of them are made here, once.
    """
    lone = F.normalize(features, dim=-1)

    def prototypes(batch: Episodes) -> Tensor:  # [e, N, D]
        if batch.shots == 1:
            return gathered(lone, batch.support[..., 0])
        return F.normalize(gathered(features, batch.support).mean(2), dim=-1)

    return lambda episodes: products(features, prototypes, episodes)
