"""SynTrans with alpha and the semantic weight chosen: one inner product for a query and a class."""

import torch
from torch import Tensor

from syntrans_l2l.algorithms.scoring import Given
from syntrans_l2l.episodes.episodes import Episodes
from syntrans_l2l.episodes.gathering import gathered, products
from syntrans_l2l.networks.classifier import MultimodalClassifier
from syntrans_l2l.networks.fusion import fuse


class OneProduct:
    """cos(z, w) + b cos(g, s) as the inner product of [z; g] with [w; b s].

    The same logits as `episode_scores(...).logits(alpha, b)`, without a score for each alpha; b
    is the semantic weight. At one shot w belongs to one image: it is made when the image is first
    drawn, and kept.

    Args:
        classifier: makes w_v and w_s.
        given: features and class vectors of the split.
        alpha: the share of w_v.
        semantic_weight: b.
    """

    def __init__(
        self,
        classifier: MultimodalClassifier,
        given: Given,
        alpha: Tensor | float,
        semantic_weight: float,
    ) -> None:
        self.classifier = classifier
        self.given = given
        self.alpha = alpha
        self.semantic_weight = semantic_weight
        self._queries = given.features
        if given.bridged is not None and semantic_weight != 0.0:
            self._queries = torch.cat([given.features, given.bridged], dim=-1)  # [n, D + M]
        self._of_image = torch.empty_like(given.features)  # w where the image is the only shot
        self._made = torch.zeros(len(given.features), dtype=torch.bool)

    @torch.no_grad()
    def logits(self, episodes: Episodes) -> Tensor:
        """[E, N * Q, N]."""
        if episodes.shots == 1:
            self._make(episodes)
        return products(self._queries, self._of_batch, episodes)

    def _of_batch(self, batch: Episodes) -> Tensor:
        """[w; b s], [e, N, D + M]."""
        if batch.shots == 1:
            weight = gathered(self._of_image, batch.support[..., 0])  # [e, N, D]
        else:
            weight = self._weights(batch.support, batch.class_ids)
        if self.given.vectors is None or self.semantic_weight == 0.0:
            return weight
        vectors = gathered(self.given.vectors, batch.class_ids)  # [e, N, M]
        return torch.cat([weight, self.semantic_weight * vectors], dim=-1)

    def _make(self, episodes: Episodes) -> None:
        """Weights of the shots that no earlier episode had."""
        pairs = torch.stack([episodes.support.flatten(), episodes.class_ids.flatten()], dim=1)
        shots, classes = pairs[~self._made[pairs[:, 0]]].unique(dim=0).unbind(1)
        weights = self._weights(shots[:, None, None], classes[:, None])[:, 0]
        self._of_image[shots.to(weights.device)] = weights
        self._made[shots] = True

    def _weights(self, support: Tensor, class_ids: Tensor) -> Tensor:
        """Normalised weights [e, N, D] of support images [e, N, K] of classes [e, N]."""
        given, vectors = self.given, None
        if given.vectors is not None:
            vectors = gathered(given.vectors, class_ids)  # [e, N, M]
        shots = gathered(given.features, support)  # [e, N, K, D]
        return fuse(*self.classifier.weights(shots, vectors), self.alpha)
