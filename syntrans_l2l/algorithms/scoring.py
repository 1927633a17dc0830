"""From a classifier and episodes to scores, in batches that stay in the processor's cache."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from syntrans_l2l.episodes.episodes import Episodes
from syntrans_l2l.episodes.gathering import batched_logits, cache_sized, gathered, products
from syntrans_l2l.methods.protonet import cosine_predict
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


@torch.no_grad()
def episode_scores(
    classifier: MultimodalClassifier,
    features: Tensor,
    bridged: Tensor | None,
    semantics: Tensor | None,
    episodes: Episodes,
) -> Scores:
    """Everything that the logits of any alpha and b are made of.

    Args:
        classifier: makes w_v and w_s.
        features: normalised features of the split, [n, D].
        bridged: its images in the semantic space, [n, M]; None for a visual classifier.
        semantics: normalised vectors of its classes, [C, M]; None for a visual classifier.
        episodes: E of them.
    """
    parts = []
    for batch in cache_sized(episodes, features.shape[1]):
        support = gathered(features, batch.support)  # [e, N, K, D]
        query = gathered(features, batch.query).flatten(1, 2)  # [e, N * Q, D]
        if semantics is None or bridged is None:
            visual, _ = classifier.weights(support)
            parts.append(score(query, visual))
            continue
        vectors = gathered(semantics, batch.class_ids)  # [e, N, M]
        visual, reconstructed = classifier.weights(support, vectors)
        named = gathered(bridged, batch.query).flatten(1, 2) @ vectors.mT
        parts.append(score(query, visual, reconstructed, named))
    return Scores.concatenate(parts)


def affinities(features: Tensor, episodes: Episodes) -> Tensor:
    """Cosines of queries with every shot: features n(z) [n, D] -> [E, N * Q, N, K]."""

    def cosines(support: Tensor, query: Tensor) -> Tensor:
        return torch.einsum("eqd,enkd->eqnk", query, support)

    return batched_logits(cosines, features, episodes)


def class_cosines(features: Tensor, weights: Tensor, episodes: Episodes) -> Tensor:
    """Cosines of queries with normalised class weights [C, D]: [E, N * Q, N]."""
    return products(features, lambda batch: gathered(weights, batch.class_ids), episodes)


def visual_cosines(features: Tensor, episodes: Episodes) -> Tensor:
    """Cosines of queries with the mean of the shots: cosine ProtoNet's, [E, N * Q, N]."""
    return cosine_predict(features)(episodes)
