"""Picking alpha and b on validation episodes."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from syntrans_l2l.evaluation.statistics import episode_accuracies, paired_ci95
from syntrans_l2l.networks.fusion import Scores


@dataclass(frozen=True)
class Choice:
    """What validation chose: the candidate's place, alpha, and b."""

    candidate: int
    alpha: float
    naming: float


def select(
    candidates: Sequence[Scores],
    labels: Tensor,
    alphas: Sequence[float],
    namings: Sequence[float],
) -> Choice:
    """The best mean accuracy, unless it is within chance of the visual classifier's.

    The first candidate at alpha = 1 and b = 0 is the yardstick: a choice whose paired 95% CI
    against it holds 0 is dropped for it, so that a text that says nothing changes nothing.

    Args:
        candidates: the validation scores of each classifier; the first is the plain one.
        labels: of the flattened queries, [N * Q].
        alphas: the grid of alpha.
        namings: the grid of b.
    """
    plain = episode_accuracies(candidates[0].logits(1.0, 0.0), labels)
    best, best_accuracy = Choice(0, 1.0, 0.0), plain
    for place, scores in enumerate(candidates):
        for alpha in alphas:
            for naming in namings:
                accuracy = episode_accuracies(scores.logits(alpha, naming), labels)
                if accuracy.mean() > best_accuracy.mean():
                    best, best_accuracy = Choice(place, alpha, naming), accuracy
    gain = paired_ci95(best_accuracy, plain)
    return best if gain.mean > gain.ci95 else Choice(0, 1.0, 0.0)
