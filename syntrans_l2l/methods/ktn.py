"""KTN's fusion: the scores of a visual and of a knowledge classifier, added."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from torch import Tensor

from syntrans_l2l.algorithms.scoring import class_cosines
from syntrans_l2l.algorithms.selection import choose, selected
from syntrans_l2l.episodes.episodes import Episodes
from syntrans_l2l.methods.base import Arena, Method, Predictor
from syntrans_l2l.methods.class_vectors import ridge_weights
from syntrans_l2l.methods.protonet import cosine_predict


@dataclass(frozen=True, kw_only=True)
class Ktn(Method):
    """Peng et al., "Few-shot image recognition with knowledge transfer", ICCV 2019.

    Score = cos(q, w_v) + lambda cos(q, w_k), where w_v is the mean of the shots and w_k comes
    from the class's knowledge. The paper infers w_k by a graph network over WordNet, fitted to
    the base classes' weights by least squares; here, where all methods share the same class
    vectors, it is a ridge regression from them: our adaptation.

    Args:
        lambdas: the grid of lambda, picked on validation episodes; the first is the yardstick.
        penalties: the grid of the ridge.
    """

    lambdas: Sequence[float] = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0)
    penalties: Sequence[float] = (1.0, 0.1, 10.0)

    name = "ktn_fusion"
    title = "KTN (fusion)"
    uses_text = True
    selects = True
    uses_base_classes = True

    def prepare(self, arena: Arena, validation: Episodes) -> Predictor:
        """Fit the ridge; pick its penalty and lambda.

        Raises:
            ValueError: no semantics.
        """
        features = arena.unit_features()
        weights = {p: ridge_weights(arena, self.name, p) for p in self.penalties}
        visual = cosine_predict(features["validation"])(validation)
        knowledge = {
            p: class_cosines(features["validation"], each["validation"], validation)
            for p, each in weights.items()
        }
        share, penalty = choose(
            list(product(self.lambdas, self.penalties)),
            lambda value: visual + value[0] * knowledge[value[1]],
            validation,
        )

        def predict(episodes: Episodes) -> Tensor:
            known = class_cosines(features["test"], weights[penalty]["test"], episodes)
            return cosine_predict(features["test"])(episodes) + share * known

        grid: dict[str, object] = {"lambda": list(self.lambdas), "penalty": list(self.penalties)}
        return Predictor(predict, selected({"lambda": share, "penalty": penalty}, grid, validation))
