"""SynTrans with alpha and b chosen: one inner product for a query and a class."""

import torch
from torch import Tensor
from torch.nn import functional as F

from syntrans_l2l.episodes.episodes import Episodes
from syntrans_l2l.episodes.gathering import gathered, products
from syntrans_l2l.networks.classifier import MultimodalClassifier
from syntrans_l2l.networks.fusion import fuse


class OneProduct:
    """cos(z, w) + b cos(g, s) as the inner product of [z; g] with [w; b s].

    The same logits as `episode_scores(...).logits(alpha, b)`, without a score for each alpha. At
    one shot w belongs to one image: it is made when the image is first drawn, and kept.

    Args:
        classifier: makes w_v and w_s.
        features: n(z) of the split, [n, D].
        bridged: g, its images in the semantic space, [n, M]; None for a visual classifier.
        semantics: normalised vectors s of its classes, [C, M]; None for a visual classifier.
        alpha: the share of w_v.
        b: the weight of cos(g, s).
    """

    def __init__(
        self,
        classifier: MultimodalClassifier,
        features: Tensor,
        bridged: Tensor | None,
        semantics: Tensor | None,
        alpha: float,
        b: float,
    ) -> None:
        self.classifier = classifier
        self.features = features
        self.semantics = semantics
        self.alpha = alpha
        self.b = b
        self._named = bridged is not None and b != 0.0
        self._queries = features
        if bridged is not None and self._named:
            self._queries = torch.cat([features, bridged], dim=-1)  # [n, D + M]
        self._of_image = torch.empty_like(features)  # w where the image is the only shot
        self._made = torch.zeros(len(features), dtype=torch.bool)

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
        if self.semantics is None or not self._named:
            return weight
        vectors = gathered(self.semantics, batch.class_ids)  # [e, N, M]
        return torch.cat([weight, self.b * vectors], dim=-1)

    def _make(self, episodes: Episodes) -> None:
        """Weights of the shots that no earlier episode had."""
        pairs = torch.stack([episodes.support.flatten(), episodes.class_ids.flatten()], dim=1)
        shots, classes = pairs[~self._made[pairs[:, 0]]].unique(dim=0).unbind(1)
        weights = self._weights(shots[:, None, None], classes[:, None])[:, 0]
        self._of_image[shots.to(weights.device)] = weights
        self._made[shots] = True

    def _weights(self, support: Tensor, class_ids: Tensor) -> Tensor:
        """Normalised weights [e, N, D] of support images [e, N, K] of classes [e, N]."""
        vectors = None if self.semantics is None else gathered(self.semantics, class_ids)
        visual, semantic = self.classifier.weights(gathered(self.features, support), vectors)
        if semantic is None or self.alpha == 1.0:
            return F.normalize(visual, dim=-1)
        return F.normalize(fuse(visual, semantic, self.alpha), dim=-1)
