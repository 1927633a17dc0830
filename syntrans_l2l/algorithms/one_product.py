"""SynTrans with its mix chosen: one inner product for a query and a class."""

import torch
from torch import Tensor

from syntrans_l2l.algorithms.scoring import Given
from syntrans_l2l.episodes.episodes import Episodes
from syntrans_l2l.episodes.gathering import gathered, products
from syntrans_l2l.networks.classifier import MultimodalClassifier
from syntrans_l2l.networks.fusion import Mix, fuse


class OneProduct:
    """cos(z, w) + k cos(z_w, w') + b cos(g, s) + c cos(a, t) as one inner product.

    It is that of [z; z_w; g; a] with [w; k w'; b s; c t]: the same logits as
    `episode_scores(...).logits(mix)`, without a score for each mix. At one shot w and w' belong
    to one image: they are made when the image is first drawn, and kept.

    Args:
        classifier: makes w_v and w_s.
        given: features and class vectors of the split.
        mix: alpha, k, b and c; parts of weight 0 are left out.
    """

    def __init__(self, classifier: MultimodalClassifier, given: Given, mix: Mix) -> None:
        self.classifier = classifier
        self.given = given
        self.mix = mix
        self._view = given.whitened if mix.whitened_weight != 0.0 else None
        rows, table = [given.features], []
        if self._view is not None:
            rows.append(self._view.features)
        if given.bridged is not None and given.vectors is not None and mix.semantic_weight != 0.0:
            rows.append(given.bridged)
            table.append(mix.semantic_weight * given.vectors)
        shared = given.aligned
        if shared is not None and shared.vectors is not None and mix.aligned_weight != 0.0:
            rows.append(shared.features)
            table.append(mix.aligned_weight * shared.vectors)
        self._queries = torch.cat(rows, dim=-1)  # [z; z_w; g; a] of every image
        self._table = torch.cat(table, dim=-1) if table else None  # [b s; c t] of every class
        count, width = given.features.shape
        width = width if self._view is None else 2 * width
        self._of_image = given.features.new_empty(count, width)  # where it is the only shot
        self._made = torch.zeros(count, dtype=torch.bool)

    @torch.no_grad()
    def logits(self, episodes: Episodes) -> Tensor:
        """[E, N * Q, N]."""
        if episodes.shots == 1:
            self._make(episodes)
        return products(self._queries, self._of_batch, episodes)

    def _of_batch(self, batch: Episodes) -> Tensor:
        """[w; k w'; b s; c t] of a batch's classes, [e, N, ...]."""
        if batch.shots == 1:
            weight = gathered(self._of_image, batch.support[..., 0])
        else:
            weight = self._weights(batch.support, batch.class_ids)
        if self._table is None:
            return weight
        return torch.cat([weight, gathered(self._table, batch.class_ids)], dim=-1)

    def _make(self, episodes: Episodes) -> None:
        """Weights of the shots that no earlier episode had."""
        pairs = torch.stack([episodes.support.flatten(), episodes.class_ids.flatten()], dim=1)
        shots, classes = pairs[~self._made[pairs[:, 0]]].unique(dim=0).unbind(1)
        weights = self._weights(shots[:, None, None], classes[:, None])[:, 0]
        self._of_image[shots.to(weights.device)] = weights
        self._made[shots] = True

    def _weights(self, support: Tensor, class_ids: Tensor) -> Tensor:
        """[w; k w'] of support images [e, N, K] of classes [e, N]: [e, N, D or 2 D]."""
        given, vectors = self.given, None
        if given.vectors is not None:
            vectors = gathered(given.vectors, class_ids)  # [e, N, M]
        shots = gathered(given.features, support)  # [e, N, K, D]
        weight = fuse(*self.classifier.weights(shots, vectors), self.mix.alpha)
        if (view := self._view) is None:
            return weight
        mean = gathered(view.features, support).mean(2)
        made = None if view.weights is None else gathered(view.weights, class_ids)
        whitened = fuse(mean, made, self.mix.alpha)
        return torch.cat([weight, self.mix.whitened_weight * whitened], dim=-1)
