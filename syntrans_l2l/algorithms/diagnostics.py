"""What figures of SynTrans are drawn from, besides what every method has."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from syntrans_l2l.algorithms.scoring import Given, episode_scores
from syntrans_l2l.episodes.episodes import Episodes
from syntrans_l2l.evaluation.diagnostics import alpha_curve, of_weights

if TYPE_CHECKING:  # it imports learn2learn, which takes seconds
    from syntrans_l2l.algorithms.syntrans import SynTrans

_CURVED = 1_000  # episodes behind a point of the curve; all 10,000 would take longer than the row


def diagnostics(
    algorithm: "SynTrans",
    given: Mapping[str, Given],
    episodes: Mapping[str, Episodes],
    alphas: Sequence[float],
) -> dict[str, Tensor]:
    """Accuracy over alpha and weights, both of the first episodes, by name.

    Nothing of a visual classifier, which mixes nothing.

    Args:
        algorithm: fitted, with a fixed alpha.
        given: of "validation" and "test".
        episodes: of the same splits.
        alphas: where the curve is drawn.
    """
    test, alpha = given["test"], algorithm.mix.alpha
    if test.vectors is None or isinstance(alpha, Tensor):
        return {}
    grid = torch.tensor(list(alphas), dtype=torch.float64)
    curves = {
        f"alpha_{split}": alpha_curve(
            episode_scores(algorithm.classifier, each, first),
            first,
            grid,
            algorithm.mix,
        )
        for split, each in given.items()
        for first in [episodes[split].first(_CURVED)]
    }
    weights = of_weights(algorithm.classifier, test.features, test.vectors, episodes["test"], alpha)
    return {"alphas": grid, **curves, **weights}
