"""From a classifier and episodes to scores, in batches that stay in the processor's cache."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from syntrans_l2l.algorithms.labelled_features import Aligned
from syntrans_l2l.episodes.episodes import Episodes
from syntrans_l2l.episodes.gathering import batched_logits, cache_sized, gathered, products
from syntrans_l2l.networks.bridge import Bridge
from syntrans_l2l.networks.classifier import MultimodalClassifier
from syntrans_l2l.networks.fusion import Scores, fused_cosines
from syntrans_l2l.networks.whitening import WhitenedView


def to_semantic(bridges: Sequence[Bridge], features: Tensor) -> Tensor | None:
    """The mean of all bridges' n(G_vs(n(z))), normalised: [n, D] -> [n, M].

    None where there is no bridge.
    """
    if not bridges:
        return None
    total = torch.stack([bridge.to_semantic(features) for bridge in bridges]).sum(0)
    return F.normalize(total, dim=-1)


@dataclass(frozen=True)
class Whitened:
    """A split in the whitened view: features z_w [n, D], and w_s' [C, D] where there is text."""

    features: Tensor
    weights: Tensor | None


@dataclass(frozen=True)
class Given:
    """What logits of a split's episodes are made of; None for what there is not.

    Args:
        features: n(z), [n, D].
        bridged: their images in the semantic space, normalised, [n, M].
        vectors: centred and normalised class vectors s, [C, M].
        whitened: the same images and classes in the whitened view.
        aligned: images and classes in the space that they share, normalised.
    """

    features: Tensor
    bridged: Tensor | None = None
    vectors: Tensor | None = None
    whitened: Whitened | None = None
    aligned: Aligned | None = None


@torch.no_grad()
def given_of(
    features: Tensor,
    vectors: Tensor | None,
    *,
    bridges: Sequence[Bridge],
    view: WhitenedView | None,
    aligned: Aligned | None,
) -> Given:
    """What the fitted parts make of a split.

    Args:
        features: n(z), [n, D].
        vectors: centred and normalised class vectors [C, M].
        bridges: of all folds; none for a visual classifier.
        view: the whitened view, where it is used.
        aligned: images and classes in a space that they share, where there is one.
    """
    return Given(
        features,
        None if vectors is None else to_semantic(bridges, features),
        vectors,
        None if view is None else _whitened(view, features, vectors),
        None if aligned is None else aligned.unit(features.device),
    )


def _whitened(view: WhitenedView, features: Tensor, vectors: Tensor | None) -> Whitened:
    return Whitened(view(features), None if vectors is None else view.of_text(vectors))


@torch.no_grad()
def episode_scores(classifier: MultimodalClassifier, given: Given, episodes: Episodes) -> Scores:
    """Everything that the logits of any mix are made of."""

    def cosines(features: Tensor, table: Tensor) -> Tensor:  # [e, N * Q, N]
        return queries(features) @ gathered(table, batch.class_ids).mT

    def queries(features: Tensor) -> Tensor:
        return gathered(features, batch.query).flatten(1, 2)

    parts = []
    for batch in cache_sized(episodes, given.features.shape[1]):
        vectors = bridged = whitened = aligned = None
        if given.vectors is not None and given.bridged is not None:
            vectors = gathered(given.vectors, batch.class_ids)  # [e, N, M]
            bridged = cosines(given.bridged, given.vectors)
        if (view := given.whitened) is not None:
            mean, of_text = gathered(view.features, batch.support).mean(2), view.weights
            made = None if of_text is None else gathered(of_text, batch.class_ids)
            whitened = fused_cosines(queries(view.features), mean, made)
        if given.aligned is not None and given.aligned.vectors is not None:
            aligned = cosines(given.aligned.features, given.aligned.vectors)
        weights = classifier.weights(gathered(given.features, batch.support), vectors)
        plain = fused_cosines(queries(given.features), *weights)
        parts.append(Scores(plain, bridged, whitened, aligned))
    return Scores.concatenate(parts)


def affinities(features: Tensor, episodes: Episodes) -> Tensor:
    """Cosines of queries with every shot: features n(z) [n, D] -> [E, N * Q, N, K]."""

    def cosines(support: Tensor, query: Tensor) -> Tensor:
        return torch.einsum("eqd,enkd->eqnk", query, support)

    return batched_logits(cosines, features, episodes)


def class_cosines(features: Tensor, weights: Tensor, episodes: Episodes) -> Tensor:
    """Cosines of queries with normalised class weights [C, D]: [E, N * Q, N]."""
    return products(features, lambda batch: gathered(weights, batch.class_ids), episodes)
