"""Tip-Adapter: the support set as a cache beside the zero-shot classifier, without training."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from torch import Tensor

from syntrans_l2l.algorithms.scoring import affinities, class_cosines
from syntrans_l2l.algorithms.selection import choose, selected
from syntrans_l2l.episodes.episodes import Episodes
from syntrans_l2l.methods.base import Arena, Method, Predictor
from syntrans_l2l.methods.class_vectors import ridge_weights, shared_vectors
from syntrans_l2l.semantics.bank import SemanticBank

CLIP_SCALE = 100.0  # of cosines in CLIP's logits


def cache_logits(affinity: Tensor, zero_shot: Tensor, alpha: float, beta: float) -> Tensor:
    """100 cos(q, text) + alpha * sum_k exp(-beta (1 - cos(q, k))).

    Shapes: affinity [E, N * Q, N, K], zero_shot [E, N * Q, N], both cosines -> [E, N * Q, N].
    """
    cached = (-beta * (1 - affinity)).exp().sum(-1)  # the values are one-hot labels
    return CLIP_SCALE * zero_shot + alpha * cached


@dataclass(kw_only=True)
class TipAdapter(Method):
    """Zhang et al., "Tip-Adapter: training-free adaption of CLIP", ECCV 2022.

    Its text classifier needs an encoder whose space the text shares: a CLIP, or one that stage 1
    has taught, through its projection. For another encoder, a ridge regression on base classes
    carries the class vectors over: our adaptation.

    Args:
        shared_space: whether encoder and class vectors come from one CLIP.
        alphas: the grid of the cache's weight; picked on validation episodes, as are the others.
        betas: the grid of the affinity's sharpness.
        penalties: the grid of the ridge.
    """

    shared_space: bool = True
    alphas: Sequence[float] = (1.0, 3.0, 10.0, 30.0, 100.0, 300.0)
    betas: Sequence[float] = (5.5, 1.0, 2.0, 3.5, 8.0, 12.0)
    penalties: Sequence[float] = (1.0, 0.1, 10.0)

    uses_text = True
    selects = True

    def __post_init__(self) -> None:
        self.uses_base_classes = not self.shared_space
        self.name = "tip_adapter" if self.shared_space else "tip_adapter_ridge"

    @property
    def title(self) -> str:
        return "Tip-Adapter" if self.shared_space else "Tip-Adapter (ridge)"

    def texts(self, arena: Arena) -> list[SemanticBank]:
        aligned = arena.aligned_text if self.shared_space else None
        return super().texts(arena) if aligned is None else [aligned]

    def prepare(self, arena: Arena, validation: Episodes) -> Predictor:
        """Pick alpha and beta, and the ridge's penalty where there is a ridge.

        Raises:
            ValueError: no semantics, or class vectors of another width than the features.
        """
        features = arena.unit_features()
        shared = arena.shared_features() if self.shared_space else features
        if self.shared_space:
            weights = {0.0: shared_vectors(arena, self.name)}
        else:
            weights = {p: ridge_weights(arena, self.name, p) for p in self.penalties}
        affinity = affinities(features["validation"], validation)
        zero_shot = {
            p: class_cosines(shared["validation"], each["validation"], validation)
            for p, each in weights.items()
        }
        alpha, beta, penalty = choose(
            list(product(self.alphas, self.betas, weights)),
            lambda value: cache_logits(affinity, zero_shot[value[2]], value[0], value[1]),
            validation,
        )

        def predict(episodes: Episodes) -> Tensor:
            cosines = class_cosines(shared["test"], weights[penalty]["test"], episodes)
            return cache_logits(affinities(features["test"], episodes), cosines, alpha, beta)

        values: dict[str, object] = {"alpha": alpha, "beta": beta}
        grid: dict[str, object] = {"alpha": list(self.alphas), "beta": list(self.betas)}
        if not self.shared_space:
            values["penalty"], grid["penalty"] = penalty, list(self.penalties)
        return Predictor(predict, selected(values, grid, validation))
