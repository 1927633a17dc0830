"""From a classifier and episodes to scores, in batches that stay in the processor's cache."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from syntrans_l2l.episodes.episodes import Episodes
from syntrans_l2l.episodes.gathering import batched_logits, cache_sized, gathered, products
from syntrans_l2l.networks.bridge import Bridge
from syntrans_l2l.networks.classifier import MultimodalClassifier
from syntrans_l2l.networks.fusion import Scores, score


def to_semantic(bridges: Sequence[Bridge], features: Tensor) -> Tensor | None:
    """The mean of all bridges' n(G_vs(n(z))), normalised: [n, D] -> [n, M].

    None where there is no bridge.
    """
    if not bridges:
        return None
    total = torch.stack([bridge.to_semantic(features) for bridge in bridges]).sum(0)
    return F.normalize(total, dim=-1)


@dataclass(frozen=True)
class Given:
    """What logits of a split's episodes are made of.

    Shapes: features n(z) [n, D]; bridged, their images in the semantic space, [n, M]; vectors,
    normalised class vectors s, [C, M]. The last two are None for a visual classifier.
    """

    features: Tensor
    bridged: Tensor | None = None
    vectors: Tensor | None = None


@torch.no_grad()
def episode_scores(classifier: MultimodalClassifier, given: Given, episodes: Episodes) -> Scores:
    """Everything that the logits of any alpha and semantic weight are made of."""
    parts = []
    for batch in cache_sized(episodes, given.features.shape[1]):
        support = gathered(given.features, batch.support)  # [e, N, K, D]
        query = gathered(given.features, batch.query).flatten(1, 2)  # [e, N * Q, D]
        if given.vectors is None or given.bridged is None:
            parts.append(score(query, *classifier.weights(support)))
            continue
        vectors = gathered(given.vectors, batch.class_ids)  # [e, N, M]
        cosines = gathered(given.bridged, batch.query).flatten(1, 2) @ vectors.mT
        parts.append(score(query, *classifier.weights(support, vectors), cosines))
    return Scores.concatenate(parts)


def affinities(features: Tensor, episodes: Episodes) -> Tensor:
    """Cosines of queries with every shot: features n(z) [n, D] -> [E, N * Q, N, K]."""

    def cosines(support: Tensor, query: Tensor) -> Tensor:
        return torch.einsum("eqd,enkd->eqnk", query, support)

    return batched_logits(cosines, features, episodes)


def class_cosines(features: Tensor, weights: Tensor, episodes: Episodes) -> Tensor:
    """Cosines of queries with normalised class weights [C, D]: [E, N * Q, N]."""
    return products(features, lambda batch: gathered(weights, batch.class_ids), episodes)
