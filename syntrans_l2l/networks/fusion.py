"""The multimodal classifier: visual and semantic weights mixed by alpha, and what joins them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F


@dataclass(frozen=True)
class Mix:
    """The weights of the parts of a logit.

    Args:
        alpha: the share of the visual weight, in both views.
        semantic_weight: b, of `cos(G_vs(query), s)`.
        whitened_weight: k, of the cosine in the whitened view.
        aligned_weight: c, of the cosine in the space that images and text share.
    """

    alpha: Tensor | float = 1.0
    semantic_weight: float = 0.0
    whitened_weight: float = 0.0
    aligned_weight: float = 0.0


def fuse(visual: Tensor, semantic: Tensor | None, alpha: Tensor | float) -> Tensor:
    """w = n(alpha n(w_v) + (1 - alpha) n(w_s)): [..., D] and [..., D] -> [..., D].

    Without w_s, and at a fixed alpha of 1, it is n(w_v) bit for bit.

    Source: the mixing by a coefficient alpha is in SynTrans' Figure 4; that both sides are
    normalised is our reconstruction.
    """
    if semantic is None or (isinstance(alpha, float) and alpha == 1.0):
        return F.normalize(visual, dim=-1)
    mixed = alpha * F.normalize(visual, dim=-1) + (1 - alpha) * F.normalize(semantic, dim=-1)
    return F.normalize(mixed, dim=-1)


@dataclass(frozen=True)
class FusedCosines:
    """Inner products from which cos(query, fuse(w_v, w_s, alpha)) follows for every alpha.

    Shapes: visual and semantic [E, N * Q, N]: cosines of queries with w_v and with w_s;
    agreement [E, 1, N]: the cosine of w_v with w_s.
    """

    visual: Tensor
    semantic: Tensor
    agreement: Tensor

    def at(self, alpha: Tensor | float) -> Tensor:
        """[E, N * Q, N]; at alpha = 1 the visual cosine comes back bit for bit.

        w need not be formed: |alpha w_v + (1 - alpha) w_s|^2 =
        alpha^2 + (1 - alpha)^2 + 2 alpha (1 - alpha) cos(w_v, w_s).
        """
        if isinstance(alpha, float) and alpha == 1.0:
            return self.visual
        squared = alpha**2 + (1 - alpha) ** 2 + 2 * alpha * (1 - alpha) * self.agreement
        norm = squared.clamp_min(1e-12).sqrt()
        return (alpha * self.visual + (1 - alpha) * self.semantic) / norm

    def map(self, change: Callable[[Tensor], Tensor]) -> "FusedCosines":
        """The same with every tensor changed."""
        return FusedCosines(change(self.visual), change(self.semantic), change(self.agreement))


@dataclass(frozen=True)
class Scores:
    """What the logits of every mix are made of.

    Shapes: plain and whitened, the cosines in the two views; bridged and aligned [E, N * Q, N]:
    cosines of bridged queries with class vectors, and of aligned queries with the text's vectors.
    None where there is no such part.
    """

    plain: FusedCosines
    bridged: Tensor | None = None
    whitened: FusedCosines | None = None
    aligned: Tensor | None = None

    def logits(self, mix: Mix) -> Tensor:
        """The plain cosine + b bridged + k whitened + c aligned: [E, N * Q, N]."""
        logits = self.plain.at(mix.alpha)
        if self.bridged is not None and mix.semantic_weight != 0.0:
            logits = logits + mix.semantic_weight * self.bridged
        if self.whitened is not None and mix.whitened_weight != 0.0:
            logits = logits + mix.whitened_weight * self.whitened.at(mix.alpha)
        if self.aligned is not None and mix.aligned_weight != 0.0:
            logits = logits + mix.aligned_weight * self.aligned
        return logits

    def map(self, change: Callable[[Tensor], Tensor]) -> "Scores":
        """The same with every tensor changed."""
        return Scores(
            self.plain.map(change),
            None if self.bridged is None else change(self.bridged),
            None if self.whitened is None else self.whitened.map(change),
            None if self.aligned is None else change(self.aligned),
        )

    @staticmethod
    def concatenate(parts: Sequence["Scores"]) -> "Scores":
        """Scores of batches, put together along E."""
        joined = [_joined([getattr(part, each.name) for part in parts]) for each in fields(Scores)]
        return Scores(*joined)


def _joined(parts: Sequence[Any]) -> Any:
    """Tensors, or FusedCosines, put together along E; None where there are none."""
    first = parts[0]
    if isinstance(first, FusedCosines):
        names = [each.name for each in fields(FusedCosines)]
        return FusedCosines(*(torch.cat([getattr(p, name) for p in parts]) for name in names))
    return None if first is None else torch.cat(list(parts))


def fused_cosines(query: Tensor, visual: Tensor, semantic: Tensor | None = None) -> FusedCosines:
    """Of normalised queries [E, N * Q, D] with weights w_v, w_s [E, N, D].

    Without w_s, the visual weight stands on both sides and alpha changes nothing.
    """
    visual = F.normalize(visual, dim=-1)
    semantic = visual if semantic is None else F.normalize(semantic, dim=-1)
    return FusedCosines(
        visual=torch.einsum("eqd,end->eqn", query, visual),
        semantic=torch.einsum("eqd,end->eqn", query, semantic),
        agreement=(visual * semantic).sum(-1)[:, None],
    )
